"""The image set: everything the package knows about a user's data, decoded and immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from learnaug.data.findings import Finding
from learnaug.errors import DataError

__all__ = ["PARTS", "ImageSet"]

PARTS = ("train", "valid", "test", "")  # "" = the source says nothing

_CHUNK = 1 << 24  # bytes hashed at once, so that a memory map is never read whole


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Decoded images with labels or masks; nothing in the package changes one in place.

    Args:
        name: what the user called it.
        images: uint8 [N, C, H, W], 0..255; in memory or a memory map.
        labels: int64 [N], class indices; [0] for segmentation.
        classes: class names; `classes[labels[i]]` is the class of image i.
        ids: stable name of each image: its path in the source, or "row 17".
        groups: int64 [N]; images of one number must stay in one part; -1 = a group of its own.
        parts: "<U5" [N]: "train", "valid", "test", or "" where the source says nothing.
        masks: uint8 [N, H, W], class indices, 255 = not counted; None for classification.
        findings: what was noted on reading.

    Raises:
        DataError: two of the arrays do not belong together.

    Example:
        >>> from learnaug.data.load import load
        >>> digits = load("digits")
        >>> len(digits), digits.channels, digits.size
        (1797, 1, (8, 8))
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    parts: npt.NDArray[np.str_]
    masks: npt.NDArray[np.uint8] | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        wrong = list(_contradictions(self))
        if wrong:
            raise DataError(
                f"the arrays of the image set {self.name!r} do not belong together",
                wrong,
                "build image sets with learnaug.load",
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return int(self.images.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    def take(self, indices: npt.ArrayLike) -> ImageSet:
        """Return the images at these positions, in this order; class names and findings stay.

        Args:
            indices: integers [M] in 0..N-1, or booleans [N].

        Example:
            >>> from learnaug.data.load import load
            >>> len(load("digits").take([0, 5]))
            2
        """
        rows = np.arange(len(self))[np.asarray(indices)] if np.size(indices) else np.arange(0)
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows] if len(self.labels) else self.labels,
            ids=tuple(self.ids[row] for row in rows),
            groups=self.groups[rows],
            parts=self.parts[rows],
            masks=None if self.masks is None else self.masks[rows],
        )

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of pixels, labels, masks, ids, class names, groups and parts.

        The name and the findings are left out: the same pictures moved elsewhere are the same data.
        """
        digest = hashlib.sha256()
        for field in (self.images, self.labels, self.groups, self.masks):
            for piece in _bytes_of(field):
                digest.update(piece)
        for words in (self.classes, self.ids, [str(part) for part in self.parts]):
            digest.update(f"{len(words)};".encode())
            for word in words:
                text = word.encode("utf-8", "surrogatepass")
                digest.update(f"{len(text)}:".encode() + text)
        return digest.hexdigest()


def _bytes_of(array: npt.NDArray[Any] | None) -> Iterator[bytes]:
    if array is None:
        yield b"none"
        return
    yield f"{array.dtype.str}{array.shape}".encode()
    rows = max(1, _CHUNK // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows]).tobytes()


def _contradictions(data: ImageSet) -> Iterator[str]:
    if data.images.ndim != 4 or data.images.dtype != np.uint8:
        yield f"images must be uint8 [N, C, H, W], but are {_form(data.images)}"
        return
    n = len(data.images)
    lengths = {"ids": len(data.ids), "groups": len(data.groups), "parts": len(data.parts)}
    if data.masks is None:
        lengths["labels"] = len(data.labels)
    yield from (f"{k} must have {n} entries, but has {v}" for k, v in lengths.items() if v != n)
    if data.masks is not None and data.masks.shape != (n, *data.images.shape[2:]):
        yield f"masks must be uint8 {(n, *data.images.shape[2:])}, but are {_form(data.masks)}"
    if len(data.labels) and not 0 <= data.labels.min() <= data.labels.max() < len(data.classes):
        yield f"labels must lie in 0..{len(data.classes) - 1}, but reach {data.labels.max()}"
    if not set(data.parts.tolist()) <= set(PARTS):
        yield f"parts must be among {PARTS}, but are {sorted(set(data.parts.tolist()))}"


def _form(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"
