"""`lookup` of one picture, and the tables: the same numbers as those of `ops.lower`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import clipped, luminance
from learnaug.ops.table import op_numbers

__all__ = ["compose", "fill_table", "lookup", "sees"]

Picture = NDArray[np.uint8]  # [C, H, W]
Table = NDArray[np.uint8]  # [C, 256]

BRIGHTNESS, POSTERIZE, SOLARIZE, INVERT, GAMMA = op_numbers(
    "brightness", "posterize", "solarize", "invert", "gamma"
)
CONTRAST, AUTOCONTRAST, EQUALIZE = op_numbers("contrast", "autocontrast", "equalize")


@jit
def lookup(src: Picture, out: Picture, table: Table) -> None:
    """Replace each value by its entry: out[c] = table[c][src[c]]; `out` may be `src`."""
    for channel in range(src.shape[0]):
        entries = table[channel]
        values, changed = src[channel].reshape(-1), out[channel].reshape(-1)
        for i in range(len(values)):
            changed[i] = entries[values[i]]


@jit
def sees(op: int) -> bool:
    """Whether the table depends on the picture."""
    return op == CONTRAST or op == AUTOCONTRAST or op == EQUALIZE


@jit
def compose(table: Table, op: int, v: np.float32) -> None:
    """Put the table of `op`, which does not see the picture, behind `table`."""
    for grey in range(256):
        for channel in range(len(table)):
            table[channel, grey] = _entry(op, v, table[channel, grey])


@jit
def fill_table(table: Table, src: Picture, op: int, v: np.float32) -> None:
    """Write the table of `op` for this picture."""
    if op == AUTOCONTRAST:
        _autocontrast(table, src)
    elif op == EQUALIZE:
        _equalize(table, src)
    elif op == CONTRAST:
        mean = np.float32(_mean_luminance(src))
        for grey in range(256):
            table[:, grey] = clipped(mean + v * (np.float32(grey) - mean))
    else:
        for grey in range(256):
            table[:, grey] = _entry(op, v, grey)


@jit
def _entry(op: int, v: np.float32, grey: int) -> np.uint8:
    if op == BRIGHTNESS:
        return clipped(v * np.float32(grey))
    if op == POSTERIZE:
        dropped = 8 - np.int64(np.rint(v))
        return np.uint8(grey >> dropped << dropped)
    if op == SOLARIZE:
        return np.uint8(grey if v > np.float32(grey) else 255 - grey)
    if op == INVERT:
        return np.uint8(255 - grey)
    return np.uint8(math.floor(255 * (grey / 255) ** np.float64(v) + 0.5))  # gamma


@jit
def _mean_luminance(src: Picture) -> int:
    C, H, W = src.shape
    line = np.empty(W, np.uint8)
    total = 0
    for row in range(H):
        luminance(src, row, line)
        part = np.int32(0)
        for column in range(W):
            part += np.int32(line[column])
        total += part
    return (2 * total + H * W) // (2 * H * W)


@jit
def _autocontrast(table: Table, src: Picture) -> None:
    """Stretch lowest..highest of each channel to 0..255; a constant channel stays."""
    for channel in range(src.shape[0]):
        values = src[channel].reshape(-1)
        low, high = np.uint8(255), np.uint8(0)
        for i in range(len(values)):
            low, high = min(low, values[i]), max(high, values[i])
        first, last = np.int64(low), np.int64(high)
        for grey in range(256):
            stretched = (grey - first) * 255 // max(last - first, 1)
            table[channel, grey] = min(max(stretched, 0), 255) if last > first else grey


@jit
def _equalize(table: Table, src: Picture) -> None:
    """Pillow's rule: step = (pixels - those of the highest grey) // 255; no step, no change."""
    counts = np.empty((4, 256), np.int32)  # four, so that equal neighbours do not wait
    for channel in range(src.shape[0]):
        values = src[channel].reshape(-1)
        pixels = len(values)
        counts[:] = 0
        for i in range(0, pixels - 3, 4):
            counts[0, values[i]] += 1
            counts[1, values[i + 1]] += 1
            counts[2, values[i + 2]] += 1
            counts[3, values[i + 3]] += 1
        for i in range(pixels // 4 * 4, pixels):
            counts[0, values[i]] += 1
        for grey in range(256):
            counts[0, grey] += counts[1, grey] + counts[2, grey] + counts[3, grey]
        highest = 255
        while highest > 0 and counts[0, highest] == 0:
            highest -= 1
        step = (pixels - counts[0, highest]) // 255
        before = step // 2
        for grey in range(256):
            table[channel, grey] = min(before // step, 255) if step > 0 else grey
            before += counts[0, grey]
