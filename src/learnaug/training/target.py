"""A target in training: what both tasks share, and `fit`, which hands it to the loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnaug.data import ImageSet, batches, make_batch
from learnaug.data.batch import evenly, repeated
from learnaug.errors import RunError
from learnaug.nets.flagged import telling
from learnaug.nets.rng import forked, reseed
from learnaug.seeds import Seeds
from learnaug.training.augmenter import Phase, phase_at
from learnaug.training.evaluate import goal_of
from learnaug.training.forward import autocast, model_of
from learnaug.training.loop import Keep, run
from learnaug.training.recipe import Recipe, learning_rate

__all__ = ["Target", "below", "fit", "make_optimiser", "optimiser_tensors", "restore_optimiser"]


WATCHED = 500  # validation pictures of the learning curve: its cost stays small beside training
SEEN = 200  # training pictures of it


class Target:
    """A model being trained: the network, its optimiser and where its batches come from.

    Args:
        model: uint8 [B, C, H, W] -> logits [B, K], or [B, K, H, W] for masks; trained in place.
        train: the training part.
        valid: at most WATCHED of its pictures are measured for the learning curve, and at most
            SEEN of the training part's; None: nothing.
        curriculum: which augmenter has which share of the updates.
        recipe: how to train.
        device: where.
        precision: "fp32" or "bf16" (autocast).
    """

    def __init__(
        self,
        model: nn.Module,
        train: ImageSet,
        valid: ImageSet | None,
        curriculum: tuple[Phase, ...],
        recipe: Recipe,
        device: torch.device,
        precision: str,
    ) -> None:
        self.model, self.train, self.goal = model, train, goal_of(train)
        self.watched = None if valid is None else _some(valid, WATCHED)
        self.seen = _some(train, SEEN)
        self.curriculum, self.recipe = curriculum, recipe
        self.device, self.precision = device, precision
        self.updates = recipe.updates(len(train))
        self.optimiser = make_optimiser(model, recipe)

    def step(self, update: int, seeds: Seeds) -> float:
        """Make one optimiser step: draw, augment, forward, backward, check, step."""
        chosen = self.chosen(update, seeds)
        batch = make_batch(self.train, chosen, self.device)
        phase = phase_at(self.curriculum, update, self.updates)
        batch = repeated(batch, phase.copies)
        batch = phase.augmenter(batch, self.train, seeds.child("augment", update))
        reseed(seeds.child("dropout", update), self.device)
        self.model.train()
        with self.autocast():
            logits = self.scores(batch.images, batch.generated)
        smoothing = self.recipe.label_smoothing
        loss = self.goal.loss(logits.float(), batch.targets, batch.weights, smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.descend(loss, update, chosen)
        return float(loss.detach())

    def scores(self, images: Tensor, generated: Tensor) -> Tensor:
        """Return the model's scores; a net that has a flag is told what is generated: bool [B]."""
        with telling(self.model, generated):
            found: Tensor = self.model(images)
        return found

    def chosen(self, update: int, seeds: Seeds) -> NDArray[np.int64]:
        """Return which training pictures make up an update: int64 [B]."""
        size = min(self.recipe.batch_size, len(self.train))
        return batches(len(self.train), size, update, seeds)

    def autocast(self) -> torch.autocast:
        """Return the block in which nets compute in the number format of the run."""
        return autocast(self.device, self.precision)

    def descend(self, loss: Tensor, update: int, chosen: NDArray[np.int64]) -> None:
        """Step with the gradients that lie on the model; raise RunError where one is not finite."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, update, self.updates)
        norm = self.checked_norm(self.model, loss, update, chosen)
        if norm > self.recipe.clip:
            # In the model's order: another order of the sum is another last bit of the norm.
            nn.utils.clip_grads_with_norm_(self.model.parameters(), self.recipe.clip, norm)
        self.optimiser.step()

    def measure(self, update: int) -> dict[str, Any]:
        """Return epoch, learning rate, and the figures of both parts after this update.

        valid_accuracy or valid_mean_iou (a fraction), valid_loss and train_loss (cross entropy,
        nats) are those of the model in use on pictures as they are: without augmentation, dropout
        or smoothing. The last two apart say how far it overfits, whatever it is trained with.
        """
        epoch = update * min(self.recipe.batch_size, len(self.train)) / len(self.train)
        rate = learning_rate(self.recipe, update - 1, self.updates)
        score = f"valid_{self.goal.score}"
        row = dict.fromkeys((score, "valid_loss", "train_loss"))
        if self.watched is not None and len(self.watched):
            valid, seen = self._figures(self.watched), self._figures(self.seen)
            row |= {score: valid[self.goal.score], "valid_loss": valid["nll"]}
            row["train_loss"] = seen["nll"]
        return {"epoch": round(epoch, 4), **row, "lr": rate}

    def _figures(self, part: ImageSet) -> dict[str, Any]:
        found = self.goal.predict(self.model, part, self.device, self.precision)
        return self.goal.measure(found, part)

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, buffers and the optimiser's state under flat names."""
        out = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        return out | optimiser_tensors(self.optimiser, "optimiser")

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned, in the memory layout that the weights have now."""
        self.model.load_state_dict(below(tensors, "model"))
        restore_optimiser(self.optimiser, tensors, "optimiser")

    def checked_norm(
        self, net: nn.Module, loss: Tensor, update: int, chosen: NDArray[np.int64]
    ) -> Tensor:
        """Return the norm of a net's gradients; RunError where it or the loss is not finite."""
        learned = list(net.parameters())
        norm = nn.utils.get_total_norm([p.grad for p in learned if p.grad is not None])
        if torch.isfinite(loss) and torch.isfinite(norm):
            return norm
        named = net.named_parameters()
        bad = [n for n, p in named if p.grad is not None and not p.grad.isfinite().all()]
        ids = ", ".join(self.train.ids[i] for i in chosen[:5])
        rate = learning_rate(self.recipe, update, self.updates)
        where = [
            f"loss {float(loss.detach())}, gradient norm {float(norm)}, learning rate {rate:.3g}",
            f"gradients that are not finite: {', '.join(bad[:5]) or 'none'}",
            f"batch of update {update}: {ids}, …",
        ]
        raise RunError(
            f"training stopped at update {update}: loss or gradient is not finite",
            where,
            "lower the learning rate, or look at these images",
        )


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return what stands under "PREFIX.NAME", by NAME.

    Example:
        >>> below({"a.b": torch.ones(1), "c": torch.ones(1)}, "a")
        {'b': tensor([1.])}
    """
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def optimiser_tensors(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """Return the optimiser's state under flat names that begin with `prefix`."""
    return {
        f"{prefix}.{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str
) -> None:
    """Take back what `optimiser_tensors` returned, in the layout that the weights have now."""
    optimiser.state.clear()  # what an optimiser without a step returned is nothing
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            _, index, name = key.split(".", 2)
            owner = parameters[int(index)]
            like = owner if value.shape == owner.shape else value
            place = torch.empty_like(like, dtype=value.dtype)
            optimiser.state[owner][name] = place.copy_(value)


