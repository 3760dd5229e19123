"""The label check of pictures with masks: do pixels of one class pass for another?

A pixel passes for class b where the net, which never saw the operation, calls it b and is as sure
of that as of nine in ten pixels of b that it names rightly. Pixels of a picture are not
independent: what counts is, picture by picture, the share of a class that passes for another one
with the operation (the mask moved as the picture was) less that without it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.safe.labels import Move, moves_of, sight_of
from learnaug.methods.safe.scan import Scan

__all__ = ["PixelCheck"]

Floats = NDArray[np.float64]


class PixelCheck:
    """The label check of pictures with masks.

    Args:
        clean: the scan of the pictures as they are.

    Attributes:
        before: float [K, K], share of the pixels of class a that passes for b, as a mean over the
            pictures that have a.
        n: int64 [K], pictures with pixels of the class.
    """

    def __init__(self, clean: Scan) -> None:
        self.told = clean.told.astype(np.float64)
        self.n = _present(self.told).sum(0)
        self.before = np.nan_to_num(self.told).sum(0) / np.maximum(self.n, 1)[:, None]

    @property
    def sight(self) -> float:
        """Lower end of the share of pixels that would be seen to move if all did."""
        own = np.diagonal(self.told, axis1=1, axis2=2)
        if np.isnan(own).all():
            return 0.0
        return sight_of(self.before, self.n, float(np.nanstd(own)) / math.sqrt(len(own)))

    def moves(self, after: Scan) -> tuple[Move, ...]:
        """Return every move that some picture made, the largest lower end first."""
        change = after.told.astype(np.float64) - self.told  # NaN: not in the picture with or before
        n = _present(change).sum(0)
        known = np.nan_to_num(change)
        return moves_of(self.before, n, known.sum(0), (known**2).sum(0))


def _present(told: Floats) -> NDArray[np.bool_]:
    """Return which pictures have enough pixels of each class: bool [N, K]."""
    return ~np.isnan(told[:, :, 0])
