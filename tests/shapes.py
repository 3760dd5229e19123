"""Pictures with masks that NumPy draws: the truth about them is known."""

from __future__ import annotations

import numpy as np

from learnaug.data import ImageSet
from learnaug.seeds import Seeds

SIDE = 32


def shapes(n: int, *, side: int = SIDE, seed: int = 0, parts: bool = False) -> ImageSet:
    """Return noise with a bright box (class 1) and a dark disc (class 2); the frame is 255."""
    gen = Seeds(seed).child("shapes").numpy()
    images = gen.integers(90, 150, (n, 3, side, side)).astype(np.uint8)
    masks = np.zeros((n, side, side), np.uint8)
    y, x = np.mgrid[:side, :side]
    for image, mask in zip(images, masks, strict=True):
        top, left = gen.integers(2, side - 12, 2)
        box = (y >= top) & (y < top + 10) & (x >= left) & (x < left + 10)
        cy, cx = gen.integers(8, side - 8, 2)
        disc = ((y - cy) ** 2 + (x - cx) ** 2 < 30) & ~box
        image[:, box] += 90
        image[:, disc] -= 80
        mask[box], mask[disc] = 1, 2
    masks[:, 0] = masks[:, :, 0] = 255
    return _set(images, masks, ("ground", "box", "disc"), parts)


def sides(n: int, *, side: int = SIDE, seed: int = 0) -> ImageSet:
    """Return noise whose mask is where it is bright: left or right, up or down, half and half."""
    gen = Seeds(seed).child("sides").numpy()
    images = gen.integers(60, 100, (n, 1, side, side)).astype(np.uint8)
    masks = np.zeros((n, side, side), np.uint8)
    for mask in masks:
        half = slice(0, side // 2) if gen.random() < 0.5 else slice(side // 2, side)
        if gen.random() < 0.5:
            mask[:, half] = 1
        else:
            mask[half] = 1
    images += (100 * masks)[:, None].astype(np.uint8)
    return _set(images, masks, ("dark", "bright"), False)


def _set(images: np.ndarray, masks: np.ndarray, classes: tuple[str, ...], parts: bool) -> ImageSet:
    n = len(images)
    own = np.where(np.arange(n) < 3 * n // 4, "train", "test") if parts else np.full(n, "")
    return ImageSet(
        "shapes", images, np.zeros(0, np.int64), classes, tuple(f"{i}.png" for i in range(n)),
        np.full(n, -1, np.int64), own, masks=masks,
    )  # fmt: skip
