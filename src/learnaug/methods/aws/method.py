"""AWS (Tian et al. 2020) for small data: shared weights, a race over ways to augment."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch

from learnaug.data import ImageSet
from learnaug.data.folds import fold_of
from learnaug.errors import ConfigError, nearest
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.augmenter import Searched
from learnaug.methods.aws.bench import Bench
from learnaug.methods.aws.history import of_race, of_screening
from learnaug.methods.aws.pictures import policy_grid
from learnaug.methods.aws.proxy import Proxy, Schedule, shared
from learnaug.methods.aws.race import REPEATS, sizes
from learnaug.methods.aws.screening import LEAST
from learnaug.methods.aws.search import Found, searched, told
from learnaug.methods.aws.structure import Structures, structures_of
from learnaug.methods.base import UNNAMED, Budget, Learned, Learning
from learnaug.ops import spaces
from learnaug.ops.policy import Element, Policy
from learnaug.ops.sets import OperationSet, operations_of
from learnaug.seeds import Seeds
from learnaug.training import Keep, Stopped

__all__ = ["AWS"]

STARTS = ("plain", "even")
AROUND = tuple(
    (element.op, (element,))
    for element in (
        Element("hflip"), Element("pad_crop", 0.125), Element("cutout", 0.5),
    )
)  # fmt: skip
DEFAULT = OperationSet(
    "trivialaugment", (*operations_of(spaces.trivialaugment(), "drawn").branches, *AROUND)
)
NOTHING = "there is nothing to search among: no operation but the identity is left"


@dataclass(frozen=True, slots=True)
class AWS:
    """Search for a policy: what helps this data and this net, and how much of it.

    It begins with TrivialAugment, and leaves it as it is where the trials tell nothing apart.

    Args:
        operations: what is searched over (`--ops FILE`); None: those of TrivialAugment, and a
            mirror, a padded crop and cutout, which stand around the drawn operation.
        bands: of strength of an operation that has a list of magnitudes.
        ways: trials of the first round of the race over what stands around the drawn operation and
            how many are drawn; 0: no race.
        rounds: of the race; each has half as many trials as the one before it, twice as long.
        trials: on random subsets of the elements that are drawn; 0: none.
        size: elements of a subset.
        checks: pairs of trials of what was found and of what it began with.
        first: share of a training that is made once, for all trials.
        late: share of a training that each trial makes; in round r of the race 2^(r-1) times that.
        start: what the first part is augmented with: "plain", nothing; "even", every way alike.
        folds: 1: the validation part scores the trials; k > 1: each of k parts of the training
            part in turn, k times as dear and less noisy.

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    operations: OperationSet | None = field(default=None, metadata=UNNAMED)
    bands: int = 3
    ways: int = 16
    rounds: int = 3
    trials: int = 0
    size: int = 4
    checks: int = 0
    first: float = 0.4
    late: float = 0.05
    start: str = "plain"
    folds: int = 1

    def __post_init__(self) -> None:
        rules = {
            "1 <= bands <= 31": 1 <= self.bands <= 31,
            "ways = 0 or 4 <= ways <= 1000": self.ways == 0 or LEAST <= self.ways <= 1_000,
            "1 <= rounds <= 6": 1 <= self.rounds <= 6,
            "trials = 0 or 4 <= trials <= 10000": self.trials == 0
            or LEAST <= self.trials <= 10_000,
            "ways and trials not both 0": bool(self.ways or self.trials),
            "1 <= size <= 1000": 1 <= self.size <= 1_000,
            "0 <= checks <= 1000": 0 <= self.checks <= 1_000,
            "0 < first < 1": 0 < self.first < 1,
            "0 < late <= 1": 0 < self.late <= 1,
            "1 <= folds <= 20": 1 <= self.folds <= 20,
        }
        faults = [f"`{rule}` must hold" for rule, holds in rules.items() if not holds]
        if self.start not in STARTS:
            faults.append(f"start {self.start!r} is not known; {nearest(self.start, STARTS)}")
        if faults:
            raise ConfigError("the settings of aws break their rules", faults)

    @property
    def searched(self) -> OperationSet:
        """What is searched over."""
        return self.operations or DEFAULT

    @property
    def repeats(self) -> float:
        """How many whole trainings the search costs, at most."""
        return self.folds * (self.first + self._units * self.late)

    @property
    def _units(self) -> int:
        """All trials, in lengths of the shortest."""
        race = sizes(self.ways, self.rounds) if self.ways else []
        raced = sum(count * (1 << number) for number, count in enumerate(race))
        raced += REPEATS if race else 0
        return raced + self.trials + 2 * self.checks

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
            Stopped: `keep.stop` asked for it, not for the time; what is trained and tried is kept.
        """
        ways = structures_of(self.searched, self.bands)
        if len(ways.all) * len(ways.space) == 1:
            keep.say(f"aws: {NOTHING}")
            told_so = {"lines": [NOTHING], "learned": False, "elements": ways.space.told(1.0)}
            return Learned(Searched(ways.policy(ways.prior, name=self.searched.name), told_so))
        try:
            proxies = self._proxies(data, ways, seeds, device, budget, keep)
        except Stopped:
            if not keep.late():
                raise
            proxies = []  # no trial either: the policy stays what it began with
        start = self.folds * self.first / self.repeats
        bench = Bench(proxies, keep.part("trials", start, 1 - start), self._units)
        found = searched(
            bench, ways, race_trials=self.ways, rounds=self.rounds, trials=self.trials,
            size=self.size, checks=self.checks, seeds=seeds.child("search"),
        )  # fmt: skip
        if not found.learned:
            keep.say("aws: " + told(found)[-1])
        policy = found.policy("aws" if found.learned else self.searched.name)
        before = ways.policy(ways.prior, name=self.searched.name)
        shown = policy_grid(
            data.train, before, policy if found.learned else None, seeds.child("pictures")
        )
        told_so = _audit(found, self, seeds.child("search"))
        return Learned(Searched(policy, told_so), galleries=shown, whole=not found.cut)

    def _proxies(
        self,
        data: Learning,
        ways: Structures,
        seeds: Seeds,
        device: torch.device,
        budget: Budget,
        keep: Keep,
    ) -> list[Proxy]:
        """Return the proxy of every fold after the first part of its training."""
        schedule = Schedule(data.recipe, self.first, self.late)
        each = self.first / self.repeats
        start = PolicyAugmenter(ways.even() if self.start == "even" else Policy((), "plain"))
        made = []
        for number, parts in enumerate(_parts(data, self.folds, seeds.child("folds"))):
            own = keep.part(f"fold-{number}", number * each, each)
            made.append(
                shared(
                    data.net(data.init), parts, start,
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


def _audit(found: Found, method: AWS, seeds: Seeds) -> dict[str, Any]:
    """Return the search as plain JSON data, with "lines" for people."""
    ways, raced, screened = found.ways, found.raced, found.screened
    first = raced or screened  # which of the two the figures of the whole search are
    if raced and len(raced.rewards):
        history = of_race(raced, ways, seeds.child("race"))
    elif screened and len(screened.rewards):
        history = of_screening(screened, ways.space_of(found.way), seeds)
    else:
        history = {}
    return {
        "lines": told(found),
        "settings": method.config(),
        "learned": found.learned,
        "cut": found.cut,
        "way": ways.told(found.way),
        "before": ways.told(ways.prior),
        **({"permuted_reward_p": round(first.p, 5)} | first.posterior.to_json() if first else {}),
        "history": history,
        "race": raced and {
            "ways": [
                [ways.told(way), round(float(mean), 6), round(float(sd), 6)]
                for way, (mean, sd) in enumerate(
                    zip(raced.posterior.mean, raced.posterior.sd, strict=True)
                )
            ],
            "repeats": [round(reward, 6) for reward in raced.repeats],
            "rounds": [
                [[ways.told(way), round(reward, 6)] for way, reward in each]
                for each in raced.rounds
            ],
        },
        "screen": screened and {
            "permuted_reward_p": round(screened.p, 5),
            **screened.posterior.to_json(),
        },
        "elements": ways.space_of(found.way).told(found.weights),
        "check": found.check and {
            "nats": found.check.mean, "interval": found.check.interval, "pairs": found.check.n,
        },
        "trials": [[t.name, round(t.reward, 6), round(t.score, 6)] for t in found.trials],
    }  # fmt: skip
