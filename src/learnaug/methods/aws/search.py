"""The search: a race over the ways to augment, then trials on subsets of what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learnaug import stats
from learnaug.methods.aws.bench import Ask, Bench, Trial
from learnaug.methods.aws.race import LEVEL, Raced, race
from learnaug.methods.aws.screening import (
    Posterior,
    design,
    odds,
    posterior,
    related,
    surprise,
)
from learnaug.methods.aws.structure import Structures
from learnaug.ops.policy import Policy
from learnaug.seeds import Seeds

__all__ = ["Found", "Screened", "effective", "searched", "told"]

SUBSET = "subset"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Screened:
    """What trials on subsets of the elements found.

    Args:
        weights: float [n], of the elements, times their prior.
        posterior: of the effects.
        p: of the permuted-reward control.
        shares, rewards: float [T, n] and [T], of the trials, as for `posterior`.
    """

    weights: Floats
    posterior: Posterior
    p: float
    shares: Floats
    rewards: Floats

    @property
    def learned(self) -> bool:
        """Whether chance does not explain the rewards; else the weights are even."""
        return self.p < LEVEL


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Args:
        ways: what it raced over.
        raced: the race; None: there was none.
        screened: what the trials on subsets found; None: there were none.
        check: rewards of the found policy against those of the prior; None: not compared.
        trials: all of them, in order.
        cut: how much was done when the time was up, in words; "" where it sufficed.
    """

    ways: Structures
    raced: Raced | None
    screened: Screened | None
    check: stats.Paired | None
    trials: tuple[Trial, ...]
    cut: str = ""

    @property
    def way(self) -> int:
        """Number of the found combination."""
        return self.raced.chosen if self.raced else self.ways.prior

    @property
    def weights(self) -> Floats | float:
        """Of the elements, times their prior: float [n], or 1 where all are as before."""
        return self.screened.weights if self.screened else 1.0

    @property
    def learned(self) -> bool:
        """Whether the found policy is another than the one it began with."""
        moved = self.way != self.ways.prior
        return moved or bool(self.screened and self.screened.learned)

    def policy(self, name: str) -> Policy:
        """Return the found policy."""
        return self.ways.policy(self.way, self.weights, name)


def searched(
    bench: Bench,
    ways: Structures,
    *,
    race_trials: int,
    rounds: int,
    trials: int,
    size: int,
    checks: int,
    seeds: Seeds,
) -> Found:
    """Return what a race and then trials on subsets find.

    Args:
        bench: makes the trials.
        ways: combinations, and the elements that are drawn from.
        race_trials: of the first round; 0: no race.
        rounds: of the race.
        trials: on subsets; 0: none.
        size: elements of a subset.
        checks: pairs of trials of the found policy and of the prior, each pair with batches and
            draws of its own.
        seeds: key the order, the subsets and the shuffles.
    """
    raced = race(bench, ways, race_trials, rounds, seeds.child("race")) if race_trials else None
    way = raced.chosen if raced else ways.prior
    screened = None
    if trials and ways.draws(way) and len(ways.space_of(way)) > size:
        screened = _screened(bench, ways, way, trials, size, seeds)
    found = Found(ways, raced, screened, None, bench.trials, bench.cut)
    if not (found.learned and checks):
        return found
    asks = [
        Ask(f"{name}-{lap}", policy, lap)
        for lap in range(1, checks + 1)
        for name, policy in (("found", found.policy("found")), ("prior", ways.policy(ways.prior)))
    ]
    held = bench.run(asks)
    pairs = [(a.reward, b.reward) for a, b in zip(held[::2], held[1::2], strict=True) if a and b]
    check = stats.paired(*zip(*pairs, strict=True)) if pairs else None
    return replace(found, check=check, trials=bench.trials, cut=bench.cut)


