"""Copied into exported files: a table of the normal distribution, and a picture's key for noise."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Any

__all__ = ["NORMAL", "hashed", "noise_factor", "noise_keys"]

NORMAL = [round(4096 * NormalDist().inv_cdf((i + 0.5) / 4096)) for i in range(4096)]


def noise_factor(deviation: float) -> float:
    """Return what the sum of two numbers of the table is multiplied by."""
    variance = sum(number**2 for number in NORMAL) / len(NORMAL)
    return deviation / sqrt(2 * variance)


def noise_keys(extra: tuple[float, ...]) -> tuple[int, int]:
    """Return a picture's key, two numbers of 32 bits, of its four uniform numbers."""
    a, b, c, d = (int(number * 2**24) for number in extra)
    return a << 8 | c >> 16, b << 8 | d >> 16


def hashed(bits: Any) -> Any:
    """Return other 32 bits, well mixed, for every 32 bits: a hash of two rounds."""
    bits = ((bits ^ bits >> 16) * 0x21F0AAAD) & 0xFFFFFFFF
    bits = ((bits ^ bits >> 15) * 0x735A2D97) & 0xFFFFFFFF
    return bits ^ bits >> 15
