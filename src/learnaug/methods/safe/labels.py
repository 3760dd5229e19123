"""The label check: does an operation turn pictures of one class into pictures of another?

An operation that nobody can see in a picture may still change what it shows: a 6 turned by 180
degrees is a 9. Lower accuracy alone does not say so, because a classifier is also wrong about
pictures like none it knows. So a picture counts as moved onto class b only where it would pass for
a real b: the classifier, which never saw the operation, calls it b, is as sure of that as of nine
in ten real b, and finds it as near to other real b as nineteen in twenty real b are. And a class
counts as moved only where it passes for b more often than real pictures of other classes do that
look most like b, and where most of what passes for b as it is really is b: what a weak classifier
takes for b anyway is no testimony.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import norm

from learnaug.methods.safe.scan import Scan

__all__ = ["Check", "Move", "PictureCheck", "moves_of", "sight_of"]

SURE = 0.10  # quantile of the classifier's probability among real pictures of a class
NEAR = 0.95  # quantile of the distance to the nearest other real picture of the class
LEAST = 8  # pictures of a class that the check needs
TRUSTED = 0.5  # share of what passes for a class that is of it; a class below it bears no testimony
ALIKE = 0.9  # quantile over other classes of how often they pass for a class as they are
LEVEL = 0.95  # of the intervals of all classes of an operation together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Move:
    """How much of one class passes for another after an operation.

    Args:
        source, target: class numbers.
        share: of `source` (its pictures; for masks its pixels, as a mean over pictures) that pass
            for `target` with the operation, less those that do without it, less what says nothing
            (see `moves_of`).
        low, high: ends of its interval; those of all classes hold together in 95 % (Bonferroni);
            what is taken off counts as known.
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


class Check(Protocol):
    """What pictures pass for as they are, and how that changes."""

    @property
    def sight(self) -> float:
        """Lower end of the share that would be seen to move if all did."""
        ...

    def moves(self, after: Scan) -> tuple[Move, ...]:
        """Return every move that some picture made, the largest lower end first."""
        ...


def moves_of(before: Floats, n: Ints, change: Floats, squares: Floats) -> tuple[Move, ...]:
    """Return the moves of all classes, the largest lower end first.

    The share of a move of a onto b is the mean change of its pictures, less the larger of
    - the mean change of the other classes (a net calls pictures like none it knows by the names of
      a few classes), and
    - how much more often than a the class that is most like b passes for b as it is: the 0.9
      quantile over the other classes.
    Onto a class of which less than half of what passes for it is it, no move is known.
    Its interval is Agresti & Min's (2005) for pairs (Wald's, with two pictures more), at the level
    1 - 0.05 / K, because K classes are looked at and the largest move decides.

    Args:
        before: float [K, K], share of class a that passes for b as it is.
        n: int64 [K], pictures of each class.
        change: float [K, K], sum over the pictures of a of the change of the share that passes for
            b, in [-n, n].
        squares: float [K, K], sum of its squares.
    """
    known = np.flatnonzero(n >= LEAST)
    z, trusted = _z(max(1, len(known))), _trusted(before, known)
    found = []
    for a, b in zip(*np.nonzero(squares > 0), strict=True):
        if a == b or n[a] < LEAST or not trusted[b]:
            continue
        others = known[(known != a) & (known != b)]
        off = 0.0
        if len(others):
            usual = (change[others, b] / n[others]).mean()
            off = max(0.0, float(usual), float(_alike(before, others, int(b)) - before[a, b]))
        found.append(_move((int(a), int(b)), change[a, b], squares[a, b], int(n[a]), off, z))
    return tuple(sorted(found, key=lambda move: -move.low))


def _trusted(before: Floats, known: Ints) -> Bools:
    """Return for which classes most of what passes for them, were all classes as large, is them."""
    all_of_it = before[known].sum(0)
    own = np.diagonal(before)
    trusted: Bools = (own > 0) & (own >= TRUSTED * all_of_it)
    return trusted


def _alike(before: Floats, others: Ints, b: int) -> float:
    return float(np.quantile(before[others, b], ALIKE))


def _z(tests: int) -> float:
    return float(norm.ppf(1 - (1 - LEVEL) / 2 / tests))


