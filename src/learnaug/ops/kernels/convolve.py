"""`convolve` of one picture with a Gaussian: rows, then columns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import HALF, clipped, put

__all__ = ["blur"]

Picture = NDArray[np.uint8]  # [C, H, W]


@jit
def blur(src: Picture, out: Picture, sigma: np.float32) -> None:
    """Write the picture under a Gaussian of that standard deviation, in pixels; edges repeated."""
    C, H, W = src.shape
    weights = _gaussian(sigma)
    reach = len(weights) // 2
    wide = np.empty(W + 2 * reach, np.float32)
    mixed = np.empty(W, np.float32)
    for channel in range(C):
        for row in range(H):
            put(wide, np.float32(0))
            for j in range(len(weights)):
                line = src[channel, min(max(row + j - reach, 0), H - 1)]
                for x in range(W):
                    wide[reach + x] += weights[j] * np.float32(line[x])
            put(wide[:reach], wide[reach])
            put(wide[reach + W :], wide[reach + W - 1])
            put(mixed, HALF)
            for i in range(len(weights)):
                for x in range(W):
                    mixed[x] += weights[i] * wide[i + x]
            for x in range(W):
                out[channel, row, x] = clipped(mixed[x])


@jit
def _gaussian(sigma: np.float32) -> NDArray[np.float32]:
    """Return weights that sum to 1 and reach 3 standard deviations."""
    reach = math.ceil(3 * max(np.float64(sigma), 1e-6))
    line = np.empty(2 * reach + 1, np.float32)
    total = 0.0
    for i in range(len(line)):
        total += _bell(i - reach, sigma)
    for i in range(len(line)):
        line[i] = _bell(i - reach, sigma) / total
    return line


@jit
def _bell(x: int, sigma: np.float32) -> float:
    return math.exp(-0.5 * (x / max(np.float64(sigma), 1e-3)) ** 2)
