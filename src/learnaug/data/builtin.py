"""Data sets by name: scikit-learn's digits, and torchvision's own by `torchvision:NAME`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from learnaug.data.imageset import ImageSet
from learnaug.errors import DataError, UsageError, nearest, printable

__all__ = ["BUILTIN", "PUBLISHED", "digits", "torchvision_sets", "user_cache"]

_BY_FLAG = {"train": {"train": True}, "test": {"train": False}}
_BY_SPLIT = {"train": {"split": "train"}, "test": {"split": "test"}}
_WITH_VAL = {**_BY_SPLIT, "valid": {"split": "val"}}

# torchvision's classification sets that it can download: part -> arguments
PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "CIFAR10": _BY_FLAG,
    "CIFAR100": _BY_FLAG,
    "Country211": {**_BY_SPLIT, "valid": {"split": "valid"}},
    "DTD": _WITH_VAL,
    "EuroSAT": {"": {}},
    "FGVCAircraft": _WITH_VAL,
    "FashionMNIST": _BY_FLAG,
    "Flowers102": _WITH_VAL,
    "Food101": _BY_SPLIT,
    "GTSRB": _BY_SPLIT,
    "Imagenette": {"train": {"split": "train"}, "valid": {"split": "val"}},
    "KMNIST": _BY_FLAG,
    "MNIST": _BY_FLAG,
    "OxfordIIITPet": {"train": {"split": "trainval"}, "test": {"split": "test"}},
    "PCAM": _WITH_VAL,
    "RenderedSST2": _WITH_VAL,
    "STL10": _BY_SPLIT,
    "SVHN": _BY_SPLIT,
    "USPS": _BY_FLAG,
}


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


def torchvision_sets(name: str, cache: Path | None = None) -> dict[str, Any]:
    """Return torchvision's data set of this name, part by part; downloaded if it is not there.

    Args:
        name: the name of the class, such as "CIFAR10".
        cache: folder for the download; by default learnaug/ in the user's cache folder.

    Raises:
        UsageError: there is no such data set.
        DataError: torchvision could not get or open it.
    """
    if name not in PUBLISHED:
        hint = nearest(name, list(PUBLISHED))
        raise UsageError(f"unknown torchvision data set {printable(name)!r}", mend=hint)
    from torchvision import datasets

    root = (cache or user_cache()) / "torchvision" / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        make = getattr(datasets, name)
        parts = PUBLISHED[name].items()
        return {part: make(root=str(root), download=True, **words) for part, words in parts}
    except Exception as error:  # no network, no disk, a damaged file: torchvision raises anything
        what = f"torchvision could not get {name} ({type(error).__name__}: {printable(str(error))})"
        raise DataError(what, [str(root)], "check the network, or delete this folder") from error


def user_cache() -> Path:
    """Return the folder for downloads: $XDG_CACHE_HOME/learnaug or ~/.cache/learnaug."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "learnaug"


BUILTIN = {"digits": digits}
