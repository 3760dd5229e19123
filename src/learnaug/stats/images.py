"""Images as the sample: how sure the difference is for new images like these."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from learnaug.errors import UsageError
from learnaug.seeds import Seeds
from learnaug.stats._common import CHUNK, Floats, Interval, Ints, differences, t_quantile

__all__ = ["image_interval", "iou_interval"]


def image_interval(
    correct_candidate: ArrayLike,
    correct_baseline: ArrayLike,
    groups: ArrayLike | None = None,
    gen: np.random.Generator | None = None,
    draws: int = 10_000,
    *,
    labels: ArrayLike | None = None,
) -> Interval:
    """Return the 95 % interval of the difference for new images like these.

    Images are resampled, whole groups at a time; images that differ in nothing that counts are
    drawn together by one multinomial, which is the same distribution in a fraction of the time.
    The percentiles are widened to t with (groups - 1) degrees of freedom, so that a few groups
    do not look surer than they are.

    Args:
        correct_candidate: [n] correctness of each test image, averaged over seeds, in [0, 1].
        correct_baseline: [n] the same of the baseline.
        groups: [n] integers; images of one number stay together, -1 is a group of its own.
        gen: draws the resamples; by default a fixed stream.
        draws: number of resamples.
        labels: [n] class of each image: then every class counts alike (balanced accuracy).

    Raises:
        UsageError: fewer than 2 groups, unequal lengths, or a number that is not finite.

    Source: Hesterberg 2015, "What teachers should know about the bootstrap", section 3.4
    (expanded percentiles).

    Example:
        >>> image_interval([1, 1, 1, 1], [1, 1, 1, 1])
        (0.0, 0.0)
    """
    d = differences(correct_candidate, correct_baseline)
    sums, counts = _group_sums(d, _codes(groups, len(d), "groups"), labels)
    n = len(sums)
    if n < 2:
        raise UsageError(f"at least 2 groups of images are needed, but got {n}")
    gen = gen or Seeds(0).child("stats", "images").numpy()
    return _expanded(_resampled(sums, counts, gen, draws), n)


def iou_interval(
    candidate: ArrayLike,
    baseline: ArrayLike,
    groups: ArrayLike | None = None,
    gen: np.random.Generator | None = None,
    draws: int = 2_000,
) -> Interval:
    """Return the 95 % interval of the difference of mean IoU for new images like these.

    Images are resampled, whole groups at a time and the same ones for both; in each draw the areas
    are summed over the images, the IoU is taken of the classes that occur, and their mean is
    averaged over the runs. The percentiles are widened as in `image_interval`.

    Args:
        candidate: [runs, n, 2, K] intersection and union in pixels of each image and class; 0 where
            a run did not see the image.
        baseline: the same of the baseline.
        groups: [n] integers; images of one number stay together, -1 is a group of its own.
        gen: draws the resamples; by default a fixed stream.
        draws: number of resamples.

    Raises:
        UsageError: fewer than 2 groups, or unequal shapes.

    Example:
        >>> same = np.ones((1, 3, 2, 2))
        >>> iou_interval(same, same)
        (0.0, 0.0)
    """
    areas = np.stack([np.asarray(candidate, np.float64), np.asarray(baseline, np.float64)])
    if areas.ndim != 5 or areas.shape[3] != 2:
        raise UsageError(f"areas must have shape [runs, n, 2, K], but have {areas.shape[1:]}")
    group = _codes(groups, areas.shape[2], "groups")
    n = int(group.max(initial=-1)) + 1
    if n < 2:
        raise UsageError(f"at least 2 groups of images are needed, but got {n}")
    gen = gen or Seeds(0).child("stats", "images").numpy()
    rows = np.zeros((n, areas.size // areas.shape[2]))
    np.add.at(rows, group, np.moveaxis(areas, 2, 0).reshape(areas.shape[2], -1))
    step = max(1, CHUNK // max(n, rows.shape[1]))
    parts = []
    for start in range(0, draws, step):
        times = gen.multinomial(n, np.full(n, 1 / n), size=min(step, draws - start))
        weights = times.astype(np.float64)
        sums = (weights @ rows).reshape(-1, *areas.shape[:2], *areas.shape[3:])
        parts.append(_mean_iou(sums[..., 0, :], sums[..., 1, :]))
    means = np.concatenate(parts)  # [draws, 2, runs]
    return _expanded((means[:, 0] - means[:, 1]).mean(1), n)


def _mean_iou(hits: Floats, union: Floats) -> Floats:
    """Return the mean over the last axis of hits / union, classes without union left out."""
    iou = np.divide(hits, union, out=np.zeros_like(hits), where=union > 0)
    found: Floats = iou.sum(-1) / np.maximum(1, (union > 0).sum(-1))
    return found


def _expanded(means: Floats, n: int) -> Interval:
    """Return the percentiles of resampled means, widened to t with n - 1 degrees of freedom."""
    tail = float(special.ndtr(-t_quantile(n - 1) * math.sqrt(n / (n - 1))))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _codes(groups: ArrayLike | None, n: int, name: str) -> Ints:
    """Number the groups 0, 1, …; without groups, and for -1, each image is its own."""
    if groups is None:
        return np.arange(n, dtype=np.int64)
    given = np.asarray(groups, dtype=np.int64)
    if given.shape != (n,):
        raise UsageError(f"{name} must have shape ({n},), but have {given.shape}")
    single = given < 0
    given = np.where(single, given.max(initial=0) + 1 + np.arange(n), given)
    return np.unique(given, return_inverse=True)[1].astype(np.int64)


def _group_sums(d: Floats, group: Ints, labels: ArrayLike | None) -> tuple[Floats, Floats]:
    """Return [G, K] sums of differences and [G, K] counts; K = 1 without labels."""
    label = np.zeros(len(d), np.int64) if labels is None else _codes(labels, len(d), "labels")
    shape = (int(group.max(initial=-1)) + 1, int(label.max(initial=-1)) + 1)
    cell = group * shape[1] + label
    sums = np.bincount(cell, d, minlength=math.prod(shape)).astype(np.float64)
    counts = np.bincount(cell, minlength=math.prod(shape)).astype(np.float64)
    return sums.reshape(shape), counts.reshape(shape)


def _resampled(sums: Floats, counts: Floats, gen: np.random.Generator, draws: int) -> Floats:
    """Return [draws] means over classes of the resampled sum / count; empty classes are left out.

    Rows are rounded to 1e-12 before they are compared, so that equal images are seen as equal.
    """
    n, k = sums.shape
    kinds, times = np.unique(np.hstack([sums.round(12), counts]), axis=0, return_counts=True)
    step = max(1, CHUNK // max(len(kinds), k))
    parts = []
    for start in range(0, draws, step):
        weights = gen.multinomial(n, times / n, size=min(step, draws - start))
        total, count = weights @ kinds[:, :k], weights @ kinds[:, k:]
        means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
        parts.append(means.sum(axis=1) / (count > 0).sum(axis=1))
    return np.concatenate(parts)
