"""Copied into exported files: operations on one picture, a uint8 array [H, W, C]."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from learnaug.interop.exports.drawing import Step
from learnaug.interop.exports.geometry import MAPS, box, fixed_point
from learnaug.interop.exports.noise import NORMAL, hashed, noise_factor, noise_keys

__all__ = ["PIXELS", "Array", "apply_array", "warp"]

Array = NDArray[Any]


def apply_array(image: Array, step: Step) -> Array:
    """Return the picture, uint8 [H, W, C], after one step."""
    if step.op in MAPS:
        return warp(image, step)
    return PIXELS[step.op](image, step)


def warp(image: Array, step: Step) -> Array:
    """Resample a picture or a mask, [H, W] or [H, W, C], through the step's map."""
    height, width = image.shape[:2]
    bits, (a, b, c, d, e, f) = fixed_point(step, height, width)
    across, down = np.arange(width), np.arange(height)[:, None]
    x, y = a * across + (b * down + c), d * across + (e * down + f)
    inside = (x >= 0) & (x < width << bits) & (y >= 0) & (y < height << bits)
    if step.interpolation == "nearest":
        out: Array = image[(y >> bits).clip(0, height - 1), (x >> bits).clip(0, width - 1)]
    else:
        half = 1 << (bits - 1)
        out = smooth(image, x - half, y - half, bits, step.interpolation)
    out[~inside] = step.fill
    return out


def smooth(image: Array, x: Array, y: Array, bits: int, kind: str) -> Array:
    """Weigh the 2×2 or 4×4 neighbours of the places x, y, counted from pixel centres."""
    height, width = image.shape[:2]
    left, top = x >> bits, y >> bits
    across = taps((x - (left << bits)) / 2.0**bits, kind)
    down = taps((y - (top << bits)) / 2.0**bits, kind)
    first = 1 - len(across) // 2
    total = np.full(image.shape, 0.5)
    for j, vertical in enumerate(down):
        for i, horizontal in enumerate(across):
            rows, columns = top + first + j, left + first + i
            near = image[rows.clip(0, height - 1), columns.clip(0, width - 1)]
            total += near * (vertical * horizontal)[:, :, None]
    return total.clip(0, 255).astype(np.uint8)


def taps(t: Array, kind: str) -> tuple[Array, ...]:
    """Return the neighbours' weights at the fraction t; bicubic with a = -1, as Pillow."""
    if kind == "bilinear":
        return 1 - t, t
    s = 1 - t
    return -t * s * s, 1 + t * t * (t - 2), 1 + s * s * (s - 2), -s * t * t


def blend(a: Array, b: Array, weight: float) -> Array:
    """Return a + weight·(b - a), the fraction cut off."""
    low = a.astype(np.float32)
    out = low + np.float32(weight) * (b.astype(np.float32) - low)
    return out.clip(0, 255).astype(np.uint8)


def luminance(image: Array) -> Array:
    """Return the grey picture [H, W, 1]: Pillow's of three channels, else the mean."""
    channels = image.shape[2]
    if channels != 3:
        grey: Array = (2 * image.sum(axis=2, dtype=np.int64) + channels) // (2 * channels)
    else:
        grey = (image @ np.array([19595, 38470, 7471]) + 0x8000) >> 16
    return grey[:, :, None].astype(np.uint8)


def color(image: Array, step: Step) -> Array:
    """0 grey, 1 unchanged, 2 more colourful."""
    return blend(luminance(image), image, step.value)


def to_gray(image: Array, step: Step) -> Array:
    """All channels become the luminance."""
    return np.broadcast_to(luminance(image), image.shape).copy()


def contrast(image: Array, step: Step) -> Array:
    """0 flat mean grey, 1 unchanged: about the picture's mean, not about 128."""
    pixels = image.shape[0] * image.shape[1]
    mean = (2 * int(luminance(image).sum(dtype=np.int64)) + pixels) // (2 * pixels)
    return blend(np.full(256, mean), np.arange(256), step.value)[image]


def brightness(image: Array, step: Step) -> Array:
    """Multiply; 0 black, 1 unchanged."""
    return blend(np.zeros(256), np.arange(256), step.value)[image]


