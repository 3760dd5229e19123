"""The bench of a search: makes its trials, each a unit of its own, and keeps every result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from learnaug import rundir
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.proxy import Proxy
from learnaug.ops.policy import Policy
from learnaug.training import Keep, Stopped

__all__ = ["LOG", "Ask", "Bench", "Trial", "cut"]

LOG = "trials.jsonl"


def cut(done: int, asked: int) -> str:
    """Return how much was done when the time was up, in words; "" where all was.

    Example:
        >>> cut(31, 40), cut(40, 40)
        ('31 of 40 trials: the time was up', '')
    """
    return "" if done == asked else f"{done} of {asked} trials: the time was up"


@dataclass(frozen=True, slots=True)
class Ask:
    """A trial that is asked for.

    Args:
        name: unique within a search.
        policy: what it trains with.
        lap: keys its batches and draws; those of trials with the same lap are the same.
        length: how many times as long as the shortest trial.
    """

    name: str
    policy: Policy
    lap: int = 0
    length: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data, with "name"."""
        policy = self.policy.to_json()
        return {"name": self.name, "policy": policy, "lap": self.lap, "length": self.length}

    @staticmethod
    def from_json(content: dict[str, Any]) -> Ask:
        """Return what `to_json` made plain."""
        policy = Policy.from_json(content["policy"])
        return Ask(content["name"], policy, int(content["lap"]), int(content["length"]))


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its name, and what came of it.

    Args:
        name: unique within a search.
        reward: minus the cross entropy of the validation pictures in nats, mean over the folds.
        score: accuracy or mean IoU there.
    """

    name: str
    reward: float
    score: float


class Bench:
    """Makes trials, and keeps the result of each one as soon as it is there.

    With `keep.crew` several are made at once, and the results are the same.

    Args:
        proxies: one a fold.
        keep: its folder holds the journal; asked for stops.
        most: trials that will be made, in lengths of the shortest, for the progress.
    """

    def __init__(self, proxies: Sequence[Proxy], keep: Keep, most: int) -> None:
        self.proxies, self.keep, self.most = proxies, keep, most
        if keep.crew:
            keep.crew.enter(self._place, lambda order: self._made(Ask.from_json(order)))
        self.results = rundir.Results(keep.checkpoints and keep.checkpoints / LOG, keep.say)
        self.asked: dict[str, int] = {}  # name -> length, in order

    def run(self, asks: Sequence[Ask]) -> list[Trial | None]:
        """Return these trials in order, from the journal where they were made before a stop.

        Trials of one call know nothing of each other. None: the time was up before this one.

        Raises:
            RunError: a loss or gradient is not finite, or two processes died over one trial.
            Stopped: `keep.stop` asked for it, not for the time; what is done is kept.
        """
        self.asked |= {ask.name: ask.length for ask in asks}
        left = [ask for ask in asks if ask.name not in self.results.done]
        self._show()
        try:
            if self.keep.crew and len(left) > 1:
                self.keep.crew.share(self._place, [ask.to_json() for ask in left], self._take)
            else:
                self._here(left)
        except Stopped:
            if not self.keep.late():
                raise
        return [self._trial(ask.name) for ask in asks]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All that were made, in the order in which they were asked for."""
        return tuple(trial for name in self.asked if (trial := self._trial(name)))

    @property
    def cut(self) -> str:
        """How much was done when the time was up, in words; "" where it sufficed."""
        return cut(len(self.trials), len(self.asked))

    @property
    def _place(self) -> str:
        return str(self.keep.checkpoints)

    def _here(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            if self.keep.stop():
                raise Stopped
            self._take({"name": ask.name}, self._made(ask))

    def _take(self, order: dict[str, Any], row: dict[str, Any]) -> None:
        self.results.get(order["name"], lambda: row)
        self._show()

    def _show(self) -> None:
        done = sum(length for name, length in self.asked.items() if name in self.results.done)
        self.keep.progress(min(1.0, done / self.most))

    def _trial(self, name: str) -> Trial | None:
        row = self.results.done.get(name)
        return None if row is None else Trial(**row)

    def _made(self, ask: Ask) -> dict[str, Any]:
        own = PolicyAugmenter(ask.policy)
        looks = (proxy.trial(own, ask.lap, self.keep, length=ask.length) for proxy in self.proxies)
        seen = [each[-1] for each in looks]
        reward = -float(np.mean([look.nll for look in seen]))
        return {"reward": reward, "score": float(np.mean([look.score for look in seen]))}
