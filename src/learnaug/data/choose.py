"""Take some classes of a set, and merge several under a new name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from learnaug.data.imageset import ImageSet
from learnaug.errors import DataError, UsageError, nearest

__all__ = ["Choice", "choice", "select", "unknown"]

Wish = Mapping[str, Sequence[str]] | Sequence[str] | str | None


@dataclass(frozen=True)
class Choice:
    """A function from the name of a class in the source to its name in the set, None = left out.

    Args:
        new: name in the source -> name in the set; None takes every class as it is.
    """

    new: Mapping[str, str] | None = None

    def __call__(self, name: str) -> str | None:
        return name if self.new is None else self.new.get(name)


def choice(wish: Wish) -> Choice:
    """Return the choice that a mapping, a list of names or the text of the command line asks for.

    Args:
        wish: {"dog": ["n01", "n02"], "fish": ["n03"]}, ["cat", "dog"], or "dog=n01+n02,fish=n03".

    Raises:
        UsageError: a class is asked for twice, or not one is.

    Example:
        >>> choice("dog=n01+n02,cat")("n02")
        'dog'
    """
    if wish is None:
        return Choice()
    pairs = list(_pairs(wish))
    olds = [old for _, old in pairs]
    double = sorted({old for old in olds if olds.count(old) > 1})
    if double or not pairs or not all(olds):
        found = f"{', '.join(double)} twice" if double else repr(wish)
        raise UsageError(
            f"classes must name each class once, but got {found}",
            mend='write them so: "dog=n01+n02,fish=n03"',
        )
    return Choice({old: new for new, old in pairs})


def _pairs(wish: Mapping[str, Sequence[str]] | Sequence[str] | str) -> list[tuple[str, str]]:
    if isinstance(wish, str):
        rows = [part.partition("=") for part in wish.split(",")]
        return [
            (new.strip(), old.strip()) for new, _, olds in rows for old in (olds or new).split("+")
        ]
    if isinstance(wish, Mapping):
        return [
            (new, old)
            for new, olds in wish.items()
            for old in ([olds] if isinstance(olds, str) else olds)
        ]
    return [(name, name) for name in wish]


def unknown(chosen: Choice, known: Sequence[str]) -> list[str]:
    """Return a line for each class that is asked for but not there, with the nearest name."""
    wanted = [] if chosen.new is None else [old for old in chosen.new if old not in set(known)]
    return [f"{name}: {nearest(name, sorted(known))}" for name in wanted]


def select(data: ImageSet, chosen: Choice) -> ImageSet:
    """Return the images of the chosen classes under their new names, classes sorted.

    Raises:
        DataError: a class asked for is not in the set.
    """
    if chosen.new is None:
        return data
    if lacking := unknown(chosen, data.classes):
        raise DataError("classes asked for are not in the set", lacking, "name classes that are")
    classes = tuple(sorted(set(chosen.new.values())))
    number = [classes.index(new) if (new := chosen(name)) else -1 for name in data.classes]
    labels = np.array(number, np.int64)[data.labels]
    kept = replace(
        data.take(np.flatnonzero(labels >= 0)), classes=classes, labels=labels[labels >= 0]
    )
    return kept
