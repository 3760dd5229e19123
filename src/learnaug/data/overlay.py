"""Masks as pictures: a colour for each class, laid over the image."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

from learnaug.data.masks import IGNORED

__all__ = ["colours", "overlaid"]

SHARE = 0.65  # of the class colour in a pixel
OKABE_ITO = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167), (153, 153, 153),
)  # fmt: skip
GOLDEN = 0.618034  # of the circle of hues: neighbours in number are far apart in colour

Bytes = npt.NDArray[np.uint8]


def colours(number: int) -> Bytes:
    """Return one colour a class: uint8 [number, 3]; the first eight of Okabe and Ito.

    Example:
        >>> colours(2).tolist()
        [[230, 159, 0], [86, 180, 233]]
    """
    more = [
        colorsys.hsv_to_rgb(GOLDEN * i % 1, 0.55 + 0.4 * (i % 2), 0.95 - 0.3 * (i % 3) / 2)
        for i in range(max(0, number - len(OKABE_ITO)))
    ]
    found = [*OKABE_ITO[:number], *(tuple(round(255 * v) for v in one) for one in more)]
    return np.array(found, np.uint8).reshape(number, 3)


def overlaid(images: Bytes, masks: Bytes, classes: int) -> Bytes:
    """Return images under the colours of their masks.

    Args:
        images: uint8 [N, 3, H, W].
        masks: uint8 [N, H, W], class numbers; 255 is drawn black.
        classes: number of classes.

    Returns:
        uint8 [N, 3, H, W].

    Example:
        >>> white = np.full((1, 3, 1, 2), 255, np.uint8)
        >>> overlaid(white, np.array([[[0, 255]]], np.uint8), 1)[0, :, 0].T.tolist()
        [[239, 193, 89], [0, 0, 0]]
    """
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = colours(classes)
    colour = table[masks].transpose(0, 3, 1, 2)
    mixed = (1 - SHARE) * images + SHARE * colour
    found: Bytes = np.where((masks == IGNORED)[:, None], 0, mixed).round().astype(np.uint8)
    return found
