"""`lookup` of one picture, and the tables: the same numbers as those of `ops.lower`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import STRIP, clipped, copy, luminance, put
from learnaug.ops.kernels.vectors import AVAILABLE, BLOCK, lookup64
from learnaug.ops.table import op_numbers

__all__ = ["compose", "fill_table", "lookup", "sees"]

Picture = NDArray[np.uint8]  # [C, H, W]
Table = NDArray[np.uint8]  # [C, 256]
Line = NDArray[np.uint8]

BRIGHTNESS, POSTERIZE, SOLARIZE, INVERT, GAMMA = op_numbers(
    "brightness", "posterize", "solarize", "invert", "gamma"
)
CONTRAST, AUTOCONTRAST, EQUALIZE = op_numbers("contrast", "autocontrast", "equalize")


@jit
def lookup(src: Picture, out: Picture, table: Table) -> None:
    """Replace each value by its entry: out[c] = table[c][src[c]]."""
    for channel in range(src.shape[0]):
        values, changed = src[channel].reshape(-1), out[channel].reshape(-1)
        done = 0
        if AVAILABLE:
            done = len(values) // BLOCK * BLOCK
            for block in range(len(values) // BLOCK):
                lookup64(table[channel], values, changed, block * BLOCK)
        one_by_one(values[done:], changed[done:], table[channel])


@jit
def one_by_one(values: Line, changed: Line, entries: Line) -> None:
    """Look up each value of a line."""
    for i in range(len(values)):
        changed[i] = entries[values[i]]


@jit
def sees(op: int) -> bool:
    """Whether the table depends on the picture."""
    return op in (CONTRAST, AUTOCONTRAST, EQUALIZE)


@jit
def compose(table: Table, op: int, v: np.float32) -> None:
    """Put the table of `op`, which does not see the picture, behind `table`."""
    entries = np.empty(256, np.uint8)
    _unseen(entries, op, v)
    for channel in range(len(table)):
        for grey in range(256):
            table[channel, grey] = entries[table[channel, grey]]


@jit
def fill_table(table: Table, src: Picture, op: int, v: np.float32) -> None:
    """Write the table of `op` for this picture."""
    if op == AUTOCONTRAST:
        _autocontrast(table, src)
        return
    if op == EQUALIZE:
        _equalize(table, src)
        return
    if op == CONTRAST:
        mean = np.float32(_mean_luminance(src))
        for grey in range(256):
            table[0, grey] = clipped(mean + v * (np.float32(grey) - mean))
    else:
        _unseen(table[0], op, v)
    for channel in range(1, len(table)):
        copy(table[0], table[channel])


@jit
def _unseen(entries: Line, op: int, v: np.float32) -> None:
    for grey in range(256):
        entries[grey] = _entry(op, v, grey)


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
    flat = src.reshape(C, H * W)
    greys = np.empty(min(H * W, STRIP), np.uint8)
    total = np.int64(0)
    for first in range(0, H * W, STRIP):
        line = greys[: min(STRIP, H * W - first)]
        luminance(flat, first, line)
        for i in range(len(line)):
            total += np.int64(line[i])
    return int((2 * total + H * W) // (2 * H * W))


@jit
def _autocontrast(table: Table, src: Picture) -> None:
    """Stretch lowest..highest of each channel to 0..255; a constant channel stays."""
    for channel in range(src.shape[0]):
        values, entries = src[channel].reshape(-1), table[channel]
        low, high = np.uint8(255), np.uint8(0)
        for i in range(len(values)):
            low, high = min(low, values[i]), max(high, values[i])
        first, spread = np.float32(low), np.float32(high) - np.float32(low)
        for grey in range(256):
            # A quotient of such small numbers is never rounded up to a whole one.
            stretched = (np.float32(grey) - first) * np.float32(255) / spread
            entries[grey] = clipped(stretched) if spread > 0 else np.uint8(grey)


@jit
def _equalize(table: Table, src: Picture) -> None:
    """Pillow's rule: step = (pixels - those of the highest grey) // 255; no step, no change."""
    counts = np.empty((4, 256), np.uint32)  # four, so that equal neighbours do not wait
    before = np.empty(256, np.float64)
    for channel in range(src.shape[0]):
        values, entries = src[channel].reshape(-1), table[channel]
        _count(values, counts)
        highest = 255
        while highest > 0 and counts[0, highest] == 0:
            highest -= 1
        step = (len(values) - np.int64(counts[0, highest])) // 255
        total = step // 2
        for grey in range(256):
            before[grey] = total
            total += np.int64(counts[0, grey])
        for grey in range(256):
            # Far below 2**53, so that a quotient is never rounded up to a whole number.
            level = np.uint8(np.int32(min(before[grey] / max(step, 1), 255.0)))
            entries[grey] = level if step > 0 else np.uint8(grey)


@jit
def _count(values: Line, counts: NDArray[np.uint32]) -> None:
    """Write the histogram into counts[0]."""
    one = np.uint32(1)
    for quarter in range(4):
        put(counts[quarter], np.uint32(0))
    for quarter in range(len(values) // 4):
        i = 4 * quarter
        counts[0, values[i]] += one
        counts[1, values[i + 1]] += one
        counts[2, values[i + 2]] += one
        counts[3, values[i + 3]] += one
    for i in range(len(values) // 4 * 4, len(values)):
        counts[0, values[i]] += one
    for grey in range(256):
        counts[0, grey] += counts[1, grey] + counts[2, grey] + counts[3, grey]
