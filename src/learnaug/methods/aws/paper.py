"""AWS as published (Tian et al. 2020): 36 x 36 pairs, shared weights, PPO; its defects mended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from learnaug import rundir
from learnaug.data import Batch, ImageSet
from learnaug.errors import ConfigError, nearest
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.augmenter import Searched
from learnaug.methods.aws.bench import LOG
from learnaug.methods.aws.history import marks, of_pairs
from learnaug.methods.aws.pictures import policy_grid
from learnaug.methods.aws.ppo import TABLES, PairTable
from learnaug.methods.aws.proxy import Proxy, Schedule, shared
from learnaug.methods.aws.search import effective
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.ops import spaces
from learnaug.ops.describe import describe_branch
from learnaug.ops.policy import Policy
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase

__all__ = ["PaperAWS"]

BEST = 2  # looks whose mean is the reward
PAIRS = 2  # the stage of the pairs, behind flip and crop
SHUFFLED = 5  # searches with rewards dealt out anew
TOLD = 12  # pairs that are named

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PaperAWS:
    """The paper's search. About 12 trainings; `aws` is the method for few pictures.

    Args:
        table: "multinomial" over all pairs (the paper), or "conditional" (the reference code).
        loops: trials, each followed by an update of the table.
        first: share of a training that is made once, with all pairs alike (200 of 300 epochs).
        late: share of a training that each trial makes (10 of 300 epochs).
        steady: learning rate of the trials, as a share of the recipe's (0.001 of 0.2).
        looks: at the validation part in a trial; the reward is the mean accuracy, in per cent, of
            the best two.
        enlarge: how often each picture is in a batch when the target is trained (EB; 1: off).

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    table: str = "multinomial"
    loops: int = 350
    first: float = 2 / 3
    late: float = 1 / 30
    steady: float = 0.005
    looks: int = 10
    enlarge: int = 1

    def __post_init__(self) -> None:
        rules = {
            "1 <= loops <= 10000": 1 <= self.loops <= 10_000,
            "0 < first < 1": 0 < self.first < 1,
            "0 < late <= 1": 0 < self.late <= 1,
            "0 < steady <= 1": 0 < self.steady <= 1,
            "1 <= looks <= 100": 1 <= self.looks <= 100,
            "1 <= enlarge <= 64": 1 <= self.enlarge <= 64,
        }
        faults = [f"`{rule}` must hold" for rule, holds in rules.items() if not holds]
        if self.table not in TABLES:
            faults.append(f"table {self.table!r} is not known; {nearest(self.table, TABLES)}")
        if faults:
            raise ConfigError("the settings of aws-paper break their rules", faults)

    @property
    def repeats(self) -> float:
        """How many whole trainings the search costs."""
        return self.first + self.loops * self.late

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return asdict(self)

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Search with the validation part; return the policy of the loop with the best reward.

        Raises:
            RunError: a loss or gradient is not finite.
            Stopped: `keep.stop` asked for it; what is trained and tried is kept.
        """
        start = self.first / self.repeats
        proxy = shared(
            data.net(data.init), (data.train, data.valid), _Counting.of(self._fresh()),
            data.before, Schedule(data.recipe, self.first, self.late, self.steady),
            seeds=seeds.child("proxy"), device=device, precision=budget.precision,
            keep=keep.part("shared", 0.0, start),
        )  # fmt: skip
        table, best, rewards = self._fresh(), (-np.inf, np.zeros(0), 0), []
        every: list[Ints] = []
        seen: list[tuple[int, Floats]] = []
        due = marks(self.loops)
        trials = keep.part("trials", start, 1 - start)
        done = rundir.Results(trials.checkpoints and trials.checkpoints / LOG, trials.say)
        for loop in range(self.loops):
            row = done.get(str(loop), partial(self._trial, proxy, table, loop, trials))
            reward, counts = float(row["reward"]), np.array(row["pairs"], np.int64)
            if reward > best[0]:
                best = (reward, table.chances(), loop)
            table.reward(reward, counts)
            rewards.append(reward)
            every.append(counts)
            seen += [(loop + 1, table.chances())] if loop + 1 in due else []
            trials.progress((loop + 1) / self.loops)
        shuffled = self._shuffled(rewards, every, seeds.child("shuffles"))
        told = self._told(best[1], table, rewards, [each[-1] for each in shuffled])
        told["history"] = of_pairs(table.elements, best[1], best[2], seen, rewards, shuffled)
        found = Searched(_behind_crop(table.policy(best[1])), told)
        before = _behind_crop(self._fresh().policy())
        shown = policy_grid(data.train, before, found.policy, seeds.child("pictures"))
        return Learned(found, (Phase(found, copies=self.enlarge),), galleries=shown)

    def _trial(self, proxy: Proxy, table: PairTable, loop: int, keep: Keep) -> dict[str, Any]:
        """Return reward and counts [n * n] of a trial."""
        own = _Counting.of(table)
        seen = proxy.trial(own, loop, keep, self.looks)
        best = sorted((look.score for look in seen), reverse=True)[:BEST]
        return {"reward": 100 * float(np.mean(best)), "pairs": own.counts.tolist()}

    def _fresh(self) -> PairTable:
        return PairTable(spaces.elements36(), self.table)

    def _shuffled(self, rewards: list[float], every: list[Ints], seeds: Seeds) -> list[list[float]]:
        """Return the effective number of pairs over time, learned from rewards dealt out anew."""
        due = marks(len(rewards))
        found = []
        for number in range(SHUFFLED):
            order = seeds.child(number).numpy().permutation(len(rewards))
            table, sharp = self._fresh(), []
            for loop, counts in enumerate(every):
                table.reward(rewards[order[loop]], counts)
                sharp += [effective(table.chances().ravel())] if loop + 1 in due else []
            found.append(sharp)
        return found

    def _told(
        self, chances: Floats, table: PairTable, rewards: list[float], shuffled: list[float]
    ) -> dict[str, Any]:
        pairs = [(a, b) for a in table.elements for b in table.elements]
        order = np.argsort(-chances.ravel())
        after = effective(table.chances().ravel())
        sharp = (
            f"effective number of pairs of {len(pairs)}: {effective(chances.ravel()):.0f} in the "
            f"chosen loop, {after:.0f} at the end; with shuffled rewards {min(shuffled):.0f} to "
            f"{max(shuffled):.0f}: a sharp table alone says nothing"
        )
        trials = f"{len(rewards)} trials, rewards {min(rewards):.1f} to {max(rewards):.1f} %"
        named = [
            f"{100 * chances.ravel()[pair]:.2f} %  {describe_branch(pairs[pair])}"
            for pair in order[:TOLD]
        ]
        return {
            "lines": [trials, sharp, *named],
            "settings": self.config(),
            "rewards": [round(reward, 4) for reward in rewards],
            "effective_pairs": round(after, 2),
            "effective_pairs_shuffled": [round(value, 2) for value in shuffled],
            "first_element": [round(float(p), 5) for p in chances.sum(1)],
        }


@dataclass(frozen=True, slots=True)
class _Counting(PolicyAugmenter):
    """A policy of flip, crop, a pair and cutout, which counts the pairs that it draws."""

    counts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @staticmethod
    def of(table: PairTable) -> _Counting:
        """Return the augmenter of a table, with all counts 0."""
        n = len(table.elements)
        return _Counting(_behind_crop(table.policy()), np.zeros(n * n, np.int64))

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the augmented batch, and count its pairs."""
        after, drawn = self.traced(batch, seeds)
        self.counts[:] += np.bincount(drawn.branch[:, PAIRS], minlength=len(self.counts))
        return after


def _behind_crop(pairs: Policy) -> Policy:
    """Return the paper's pipeline: flip and padded crop, the pair, cutout of half the side."""
    whole = spaces.flip_crop().then(pairs).then(spaces.cutout())
    return Policy(whole.stages, pairs.name)
