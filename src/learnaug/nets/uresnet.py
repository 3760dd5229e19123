"""UResNet: the generator of DAGAN (Antoniou et al. 2018), a picture and noise to a picture."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from learnaug.nets.renorm import BatchRenorm
from learnaug.nets.rng import chances

__all__ = ["LEAK", "Dropout", "UResNet", "scales"]

LEAK = 0.2
KEPT = 0.96  # of the picture, so that its black and white are finite in front of tanh
START = 0.25  # of what is painted on it
NOISE = (8, 4, 2)  # channels of noise at the first decoder blocks, as in the authors' code
LARGE = 64  # pixels from which the inner half of the net is twice as wide, as for the paper's faces


class UResNet(nn.Module):
    """Encoder and decoder with sums inside the blocks and U-Net skips between them.

    The first layer is a convolution with stride 2; every further scale is a block of `convs`
    convolutions (leaky ReLU, batch renormalisation, each added to what it was given) and a scaling
    layer with dropout. The noise enters the first three decoder blocks through a dense layer each.
    The last block also sees the picture.

    Shapes: float [B, C, H, W] in [-1, 1] and float [B, noise] -> float [B, C, H, W] in [-1, 1].

    Args:
        channels: C.
        size: (H, W) in pixels.
        width: channels of a layer; twice as many in the inner half from 64 px on.
        outer: channels of the layers at full size, which cost most.
        residual: whether it paints a change of its picture (ours), and begins with a small one.
        convs: convolutions of a block, >= 1.
        blocks: scales of the encoder, as many of the decoder; fewer for small pictures.
        noise: numbers that a picture is drawn by.
        dropout: of the scaling layers, 0 <= dropout < 1.

    Example:
        >>> net = UResNet(1, (28, 28), width=8, convs=1)
        >>> net(torch.zeros(2, 1, 28, 28), torch.zeros(2, 100)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        width: int = 64,
        outer: int = 64,
        residual: bool = False,
        convs: int = 4,
        blocks: int = 4,
        noise: int = 100,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.sizes = scales(size, blocks)
        depth = len(self.sizes) - 1
        large = max(size) >= LARGE
        widths = [width * (2 if large and 2 * i > depth else 1) for i in range(depth + 1)]
        widths[0] = outer
        self.stem = nn.Conv2d(channels, widths[1], 3, stride=2, padding=1)
        self.norm = BatchRenorm(widths[1])
        pairs = list(pairwise(widths[1:]))
        self.down = nn.ModuleList(_Block(a, a, b, convs, dropout, None) for a, b in pairs)
        self.noise, self.up = nn.ModuleList(), nn.ModuleList()
        given = widths[depth]
        for i, scale in enumerate(range(depth, 0, -1)):
            extra = NOISE[i] if i < len(NOISE) else 0
            high, wide = self.sizes[scale]
            if extra:
                self.noise.append(nn.Linear(noise, high * wide * extra))
            skip = 0 if scale == depth else widths[scale]
            own, after = widths[scale], widths[scale - 1]
            self.up.append(
                _Block(given + skip + extra, own, after, convs, dropout, self.sizes[scale - 1])
            )
            given = after
        self.last = nn.Conv2d(given + channels, outer, 3, padding=1)
        self.last_norm = BatchRenorm(outer)
        self.paint = nn.Conv2d(outer, channels, 3, padding=1)
        self.residual = residual

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return what is made of each picture by its own noise."""
        h = self.norm(leaky_relu(self.stem(images), LEAK))
        seen = [h]
        for block in self.down:
            h = block(h)
            seen.append(h)
        seen.pop()
        for i, block in enumerate(self.up):
            parts = [h, seen.pop()] if i else [h]
            if i < len(self.noise):
                drawn = self.noise[i](noise)
                parts.append(drawn.view(len(h), -1, *h.shape[2:]))
            h = block(torch.cat(parts, 1))
        h = self.last(torch.cat([h, images.to(h.dtype)], 1))
        painted = self.paint(self.last_norm(leaky_relu(h, LEAK))).float()
        return torch.tanh(
            START * painted + torch.atanh(KEPT * images.float()) if self.residual else painted
        )


class _Block(nn.Module):
    """Convolutions that each add to what they are given, then a scaling layer with dropout.

    Shapes: [B, given, h, w] -> [B, after, h / 2, w / 2], rounded up, or [B, after, *larger].
    """

    def __init__(
        self,
        given: int,
        width: int,
        after: int,
        convs: int,
        dropout: float,
        larger: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        stride = 2 if larger is None else 1
        self.larger = larger
        inputs = [given, *[width] * (convs - 1)]
        self.convs = nn.ModuleList(nn.Conv2d(n, width, 3, padding=1) for n in inputs)
        self.norms = nn.ModuleList(BatchRenorm(width) for _ in inputs)
        self.into = nn.Identity() if given == width else nn.Conv2d(given, width, 1)
        self.scale = nn.Conv2d(width, after, 3, stride=stride, padding=1)
        self.scaled = BatchRenorm(after)
        self.by = nn.Conv2d(width, after, 1, stride=stride)  # past the scaling layer
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the pictures at the next scale."""
        h, added = x, self.into(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = added = added + norm(leaky_relu(conv(h), LEAK))
        past = self.by(h)
        if self.larger is not None:
            # A 1 x 1 convolution and a nearest-neighbour enlargement can change places.
            past, h = enlarged(past, self.larger), enlarged(h, self.larger)
        new = self.dropout(self.scaled(leaky_relu(self.scale(h), LEAK)))
        out: Tensor = past + new
        return out


class Dropout(nn.Module):
    """Dropout of single values, which PyTorch's own draws 20 times as slowly on a CPU.

    Args:
        share: of the values that become 0 in training, 0 <= share < 1, rounded to 1/256.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.kept = 1 - round(256 * share) / 256

    def forward(self, x: Tensor) -> Tensor:
        """Return x with values left out, the others larger by as much; x itself in evaluation."""
        if not self.training or self.kept == 1:
            return x
        batch, maps, high, wide = x.shape  # drawn as the values lie in memory, channels last
        mask = chances(self.kept, batch, high, wide, maps).permute(0, 3, 1, 2)
        return x * mask.to(x.device, x.dtype).div_(self.kept)


def enlarged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps with every value twice along both sides, cut to `size`."""
    batch, maps, high, wide = x.shape
    last = x.permute(0, 2, 3, 1)[:, :, None, :, None]
    twice = last.expand(batch, high, 2, wide, 2, maps).reshape(batch, 2 * high, 2 * wide, maps)
    cut: Tensor = twice[:, : size[0], : size[1]].permute(0, 3, 1, 2)
    return cut


def scales(size: tuple[int, int], blocks: int) -> list[tuple[int, int]]:
    """Return the sizes that a picture goes through, its own first, halved and rounded up.

    At least one halving, at most `blocks`, and none below 2 pixels.

    Example:
        >>> scales((28, 28), 4), scales((1, 1), 4)
        ([(28, 28), (14, 14), (7, 7), (4, 4), (2, 2)], [(1, 1), (1, 1)])
    """
    found = [size]
    while len(found) < 2 or (len(found) <= blocks and max(found[-1]) > 2):
        found.append(((found[-1][0] + 1) // 2, (found[-1][1] + 1) // 2))
    return found
