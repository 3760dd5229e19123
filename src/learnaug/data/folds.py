"""Folds and samples of a part: groups stay whole, classes stay even."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learnaug.data.imageset import ImageSet
from learnaug.data.split import join_groups
from learnaug.seeds import Seeds

__all__ = ["fold_of", "sample"]

Ints = NDArray[np.int64]


def fold_of(data: ImageSet, count: int, seeds: Seeds) -> Ints:
    """Return the fold of each picture, 0 … count - 1: int64 [N].

    Groups stay whole; each goes where its classes are rarest, so that folds are alike in classes.

    Args:
        data: labels and groups; images with masks count as one class.
        count: number of folds, >= 2.
        seeds: keys the order of the groups.
    """
    group = join_groups(data.groups, None)
    labels = data.labels if len(data.labels) else np.zeros(len(data), np.int64)
    have = np.zeros((count, int(labels.max(initial=0)) + 1), np.int64)
    fold = np.zeros(len(data), np.int64)
    for rows in _units(group, seeds):
        counts = np.bincount(labels[rows], minlength=have.shape[1])
        crowd = have[:, counts > 0].sum(1), have.sum(1)
        best = np.lexsort((crowd[1], crowd[0]))[0]
        fold[rows] = best
        have[best] += counts
    return fold


def sample(data: ImageSet, most: int, seeds: Seeds) -> Ints:
    """Return at most about `most` pictures, whole groups, as many of each class: int64, sorted."""
    if len(data) <= most:
        return np.arange(len(data))
    group = join_groups(data.groups, None)
    labels = data.labels if len(data.labels) else np.zeros(len(data), np.int64)
    have = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    limit = -(-most // len(np.unique(labels)))
    kept: list[Ints] = []
    for rows in _units(group, seeds):
        counts = np.bincount(labels[rows], minlength=len(have))
        if (have + counts <= limit)[counts > 0].all():
            kept.append(rows)
            have += counts
    return np.sort(np.concatenate(kept)) if kept else np.arange(most)


def _units(group: Ints, seeds: Seeds) -> list[Ints]:
    """Return the positions of each group, groups in keyed order."""
    order = np.argsort(group, kind="stable")
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    units = np.split(order, cuts)
    return [units[i] for i in seeds.child("groups").numpy().permutation(len(units))]
