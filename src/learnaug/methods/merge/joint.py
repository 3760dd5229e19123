"""The merging network and the target trained together, update by update, in the one loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnaug.data import Batch, make_batch
from learnaug.methods.base import Learning
from learnaug.methods.gallery import SHOWN, present, reduced
from learnaug.methods.merge.losses import scaled_gradient, similarity, weight_at
from learnaug.methods.merge.networks import Merger, painted
from learnaug.methods.merge.partners import Pool
from learnaug.nets import reseed
from learnaug.seeds import Seeds
from learnaug.training.classify import soft_cross_entropy
from learnaug.training.target import Target, below, optimiser_tensors, restore_optimiser

if TYPE_CHECKING:
    from learnaug.methods.merge.method import SmartAugmentation

__all__ = ["Joint"]

Ints = NDArray[np.int64]

LOOKS = 6  # at what A makes of a few pictures, from before the first update to after the last


class Joint(Target):
    """Network A (merges) and B (the target), in one backward pass an update.

    A batch x of the usual order is A's target picture T; k others of the class are its input. Both
    A's output and x train B as separate samples, with the label of the class:

    L_B = mean of the cross entropy over 2 B pictures, L_A = mean similarity of A(partners) to x.
    B descends along dL_B, by the recipe, as every target does; A along alpha dL_A + beta dL_B, by
    its own optimiser. The logged loss is alpha L_A + beta L_B. One update of B is one update of the
    recipe: the joint target makes as many as the others.

    Args:
        model: B, uint8 or float 0…255 [B, C, H, W] -> logits [B, K].
        merger: A.
        method: the settings.
        data: what may be learned from.
        pool: the training part, sorted by who may be whose partner.
        seeds: keys the partners.
        device, precision: where and in which number format.
    """

    def __init__(
        self,
        model: nn.Module,
        merger: Merger,
        method: SmartAugmentation,
        data: Learning,
        pool: Pool,
        seeds: Seeds,
        device: torch.device,
        precision: str,
    ) -> None:
        super().__init__(model, data.train, data.valid, (), data.recipe, device, precision)
        self.merger, self.method, self.before = merger, method, data.before
        self.pool, self.own = pool, seeds
        self.labels = torch.from_numpy(data.train.labels)
        self.lonely = torch.from_numpy(pool.size == 1)
        self.merging = _optimiser(merger, method)
        self.sums = torch.zeros(3, dtype=torch.float64)  # of L_A, L_B, updates since the last row
        self.shown = present(data.train.labels)
        self.looking = {round(self.updates * i / (LOOKS - 1)) for i in range(LOOKS)}
        self.looks: dict[int, Tensor] = {}  # updates made -> uint8 [R, C, H, W]
        self.maps: Tensor | None = None
        if method.compare_in == "features":
            _last_convolution(model).register_forward_hook(self._keep_maps)

    def _keep_maps(self, part: nn.Module, given: Any, maps: Tensor) -> None:
        self.maps = maps

    def weights(self, update: int) -> tuple[float, float]:
        """Return alpha and beta of an update."""
        size = min(self.recipe.batch_size, len(self.train))
        epoch, share = update * size / len(self.train), update / self.updates
        m = self.method
        alpha = weight_at(m.alpha, m.alpha_end, m.schedule, epoch=epoch, share=share)
        beta = weight_at(m.beta, m.beta_end, m.schedule, epoch=epoch, share=share, least=-math.inf)
        return alpha, beta

    def step(self, update: int, seeds: Seeds) -> float:
        """Make one step of both nets and return alpha L_A + beta L_B."""
        if update in self.looking:
            self.look(update)
        chosen = self.chosen(update, seeds)
        batch, inputs = self.draw(chosen, update, seeds)
        alpha, beta = self.weights(update)
        reseed(seeds.child("dropout", update), self.device)
        loss_a, loss_b = self.losses(batch, inputs, chosen, beta)
        self.optimiser.zero_grad(set_to_none=True)
        self.merging.zero_grad(set_to_none=True)
        self._backward(loss_a, loss_b, alpha, beta)
        total = alpha * loss_a.detach() + beta * loss_b.detach()
        norm = self.checked_norm(self.merger, total, update, chosen)
        if norm > self.method.clip:
            nn.utils.clip_grads_with_norm_(self.merger.parameters(), self.method.clip, norm)
        self.descend(total, update, chosen)
        self.merging.step()
        self.sums += torch.tensor([float(loss_a.detach()), float(loss_b.detach()), 1.0])
        return float(total)

    def draw(self, chosen: Ints, update: int, seeds: Seeds) -> tuple[Batch, Tensor]:
        """Return the batch, and k partners for each picture: float [B, k, C, H, W] in [0, 1]."""
        batch = make_batch(self.train, chosen, self.device)
        if self.before:
            batch = self.before(batch, self.train, seeds.child("augment", update))
        k = self.method.k
        if self.method.partners == "same":
            return batch, batch.images.float()[:, None].expand(-1, k, -1, -1, -1) / 255
        rows = self.partners(chosen, update)
        others = make_batch(self.train, rows.reshape(-1), self.device)
        if self.before:
            others = self.before(others, self.train, self.own.child("before", update))
        return batch, others.images.view(-1, k, *others.images.shape[1:]).float() / 255

    def partners(self, chosen: Ints, update: int) -> Ints:
        """Return which pictures are merged in place of each: int64 [B, k]."""
        k = self.method.k
        if self.method.partners == "same":
            return np.repeat(chosen[:, None], k, 1)
        return self.pool.others(chosen, k, self.own.child("partners", update).numpy())

    def drawn(self, rows: Ints) -> tuple[Batch, Tensor, Tensor]:
        """Return some pictures to look at, the same whenever it is called.

        Returns:
            the target pictures, A's inputs float [B, k, C, H, W] in [0, 1], and what A makes of
            them now, uint8 [B, C, H, W].
        """
        batch, inputs = self.draw(rows, self.updates, self.own.child("watch"))
        labels = self.labels[rows].to(self.device)
        return batch, inputs, painted(self.merger, inputs, labels)

    def look(self, update: int) -> None:
        """Keep what A makes of the shown pictures after this many updates; nothing is drawn."""
        merged = self.drawn(self.shown)[2].cpu().numpy()
        self.looks[update] = torch.from_numpy(reduced(merged, SHOWN))

    def losses(
        self, batch: Batch, inputs: Tensor, chosen: Ints, beta: float
    ) -> tuple[Tensor, Tensor]:
        """Return L_A and L_B of an update; gradients of L_B reach A times beta."""
        self.model.train()
        self.merger.train()
        real = batch.images.float()
        pixels = self.method.compare_in == "pixels"
        with self.autocast():
            merged = self.merger(inputs, self.labels[chosen].to(self.device)).float()
            seen = scaled_gradient(merged, beta) if pixels else merged
            logits, maps = self._looked_at(real, batch.generated, 255 * seen)
        loss_b = soft_cross_entropy(
            logits.float(),
            batch.targets.repeat(2, 1),
            batch.weights.repeat(2),
            self.recipe.label_smoothing,
        )
        if pixels:
            like = similarity(merged, real / 255, self.method.loss)
        else:
            like = similarity(maps[len(real) :], maps[: len(real)].detach(), self.method.loss)
        if self.method.partners != "same":  # a picture that is alone is its own input: no lesson
            like = like.masked_fill(self.lonely[chosen].to(self.device), 0.0)
        return like.mean(), loss_b

    def _looked_at(self, real: Tensor, generated: Tensor, merged: Tensor) -> tuple[Tensor, Tensor]:
        """Return the target's scores of real and merged pictures, and its feature maps if kept."""
        all_made = torch.ones_like(generated)
        if self.method.batch_norm == "together":
            flags = torch.cat([generated, all_made])
            return self.scores(torch.cat([real, merged]), flags), self._taken()
        with _running_statistics_kept(self.model):
            logits, maps = self.scores(merged, all_made), self._taken()
        first = self.scores(real, generated)
        return torch.cat([first, logits]), torch.cat([self._taken(), maps])

    def _taken(self) -> Tensor:
        """Return the feature maps of the last pass; empty where none are kept."""
        return torch.empty(0) if self.maps is None else self.maps.float()

    def _backward(self, loss_a: Tensor, loss_b: Tensor, alpha: float, beta: float) -> None:
        """Leave dL_B on the target and alpha dL_A + beta dL_B on the merging network."""
        if self.method.compare_in == "pixels":
            (alpha * loss_a + loss_b).backward()  # type: ignore[no-untyped-call]
            return
        # The similarity of feature maps runs through the target, which it must not train.
        learned = list(self.merger.parameters())
        loss_b.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        for weight in learned:
            if weight.grad is not None:
                weight.grad *= beta
        if loss_a.requires_grad:
            (alpha * loss_a).backward(inputs=learned)  # type: ignore[no-untyped-call]

    def measure(self, update: int) -> dict[str, Any]:
        """Return the row of the target's curve with both losses and their weights."""
        loss_a, loss_b, count = self.sums.tolist()
        self.sums = torch.zeros_like(self.sums)
        alpha, beta = self.weights(update - 1)
        both = {"loss_a": loss_a / max(1, count), "loss_b": loss_b / max(1, count)}
        return super().measure(update) | both | {"alpha": alpha, "beta": beta}

    def tensors(self) -> dict[str, Tensor]:
        """Return the target's tensors, those of the merging network, and the looks at it."""
        own = {f"merger.{name}": value for name, value in self.merger.state_dict().items()}
        own |= optimiser_tensors(self.merging, "merging")
        own |= {f"look.{update}": look for update, look in self.looks.items()}
        return super().tensors() | own | {"sums": self.sums}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        super().restore(tensors)
        self.merger.load_state_dict(below(tensors, "merger"))
        restore_optimiser(self.merging, tensors, "merging")
        self.sums = tensors["sums"]
        self.looks = {int(update): look for update, look in below(tensors, "look").items()}


@contextmanager
def _running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the statistics of a batch without remembering them."""
    norms = [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def _optimiser(merger: Merger, method: SmartAugmentation) -> torch.optim.Optimizer:
    if method.optimiser == "adam":
        return torch.optim.Adam(merger.parameters(), lr=method.rate, fused=True)
    return torch.optim.SGD(merger.parameters(), lr=method.rate, momentum=0.9, fused=True)


def _last_convolution(model: nn.Module) -> nn.Module:
    from learnaug.errors import UsageError

    found = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    if not found:
        raise UsageError(
            "the target has no convolution whose feature maps could be compared",
            mend="compare_in='pixels'",
        )
    return found[-1]
