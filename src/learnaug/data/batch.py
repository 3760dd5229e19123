"""Which images make up update number u, and the tensors that the training loop sees.

The stream of images is endless: the permutations of epoch 0, 1, 2 … one behind the other, cut
into pieces of the batch size. So every batch is full, every epoch shows each image once, and the
batch of any update follows from its number alone: nothing has to be stored to go on after a stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from learnaug.errors import UsageError
from learnaug.seeds import Seeds

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from learnaug.data.imageset import ImageSet

__all__ = ["Batch", "batches", "evenly", "make_batch", "order", "repeated"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Images with their targets; B images, K classes.

    Args:
        images: uint8 [B, C, H, W].
        targets: float32 [B, K], class probabilities; for segmentation int64 [B, H, W].
        weights: float32 [B], mean 1.
        generated: bool [B], true where an image was made by a generator.
    """

    images: Tensor
    targets: Tensor
    weights: Tensor
    generated: Tensor


def make_batch(data: ImageSet, indices: Ints, device: torch.device | str = "cpu") -> Batch:
    """Copy the images with these indices to the device, with one-hot targets and weight 1.

    Args:
        data: images uint8 [N, C, H, W], labels int64 [N] or masks uint8 [N, H, W].
        indices: int64 [B].
        device: where the tensors go.
    """
    import torch

    images = torch.from_numpy(np.ascontiguousarray(data.images[indices])).to(device)
    if data.masks is not None:
        targets = torch.from_numpy(data.masks[indices].astype(np.int64))
    else:
        one_hot = np.zeros((len(indices), len(data.classes)), np.float32)
        one_hot[np.arange(len(indices)), data.labels[indices]] = 1
        targets = torch.from_numpy(one_hot)
    return Batch(
        images,
        targets.to(device),
        torch.ones(len(indices), device=device),
        torch.zeros(len(indices), dtype=torch.bool, device=device),
    )


def repeated(batch: Batch, copies: int) -> Batch:
    """Return the batch so many times over, one whole copy behind the other."""
    if copies == 1:
        return batch
    import torch

    parts = (batch.images, batch.targets, batch.weights, batch.generated)
    return Batch(*(torch.cat([part] * copies) for part in parts))


def evenly(n: int, most: int) -> Ints:
    """Return at most `most` of the positions 0 … n - 1, evenly spaced, the ends among them.

    Example:
        >>> evenly(5, 3).tolist(), evenly(2, 3).tolist()
        ([0, 2, 4], [0, 1])
    """
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)


def order(n: int, epoch: int, seeds: Seeds) -> Ints:
    """Return the permutation of 0 … n - 1 in which this epoch shows its images.

    Example:
        >>> sorted(order(4, 0, Seeds(0)).tolist())
        [0, 1, 2, 3]
    """
    return seeds.child("order", epoch).numpy().permutation(n)


def batches(n: int, batch_size: int, update: int, seeds: Seeds) -> Ints:
    """Return the positions, in 0 … n - 1, that update number `update` sees.

    With b = batch_size these are the places u b … (u + 1) b - 1 of the stream
    order(0), order(1), …; a batch may begin in one epoch and end in the next.

    Args:
        n: number of training images, >= 1.
        batch_size: 1 <= batch_size <= n; the caller lowers a larger one to n and says so.
        update: number of the update, from 0.
        seeds: the node of this run; asked for its child ("order", epoch).

    Returns:
        int64 [batch_size].

    Raises:
        UsageError: a number is out of its range.

    Example:
        >>> seen = np.concatenate([batches(6, 4, u, Seeds(0)) for u in range(3)])
        >>> sorted(seen[:6].tolist()), sorted(seen[6:].tolist())
        ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5])
    """
    if not 1 <= batch_size <= n:
        raise UsageError(f"`1 <= batch_size <= n` must hold, but got {batch_size} and n = {n}")
    if update < 0:
        raise UsageError(f"`update >= 0` must hold, but got {update}")
    epoch, start = divmod(update * batch_size, n)
    head = order(n, epoch, seeds)[start : start + batch_size]
    if len(head) == batch_size:
        return head
    return np.concatenate([head, order(n, epoch + 1, seeds)[: batch_size - len(head)]])
