"""The race: which way to stand around the drawn operation, by trials that grow longer.

A short trial from shared weights flatters what augments little: the weights have seen much
augmentation, and the harm of too little shows late. So the better half of a round goes into the
next, whose trials are twice as long; TrivialAugment, which the search began with, runs in the first
and in the last round. What comes first there must not have a lower score than it: likelihood alone
can be gained by being less sure. Rewards of the first round are read by the model of `screening`
with one effect for each combination, related to its neighbours, so that half of them need no trial.
How far chance moves a reward is told by repeats of the prior's trial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.aws.bench import Ask, Bench, Trial
from learnaug.methods.aws.screening import LEAST, RELATED, Posterior, alike, posterior
from learnaug.methods.aws.structure import Structures
from learnaug.seeds import Seeds

__all__ = ["LEVEL", "REPEATS", "Raced", "race", "sizes"]

LEVEL = 0.05  # of the permuted-reward control
FINALISTS = 2
REPEATS = 3
MOST = 1e4  # variance of the effects over that of the noise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Raced:
    """What a race found.

    Args:
        chosen: number of the combination.
        rounds: of each round, the combinations with their rewards, the best first.
        posterior: of the first round.
        p: of its permuted-reward control.
        repeats: rewards of the prior's other trials in the first round.
        order: int64 [T], the combinations of the first round as they were tried.
        rewards: float [T], theirs.
        lost: by how much the score of what came first in the last round was below the prior's
            there; 0 where it was not.
    """

    chosen: int
    rounds: tuple[tuple[tuple[int, float], ...], ...]
    posterior: Posterior
    p: float
    repeats: tuple[float, ...]
    order: Ints
    rewards: Floats
    lost: float = 0.0

    @property
    def learned(self) -> bool:
        """Whether chance does not explain the rewards of the first round."""
        return self.p < LEVEL


def race(bench: Bench, ways: Structures, trials: int, rounds: int, seeds: Seeds) -> Raced:
    """Return what trials of combinations find.

    The prior where chance explains the rewards of the first round, and where the first of the last
    round is above it by no more than the noise of a trial, or has a lower score.

    Args:
        bench: makes the trials.
        ways: S combinations.
        trials: of the first round, the prior's among them; it is repeated REPEATS times besides,
            with other batches and draws, which says how much chance alone moves a reward.
        rounds: how many; the next one has half as many trials, twice as long.
        seeds: key which combinations are tried, and the shuffles.
    """
    others = [way for way in range(len(ways.all)) if way != ways.prior]
    order = seeds.child("order").numpy().permutation(others)
    first = _round(bench, ways, [ways.prior, *order[: trials - 1]], 0)
    again = _repeats(bench, ways) if len(first) >= LEAST else []
    rewards = np.array([trial.reward for _, trial in first])
    same = np.array([0, *range(len(first), len(first) + len(again))])
    p = alike(np.append(rewards, again), same, seeds.child("shuffles"))
    noise = float(np.std([*rewards[:1], *again], ddof=1)) if again else 0.0
    tried = np.array([way for way, _ in first], np.int64)
    shares = np.eye(len(ways.all))[tried]
    ratio = min(MOST, float(rewards.var()) / noise**2) if noise else 0.0
    found = posterior(shares, rewards, ways.kernel(RELATED), (ratio, noise))
    if p >= LEVEL:
        return Raced(ways.prior, (_sorted(first),), found, p, tuple(again), tried, rewards)
    ranked, made = [int(way) for way in np.argsort(-found.mean)], [_sorted(first)]
    last = dict(first)
    for number, count in list(enumerate(sizes(trials, rounds)))[1:]:
        left = ranked[:count]
        if number == rounds - 1 and ways.prior not in left:
            left = [*left[:-1], ways.prior]
        run = _round(bench, ways, left, number)
        if len(run) < len(left):  # the time was up
            break
        made.append(_sorted(run))
        ranked, last = [way for way, _ in made[-1]], dict(run)
    chosen, lost = next(way for way in ranked if way in last), 0.0
    if ways.prior in last:
        lost = max(0.0, last[ways.prior].score - last[chosen].score)
        if lost or last[chosen].reward - last[ways.prior].reward <= noise:
            chosen = ways.prior
    return Raced(chosen, tuple(made), found, p, tuple(again), tried, rewards, lost)


def sizes(trials: int, rounds: int) -> list[int]:
    """Return how many combinations are in each round.

    Example:
        >>> sizes(12, 3)
        [12, 6, 3]
    """
    return [max(FINALISTS, round(trials / 2**number)) for number in range(rounds)]


def _round(bench: Bench, ways: Structures, left: list[int], number: int) -> list[tuple[int, Trial]]:
    """Return the combinations with their trials, in order; fewer where the time was up."""
    asks = [
        Ask(f"round-{number + 1}, {ways.told(way)}", ways.policy(way), length=2**number)
        for way in left
    ]
    made = zip(left, bench.run(asks), strict=True)
    return [(int(way), trial) for way, trial in made if trial]


def _repeats(bench: Bench, ways: Structures) -> list[float]:
    """Return the rewards of the prior's repeats; fewer where the time was up."""
    policy = ways.policy(ways.prior)
    asks = [Ask(f"repeat-{lap}", policy, lap) for lap in range(1, REPEATS + 1)]
    return [trial.reward for trial in bench.run(asks) if trial]


def _sorted(run: list[tuple[int, Trial]]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(((way, trial.reward) for way, trial in run), key=lambda each: -each[1]))
