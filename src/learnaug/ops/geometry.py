"""Lower the geometric operations to matrices, and boxes to pixels; on the host, in float64.

Convention: a matrix leads from output to input, in pixels, with pixel centres at +0.5 (Pillow's).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.table import op_numbers

__all__ = ["box", "matrices"]

Floats = NDArray[np.float64]
Size = tuple[int, int]


def matrices(
    ops: NDArray[np.int16],
    value: NDArray[np.float32],
    extra: NDArray[np.float32],
    size: Size,
    *,
    whole_pixels: bool,
) -> Floats:
    """Return the matrix of each picture's warp.

    Args:
        ops: operations that are warps, [b].
        value: magnitudes in their units, [b].
        extra: uniform numbers, [b, 4].
        size: (H, W).
        whole_pixels: shift by whole pixels, as nearest neighbour does.

    Returns:
        float64 [b, 3, 3], output -> input.

    Example:
        >>> flip, *_ = op_numbers("hflip")
        >>> none = np.zeros((1, 4), np.float32)
        >>> matrices(np.array([flip]), none[:, 0], none, (2, 5), whole_pixels=True)[0, 0].tolist()
        [-1.0, 0.0, 5.0]
    """
    out = np.broadcast_to(np.eye(3), (len(ops), 3, 3)).copy()
    for number in np.unique(ops):
        rows = ops == number
        out[rows, :2] = _MATRIX[int(number)](value[rows].astype(np.float64), extra[rows], size)
    if whole_pixels:
        _round_shifts(out)
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
        start = _whole(uniform, length) - long // 2
        ends += [np.clip(start, 0, length), np.clip(start + long, 0, length)]
    return ends[0], ends[1], ends[2], ends[3]


def _whole(uniform: NDArray[np.float32], count: int | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.floor(uniform.astype(np.float64) * count).astype(np.int64)


def _round_shifts(out: Floats) -> None:
    # floor(x + 0.5 - t) = x + floor(0.5 - t): exact, where fixed point could tip over a brink.
    pure = (out[:, :2, :2] == np.eye(2)).all(axis=(1, 2))
    out[pure, :2, 2] = np.floor(0.5 + out[pure, :2, 2])


def _rows(b: int, *entries: Any) -> Floats:
    """Return [b, 2, 3] from six numbers or arrays [b]: a, b, c of x, then of y."""
    out = np.empty((b, 6))
    for i, entry in enumerate(entries):
        out[:, i] = entry
    return out.reshape(b, 2, 3)


def _about_centre(a: Any, b: Any, d: Any, e: Any, size: Size) -> Floats:
    """Return the map with the linear part [[a, b], [d, e]] that keeps the centre."""
    x, y = size[1] / 2, size[0] / 2
    return _rows(len(a), a, b, x - a * x - b * y, d, e, y - d * x - e * y)


def _shear_x(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, v, 0, 0, 1, 0)


def _shear_y(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, 0, 0, v, 1, 0)


def _translate_x(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, 0, -v * size[1], 0, 1, 0)


def _translate_y(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, 0, 0, 0, 1, -v * size[0])


def _shift_x(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, 0, -v, 0, 1, 0)


def _shift_y(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, 0, 0, 0, 1, -v)


def _rotate(v: Floats, _: Any, size: Size) -> Floats:
    # 15 digits, so that quarter turns have true zeros.
    c, s = np.cos(np.radians(v)).round(15), np.sin(np.radians(v)).round(15)
    return _about_centre(c, -s, s, c, size)


def _rot90(v: Floats, _: Any, size: Size) -> Floats:
    return _rotate(90 * np.rint(v), _, size)


def _hflip(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), -1, 0, size[1], 0, 1, 0)


def _vflip(v: Floats, _: Any, size: Size) -> Floats:
    return _rows(len(v), 1, 0, 0, 0, -1, size[0])


def _transpose(v: Floats, _: Any, size: Size) -> Floats:
    zero = np.zeros(len(v))
    return _about_centre(zero, zero + 1, zero + 1, zero, size)


def _pad_crop(v: Floats, extra: NDArray[np.float32], size: Size) -> Floats:
    shift = []
    for uniform, side in ((extra[:, 0], size[1]), (extra[:, 1], size[0])):
        pad = np.rint(v * side).astype(np.int64)
        shift.append(_whole(uniform, 2 * pad + 1) - pad)
    return _rows(len(v), 1, 0, shift[0], 0, 1, shift[1])


def _resized_crop(v: Floats, extra: NDArray[np.float32], size: Size) -> Floats:
    """Crop area v, aspect log-uniform in 3/4 to 4/3; a side longer than the picture is cut."""
    H, W = size
    aspect = (4 / 3) ** (2 * extra[:, 2].astype(np.float64) - 1)
    wide = np.minimum(np.sqrt(v * H * W * aspect), W)
    high = np.minimum(np.sqrt(v * H * W / aspect), H)
    left, top = extra[:, 0] * (W - wide), extra[:, 1] * (H - high)
    return _rows(len(v), wide / max(W, 1), 0, left, 0, high / max(H, 1), top)


def _zoom(v: Floats, _: Any, size: Size) -> Floats:
    zero = np.zeros(len(v))
    return _about_centre(1 / v, zero, zero, 1 / v, size)


def _distort(v: Floats, extra: NDArray[np.float32], size: Size) -> Floats:
    """Return [[1+v·u0, v·u1], [v·u2, 1+v·u3]] about the centre, u uniform in [-1, 1)."""
    a, b, d, e = (v[:, None] * (2 * extra.astype(np.float64) - 1)).T
    return _about_centre(1 + a, b, d, 1 + e, size)


_BY_NAME: dict[str, Callable[[Floats, NDArray[np.float32], Size], Floats]] = {
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
    "shift_x": _shift_x,
    "shift_y": _shift_y,
    "rotate": _rotate,
    "hflip": _hflip,
    "vflip": _vflip,
    "rot90": _rot90,
    "transpose": _transpose,
    "pad_crop": _pad_crop,
    "resized_crop": _resized_crop,
    "zoom": _zoom,
    "distort": _distort,
}
_MATRIX = dict(zip(op_numbers(*_BY_NAME), _BY_NAME.values(), strict=True))
