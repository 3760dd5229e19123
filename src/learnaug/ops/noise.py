"""Normal noise that needs no stored map: a number of 64 bits and a pixel's place give its noise.

Whole numbers up to the last step, so that every device adds the same noise: the place is hashed
with the picture's key to 32 bits, and two parts of these, 12 bits each, pick from a table of the
normal distribution. The sum of the two, scaled, has the standard deviation asked for and reaches
5.2 of them.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.ops.rows import upload

__all__ = ["FIRST", "LOW", "NORMAL", "SCALE", "SECOND", "SHIFTS", "UPPER", "keys", "noisy"]

BITS = 12
LOW = (1 << BITS) - 1  # the lowest bits pick one entry, those from UPPER on the other
UPPER = 32 - BITS
# An integer hash of two rounds; these factors were found by TheIronBorn with hash-prospector, and
# are below 2**31: a product stays below 2**63.
FIRST, SECOND = 0x21F0AAAD, 0x735A2D97
SHIFTS = (16, 15, 15)
_MASK = 0xFFFFFFFF


def _table() -> NDArray[np.int16]:
    """Return the middles of 4,096 equally likely parts of the normal distribution, times 4,096."""
    count = LOW + 1
    middles = [NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)]
    return np.array([round(4096 * middle) for middle in middles], np.int16)


NORMAL = _table()
# A sum of two entries times this has a standard deviation of 1.
SCALE = np.float32(1 / math.sqrt(2 * float(np.square(NORMAL.astype(np.float64)).mean())))


def keys(extra: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return each picture's key as two numbers of 32 bits, [2, b], of its uniform numbers [b, 4].

    Example:
        >>> keys(np.array([[0.5, 0, 0, 0.75]], np.float32)).tolist()
        [[2147483648], [192]]
    """
    whole = (extra.astype(np.float64) * (1 << 24)).astype(np.int64)
    return np.stack((whole[:, 0] << 8 | whole[:, 2] >> 16, whole[:, 1] << 8 | whole[:, 3] >> 16))


def noisy(images: Tensor, value: NDArray[np.float32], extra: NDArray[np.float32]) -> Tensor:
    """Return the pictures with independent normal noise in every pixel and channel.

    Args:
        images: uint8, [b, C, H, W].
        value: standard deviations in grey levels, [b].
        extra: the pictures' uniform numbers, [b, 4], of which their keys are made.

    Returns:
        uint8 [b, C, H, W], rounded half up and clamped.
    """
    device = images.device
    first, second = upload(keys(extra), device).unsqueeze(2).unbind(0)
    places = torch.arange(images[0].numel(), device=device)
    bits = _hashed(_hashed(places ^ first) ^ second)
    table = upload(NORMAL.astype(np.float32), device)
    noise = table[bits & LOW].add_(table[bits >> UPPER])  # whole numbers: exact
    noise.mul_(upload(value * SCALE, device).unsqueeze(1))
    return noise.view_as(images).add_(images).add_(0.5).clamp_(0, 255).to(torch.uint8)


def _hashed(x: Any) -> Any:
    """Return 32 bits of 32 bits; the same as `kernels.noise`."""
    x = ((x ^ x >> SHIFTS[0]) * FIRST) & _MASK
    x = ((x ^ x >> SHIFTS[1]) * SECOND) & _MASK
    return x ^ x >> SHIFTS[2]
