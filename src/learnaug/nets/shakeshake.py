"""Shake-Shake nets: Gastaldi (2017), arXiv 1705.07485, "Shake-Shake-Image".

26 2x96d: depth 26, two residual branches, 96 channels in the first stage. A 3 x 3 stem of 16
channels with batch normalisation; three stages of N blocks with d, 2 d and 4 d channels; ReLU, mean
over the map, one dense layer. The paper's table 3 gives 2.9 (2x32d), 11.7 (2x64d) and 26.2 million
weights (2x96d). Where a stage begins, the skip is two 1 x 1 convolutions of half the width, one
of which sees the picture shifted by a pixel, so that a stride of 2 leaves no pixel unseen. The
weights start as in He et al. (2015). How we differ: the last map is averaged whatever its size.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learnaug.errors import UsageError
from learnaug.nets.resnet import conv3x3, start_convolutions
from learnaug.nets.shake import ShakeShake

__all__ = ["shake_shake"]


class ShiftedSkip(nn.Module):
    """bn([conv(x'), conv(shift(x'))]), x' = relu(x): the skip where a stage begins.

    [B, inside, H, W] -> [B, outside, ceil(H / stride), ceil(W / stride)]; `outside` is even.
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside // 2, 1, stride=stride, bias=False)
        self.conv2 = nn.Conv2d(inside, outside // 2, 1, stride=stride, bias=False)
        self.bn = nn.BatchNorm2d(outside)

    def forward(self, x: Tensor) -> Tensor:
        """Return the skip's output."""
        active = F.relu(x)
        shifted = F.pad(active, (1, -1, 1, -1))  # right and down, zeros come in
        both: Tensor = self.bn(torch.cat([self.conv1(active), self.conv2(shifted)], 1))
        return both


class ShakenBlock(nn.Module):
    """x' + shake(f(x), g(x)), f and g = bn(conv(relu(bn(conv(relu(x)))))), x' = x or a skip.

    [B, inside, H, W] -> [B, outside, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.one, self.two = (_branch(inside, outside, stride) for _ in range(2))
        self.shake = ShakeShake()
        new = inside != outside or stride != 1
        self.skip = ShiftedSkip(inside, outside, stride) if new else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        mixed: Tensor = self.shake(self.one(x), self.two(x)) + self.skip(x)
        return mixed


def _branch(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.ReLU(), conv3x3(inside, outside, stride), nn.BatchNorm2d(outside)),
        *(nn.ReLU(), conv3x3(outside, outside), nn.BatchNorm2d(outside)),
    )


def shake_shake(
    channels: int, size: tuple[int, int], classes: int, *, depth: int = 26, width: int = 96
) -> nn.Sequential:
    """Return Shake-Shake depth 2 x width d: [B, channels, H, W] -> scores [B, classes].

    Args:
        channels: channels of a picture.
        size: not used: the last map is averaged, any side >= 1 works.
        classes: number of scores.
        depth: 6 N + 2 with N >= 1: 8, 14, 20, 26 ...
        width: channels of the first stage, even, 2 to 512.

    Raises:
        UsageError: depth or width break their rule.

    Example:
        >>> with torch.device("meta"):
        ...     net = shake_shake(3, (32, 32), 10)
        >>> sum(p.numel() for p in net.parameters())
        26192922
    """
    if not 8 <= depth <= 248 or (depth - 2) % 6:
        raise UsageError(
            f"the depth of a Shake-Shake net must be 6 N + 2 from 8 to 248, but got {depth}",
            mend="take 8, 14, 20 or 26",
        )
    if not 2 <= width <= 512 or width % 2:
        raise UsageError(
            f"the width of a Shake-Shake net must be even, from 2 to 512, but got {width}"
        )
    widths = [16, width, 2 * width, 4 * width]
    blocks: list[nn.Module] = []
    for stage, (inside, outside) in enumerate(pairwise(widths)):
        blocks.append(ShakenBlock(inside, outside, 2 if stage else 1))
        blocks += [ShakenBlock(outside, outside, 1) for _ in range((depth - 2) // 6 - 1)]
    head = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[3], classes))
    net = nn.Sequential(conv3x3(channels, 16), nn.BatchNorm2d(16), *blocks, *head)
    start_convolutions(net)
    return net