def _some(data: ImageSet, most: int) -> ImageSet:
    """Return at most `most` pictures, evenly spaced."""
    if len(data) <= most:
        return data
    return data.take(evenly(len(data), most))


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the fused optimiser of the recipe; biases and norm parameters do not decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True, fused=True)


def fit(
    net: nn.Module,
    train: ImageSet,
    valid: ImageSet | None,
    curriculum: tuple[Phase, ...],
    recipe: Recipe,
    *,
    seeds: Seeds,
    device: torch.device,
    precision: str,
    keep: Keep,
) -> nn.Module:
    """Train `net` on `train` and return the model from uint8 pictures to logits.

    The global random state of PyTorch is what it was before, after the call too.

    Args:
        net: normalised float [B, C, H, W] -> logits [B, K], or [B, K, H, W] where the parts have
            masks; trained in place.
        train, valid: parts of one image set; `valid` is only watched.
        curriculum: phases of augmentation, in order.
        recipe: how to train.
        seeds: keys the order of the images, the augmentation and the dropout.
        device, precision: where and in which number format.
        keep: log, checkpoints, progress and stop.

    Raises:
        RunError: a loss or gradient is not finite.
        Stopped: `keep.stop` asked for it.
    """
    model = model_of(net, train, device)
    task = Target(model, train, valid, curriculum, recipe, device, precision)
    with forked(device):
        run(task, task.updates, seeds, keep)
    return model.eval()
