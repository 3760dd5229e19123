"""Galleries to grids of pictures, as many as the page has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learnaug.report.pictures import SIDES, Sheet, sheet_of

if TYPE_CHECKING:
    from learnaug.methods import Gallery

__all__ = ["Grid", "Grids", "grids"]

BUDGET = 600_000  # bytes of raw pixels in all grids of a page, beside those of the samples


@dataclass(frozen=True)
class Grid:
    """A gallery as it is shown: one strip of pictures for each row."""

    title: str
    words: str
    columns: tuple[str, ...]
    strips: tuple[tuple[str, Sheet], ...]


@dataclass(frozen=True)
class Grids:
    """The grids of each method, and what the page has no room for: method and title."""

    shown: tuple[tuple[str, tuple[Grid, ...]], ...]
    left_out: tuple[tuple[str, str], ...]


def grids(
    galleries: Mapping[str, Sequence[Gallery]], first: str = "", budget: int = BUDGET
) -> Grids:
    """Return the galleries of each method as grids, all of them within a budget of raw bytes.

    Pictures are stored no larger than they are (the page enlarges them), and all smaller where
    they are too many; what does not fit at the smallest side is left out.

    Args:
        galleries: method -> what it learned.
        first: the method that is shown first.
        budget: bytes.
    """
    order = sorted(galleries, key=lambda method: method != first)
    wanted = [(method, one) for method in order for one in galleries[method]]
    kept, left_out, spent = [], [], 0
    for method, one in wanted:
        spent += _bytes(one, SIDES[-1])
        if spent <= budget:
            kept.append((method, one))
        else:
            left_out.append((method, one.title))
            spent -= _bytes(one, SIDES[-1])
    fits = (side for side in SIDES if sum(_bytes(one, side) for _, one in kept) <= budget)
    side = next(fits, SIDES[-1])
    shown = tuple(
        (method, tuple(_grid(one, side) for owner, one in kept if owner == method))
        for method in order
        if any(owner == method for owner, _ in kept)
    )
    return Grids(shown, tuple(left_out))


def _stored(one: Gallery, side: int) -> int:
    return min(side, int(max(one.images.shape[-2:])))


def _bytes(one: Gallery, side: int) -> int:
    stored, channels = _stored(one, side), 1 if one.images.shape[2] < 3 else 3
    return channels * len(one.rows) * len(one.columns) * stored * stored


def _grid(one: Gallery, side: int) -> Grid:
    sheets = [sheet_of(row, _stored(one, side)) for row in one.images]
    return Grid(one.title, one.words, one.columns, tuple(zip(one.rows, sheets, strict=True)))
