"""Feature pyramid networks for segmentation: a small one for processors, one with DenseNet-121.

An encoder gives maps at four scales. Each goes through a 1 x 1 convolution to a common width, and
from the coarsest on a map is enlarged (nearest) and added to the next finer one (Lin et al. 2017).
For the classes of pixels (Kirillov et al. 2019, "Panoptic feature pyramid networks", section 3.1)
every level then goes through 3 x 3 convolutions, each followed by an enlargement of 2 (bilinear),
until it has the size of the finest; their sum goes through a 1 x 1 convolution to the scores, which
are enlarged (bilinear) to the picture.

Theirs has group normalisation in the pyramid; ours has the batch normalisation of the encoders.
Sides of 32 pixels and more work, multiples of 32 or not: maps are enlarged to the size that is
wanted and not by a factor.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from learnaug.errors import UsageError
from learnaug.nets.resnet import conv3x3, start_convolutions
from learnaug.nets.torchvision_nets import densenet121

__all__ = ["LEAST", "fpn_densenet121", "fpn_small"]

LEAST = 32  # pixels of the shorter side
WIDTHS = (32, 64, 96, 128)  # channels of the small encoder's maps
DENSE_WIDTHS = (256, 512, 1024, 1024)  # and of DenseNet-121's


def fpn_small(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Return a small pyramid net: [B, channels, H, W] -> scores [B, classes, H, W].

    Scales of 1/2, 1/4, 1/8 and 1/16 of the side; two 3 x 3 convolutions each, the finest one.
    Width and head are 32.

    Args:
        channels: channels of a picture.
        size: height and width in pixels, >= 32.
        classes: number of scores a pixel.

    Example:
        >>> net = fpn_small(3, (64, 64), 12)
        >>> sum(p.numel() for p in net.parameters())
        529388
    """
    _require(size)
    net = _Segmenter(_Stages(channels, WIDTHS), WIDTHS, 32, 32, classes)
    start_convolutions(net.encoder)
    return net


def fpn_densenet121(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Return a pyramid net on DenseNet-121: [B, channels, H, W] -> scores [B, classes, H, W].

    The encoder is torchvision's, without trained weights, at 1/4 to 1/32 of the side; below 64 px
    its stem keeps the size, and the maps are at 1 to 1/8. Width 256, head 128, as published.

    Args:
        channels, size, classes: as for `fpn_small`.
    """
    _require(size)
    features = densenet121(channels, size, 1).get_submodule("features")
    return _Segmenter(_Dense(features), DENSE_WIDTHS, 256, 128, classes)


class _Segmenter(nn.Module):
    """Encoder, pyramid, and scores in the size of the picture."""

    def __init__(
        self, encoder: nn.Module, widths: Sequence[int], width: int, head: int, classes: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pyramid = _Pyramid(widths, width, head)
        start_convolutions(self.pyramid)
        self.scores = nn.Conv2d(head, classes, 1)  # starts as PyTorch has it: small scores

    def forward(self, images: Tensor) -> Tensor:
        scores = self.scores(self.pyramid(self.encoder(images)))
        return _enlarged(scores, images, "bilinear")


class _Pyramid(nn.Module):
    """Maps of several scales, finest first, to one map of the finest scale."""

    def __init__(self, widths: Sequence[int], width: int, head: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in widths)
        self.heads = nn.ModuleList(_Climb(width, head, level) for level in range(len(widths)))

    def forward(self, maps: list[Tensor]) -> Tensor:
        levels = [side(given) for side, given in zip(self.sides, maps, strict=True)]
        for fine in reversed(range(len(levels) - 1)):
            levels[fine] = levels[fine] + _enlarged(levels[fine + 1], levels[fine], "nearest")
        climbed: list[Tensor] = [
            head(given, levels[:level][::-1])
            for level, (head, given) in enumerate(zip(self.heads, levels, strict=True))
        ]
        return functools.reduce(torch.add, climbed)


class _Climb(nn.Module):
    """From one level to the size of the finest: a convolution, then twice the side, each time."""

    def __init__(self, width: int, head: int, steps: int) -> None:
        super().__init__()
        given = [width, *[head] * steps]
        self.blocks = nn.ModuleList(_block(given[i], head, 1) for i in range(max(1, steps)))

    def forward(self, given: Tensor, finer: list[Tensor]) -> Tensor:
        for i, block in enumerate(self.blocks):
            given = block(given)
            if finer:
                given = _enlarged(given, finer[i], "bilinear")
        return given


class _Stages(nn.Module):
    """The small encoder: the maps of all stages, finest first."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        before = (channels, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(_block(given, width, 2), *([_block(width, width, 1)] if deep else []))
            for deep, (given, width) in enumerate(zip(before, widths, strict=True))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [images]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class _Dense(nn.Module):
    """DenseNet's features: each block's map behind the normalisation and ReLU that follow it."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> list[Tensor]:
        given, maps = images, []
        for name, part in self.features.named_children():
            if not name.startswith("transition"):
                given = part(given)
                continue
            level = part.get_submodule("relu")(part.get_submodule("norm")(given))
            maps.append(level)
            given = part.get_submodule("pool")(part.get_submodule("conv")(level))
        return [*maps, given.relu()]


def _block(given: int, width: int, stride: int) -> nn.Sequential:
    convolution = conv3x3(given, width, stride)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _enlarged(given: Tensor, like: Tensor, mode: str) -> Tensor:
    size = (like.shape[2], like.shape[3])
    if size == tuple(given.shape[2:]):
        return given
    if mode == "nearest":
        return interpolate(given, size, mode=mode)
    return interpolate(given, size, mode=mode, align_corners=False)


def _require(size: tuple[int, int]) -> None:
    if min(size) < LEAST:
        raise UsageError(
            f"a feature pyramid needs sides of {LEAST} pixels or more, "
            f"but the pictures have {size[0]} x {size[1]}",
            mend=f"set --size {LEAST} or more, or give a net of your own",
        )
