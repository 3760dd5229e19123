"""The figures of one operation, each a share with its 95 % interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from learnaug.methods.safe.scan import Scan
from learnaug.stats import wilson

__all__ = ["Effect", "Rate", "effect_of", "rank_rate", "rate_of"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
SAME_CLASS_PAIRS = 20_000  # at most so many pairs of pictures of a class


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its Wilson interval.

    Args:
        share: in [0, 1].
        low, high: ends of the interval.
        n: independent pictures (groups) that it rests on.
    """

    share: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, rounded to 4 digits."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Effect:
    """How far an operation moves a picture.

    Args:
        pixels: mean absolute distance, in grey levels (0 … 255).
        features: mean distance in the last layer but one of the classifier, as a share of the
            mean distance between two pictures of a class.
    """

    pixels: float
    features: float


def rate_of(hits: NDArray[np.bool_] | Floats, independent: int | None = None) -> Rate:
    """Return the share of hits with the interval of that many independent pictures.

    Args:
        hits: bool [n], or shares in [0, 1], for which Wilson's interval is wider than need be.
        independent: groups among them; None: each picture is its own.
    """
    n = len(hits) if independent is None else min(independent, len(hits))
    if n == 0:
        return Rate(0.0, 0.0, 1.0, 0)
    share = float(hits.mean())
    return Rate(share, *wilson(share * n, n), n)


def rank_rate(after: Floats, clean: Floats, folds: Ints, independent: int | None = None) -> Rate:
    """Return how often a picture with the operation scores above another one without it.

    Two-alternative forced choice: 1/2 is chance, 1 is always. All pairs of two different pictures
    with the same judge count, a tie one half. The interval is Wilson's for as many trials as there
    are independent pictures: for rates near 1/2 it is about 1.2 times as wide as need be, because
    each picture stands in many pairs. What another training of the detector would say is not in it.

    Args:
        after: float [N], the detector's score of the operation on pictures that underwent it.
        clean: float [N], the same score on the same pictures as they are.
        folds: int64 [N], who judged them.
        independent: groups among the N pictures; None: each picture is its own.

    Example:
        >>> ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
        >>> rank_rate(ones, zeros, np.array([0, 0, 1, 1])).share
        1.0
    """
    won = pairs = 0.0
    for fold in np.unique(folds):
        a, c = after[folds == fold], clean[folds == fold]
        n = len(a)
        ranks = rankdata(np.concatenate([a, c]))
        own = (a > c).sum() + 0.5 * (a == c).sum()  # pairs of a picture with itself do not count
        won += ranks[:n].sum() - n * (n + 1) / 2 - own
        pairs += n * (n - 1)
    n = len(after) if independent is None else independent
    if not pairs:
        return Rate(0.5, 0.0, 1.0, 0)
    share = min(1.0, max(0.0, won / pairs))
    return Rate(share, *wilson(share * n, n), n)


def effect_of(after: Scan, clean: Scan, labels: Ints, folds: Ints) -> Effect:
    """Return how far the pictures moved.

    Args:
        after, clean: what the judges see with and without the operation.
        labels: int64 [N].
        folds: int64 [N]; features of two classifiers are not compared.
    """
    moved = _lengths(after.features - clean.features)
    one, other = _mates(labels, folds)
    apart = _lengths(clean.features[one] - clean.features[other])
    scale = float(apart.mean()) if len(apart) else 0.0
    share = float(moved.mean()) / scale if scale > 0 else 0.0
    return Effect(255 * float(after.pixels.mean()), share)


def _lengths(vectors: Floats) -> Floats:
    length: Floats = np.linalg.norm(vectors, axis=1).astype(np.float32)
    return length


def _mates(labels: Ints, folds: Ints) -> tuple[Ints, Ints]:
    """Return pairs of pictures of one class and one fold: each with the next ones of its cell."""
    ones, others = [], []
    cells = folds * (labels.max(initial=0) + 1) + labels
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        for shift in range(1, min(len(rows), 4)):
            ones.append(rows)
            others.append(np.roll(rows, shift))
    if not ones:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(ones)[:SAME_CLASS_PAIRS], np.concatenate(others)[:SAME_CLASS_PAIRS]
