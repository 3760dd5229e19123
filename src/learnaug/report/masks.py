"""The masks of the samples: under their colours, beside the images; and the key of colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from learnaug.data.masks import IGNORED
from learnaug.data.overlay import colours, overlaid

__all__ = ["beside", "shown_classes"]

MOST = 40  # classes of the key


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
        found[name] = np.stack([plain, overlaid(plain, mask[0], classes)])
    return found


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
