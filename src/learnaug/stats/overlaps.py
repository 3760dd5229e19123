"""Scores of a segmentation: how predicted and true classes overlap, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from learnaug.errors import UsageError
from learnaug.stats._common import Floats, Ints

__all__ = ["Overlap", "iou_per_class", "joined", "mean_iou", "overlap", "pixel_accuracy"]


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Counted pixels of N pictures by class; all figures follow from their sums.

    Args:
        hits: int64 [N, K], pixels of the class that were predicted as it.
        truth: int64 [N, K], pixels of the class.
        predicted: int64 [N, K], pixels that were predicted as the class.
        nll: float64 [N], sum over the pixels of -log(probability of the true class), in nats.
    """

    hits: Ints
    truth: Ints
    predicted: Ints
    nll: Floats

    @property
    def union(self) -> Ints:
        """Pixels that are of the class or were predicted as it: int64 [N, K]."""
        return self.truth + self.predicted - self.hits


def overlap(
    found: ArrayLike,
    masks: ArrayLike,
    classes: int,
    *,
    nll: ArrayLike | None = None,
    ignored: int = 255,
) -> Overlap:
    """Count the pixels of each picture.

    Args:
        found: [N, H, W] predicted classes in [0, classes).
        masks: [N, H, W] true classes in [0, classes), or `ignored`.
        classes: K.
        nll: [N] for `Overlap.nll`; zeros for None.
        ignored: the value of pixels that are not counted.

    Raises:
        UsageError: shapes that do not fit, or a class out of range.

    Example:
        >>> overlap([[[0, 1, 1]]], [[[0, 0, 255]]], 2).hits
        array([[1, 0]])
    """
    p, t = np.asarray(found), np.asarray(masks)
    if p.shape != t.shape or p.ndim != 3:
        raise UsageError(f"two arrays [N, H, W] are needed, but got {p.shape} and {t.shape}")
    counted = t != ignored
    values = np.concatenate([p[counted], t[counted]])
    if values.size and not 0 <= values.min() <= values.max() < classes:
        raise UsageError(f"classes must be in [0, {classes}), but reach {values.max()}")
    first = classes * np.arange(len(p)).reshape(-1, 1, 1)  # of the cells of each picture

    def count(kind: np.ndarray, where: np.ndarray) -> Ints:
        cells = np.bincount((first + kind)[where], minlength=len(p) * classes)
        return cells.astype(np.int64).reshape(len(p), classes)

    told = np.zeros(len(p)) if nll is None else np.asarray(nll, np.float64)
    return Overlap(count(p, counted & (p == t)), count(t, counted), count(p, counted), told)


def joined(parts: Sequence[Overlap]) -> Overlap:
    """Return the overlaps of several parts as one, in order."""
    names = ("hits", "truth", "predicted", "nll")
    return Overlap(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def iou_per_class(found: Overlap) -> tuple[float | None, ...]:
    """Return intersection over union of each class, over the pixels of all pictures together.

    None where the class occurs neither in the masks nor in the predictions.

    Example:
        >>> iou_per_class(overlap([[[0, 1, 1]]], [[[0, 0, 1]]], 3))
        (0.5, 0.5, None)
    """
    hits, union = found.hits.sum(0).tolist(), found.union.sum(0).tolist()
    return tuple(h / u if u else None for h, u in zip(hits, union, strict=True))


def mean_iou(found: Overlap) -> float:
    """Return the mean of the IoU over the classes that occur in the masks or the predictions.

    Raises:
        UsageError: no pixel is counted.
    """
    known = [value for value in iou_per_class(found) if value is not None]
    if not known:
        raise UsageError("no pixel of these pictures is counted")
    return float(np.mean(known))


def pixel_accuracy(found: Overlap) -> float:
    """Return the share of the counted pixels whose class was predicted."""
    return float(found.hits.sum() / found.truth.sum())
