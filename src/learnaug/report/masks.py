"""Masks as pictures: a colour for each class, laid over the image."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence

import numpy as np

from learnaug.data.masks import IGNORED

__all__ = ["beside", "colours", "shown_classes"]

SHARE = 0.65  # of the class colour in a pixel
OKABE_ITO = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167), (153, 153, 153),
)  # fmt: skip
GOLDEN = 0.618034  # of the circle of hues: neighbours in number are far apart in colour
MOST = 40  # classes of the key


def colours(number: int) -> np.ndarray:
    """Return one colour a class: uint8 [number, 3]; the first eight of Okabe and Ito."""
    more = [
        colorsys.hsv_to_rgb(GOLDEN * i % 1, 0.55 + 0.4 * (i % 2), 0.95 - 0.3 * (i % 3) / 2)
        for i in range(max(0, number - len(OKABE_ITO)))
    ]
    found = [*OKABE_ITO[:number], *(tuple(round(255 * v) for v in one) for one in more)]
    return np.array(found, np.uint8).reshape(number, 3)


def beside(
    samples: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray], classes: int
) -> dict[str, np.ndarray]:
    """Return the first draw of each method twice: as it is, and under its mask.

    Args:
        samples: name -> uint8 [rows, n, C, H, W].
        masks: name -> uint8 [rows, n, H, W], class numbers; 255 is drawn black.
        classes: number of classes.

    Returns:
        name -> uint8 [2, n, 3, H, W]; what has no fitting mask is left out.
    """
    found = {}
    for name, images in samples.items():
        mask = masks.get(name)
        fits = mask is not None and images.ndim == 5 and images.size
        if mask is None or not fits or mask.shape != (*images.shape[:2], *images.shape[3:]):
            continue
        channels = [0, 0, 0] if images.shape[2] < 3 else [0, 1, 2]
        plain = images[0][:, channels]
        found[name] = np.stack([plain, _overlaid(plain, mask[0], classes)])
    return found


def _overlaid(images: np.ndarray, masks: np.ndarray, classes: int) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = colours(classes)
    colour = table[masks].transpose(0, 3, 1, 2)
    mixed = (1 - SHARE) * images + SHARE * colour
    return np.where((masks == IGNORED)[:, None], 0, mixed).round().astype(np.uint8)


def shown_classes(masks: Mapping[str, np.ndarray], names: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and colour (#rrggbb) of the classes in the first draws, in their order."""
    seen = set().union(*(np.unique(mask[0]).tolist() for mask in masks.values() if len(mask)))
    table = colours(len(names))
    key = [
        (name, "#" + "".join(f"{value:02x}" for value in table[i]))
        for i, name in enumerate(names)
        if i in seen
    ][:MOST]
    return key + ([("not counted", "#000000")] if IGNORED in seen else [])
