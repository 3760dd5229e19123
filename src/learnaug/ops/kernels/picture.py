"""All operations of one picture, one after another while it is in the processor's cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.geometry import affine
from learnaug.ops.jit import jit, jit_cached, stamp
from learnaug.ops.kernels.adaptive import clahe
from learnaug.ops.kernels.blend import CLAHE, CUTMIX, GAUSS_NOISE, MIXUP, blend, copy, mix
from learnaug.ops.kernels.convolve import blur
from learnaug.ops.kernels.lookup import compose, fill_table, lookup, sees
from learnaug.ops.kernels.noise import add_noise
from learnaug.ops.kernels.warp import NEAREST, warp
from learnaug.ops.table import KIND, PRIMITIVES

__all__ = ["pictures"]

Pictures = NDArray[np.uint8]  # [B, C, H, W]
Integers = NDArray[Any]
Floats = NDArray[np.float32]

NONE, WARP, LOOKUP, BLEND, CONVOLVE = range(len(PRIMITIVES))


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
def _next_table(ops: Integers, slot: int, end: int) -> int:
    """Return the next slot that does anything if it can be put behind a table, otherwise -1."""
    for later in range(slot + 1, end):
        kind = KIND[ops[later]]
        if kind != NONE:
            return later if kind == LOOKUP and not sees(ops[later]) else -1
    return -1


def _keyed(cache_key: str) -> Any:
    def pictures(
        images: Pictures, out: Pictures, slots: tuple[int, int], ops: Integers, value: Floats,
        extra: NDArray[np.float32], fill: Integers, interpolation: Integers, partner: Integers,
        share: Floats, first: int, last: int,
    ) -> None:  # fmt: skip
        _, C, H, W = images.shape
        spare, table = np.empty((C, H, W), np.uint8), np.empty((C, 256), np.uint8)
        begin, end = slots
        for i in range(first, last if cache_key else first):  # which closes over the key
            now, writes, slot = images[i], _steps(ops[i, begin:end]), begin
            if writes == 0:
                copy(now.reshape(-1), out[i].reshape(-1))
            while writes > 0:
                op, v = ops[i, slot], value[i, slot]
                kind = KIND[op]
                # What is written last goes to `out`, and every second one before it too.
                then = out[i] if writes % 2 == 1 else spare
                if kind == WARP:
                    smooth = interpolation[i, slot]
                    where = affine(op, np.float64(v), extra[i, slot], H, W, smooth == NEAREST)
                    warp(now, then, where, np.uint8(fill[i, slot]), smooth)
                elif kind == LOOKUP:
                    fill_table(table, now, op, v)
                    later = _next_table(ops[i], slot, end)
                    while later >= 0:
                        compose(table, ops[i, later], value[i, later])
                        slot = later
                        later = _next_table(ops[i], slot, end)
                    lookup(now, then, table)
                elif kind == CONVOLVE:
                    blur(now, then, v)
                elif op in (MIXUP, CUTMIX):
                    other = images[partner[i, slot]]
                    mix(now, other, then, op, v, share[i, slot], extra[i, slot])
                elif op == CLAHE:
                    clahe(now, then, v)
                elif op == GAUSS_NOISE:
                    add_noise(now, then, v, extra[i, slot])
                elif kind == BLEND:
                    blend(now, then, op, v, extra[i, slot], fill[i, slot])
                slot += 1
                if kind != NONE:
                    now = then
                    writes -= 1

    return jit_cached(pictures)


pictures = _keyed(stamp())
