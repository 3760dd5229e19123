"""A net that knows the classes, and guides or judges a generator by its pictures of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from learnaug.data import ImageSet
from learnaug.methods.augmenters import PLAIN
from learnaug.nets import build, forked
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe
from learnaug.training.forward import model_of
from learnaug.training.loop import trained
from learnaug.training.target import Target

__all__ = ["COST", "UPDATES", "Guide", "knowing", "length"]

BATCH = 64
UPDATES = 1_500  # of a guide, at most
PER_PICTURE = 4  # updates for each picture, at most
COST = 1 / 12  # of an update, in updates of our generator and critic (28 px, one core)


@dataclass(frozen=True, eq=False)
class Guide:
    """Says how far what a generator makes is from the class of its picture.

    Args:
        model: float [B, C, H, W] in 0 … 255 to scores [B, K]; its weights stay as they are.
        labels: int64 [N], the class of each picture of the source in 0 … K - 1.
    """

    model: nn.Module
    labels: Tensor

    def loss(self, made: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """Return the mean cross-entropy of the classes, in nats, with gradients to `made`.

        Args:
            made: float [B, C, H, W] in [-1, 1], upright.
            rows: int64 [B], the positions of the pictures that they were made of.
        """
        scores = self.model((made + 1) * 127.5).float()
        return cross_entropy(scores, self.labels[torch.from_numpy(rows)].to(scores.device))

    @staticmethod
    def of(
        source: ImageSet, seeds: Seeds, device: torch.device, precision: str, keep: Keep
    ) -> Guide:
        """Return a guide that knows the classes of `source`; arguments as of `knowing`."""
        own, model = knowing(source, UPDATES, seeds, device, precision, keep)
        return Guide(model.eval().requires_grad_(False), torch.from_numpy(own.labels))


def knowing(
    data: ImageSet,
    updates: int,
    seeds: Seeds,
    device: torch.device,
    precision: str,
    keep: Keep,
) -> tuple[ImageSet, nn.Module]:
    """Return the pictures with classes 0 … K - 1, and a small net trained to name them.

    Args:
        data: pictures of at least one class.
        updates: of the net, at most.
        seeds: keys the net and its training.
        device, precision: where and in which number format.
        keep: its checkpoints, and who may stop it.
    """
    own = _renumbered(data)
    net = build(
        "smallnet", channels=own.channels, size=own.size, classes=len(own.classes),
        seeds=seeds.child("net"),
    )  # fmt: skip
    size = max(2, min(BATCH, len(own)))
    epochs = max(1, round(length(len(own), updates) * size / len(own)))
    task = Target(
        model_of(net, own, device), own, None, (Phase(PLAIN),),
        Recipe(epochs=epochs, batch_size=size), device, precision,
    )  # fmt: skip
    with forked(device):
        trained(task, task.updates, seeds.child("train"), replace(keep, log=None))
    return own, task.model.eval()


def length(pictures: int, updates: int) -> int:
    """Return the updates of a net that is to know so many pictures; few need fewer than given."""
    return min(updates, PER_PICTURE * pictures)


def _renumbered(data: ImageSet) -> ImageSet:
    """Return the pictures with the numbers 0 … K - 1 for the classes that are there."""
    known = np.unique(data.labels)
    return ImageSet(
        data.name, data.images, np.searchsorted(known, data.labels).astype(np.int64),
        tuple(data.classes[k] for k in known), data.ids, data.groups, data.parts,
    )  # fmt: skip
