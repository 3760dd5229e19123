"""Lower the geometric operations to matrices, and boxes to pixels; on the host, in float64.

Convention: a matrix leads from output to input, in pixels, with pixel centres at +0.5 (Pillow's).
A map is the six numbers (a, b, c, d, e, f) of x_in = a·x + b·y + c and y_in = d·x + e·y + f.
The functions of one picture are compiled; both back ends use them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.jit import announced, jit, jit_cached, stamp
from learnaug.ops.table import op_numbers

__all__ = ["NEAREST_BITS", "SMOOTH_BITS", "affine", "box", "box_ends", "matrices"]

Floats = NDArray[np.float64]
Extra = NDArray[np.float32]
NEAREST_BITS = 16  # of fixed point; what Pillow uses: the same pixels, also on the brink of two
SMOOTH_BITS = 32

Map = tuple[float, float, float, float, float, float]
Size = tuple[int, int]

SHEAR_X, SHEAR_Y, TRANSLATE_X, TRANSLATE_Y, SHIFT_X, SHIFT_Y, ROTATE = op_numbers(
    "shear_x", "shear_y", "translate_x", "translate_y", "shift_x", "shift_y", "rotate"
)
HFLIP, VFLIP, ROT90, TRANSPOSE = op_numbers("hflip", "vflip", "rot90", "transpose")
PAD_CROP, RESIZED_CROP, RANDOM_CROP, ZOOM, DISTORT = op_numbers(
    "pad_crop", "resized_crop", "random_crop", "zoom", "distort"
)


def matrices(
    ops: NDArray[np.int16],
    value: NDArray[np.float32],
    extra: NDArray[np.float32],
    size: Size,
    *,
    whole_pixels: bool | NDArray[np.bool_],
) -> Floats:
    """Return the matrix of each picture's warp.

    Args:
        ops: operations that are warps, [b].
        value: magnitudes in their units, [b].
        extra: uniform numbers, [b, 4].
        size: (H, W).
        whole_pixels: shift by whole pixels, as nearest neighbour does; for all, or bool [b].

    Returns:
        float64 [b, 3, 3], output -> input.

    Example:
        >>> flip, *_ = op_numbers("hflip")
        >>> none = np.zeros((1, 4), np.float32)
        >>> matrices(np.array([flip]), none[:, 0], none, (2, 5), whole_pixels=True)[0, 0].tolist()
        [-1.0, 0.0, 5.0]
    """
    out = np.broadcast_to(np.eye(3), (len(ops), 3, 3)).copy()
    given = (ops, value, extra, np.broadcast_to(whole_pixels, len(ops)))
    kinds = (np.int16, np.float32, np.float32, np.bool_)
    arrays = [np.require(a, k, ["C", "W"]) for a, k in zip(given, kinds, strict=True)]
    _ready()(*arrays, int(size[0]), int(size[1]), out)
    return out


def box(
    side: NDArray[Any], extra: NDArray[np.float32], size: Size
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return boxes as (top, bottom, left, right) in pixels, ends excluded, clipped at the border.

    Args:
        side: of the box as a fraction of the picture's, [b].
        extra: uniform numbers, [b, 4]; the first two place the centre pixel (x, y).
        size: (H, W).
    """
    ends: list[NDArray[np.int64]] = []
    for length, uniform in ((size[0], extra[:, 1]), (size[1], extra[:, 0])):
        long = np.floor(side.astype(np.float64) * length + 0.5).astype(np.int64)
        start = np.floor(uniform.astype(np.float64) * length).astype(np.int64) - long // 2
        ends += [np.clip(start, 0, length), np.clip(start + long, 0, length)]
    return ends[0], ends[1], ends[2], ends[3]


@jit
def box_ends(side: float, uniform: float, length: int) -> tuple[int, int]:
    """Return the ends of one side of a box, as `box` does."""
    long = math.floor(side * length + 0.5)
    start = math.floor(uniform * length) - long // 2
    return min(max(start, 0), length), min(max(start + long, 0), length)


# --- one picture ----------------------------------------------------------------------------------


@jit
def affine(op: int, v: float, extra: Extra, H: int, W: int, whole_pixels: bool) -> Map:
    """Return the map of one picture's warp; arguments as in `matrices`."""
    a, b, c, d, e, f = _moved(op, v, extra, H, W)
    if whole_pixels and a == 1 and b == 0 and d == 0 and e == 1:
        # floor(x + 0.5 - t) = x + floor(0.5 - t): exact, where fixed point could tip over a brink.
        c, f = math.floor(0.5 + c), math.floor(0.5 + f)
    return a, b, c, d, e, f


