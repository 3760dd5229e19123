"""Normal noise of one picture: the same numbers as `ops.noise`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import HALF, STRIP, clipped
from learnaug.ops.noise import FIRST, LOW, NORMAL, SCALE, SECOND, SHIFTS, UPPER

__all__ = ["add_noise"]

Picture = NDArray[np.uint8]  # [C, H, W]
Extra = NDArray[np.float32]

# Everything in 32 bits: Numba would widen to 64, and a register would hold half as many.
A, B, C = (np.uint32(shift) for shift in SHIFTS)
TIMES, AGAIN = np.uint32(FIRST), np.uint32(SECOND)
LOWEST, TOP_BITS = np.uint32(LOW), np.uint32(UPPER)
UNIT = np.float32(1 << 24)


@jit
def add_noise(src: Picture, out: Picture, sd: np.float32, extra: Extra) -> None:
    """Write the picture with noise of that standard deviation, in grey levels."""
    values, changed = src.reshape(-1), out.reshape(-1)
    first, second = _key(extra[0], extra[2]), _key(extra[1], extra[3])
    factor = sd * SCALE
    bits = np.empty(min(len(values), STRIP), np.uint32)
    for start in range(0, len(values), STRIP):
        end = min(start + STRIP, len(values))
        part = bits[: end - start]
        for i in range(len(part)):
            place = np.uint32(np.uint32(start + i) ^ first)
            part[i] = _hashed(np.uint32(_hashed(place) ^ second))
        own, line = values[start:end], changed[start:end]
        for i in range(len(part)):
            total = np.int32(NORMAL[part[i] & LOWEST]) + np.int32(NORMAL[part[i] >> TOP_BITS])
            line[i] = clipped(np.float32(total) * factor + np.float32(own[i]) + HALF)


@jit
def _key(high: np.float32, low: np.float32) -> np.uint32:
    return np.uint32((np.int64(high * UNIT) << 8) | (np.int64(low * UNIT) >> 16))


@jit
def _hashed(x: np.uint32) -> np.uint32:
    x = np.uint32(np.uint32(x ^ np.uint32(x >> A)) * TIMES)
    x = np.uint32(np.uint32(x ^ np.uint32(x >> B)) * AGAIN)
    return np.uint32(x ^ np.uint32(x >> C))
