"""Contrast-limited adaptive histogram equalisation of one picture: as `ops.adaptive`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.jit import jit
from learnaug.ops.kernels.blend import ONE, luminance, put

__all__ = ["clahe"]

Picture = NDArray[np.uint8]  # [C, H, W]
Line = NDArray[np.uint8]
Places = NDArray[np.uint32]
Shares = NDArray[np.float32]
Tables = NDArray[np.uint8]  # [tiles, 256]

TILES = 8
GREYS = np.float32(255)
BLACK, WHITE = np.int32(0), np.int32(255)


@jit
def clahe(src: Picture, out: Picture, clip: np.float32) -> None:
    """Write the picture whose luminance is equalised; every channel moves as the luminance does."""
    C, H, W = src.shape
    flat, changed = src.reshape(C, H * W), out.reshape(C, H * W)
    grey = np.empty(H * W, np.uint8)
    luminance(flat, 0, grey)
    more = 0 if H % TILES == 0 and W % TILES == 0 else 1
    tall, wide = H // TILES + more, W // TILES + more
    tables = np.empty((TILES * TILES, 256), np.uint8)
    _fill(tables, grey, _mirrored(tall * TILES, H), _mirrored(wide * TILES, W), W, clip)
    top, bottom, down = _between(H, tall)
    left, right, across = _between(W, wide)
    line = np.empty(W, np.uint8)
    for row in range(H):
        here = grey[row * W : (row + 1) * W]
        above, below = tables[TILES * top[row] :], tables[TILES * bottom[row] :]
        _mix(here, above.reshape(-1), below.reshape(-1), down[row], left, right, across, line)
        for channel in range(C):
            own = flat[channel, row * W : (row + 1) * W]
            _shift(own, here, line, changed[channel, row * W : (row + 1) * W])


@jit
def _mirrored(count: int, length: int) -> Places:
    places = np.empty(count, np.uint32)
    period = max(2 * (length - 1), 1)
    for i in range(count):
        at = i % period
        places[i] = min(at, period - at, length - 1)
    return places


@jit
def _between(length: int, tile: int) -> tuple[Places, Places, Shares]:
    """Return every pixel's two tiles along one axis, and the second one's share."""
    first, second = np.empty(length, np.uint32), np.empty(length, np.uint32)
    share = np.empty(length, np.float32)
    inverse = ONE / np.float32(tile)
    for i in range(length):
        place = np.float32(i) * inverse - np.float32(0.5)
        before = math.floor(place)
        first[i] = min(max(before, 0), TILES - 1)
        second[i] = min(max(before + 1, 0), TILES - 1)
        share[i] = place - np.float32(before)
    return first, second, share


@jit
def _fill(
    tables: Tables, grey: Line, rows: Places, columns: Places, W: int, clip: np.float32
) -> None:
    """Write the table of every tile."""
    tall, wide = len(rows) // TILES, len(columns) // TILES
    pixels = tall * wide
    limit = np.int32(max(math.floor(np.float64(clip) * pixels / 256), 1))
    scale = GREYS / np.float32(pixels)
    counts = np.empty(256, np.int32)
    for tile in range(TILES * TILES):
        down, across = tile // TILES * tall, tile % TILES * wide
        put(counts, np.int32(0))
        for row in rows[down : down + tall]:
            line = grey[row * W : (row + 1) * W]
            for at in columns[across : across + wide]:
                counts[line[at]] += np.int32(1)
        _clip(counts, limit)
        total = np.int32(0)
        for level in range(256):
            total += counts[level]
            counts[level] = total
        for level in range(256):
            share = np.rint(np.float32(counts[level]) * scale)
            tables[tile, level] = np.uint8(np.int32(min(share, GREYS)))


@jit
def _clip(counts: NDArray[np.int32], limit: np.int32) -> None:
    """Cut counts at the limit, and spread what was cut off over all."""
    cut = np.int32(0)
    for level in range(256):
        cut += max(counts[level] - limit, np.int32(0))
    each = np.int32(cut // 256)
    for level in range(256):
        counts[level] = min(counts[level], limit) + each
    rest = np.int64(cut % 256)
    if rest > 0:
        step = 256 // rest
        for i in range(rest):
            counts[i * step] += np.int32(1)


@jit
def _mix(
    here: Line, above: Line, below: Line, down: np.float32, left: Places, right: Places,
    across: Shares, line: Line,
) -> None:  # fmt: skip
    """Write one row: each value mixed from the tables of its four tiles."""
    up = ONE - down
    for x in range(len(line)):
        first = np.uint32(left[x] * np.uint32(256) + here[x])
        second = np.uint32(right[x] * np.uint32(256) + here[x])
        share, rest = across[x], ONE - across[x]
        high = np.float32(above[first]) * rest + np.float32(above[second]) * share
        low = np.float32(below[first]) * rest + np.float32(below[second]) * share
        line[x] = np.uint8(np.int32(np.rint(high * up + low * down)))


@jit
def _shift(own: Line, before: Line, after: Line, out: Line) -> None:
    """Write own + after - before, cut to 0...255."""
    for x in range(len(out)):
        value = np.int32(own[x]) + np.int32(after[x]) - np.int32(before[x])
        out[x] = np.uint8(min(max(value, BLACK), WHITE))
