"""Data sets by name: scikit-learn's digits, and torchvision's own by `torchvision:NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from learnaug.data.imageset import ImageSet

__all__ = ["BUILTIN", "digits"]


def digits() -> ImageSet:
    """Return scikit-learn's 1,797 handwritten digits: 8x8 grey, 10 classes, white on black.

    The original values 0..16 become round(v * 255 / 16), so 8 is 128 (half to even).

    Example:
        >>> digits().classes[:3]
        ('0', '1', '2')
    """
    from sklearn.datasets import load_digits

    raw: Any = load_digits()
    n = len(raw.target)
    return ImageSet(
        name="digits",
        images=np.rint(raw.images * (255 / 16)).astype(np.uint8)[:, None],
        labels=raw.target.astype(np.int64),
        classes=tuple(str(digit) for digit in range(10)),
        ids=tuple(f"row {row}" for row in range(n)),
        groups=np.full(n, -1, np.int64),
        parts=np.full(n, "", "<U5"),
    )


BUILTIN = {"digits": digits}