def sharpness(image: Array, step: Step) -> Array:
    """0 smoothed, 1 unchanged, 2 sharper; the border row of pixels stays."""
    height, width = image.shape[:2]
    around = np.pad(image.astype(np.int64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    total = 4 * image.astype(np.int64)
    for j in range(3):
        for i in range(3):
            total += around[j : j + height, i : i + width]
    flat = image.copy()
    flat[1:-1, 1:-1] = ((2 * total + 13) // 26)[1:-1, 1:-1]
    return blend(flat, image, step.value)


def posterize(image: Array, step: Step) -> Array:
    """Keep that many of the highest bits."""
    dropped = 8 - round(step.value)
    return image >> dropped << dropped


def solarize(image: Array, step: Step) -> Array:
    """Invert every level at or above the threshold, 0 to 256."""
    return np.where(image < step.value, image, 255 - image)


def invert(image: Array, step: Step) -> Array:
    """255 - level."""
    return 255 - image


def gamma(image: Array, step: Step) -> Array:
    """255·(level/255)^value."""
    curve = 255 * (np.arange(256) / 255) ** step.value
    return np.floor(curve + 0.5).astype(np.uint8)[image]


def autocontrast(image: Array, step: Step) -> Array:
    """Stretch each channel to the full range; a flat channel stays."""
    low, high = (f(image, axis=(0, 1)).astype(np.int64) for f in (np.min, np.max))
    stretched = (image - low) * 255 // np.maximum(high - low, 1)
    return np.where(high > low, stretched, image).astype(np.uint8)


def equalize(image: Array, step: Step) -> Array:
    """Flatten each channel's histogram, by Pillow's rule."""
    out = image.copy()
    for channel in range(image.shape[2]):
        levels = image[:, :, channel]
        counts = np.bincount(levels.ravel(), minlength=256)
        width = (levels.size - counts[levels.max()]) // 255
        if width:
            table = (counts.cumsum() - counts + width // 2) // width
            out[:, :, channel] = table.clip(0, 255)[levels]
    return out


def hue(image: Array, step: Step) -> Array:
    """Turn the hue circle (HSV), in degrees."""
    return change_hsv(image, step.value, 1)


def saturation(image: Array, step: Step) -> Array:
    """Multiply the saturation (HSV)."""
    return change_hsv(image, 0, step.value)


def change_hsv(image: Array, degrees: float, factor: float) -> Array:
    """Turn the hue and multiply the saturation; channel n of (5, 3, 1) is V - V·S·ramp(n + H)."""
    if image.shape[2:] != (3,):
        return image
    r, g, b = np.moveaxis(image.astype(np.float64), 2, 0)
    top = image.max(axis=2).astype(np.float64)
    spread = top - image.min(axis=2)
    safe = np.maximum(spread, 1)
    rest = np.where(top == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    sixth = np.where(top == r, (g - b) / safe, rest) + degrees / 60
    spread = np.minimum(spread * factor, top)
    turned = [(n + sixth) % 6 for n in (5, 3, 1)]
    out = np.stack([top - spread * np.minimum(k, 4 - k).clip(0, 1) for k in turned], axis=2)
    return (out + 0.5).clip(0, 255).astype(np.uint8)


def blur(image: Array, step: Step) -> Array:
    """Gaussian of that standard deviation in pixels; the edge is repeated outwards."""
    return smear(image, step.value)


def smear(image: Array, deviation: float) -> Array:
    """Smooth [H, W] or [H, W, C] along both sides with a Gaussian that reaches 3 deviations."""
    reach = max(ceil(3 * deviation), 1)
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(deviation, 1e-3)) ** 2)
    line /= line.sum()
    out = image.astype(np.float64)
    for axis in (0, 1):
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(image.ndim)]
        windows = sliding_window_view(np.pad(out, padding, mode="edge"), len(line), axis)
        out = windows @ line
    return (out + 0.5).clip(0, 255).astype(np.uint8)


def cutout(image: Array, step: Step) -> Array:
    """Fill a box of that side, a fraction of the picture's, at a random centre."""
    top, bottom, left, right = box(step, *image.shape[:2])
    out = image.copy()
    out[top:bottom, left:right] = step.fill
    return out


def gauss_noise(image: Array, step: Step) -> Array:
    """Independent normal noise of that standard deviation, in grey levels."""
    return add_noise(image, step.value, step.extra)


def add_noise(image: Array, deviation: float, extra: tuple[float, ...]) -> Array:
    """Add normal noise to every value of [H, W, C]; it follows from the four `extra` numbers."""
    height, width, channels = image.shape
    first, second = noise_keys(extra)
    bits = hashed(hashed(np.arange(image.size) ^ first) ^ second)
    table = np.array(NORMAL, dtype=np.float32)
    noise = (table[bits & 4095] + table[bits >> 20]) * np.float32(noise_factor(deviation))
    noise = np.moveaxis(noise.reshape(channels, height, width), 0, 2)
    out: Array = (noise + image + np.float32(0.5)).clip(0, 255)
    return out.astype(np.uint8)


def clahe(image: Array, step: Step) -> Array:
    """Flatten the luminance's histogram in 8×8 tiles; the value limits the contrast."""
    return equalize_light(image, step.value)


def equalize_light(image: Array, clip: float) -> Array:
    """Equalise the luminance of [H, W, C] in tiles; every channel moves as much as it does."""
    grey = luminance(image)[:, :, 0]
    change = equalize_tiles(grey, clip).astype(np.int64) - grey
    return (image + change[:, :, None]).clip(0, 255).astype(np.uint8)


def equalize_tiles(grey: Array, clip: float) -> Array:
    """Equalise [H, W] in 8×8 tiles, contrast limited, as OpenCV does."""
    height, width = grey.shape
    whole = height % 8 == 0 and width % 8 == 0
    tall, wide = height // 8 + (not whole), width // 8 + (not whole)
    longer = grey[mirrored(8 * tall, height)][:, mirrored(8 * wide, width)]
    tiles = longer.reshape(8, tall, 8, wide).swapaxes(1, 2).reshape(8, 8, tall * wide)
    tables = np.array([[tile_table(tile, clip) for tile in row] for row in tiles])
    top, bottom, down = nearest_tiles(height, tall)
    left, right, across = nearest_tiles(width, wide)
    top, bottom, down = top[:, None], bottom[:, None], down[:, None]
    high = tables[top, left, grey] * (1 - across) + tables[top, right, grey] * across
    low = tables[bottom, left, grey] * (1 - across) + tables[bottom, right, grey] * across
    out: Array = np.rint(high * (1 - down) + low * down)
    return out.astype(np.uint8)


def mirrored(count: int, length: int) -> Array:
    """Return `count` places that run to and fro in a line of that length."""
    period = max(2 * (length - 1), 1)
    places = np.arange(count) % period
    return np.minimum(places, period - places).clip(0, length - 1)


def tile_table(levels: Array, clip: float) -> Array:
    """Return 256 new levels: sums of the histogram, whose counts are cut at a limit."""
    counts = np.bincount(levels, minlength=256)
    limit = max(int(clip * levels.size / 256), 1)
    cut = int((counts - limit).clip(min=0).sum())
    counts = np.minimum(counts, limit) + cut // 256  # what is cut off goes to all
    if cut % 256:
        step = 256 // (cut % 256)
        counts[: step * (cut % 256) : step] += 1
    sums = counts.cumsum().astype(np.float32) * (np.float32(255) / np.float32(levels.size))
    out: Array = np.rint(sums).clip(0, 255)
    return out


def nearest_tiles(length: int, tile: int) -> tuple[Array, Array, Array]:
    """Return every pixel's two tiles along one side, and the second one's share."""
    places = np.arange(length, dtype=np.float32) * (1 / np.float32(tile)) - np.float32(0.5)
    first = np.floor(places).astype(np.int64)
    return first.clip(0, 7), (first + 1).clip(0, 7), places - np.floor(places)


PIXELS: dict[str, Callable[[Array, Step], Array]] = {
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "brightness": brightness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "invert": invert,
    "hue": hue,
    "saturation": saturation,
    "gamma": gamma,
    "to_gray": to_gray,
    "blur": blur,
    "cutout": cutout,
    "clahe": clahe,
    "gauss_noise": gauss_noise,
}
