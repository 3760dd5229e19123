"""The literal table of nets: name -> how to build it and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from learnaug.nets.b1 import b1
from learnaug.nets.flagged import dagan_densenet, flagged_smallnet
from learnaug.nets.fpn import fpn_densenet121, fpn_small
from learnaug.nets.pyramidnet import pyramidnet
from learnaug.nets.resnet import resnet18
from learnaug.nets.shakeshake import shake_shake
from learnaug.nets.smallnet import smallnet
from learnaug.nets.torchvision_nets import densenet121, resnet50, resnet200, vgg16
from learnaug.nets.wrn import wrn

__all__ = ["NETS", "Row", "Task"]

Task = Literal["classification", "segmentation"]


@dataclass(frozen=True, slots=True)
class Row:
    """One net of the table.

    Args:
        build: called with channels, (height, width), classes; gives the net.
        summary: one line for people.
        task: whether it gives scores [B, K] of pictures, or [B, K, H, W] of pixels.
    """

    build: Callable[[int, tuple[int, int], int], nn.Module]
    summary: str
    task: Task = "classification"


NETS: dict[str, Row] = {
    "smallnet": Row(smallnet, "3 convolutions, 2 dense layers (Perez & Wang 2017); fast on a CPU"),
    "smallnet-flagged": Row(
        flagged_smallnet, "smallnet that is told which pictures are generated; fast on a CPU"
    ),
    "b1": Row(b1, "2 convolutions, 2 dense layers (Lemley et al. 2017)"),
    "resnet18": Row(resnet18, "ResNet-18 with a 3x3 stem for small images; 11 million weights"),
    "wrn-16-2": Row(partial(wrn, depth=16, width=2), "wide residual net, 0.7 million weights"),
    "wrn-28-10": Row(partial(wrn, depth=28, width=10), "wide residual net, 36.5 million weights"),
    "shake-shake-26-2x32d": Row(
        partial(shake_shake, depth=26, width=32), "two random branches, 2.9 million weights"
    ),
    "shake-shake-26-2x96d": Row(
        partial(shake_shake, depth=26, width=96), "two random branches, 26.2 million weights"
    ),
    "pyramidnet-272": Row(
        partial(pyramidnet, depth=272, alpha=200),
        "PyramidNet (alpha 200, bottlenecks) with ShakeDrop, 26.2 million weights; slow on a CPU",
    ),
    "densenet121": Row(densenet121, "torchvision's DenseNet-121, small stem below 64 px"),
    "vgg16": Row(vgg16, "torchvision's VGG16, small head below 64 px"),
    "resnet50": Row(resnet50, "torchvision's ResNet-50, small stem below 64 px"),
    "resnet200": Row(
        resnet200, "ResNet-200, 64.7 million weights, small stem below 64 px; slow on a CPU"
    ),
    "dagan-densenet": Row(
        dagan_densenet,
        "17 layers, told which pictures are generated (Antoniou et al. 2018); slow on a CPU",
    ),
    "dagan-densenet-plain": Row(
        partial(dagan_densenet, flag=False), "the same without being told; slow on a CPU"
    ),
    "dagan-densenet-16": Row(
        partial(dagan_densenet, growth=16), "dagan-densenet with growth 16 in place of 64"
    ),
    "fpn-small": Row(
        fpn_small, "feature pyramid, 0.5 million weights; fast on a CPU", "segmentation"
    ),
    "fpn-densenet121": Row(
        fpn_densenet121, "feature pyramid on torchvision's DenseNet-121", "segmentation"
    ),
}
