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
from learnaug.methods.aws.bench import LOG, cut
from learnaug.methods.aws.history import marks, of_pairs
from learnaug.methods.aws.pictures import policy_grid
from learnaug.methods.aws.ppo import TABLES, PairTable
from learnaug.methods.aws.proxy import Proxy, Schedule, shared
from learnaug.methods.aws.search import effective
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.ops import spaces
from learnaug.ops.describe import describe_branch
from learnaug.ops.policy import Policy
from learnaug.ops.restrict import without
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Stopped

__all__ = ["PaperAWS"]

BEST = 2  # looks whose mean is the reward
PAIRS = 2  # the stage of the pairs, behind flip and crop
OPERATIONS = 14  # of the 36 elements
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
        without: how many of the likeliest operations of what was found are left out again.

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
    without: int = 0

    def __post_init__(self) -> None:
        rules = {
            "1 <= loops <= 10000": 1 <= self.loops <= 10_000,
            "0 < first < 1": 0 < self.first < 1,
            "0 < late <= 1": 0 < self.late <= 1,
            "0 < steady <= 1": 0 < self.steady <= 1,
            "1 <= looks <= 100": 1 <= self.looks <= 100,
            "1 <= enlarge <= 64": 1 <= self.enlarge <= 64,
            f"0 <= without < {OPERATIONS}": 0 <= self.without < OPERATIONS,
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
            Stopped: `keep.stop` asked for it, not for the time; what is trained and tried is kept.
        """
        start = self.first / self.repeats
        course = _Course(self._fresh())
        try:
            proxy = shared(
                data.net(data.init), (data.train, data.valid), _Counting.of(self._fresh()),
                data.before, Schedule(data.recipe, self.first, self.late, self.steady),
                seeds=seeds.child("proxy"), device=device, precision=budget.precision,
                keep=keep.part("shared", 0.0, start),
            )  # fmt: skip
            self._search(proxy, course, keep.part("trials", start, 1 - start))
        except Stopped:
            if not keep.late():
                raise
        policy = _behind_crop(without(course.table.policy(course.best[1]), self.without))
        told = self._told(course, seeds.child("shuffles"))
        found = Searched(policy, told)
        before = _behind_crop(self._fresh().policy())
        shown = policy_grid(data.train, before, policy, seeds.child("pictures"))
        whole = len(course.rewards) == self.loops
        phases = (Phase(found, copies=self.enlarge),)
        return Learned(found, phases, galleries=shown, whole=whole)

    def _search(self, proxy: Proxy, course: _Course, keep: Keep) -> None:
        """Make all loops, from the journal where they were made before a stop."""
        done = rundir.Results(keep.checkpoints and keep.checkpoints / LOG, keep.say)
        for loop in range(self.loops):
            row = done.get(str(loop), partial(self._trial, proxy, course.table, loop, keep))
            course.take(float(row["reward"]), np.array(row["pairs"], np.int64))
            keep.progress((loop + 1) / self.loops)

    def _trial(self, proxy: Proxy, table: PairTable, loop: int, keep: Keep) -> dict[str, Any]:
        """Return reward and counts [n * n] of a trial."""
        if keep.stop():
            raise Stopped
        own = _Counting.of(table)
        seen = proxy.trial(own, loop, keep, self.looks)
        best = sorted((look.score for look in seen), reverse=True)[:BEST]
        return {"reward": 100 * float(np.mean(best)), "pairs": own.counts.tolist()}

    def _fresh(self) -> PairTable:
        return PairTable(spaces.elements36(), self.table)

    def _shuffled(self, course: _Course, seeds: Seeds) -> list[list[float]]:
        """Return the effective number of pairs over time, learned from rewards dealt out anew."""
        found = []
        for number in range(SHUFFLED):
            dealt = _Course(self._fresh())
            order = seeds.child(number).numpy().permutation(len(course.rewards))
            for place, counts in zip(order, course.counts, strict=True):
                dealt.take(course.rewards[place], counts)
            found.append([effective(table.ravel()) for _, table in dealt.seen()])
        return found

    def _told(self, course: _Course, seeds: Seeds) -> dict[str, Any]:
        """Return the search as plain JSON data, with "lines" for people."""
        table, rewards, chances = course.table, course.rewards, course.best[1]
        shuffled = self._shuffled(course, seeds)
        last = [each[-1] for each in shuffled if each] or [float(chances.size)]
        pairs = [(a, b) for a in table.elements for b in table.elements]
        order = np.argsort(-chances.ravel())
        after = effective(table.chances().ravel())
        sharp = (
            f"effective number of pairs of {len(pairs)}: {effective(chances.ravel()):.0f} in the "
            f"chosen loop, {after:.0f} at the end; with shuffled rewards {min(last):.0f} to "
            f"{max(last):.0f}: a sharp table alone says nothing"
        )
        trials = [cut(len(rewards), self.loops)] if len(rewards) < self.loops else []
        if rewards:
            trials.append(
                f"{len(rewards)} trials, rewards {min(rewards):.1f} to {max(rewards):.1f} %"
            )
        loop = int(np.argmax(rewards)) if rewards else 0
        named = [
            f"{100 * chances.ravel()[pair]:.2f} %  {describe_branch(pairs[pair])}"
            for pair in order[:TOLD]
        ]
        return {
            "lines": [*trials, sharp, *named],
            "settings": self.config(),
            "cut": cut(len(rewards), self.loops),
            "rewards": [round(reward, 4) for reward in rewards],
            "effective_pairs": round(after, 2),
            "effective_pairs_shuffled": [round(value, 2) for value in last],
            "first_element": [round(float(p), 5) for p in chances.sum(1)],
            "history": of_pairs(table.elements, chances, loop, course.seen(), rewards, shuffled),
        }


class _Course:
    """A search on its way: its table, the best reward with the chances that it came from.

    Args:
        table: fresh.
    """

    def __init__(self, table: PairTable) -> None:
        self.table, self.best = table, (-np.inf, table.chances())
        self.rewards: list[float] = []
        self.counts: list[Ints] = []
        self.tables: list[Floats] = []  # [n, n], after each trial

    def take(self, reward: float, counts: Ints) -> None:
        """Learn from a trial: its reward, and how often it drew each pair [n * n]."""
        if reward > self.best[0]:
            self.best = (reward, self.table.chances())
        self.table.reward(reward, counts)
        self.rewards.append(reward)
        self.counts.append(counts)
        self.tables.append(self.table.chances())

    def seen(self) -> list[tuple[int, Floats]]:
        """Return loops so far and the table then, at even shares of the loops."""
        return [(t, self.tables[t - 1]) for t in marks(len(self.rewards))]


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
