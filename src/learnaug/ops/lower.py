"""Lower colour operations and mixtures to the arguments of `lookup`, `blend` and `convolve`.

Grey pictures have no colour: colour, hue, saturation and to_gray leave one channel as it is.
The luminance of three channels is Pillow's (19595 R + 38470 G + 7471 B + 0x8000) >> 16; of any
other number of channels it is their mean, rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.ops.geometry import box
from learnaug.ops.primitives import convolve
from learnaug.ops.table import op_numbers

__all__ = ["blur_kernels", "box_masks", "degenerates", "luminance", "tables"]

Floats = NDArray[np.float32]
_GREYS = np.arange(256)


def luminance(images: Tensor) -> Tensor:
    """Return the grey picture, uint8 [b, 1, H, W], of uint8 [b, C, H, W].

    Example:
        >>> luminance(torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)).item()
        76
    """
    channels = images.shape[1]
    if channels == 1:
        return images
    if channels != 3:
        return (images.sum(1, keepdim=True, dtype=torch.int32) * 2 + channels).div_(
            2 * channels, rounding_mode="floor"
        ).to(torch.uint8)  # fmt: skip
    r, g, b = images.int().unbind(1)
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).unsqueeze(1).to(torch.uint8)


# --- lookup ---------------------------------------------------------------------------------------


def tables(images: Tensor, ops: NDArray[np.int16], value: Floats) -> Tensor:
    """Return each picture's table.

    Args:
        images: uint8, [b, C, H, W].
        ops: operations that are lookups, [b].
        value: magnitudes in their units, [b].

    Returns:
        uint8 [b, C, 256], on the pictures' device.
    """
    out = torch.empty((*images.shape[:2], 256), dtype=torch.uint8, device=images.device)
    for number in np.unique(ops):
        rows = np.flatnonzero(ops == number)
        at = torch.from_numpy(rows).to(images.device)
        if int(number) in _FIXED_TABLE:
            fixed = torch.from_numpy(_FIXED_TABLE[int(number)](value[rows])).to(images.device)
            out[at] = fixed.unsqueeze(1).expand(-1, images.shape[1], 256)
        else:
            out[at] = _SEEN_TABLE[int(number)](images[at], value[rows])
    return out


def _brightness(value: Floats) -> NDArray[np.uint8]:
    return np.clip(value[:, None] * _GREYS.astype(np.float32), 0, 255).astype(np.uint8)


def _posterize(value: Floats) -> NDArray[np.uint8]:
    dropped = 8 - np.rint(value).astype(np.int64)[:, None]
    return (_GREYS >> dropped << dropped).astype(np.uint8)


def _solarize(value: Floats) -> NDArray[np.uint8]:
    return np.where(value[:, None] > _GREYS, _GREYS, 255 - _GREYS).astype(np.uint8)


def _invert(value: Floats) -> NDArray[np.uint8]:
    return np.broadcast_to(255 - _GREYS, (len(value), 256)).astype(np.uint8)


def _gamma(value: Floats) -> NDArray[np.uint8]:
    curve = 255 * (_GREYS / 255) ** value[:, None].astype(np.float64)
    return np.floor(curve + 0.5).astype(np.uint8)


def _contrast(images: Tensor, value: Floats) -> Tensor:
    """Blend with the picture's mean luminance, rounded half up."""
    pixels = images.shape[2] * images.shape[3]
    total = luminance(images).sum((1, 2, 3), dtype=torch.int64)
    mean = (2 * total + pixels) // (2 * pixels)
    low = mean.to(torch.float32).unsqueeze(1)
    factor = torch.from_numpy(value).to(images.device).unsqueeze(1)
    greys = torch.arange(256, device=images.device, dtype=torch.float32)
    table = (low + factor * (greys - low)).clamp_(0, 255).to(torch.uint8)
    return table.unsqueeze(1).expand(-1, images.shape[1], 256)


def _autocontrast(images: Tensor, value: Floats) -> Tensor:
    """Stretch lowest..highest of each channel to 0..255; a constant channel stays."""
    low = images.amin((2, 3)).long().unsqueeze(2)
    high = images.amax((2, 3)).long().unsqueeze(2)
    greys = torch.arange(256, device=images.device)
    stretched = (greys - low) * 255 // (high - low).clamp(min=1)
    return torch.where(high > low, stretched.clamp(0, 255), greys).to(torch.uint8)


