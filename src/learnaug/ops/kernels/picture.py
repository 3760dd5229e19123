"""All operations of one picture, one after another while it is in the processor's cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.geometry import affine
from learnaug.ops.jit import jit, jit_cached, stamp
from learnaug.ops.kernels.blend import CUTMIX, MIXUP, blend, copy, mix
from learnaug.ops.kernels.convolve import blur
from learnaug.ops.kernels.lookup import compose, fill_table, lookup, sees
from learnaug.ops.kernels.warp import NEAREST, warp
from learnaug.ops.table import TABLE

__all__ = ["pictures"]

Pictures = NDArray[np.uint8]  # [B, C, H, W]
Integers = NDArray[Any]
Floats = NDArray[np.float32]

_KINDS = ("none", "warp", "lookup", "blend", "convolve")
NONE, WARP, LOOKUP, BLEND, CONVOLVE = range(5)
KIND = np.array([_KINDS.index(op.primitive) for op in TABLE.values()] + [NONE])  # [-1]: nothing


@jit
def _steps(ops: Integers) -> int:
    """Return how often the picture is written; neighbouring tables become one."""
    count, before = 0, NONE
    for op in ops:
        kind = KIND[op]
        if kind == NONE:
            continue
        if not (kind == LOOKUP and before == LOOKUP and not sees(op)):
            count += 1
        before = kind
    return count


@jit
def _next_is_table(ops: Integers, slot: int) -> int:
    """Return the next slot that does anything if it can be put behind a table, otherwise -1."""
    for later in range(slot + 1, len(ops)):
        kind = KIND[ops[later]]
        if kind != NONE:
            return later if kind == LOOKUP and not sees(ops[later]) else -1
    return -1


@jit
def _picture(
    images: Pictures, i: int, out: Pictures, spare: NDArray[np.uint8], table: NDArray[np.uint8],
    line: NDArray[np.uint8], ops: Integers, value: Floats, extra: Floats, fill: Integers,
    interpolation: Integers, partner: Integers, share: Floats,
) -> None:  # fmt: skip
    """Write out[i]; what is written last goes there, and every second one before it too."""
    now, left = images[i], _steps(ops)
    if left == 0:
        copy(now.reshape(-1), out[i].reshape(-1))
    done = -1
    for slot in range(len(ops)):
        op, v = ops[slot], value[slot]
        kind = KIND[op]
        if kind == NONE or slot <= done:
            continue
        then = out[i] if left % 2 == 1 else spare
        if kind == WARP:
            _, H, W = now.shape
            nearest = interpolation[slot] == NEAREST
            where = affine(op, np.float64(v), extra[slot], H, W, nearest)
            warp(now, then, where, np.uint8(fill[slot]), interpolation[slot])
        elif kind == LOOKUP:
            fill_table(table, now, op, v)
            done = slot
            later = _next_is_table(ops, slot)
            while later >= 0:
                compose(table, ops[later], value[later])
                done = later
                later = _next_is_table(ops, later)
            lookup(now, then, table)
        elif kind == CONVOLVE:
            blur(now, then, v)
        elif op in (MIXUP, CUTMIX):
            mix(now, images[partner[slot]], then, op, v, share[slot], extra[slot])
        else:
            blend(now, then, op, v, extra[slot], fill[slot], line)
        now = then
        left -= 1


def _keyed(key: str) -> Any:
    def pictures(
        images: Pictures, out: Pictures, slots: tuple[int, int], ops: Integers, value: Floats,
        extra: Floats, fill: Integers, interpolation: Integers, partner: Integers, share: Floats,
        first: int, last: int,
    ) -> None:  # fmt: skip
        _, C, H, W = images.shape
        spare = np.empty((C, H, W), np.uint8)
        table = np.empty((C, 256), np.uint8)
        line = np.empty(W, np.uint8)
        s, e = slots
        for i in range(first, last if key else first):
            _picture(
                images, i, out, spare, table, line, ops[i, s:e], value[i, s:e], extra[i, s:e],
                fill[i, s:e], interpolation[i, s:e], partner[i, s:e], share[i, s:e],
            )  # fmt: skip

    return jit_cached(pictures)


pictures = _keyed(stamp())
