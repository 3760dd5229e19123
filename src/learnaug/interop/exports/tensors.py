"""Copied into exported files for batches: noise, and equalisation in tiles, of [B, C, H, W]."""

from __future__ import annotations

import torch
from torch import Tensor

from learnaug.interop.exports.noise import NORMAL, hashed, noise_factor, noise_keys

__all__ = ["add_noise", "equalize_tiles"]


def add_noise(images: Tensor, deviations: list[float], extras: list[tuple[float, ...]]) -> Tensor:
    """Add each picture's normal noise to every value; it follows from its four `extra` numbers."""
    keys = torch.tensor([noise_keys(extra) for extra in extras]).to(images.device)
    places = torch.arange(images[0].numel(), device=images.device)
    bits = hashed(hashed(places ^ keys[:, :1]) ^ keys[:, 1:])
    table = torch.tensor(NORMAL, dtype=torch.float32).to(images.device)
    factor = torch.tensor([[noise_factor(deviation)] for deviation in deviations])
    noise = (table[bits & 4095] + table[bits >> 20]) * factor.to(images)
    return (noise.view_as(images) + images + 0.5).clamp(0, 255).floor()


def equalize_tiles(grey: Tensor, clips: list[float]) -> Tensor:
    """Equalise the levels [B, 1, H, W] in 8×8 tiles, contrast limited, as OpenCV does."""
    B, _, H, W = grey.shape
    whole = H % 8 == 0 and W % 8 == 0
    tall, wide = H // 8 + (not whole), W // 8 + (not whole)
    longer = grey[:, 0][:, mirrored(8 * tall, H)][:, :, mirrored(8 * wide, W)]
    tiles = longer.reshape(B, 8, tall, 8, wide).transpose(2, 3).reshape(B, 64, tall * wide)
    tables = tile_tables(tiles.long(), clips).view(B, -1)
    (top, bottom, down), (left, right, across) = nearest_tiles(H, tall), nearest_tiles(W, wide)
    down, across = down.view(-1, 1).to(grey.device), across.to(grey.device)

    def levels(rows: Tensor, columns: Tensor) -> Tensor:
        number = (rows.view(-1, 1) * 8 + columns).to(grey.device) * 256
        found = tables.gather(1, (grey[:, 0].long() + number).flatten(1))
        return found.view(B, H, W)

    high = levels(top, left) * (1 - across) + levels(top, right) * across
    low = levels(bottom, left) * (1 - across) + levels(bottom, right) * across
    return (high * (1 - down) + low * down).round().unsqueeze(1)


def mirrored(count: int, length: int) -> Tensor:
    """Return `count` places that run to and fro in a line of that length."""
    places = torch.arange(count) % max(2 * (length - 1), 1)
    return torch.minimum(places, max(2 * (length - 1), 1) - places).clamp(max=length - 1)


def tile_tables(tiles: Tensor, clips: list[float]) -> Tensor:
    """Return each tile's table, [B, 64, 256], of [B, 64, pixels]."""
    B, _, pixels = tiles.shape
    limits = torch.tensor([max(int(clip * pixels / 256), 1) for clip in clips])
    limit = limits.to(tiles.device).view(B, 1, 1)
    counts = tiles.new_zeros((B, 64, 256)).scatter_add_(2, tiles, torch.ones_like(tiles))
    cut = (counts - limit).clamp(min=0).sum(2, keepdim=True)
    rest = cut % 256
    step = 256 // rest.clamp(min=1)
    greys = torch.arange(256, device=tiles.device)
    more = (greys % step == 0) & (greys // step < rest)
    sums = (torch.minimum(counts, limit) + cut // 256 + more).cumsum(2).float()
    return (sums * float(torch.tensor(255.0) / pixels)).round().clamp(max=255)


def nearest_tiles(length: int, tile: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return every pixel's two tiles along one side, and the second one's share."""
    places = torch.arange(length) * float(torch.tensor(1.0) / tile) - 0.5
    first = places.floor().long()
    return first.clamp(0, 7), (first + 1).clamp(0, 7), places - places.floor()
