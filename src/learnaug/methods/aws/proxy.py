"""The proxy task: weights trained once, from which every policy is tried (Tian et al., 3.3).

Augmentation acts late in training (their Fig. 2). So the first part of a training is made once,
with the policy that nothing is known for; each trial takes up its weights *and the state of its
optimiser*, makes the last part with its own policy, and is scored on pictures that it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from learnaug import nets
from learnaug.data import ImageSet
from learnaug.methods.augmenters import Chain
from learnaug.seeds import Seeds
from learnaug.training import Augmenter, Keep, Phase, Recipe
from learnaug.training.forward import model_of
from learnaug.training.loop import run, silent, trained
from learnaug.training.recipe import learning_rate
from learnaug.training.target import Target

__all__ = ["Look", "Proxy", "Schedule", "shared"]

LEAST = 1e-8  # learning rate
FOREVER = 10**12  # updates: on the way there the rate stands still


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much of a training is made once, and how much by every trial.

    Args:
        recipe: of the whole training.
        first: share of its updates that is made once.
        late: share of its updates that each trial makes; its learning rate begins where the first
            part ended and falls to 0 along half a cosine.
        steady: learning rate of all updates of a trial, as a share of the recipe's; None: falling.
    """

    recipe: Recipe
    first: float
    late: float
    steady: float | None = None

    def updates(self, n: int) -> tuple[int, int]:
        """Return the updates of the first part and of a trial, for n training pictures."""
        whole = self.recipe.updates(n)
        return max(1, round(self.first * whole)), max(1, round(self.late * whole))

    def trial(self, n: int) -> tuple[Recipe, int]:
        """Return the recipe of a trial, and after how many updates its rate would be 0."""
        first, late = self.updates(n)
        if self.steady is not None:
            return replace(self.recipe, lr=self.steady * self.recipe.lr, warmup=0.0), FOREVER
        rate = learning_rate(self.recipe, first, self.recipe.updates(n))
        return replace(self.recipe, lr=max(rate, LEAST), warmup=0.0), late


@dataclass(frozen=True, slots=True)
class Look:
    """Cross entropy (nats) and score (accuracy or mean IoU) of the validation pictures."""

    nll: float
    score: float


class Proxy:
    """A training whose last part can be made again and again: a task for the loop.

    Args:
        task: after the first part.
        valid: pictures that score the trials; the training never sees them.
        before: augments in front of every policy; None: nothing.
        schedule: see there.
        seeds: key the batches and draws of the trials: those of trials with the same `lap` are the
            same, so that two trials differ by their policy alone.
    """

    def __init__(
        self,
        task: Target,
        valid: ImageSet,
        before: Augmenter | None,
        schedule: Schedule,
        seeds: Seeds,
    ) -> None:
        self.task, self.valid, self.before, self.seeds = task, valid, before, seeds
        self.start: dict[str, Tensor] = {k: v.clone() for k, v in task.tensors().items()}
        _, self.updates = schedule.updates(len(task.train))
        task.recipe, self.fall = schedule.trial(len(task.train))
        self.due: set[int] = set()
        self.seen: list[Look] = []

    def trial(
        self, own: Augmenter, lap: int, keep: Keep, looks: int = 1, length: int = 1
    ) -> list[Look]:
        """Return what the validation pictures say of a trial, after even shares of its updates.

        Args:
            own: what the trial trains with.
            lap: see `seeds`.
            keep: asked for a stop after every update.
            looks: how many, the last one at the end.
            length: how many times as long as the schedule says, its rate falling over all of it.

        Raises:
            Stopped: `keep.stop` asked for it; the trial is lost.
        """
        updates, self.task.updates = length * self.updates, length * self.fall
        self.task.restore(self.start)
        self.task.curriculum = (Phase(behind(self.before, own)),)
        self.due = {round(updates * (i + 1) / looks) for i in range(looks)}
        self.seen = []
        alone = replace(keep, checkpoints=None, log=None, progress=silent)
        with nets.forked(self.task.device):
            run(self, updates, self.seeds.child("lap", lap), alone)
        return self.seen

    def step(self, update: int, seeds: Seeds) -> float:
        """Make one update of the trial, and look where a look is due."""
        loss = self.task.step(update, seeds)
        if update + 1 in self.due:
            self.seen.append(self._look())
        return loss

    def tensors(self) -> dict[str, Tensor]:
        """Return the state of the task."""
        return self.task.tensors()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take it back."""
        self.task.restore(tensors)

    def measure(self, update: int) -> dict[str, Any]:
        """Return nothing: a trial keeps no learning curve."""
        return {}

    def _look(self) -> Look:
        task = self.task
        found = task.goal.predict(task.model, self.valid, task.device, task.precision)
        figures = task.goal.measure(found, self.valid)
        return Look(float(figures["nll"]), float(figures[task.goal.score]))


def behind(before: Augmenter | None, own: Augmenter) -> Augmenter:
    """Return an augmenter behind what stands before it in a chain."""
    return own if before is None else Chain((before, own))


def shared(
    net: torch.nn.Module,
    parts: Sequence[ImageSet],
    own: Augmenter,
    before: Augmenter | None,
    schedule: Schedule,
    *,
    seeds: Seeds,
    device: torch.device,
    precision: str,
    keep: Keep,
) -> Proxy:
    """Return the proxy after the first part of its training, from its file where that was done.

    Args:
        net: fresh module, float [B, C, H, W] -> scores.
        parts: training part, validation part.
        own: augments the first part.
        before, schedule: see `Proxy`.
        seeds: key the first part and the trials.
        device, precision: where and in which number format.
        keep: checkpoints, log, progress and stop.
    """
    train, valid = parts
    task = Target(
        model_of(net, train, device), train, valid, (Phase(behind(before, own)),),
        schedule.recipe, device, precision,
    )  # fmt: skip
    with nets.forked(device):
        trained(task, schedule.updates(len(train))[0], seeds.child("first"), keep)
    return Proxy(task, valid, before, schedule, seeds.child("late"))
