"""How far pictures are apart, and which of many is nearest to one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.methods.gallery import reduced

__all__ = ["COMPARED", "apart", "flat", "nearest"]

COMPARED = 64  # pixels at which pictures are compared, unless told otherwise
CHUNK = 256  # pictures compared at once

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Pictures = NDArray[np.uint8]


def flat(pictures: Pictures, side: int = COMPARED) -> Tensor:
    """Return pictures as rows of numbers, at no more than `side` pixels an edge.

    Args:
        pictures: uint8 [N, C, H, W].
        side: pixels; larger pictures are averaged by a whole factor.

    Returns:
        float64 [N, D], whole numbers in 0 … 255.
    """
    seen = reduced(pictures, side)
    return torch.from_numpy(seen.reshape(len(seen), -1).astype(np.float64))


def apart(a: Pictures, b: Pictures, side: int = COMPARED) -> Floats:
    """Return the mean squared distance of each picture to its fellow, in [0, 1].

    Args:
        a: uint8 [N, C, H, W].
        b: uint8 [N, C, H, W].
        side: pixels an edge at which they are compared.

    Returns:
        float64 [N].

    Example:
        >>> black, white = np.zeros((1, 1, 2, 2), np.uint8), np.full((1, 1, 2, 2), 255, np.uint8)
        >>> apart(black, white).tolist()
        [1.0]
    """
    gaps = flat(a, side) - flat(b, side)
    return (gaps.square().sum(1) / (255.0**2 * gaps.shape[1])).numpy()


def nearest(
    queries: Pictures, pictures: Pictures, without: Ints | None = None, side: int = COMPARED
) -> tuple[Ints, Floats]:
    """Return which picture is nearest to each query, and the mean squared distance in [0, 1].

    Squares of bytes and their sums are whole numbers that float64 holds exactly: no rounding
    decides between two pictures, on any machine. The first of equals is taken.

    Args:
        queries: uint8 [Q, C, H, W].
        pictures: uint8 [N, C, H, W].
        without: int64 [Q, W], pictures that do not count, for each query.
        side: pixels an edge at which they are compared, at most.

    Returns:
        int64 [Q], and float64 [Q]; infinite where every picture is left out.
    """
    wanted = flat(queries, side)
    out = torch.from_numpy(np.zeros((len(queries), 0), np.int64) if without is None else without)
    least = torch.full((len(queries),), torch.inf, dtype=torch.float64)
    found = torch.zeros(len(queries), dtype=torch.int64)
    for start in range(0, len(pictures), CHUNK):
        given = flat(pictures[start : start + CHUNK], side)
        far = given.square().sum(1) - 2 * wanted @ given.T
        place = torch.arange(start, start + len(given))
        far[(out[:, :, None] == place).any(1)] = torch.inf
        low, at = far.min(1)
        closer = low < least
        least = torch.where(closer, low, least)
        found = torch.where(closer, start + at, found)
    exact = least + wanted.square().sum(1)
    return found.numpy(), (exact / (255.0**2 * wanted.shape[1])).numpy()
