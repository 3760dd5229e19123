"""What a folder of augmented pictures says about itself: a row a picture, and the PNG bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from learnaug.ops import TABLE, Drawn

__all__ = ["operations", "png", "table"]

NAMES = tuple(TABLE)


def operations(drawn: Sequence[Drawn], row: int, ids: Sequence[str]) -> str:
    """Return in words what was drawn for one picture: operations, magnitudes, units, partners.

    Magnitudes have as many digits as their float32 needs.

    Args:
        drawn: the draws of one batch, in the order in which they act.
        row: the picture's place in the batch.
        ids: names of the pictures of the batch.
    """
    told = [
        _operation(one, row, slot, ids)
        for one in drawn
        for slot in range(one.ops.shape[1])
        if one.ops[row, slot] >= 0 and NAMES[one.ops[row, slot]] != "identity"
    ]
    return "; ".join(told)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return [C, H, W] or [H, W] uint8 as the bytes of a PNG file."""
    file = io.BytesIO()
    layers = pixels[0] if len(pixels) == 1 and pixels.ndim == 3 else pixels
    if layers.ndim == 3:
        layers = np.ascontiguousarray(layers.transpose(1, 2, 0))
    Image.fromarray(layers).save(file, "PNG")
    return file.getvalue()


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return the rows as CSV."""
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=columns)
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return file.getvalue()


def _operation(drawn: Drawn, row: int, slot: int, ids: Sequence[str]) -> str:
    op = TABLE[NAMES[drawn.ops[row, slot]]]
    if op.partner:
        share = _number(drawn.mix[row, slot])
        return f"{op.name} {share} of its own, the rest of {ids[drawn.partner[row, slot]]}"
    return f"{op.name} {_number(drawn.value[row, slot])} {op.unit}" if op.unit else op.name


def _number(value: np.float32) -> str:
    return np.format_float_positional(np.float32(value), unique=True, trim="-")


def _cell(value: Any) -> Any:
    """Mark text that a spreadsheet would run as a formula."""
    starts = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if starts else value
