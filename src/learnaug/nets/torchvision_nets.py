"""DenseNet-121, VGG16, ResNet-50 and ResNet-200 of torchvision's parts, without trained weights.

From 64 px on (the shorter side) a net is torchvision's own; only the first convolution takes the
data's number of channels. Below 64 px the usual small-image rule holds:

- ResNets and DenseNet-121: the stem is one 3 x 3 convolution, stride 1, without max-pooling;
- VGG16: pools that would leave less than one pixel are left out, the last map is averaged to
  1 x 1 and the head is 512 - 512 - classes with dropout 0.5 (Liu & Deng 2015, ACPR) in place of the
  25088 - 4096 - 4096 - classes that belongs to 224 px.

New convolutions start as torchvision starts those that they replace, the dense layers of the small
VGG16 as PyTorch starts any (torchvision's own N(0, 0.01²) is meant for 4096 inputs). torchvision
is imported when a net is built.
"""

from __future__ import annotations

from torch import nn

from learnaug.nets.resnet import start_convolutions

__all__ = ["densenet121", "resnet50", "resnet200", "vgg16"]

SMALL = 64  # pixels of the shorter side: below, the small-image rule holds


def resnet50(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Return ResNet-50 (He et al. 2016): [B, channels, H, W] -> scores [B, classes]."""
    from torchvision import models

    net = models.resnet50(weights=None, num_classes=classes)
    return _adapted(net, channels, size, stem="conv1", pool="maxpool")


def resnet200(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Return ResNet-200 (He et al. 2016): [B, channels, H, W] -> scores [B, classes].

    64.7 million weights at 1,000 classes. Four stages of 3, 24, 36 and 3 bottlenecks, as published;
    the bottleneck is that of our ResNet-50 (normalised after each convolution, the stride in its
    3 x 3 one), as in Fast AutoAugment; the first ResNet-200 (He et al. 2016, "Identity Mappings")
    normalises before each convolution.
    """
    from torchvision import models

    net = models.ResNet(models.resnet.Bottleneck, [3, 24, 36, 3], num_classes=classes)
    return _adapted(net, channels, size, stem="conv1", pool="maxpool")


def densenet121(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Return DenseNet-121 (Huang et al. 2017): [B, channels, H, W] -> scores [B, classes]."""
    from torchvision import models

    net = models.densenet121(weights=None, num_classes=classes)
    return _adapted(net, channels, size, stem="features.conv0", pool="features.pool0")


def vgg16(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    """Return VGG16 (Simonyan & Zisserman 2015): [B, channels, H, W] -> scores [B, classes]."""
    from torchvision import models

    if min(size) >= SMALL:
        net = models.vgg16(weights=None, num_classes=classes)
        return _adapted(net, channels, size, stem="features.0")
    # The large head is never allocated: its 120 million weights would be drawn and thrown away.
    features = _pools_that_fit(models.vgg.make_layers(models.vgg.cfgs["D"]), min(size))
    head = (nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, classes))
    small = nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *head)
    start_convolutions(small)
    return _adapted(small, channels, size, stem="0")


def _adapted(
    net: nn.Module, channels: int, size: tuple[int, int], *, stem: str, pool: str = ""
) -> nn.Module:
    """Fit a fresh net's first convolution to the channels and, where it has a `pool` after it, to
    small pictures."""
    old = net.get_submodule(stem)
    assert isinstance(old, nn.Conv2d)
    small = bool(pool) and min(size) < SMALL
    if small:
        net.set_submodule(pool, nn.Identity())
    if small or channels != old.in_channels:
        side = 3 if small else old.kernel_size[0]
        stride = 1 if small else old.stride[0]
        has_bias = old.bias is not None
        new = nn.Conv2d(channels, old.out_channels, side, stride, side // 2, bias=has_bias)
        start_convolutions(new)
        net.set_submodule(stem, new)
    return net


def _pools_that_fit(layers: nn.Sequential, side: int) -> list[nn.Module]:
    """Return VGG's layers without the pools that would leave nothing of `side` pixels."""
    fitting: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d):
            side //= 2
            if side < 1:
                continue
        fitting.append(layer)
    return fitting