def _screened(
    bench: Bench, ways: Structures, way: int, trials: int, size: int, seeds: Seeds
) -> Screened:
    """Return what trials on random subsets find of the elements, drawn in this way."""
    space = ways.space_of(way)
    present = design(len(space), trials, size, seeds.child("subsets")).astype(np.float64)
    asks = [
        Ask(f"{SUBSET}-{number}", ways.policy(way, chosen, "subset"))
        for number, chosen in enumerate(present)
    ]
    made = [
        (chosen, trial) for chosen, trial in zip(present, bench.run(asks), strict=True) if trial
    ]
    rewards = np.array([trial.reward for _, trial in made])
    shares = np.array([space.chances(chosen) for chosen, _ in made]).reshape(-1, len(space))
    kernel = related(np.array(space.owner))
    found = posterior(shares, rewards, kernel)
    p = surprise(shares, rewards, kernel, seeds.child("shuffles"))
    weights = odds(found) if p < LEVEL else np.ones(len(space))
    return Screened(weights, found, p, shares, rewards)


def told(found: Found) -> list[str]:
    """Return what a search found, in words: what speaks for it first, then the policy."""
    ways, space = found.ways, found.ways.space_of(found.way)
    lines = [*([found.cut] if found.cut else []), *_told_race(found), *_told_elements(found)]
    if not found.learned:
        return [*lines, "nothing was learned: the policy is what it began with"]
    if found.check:
        lines.append(_checked(found.check))
    if not (found.screened and found.screened.learned):
        return [*lines, f"found: {ways.told(found.way)}"]
    rows = space.told(found.weights)
    return [
        *lines,
        f"found: {ways.told(found.way)}, of these:",
        *(
            f"{100 * row['probability']:4.1f} % (before {100 * row['before']:.1f} %)  {row['does']}"
            for row in rows
        ),
    ]


def _told_race(found: Found) -> list[str]:
    raced, ways = found.raced, found.ways
    if raced is None:
        return []
    first, last = raced.rounds[0], raced.rounds[-1]
    head = f"race: {len(first)} of {len(ways.all)} ways to augment tried; "
    noise = raced.posterior.noise
    lines = [head + f"repeats of one differ by {noise:.3f} nats (standard deviation)"]
    lines.append(f"{100 * raced.p:.1f} % of shuffled rewards tell them apart as well")
    if not raced.learned:
        return [*lines, f"chance explains the rewards: {ways.told(ways.prior)}, as it began"]
    known, best = dict(last), last[0][0]
    if raced.chosen == best == ways.prior or ways.prior not in known:
        return [*lines, f"{ways.told(best)} came first among {len(last)} in the last round"]
    margin = known[best] - known[ways.prior]
    lines.append(
        f"{ways.told(best)}: {margin:+.3f} nats of validation log likelihood over "
        f"{ways.told(ways.prior)} in the last round, which had the same trial"
    )
    if raced.lost:
        lines.append(
            f"but its score there is lower by {100 * raced.lost:.1f} points: it stays as it began"
        )
    elif raced.chosen == ways.prior:
        lines.append("that is within the noise of a trial: it stays as it began")
    return lines


def _told_elements(found: Found) -> list[str]:
    screened, space = found.screened, found.ways.space_of(found.way)
    if screened is None:
        return []
    subsets = sum(trial.name.startswith(SUBSET) for trial in found.trials)
    line = (
        f"{subsets} trials, each with a few of {len(space)} elements; "
        f"{100 * screened.p:.1f} % of shuffled rewards fit as well"
    )
    if not screened.learned:
        return [line, "chance explains these rewards: all elements are drawn as before"]
    chances = space.chances(screened.weights)
    numbers = f"{effective(chances):.1f}, before {effective(space.chances()):.1f}"
    size = f"effects are {screened.posterior.ratio**0.5:.2f} times the noise of a trial"
    return [line, f"{size}; effective number of elements {numbers}"]


def effective(chances: Floats) -> float:
    """Return exp(entropy) of probabilities: how many even choices are as varied.

    Example:
        >>> effective(np.array([0.5, 0.5, 0.0]))
        2.0
    """
    some = chances[chances > 0]
    return float(np.exp(-(some * np.log(some)).sum()))


def _checked(check: stats.Paired) -> str:
    ends = check.interval
    span = f", 95 % interval {ends[0]:+.4f} to {ends[1]:+.4f}" if ends else ""
    return (
        f"against the policy it began with: {check.mean:+.4f} nats of validation log likelihood"
        f"{span}, {check.n} pairs of trials"
    )
