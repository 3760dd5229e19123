"""ResNet-18 for small images: He et al. (2016), with the stem that is usual at 32 px.

The four stages are those of the paper's ResNet-18 (two basic blocks each; 64, 128, 256, 512
channels; 1 x 1 projections where the shape changes). How we differ: the 7 x 7 stem with stride 2
and the max-pooling after it are one 3 x 3 convolution with stride 1, so that an 8 px picture still
has a 1 x 1 map at the end. Above about 64 px this costs much time; `resnet50` has the large stem
there. Weights start as in the paper's follow-up (He et al. 2015, fan-out).
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["conv3x3", "resnet18", "start_convolutions"]


def conv3x3(inside: int, outside: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3 x 3 convolution without bias that keeps the size at stride 1."""
    return nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False)


def start_convolutions(net: nn.Module) -> None:
    """Draw convolutions' weights from N(0, 2 / fan_out) (He et al. 2015, eq. 14); biases are 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class BasicBlock(nn.Module):
    """relu(x' + bn(conv(relu(bn(conv(x)))))), x' = x or its 1 x 1 projection.

    [B, inside, H, W] -> [B, outside, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inside, outside, stride)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = conv3x3(outside, outside)
        self.bn2 = nn.BatchNorm2d(outside)
        self.shortcut = nn.Sequential()
        if stride != 1 or inside != outside:
            self.shortcut.append(nn.Conv2d(inside, outside, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


def resnet18(channels: int, size: tuple[int, int], classes: int) -> nn.Sequential:
    """Return ResNet-18 with a 3 x 3 stem: [B, channels, H, W] -> scores [B, classes].

    Any size >= 1 works: the last map is averaged.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     net = resnet18(3, (32, 32), 10)
        >>> sum(p.numel() for p in net.parameters())
        11173962
    """
    widths = [64, 64, 128, 256, 512]
    blocks: list[nn.Module] = []
    for stage, (inside, outside) in enumerate(pairwise(widths)):
        blocks += [BasicBlock(inside, outside, 2 if stage else 1), BasicBlock(outside, outside, 1)]
    stem = (conv3x3(channels, 64), nn.BatchNorm2d(64), nn.ReLU())
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
    net = nn.Sequential(*stem, *blocks, *head)
    start_convolutions(net)
    return net
