"""AWS (Tian et al. 2020) for small data: shared weights, trials on subsets, a linear model."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch

from learnaug.data import ImageSet
from learnaug.data.folds import fold_of
from learnaug.errors import ConfigError
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.augmenter import Searched
from learnaug.methods.aws.bench import Bench
from learnaug.methods.aws.history import of_screening
from learnaug.methods.aws.pictures import policy_grid
from learnaug.methods.aws.proxy import Proxy, Schedule, shared
from learnaug.methods.aws.search import Found, screened, told
from learnaug.methods.aws.space import Space, space_of
from learnaug.methods.base import UNNAMED, Budget, Learned, Learning
from learnaug.ops import spaces
from learnaug.ops.sets import OperationSet, operations_of
from learnaug.seeds import Seeds
from learnaug.training import Keep

__all__ = ["AWS"]

LEAST = 2  # elements
NOTHING = "there is nothing to search among: no operation but the identity is left"


@dataclass(frozen=True, slots=True)
class AWS:
    """Search for a policy: which operations, at which strengths, help this data and this net.

    It begins with TrivialAugment, and leaves it as it is where the trials tell its elements no
    better apart than chance.

    Args:
        operations: what is searched over (`--ops FILE`); None: those of TrivialAugment.
        bands: of strength of an operation that has a list of magnitudes.
        trials: on random subsets of the elements.
        size: elements of a subset.
        checks: pairs of trials of what was found and of what it began with.
        first: share of a training that is made once, for all trials.
        late: share of a training that each trial makes.
        folds: 1: the validation part scores the trials; k > 1: each of k parts of the training
            part in turn, k times as dear and less noisy.

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    operations: OperationSet | None = field(default=None, metadata=UNNAMED)
    bands: int = 3
    trials: int = 40
    size: int = 4
    checks: int = 4
    first: float = 0.6
    late: float = 0.05
    folds: int = 1

    def __post_init__(self) -> None:
        rules = {
            "1 <= bands <= 31": 1 <= self.bands <= 31,
            "4 <= trials <= 10000": 4 <= self.trials <= 10_000,
            "1 <= size <= 1000": 1 <= self.size <= 1_000,
            "0 <= checks <= 1000": 0 <= self.checks <= 1_000,
            "0 < first < 1": 0 < self.first < 1,
            "0 < late <= 1": 0 < self.late <= 1,
            "1 <= folds <= 20": 1 <= self.folds <= 20,
        }
        faults = [f"`{rule}` must hold" for rule, holds in rules.items() if not holds]
        if faults:
            raise ConfigError("the settings of aws break their rules", faults)

    @property
    def searched(self) -> OperationSet:
        """What is searched over."""
        return self.operations or operations_of(spaces.trivialaugment(), "trivialaugment")

    @property
    def repeats(self) -> float:
        """How many whole trainings the search costs, at most."""
        return self.folds * (self.first + (self.trials + 2 * self.checks) * self.late)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {"operations": self.operations and self.operations.to_json()}

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Search on the training and validation part; return the found policy.

        Raises:
            RunError: a loss or gradient is not finite.
            Stopped: `keep.stop` asked for it; what is trained and tried is kept.
        """
        space = space_of(self.searched, self.bands)
        if len(space) < LEAST:
            keep.say(f"aws: {NOTHING}")
            told_so = {"lines": [NOTHING], "learned": False, "elements": space.told(1.0)}
            return Learned(Searched(space.policy(1.0, self.searched.name), told_so))
        proxies = self._proxies(data, space, seeds, device, budget, keep)
        start = self.folds * self.first / self.repeats
        bench = Bench(proxies, keep.part("trials", start, 1 - start), self._most)
        found = screened(bench, space, self.trials, self.size, self.checks, seeds.child("search"))
        if not found.learned:
            keep.say("aws: " + told(found, space)[-1])
        policy = space.policy(found.weights, "aws" if found.learned else self.searched.name)
        told_so = _audit(found, space, self, seeds.child("search"))
        before = space.policy(1.0, self.searched.name)
        shown = policy_grid(
            data.train, before, policy if found.learned else None, seeds.child("pictures")
        )
        return Learned(Searched(policy, told_so), galleries=shown)

    @property
    def _most(self) -> int:
        return self.trials + 2 * self.checks

    def _proxies(
        self,
        data: Learning,
        space: Space,
        seeds: Seeds,
        device: torch.device,
        budget: Budget,
        keep: Keep,
    ) -> list[Proxy]:
        """Return the proxy of every fold after the first part of its training."""
        schedule = Schedule(data.recipe, self.first, self.late)
        each = self.first / self.repeats
        prior = PolicyAugmenter(space.policy(1.0, "prior"))
        made = []
        for number, parts in enumerate(_parts(data, self.folds, seeds.child("folds"))):
            own = keep.part(f"fold-{number}", number * each, each)
            made.append(
                shared(
                    data.net(data.init), parts, prior,
                    data.before, schedule, seeds=seeds.child("proxy", number), device=device,
                    precision=budget.precision, keep=own,
                )
            )  # fmt: skip
        return made


def _parts(data: Learning, folds: int, seeds: Seeds) -> list[tuple[ImageSet, ImageSet]]:
    """Return what trains and what scores, for each fold."""
    if folds == 1:
        return [(data.train, data.valid)]
    fold = fold_of(data.train, folds, seeds)
    return [
        (data.train.take(np.flatnonzero(fold != k)), data.train.take(np.flatnonzero(fold == k)))
        for k in range(folds)
    ]


def _audit(found: Found, space: Space, method: AWS, seeds: Seeds) -> dict[str, Any]:
    """Return the search as plain JSON data, with "lines" for people."""
    return {
        "lines": told(found, space),
        "settings": method.config(),
        "learned": found.learned,
        "permuted_reward_p": round(found.p, 5),
        **found.posterior.to_json(),
        "elements": space.told(found.weights),
        "check": None if found.check is None else {
            "nats": found.check.mean, "interval": found.check.interval, "pairs": found.check.n,
        },
        "trials": [[t.name, round(t.reward, 6), round(t.score, 6)] for t in found.trials],
        "history": of_screening(found, space, seeds),
    }  # fmt: skip
