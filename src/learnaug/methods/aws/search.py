"""The search: independent trials on subsets of the elements, then a check of what they found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learnaug import stats
from learnaug.methods.aws.bench import Ask, Bench, Trial
from learnaug.methods.aws.screening import Posterior, design, odds, posterior, surprise
from learnaug.methods.aws.space import Space
from learnaug.seeds import Seeds

__all__ = ["Found", "effective", "screened", "told"]

LEVEL = 0.05  # of the permuted-reward control
SUBSET = "subset"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Args:
        weights: float [n], of the elements, times their prior.
        posterior: of the effects.
        p: of the permuted-reward control.
        learned: whether p is below 0.05; else the weights are even.
        check: rewards of the found policy against those of the prior; None: not compared.
        trials: all of them, in order.
        shares, rewards: float [T, n] and [T], of the trials on subsets, as for `posterior`.
    """

    weights: Floats
    posterior: Posterior
    p: float
    learned: bool
    check: stats.Paired | None
    trials: tuple[Trial, ...]
    shares: Floats
    rewards: Floats


def screened(
    bench: Bench, space: Space, trials: int, size: int, checks: int, seeds: Seeds
) -> Found:
    """Return what trials on random subsets find, and what the found policy gains over the prior.

    Args:
        bench: makes the trials.
        space: n elements.
        trials: on subsets.
        size: elements of a subset.
        checks: pairs of trials of the found policy and of the prior, each pair with batches and
            draws of its own.
        seeds: key the subsets and the shuffles.
    """
    owner = np.array(space.owner)
    present = design(len(space), trials, size, seeds.child("subsets")).astype(np.float64)
    made = bench.run(
        [
            Ask(f"{SUBSET}-{number}", space.policy(chosen, "subset"))
            for number, chosen in enumerate(present)
        ]
    )
    rewards = np.array([trial.reward for trial in made])
    shares = np.array([space.chances(chosen) for chosen in present])
    found = posterior(shares, rewards, owner)
    p = surprise(shares, rewards, owner, seeds.child("shuffles"))
    learned = p < LEVEL
    weights = odds(found) if learned else np.ones(len(space))
    check = None
    if learned and checks:
        asks = [
            Ask(f"{name}-{lap}", space.policy(tried, name), lap)
            for name, tried in (("found", weights), ("prior", 1.0))
            for lap in range(1, checks + 1)
        ]
        held = [trial.reward for trial in bench.run(asks)]
        check = stats.paired(held[:checks], held[checks:])
    return Found(weights, found, p, learned, check, bench.trials, shares, rewards)


def told(found: Found, space: Space) -> list[str]:
    """Return what a search found, in words: what speaks for it first, then the policy."""
    chances = space.chances(found.weights)
    subsets = sum(trial.name.startswith(SUBSET) for trial in found.trials)
    head = f"{subsets} trials, each with a few of {len(space)} elements; "
    lines = [head + f"{100 * found.p:.1f} % of shuffled rewards fit as well"]
    if not found.learned:
        nothing = "nothing was learned: chance explains the rewards, and all is drawn as before"
        return [*lines, nothing]
    lines.append(
        f"effects are {found.posterior.ratio**0.5:.2f} times the noise of a trial; effective "
        f"number of elements {effective(chances):.1f}, before {effective(space.chances()):.1f}"
    )
    if found.check:
        lines.append(_checked(found.check))
    rows = space.told(found.weights)
    return lines + [
        f"{100 * row['probability']:4.1f} % (before {100 * row['before']:.1f} %)  {row['does']}"
        for row in rows
    ]


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
