"""Pairs of distinct pictures of a class, and the quarter turns that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.data import ImageSet

__all__ = ["Pairs", "pixels", "scaled", "turned", "turns"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pictures that have another of their class, sorted by class.

    Args:
        rows: int64 [N], positions of the pictures, those of a class side by side.
        start, size: int64 [N], for each place of `rows`: where its class begins, how many it has.
    """

    rows: Ints
    start: Ints
    size: Ints

    @staticmethod
    def of(labels: Ints) -> Pairs:
        """Return the pairs that these labels allow; classes of one picture give none.

        Args:
            labels: int64 [N].
        """
        order = np.argsort(labels, kind="stable").astype(np.int64)
        count = np.bincount(labels, minlength=1)
        order = order[count[labels[order]] > 1]
        own = labels[order]
        start = np.searchsorted(own, own).astype(np.int64)
        return Pairs(order, start, count[own].astype(np.int64))

    def draw(self, number: int, gen: np.random.Generator) -> tuple[Ints, Ints]:
        """Return pairs (i, j), i != j of one class: int64 [B] each.

        Every picture is as likely to be the first, and every other of its class the second.

        Example:
            >>> first, second = Pairs.of(np.array([0, 1, 0, 2])).draw(4, np.random.default_rng(0))
            >>> sorted({*zip(first.tolist(), second.tolist())})
            [(0, 2), (2, 0)]
        """
        place = gen.integers(len(self.rows), size=number)
        start, size = self.start[place], self.size[place]
        other = start + (place - start + 1 + gen.integers(size - 1)) % size
        return self.rows[place], self.rows[other]


def turns(number: int, size: tuple[int, int], gen: np.random.Generator) -> Ints:
    """Return how often each pair is turned by 90 degrees: int64 [B]; half of them: not at all.

    Pictures that are not square are turned by 180 degrees or not at all.

    Args:
        number: of the pairs, B.
        size: (H, W) of the pictures.
        gen: draws the turns.
    """
    step = 1 if size[0] == size[1] else 2
    drawn = gen.integers(4 // step, size=number) * step
    return np.where(gen.random(number) < 0.5, drawn, 0)


def turned(images: Tensor, turns: Ints) -> Tensor:
    """Return pictures turned counter-clockwise, each so often by 90 degrees.

    Args:
        images: [B, C, H, W].
        turns: int64 [B]; the number modulo 4 counts.

    Example:
        >>> x = torch.arange(4.0).view(1, 1, 2, 2)
        >>> turned(x, np.array([1])).flatten().tolist()
        [1.0, 3.0, 0.0, 2.0]
    """
    out = images
    for number in range(1, 4):
        at = torch.from_numpy(turns % 4 == number).to(images.device)
        if bool(at.any()):
            out = torch.where(at[:, None, None, None], torch.rot90(images, number, (2, 3)), out)
    return out


def pixels(data: ImageSet, rows: Ints, device: torch.device) -> Tensor:
    """Return pictures as the nets see them: float [B, C, H, W] in [-1, 1], channels last."""
    return scaled(torch.from_numpy(np.ascontiguousarray(data.images[rows])).to(device))


def scaled(images: Tensor) -> Tensor:
    """Return uint8 pictures as float in [-1, 1], channels last in memory."""
    return (images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
