"""`blend` of one picture, and what it is blended with: as in `ops.lower`, in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.geometry import box_ends
from learnaug.ops.jit import jit
from learnaug.ops.table import op_numbers

__all__ = ["STRIP", "blend", "clipped", "copy", "luminance", "mix", "put"]

Picture = NDArray[np.uint8]  # [C, H, W]
Flat = NDArray[np.uint8]  # [C, H·W]
Line = NDArray[np.uint8]
Extra = NDArray[np.float32]

COLOR, TO_GRAY, SHARPNESS, CUTOUT, MIXUP, CUTMIX, HUE = op_numbers(
    "color", "to_gray", "sharpness", "cutout", "mixup", "cutmix", "hue"
)
CLAHE, GAUSS_NOISE = op_numbers("clahe", "gauss_noise")
ZERO, HALF, ONE, TOP = np.float32(0), np.float32(0.5), np.float32(1), np.float32(255)
RED, GREEN, BLUE = np.float32(19595), np.float32(38470), np.float32(7471)
SHIFT = np.float32(1 / 65536)
STRIP = 1024  # pixels whose greys and sums stay in the nearest cache


@jit
def copy(src: Line, out: Line) -> None:
    """Copy a line of values; a loop, because Numba's assignment of slices is slower."""
    for i in range(len(out)):
        out[i] = src[i]


@jit
def put(line: NDArray[Any], value: Any) -> None:
    """Write one value along a line."""
    for i in range(len(line)):
        line[i] = value


@jit
def clipped(value: np.float32) -> np.uint8:
    """Return the value cut to 0...255, its fraction cut off."""
    return np.uint8(np.int32(min(max(value, ZERO), TOP)))


@jit
def luminance(flat: Flat, first: int, out: Line) -> None:
    """Write the grey of pixels from `first` on; all numbers are below 2**24: float32 is exact."""
    C, end = len(flat), first + len(out)
    if C == 1:
        copy(flat[0, first:end], out)
    elif C == 3:
        red, green, blue = flat[0, first:end], flat[1, first:end], flat[2, first:end]
        for i in range(len(out)):
            grey = RED * np.float32(red[i]) + GREEN * np.float32(green[i])
            grey = (grey + BLUE * np.float32(blue[i]) + np.float32(0x8000)) * SHIFT
            out[i] = np.uint8(np.int32(grey))
    else:
        for i in range(len(out)):
            total = np.int64(0)
            for channel in range(C):
                total += np.int64(flat[channel, first + i])
            out[i] = (2 * total + C) // (2 * C)


@jit
def blend(src: Picture, out: Picture, op: int, v: np.float32, extra: Extra, fill: int) -> None:
    """Write `op`, one of those that blend a picture with a changed copy of itself."""
    C, H, W = src.shape
    flat, changed = src.reshape(C, H * W), out.reshape(C, H * W)
    if op == COLOR:
        _color(flat, changed, v)
    elif op == TO_GRAY:
        luminance(flat, 0, changed[0])
        for channel in range(1, C):
            copy(changed[0], changed[channel])
    elif op == SHARPNESS:
        for channel in range(C):
            _sharpness(flat[channel], changed[channel], W, v)
    elif op == CUTOUT:
        copy(src.reshape(-1), out.reshape(-1))
        top, bottom, left, right = _box(v, extra, H, W)
        for channel in range(C):
            for row in range(top, bottom):
                put(out[channel, row, left:right], np.uint8(fill))
    elif C != 3:
        copy(src.reshape(-1), out.reshape(-1))
    elif op == HUE:
        _hsv(flat, changed, v / np.float32(60), ONE)
    else:
        _hsv(flat, changed, ZERO, v)


@jit
def mix(
    src: Picture, partner: Picture, out: Picture, op: int, v: np.float32, share: np.float32,
    extra: Extra,
) -> None:  # fmt: skip
    """Write mixup or cutmix with a second picture."""
    C, H, W = src.shape
    own, other, line = src.reshape(-1), partner.reshape(-1), out.reshape(-1)
    if op == CUTMIX:
        copy(own, line)
        top, bottom, left, right = _box(v, extra, H, W)
        for channel in range(C):
            for row in range(top, bottom):
                copy(partner[channel, row, left:right], out[channel, row, left:right])
        return
    for i in range(len(line)):
        low = np.float32(other[i])
        line[i] = clipped(low + share * (np.float32(own[i]) - low))


