"""Which elements help: trials on small random subsets of the elements, read by a linear model.

A trial trains with a few elements and is rewarded. The fewer they are, the more each one moves the
reward; in a round of n / size trials each element has its turn. The published rule spreads the
reward of one policy over all the pairs that it drew, and so leaves the effects in the sampling
noise of those draws (benchmarks/search.py).

Model: r = mean + X b + e with X_ij the probability of element j in trial i, e ~ N(0, s²) and
b ~ N(0, t² K), K given: how the effects are related. Both variances are those that make the rewards
most likely (type II maximum likelihood, on a grid of t²/s²).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from learnaug.seeds import Seeds

__all__ = [
    "LEAST",
    "RELATED",
    "Posterior",
    "alike",
    "design",
    "odds",
    "posterior",
    "related",
    "surprise",
]

RELATED = 0.5  # prior correlation of two strengths of one operation, or of two neighbours
RATIOS = np.concatenate([[0.0], np.geomspace(1e-2, 1e4, 49)])  # t² / s² that are looked at
SHUFFLES = 1_000
LEAST = 4  # trials; fewer say nothing
TINY = 1e-30
MOST = 8.0  # odds of an element are kept within 1 / FEWEST and MOST
FEWEST = 32.0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Posterior:
    """What the trials say of n elements.

    Args:
        mean: float [n], what the reward would be with this element alone, less the average.
        cov: float [n, n], covariance of that.
        ratio: t² / s², the size of the effects against that of the noise.
        noise: s, standard deviation of the reward of one trial.
        evidence: log likelihood ratio of the fitted model against t = 0.
    """

    mean: Floats
    cov: Floats
    ratio: float
    noise: float
    evidence: float

    @property
    def sd(self) -> Floats:
        """Standard deviation of each effect: float [n]."""
        found: Floats = np.sqrt(np.maximum(np.diag(self.cov), 0))
        return found

    @property
    def helps(self) -> Floats:
        """Probability that an element raises the reward: float [n]; 1/2 where nothing is known."""
        known = self.sd > 0
        z = np.divide(self.mean, self.sd, out=np.zeros_like(self.mean), where=known)
        chance: Floats = ndtr(z)
        return chance

    def to_json(self) -> dict[str, Any]:
        """Return the figures of the fit as plain JSON data."""
        return {
            "signal_to_noise": round(float(np.sqrt(self.ratio)), 4),
            "noise": round(self.noise, 6),
            "log_likelihood_ratio": round(self.evidence, 4),
        }


def design(elements: int, trials: int, size: int, seeds: Seeds) -> Bools:
    """Return which elements each trial has: bool [trials, elements].

    Permutations of the elements, one behind the other, cut into pieces: every element is in as many
    trials as any other, up to one. A piece that two permutations share may hold one fewer.

    Args:
        elements: n.
        trials: T.
        size: elements of a trial, at most n.
        seeds: keys the permutations; the first rows do not depend on T.
    """
    size = min(size, elements)
    rounds = range(-(-trials * size // elements))
    stream = np.concatenate([seeds.child(r).numpy().permutation(elements) for r in rounds])
    rows = np.zeros((trials, elements), bool)
    rows[np.arange(trials)[:, None], stream[: trials * size].reshape(trials, size)] = True
    return rows


def related(owner: Ints) -> Floats:
    """Return K for elements: RELATED between those of one operation, 1 on the diagonal: [n, n].

    Args:
        owner: int64 [n], operation of each element.
    """
    kernel = np.where(owner[:, None] == owner[None], RELATED, 0.0)
    np.fill_diagonal(kernel, 1.0)
    return kernel


def posterior(
    shares: Floats, rewards: Floats, kernel: Floats, known: tuple[float, float] | None = None
) -> Posterior:
    """Return what T trials say of the effects.

    Args:
        shares: float [T, n], probability of each element in each trial.
        rewards: float [T].
        kernel: K, float [n, n].
        known: t² / s² and s; None: the likeliest ones.
    """
    trials, elements = shares.shape
    if trials < LEAST:
        return Posterior(np.zeros(elements), np.zeros((elements, elements)), 0.0, 0.0, 0.0)
    space = _Space(shares, kernel)
    found = space.fit(rewards[:, None])
    ratio, noise = known or (float(RATIOS[found.best[0]]), float(found.noise[0]))
    gain = (
        ratio
        * (space.kernel @ space.x.T)
        @ np.linalg.inv(np.eye(trials) + ratio * space.x @ space.kernel @ space.x.T)
    )
    mean = gain @ (rewards - rewards.mean())
    cov = noise**2 * ratio * (space.kernel - gain @ space.x @ space.kernel)
    return Posterior(mean, cov, ratio, noise, float(found.evidence[0]))


@dataclass(frozen=True, slots=True)
class _Fits:
    """The best fits of many rows of rewards: indices into RATIOS, noise, log likelihood ratio."""

    best: Ints
    noise: Floats
    evidence: Floats


class _Space:
    """The trials of a search, in the directions in which their covariance is diagonal."""

    def __init__(self, shares: Floats, kernel: Floats) -> None:
        trials, self.kernel = len(shares), kernel
        self.x = shares - shares.mean(0)
        # The mean takes one of the T directions: the others are spanned by these columns.
        contrasts = np.linalg.qr(np.eye(trials)[:, 1:] - 1 / trials)[0]
        covariance = contrasts.T @ self.x @ self.kernel @ self.x.T @ contrasts
        values, vectors = np.linalg.eigh(covariance)
        self.spread = 1 + RATIOS[:, None] * np.maximum(values, 0)  # [ratios, T - 1]
        self.directions = contrasts @ vectors

    def fit(self, rewards: Floats) -> _Fits:
        """Return the best fit of each column of rewards [T, S]."""
        seen = (self.directions.T @ rewards) ** 2  # [T - 1, S]
        noise2 = np.maximum((1 / self.spread) @ seen / len(seen), TINY)  # [ratios, S]
        likelihood = -0.5 * (np.log(self.spread).sum(1)[:, None] + len(seen) * np.log(noise2))
        best = likelihood.argmax(0)
        column = np.arange(rewards.shape[1])
        gain = likelihood[best, column] - likelihood[0]
        return _Fits(best, np.sqrt(noise2[best, column]), gain)


def surprise(
    shares: Floats, rewards: Floats, kernel: Floats, seeds: Seeds, shuffles: int = SHUFFLES
) -> float:
    """Return the p-value of the permuted-reward control: shuffled rewards that fit as well.

    The likelihood ratio of the rewards is held against that of rewards dealt out to the trials
    anew; (1 + as good) / (1 + shuffles), Phipson and Smyth 2010. 1 with too few trials.

    Args:
        shares, rewards, kernel: as for `posterior`.
        seeds: keys the shuffles.
        shuffles: how many.
    """
    if len(rewards) < LEAST:
        return 1.0
    gen = seeds.numpy()
    columns = [rewards, *(gen.permutation(rewards) for _ in range(shuffles))]
    found = _Space(shares, kernel).fit(np.stack(columns, 1)).evidence
    return float((found >= found[0] - 1e-12).sum() / (1 + shuffles))


def alike(rewards: Floats, same: Ints, seeds: Seeds, shuffles: int = SHUFFLES) -> float:
    """Return the p-value of the permuted-reward control for trials of which some are repeats.

    Where all trials differ by chance alone, those of one policy are no more alike than any others:
    the variance of their rewards is held against that of as many rewards dealt out anew;
    (1 + as small) / (1 + shuffles). 1 with too few trials.

    Args:
        rewards: float [T].
        same: int64 [R], the trials that had one policy.
        seeds: keys the shuffles.
        shuffles: how many.
    """
    if len(same) < 2 or len(rewards) < len(same) + LEAST:
        return 1.0
    gen = seeds.numpy()
    dealt = [gen.permutation(rewards)[: len(same)].var() for _ in range(shuffles)]
    return float((1 + (np.array(dealt) <= rewards[same].var() + 1e-15).sum()) / (1 + shuffles))


def odds(found: Posterior) -> Floats:
    """Return the weight of each element: the odds that it helps, within 1/32 and 8.

    Even where nothing was learned. An element that surely helps is drawn 8 times as often as one of
    which nothing is known, and one that surely harms 1/32 times: never starved to nothing, never
    alone.

    Example:
        >>> nothing = Posterior(np.zeros(3), np.zeros((3, 3)), 0.0, 1.0, 0.0)
        >>> odds(nothing).tolist()
        [1.0, 1.0, 1.0]
    """
    helps = np.clip(found.helps, 1e-9, 1 - 1e-9)
    weights: Floats = np.clip(helps / (1 - helps), 1 / FEWEST, MOST)
    return weights
