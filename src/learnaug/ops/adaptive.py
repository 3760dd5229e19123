"""Contrast-limited adaptive histogram equalisation in PyTorch, by OpenCV's rule.

8 x 8 tiles; each one's histogram is clipped, what was cut off is spread over all grey levels, and
its sums are the tile's table. A pixel's value is mixed from the tables of the four tiles whose
centres are nearest. A picture whose sides are not both divisible by 8 is thought to go on to the
right and below, mirrored about its last pixels, for 1 to 8 pixels more.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.ops.rows import upload

__all__ = ["equalized"]

TILES = 8


def equalized(grey: Tensor, clip: NDArray[np.float32]) -> Tensor:
    """Return the grey pictures with the histogram of every part flattened.

    Args:
        grey: uint8, [b, 1, H, W].
        clip: how many times more often than in a flat histogram a level may count, [b].

    Returns:
        uint8 [b, 1, H, W].

    Example:
        >>> equalized(torch.full((1, 1, 8, 8), 9, dtype=torch.uint8), np.float32([4])).unique()
        tensor([255], dtype=torch.uint8)
    """
    b, _, H, W = grey.shape
    whole = H % TILES == 0 and W % TILES == 0
    tall, wide = (n // TILES + (not whole) for n in (H, W))  # of a tile, in pixels
    rows = _mirrored(tall * TILES, H, grey.device)
    columns = _mirrored(wide * TILES, W, grey.device)
    longer = grey[:, 0].index_select(1, rows).index_select(2, columns)
    parts = longer.view(b, TILES, tall, TILES, wide).transpose(2, 3)
    tables = _tables(parts.reshape(b * TILES**2, tall * wide), clip).view(b, -1)
    top, bottom, down = _between(H, tall, grey.device)
    left, right, across = _between(W, wide, grey.device)
    levels = grey.view(b, H, W).long()

    def mixed(tiles: Tensor) -> Tensor:
        """Mix the tables of two neighbours in a row of tiles."""
        row = (tiles * TILES).unsqueeze(1)
        first, second = (
            tables.gather(1, (levels + (row + column) * 256).view(b, H * W)).view(b, H, W)
            for column in (left, right)
        )
        return first.mul_(1 - across).add_(second.mul_(across))

    down = down.unsqueeze(1)
    out = mixed(top).mul_(1 - down).add_(mixed(bottom).mul_(down))
    return out.round_().clamp_(0, 255).to(torch.uint8).unsqueeze(1)


def _mirrored(count: int, length: int, device: torch.device) -> Tensor:
    """Return `count` places that run to and fro in [0, length), the ends not repeated."""
    period = max(2 * (length - 1), 1)
    at = torch.arange(count, device=device) % period
    return torch.minimum(at, period - at).clamp_(max=length - 1)


def _tables(tiles: Tensor, clip: NDArray[np.float32]) -> Tensor:
    """Return float32 [t, 256] of uint8 [t, pixels]; b pictures have 64 tiles each."""
    count, pixels = tiles.shape
    limits = np.maximum(np.floor(clip.astype(np.float64) * pixels / 256), 1).astype(np.int64)
    limit = upload(limits.repeat(TILES**2), tiles.device).unsqueeze(1)
    at = tiles.long()
    counts = torch.zeros((count, 256), dtype=torch.int64, device=tiles.device)
    counts.scatter_add_(1, at, torch.ones_like(at))
    cut = (counts - limit).clamp_(min=0).sum(1, keepdim=True)
    rest = cut % 256  # spread one by one, at equal distances
    step = (256 // rest.clamp(min=1)).clamp_(min=1)
    greys = torch.arange(256, device=tiles.device)
    more = (greys % step == 0) & (greys // step < rest)
    counts = torch.minimum(counts, limit) + cut // 256 + more
    scale = float(np.float32(255) / np.float32(pixels))
    return counts.cumsum(1).float().mul_(scale).round_().clamp_(max=255)


def _between(length: int, tile: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return every pixel's two tiles along one axis, and the second one's share."""
    inverse = float(np.float32(1) / np.float32(tile))
    place = torch.arange(length, device=device, dtype=torch.float32).mul_(inverse).sub_(0.5)
    before = place.floor()
    first = before.long()
    last = TILES - 1
    return first.clamp(0, last), (first + 1).clamp(0, last), place - before
