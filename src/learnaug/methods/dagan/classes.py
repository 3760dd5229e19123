"""Which classes the generator learns from, and which it is chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learnaug.data import ImageSet
from learnaug.errors import DataError
from learnaug.methods.base import Learning
from learnaug.seeds import Seeds

__all__ = ["Parted", "parted"]

LEAST = 20  # classes with two pictures or more, from which some are kept for the choice
HELD = 0.15  # of them: the paper keeps 212 beside 1,200
MOST_HELD = 200


@dataclass(frozen=True, eq=False)
class Parted:
    """Pictures by what they are for.

    Args:
        source: what generator and critic are trained on.
        held: pictures that neither is trained on, by which the generator is chosen.
        note: how it was cut, for people.
    """

    source: ImageSet
    held: ImageSet
    note: str


def parted(data: Learning, seeds: Seeds) -> Parted:
    """Return source and held pictures, cut by class where there are enough classes.

    Raises:
        DataError: no class has two pictures.
    """
    train, valid = data.train, data.valid
    count = np.bincount(train.labels, minlength=len(train.classes))
    able = np.flatnonzero(count > 1)
    if not len(able):
        raise DataError(
            "a generator learns from two pictures of a class, but no class has as many",
            [f"{len(train):,} training pictures, {int((count > 0).sum()):,} classes"],
            "give data with more pictures a class, or a learned generator: dagan:generator=FOLDER",
        )
    if len(able) < LEAST:
        note = (
            f"{len(able)} classes are too few to keep some for the choice of the generator: it is "
            "chosen by pictures of the validation part"
        )
        return Parted(train, valid, note)
    number = min(MOST_HELD, max(2, round(HELD * len(able))))
    chosen = seeds.numpy().permutation(able)[:number]
    note = (
        f"the generator learns from {len(able) - number:,} classes and is chosen by {number:,} "
        "others"
    )
    held = _of(train, chosen), _of(valid, chosen)
    source = train.take(np.flatnonzero(~np.isin(train.labels, chosen)))
    return Parted(source, _joined(train, valid, held), note)


def _of(data: ImageSet, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(data.labels, chosen)).astype(np.int64)


def _joined(
    a: ImageSet, b: ImageSet, rows: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> ImageSet:
    """Return some pictures of two parts of one image set as one."""
    first, second = a.take(rows[0]), b.take(rows[1])
    if not len(second):
        return first
    return ImageSet(
        a.name,
        np.concatenate([first.images, second.images]),
        np.concatenate([first.labels, second.labels]),
        a.classes,
        (*first.ids, *second.ids),
        np.concatenate([first.groups, second.groups]),
        np.concatenate([first.parts, second.parts]),
    )
