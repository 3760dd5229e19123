"""`warp` of one picture: the same fixed-point addresses as `primitives.warp`, row by row.

Indices are unsigned where a loop is hot: Numba then leaves out the test for negative ones, without
which the processor's wide registers could not be used.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.geometry import NEAREST_BITS, SMOOTH_BITS, Map
from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import HALF, clipped, copy, put
from learnaug.ops.kernels.vectors import LINE, reverse16

__all__ = ["NEAREST", "warp"]

Picture = NDArray[np.uint8]  # [C, H, W]
Line = NDArray[np.uint8]  # [W]
Line32 = NDArray[np.float32]
Taps = NDArray[np.float32]  # [taps, W]
Places = NDArray[np.uint32]
Axis = tuple[int, int, int]  # of x_in or y_in: per column, per row, at the origin; fixed point

ONE = 1 << NEAREST_BITS
SMOOTH_ONE = 1 << SMOOTH_BITS
HALF_PIXEL = SMOOTH_ONE // 2
FRACTION = np.float32(1.0 / SMOOTH_ONE)
NEAREST = 0
PACK = 3  # channels that are fetched together
STRIP = 64  # columns


@jit
def warp(src: Picture, out: Picture, where: Map, fill: np.uint8, interpolation: int) -> None:
    """Resample a picture: out[y, x] = src[where(x, y)], `fill` outside.

    Args:
        src: uint8 [C, H, W].
        out: uint8 [C, H, W], not the same memory.
        where: the map from output to input, in pixels, pixel centres at +0.5.
        fill: grey level outside the picture.
        interpolation: position in INTERPOLATIONS.
    """
    one = ONE if interpolation == NEAREST else SMOOTH_ONE
    a, b, c, d, e, f = where
    x = _fixed(a, one), _fixed(b, one), _fixed(c + 0.5 * (a + b), one)
    y = _fixed(d, one), _fixed(e, one), _fixed(f + 0.5 * (d + e), one)
    if interpolation == NEAREST and y[0] == 0 and (x[0] == ONE or x[0] == -ONE):
        _rows(src, out, x, y, fill)
        return
    for first in range(0, len(src), PACK):
        last = min(first + PACK, len(src))
        if interpolation == NEAREST:
            _gather(src, out, first, last, x, y, fill)
        else:
            _smooth(src, out, first, last, x, y, fill, 2 * interpolation)


@jit
def _fixed(value: float, one: int) -> int:
    return math.floor(value * one + 0.5)


@jit
def _rows(src: Picture, out: Picture, x: Axis, y: Axis, fill: np.uint8) -> None:
    """Copy whole rows, forwards or backwards: shears along x, shifts, flips."""
    C, H, W = src.shape
    for row in range(H):
        from_row = (y[1] * row + y[2]) >> NEAREST_BITS
        start = (x[1] * row + x[2]) >> NEAREST_BITS  # the input column of output column 0
        first, end = (-start, W - start) if x[0] > 0 else (start - W + 1, start + 1)
        left, right = min(max(first, 0), W), min(max(end, 0), W)
        if not 0 <= from_row < H:
            left = right = W
        for channel in range(C):
            line = out[channel, row]
            put(line[:left], fill)
            put(line[right:], fill)
            if left == right:
                continue
            near = src[channel, from_row]
            if x[0] > 0:
                copy(near[left + start : right + start], line[left:right])
            else:
                _reversed(near[start - right + 1 : start - left + 1], line[left:right])


@jit
def _reversed(src: Line, out: Line) -> None:
    count = len(out)
    for line in range(count // LINE):
        reverse16(src, out, count - (line + 1) * LINE, line * LINE)
    for i in range(count // LINE * LINE, count):
        out[i] = src[count - 1 - i]


@jit
def _inside(axis: Axis, row: int, length: int, W: int, one: int) -> tuple[int, int]:
    """Return the output columns [left, right) of a row whose coordinate lies in [0, length)."""
    step, first = axis[0], axis[1] * row + axis[2]
    last = first - length * one
    if step == 0:
        return (0, W) if first >= 0 and last < 0 else (0, 0)
    # Exact, and quicker than with whole numbers: all of them are far below 2**53.
    if step > 0:
        left, right = -math.floor(first / step), -math.floor(last / step)
    else:
        left, right = math.floor(last / -step) + 1, math.floor(first / -step) + 1
    return min(max(left, 0), W), min(max(right, 0), W)


@jit
def _both_inside(x: Axis, y: Axis, row: int, H: int, W: int, one: int) -> tuple[int, int]:
    left, right = _inside(x, row, W, W, one)
    top, bottom = _inside(y, row, H, W, one)
    left, right = max(left, top), min(right, bottom)
    return (left, right) if left < right else (W, W)


@jit
def _packed(src: Picture, first: int, last: int) -> Places:
    """Return up to three channels of each pixel in one number, so that one fetch gets them all."""
    out = np.zeros(src.shape[1] * src.shape[2], np.uint32)
    for channel in range(first, last):
        values, shift = src[channel].reshape(-1), np.uint32(8 * (channel - first))
        for i in range(len(out)):
            out[i] |= np.uint32(values[i]) << shift
    return out


@jit
def _pick(packed: Places, at: Places, near: Places) -> None:
    for i in range(len(at)):
        near[i] = packed[at[i]]


# --- nearest --------------------------------------------------------------------------------------


@jit
def _gather(
    src: Picture, out: Picture, first: int, last: int, x: Axis, y: Axis, fill: np.uint8
) -> None:
    """Fetch pixel by pixel: turns, shears along y, scales."""
    _, H, W = src.shape
    packed = _packed(src, first, last)
    places, found = np.empty(W, np.uint32), np.empty(W, np.uint32)
    # Where rows become columns, strips of a few columns: what a row fetches serves the next ones.
    strip = STRIP if x[0] == 0 else W
    for begin in range(0, W, strip):
        end = min(begin + strip, W)
        for row in range(H):
            left, right = _both_inside(x, y, row, H, W, ONE)
            left, right = min(max(left, begin), end), min(max(right, begin), end)
            at, near = places[left:right], found[left:right]
            from_x, from_y = x[0] * left + x[1] * row + x[2], y[0] * left + y[1] * row + y[2]
            for i in range(len(at)):
                across = (x[0] * i + from_x) >> NEAREST_BITS
                at[i] = ((y[0] * i + from_y) >> NEAREST_BITS) * W + across
            _pick(packed, at, near)
            for channel in range(first, last):
                line = out[channel, row]
                put(line[begin:left], fill)
                put(line[right:end], fill)
                _unpack(near, np.uint32(8 * (channel - first)), line[left:right])


@jit
def _unpack(near: Places, shift: np.uint32, line: Line) -> None:
    for i in range(len(line)):
        line[i] = np.uint8(near[i] >> shift)


# --- bilinear and bicubic -------------------------------------------------------------------------


@jit
def _smooth(
    src: Picture, out: Picture, first: int, last: int, x: Axis, y: Axis, fill: np.uint8, taps: int
) -> None:
    """Weigh 2×2 or 4×4 neighbours, clamped at the edge; an axis on whole pixels needs one."""
    _, H, W = src.shape
    packed = _packed(src, first, last)
    wx, wy = np.empty((taps, W), np.float32), np.empty((taps, W), np.float32)
    at_x, at_y = np.empty((taps, W), np.uint32), np.empty((taps, W), np.uint32)
    total, near = np.empty((PACK, W), np.float32), np.empty(W, np.uint32)
    for row in range(H):
        left, right = _both_inside(x, y, row, H, W, SMOOTH_ONE)
        n = right - left
        across = x[0], x[0] * left + x[1] * row + x[2] - HALF_PIXEL
        down = y[0], y[0] * left + y[1] * row + y[2] - HALF_PIXEL
        _neighbours(across, W, n, wx, at_x)
        _neighbours(down, H, n, wy, at_y)
        for channel in range(PACK):
            put(total[channel, :n], np.float32(0))
        for j in range(taps):
            for i in range(taps):
                if _adds(down, j, taps) and _adds(across, i, taps):
                    _fetch(packed, at_y[j, :n], at_x[i, :n], np.uint32(W), near[:n])
                    for channel in range(last - first):
                        shift = np.uint32(8 * channel)
                        _add(near[:n], shift, wy[j, :n], wx[i, :n], total[channel, :n])
        for channel in range(first, last):
            line = out[channel, row]
            put(line[:left], fill)
            put(line[right:], fill)
            _round(total[channel - first, :n], line[left:right])


@jit
def _adds(axis: tuple[int, int], tap: int, taps: int) -> bool:
    """Whether a neighbour may have a weight; on whole pixels only the middle one has."""
    whole = axis[0] % SMOOTH_ONE == 0 and axis[1] % SMOOTH_ONE == 0
    return not whole or tap == taps // 2 - 1


@jit
def _neighbours(axis: tuple[int, int], length: int, n: int, weight: Taps, at: Places) -> None:
    """Write n pixels' neighbours and weights along one axis, as `primitives._weights`."""
    one, two = np.float32(1), np.float32(2)
    taps = len(weight)
    for i in range(n):
        place = axis[0] * i + axis[1]
        t = np.float32(place & (SMOOTH_ONE - 1)) * FRACTION
        s = one - t
        if taps == 2:
            weight[0, i], weight[1, i] = s, t
        else:  # cubic convolution with a = -1
            weight[0, i] = -t * s * s
            weight[1, i] = one + t * t * (t - two)
            weight[2, i] = one + s * s * (s - two)
            weight[3, i] = -s * t * t
    for tap in range(taps):
        places = at[tap]
        for i in range(n):
            whole = (axis[0] * i + axis[1]) >> SMOOTH_BITS
            places[i] = min(max(whole + tap + 1 - taps // 2, 0), length - 1)


@jit
def _fetch(packed: Places, down: Places, across: Places, W: np.uint32, near: Places) -> None:
    for i in range(len(near)):
        near[i] = packed[np.uint32(np.uint32(down[i] * W) + across[i])]


@jit
def _add(near: Places, shift: np.uint32, down: Line32, across: Line32, total: Line32) -> None:
    for i in range(len(total)):
        value = np.float32(np.uint32(near[i] >> shift) & np.uint32(255))
        total[i] += value * (down[i] * across[i])


@jit
def _round(total: Line32, line: Line) -> None:
    for i in range(len(line)):
        line[i] = clipped(total[i] + HALF)
