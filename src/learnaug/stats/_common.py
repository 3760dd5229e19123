"""Checked arrays and the level that every interval shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from learnaug.errors import UsageError

Interval = tuple[float, float]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.95  # of every interval
CHUNK = 1 << 22  # numbers held at once while patterns or images are drawn (32 MiB)


def differences(candidate: ArrayLike, baseline: ArrayLike) -> Floats:
    """Return candidate - baseline, both finite, one-dimensional and of one length."""
    c, b = finite(candidate, "candidate scores"), finite(baseline, "baseline scores")
    if len(c) != len(b):
        raise UsageError(f"scores must come in pairs, but got {len(c)} against {len(b)}")
    return c - b


def finite(values: ArrayLike, name: str) -> Floats:
    """Return one-dimensional float64 values; NaN and Inf are refused with their places."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise UsageError(f"{name} must be one-dimensional, but have shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise UsageError(f"{name} must be finite", [f"number {i}: {array[i]}" for i in bad])
    return array


def t_quantile(df: int) -> float:
    """Return the two-sided quantile of Student's t at LEVEL."""
    return float(special.stdtrit(df, (1 + LEVEL) / 2))
