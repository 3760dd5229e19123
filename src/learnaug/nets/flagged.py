"""The DenseNet classifier of DAGAN (Antoniou et al. 2018), and the flag that says what is real.

Four dense blocks of three 3 x 3 convolutions with growth k = 64, each followed by a transition,
and one dense layer: 4 (3 + 1) + 1 = 17 layers, as the paper counts them. No 1 x 1 bottlenecks;
dropout 0.5 on the last convolution of each block. The paper's flag is one more map before every
convolution: ones for a real picture, zeros for one that a generator made.

Left out by the text, and chosen by us: each convolution is followed by batch normalisation and
ReLU (so the first one sees the picture as it is, for the 17 layers leave no room for a stem);
transitions are 1 x 1 convolutions that keep the number of maps (a DenseNet without bottlenecks has
no compression either) and a mean over 2 x 2, rounded up, so that any side >= 1 works; the last map
is averaged; weights start as in He et al. (2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from learnaug.nets.resnet import start_convolutions
from learnaug.nets.smallnet import smallnet

__all__ = ["RealFlag", "dagan_densenet", "flagged_smallnet", "telling"]

BLOCKS, CONVOLUTIONS = 4, 3
DROPOUT = 0.5


class RealFlag(nn.Module):
    """One more map: 1 where a picture is real, 0 where it was generated.

    [B, C, H, W], … -> [B, C + … + 1, H, W]. Which pictures of a pass were generated is told by
    `telling`; without it all of them are real, as in evaluation. A net of your own has the flag
    where one of these stands before a convolution with one more input channel.

    Example:
        >>> RealFlag()(torch.zeros(2, 3, 8, 8))[:, 3].mean()
        tensor(1.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.real: Tensor | None = None  # [B], 1 or 0, inside `telling` only

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the maps, one behind the other, and the flag behind them."""
        flag = torch.ones_like(maps[0][:, :1])
        if self.real is not None:
            flag = flag * self.real.to(flag.dtype).view(-1, 1, 1, 1)
        return torch.cat([*maps, flag], 1)


@contextmanager
def telling(model: nn.Module, generated: Tensor) -> Iterator[None]:
    """Tell the flags in a model, inside the block, which pictures of a pass were generated.

    A model without flags notices nothing.

    Args:
        model: holds any number of `RealFlag`.
        generated: bool [B].

    Example:
        >>> flag = RealFlag()
        >>> with telling(flag, torch.tensor([True, False])):
        ...     flag(torch.zeros(2, 1, 1, 1))[:, 1].flatten()
        tensor([0., 1.])
    """
    flags = [part for part in model.modules() if isinstance(part, RealFlag)]
    for flag in flags:
        flag.real = ~generated
    try:
        yield
    finally:
        for flag in flags:
            flag.real = None


class Joined(nn.Module):
    """All maps one behind the other: what stands in the place of the flag in a net without it."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the maps, one behind the other."""
        return torch.cat(maps, 1) if len(maps) > 1 else maps[0]


class Layer(nn.Module):
    """Flag, convolution, batch normalisation, ReLU, dropout.

    [B, inside, H, W] -> [B, outside, H, W].

    Args:
        inside, outside: number of maps, those of the flag not counted.
        side: of the convolution's window in pixels, odd.
        flag: whether it has the flag.
        dropout: share of the values.
    """

    def __init__(self, inside: int, outside: int, side: int, flag: bool, dropout: float) -> None:
        super().__init__()
        self.join = RealFlag() if flag else Joined()
        self.conv = nn.Conv2d(inside + flag, outside, side, padding=side // 2, bias=False)
        self.norm = nn.BatchNorm2d(outside)
        self.drop = nn.Dropout(dropout)

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the new maps."""
        new: Tensor = self.drop(self.norm(self.conv(self.join(*maps))).relu())
        return new


class DenseBlock(nn.Module):
    """Three convolutions, each of which sees all maps before it, and a transition.

    [B, inside, H, W] -> [B, inside + 3 growth, ceil(H / 2), ceil(W / 2)].
    """

    def __init__(self, inside: int, growth: int, flag: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(inside + i * growth, growth, 3, flag, DROPOUT * (i == CONVOLUTIONS - 1))
            for i in range(CONVOLUTIONS)
        )
        self.outside = inside + CONVOLUTIONS * growth
        self.transition = Layer(self.outside, self.outside, 1, flag, 0.0)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        maps = [x]
        for layer in self.layers:
            maps.append(layer(*maps))
        out: Tensor = self.pool(self.transition(*maps))
        return out


def dagan_densenet(
    channels: int, size: tuple[int, int], classes: int, *, growth: int = 64, flag: bool = True
) -> nn.Sequential:
    """Return the DenseNet of DAGAN: [B, channels, H, W] -> scores [B, classes].

    Args:
        channels: channels of a picture.
        size: not used: the last map is averaged, any side >= 1 works.
        classes: number of scores.
        growth: maps that each convolution adds (the paper's k).
        flag: whether every convolution sees the map that says what is real.

    Example:
        >>> net = dagan_densenet(1, (28, 28), 10)
        >>> sum(isinstance(part, nn.Conv2d | nn.Linear) for part in net.modules())
        17
    """
    blocks: list[DenseBlock] = []
    inside = channels
    for _ in range(BLOCKS):
        blocks.append(DenseBlock(inside, growth, flag))
        inside = blocks[-1].outside
    net = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, classes))
    start_convolutions(net)
    return net


def flagged_smallnet(channels: int, size: tuple[int, int], classes: int) -> nn.Sequential:
    """Return SmallNet with the flag before each of its convolutions: what a CPU trains in seconds.

    Args:
        channels: channels of a picture.
        size: height and width in pixels, >= 1.
        classes: number of scores.

    Example:
        >>> net = flagged_smallnet(3, (64, 64), 2)
        >>> sum(p.numel() for p in net.parameters()) - 8406114  # 9 values a map that it makes
        720
    """
    parts: list[nn.Module] = []
    for part in smallnet(channels, size, classes):
        if isinstance(part, nn.Conv2d):
            inside, outside = part.in_channels + 1, part.out_channels
            parts += [RealFlag(), nn.Conv2d(inside, outside, part.kernel_size, padding=1)]  # type: ignore[arg-type]
        else:
            parts.append(part)
    return nn.Sequential(*parts)
