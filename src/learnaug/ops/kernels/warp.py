"""`warp` of one picture: the same fixed-point addresses as `primitives.warp`, row by row.

Indices are unsigned where a loop is hot: Numba then leaves out the test for negative ones, without
which the processor's wide registers could not be used.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.geometry import Map
from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import HALF, clipped, copy
from learnaug.ops.primitives import NEAREST_BITS, SMOOTH_BITS

__all__ = ["NEAREST", "warp"]

Picture = NDArray[np.uint8]  # [C, H, W]
Line = NDArray[np.uint8]  # [W]
Taps = NDArray[np.float32]  # [taps, W]
Places = NDArray[np.uint32]
Axis = tuple[int, int, int]  # of x_in or y_in: per column, per row, at the origin; fixed point

ONE = 1 << NEAREST_BITS
SMOOTH_ONE = 1 << SMOOTH_BITS
FRACTION = np.float32(1.0 / SMOOTH_ONE)
NEAREST = 0


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
    if interpolation != NEAREST:
        _smooth(src, out, x, y, fill, interpolation)
    elif y[0] == 0 and (x[0] == ONE or x[0] == -ONE):
        _rows(src, out, x, y, fill)
    else:
        _gather(src, out, x, y, fill)


@jit
def _put(line: Line, value: np.uint8) -> None:
    for i in range(len(line)):
        line[i] = value


@jit
def _fixed(value: float, one: int) -> int:
    return np.int64(math.floor(value * one + 0.5))


@jit
def _rows(src: Picture, out: Picture, x: Axis, y: Axis, fill: np.uint8) -> None:
    """Copy whole rows, forwards or backwards: shears along x, shifts, flips."""
    C, H, W = src.shape
    for row in range(H):
        left, right = _both_inside(x, y, row, H, W, ONE)
        from_row = (y[1] * row + y[2]) >> NEAREST_BITS
        start = (x[1] * row + x[2]) >> NEAREST_BITS  # the input column of output column 0
        for channel in range(C):
            line = out[channel, row]
            _put(line[:left], fill)
            _put(line[right:], fill)
            if left == right:
                continue
            near = src[channel, from_row]
            if x[0] > 0:
                copy(near[left + start : right + start], line[left:right])
            else:
                _reversed(near[start - right + 1 : start - left + 1], line[left:right])


@jit
def _reversed(src: Line, out: Line) -> None:
    last = np.uint64(len(out)) - np.uint64(1)
    for i in range(np.uint64(len(out))):
        out[i] = src[last - i]


@jit
def _inside(axis: Axis, row: int, length: int, W: int, one: int) -> tuple[int, int]:
    """Return the output columns [left, right) of a row whose coordinate lies in [0, length)."""
    step, first, end = axis[0], axis[1] * row + axis[2], length * one
    if step == 0:
        return (0, W) if 0 <= first < end else (0, 0)
    if step > 0:
        left, right = -(first // step), -((first - end) // step)
    else:
        left, right = (first - end) // -step + 1, first // -step + 1
    return min(max(left, 0), W), min(max(right, 0), W)


@jit
def _both_inside(x: Axis, y: Axis, row: int, H: int, W: int, one: int) -> tuple[int, int]:
    left, right = _inside(x, row, W, W, one)
    top, bottom = _inside(y, row, H, W, one)
    left, right = max(left, top), min(right, bottom)
    return (left, right) if left < right else (W, W)


@jit
def _gather(src: Picture, out: Picture, x: Axis, y: Axis, fill: np.uint8) -> None:
    C, H, W = src.shape
    flat = src.reshape(C, H * W)
    at = np.empty(W, np.uint32)
    for row in range(H):
        left, right = _both_inside(x, y, row, H, W, ONE)
        from_x, from_y = x[1] * row + x[2], y[1] * row + y[2]
        for column in range(left, right):
            across = (x[0] * column + from_x) >> NEAREST_BITS
            at[column] = ((y[0] * column + from_y) >> NEAREST_BITS) * W + across
        for channel in range(C):
            line = out[channel, row]
            _put(line[:left], fill)
            _put(line[right:], fill)
            _pick(flat[channel], at[left:right], line[left:right])


@jit
def _pick(plane: Line, at: Places, line: Line) -> None:
    for i in range(len(line)):
        line[i] = plane[at[i]]


# --- bilinear and bicubic -------------------------------------------------------------------------


@jit
def _smooth(
    src: Picture, out: Picture, x: Axis, y: Axis, fill: np.uint8, interpolation: int
) -> None:
    """Weigh 2×2 or 4×4 neighbours, clamped at the edge; an axis on whole pixels needs one."""
    C, H, W = src.shape
    flat = src.reshape(C, H * W)
    taps = 2 * interpolation
    wx, wy = np.empty((taps, W), np.float32), np.empty((taps, W), np.float32)
    at_x, at_y = np.empty((taps, W), np.uint32), np.empty((taps, W), np.uint32)
    weight, at = np.empty((taps * taps, W), np.float32), np.empty((taps * taps, W), np.uint32)
    total = np.empty(W, np.float32)
    half = SMOOTH_ONE // 2
    for row in range(H):
        left, right = _both_inside(x, y, row, H, W, SMOOTH_ONE)
        across = x[0], x[1] * row + x[2] - half
        down = y[0], y[1] * row + y[2] - half
        _neighbours(across, W, left, right, wx, at_x)
        _neighbours(down, H, left, right, wy, at_y)
        count = 0
        for j in range(taps):
            for i in range(taps):
                if _adds(down, j, taps) and _adds(across, i, taps):
                    for column in range(left, right):
                        weight[count, column] = wy[j, column] * wx[i, column]
                        at[count, column] = at_y[j, column] * np.uint32(W) + at_x[i, column]
                    count += 1
        for channel in range(C):
            line = out[channel, row]
            _put(line[:left], fill)
            _put(line[right:], fill)
            _weigh(flat[channel], line, weight[:count], at, left, right, total)


@jit
def _adds(axis: tuple[int, int], tap: int, taps: int) -> bool:
    """Whether a neighbour may have a weight; on whole pixels only the middle one has."""
    whole = axis[0] % SMOOTH_ONE == 0 and axis[1] % SMOOTH_ONE == 0
    return not whole or tap == taps // 2 - 1


@jit
def _neighbours(
    axis: tuple[int, int], length: int, left: int, right: int, weight: Taps, at: Places
) -> None:
    """Write the neighbours' places and weights along one axis, as `primitives._weights`."""
    taps, one, two = len(weight), np.float32(1), np.float32(2)
    for column in range(left, right):
        place = axis[0] * column + axis[1]
        whole = place >> SMOOTH_BITS
        t = np.float32(place - (whole << SMOOTH_BITS)) * FRACTION
        s = one - t
        if taps == 2:
            weight[0, column], weight[1, column] = s, t
        else:  # cubic convolution with a = -1
            weight[0, column] = -t * s * s
            weight[1, column] = one + t * t * (t - two)
            weight[2, column] = one + s * s * (s - two)
            weight[3, column] = -s * t * t
        for i in range(taps):
            at[i, column] = min(max(whole + i + 1 - taps // 2, 0), length - 1)


@jit
def _weigh(
    plane: Line, line: Line, weight: Taps, at: Places, left: int, right: int, total: Taps
) -> None:
    for column in range(left, right):
        total[column] = np.float32(0)
    for tap in range(len(weight)):
        weights, places = weight[tap], at[tap]
        for column in range(left, right):
            total[column] += np.float32(plane[places[column]]) * weights[column]
    for column in range(left, right):
        line[column] = clipped(total[column] + HALF)
