"""Wide residual networks WRN-n-k: Zagoruyko & Komodakis (2016), arXiv 1605.07146, table 1.

n = 6 N + 4 layers: a 3 x 3 stem of 16 channels, three stages of N blocks with 16 k, 32 k and 64 k
channels, batch normalisation, ReLU, mean over the map, one dense layer. A block normalises before
it convolves (B(3,3)), without dropout. As published; the weights start as in He et al. (2015).
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from learnaug.errors import UsageError
from learnaug.nets.resnet import conv3x3, start_convolutions

__all__ = ["wrn"]


class WideBlock(nn.Module):
    """x' + conv(relu(bn(conv(relu(bn(x)))))), x' = x or the 1 x 1 projection of relu(bn(x)).

    [B, inside, H, W] -> [B, outside, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = conv3x3(inside, outside, stride)
        self.bn2 = nn.BatchNorm2d(outside)
        self.conv2 = conv3x3(outside, outside)
        self.project = inside != outside or stride != 1
        if self.project:
            self.shortcut = nn.Conv2d(inside, outside, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        active = F.relu(self.bn1(x))
        inner: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return inner + (self.shortcut(active) if self.project else x)


def wrn(
    channels: int, size: tuple[int, int], classes: int, *, depth: int = 16, width: int = 2
) -> nn.Sequential:
    """Return WRN-depth-width: [B, channels, H, W] -> scores [B, classes].

    Args:
        channels: channels of a picture.
        size: not used: the last map is averaged, any side >= 1 works.
        classes: number of scores.
        depth: n = 6 N + 4 with N >= 1: 10, 16, 22, 28, 34, 40 ...
        width: k, 1 to 32.

    Raises:
        UsageError: depth or width break their rule.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     net = wrn(3, (32, 32), 10, depth=28, width=10)
        >>> sum(p.numel() for p in net.parameters())
        36479194
    """
    if depth < 10 or depth > 250 or (depth - 4) % 6:
        raise UsageError(
            f"the depth of a wide residual net must be 6 N + 4 from 10 to 250, but got {depth}",
            mend="take 10, 16, 22, 28, 34 or 40, as in wrn-16-2",
        )
    if not 1 <= width <= 32:
        raise UsageError(f"the width of a wide residual net must be 1 to 32, but got {width}")
    widths = [16, 16 * width, 32 * width, 64 * width]
    blocks: list[nn.Module] = []
    for stage, (inside, outside) in enumerate(pairwise(widths)):
        blocks.append(WideBlock(inside, outside, 2 if stage else 1))
        blocks += [WideBlock(outside, outside, 1) for _ in range((depth - 4) // 6 - 1)]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[3], classes))
    net = nn.Sequential(conv3x3(channels, 16), *blocks, nn.BatchNorm2d(widths[3]), nn.ReLU(), *head)
    start_convolutions(net)
    return net
