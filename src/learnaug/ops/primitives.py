"""The four primitives in PyTorch, for any device: uint8 in, uint8 out, batched, deterministic.

Every module with these four functions can be the back end of `apply`. Coordinates are fixed point
(integers), so that a warp picks the same pixels on every device and the same ones as Pillow.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from learnaug.ops.geometry import NEAREST_BITS, SMOOTH_BITS
from learnaug.ops.rows import runs, upload
from learnaug.ops.table import INTERPOLATIONS

__all__ = ["Backend", "blend", "convolve", "lookup", "warp"]

_NEAREST = INTERPOLATIONS.index("nearest")


class Backend(Protocol):
    """The four primitives: this module is one, another may replace it in `apply`."""

    def warp(
        self,
        images: Tensor,
        matrix: NDArray[np.float64],
        fill: NDArray[np.int64],
        interpolation: NDArray[np.int8],
    ) -> Tensor: ...
    def lookup(self, images: Tensor, table: Tensor) -> Tensor: ...
    def blend(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor: ...
    def convolve(self, images: Tensor, kernel: Tensor) -> Tensor: ...


def warp(
    images: Tensor,
    matrix: NDArray[np.float64],
    fill: NDArray[np.int64],
    interpolation: NDArray[np.int8],
) -> Tensor:
    """Resample each picture through its own affine map.

    Args:
        images: any integer type, [B, C, H, W].
        matrix: float64 on the host, [B, 3, 3]; output -> input, in pixels, pixel centres at +0.5.
        fill: value outside the input, [B].
        interpolation: position in INTERPOLATIONS, [B]: "nearest", "bilinear" (clamped at the edge)
            or "bicubic" (a = -1), as Pillow; neighbours of one kind are resampled together, so
            sort by it.

    Example:
        >>> flip = np.array([[[-1.0, 0, 2], [0, 1, 0], [0, 0, 1]]])
        >>> zero = np.zeros(1, np.int64)
        >>> warp(torch.tensor([[[[1, 2]]]]), flip, zero, zero.astype(np.int8)).tolist()
        [[[[2, 1]]]]
    """
    if images.numel() == 0:
        return images.clone()
    numbers = upload(_fixed_point(matrix, fill, interpolation), images.device)
    parts = [
        _resample(images[span], numbers[span], INTERPOLATIONS[kind])
        for kind, span in runs(interpolation)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _fixed_point(
    matrix: NDArray[np.float64], fill: NDArray[np.int64], interpolation: NDArray[np.int8]
) -> NDArray[np.int64]:
    """Return int64 [B, 7]: the six numbers of each map, for pixel centres at 0, and the fill."""
    rows = matrix[:, :2].copy()
    rows[:, :, 2] += 0.5 * (rows[:, :, 0] + rows[:, :, 1])
    bits = np.where(interpolation == _NEAREST, NEAREST_BITS, SMOOTH_BITS)
    fixed = np.floor(rows * 2.0 ** bits[:, None, None] + 0.5).astype(np.int64)
    return np.column_stack((fixed.reshape(-1, 6), fill))


def _resample(images: Tensor, numbers: Tensor, kind: str) -> Tensor:
    B, C, H, W = images.shape
    x, y = _coordinates(numbers[:, :6].view(-1, 2, 3), (H, W))  # [B, H*W]
    bits = NEAREST_BITS if kind == "nearest" else SMOOTH_BITS
    one = 1 << bits
    inside = (x >= 0) & (x < W * one) & (y >= 0) & (y < H * one)
    flat = images.reshape(B, C, H * W)
    if kind == "nearest":
        at = (y >> bits).clamp_(0, H - 1) * W + (x >> bits).clamp_(0, W - 1)
        out = flat.gather(2, at.unsqueeze(1).expand(B, C, H * W))
    else:
        out = _smooth(flat, x - one // 2, y - one // 2, (H, W), kind)
    edge = numbers[:, 6].to(images.dtype).view(B, 1, 1)
    return torch.where(inside.unsqueeze(1), out, edge).view(B, C, H, W)


def _coordinates(fixed: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the input's x and y of every output pixel in fixed point, int64 [B, H*W] each."""
    H, W = size
    across = torch.arange(W, device=fixed.device)
    down = torch.arange(H, device=fixed.device).unsqueeze(1)
    a, b, c = (fixed[:, :, i].reshape(-1, 2, 1, 1) for i in range(3))
    both = (a * across + (b * down + c)).flatten(2)
    return both[:, 0], both[:, 1]