def _equalize(images: Tensor, value: Floats) -> Tensor:
    """Pillow's rule: step = (pixels - those of the highest grey) // 255; no step, no change."""
    b, C, H, W = images.shape
    flat = images.reshape(b * C, H * W)
    bins = flat.long() + 256 * torch.arange(b * C, device=images.device).unsqueeze(1)
    counts = torch.bincount(bins.flatten(), minlength=b * C * 256).view(b * C, 256)
    last = counts.gather(1, flat.amax(1, keepdim=True).long())
    step = (H * W - last) // 255
    before = counts.cumsum(1) - counts + step // 2
    level = (before // step.clamp(min=1)).clamp_(max=255)
    greys = torch.arange(256, device=images.device)
    return torch.where(step > 0, level, greys).to(torch.uint8).view(b, C, 256)


_FIXED: dict[str, Callable[[Floats], NDArray[np.uint8]]] = {
    "brightness": _brightness,
    "posterize": _posterize,
    "solarize": _solarize,
    "invert": _invert,
    "gamma": _gamma,
}
_SEEN: dict[str, Callable[[Tensor, Floats], Tensor]] = {
    "contrast": _contrast,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
_FIXED_TABLE = dict(zip(op_numbers(*_FIXED), _FIXED.values(), strict=True))
_SEEN_TABLE = dict(zip(op_numbers(*_SEEN), _SEEN.values(), strict=True))

# --- blend ----------------------------------------------------------------------------------------

Blend = tuple[Tensor, Tensor, Tensor]  # a, b, weight


def degenerates(images: Tensor, partners: Tensor, number: int, slot: Any) -> Blend:
    """Return (a, b, weight) such that blend(a, b, weight) is the operation's result.

    Args:
        images: uint8, [b, C, H, W].
        partners: uint8, [b, C, H, W]; the pictures mixed in.
        number: of the operation, the same for all b.
        slot: the drawn numbers of these b pictures, with value, extra, fill, mix, size.
    """
    return _BLEND[number](images, partners, slot)


def _column(numbers: NDArray[Any], images: Tensor) -> Tensor:
    column = torch.from_numpy(np.ascontiguousarray(numbers, np.float32))
    return column.to(images.device).view(-1, 1, 1, 1)


def _color(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    return luminance(images), images, _column(slot.value, images)


def _to_gray(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    return luminance(images).expand_as(images), images, _column(0 * slot.value, images)


def _sharpness(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    """Blend with the 3×3 smoothed picture (centre 5, others 1, of 13), whose border is kept."""
    kernel = torch.ones((3, 3), device=images.device)
    kernel[1, 1] = 5
    smooth = convolve(images, (kernel / 13).expand(len(images), 3, 3))
    H, W = images.shape[2:]
    inner = torch.zeros((H, W), dtype=torch.bool, device=images.device)
    inner[1:-1, 1:-1] = True
    return torch.where(inner, smooth, images), images, _column(slot.value, images)


def _cutout(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    fill = _column(slot.fill, images).to(torch.uint8)
    return images, fill, box_masks(slot, images.device).unsqueeze(1).float()


def _mixup(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    return partners, images, _column(slot.mix, images)


def _cutmix(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    return images, partners, box_masks(slot, images.device).unsqueeze(1).float()


def box_masks(slot: Any, device: torch.device) -> Tensor:
    """Return the boxes of cutout and cutmix as bool [b, H, W]; True inside."""
    top, bottom, left, right = (
        torch.from_numpy(end).to(device).view(-1, 1)
        for end in box(slot.value, slot.extra, slot.size)
    )
    down = torch.arange(slot.size[0], device=device)
    across = torch.arange(slot.size[1], device=device)
    rows = (down >= top) & (down < bottom)
    columns = (across >= left) & (across < right)
    return rows.unsqueeze(2) & columns.unsqueeze(1)


def _hue(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    turn = _column(slot.value, images).squeeze(1) / 60
    return images, _hsv_changed(images, turn, torch.ones_like(turn)), _column(_ones(slot), images)


def _saturation(images: Tensor, partners: Tensor, slot: Any) -> Blend:
    factor = _column(slot.value, images).squeeze(1)
    changed = _hsv_changed(images, torch.zeros_like(factor), factor)
    return images, changed, _column(_ones(slot), images)


def _ones(slot: Any) -> NDArray[Any]:
    return np.ones_like(slot.value)


def _hsv_changed(images: Tensor, turn: Tensor, factor: Tensor) -> Tensor:
    """Turn the hue by `turn` sixths of the circle and multiply the saturation by `factor`.

    Channel n of (5, 3, 1) is V - V·S·max(0, min(k, 4 - k, 1)) with k = (n + H) mod 6.
    """
    if images.shape[1] != 3:
        return images
    r, g, b = images.float().unbind(1)
    top = images.amax(1).float()
    spread = top - images.amin(1).float()
    safe = spread.clamp(min=1)
    sixth = torch.where(
        top == r, (g - b) / safe, torch.where(top == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    spread = torch.minimum(spread * factor, top)
    channels = []
    for n in (5, 3, 1):
        k = (n + sixth + turn) % 6
        channels.append(top - spread * torch.minimum(k, 4 - k).clamp(0, 1))
    return (torch.stack(channels, 1) + 0.5).clamp_(0, 255).to(torch.uint8)


_BLENDS: dict[str, Callable[[Tensor, Tensor, Any], Blend]] = {
    "color": _color,
    "to_gray": _to_gray,
    "sharpness": _sharpness,
    "cutout": _cutout,
    "mixup": _mixup,
    "cutmix": _cutmix,
    "hue": _hue,
    "saturation": _saturation,
}
_BLEND = dict(zip(op_numbers(*_BLENDS), _BLENDS.values(), strict=True))

# --- convolve -------------------------------------------------------------------------------------


def blur_kernels(value: Floats) -> NDArray[np.float32]:
    """Return Gaussians float32 [b, k, k] that sum to 1; k covers 3 standard deviations."""
    reach = int(np.ceil(3 * max(value.max(initial=0.0), 1e-6)))
    x = np.arange(-reach, reach + 1)
    sigma = np.maximum(value.astype(np.float64), 1e-3)[:, None]
    line = np.exp(-0.5 * (x / sigma) ** 2)
    line /= line.sum(axis=1, keepdims=True)
    return (line[:, :, None] * line[:, None, :]).astype(np.float32)
