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

from learnaug.ops.adaptive import equalized
from learnaug.ops.draw import Drawn
from learnaug.ops.geometry import box
from learnaug.ops.noise import noisy
from learnaug.ops.primitives import convolve
from learnaug.ops.rows import runs, upload
from learnaug.ops.table import TABLE, op_numbers

__all__ = ["blur_kernels", "degenerates", "luminance", "partners", "tables", "with_boxes"]

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


def tables(images: Tensor, part: Drawn) -> Tensor:
    """Return each picture's table.

    Args:
        images: uint8, [b, C, H, W].
        part: their numbers in one slot, operations that are lookups; neighbours of one operation
            are lowered together.

    Returns:
        uint8 [b, C, 256], on the pictures' device; [b, 1, 256] where no picture is looked at.
    """
    fixed = np.zeros((len(part), 256), np.uint8)
    seen: list[tuple[int, slice]] = []
    for number, span in runs(part.ops):
        if number in _FIXED_TABLE:
            fixed[span] = _FIXED_TABLE[number](part.value[span])
        else:
            seen.append((number, span))
    out = upload(fixed, images.device).unsqueeze(1)
    if seen:
        out = out.repeat(1, images.shape[1], 1)
    for number, span in seen:
        out[span] = _SEEN_TABLE[number](images[span], part.value[span])
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
    factor = upload(value, images.device).unsqueeze(1)
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
    flat = images.reshape(b * C, H * W).long()
    # Not bincount: it reads the highest value back to the host to size its result.
    counts = torch.zeros((b * C, 256), dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    last = counts.gather(1, flat.amax(1, keepdim=True))
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

Degenerate = tuple[Tensor, Any]  # pictures, weight of the own picture: float or array [b]


def degenerates(images: Tensor, before: Tensor, part: Drawn) -> tuple[Tensor, Tensor]:
    """Return (a, weight) such that blend(a, images, weight) is the operations' result.

    Args:
        images: uint8, [b, C, H, W].
        before: uint8, [B, C, H, W]; the whole batch, of which partners are taken.
        part: the b pictures' numbers in one slot, operations that are blends; neighbours of one
            operation are lowered together.

    Returns:
        a: uint8 [b, C, H, W].
        weight: float32 [b, 1, 1, 1]; 0 where `a` is the result already.
    """
    pictures = []
    weight = np.zeros(len(part), np.float32)
    for number, span in runs(_FAMILY[part.ops]):
        own = images[span]
        picture, weight[span] = _DEGENERATE[number](own, before, part.take(span))
        pictures.append(picture.expand_as(own))
    joined = pictures[0] if len(pictures) == 1 else torch.cat(pictures)
    return joined, upload(weight, images.device).view(-1, 1, 1, 1)


def partners(before: Tensor, part: Drawn) -> Tensor:
    """Return the pictures (or masks) that are mixed in, [b, ...], from the whole batch."""
    return before.index_select(0, upload(part.partner, before.device))


def with_boxes(images: Tensor, inside: Tensor, part: Drawn) -> Tensor:
    """Return the pictures (or masks) with what is `inside` in the boxes of cutout and cutmix.

    Args:
        images: any type, [b, C, H, W].
        inside: the same type, [b, C or 1, H or 1, W or 1].
        part: the numbers of these pictures in one slot.
    """
    H, W = part.size
    ends = upload(np.stack(box(part.value, part.extra, part.size)), images.device)
    top, bottom, left, right = ends.unsqueeze(2).unbind(0)
    down = torch.arange(H, device=images.device)
    across = torch.arange(W, device=images.device)
    rows = (down >= top) & (down < bottom)
    columns = (across >= left) & (across < right)
    return torch.where((rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1), inside, images)


def _column(numbers: NDArray[Any], images: Tensor) -> Tensor:
    return upload(numbers, images.device).view(-1, 1, 1, 1)


def _color(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    return luminance(images), part.value


def _to_gray(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    return luminance(images), 0.0


def _sharpness(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    """Blend with the 3×3 smoothed picture (centre 5, others 1, of 13), whose border is kept."""
    kernel = np.ones((3, 3), np.float32)
    kernel[1, 1] = 5
    smooth = convolve(images, upload(kernel / 13, images.device).expand(len(images), 3, 3))
    out = images.clone()
    out[:, :, 1:-1, 1:-1] = smooth[:, :, 1:-1, 1:-1]
    return out, part.value


def _cutout(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    return with_boxes(images, _column(part.fill, images).to(images.dtype), part), 0.0


def _mixup(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    return partners(before, part), part.mix


def _cutmix(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    return with_boxes(images, partners(before, part), part), 0.0


def _clahe(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    """Equalise the luminance; every channel moves as much as it does."""
    grey = luminance(images)
    change = equalized(grey, part.value).short() - grey
    return (images + change).clamp_(0, 255).to(torch.uint8), 0.0


def _gauss_noise(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    return noisy(images, part.value, part.extra), 0.0


def _hue_or_saturation(images: Tensor, before: Tensor, part: Drawn) -> Degenerate:
    hue = part.ops == _HUE
    turn = np.where(hue, part.value / 60, 0).astype(np.float32)
    factor = np.where(hue, 1, part.value).astype(np.float32)
    turns, factors = upload(np.stack((turn, factor)), images.device).view(2, -1, 1, 1)
    return _hsv_changed(images, turns, factors), 0.0


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


_BLENDS: dict[str, Callable[[Tensor, Tensor, Drawn], Degenerate]] = {
    "color": _color,
    "to_gray": _to_gray,
    "sharpness": _sharpness,
    "cutout": _cutout,
    "mixup": _mixup,
    "cutmix": _cutmix,
    "hue": _hue_or_saturation,
    "saturation": _hue_or_saturation,
    "clahe": _clahe,
    "gauss_noise": _gauss_noise,
}
(_HUE,) = op_numbers("hue")
_DEGENERATE = tuple(dict.fromkeys(_BLENDS.values()))
# For every operation the position in _DEGENERATE: hue and saturation are lowered together.
_FAMILY = np.array([_DEGENERATE.index(_BLENDS[op]) if op in _BLENDS else -1 for op in TABLE])

# --- convolve -------------------------------------------------------------------------------------


def blur_kernels(value: Floats) -> NDArray[np.float32]:
    """Return Gaussians float32 [b, k, k] that sum to 1.

    Each is cut at 3 of its own standard deviations, 0 beyond: a picture's result does not depend
    on the rest of the batch; k is the largest that is needed.
    """
    sigma = np.maximum(value.astype(np.float64), 1e-3)[:, None]
    reach = np.ceil(3 * sigma)
    x = np.arange(-reach.max(initial=1), reach.max(initial=1) + 1)
    line = np.where(np.abs(x) <= reach, np.exp(-0.5 * (x / sigma) ** 2), 0)
    line /= line.cumsum(axis=1)[:, -1:]  # one by one: `sum` would group them by the length
    return (line[:, :, None] * line[:, None, :]).astype(np.float32)
