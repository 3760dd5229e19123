"""PyramidNet with ShakeDrop: Han et al. (2017), arXiv 1610.02915; Yamada et al. (2019).

PyramidNet-272 with alpha 200 and bottlenecks has 26.2 million weights; the 26.0 of the paper's
table 4 are those of the convolutions and the dense layer. A 3 x 3 stem of 16 channels with batch
normalisation; three stages of N = (depth - 2) / 9 blocks; block k of all 3 N has a width of
16 + k alpha / (3 N), rounded, and four times as many channels come out of it; batch normalisation,
ReLU, mean over the map, one dense layer. A skip has no weights: the missing channels are zeros, and
where a stage begins 2 x 2 pixels are averaged. ShakeDrop stands at the end of each branch; block l
keeps its branch with probability 1 - (1 - p_L) l / L, p_L = 0.5. As in Fast AutoAugment (Lim et al.
2019), whose settings AWS takes over, alpha and beta are drawn for each picture and the gate for
each batch. The weights start as in He et al. (2015).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from learnaug.errors import UsageError
from learnaug.nets.resnet import conv3x3, start_convolutions
from learnaug.nets.shake import ShakeDrop

__all__ = ["pyramidnet"]

STEM = 16
WIDER = 4  # channels that come out of a bottleneck, as a multiple of its width
LAST_KEPT = 0.5  # p_L


class PyramidBlock(nn.Module):
    """x' + shakedrop(bn(conv1(relu(bn(conv3(relu(bn(conv1(bn(x)))))))))), x' = x fitted.

    [B, inside, H, W] -> [B, 4 width, ceil(H / stride), ceil(W / stride)], inside <= 4 width.

    Args:
        inside: channels that come in.
        width: channels of the bottleneck.
        stride: of the 3 x 3 convolution.
        keep: probability that ShakeDrop leaves the branch as it is.
    """

    def __init__(self, inside: int, width: int, stride: int, keep: float) -> None:
        super().__init__()
        outside = WIDER * width
        self.branch = nn.Sequential(
            *(nn.BatchNorm2d(inside), nn.Conv2d(inside, width, 1, bias=False)),
            *(nn.BatchNorm2d(width), nn.ReLU(), conv3x3(width, width, stride)),
            *(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, outside, 1, bias=False)),
            *(nn.BatchNorm2d(outside), ShakeDrop(keep)),
        )
        self.pool = nn.Identity() if stride == 1 else nn.AvgPool2d(stride, ceil_mode=True)
        self.missing = outside - inside

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inner: Tensor = self.branch(x)
        return inner + F.pad(self.pool(x), (0, 0, 0, 0, 0, self.missing))


def pyramidnet(
    channels: int, size: tuple[int, int], classes: int, *, depth: int = 272, alpha: int = 200
) -> nn.Sequential:
    """Return PyramidNet-depth with ShakeDrop: [B, channels, H, W] -> scores [B, classes].

    Args:
        channels: channels of a picture.
        size: not used: the last map is averaged, any side >= 1 works.
        classes: number of scores.
        depth: 9 N + 2 with N >= 1: 11, 20, 29 ... 272.
        alpha: how much wider the last block is than the stem, 1 to 1000.

    Raises:
        UsageError: depth or alpha break their rule.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     net = pyramidnet(3, (32, 32), 10)
        >>> sum(p.numel() for p in net.parameters())
        26210842
    """
    if not 11 <= depth <= 1001 or (depth - 2) % 9:
        raise UsageError(
            f"the depth of a PyramidNet must be 9 N + 2 from 11 to 1001, but got {depth}",
            mend="take 11, 20, 29, 110, 164 or 272",
        )
    if not 1 <= alpha <= 1000:
        raise UsageError(f"the alpha of a PyramidNet must be 1 to 1000, but got {alpha}")
    stage = (depth - 2) // 9
    count = 3 * stage
    blocks: list[nn.Module] = []
    inside = STEM
    for k in range(1, count + 1):
        width = round(STEM + k * alpha / count)
        stride = 2 if k in (stage + 1, 2 * stage + 1) else 1
        blocks.append(PyramidBlock(inside, width, stride, 1 - (1 - LAST_KEPT) * k / count))
        inside = WIDER * width
    stem = (conv3x3(channels, STEM), nn.BatchNorm2d(STEM))
    head = (nn.BatchNorm2d(inside), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nn.Sequential(*stem, *blocks, *head, nn.Linear(inside, classes))
    start_convolutions(net)
    return net
