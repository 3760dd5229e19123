"""Styles: folders of pictures, read at the size and with the channels of the training pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.data import ImageSet, scan
from learnaug.data.decode import Rules
from learnaug.data.findings import as_error
from learnaug.data.folders import walk
from learnaug.data.gather import gather
from learnaug.data.layout import Item, Plan
from learnaug.data.tree import sift
from learnaug.errors import UsageError, nearest

__all__ = ["FEW", "LEAST", "Style", "few", "read", "recoloured"]

FEW, LEAST = 1000, 500  # pictures of a domain: fewer are said; from here on the input may come back
SOURCES = re.compile(r"[a-z0-9-]+|\{[a-z]+\}")  # a built-in set, or a place that is filled in
LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601, as Pillow has it


@dataclass(frozen=True, eq=False)
class Style:
    """The pictures of one style.

    Args:
        name: of its folder.
        images: uint8 [N, C, S, S].
    """

    name: str
    images: NDArray[np.uint8]


def read(
    styles: str, which: str, side: int, channels: int, *, together: bool = False
) -> tuple[Style, ...]:
    """Return the styles of a folder or zip; pictures outside any folder are one style.

    Args:
        styles: path of a folder whose subfolders are styles, of a zip of it, of a folder of
            pictures, or whatever else `learnaug.load` reads: its classes are the styles.
        which: names of those that are taken, with "/" between; "": all.
        side: S, pixels; aspect is not kept.
        channels: C of the training pictures.
        together: whether all that are taken are one style.

    Raises:
        UsageError: nothing was named, or what is named is not there (status 66), or unknown.
        DataError: pictures cannot be read.
    """
    named(styles)
    data = _scanned(styles, side)
    wanted = which.split("/") if which else list(data.classes)
    known = data.classes
    unknown = [f"{name!r}: {nearest(name, known)}" for name in wanted if name not in known]
    if unknown or len(set(wanted)) < len(wanted):
        raise UsageError(
            f"which={which} must name styles of {styles}, each once", unknown,
            f"there are {', '.join(data.classes)}",
        )  # fmt: skip
    images = recoloured(torch.from_numpy(np.asarray(data.images)), channels).numpy()
    if together:
        taken = np.isin(data.labels, [known.index(name) for name in wanted])
        return (Style("-".join(wanted) if which else Path(styles).stem, images[taken]),)
    return tuple(Style(name, images[data.labels == data.classes.index(name)]) for name in wanted)


def named(styles: str) -> None:
    """Refuse styles that are not named, or named by a path that is not there.

    Raises:
        UsageError: nothing is named, or no such file or folder (status 66).
    """
    if not styles:
        raise UsageError(
            "style transfer needs pictures of a style",
            mend="style-transfer:styles=FOLDER, whose subfolders are styles",
        )
    if not Path(styles).exists() and not SOURCES.fullmatch(styles):
        raise UsageError(f"styles={styles}: there is no such file or folder", code=66)


def _scanned(styles: str, side: int) -> ImageSet:
    path = Path(styles)
    if path.is_dir() and (data := _flat(path, side)):
        return data
    data, findings = scan(styles, size=side, skip_bad=False)
    # One style is enough, where one class would not be.
    stops = tuple(f for f in findings if f.severity == "error" and f.code != "one-class")
    if stops or data is None:
        raise as_error(stops or findings, styles)
    if data.masks is not None:
        raise UsageError(f"{styles} has masks; a style is a folder of pictures")
    return data


def _flat(path: Path, side: int) -> ImageSet | None:
    """Return the pictures of a folder without subfolders of pictures; None where there are some."""
    tree = walk(path)
    images, _ = sift(tree)
    if not images or any("/" in image for image in images):
        return None
    name = path.resolve().name
    plan = Plan(tuple(Item(image, name) for image in images), (name,))
    data, findings = gather(tree, plan, Rules(size=side))
    stops = tuple(f for f in findings if f.severity == "error" and f.code != "one-class")
    if stops or data is None:
        raise as_error(stops or findings, str(path))
    return data


def recoloured(images: Tensor, channels: int) -> Tensor:
    """Return pictures with so many channels: colours become grey by luma, grey is repeated.

    Args:
        images: uint8 [N, 1 or 3 or 4, H, W].
        channels: 1, 3, or 4 with an opaque alpha.

    Example:
        >>> recoloured(torch.full((1, 1, 2, 2), 7, dtype=torch.uint8), 4)[0, :, 0, 0].tolist()
        [7, 7, 7, 255]
    """
    if images.shape[1] == channels:
        return images
    colours = images[:, :3].expand(-1, 3, -1, -1)
    if channels == 1:
        weights = torch.tensor(LUMA).view(1, 3, 1, 1)
        return (colours.float() * weights).sum(1, keepdim=True).round().to(torch.uint8)
    if channels == 3:
        return colours.contiguous()
    return torch.cat([colours, torch.full_like(colours[:, :1], 255)], 1)


def few(domains: Mapping[str, int]) -> list[str]:
    """Return what must be said of sides that have few pictures: one sentence, or nothing.

    Args:
        domains: name -> number of pictures.

    Example:
        >>> few({"monet": 2000})
        []
    """
    small = {name: count for name, count in domains.items() if count < FEW}
    if not small:
        return []
    counts = ", ".join(f"{count:,} of {name}" for name, count in small.items())
    lost = f", and with about {LEAST} or fewer it has returned its input"
    words = (
        f"few pictures for CycleGAN: {counts}; its users call 1,000 to 2,000 of each side "
        f"reasonable{lost if min(small.values()) <= LEAST else ''}: look at the pictures"
    )
    return [words]