def _smooth(flat: Tensor, x: Tensor, y: Tensor, size: tuple[int, int], kind: str) -> Tensor:
    """Weigh 2×2 or 4×4 neighbours; x and y count from pixel centres, 32 fractional bits."""
    H, W = size
    B, C, _ = flat.shape
    x0, y0 = x >> SMOOTH_BITS, y >> SMOOTH_BITS
    scale = 1.0 / (1 << SMOOTH_BITS)
    wx = _weights((x - (x0 << SMOOTH_BITS)).float() * scale, kind)
    wy = _weights((y - (y0 << SMOOTH_BITS)).float() * scale, kind)
    first = 1 - len(wx) // 2
    values = flat.float()
    total = torch.zeros_like(values)
    for j, vertical in enumerate(wy):
        row = (y0 + (first + j)).clamp_(0, H - 1) * W
        for i, horizontal in enumerate(wx):
            at = row + (x0 + (first + i)).clamp_(0, W - 1)
            near = values.gather(2, at.unsqueeze(1).expand(B, C, at.shape[1]))
            # Not addcmul_, which rounds once where it is fused and twice where it is not.
            total.add_(near.mul_((vertical * horizontal).unsqueeze(1)))
    return total.add_(0.5).clamp_(0, 255).to(flat.dtype)


def _weights(t: Tensor, kind: str) -> tuple[Tensor, ...]:
    """Return the taps' weights at the fraction t in [0, 1)."""
    if kind == "bilinear":
        return 1 - t, t
    s = 1 - t  # cubic convolution with a = -1, Pillow's choice for transforms
    return -t * s * s, 1 + t * t * (t - 2), 1 + s * s * (s - 2), -s * t * t


def lookup(images: Tensor, table: Tensor) -> Tensor:
    """Replace each value by its entry: out[b, c] = table[b, c][images[b, c]].

    Args:
        images: uint8, [B, C, H, W].
        table: uint8, [B, C or 1, 256], on the same device.

    Example:
        >>> negative = torch.arange(255, -1, -1, dtype=torch.uint8).view(1, 1, 256)
        >>> lookup(torch.tensor([[[[0, 255, 7]]]], dtype=torch.uint8), negative).tolist()
        [[[[255, 0, 248]]]]
    """
    B, C, H, W = images.shape
    at = images.reshape(B, C, H * W).long()
    return table.expand(B, C, 256).gather(2, at).view(B, C, H, W)


def blend(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Mix two pictures: out = a + weight·(b - a), clipped to [0, 255], fraction cut off as Pillow.

    Args:
        a: uint8, [B, C or 1, H or 1, W or 1].
        b: uint8, likewise.
        weight: float32, [B, 1, H or 1, W or 1]; below 0 and above 1 it extrapolates.

    Example:
        >>> a, b = torch.tensor([[[[10]]]]).byte(), torch.tensor([[[[20]]]]).byte()
        >>> blend(a, b, torch.tensor([[[[0.55]]]])).item()
        15
    """
    low = a.float()
    return (low + weight * (b.float() - low)).clamp_(0, 255).to(torch.uint8)


def convolve(images: Tensor, kernel: Tensor) -> Tensor:
    """Filter each picture with its own kernel; the edge pixels are repeated outwards.

    Args:
        images: uint8, [B, C, H, W].
        kernel: float32, [B, k, k], k odd.

    Example:
        >>> box = torch.full((1, 3, 3), 1 / 9)
        >>> convolve(torch.full((1, 1, 2, 2), 9, dtype=torch.uint8), box).tolist()
        [[[[9, 9], [9, 9]]]]
    """
    k = kernel.shape[-1]
    B, _, H, W = images.shape
    if images.numel() == 0:
        return images.clone()
    padded = F.pad(images.float(), (k // 2,) * 4, mode="replicate")
    # A sum over shifts and not conv2d: TF32 on GPUs would round the products to 10 bits.
    total = torch.zeros(images.shape, dtype=torch.float32, device=images.device)
    for i in range(k):
        for j in range(k):
            total += kernel[:, i, j].view(B, 1, 1, 1) * padded[:, :, i : i + H, j : j + W]
    return total.add_(0.5).clamp_(0, 255).to(torch.uint8)
