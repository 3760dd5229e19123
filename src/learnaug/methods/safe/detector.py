"""The detector: a net that is asked which operations a picture underwent (thesis, step 1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from learnaug import ops
from learnaug.data import ImageSet, make_batch
from learnaug.nets import reseed
from learnaug.ops.draw import Drawn
from learnaug.ops.policy import Policy, Stage
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Recipe
from learnaug.training.target import Target

__all__ = ["Detector", "Subsets", "asked", "augmentation_loss"]


class Subsets:
    """Draws a random subset of 0 … most distinct operations for each picture, each with p = 1.

    Args:
        operations: n_ops named branches.
        most: largest subset.
        order: "random", or "table": in the order of the operations.
        per: "picture", or "batch": one subset for all pictures of a batch (the thesis).
    """

    def __init__(self, operations: OperationSet, most: int, order: str, per: str) -> None:
        branches = [branch for _, branch in operations.branches]
        self.policy = Policy(tuple(Stage((branch,)) for branch in branches), "subsets")
        self.owner = np.repeat(np.arange(len(branches)), [len(branch) for branch in branches])
        self.number, self.most = len(branches), min(most, len(branches))
        self.shuffled, self.alike = order == "random", per == "batch"

    def draw(self, n: int, size: tuple[int, int], seeds: Seeds) -> tuple[Drawn, NDArray[np.bool_]]:
        """Return what n pictures of size (H, W) undergo, and which operations: bool [n, n_ops]."""
        gen = seeds.child("subset").numpy()
        rows = 1 if self.alike else n
        chance = gen.random((rows, self.number))
        sizes = gen.integers(0, self.most + 1, rows)
        present = chance.argsort(1).argsort(1) < sizes[:, None]
        key = gen.random((rows, self.number)) if self.shuffled else np.zeros((rows, self.number))
        present = np.broadcast_to(present, (n, self.number)).copy()
        key = np.broadcast_to(key, (n, self.number))
        drawn = ops.draw(self.policy, n, seeds.child("magnitude").numpy(), size)
        masked = replace(drawn, ops=np.where(present[:, self.owner], drawn.ops, np.int16(-1)))
        # A stable sort keeps the elements of one operation together and in their order.
        order = np.argsort(key[:, self.owner], axis=1, kind="stable")
        return masked.reordered(order), present


class Detector(Target):
    """A net with n_ops + K scores: which operations were applied and, jointly, which class it is.

    L_total = L_augm + L_task. L_augm is the binary cross entropy of the sigmoid of the first n_ops
    scores, summed over the operations (thesis, eq. 3.1); L_task is the cross entropy of the K
    others: of the class of the picture, or of each pixel (L_segm), whose mask is moved as the
    picture is. The reference code takes the mean over operations: with our recipe such a detector
    learns several times more slowly.

    Args:
        model: uint8 [B, C, H, W] -> [B, n_ops + K], or [B, n_ops] where `joint` is false; for masks
            maps of these, [B, …, H, W], of which the first n_ops are averaged over the picture.
        train: pictures with labels or masks.
        subsets: what a batch undergoes.
        recipe: how to train.
        joint: whether the class is learned too.
        device, precision: where and in which number format.
    """

    def __init__(
        self,
        model: nn.Module,
        train: ImageSet,
        subsets: Subsets,
        recipe: Recipe,
        joint: bool,
        device: torch.device,
        precision: str,
    ) -> None:
        super().__init__(model, train, None, (), recipe, device, precision)
        self.subsets, self.joint = subsets, joint

    def step(self, update: int, seeds: Seeds) -> float:
        """Make one optimiser step and return L_total."""
        chosen = self.chosen(update, seeds)
        batch = make_batch(self.train, chosen, self.device)
        drawn, present = self.subsets.draw(
            len(chosen), self.train.size, seeds.child("augment", update)
        )
        images = ops.apply(batch.images, drawn)
        reseed(seeds.child("dropout", update), self.device)
        self.model.train()
        with self.autocast():
            scores = self.model(images)
        found = asked(scores.float(), self.subsets.number)
        loss = augmentation_loss(found, torch.from_numpy(present).to(self.device))
        if self.joint:
            targets = batch.targets
            if targets.ndim == 3:
                targets = ops.apply_masks(targets, drawn)
            classes = scores[:, self.subsets.number :].float()
            loss = loss + self.goal.loss(classes, targets, batch.weights, 0.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.descend(loss, update, chosen)
        return float(loss.detach())


def asked(scores: Tensor, number: int) -> Tensor:
    """Return the scores of the operations, [B, number], of a detector's output.

    Args:
        scores: float [B, >= number], or maps [B, >= number, H, W], which are averaged.
        number: n_ops.

    Example:
        >>> asked(torch.ones(2, 5, 4, 4), 3).shape
        torch.Size([2, 3])
    """
    first = scores[:, :number]
    return first.mean((2, 3)) if first.ndim == 4 else first


def augmentation_loss(scores: Tensor, present: Tensor) -> Tensor:
    """Return L_augm: the binary cross entropy of the n_ops scores, in nats.

    Summed over operations, mean over pictures.

    Args:
        scores: float [B, n_ops].
        present: bool [B, n_ops].

    Example:
        >>> round(float(augmentation_loss(torch.zeros(1, 2), torch.tensor([[True, False]]))), 4)
        1.3863
    """
    number = present.shape[1]
    return number * F.binary_cross_entropy_with_logits(scores, present.float())
