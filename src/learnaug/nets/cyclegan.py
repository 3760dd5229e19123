"""The networks of CycleGAN (Zhu et al. 2017): a ResNet generator and a PatchGAN discriminator.

Both take and the generator gives pictures as float [B, C, H, W] in [-1, 1]; H and W of a generator
are multiples of 4 from 16 on. Instance normalisation without weights, convolutions with biases, no
dropout, as published.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import hardtanh

from learnaug.nets.rng import keyed
from learnaug.seeds import Seeds

__all__ = ["FIELDS", "LEAST", "STEP", "blocks_of", "discriminator", "generator", "layers_of"]

STEP, LEAST = 4, 16  # edges that a generator takes: multiples of STEP from LEAST on
FIELDS = {1: 16, 2: 34, 3: 70}  # layers of a discriminator -> edge of what one score sees, pixels
PATCH = 0.6  # one score sees at most this part of the shorter edge: patches, no whole pictures
SPREAD = 0.02  # standard deviation of the first weights


def blocks_of(size: tuple[int, int]) -> int:
    """Return how many residual blocks a generator has: 9 from 256 px on, 6 from 128 px (published).

    Ours below: 4 from 64 px on, else 3.

    Args:
        size: height and width in pixels; the shorter edge counts.

    Example:
        >>> [blocks_of((side, side)) for side in (256, 128, 64, 28)]
        [9, 6, 4, 3]
    """
    return next((blocks for side, blocks in ((256, 9), (128, 6), (64, 4)) if min(size) >= side), 3)


def layers_of(size: tuple[int, int]) -> int:
    """Return how many strided layers a discriminator has: 3 (patches of 70 px) from 117 px on.

    Ours below: 2 (34 px) from 57 px on, else 1 (16 px), so that it looks at patches there too.

    Args:
        size: height and width in pixels; the shorter edge counts.

    Example:
        >>> [layers_of((side, side)) for side in (256, 128, 64, 32)]
        [3, 3, 2, 1]
    """
    fitting = [layers for layers, field in FIELDS.items() if field <= PATCH * min(size)]
    return max(fitting, default=1)


class Block(nn.Module):
    """Two 3 x 3 convolutions whose result is added: float [B, width, H, W] -> the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)),
            nn.ReLU(inplace=True),
            *(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what the block adds."""
        out: Tensor = maps + self.body(maps)
        return out


class Skip(nn.Module):
    """A net whose output is added to its input: float [B, C, H, W] in [-1, 1] -> the same."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the pictures with what the net adds, cut to [-1, 1]."""
        return hardtanh(pictures + self.body(pictures))


def generator(
    channels: int,
    *,
    blocks: int,
    width: int = 64,
    skip: bool = False,
    seeds: Seeds | None = None,
) -> nn.Module:
    """Return a generator: [B, channels, H, W] in [-1, 1] -> the same shape and range.

    A 7 x 7 convolution, two of stride 2, the residual blocks, two transposed ones, 7 x 7 and tanh.

    Args:
        channels: of a picture.
        blocks: residual blocks; `blocks_of` tells how many.
        width: maps of the first layer; 64 as published.
        skip: add the output to the picture (ours): it begins as nearly the picture itself.
        seeds: key the first weights; None: seed 0.

    Example:
        >>> sum(p.numel() for p in generator(3, blocks=9).parameters())
        11378179
    """
    with keyed(seeds or Seeds(0).child("generator")):
        net = _drawn(_generator(channels, blocks, width))
    return Skip(net) if skip else net


def discriminator(
    channels: int, *, layers: int = 3, width: int = 64, seeds: Seeds | None = None
) -> nn.Sequential:
    """Return a PatchGAN: [B, channels, H, W] -> scores [B, 1, h, w], one for each patch.

    Args:
        channels: of a picture.
        layers: convolutions of stride 2; 3 as published, `FIELDS` tells what a score then sees.
        width: maps of the first layer; 64 as published.
        seeds: key the first weights; None: seed 0.

    Example:
        >>> sum(p.numel() for p in discriminator(3).parameters())
        2764737
    """
    with keyed(seeds or Seeds(0).child("discriminator")):
        return _drawn(_discriminator(channels, layers, width))


def _generator(channels: int, blocks: int, width: int) -> list[nn.Module]:
    parts: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7)]
    parts += [nn.InstanceNorm2d(width), nn.ReLU(inplace=True)]
    for wide in (width, 2 * width):
        parts += [nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1)]
        parts += [nn.InstanceNorm2d(2 * wide), nn.ReLU(inplace=True)]
    parts += [Block(4 * width) for _ in range(blocks)]
    for wide in (4 * width, 2 * width):
        up = nn.ConvTranspose2d(wide, wide // 2, 3, stride=2, padding=1, output_padding=1)
        parts += [up, nn.InstanceNorm2d(wide // 2), nn.ReLU(inplace=True)]
    parts += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
    return parts


def _discriminator(channels: int, layers: int, width: int) -> list[nn.Module]:
    parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1)]
    parts += [nn.LeakyReLU(0.2, inplace=True)]
    wide = width
    for number in range(1, layers + 1):
        after = width * min(2**number, 8)
        stride = 2 if number < layers else 1
        parts += [nn.Conv2d(wide, after, 4, stride=stride, padding=1)]
        parts += [nn.InstanceNorm2d(after), nn.LeakyReLU(0.2, inplace=True)]
        wide = after
    parts += [nn.Conv2d(wide, 1, 4, padding=1)]
    return parts


def _drawn(parts: list[nn.Module]) -> nn.Sequential:
    """Return the net with the weights of all convolutions from N(0, 0.02); biases are 0."""
    net = nn.Sequential(*parts)
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, SPREAD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return net