def _move(
    pair: tuple[int, int], change: float, squares: float, n: int, off: float, z: float
) -> Move:
    total = n + 2
    middle = change / total - off
    half = z * math.sqrt(max(0.0, squares + 1 - change**2 / total)) / total
    return Move(*pair, change / n - off, max(-1.0, middle - half), min(1.0, middle + half), n)


def sight_of(before: Floats, n: Ints, error: float) -> float:
    """Return the lower end of the share that would be seen to move if a whole class did.

    That is how often real pictures pass for their own class, less how often the classes most like
    it do (the 0.9 quantile over the others), as a mean over classes. A net near chance has none:
    then nothing is known of labels.

    Args:
        before: float [K, K].
        n: int64 [K], pictures of each class.
        error: standard error of how much of a picture passes for its own class.
    """
    known = np.flatnonzero(n >= LEAST)
    if len(known) < 2:
        return 0.0
    gains = [before[b, b] - _alike(before, known[known != b], int(b)) for b in known]
    return float(np.mean(gains)) - _z(1) * error


class PictureCheck:
    """The label check of pictures with one class each.

    Args:
        clean: the scan of the pictures as they are.
        labels, folds: int64 [N].
        classes: K.

    Attributes:
        sure: float [folds, K], least probability of the own class that counts as sure.
        near: float [folds, K], largest distance to the next real picture that counts as near.
        passing: bool [N, K], which classes each picture passes for as it is.
    """

    def __init__(self, clean: Scan, labels: Ints, folds: Ints, classes: int) -> None:
        self.clean, self.labels, self.folds = clean, labels, folds
        self.sure, self.near = _thresholds(clean, labels, folds, classes)
        self.passing = self._passing(clean)
        self.member = (labels == np.arange(classes)[:, None]).astype(np.float64)  # [K, N]
        self.n = self.member.sum(1).astype(np.int64)
        self.before = (self.member @ self.passing) / np.maximum(self.n, 1)[:, None]

    @property
    def sight(self) -> float:
        """Lower end of the share of pictures that would be seen to move if all did."""
        own = self.passing[np.arange(len(self.labels)), self.labels]
        return sight_of(self.before, self.n, float(own.std()) / math.sqrt(len(own)))

    def moves(self, after: Scan) -> tuple[Move, ...]:
        """Return every move that some picture made, the largest lower end first."""
        change = self._passing(after).astype(np.float64) - self.passing
        return moves_of(self.before, self.n, self.member @ change, self.member @ change**2)

    def _passing(self, scan: Scan) -> Bools:
        """Return which pictures pass for a real one of each class: at most one each, [N, K]."""
        said = scan.told.argmax(1)
        passing = np.zeros_like(scan.told, dtype=bool)
        for fold in np.unique(self.folds):
            for b in np.unique(said):
                rows = np.flatnonzero((self.folds == fold) & (said == b))
                rows = rows[scan.told[rows, b] >= self.sure[fold, b]]
                real = np.flatnonzero((self.folds == fold) & (self.labels == b))
                if len(rows) and len(real) > 1:
                    distance = _to_next(scan, rows, self.clean, real)
                    passing[rows[distance <= self.near[fold, b]], b] = True
        return passing


def _thresholds(clean: Scan, labels: Ints, folds: Ints, classes: int) -> tuple[Floats, Floats]:
    """Return from where on a picture is sure to be of a class, and near to it: [folds, K] each."""
    count = int(folds.max(initial=-1)) + 1
    sure, near = np.full((count, classes), np.inf), np.full((count, classes), -np.inf)
    right = clean.told.argmax(1) == labels
    for fold in range(count):
        for b in range(classes):
            own = np.flatnonzero((folds == fold) & (labels == b))
            known = own[right[own]]
            if len(own) < LEAST // 2 or not len(known):
                continue
            sure[fold, b] = np.quantile(clean.told[known, b], SURE)
            near[fold, b] = np.quantile(_to_next(clean, own, clean, own), NEAR)
    return sure, near


def _to_next(scan: Scan, rows: Ints, clean: Scan, real: Ints) -> Floats:
    """Return the distance in features to the nearest real picture that is not the same one."""
    apart = cdist(scan.features[rows], clean.features[real])
    apart[rows[:, None] == real[None]] = np.inf
    nearest: Floats = apart.min(1, initial=np.inf)
    return nearest
