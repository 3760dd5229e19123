"""Omniglot from packed bits or from the folders of its authors, as an image set.

Classes are characters in the order of their ids: first the 964 of the 30 background alphabets,
then the 659 of the 20 evaluation alphabets, by alphabet and character.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from learnaug.data import ImageSet
from learnaug.errors import DataError, printable

__all__ = ["BACKGROUND", "CLASSES", "SOURCE", "VALIDATION", "by_area", "read"]

CLASSES = 1623
BACKGROUND = 964  # characters of the background alphabets
SOURCE, VALIDATION = 1200, 1412  # where the classes of these two end in the paper of DAGAN
PARTS = ("images_background", "images_evaluation")
AT_ONCE = 2000  # pictures that are resized together
INK_SHOWN = 255

Bytes = NDArray[np.uint8]


def read(path: Path, side: int) -> ImageSet | None:
    """Return Omniglot with white ink on black, uint8 [N, 1, side, side]; None where it is not that.

    Args:
        path: an .npz with `ink_packed` (bits, ink = 1) and its labels, or a folder that holds
            images_background and images_evaluation, alphabets in them, characters in those (as
            torchvision leaves them in omniglot-py).
        side: of the pictures in pixels; resized by area.

    Raises:
        DataError: a file cannot be read, or pictures differ in size.
    """
    if path.suffix == ".npz":
        return _packed(path, side)
    if path.is_dir() and (path / PARTS[0]).is_dir():
        return _unpacked(path, side)
    return None


def by_area(ink: NDArray[Any], side: int) -> Bytes:
    """Return the mean of the area that each new pixel covers, times 255, rounded.

    Args:
        ink: [N, H, W] in [0, 1].
        side: of the new pictures in pixels.

    Returns:
        uint8 [N, side, side].

    Example:
        >>> by_area(np.array([[[1, 0, 0], [1, 0, 0], [1, 0, 0]]]), 2)[0].tolist()
        [[170, 0], [170, 0]]
    """
    out = np.empty((len(ink), side, side), np.uint8)
    down, across = (_shares(n, side) for n in ink.shape[1:])
    for start in range(0, len(ink), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        means = down @ ink[part].astype(np.float32) @ across.T
        out[part] = np.rint(INK_SHOWN * means).clip(0, INK_SHOWN)
    return out


def _shares(old: int, new: int) -> NDArray[np.float32]:
    """Return which share of a new pixel is covered by each old one: [new, old], rows sum to 1."""
    edges = np.arange(new + 1) * old / new
    pixel = np.arange(old)
    right = np.minimum(edges[1:, None], pixel + 1)
    left = np.maximum(edges[:-1, None], pixel)
    shares: NDArray[np.float32] = (np.maximum(right - left, 0) * new / old).astype(np.float32)
    return shares


def _packed(path: Path, side: int) -> ImageSet | None:
    try:
        with np.load(path) as file:
            if "ink_packed" not in file:
                return None
            packed, labels = file["ink_packed"], file["class_id"].astype(np.int64)
            alphabet, character = file["alphabet"], file["character"]
            drawer, names = file["drawer"], file["alphabet_names"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, error) from error
    # Bytes hold 8 pixels of a row: what the last byte has too many belongs to no picture.
    side_in = packed.shape[1]
    ink = np.unpackbits(packed, axis=2)[:, :, :side_in]
    words = [f"{names[a]}/character{c:02d}" for a, c in zip(alphabet, character, strict=True)]
    classes = {int(label): word for label, word in zip(labels, words, strict=True)}
    ids = tuple(f"{word}/{d:02d}" for word, d in zip(words, drawer, strict=True))
    return _set(by_area(ink, side), labels, tuple(classes[i] for i in sorted(classes)), ids)


def _unpacked(path: Path, side: int) -> ImageSet:
    files = [file for part in PARTS for file in sorted((path / part).glob("*/*/*.png"))]
    if not files:
        raise DataError("there are no pictures of Omniglot here", [printable(str(path))])
    try:
        ink = np.stack([~np.array(Image.open(file).convert("1")) for file in files])
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    words = [f"{file.parts[-3]}/{file.parts[-2]}" for file in files]
    classes = tuple(dict.fromkeys(words))
    place = {word: number for number, word in enumerate(classes)}
    labels = np.array([place[word] for word in words], np.int64)
    ids = tuple(f"{word}/{file.stem}" for word, file in zip(words, files, strict=True))
    return _set(by_area(ink, side), labels, classes, ids)


def _set(
    images: Bytes, labels: NDArray[np.int64], classes: tuple[str, ...], ids: tuple[str, ...]
) -> ImageSet:
    n = len(images)
    nowhere = np.full(n, "", "<U5")
    return ImageSet(
        "omniglot", images[:, None], labels, classes, ids, np.full(n, -1, np.int64), nowhere
    )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"Omniglot cannot be read ({printable(str(error))})",
        [printable(str(path))],
        "get it again, or take it away: its rows are left out then",
    )
