"""Contact sheets: arrays of pictures in, one PNG data address out."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["Sheet", "sheet_of", "sheets", "side_for"]

MAX_COLUMNS = 8
MAX_ROWS = 2
GAP = 3  # pixels between pictures, transparent
BUDGET = 1_300_000  # bytes of raw pixels in all sheets together: keeps the page below 3 MB
SIDES = (96, 72, 64, 56, 48, 40, 32)  # sides of a picture, the largest that keeps to the budget
SHARP = 64  # pictures up to this side are enlarged by whole factors, without smoothing


@dataclass(frozen=True)
class Sheet:
    """A strip of pictures: a PNG as a data address, its size in pixels, and how to show it."""

    address: str
    width: int
    height: int
    columns: int
    pixelated: bool


def sheets(samples: Mapping[str, np.ndarray]) -> dict[str, list[Sheet]]:
    """Make one strip per row of each entry.

    Args:
        samples: name -> uint8 [rows, n, C, H, W]; at most 2 rows and 8 columns are shown.
    """
    kept = {
        name: images[:MAX_ROWS, :MAX_COLUMNS] for name, images in samples.items() if _fit(images)
    }
    side = side_for(sum(images.shape[0] * images.shape[1] for images in kept.values()), BUDGET)
    return {name: [sheet_of(row, side) for row in images] for name, images in kept.items()}


def _fit(images: np.ndarray) -> bool:
    return images.dtype == np.uint8 and images.ndim == 5 and images.size > 0


def side_for(count: int, budget: int) -> int:
    """Return the largest side with which so many pictures keep to a budget of raw bytes."""
    fitting = [side for side in SIDES if 3 * side * side * count <= budget]
    return fitting[0] if fitting else SIDES[-1]


def sheet_of(images: np.ndarray, side: int) -> Sheet:
    """Return pictures uint8 [n, C, H, W] side by side, none longer than `side` pixels."""
    cells = [_resize(_picture(image), side) for image in images]
    width, height = cells[0].size
    mode = "LA" if images.shape[1] in (1, 2) else "RGBA"
    sheet = Image.new(mode, (len(cells) * (width + GAP) - GAP, height))  # gaps stay transparent
    for place, cell in enumerate(cells):
        sheet.paste(cell.convert(mode), (place * (width + GAP), 0))
    small = max(images.shape[2:]) <= SHARP
    return Sheet(_address(sheet), *sheet.size, len(cells), small)


def _picture(image: np.ndarray) -> Image.Image:
    """Return [C, H, W] as a picture: grey for 1 or 2 channels, else the first three as RGB."""
    if image.shape[0] in (1, 2):
        return Image.fromarray(np.ascontiguousarray(image[0]))
    return Image.fromarray(np.ascontiguousarray(image[:3].transpose(1, 2, 0)))


def _resize(picture: Image.Image, side: int) -> Image.Image:
    longest = max(picture.size)
    if longest <= side:  # whole factors only: no pixel is invented
        factor = side // longest
        size = (picture.width * factor, picture.height * factor)
        return picture.resize(size, Image.Resampling.NEAREST)
    width, height = (max(1, round(edge * side / longest)) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _address(sheet: Image.Image) -> str:
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