@jit
def _box(side: np.float32, extra: Extra, H: int, W: int) -> tuple[int, int, int, int]:
    top, bottom = box_ends(np.float64(side), np.float64(extra[1]), H)
    left, right = box_ends(np.float64(side), np.float64(extra[0]), W)
    return top, bottom, left, right


@jit
def _color(flat: Flat, changed: Flat, v: np.float32) -> None:
    C, pixels = flat.shape
    greys = np.empty(min(pixels, STRIP), np.uint8)
    for first in range(0, pixels, STRIP):
        end = min(first + STRIP, pixels)
        line = greys[: end - first]
        luminance(flat, first, line)
        for channel in range(C):
            own, out = flat[channel, first:end], changed[channel, first:end]
            for i in range(len(line)):
                low = np.float32(line[i])
                out[i] = clipped(low + v * (np.float32(own[i]) - low))


@jit
def _sharpness(plane: Line, sharp: Line, W: int, v: np.float32) -> None:
    """Blend with the 3×3 mean (centre 5, others 1, of 13, rounded), whose border is kept."""
    last = len(plane) - W  # where the last row begins
    copy(plane[:W], sharp[:W])
    copy(plane[last:], sharp[last:])
    rows = max(1, STRIP // W)
    sums = np.empty(rows * W, np.float32)
    for first in range(W, last, rows * W):
        end = min(first + rows * W, last)
        above, here, below = (
            plane[first - W : end - W],
            plane[first:end],
            plane[first + W : end + W],
        )
        down = sums[: end - first]
        for i in range(len(down)):
            down[i] = np.float32(above[i]) + np.float32(here[i]) + np.float32(below[i])
        _sharpened(down, here[1:], sharp[first + 1 : end - 1], v)
        for row in range(first, end, W):
            sharp[row], sharp[row + W - 1] = plane[row], plane[row + W - 1]


@jit
def _sharpened(down: Extra, here: Line, line: Line, v: np.float32) -> None:
    left, middle, right = down[:-2], down[1:-1], down[2:]
    for i in range(len(line)):
        own = np.float32(here[i])
        around = left[i] + middle[i] + right[i] + np.float32(4) * own
        # 13 is odd, so there is no tie, and float32 is exact enough for sums up to 13·255.
        low = np.float32(np.int32(around * np.float32(1 / 13) + HALF))
        line[i] = clipped(low + v * (own - low))


@jit
def _hsv(flat: Flat, changed: Flat, turn: np.float32, factor: np.float32) -> None:
    """Turn the hue by `turn` sixths of the circle and multiply the saturation by `factor`."""
    for i in range(flat.shape[1]):
        r, g, b = np.float32(flat[0, i]), np.float32(flat[1, i]), np.float32(flat[2, i])
        top = max(r, g, b)
        spread = top - min(r, g, b)
        safe = max(spread, ONE)
        if top == r:
            sixth = (g - b) / safe
        elif top == g:
            sixth = np.float32(2) + (b - r) / safe
        else:
            sixth = np.float32(4) + (r - g) / safe
        wide = min(spread * factor, top)
        changed[0, i] = _channel(np.float32(5), sixth, turn, top, wide)
        changed[1, i] = _channel(np.float32(3), sixth, turn, top, wide)
        changed[2, i] = _channel(ONE, sixth, turn, top, wide)


@jit
def _channel(
    n: np.float32, sixth: np.float32, turn: np.float32, top: np.float32, spread: np.float32
) -> np.uint8:
    """Return V - V·S·max(0, min(k, 4 - k, 1)) with k = (n + H) mod 6, rounded."""
    k = n + sixth + turn
    k -= np.float32(6) * np.floor(k / np.float32(6))
    return clipped(top - spread * min(max(min(k, np.float32(4) - k), ZERO), ONE) + HALF)
