"""Scores of one model on one part: accuracy, balanced, per class, NLL, calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from learnaug.errors import UsageError
from learnaug.stats._common import Floats, Ints

__all__ = ["accuracy", "balanced_accuracy", "ece", "nll", "per_class_accuracy"]

LEAST_PROBABILITY = 1e-12  # floor in the logarithm


def accuracy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of images whose most probable class is their label.

    Args:
        probabilities: [n, K] class probabilities, or [n] predicted classes.
        labels: [n] integers in [0, K).

    Raises:
        UsageError: no image, shapes that do not fit, NaN, or a label out of range.

    Example:
        >>> accuracy([[0.9, 0.1], [0.4, 0.6]], [0, 0])
        0.5
    """
    return float(_hits(probabilities, labels)[0].mean())


def balanced_accuracy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean over the classes present of the accuracy within the class.

    Arguments and errors as `accuracy`.

    Example:
        >>> balanced_accuracy([0, 0, 0, 0], [0, 0, 0, 1])
        0.5
    """
    hits, label = _hits(probabilities, labels)
    n = np.bincount(label)
    return float((np.bincount(label, hits)[n > 0] / n[n > 0]).mean())


def per_class_accuracy(
    probabilities: ArrayLike, labels: ArrayLike, classes: int | None = None
) -> tuple[float | None, ...]:
    """Return the accuracy within each of `classes` classes, None where no image has the label.

    Arguments and errors as `accuracy`; by default K classes, or those up to the largest label.

    Example:
        >>> per_class_accuracy([0, 1, 1], [0, 0, 1], 3)
        (0.5, 1.0, None)
    """
    hits, label = _hits(probabilities, labels)
    p = np.asarray(probabilities)
    k = classes or (p.shape[1] if p.ndim == 2 else int(label.max()) + 1)
    n, won = np.bincount(label, minlength=k), np.bincount(label, hits, minlength=k)
    return tuple(float(w / m) if m else None for w, m in zip(won, n, strict=True))


def nll(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of -log(probability of the label) in nats; probabilities floored at 1e-12.

    Example:
        >>> round(nll([[0.5, 0.5]], [0]), 4)
        0.6931
    """
    p, label = _probabilities(probabilities, labels)
    return float(-np.log(np.maximum(p[np.arange(len(p)), label], LEAST_PROBABILITY)).mean())


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error of the most probable class.

    sum over bins of (n_bin / n) · |accuracy - mean confidence|, equal bins (i/bins, (i+1)/bins].

    Source: Guo et al. 2017, "On calibration of modern neural networks", eq. 3.

    Example:
        >>> round(ece([[0.8, 0.2], [0.8, 0.2]], [0, 1]), 4)
        0.3
    """
    if bins < 1:
        raise UsageError(f"`bins >= 1` must hold, but got {bins}")
    p, label = _probabilities(probabilities, labels)
    sure = p.max(axis=1)
    gap = (p.argmax(axis=1) == label) - sure
    bin_of = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(bin_of, gap, minlength=bins)).sum() / len(p))


def _hits(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    given = np.asarray(probabilities)
    if given.ndim == 2:
        p, label = _probabilities(given, labels)
        return (p.argmax(axis=1) == label).astype(np.float64), label
    label = _labels(labels, len(given), None)
    return (given == label).astype(np.float64), label


def _probabilities(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or not np.isfinite(p).all():
        raise UsageError(f"probabilities must be finite with shape [n, K], but have {p.shape}")
    return p, _labels(labels, len(p), p.shape[1])


def _labels(labels: ArrayLike, n: int, classes: int | None) -> Ints:
    label = np.asarray(labels, dtype=np.int64)
    if label.shape != (n,) or not n:
        raise UsageError(f"labels must have shape ({n},), n >= 1, but have {label.shape}")
    if label.min() < 0 or (classes is not None and label.max() >= classes):
        raise UsageError(
            f"labels must be in [0, {classes or 'K'}), but are in [{label.min()}, {label.max()}]"
        )
    return label
