"""`blend` of one picture, and what it is blended with: as in `ops.lower`, in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.geometry import box_ends
from learnaug.ops.jit import jit
from learnaug.ops.table import op_numbers

__all__ = ["blend", "clipped", "copy", "luminance", "mix", "put"]

Picture = NDArray[np.uint8]  # [C, H, W]
Line = NDArray[np.uint8]  # [W]
Extra = NDArray[np.float32]

COLOR, TO_GRAY, SHARPNESS, CUTOUT, MIXUP, CUTMIX, HUE = op_numbers(
    "color", "to_gray", "sharpness", "cutout", "mixup", "cutmix", "hue"
)
ZERO, HALF, ONE, TOP = np.float32(0), np.float32(0.5), np.float32(1), np.float32(255)
RED, GREEN, BLUE = np.float32(19595), np.float32(38470), np.float32(7471)
SHIFT = np.float32(1 / 65536)


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
def luminance(src: Picture, row: int, out: Line) -> None:
    """Write the grey of a row; every number is below 2**24, so that float32 is exact."""
    C, _, W = src.shape
    if C == 1:
        copy(src[0, row], out)
    elif C == 3:
        red, green, blue = src[0, row], src[1, row], src[2, row]
        for column in range(W):
            grey = RED * np.float32(red[column]) + GREEN * np.float32(green[column])
            grey = (grey + BLUE * np.float32(blue[column]) + np.float32(0x8000)) * SHIFT
            out[column] = np.uint8(np.int32(grey))
    else:
        for column in range(W):
            total = np.int64(0)
            for channel in range(C):
                total += np.int64(src[channel, row, column])
            out[column] = (2 * total + C) // (2 * C)


@jit
def blend(
    src: Picture, out: Picture, op: int, v: np.float32, extra: Extra, fill: int, line: Line
) -> None:
    """Write `op`, one of those that blend a picture with a changed copy of itself."""
    if op == COLOR:
        _color(src, out, v, line)
    elif op == TO_GRAY:
        for row in range(src.shape[1]):
            luminance(src, row, line)
            for channel in range(src.shape[0]):
                copy(line, out[channel, row])
    elif op == SHARPNESS:
        _sharpness(src, out, v)
    elif op == CUTOUT:
        copy(src.reshape(-1), out.reshape(-1))
        top, bottom, left, right = _box(v, extra, src.shape[1], src.shape[2])
        for channel in range(src.shape[0]):
            for row in range(top, bottom):
                put(out[channel, row, left:right], np.uint8(fill))
    elif src.shape[0] != 3:
        copy(src.reshape(-1), out.reshape(-1))
    elif op == HUE:
        _hsv(src, out, v / np.float32(60), ONE)
    else:
        _hsv(src, out, ZERO, v)


@jit
def mix(
    src: Picture, partner: Picture, out: Picture, op: int, v: np.float32, share: np.float32,
    extra: Extra,
) -> None:  # fmt: skip
    """Write mixup or cutmix with a second picture."""
    if op == CUTMIX:
        copy(src.reshape(-1), out.reshape(-1))
        top, bottom, left, right = _box(v, extra, src.shape[1], src.shape[2])
        for channel in range(src.shape[0]):
            for row in range(top, bottom):
                copy(partner[channel, row, left:right], out[channel, row, left:right])
        return
    for channel in range(src.shape[0]):
        for row in range(src.shape[1]):
            own, other, line = src[channel, row], partner[channel, row], out[channel, row]
            for column in range(len(line)):
                low = np.float32(other[column])
                line[column] = clipped(low + share * (np.float32(own[column]) - low))


@jit
def _box(side: np.float32, extra: Extra, H: int, W: int) -> tuple[int, int, int, int]:
    top, bottom = box_ends(np.float64(side), np.float64(extra[1]), H)
    left, right = box_ends(np.float64(side), np.float64(extra[0]), W)
    return top, bottom, left, right


@jit
def _color(src: Picture, out: Picture, v: np.float32, line: Line) -> None:
    for row in range(src.shape[1]):
        luminance(src, row, line)
        for channel in range(src.shape[0]):
            own, changed = src[channel, row], out[channel, row]
            for column in range(len(line)):
                low = np.float32(line[column])
                changed[column] = clipped(low + v * (np.float32(own[column]) - low))


@jit
def _sharpness(src: Picture, out: Picture, v: np.float32) -> None:
    """Blend with the 3×3 mean (centre 5, others 1, of 13, rounded), whose border is kept."""
    C, H, W = src.shape
    down = np.empty(W, np.float32)
    for channel in range(C):
        plane, sharp = src[channel], out[channel]
        copy(plane[0], sharp[0])
        copy(plane[H - 1], sharp[H - 1])
        for row in range(1, H - 1):
            above, here, below = plane[row - 1], plane[row], plane[row + 1]
            for x in range(W):
                down[x] = np.float32(above[x]) + np.float32(here[x]) + np.float32(below[x])
            _sharpened(down, here, sharp[row], v)


@jit
def _sharpened(down: Extra, here: Line, line: Line, v: np.float32) -> None:
    last = len(line) - 1
    line[0], line[last] = here[0], here[last]
    for x in range(1, last):
        own = np.float32(here[x])
        around = down[x - 1] + down[x] + down[x + 1] + np.float32(4) * own
        # 13 is odd, so there is no tie, and float32 is exact enough for sums up to 13·255.
        low = np.float32(np.int32(around * np.float32(1 / 13) + HALF))
        line[x] = clipped(low + v * (own - low))


@jit
def _hsv(src: Picture, out: Picture, turn: np.float32, factor: np.float32) -> None:
    """Turn the hue by `turn` sixths of the circle and multiply the saturation by `factor`."""
    for row in range(src.shape[1]):
        for x in range(src.shape[2]):
            r, g, b = (
                np.float32(src[0, row, x]), np.float32(src[1, row, x]), np.float32(src[2, row, x])
            )  # fmt: skip
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
            out[0, row, x] = _channel(np.float32(5), sixth, turn, top, wide)
            out[1, row, x] = _channel(np.float32(3), sixth, turn, top, wide)
            out[2, row, x] = _channel(ONE, sixth, turn, top, wide)


@jit
def _channel(
    n: np.float32, sixth: np.float32, turn: np.float32, top: np.float32, spread: np.float32
) -> np.uint8:
    """Return V - V·S·max(0, min(k, 4 - k, 1)) with k = (n + H) mod 6, rounded."""
    k = n + sixth + turn
    k -= np.float32(6) * np.floor(k / np.float32(6))
    return clipped(top - spread * min(max(min(k, np.float32(4) - k), ZERO), ONE) + HALF)
