"""The proxy task: weights trained once, from which every policy is tried (Tian et al., 3.3).

Augmentation acts late in training (their Fig. 2). So the first part of a training is made once,
with the policy that nothing is known for; each trial takes up its weights *and the state of its
optimiser*, makes the last part with its own policy, and is scored on pictures that it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from learnaug import nets, ops, rundir
from learnaug.data import ImageSet
from learnaug.methods.augmenters import Chain, PolicyAugmenter
from learnaug.seeds import Seeds
from learnaug.training import Augmenter, Keep, Phase, Recipe, Stopped
from learnaug.training.forward import model_of
from learnaug.training.loop import run
from learnaug.training.recipe import learning_rate
from learnaug.training.target import Target

__all__ = ["Proxy", "Schedule", "shared"]

LAST = ".safetensors"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much of a training is made once, and how much by every trial.

    Args:
        recipe: of the whole training.
        first: share of its updates that is made once.
        late: share of its updates that each trial makes; its learning rate begins where the first
            part ended and falls to 0 along half a cosine.
    """

    recipe: Recipe
    first: float
    late: float

    def updates(self, n: int) -> tuple[int, int]:
        """Return the updates of the first part and of a trial, for n training pictures."""
        whole = self.recipe.updates(n)
        return max(1, round(self.first * whole)), max(1, round(self.late * whole))

    def trial(self, n: int) -> Recipe:
        """Return the recipe of a trial; its `updates` count in the loop, not its epochs."""
        first, _ = self.updates(n)
        rate = learning_rate(self.recipe, first, self.recipe.updates(n))
        return replace(self.recipe, lr=max(rate, 1e-8), warmup=0.0)


class Proxy:
    """A training whose last part can be made again and again.

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
        task.recipe, task.updates = schedule.trial(len(task.train)), self.updates

    def trial(self, policy: ops.Policy, lap: int, keep: Keep) -> dict[str, float]:
        """Return nll (nats) and score of the validation pictures after a trial of this policy.

        Raises:
            Stopped: `keep.stop` asked for it; the trial is lost.
        """
        task = self.task
        task.restore(self.start)
        task.curriculum = (Phase(behind(self.before, policy)),)
        seeds = self.seeds.child("lap", lap)
        with nets.forked(task.device):
            for update in range(self.updates):
                task.step(update, seeds)
                if keep.stop():
                    raise Stopped
        found = task.goal.predict(task.model, self.valid, task.device, task.precision)
        figures = task.goal.measure(found, self.valid)
        return {"nll": float(figures["nll"]), "score": float(figures[task.goal.score])}


def behind(before: Augmenter | None, policy: ops.Policy) -> Augmenter:
    """Return the augmenter of a policy, behind what stands before it in a chain."""
    own = PolicyAugmenter(policy)
    return own if before is None else Chain((before, own))


def shared(
    net: torch.nn.Module,
    parts: Sequence[ImageSet],
    policy: ops.Policy,
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
        policy: what the first part is augmented with.
        before, schedule: see `Proxy`.
        seeds: key the first part and the trials.
        device, precision: where and in which number format.
        keep: checkpoints, log, progress and stop.
    """
    train, valid = parts
    task = Target(
        model_of(net, train, device), train, valid, (Phase(behind(before, policy)),),
        schedule.recipe, device, precision,
    )  # fmt: skip
    file = keep.checkpoints and keep.checkpoints.with_suffix(LAST)
    if file and file.is_file():
        task.restore(rundir.load_tensors(file))
    else:
        with nets.forked(device):
            run(task, schedule.updates(len(train))[0], seeds.child("first"), keep)
        if file:
            rundir.save_tensors(file, task.tensors())
    return Proxy(task, valid, before, schedule, seeds.child("late"))
