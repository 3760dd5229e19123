"""Apply drawn operations with the four primitives: one call of each a slot, for the whole batch.

Every slot sorts the pictures by primitive, so that those of one primitive, and in them those of
one operation, lie side by side: groups are views, and one list of rows goes to the device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.ops import lower, primitives
from learnaug.ops.draw import Drawn
from learnaug.ops.geometry import matrices
from learnaug.ops.primitives import Backend
from learnaug.ops.rows import runs, upload
from learnaug.ops.table import INTERPOLATIONS, KIND, PRIMITIVES, op_numbers

__all__ = ["change_images", "move_masks"]

_WARP, _BLEND = PRIMITIVES.index("warp"), PRIMITIVES.index("blend")
_NEAREST = INTERPOLATIONS.index("nearest")
_MASK_KIND = np.where(KIND == _WARP, _WARP, 0)
_MASK_KIND[op_numbers("cutmix")[0]] = _BLEND

# (the pictures of one primitive, all pictures before the slot, the former's numbers) -> changed
_Change = Callable[[Tensor, Tensor, Drawn], Tensor]


def change_images(images: Tensor, drawn: Drawn, backend: Backend) -> Tensor:
    """Return the augmented pictures; the checks are `apply`'s.

    Args:
        images: uint8, [B, C, H, W], any device, any strides; not empty.
        drawn: what happens to them.
        backend: the four primitives.

    Returns:
        uint8 [B, C, H, W] on the same device, newly allocated.
    """
    change = {kind: partial(run, backend) for kind, run in enumerate(_RUN, 1)}
    out = images.clone(memory_format=torch.contiguous_format)
    for slot in range(drawn.ops.shape[1]):
        out = _slot(out, drawn, slot, KIND, change)
    return out


def move_masks(masks: Tensor, drawn: Drawn, ignore_index: int) -> Tensor:
    """Return the masks moved as their pictures; the checks are `apply_masks`'s.

    Args:
        masks: uint8 or int64, [B, H, W], class numbers; not empty.
        drawn: what the pictures underwent.
        ignore_index: class number where a picture ends.
    """
    change: dict[int, _Change] = {_WARP: partial(_warp_masks, ignore_index), _BLEND: _cut_masks}
    out = masks.clone(memory_format=torch.contiguous_format).unsqueeze(1)
    for slot in range(drawn.ops.shape[1]):
        out = _slot(out, drawn, slot, _MASK_KIND, change)
    return out.squeeze(1)


def _slot(
    before: Tensor,
    drawn: Drawn,
    slot: int,
    kind_of: NDArray[Any],
    change: Mapping[int, _Change],
) -> Tensor:
    """Change all pictures in one slot; never writes into `before`."""
    ops = drawn.ops[:, slot]
    kinds = kind_of[ops]
    if not kinds.any():
        return before
    within = np.where(kinds == _WARP, drawn.interpolation[:, slot], ops)
    order = np.lexsort((within, kinds))
    groups = runs(kinds[order])
    if len(groups) == 1 and (order[:-1] < order[1:]).all():  # nothing to sort, nothing to join
        return change[groups[0][0]](before, before, drawn.take(order, slot))
    there, back = upload(np.stack((order, np.argsort(order))), before.device).unbind()
    own = before.index_select(0, there)
    parts = [
        change[kind](own[span], before, drawn.take(order[span], slot)) if kind else own[span]
        for kind, span in groups
    ]
    return torch.cat(parts).index_select(0, back)


def _warp(backend: Backend, own: Tensor, before: Tensor, part: Drawn) -> Tensor:
    matrix = _matrix(part, part.interpolation == _NEAREST)
    fill = part.fill.astype(np.int64)
    return backend.warp(own, matrix, fill, part.interpolation)


def _matrix(part: Drawn, whole_pixels: bool | NDArray[np.bool_]) -> NDArray[np.float64]:
    return matrices(part.ops, part.value, part.extra, part.size, whole_pixels=whole_pixels)


def _lookup(backend: Backend, own: Tensor, before: Tensor, part: Drawn) -> Tensor:
    return backend.lookup(own, lower.tables(own, part))


def _blend(backend: Backend, own: Tensor, before: Tensor, part: Drawn) -> Tensor:
    pictures, weight = lower.degenerates(own, before, part)
    return backend.blend(pictures, own, weight)


def _convolve(backend: Backend, own: Tensor, before: Tensor, part: Drawn) -> Tensor:
    return backend.convolve(own, upload(lower.blur_kernels(part.value), own.device))


_RUN = (_warp, _lookup, _blend, _convolve)  # in the order of PRIMITIVES


def _warp_masks(ignore_index: int, own: Tensor, before: Tensor, part: Drawn) -> Tensor:
    fill = np.full(len(part), ignore_index)
    nearest = np.full(len(part), _NEAREST, np.int8)
    return primitives.warp(own, _matrix(part, whole_pixels=True), fill, nearest)


def _cut_masks(own: Tensor, before: Tensor, part: Drawn) -> Tensor:
    return lower.with_boxes(own, lower.partners(before, part), part)
