"""The search: independent trials on subsets of the elements, then a check of what they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from learnaug import rundir, stats
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.proxy import Proxy
from learnaug.methods.aws.screening import Posterior, design, odds, posterior, surprise
from learnaug.methods.aws.space import Space
from learnaug.ops.policy import Policy
from learnaug.seeds import Seeds
from learnaug.training import Keep

__all__ = ["LOG", "Bench", "Found", "Trial", "effective", "screened", "told"]

LEVEL = 0.05  # of the permuted-reward control
LOG, SUBSET = "trials.jsonl", "subset"

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its name, what it trained with, and its reward.

    Args:
        name: unique within a search.
        reward: minus the cross entropy of the validation pictures in nats, mean over the folds.
        score: accuracy or mean IoU there.
    """

    name: str
    reward: float
    score: float


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
    """

    weights: Floats
    posterior: Posterior
    p: float
    learned: bool
    check: stats.Paired | None
    trials: tuple[Trial, ...]


class Bench:
    """Makes trials, and keeps the result of each one as soon as it is there.

    Args:
        proxies: one a fold.
        keep: its folder holds the journal; asked for stops.
        most: trials that will be made, for the progress.
    """

    def __init__(self, proxies: Sequence[Proxy], keep: Keep, most: int) -> None:
        self.proxies, self.keep, self.most = proxies, keep, most
        self.file = keep.checkpoints and keep.checkpoints / LOG
        rows = rundir.read_records(self.file, repair=True, say=keep.say) if self.file else []
        self.done = {row["name"]: Trial(**row) for row in rows}

    def trial(self, name: str, policy: Policy, lap: int) -> Trial:
        """Return a trial of this policy, from the journal where it was made before a stop."""
        if name not in self.done:
            own = PolicyAugmenter(policy)
            seen = [proxy.trial(own, lap, self.keep)[-1] for proxy in self.proxies]
            reward = -float(np.mean([look.nll for look in seen]))
            made = Trial(name, reward, float(np.mean([look.score for look in seen])))
            if self.file:
                rundir.append_record(self.file, asdict(made))
            self.done[name] = made
        self.keep.progress(min(1.0, len(self.done) / self.most))
        return self.done[name]


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
    made = [
        bench.trial(f"{SUBSET}-{number}", space.policy(chosen, "subset"), 0)
        for number, chosen in enumerate(present)
    ]
    rewards = np.array([trial.reward for trial in made])
    shares = np.array([space.chances(chosen) for chosen in present])
    found = posterior(shares, rewards, owner)
    p = surprise(shares, rewards, owner, seeds.child("shuffles"))
    learned = p < LEVEL
    even = np.ones(len(space))
    weights = odds(found) if learned else even
    check = None
    if learned and checks:
        policies = {"found": space.policy(weights, "found"), "prior": space.policy(even, "prior")}
        ours, theirs = (
            [bench.trial(f"{name}-{lap}", policy, lap).reward for lap in range(1, checks + 1)]
            for name, policy in policies.items()
        )
        check = stats.paired(ours, theirs)
    return Found(weights, found, p, learned, check, tuple(bench.done.values()))


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