@jit
def _moved(op: int, v: float, extra: Extra, H: int, W: int) -> Map:
    if op == SHEAR_X:
        return 1.0, v, 0.0, 0.0, 1.0, 0.0
    if op == SHEAR_Y:
        return 1.0, 0.0, 0.0, v, 1.0, 0.0
    if op == TRANSLATE_X:
        return 1.0, 0.0, -v * W, 0.0, 1.0, 0.0
    if op == TRANSLATE_Y:
        return 1.0, 0.0, 0.0, 0.0, 1.0, -v * H
    if op == SHIFT_X:
        return 1.0, 0.0, -v, 0.0, 1.0, 0.0
    if op == SHIFT_Y:
        return 1.0, 0.0, 0.0, 0.0, 1.0, -v
    if op == HFLIP:
        return -1.0, 0.0, float(W), 0.0, 1.0, 0.0
    if op == VFLIP:
        return 1.0, 0.0, 0.0, 0.0, -1.0, float(H)
    if op == PAD_CROP:
        return 1.0, 0.0, _crop(v, extra[0], W), 0.0, 1.0, _crop(v, extra[1], H)
    if op == RESIZED_CROP:
        return _resized_crop(v, extra, H, W)
    if op == RANDOM_CROP:
        rest = 1 - v
        return v, 0.0, extra[0] * (rest * W), 0.0, v, extra[1] * (rest * H)
    return _about_centre(_linear(op, v, extra), H, W)


@jit
def _linear(op: int, v: float, extra: Extra) -> tuple[float, float, float, float]:
    """Return the linear part (a, b, d, e) of the maps that keep the centre."""
    if op == ROTATE:
        return _turn(v)
    if op == ROT90:
        return _turn(90 * np.rint(v))
    if op == TRANSPOSE:
        return 0.0, 1.0, 1.0, 0.0
    if op == ZOOM:
        return 1 / v, 0.0, 0.0, 1 / v
    # distort: [[1+v·u0, v·u1], [v·u2, 1+v·u3]], u uniform in [-1, 1)
    u0, u1 = 2 * np.float64(extra[0]) - 1, 2 * np.float64(extra[1]) - 1
    u2, u3 = 2 * np.float64(extra[2]) - 1, 2 * np.float64(extra[3]) - 1
    return 1 + v * u0, v * u1, v * u2, 1 + v * u3


@jit
def _turn(degrees: float) -> tuple[float, float, float, float]:
    # 15 digits, so that quarter turns have true zeros.
    angle = degrees * (math.pi / 180)
    c, s = np.rint(math.cos(angle) * 1e15) / 1e15, np.rint(math.sin(angle) * 1e15) / 1e15
    return c, -s, s, c


@jit
def _about_centre(linear: tuple[float, float, float, float], H: int, W: int) -> Map:
    a, b, d, e = linear
    x, y = W / 2, H / 2
    return a, b, x - a * x - b * y, d, e, y - d * x - e * y


@jit
def _crop(v: float, uniform: float, side: int) -> float:
    """Return the shift of a crop from the picture padded by v on both sides."""
    pad = np.rint(v * side)
    return float(math.floor(np.float64(uniform) * (2 * pad + 1)) - pad)


@jit
def _resized_crop(v: float, extra: Extra, H: int, W: int) -> Map:
    """Crop area v, aspect log-uniform in 3/4 to 4/3; a side longer than the picture is cut."""
    aspect = (4 / 3) ** (2 * np.float64(extra[2]) - 1)
    wide = min(math.sqrt(v * H * W * aspect), float(W))
    high = min(math.sqrt(v * H * W / aspect), float(H))
    left, top = np.float64(extra[0]) * (W - wide), np.float64(extra[1]) * (H - high)
    return wide / max(W, 1), 0.0, left, 0.0, high / max(H, 1), top


def _keyed(cache_key: str) -> Any:
    def all_matrices(
        ops: NDArray[np.int16],
        value: NDArray[np.float32],
        extra: Extra,
        whole_pixels: NDArray[np.bool_],
        H: int,
        W: int,
        out: Floats,
    ) -> None:
        for i in range(len(ops) if cache_key else 0):  # which closes over the key
            a, b, c, d, e, f = affine(ops[i], np.float64(value[i]), extra[i], H, W, whole_pixels[i])
            out[i, 0, 0], out[i, 0, 1], out[i, 0, 2] = a, b, c
            out[i, 1, 0], out[i, 1, 1], out[i, 1, 2] = d, e, f

    return jit_cached(all_matrices)


_all_matrices = _keyed(stamp())


@cache
def _ready() -> Any:
    """Return the compiled function, compiled or loaded by now."""
    none = np.zeros(0, np.int16), np.zeros(0, np.float32), np.zeros((0, 4), np.float32)
    with announced(3):
        _all_matrices(*none, np.zeros(0, np.bool_), 1, 1, np.zeros((0, 3, 3)))
    return _all_matrices
