"""What a method costs, counted in trainings."""

from __future__ import annotations

from learnaug.methods import is_learned, resolve

__all__ = ["trainings"]


def trainings(method: str) -> float | None:
    """Return how many trainings' worth of pictures a run takes, at most: learning and the target's.

    Pictures are counted that weights are updated with; looks at the validation part are not, and
    are in the seconds of a run. None where a method that learns cannot tell.

    Args:
        method: a name, with settings and `+`.

    Raises:
        UsageError, ConfigError: as in `learnaug.methods.resolve`.

    Example:
        >>> trainings("flip-crop+cutout"), trainings("aws-paper:loops=30,enlarge=2")
        (1.0, 3.666...)
    """
    parts = method.split("+")
    total = float(getattr(resolve(parts[-1]), "enlarge", 1))
    for part in parts:
        if is_learned(part):
            repeats = getattr(resolve(part), "repeats", None)
            if repeats is None:
                return None
            total += repeats
    return total
