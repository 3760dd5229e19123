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
from learnaug.training import Keep

__all__ = ["LOG", "Ask", "Bench", "Trial"]

LOG = "trials.jsonl"


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

    Args:
        proxies: one a fold.
        keep: its folder holds the journal; asked for stops.
        most: trials that will be made, for the progress.
    """

    def __init__(self, proxies: Sequence[Proxy], keep: Keep, most: int) -> None:
        self.proxies, self.keep, self.most = proxies, keep, most
        self.results = rundir.Results(keep.checkpoints and keep.checkpoints / LOG, keep.say)

    def run(self, asks: Sequence[Ask]) -> list[Trial | None]:
        """Return these trials in order, from the journal where they were made before a stop.

        Trials of one call know nothing of each other.

        Raises:
            Stopped: `keep.stop` asked for it; what is done is kept.
        """
        return [self._trial(ask) for ask in asks]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All that were made, in order."""
        return tuple(Trial(**row) for row in self.results.done.values())

    def _trial(self, ask: Ask) -> Trial:
        row = self.results.get(ask.name, lambda: self._made(ask))
        self.keep.progress(min(1.0, len(self.results.done) / self.most))
        return Trial(**row)

    def _made(self, ask: Ask) -> dict[str, Any]:
        own = PolicyAugmenter(ask.policy)
        looks = (proxy.trial(own, ask.lap, self.keep, length=ask.length) for proxy in self.proxies)
        seen = [each[-1] for each in looks]
        reward = -float(np.mean([look.nll for look in seen]))
        return {"reward": reward, "score": float(np.mean([look.score for look in seen]))}
