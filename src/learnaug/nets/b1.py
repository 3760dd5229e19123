"""Network B1 of Lemley, Bazrafkan & Corcoran (2017), "Smart Augmentation", section III.

The text gives two convolutions, each followed by batch normalisation and max-pooling, a dense layer
of 1024 units, a dense layer of one unit per class, and dropout for each dense layer. Figure 7
holds the other figures and is lost in the text form of the paper; `papers/NOTES.md` 1.3 has them
from a public reimplementation: 16 and 8 filters of 3 x 3, pools of 3, a second batch normalisation
after the first pool, dropout 0.25, a sigmoid after the first dense layer. Chosen by us: ReLU
after the convolutions, padding that keeps the size, 0.5 for the second dropout (the default of
Lasagne, the paper's library).

How we differ: pooling rounds up, so that small pictures work (8 px: 8 -> 3 -> 1); scores are raw,
the softmax is in the loss. There is no limit on the size of the first dense layer: at 256 px it has
6.9 million weights.
"""

from __future__ import annotations

from math import ceil

from torch import nn

__all__ = ["b1"]


def b1(channels: int, size: tuple[int, int], classes: int) -> nn.Sequential:
    """Return network B1: [B, channels, H, W] -> scores [B, classes].

    Args:
        channels: channels of a picture (the paper: 1, and 3 for places).
        size: height and width in pixels, >= 1.
        classes: number of scores.

    Example:
        >>> import torch
        >>> net = b1(1, (8, 8), 10)
        >>> net(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    area = ceil(ceil(size[0] / 3) / 3) * ceil(ceil(size[1] / 3) / 3)
    return nn.Sequential(
        *(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(16)),
        *(nn.MaxPool2d(3, ceil_mode=True), nn.BatchNorm2d(16)),
        *(nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(8)),
        nn.MaxPool2d(3, ceil_mode=True),
        nn.Flatten(),
        *(nn.Dropout(0.25), nn.Linear(8 * area, 1024), nn.Sigmoid()),
        *(nn.Dropout(0.5), nn.Linear(1024, classes)),
    )
