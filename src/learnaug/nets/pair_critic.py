"""The critic of DAGAN: a DenseNet that says how real the second of two pictures of a class is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu

from learnaug.nets.uresnet import LEAK, Dropout, scales

__all__ = ["PairCritic"]

HIDDEN = 1024  # units of the dense layer


class PairCritic(nn.Module):
    """Dense blocks with layer normalisation over two pictures, channel behind channel.

    Layer normalisation looks at one pair alone: the penalty on the gradient is about single pairs,
    which batch normalisation would tie together. The first layer is a convolution with stride 2;
    each block has `convs` 3x3 convolutions, whose maps are appended to what they were given, with
    dropout on the last one, and a 1x1 convolution with a mean over 2 x 2 behind it.

    Shapes: two times float [B, C, H, W] in [-1, 1] -> float [B].

    Args:
        channels: C.
        size: (H, W) in pixels.
        width: maps that a convolution appends.
        convs: convolutions of a block, >= 1.
        blocks: dense blocks; fewer for small pictures.
        dropout: on the last convolution of a block, 0 <= dropout < 1.

    Example:
        >>> critic = PairCritic(1, (28, 28), width=8, convs=2)
        >>> critic(torch.zeros(2, 1, 28, 28), torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2])
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        width: int = 64,
        convs: int = 5,
        blocks: int = 4,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        sizes = scales(size, blocks)
        self.stem = nn.Conv2d(2 * channels, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(_Dense(width, convs, dropout) for _ in sizes[1:])
        high, wide = sizes[-1]
        self.hidden = nn.Linear(width, HIDDEN)
        self.score = nn.Linear(HIDDEN + width * high * wide, 1)

    def forward(self, given: Tensor, candidate: Tensor) -> Tensor:
        """Return a score for each pair; higher is more like two pictures of a class."""
        h = leaky_relu(self.stem(torch.cat([given, candidate], 1)), LEAK)
        for i, block in enumerate(self.blocks):
            h = block(h)
            if i < len(self.blocks) - 1:
                h = avg_pool2d(h, 2, ceil_mode=True)
        dense = leaky_relu(self.hidden(h.mean((2, 3))), LEAK)
        score: Tensor = self.score(torch.cat([dense, h.flatten(1)], 1)).float()
        return score[:, 0]


class _Dense(nn.Module):
    """A dense block and the transition behind it: [B, width, h, w] -> the same."""

    def __init__(self, width: int, convs: int, dropout: float) -> None:
        super().__init__()
        inputs = [width * (i + 1) for i in range(convs)]
        self.convs = nn.ModuleList(nn.Conv2d(n, width, 3, padding=1) for n in inputs)
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in inputs)
        self.dropout = Dropout(dropout)
        self.through = nn.Conv2d(width * (convs + 1), width, 1)
        self.norm = nn.GroupNorm(1, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the transition leaves of all maps."""
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            new = leaky_relu(norm(conv(x)), LEAK)
            if i == len(self.convs) - 1:
                new = self.dropout(new)
            x = torch.cat([x, new], 1)
        return leaky_relu(self.norm(self.through(x)), LEAK)
