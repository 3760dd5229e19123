"""Take some classes of a set, and merge several under a new name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from learnaug.data.imageset import ImageSet
from learnaug.errors import UsageError, nearest

__all__ = ["Choice", "choice", "ordered", "select", "unknown"]

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


def _pairs(wish: Mapping[str, Sequence[str]] | Sequence[str] | str) -> Iterator[tuple[str, str]]:
    """Yield (new name, old name)."""
    if isinstance(wish, str):
        for part in wish.split(","):
            new, _, olds = part.partition("=")
            yield from ((new.strip(), old.strip()) for old in (olds or new).split("+"))
    elif isinstance(wish, Mapping):
        for new, names in wish.items():
            yield from ((new, old) for old in ([names] if isinstance(names, str) else names))
    else:
        yield from ((name, name) for name in wish)


def unknown(chosen: Choice, known: Sequence[str]) -> list[str]:
    """Return a line for each class that is asked for but not there, with the nearest name."""
    wanted = [] if chosen.new is None else [old for old in chosen.new if old not in set(known)]
    return [f"{name}: {nearest(name, sorted(known))}" for name in wanted]


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names in class order: by number if all are numbers, else by code point.

    Example:
        >>> ordered(["10", "9", "9"]), ordered(["s10", "s9"])
        (('9', '10'), ('s10', 's9'))
    """
    distinct = sorted(set(names))
    if all(name.isascii() and name.isdigit() for name in distinct):
        distinct.sort(key=int)
    return tuple(distinct)


def select(data: ImageSet, chosen: Choice) -> ImageSet:
    """Return the images of the chosen classes under their new names; every class must be there."""
    if chosen.new is None:
        return data
    classes = ordered(chosen.new.values())
    numbers = [-1 if (new := chosen(name)) is None else classes.index(new) for name in data.classes]
    labels = np.array(numbers, np.int64)[data.labels]
    kept = np.flatnonzero(labels >= 0)
    # the old labels would not fit the new names for a moment, so both are replaced at once
    return replace(data, labels=np.maximum(labels, 0), classes=classes).take(kept)
