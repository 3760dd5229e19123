"""The race: which way to stand around the drawn operation, by trials that grow longer.

A short trial from shared weights flatters what augments little: the weights have seen much
augmentation, and the harm of too little shows late. So the better half of a round goes into the
next, whose trials are twice as long; TrivialAugment, which the search began with, runs in the first
and in the last round. Rewards of the first round are read by the model of `screening` with one
effect for each combination, related to its neighbours, so that half of them need no trial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.aws.bench import Ask, Bench
from learnaug.methods.aws.screening import LEAST, RELATED, Posterior, posterior, surprise
from learnaug.methods.aws.structure import Structures
from learnaug.seeds import Seeds

__all__ = ["LEVEL", "Raced", "race", "sizes"]

LEVEL = 0.05  # of the permuted-reward control
FINALISTS = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Raced:
    """What a race found.

    Args:
        chosen: number of the combination.
        rounds: of each round, the combinations with their rewards, the best first.
        posterior: of the first round.
        p: of its permuted-reward control.
    """

    chosen: int
    rounds: tuple[tuple[tuple[int, float], ...], ...]
    posterior: Posterior
    p: float

    @property
    def learned(self) -> bool:
        """Whether chance does not explain the rewards of the first round."""
        return self.p < LEVEL


def race(bench: Bench, ways: Structures, trials: int, rounds: int, seeds: Seeds) -> Raced:
    """Return what trials of combinations find; the prior where chance explains their rewards.

    Args:
        bench: makes the trials.
        ways: S combinations.
        trials: of the first round, the prior's among them.
        rounds: how many; the next one has half as many trials, twice as long.
        seeds: key which combinations are tried, and the shuffles.
    """
    others = [way for way in range(len(ways.all)) if way != ways.prior]
    order = seeds.child("order").numpy().permutation(others)
    first = _round(bench, ways, [ways.prior, *order[: trials - 1]], 0)
    tried, rewards = [way for way, _ in first], np.array([reward for _, reward in first])
    kernel = ways.kernel(RELATED)
    shares = np.eye(len(ways.all))[tried]
    found = posterior(shares, rewards, kernel)
    p = surprise(shares, rewards, kernel, seeds.child("shuffles")) if len(first) >= LEAST else 1.0
    if p >= LEVEL:
        return Raced(ways.prior, (_sorted(first),), found, p)
    ranked, made = [int(way) for way in np.argsort(-found.mean)], [_sorted(first)]
    for number, count in list(enumerate(sizes(trials, rounds)))[1:]:
        left = ranked[:count]
        if number == rounds - 1 and ways.prior not in left:
            left = [*left[:-1], ways.prior]
        run = _round(bench, ways, left, number)
        if len(run) < len(left):  # the time was up
            break
        made.append(_sorted(run))
        ranked = [way for way, _ in made[-1]]
    return Raced(ranked[0], tuple(made), found, p)


def sizes(trials: int, rounds: int) -> list[int]:
    """Return how many combinations are in each round.

    Example:
        >>> sizes(12, 3)
        [12, 6, 3]
    """
    return [max(FINALISTS, round(trials / 2**number)) for number in range(rounds)]


def _round(bench: Bench, ways: Structures, left: list[int], number: int) -> list[tuple[int, float]]:
    """Return the combinations with their rewards, in order; fewer where the time was up."""
    asks = [
        Ask(f"round-{number + 1}, {ways.told(way)}", ways.policy(way), length=2**number)
        for way in left
    ]
    made = zip(left, bench.run(asks), strict=True)
    return [(int(way), trial.reward) for way, trial in made if trial]


def _sorted(run: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(run, key=lambda each: -each[1]))
