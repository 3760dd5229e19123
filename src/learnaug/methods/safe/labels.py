"""The label check: does an operation turn pictures of one class into pictures of another?

An operation that nobody can see in a picture may still change what it shows: a 6 turned by 180
degrees is a 9. Lower accuracy alone does not say so, because a classifier is also wrong about
pictures like none it knows. So a picture counts as moved onto class b only where it would pass for
a real b: the classifier, which never saw the operation, calls it b, is as sure of that as of nine
in ten real b, and finds it as near to other real b as nineteen in twenty real b are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from learnaug.methods.safe.scan import Scan

__all__ = ["Looks", "Move", "moves", "real_looks"]

SURE = 0.10  # quantile of the classifier's probability among real pictures of a class
NEAR = 0.95  # quantile of the distance to the nearest other real picture of the class
LEAST = 8  # pictures of a class that the check needs
Z = 1.959964  # of a 95 % interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looks:
    """What real held-out pictures look like to their classifier.

    Args:
        clean: the scan of the pictures as they are.
        labels, folds: int64 [N].
        sure: float [folds, K], least probability of the own class that counts as sure.
        near: float [folds, K], largest distance to the next real picture that counts as near.
        passing: bool [N, K], which classes each picture passes for as it is.
    """

    clean: Scan
    labels: Ints
    folds: Ints
    sure: Floats
    near: Floats
    passing: Bools

    def sight(self) -> tuple[float, float, float]:
        """Return what share of pictures would be seen to move if all did, and its 95 % interval.

        That is how often real pictures pass for their own class, less how often for any other one,
        as a mean over classes. A classifier near chance has none: then nothing is known of labels.
        """
        n = len(self.labels)
        own = self.passing[np.arange(n), self.labels]
        others = max(1, self.passing.shape[1] - 1)
        gain = own - (self.passing.sum(1) - own) / others
        share, half = float(gain.mean()), Z * float(gain.std()) / math.sqrt(max(1, n))
        return share, share - half, share + half


@dataclass(frozen=True, slots=True)
class Move:
    """How many pictures of one class pass for another after an operation.

    Args:
        source, target: class numbers.
        share: of the pictures of `source` that pass for `target` only with the operation, less
            those that do so only without it, less the mean of that over the other classes.
        low, high: 95 % interval of the share; the mean of the other classes counts as known.
        n: pictures of `source`.
    """

    source: int
    target: int
    share: float
    low: float
    high: float
    n: int

    def to_json(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Return plain JSON data with the names of the classes."""
        ends = {k: round(getattr(self, k), 4) for k in ("share", "low", "high")}
        return {"from": classes[self.source], "to": classes[self.target], **ends, "n": self.n}


def real_looks(clean: Scan, labels: Ints, folds: Ints, classes: int) -> Looks:
    """Return what passes for a real picture of each class.

    Args:
        clean: the scan of the pictures as they are.
        labels: int64 [N].
        folds: int64 [N].
        classes: K.
    """
    count = int(folds.max(initial=-1)) + 1
    sure, near = np.full((count, classes), np.inf), np.full((count, classes), -np.inf)
    right = clean.probabilities.argmax(1) == labels
    for fold in range(count):
        for b in range(classes):
            own = np.flatnonzero((folds == fold) & (labels == b))
            known = own[right[own]]
            if len(own) < LEAST // 2 or not len(known):
                continue
            sure[fold, b] = np.quantile(clean.probabilities[known, b], SURE)
            near[fold, b] = np.quantile(_to_next(clean, own, clean, own), NEAR)
    looks = Looks(clean, labels, folds, sure, near, np.zeros((len(labels), classes), bool))
    looks.passing[:] = _passing(looks, clean)
    return looks


def moves(looks: Looks, after: Scan) -> list[Move]:
    """Return every move that some picture made, the largest lower end first.

    The share is that of the pairs of one picture with and without the operation; its interval is
    Agresti & Min's (2005): Wald's, with half a picture more in each of the four cells.

    Args:
        looks: of the pictures as they are.
        after: the scan of the same pictures with the operation.
    """
    passing = _passing(looks, after)
    classes = passing.shape[1]
    member = (looks.labels == np.arange(classes)[:, None]).astype(np.float64)  # [K, N]
    n = member.sum(1)
    came = member @ (passing & ~looks.passing)  # [K, K]: of a onto b
    went = member @ (looks.passing & ~passing)
    known = np.flatnonzero(n >= LEAST)
    found = []
    for a, b in zip(*np.nonzero(came), strict=True):
        if a != b and n[a] >= LEAST:
            others = known[(known != a) & (known != b)]
            usual = ((came - went)[others, b] / n[others]).mean() if len(others) else 0.0
            found.append(
                _move(int(a), int(b), came[a, b], went[a, b], int(n[a]), max(0.0, float(usual)))
            )
    return sorted(found, key=lambda move: -move.low)


def _move(a: int, b: int, came: float, went: float, n: int, usual: float) -> Move:
    total = n + 2
    middle = (came - went) / total - usual
    half = Z * math.sqrt((came + went + 1) - (came - went) ** 2 / total) / total
    share = (came - went) / n - usual
    return Move(a, b, share, max(-1.0, middle - half), min(1.0, middle + half), n)


def _passing(looks: Looks, scan: Scan) -> Bools:
    """Return which pictures pass for a real one of each class: at most one each, bool [N, K]."""
    said = scan.probabilities.argmax(1)
    passing = np.zeros_like(scan.probabilities, dtype=bool)
    for fold in np.unique(looks.folds):
        for b in np.unique(said):
            rows = np.flatnonzero((looks.folds == fold) & (said == b))
            rows = rows[scan.probabilities[rows, b] >= looks.sure[fold, b]]
            real = np.flatnonzero((looks.folds == fold) & (looks.labels == b))
            if len(rows) and len(real) > 1:
                distance = _to_next(scan, rows, looks.clean, real)
                passing[rows[distance <= looks.near[fold, b]], b] = True
    return passing


def _to_next(scan: Scan, rows: Ints, clean: Scan, real: Ints) -> Floats:
    """Return the distance in features to the nearest real picture that is not the same one."""
    apart = cdist(scan.features[rows], clean.features[real])
    apart[rows[:, None] == real[None]] = np.inf
    nearest: Floats = apart.min(1, initial=np.inf)
    return nearest
