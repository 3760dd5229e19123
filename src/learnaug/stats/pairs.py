"""Pairs of runs: the t interval, the exact sign-flip test, Wilson's interval, Holm's rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from learnaug.errors import UsageError
from learnaug.seeds import Seeds
from learnaug.stats._common import CHUNK, LEVEL, Floats, Interval, differences, finite, t_quantile

__all__ = ["Paired", "Share", "holm", "paired", "share_won", "wilson"]

EXACT_PAIRS = 20  # 2**20 sign patterns fit in memory; above, they are sampled
SIGN_DRAWS = 100_000


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences of paired scores; `sd` and `interval` are None for a single pair."""

    mean: float
    sd: float | None
    n: int
    interval: Interval | None
    p: float
    wins: int


@dataclass(frozen=True, slots=True)
class Share:
    """The share of pairs that the candidate won, a tie counting one half, with its interval."""

    share: float
    interval: Interval


def paired(
    candidate: Sequence[float],
    baseline: Sequence[float],
    *,
    overlap: float = 0.0,
    gen: np.random.Generator | None = None,
) -> Paired:
    """Return the mean difference of paired runs, its 95 % t interval and exact sign-flip p.

    mean ± t(0.975, n - 1) · sd · sqrt(1/n + overlap), with d = candidate - baseline.
    p is the share of the 2^n sign patterns whose |sum of ±d| reaches the observed one; above 20
    pairs 100,000 patterns are drawn in place of all.

    Args:
        candidate: n scores, one a seed.
        baseline: n scores of the same seeds.
        overlap: n_test / n_train where the pairs come from repeated splits of one data set, whose
            training parts overlap; 0 for pairs on one split.
        gen: draws the sign patterns above 20 pairs; by default a fixed stream.

    Raises:
        UsageError: no pair, unequal lengths, or a score that is not finite.

    Source: Nadeau & Bengio 2003, "Inference for the generalization error", eq. 5 (overlap).

    Example:
        >>> paired([0.5, 0.75, 1.0], [0.25, 0.5, 0.5]).p
        0.25
    """
    d = differences(candidate, baseline)
    if not len(d):
        raise UsageError("at least one pair of scores is needed, but got none")
    mean, n = float(d.mean()), len(d)
    sd = float(d.std(ddof=1)) if n > 1 else None
    interval = None
    if sd is not None:
        half = t_quantile(n - 1) * sd * math.sqrt(1 / n + overlap)
        interval = (mean - half, mean + half)
    return Paired(mean, sd, n, interval, _sign_flip(d, gen), int((d > 0).sum()))


def share_won(candidate: Sequence[float], baseline: Sequence[float]) -> Share:
    """Return the share of pairs won by the candidate with its Wilson interval; a tie is one half.

    Example:
        >>> share_won([0.9, 0.8], [0.7, 0.8]).share
        0.75
    """
    d = differences(candidate, baseline)
    won = float((d > 0).sum() + 0.5 * (d == 0).sum())
    interval = wilson(won, len(d))
    return Share(won / len(d), interval)


def wilson(k: float, n: int) -> Interval:
    """Return the 95 % Wilson score interval of a share k / n.

    Raises:
        UsageError: unless 0 <= k <= n and n >= 1.

    Source: Wilson 1927, without continuity correction.

    Example:
        >>> low, high = wilson(0, 10)
        >>> low, round(high, 3)
        (0.0, 0.278)
    """
    if not (n >= 1 and 0 <= k <= n):
        raise UsageError(f"`0 <= k <= n` and `n >= 1` must hold, but got {k=}, {n=}")
    z = float(special.ndtri((1 + LEVEL) / 2))
    share, shrink = k / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if k == 0 else middle - half
    high = 1.0 if k == n else middle + half
    return low, high


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Return p values adjusted for their number by Holm's step-down rule, in the given order.

    The i-th smallest becomes max over j <= i of min(1, (m - j) · p_j), j from 0.

    Source: Holm 1979.

    Example:
        >>> holm([0.04, 0.01, 0.03])
        (0.06, 0.03, 0.06)
    """
    p = finite(ps, "p values")
    if ((p < 0) | (p > 1)).any():
        raise UsageError("p values must be in [0, 1]")
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(steps)
    return tuple(float(value) for value in adjusted)


def _sign_flip(d: Floats, gen: np.random.Generator | None) -> float:
    # Scores are multiples of 1 / n_test with rounding: sums that tie must count as ties.
    reach = abs(float(d.sum())) - 1e-9 * float(np.abs(d).sum())
    if len(d) <= EXACT_PAIRS:
        sums = d[:1]  # by symmetry the first sign can stay
        for value in d[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= reach))
    gen = gen or Seeds(0).child("stats", "sign-flip").numpy()
    hits, step = 0, max(1, CHUNK // len(d))
    for start in range(0, SIGN_DRAWS, step):
        n = min(step, SIGN_DRAWS - start)
        signs = gen.integers(0, 2, (n, len(d)), dtype=np.int8) * 2 - 1
        hits += int((np.abs(signs @ d) >= reach).sum())
    return (hits + 1) / (SIGN_DRAWS + 1)
