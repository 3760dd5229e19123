"""Apply drawn operations to a batch: deterministic, the input unchanged, one call a primitive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.errors import UsageError
from learnaug.ops import lower, primitives
from learnaug.ops.draw import Drawn
from learnaug.ops.geometry import matrices
from learnaug.ops.table import INTERPOLATIONS, TABLE, op_numbers

__all__ = ["Backend", "apply", "apply_masks", "mix_targets"]


class Backend(Protocol):
    """The four primitives; `learnaug.ops.primitives` is one, a compiled one may replace it."""

    def warp(
        self,
        images: Tensor,
        matrix: NDArray[np.float64],
        fill: NDArray[np.int64],
        interpolation: str,
    ) -> Tensor: ...
    def lookup(self, images: Tensor, table: Tensor) -> Tensor: ...
    def blend(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor: ...
    def convolve(self, images: Tensor, kernel: Tensor) -> Tensor: ...


_KINDS = ("none", "warp", "lookup", "blend", "convolve")
_KIND = np.array([_KINDS.index(op.primitive) for op in TABLE.values()] + [0])  # [-1]: nothing
_NEAREST = INTERPOLATIONS.index("nearest")
_MIXUP, _CUTMIX = op_numbers("mixup", "cutmix")


@dataclass(frozen=True, slots=True)
class _Slot:
    """The drawn numbers of some pictures in one slot; fields as in Drawn, without the axis S."""

    size: tuple[int, int]
    rows: NDArray[np.int64]
    ops: NDArray[np.int16]
    value: NDArray[np.float32]
    extra: NDArray[np.float32]
    fill: NDArray[np.int16]
    interpolation: NDArray[np.int8]
    partner: NDArray[np.int64]
    mix: NDArray[np.float32]


_FIELDS = ("ops", "value", "extra", "fill", "interpolation", "partner", "mix")
_Run = Callable[[int, _Slot], Tensor]


def apply(images: Tensor, drawn: Drawn, backend: Backend = primitives) -> Tensor:
    """Return the augmented pictures.

    Args:
        images: uint8, [B, C, H, W], any device, any strides.
        drawn: what `draw` returned for B pictures of this size.
        backend: the four primitives.

    Returns:
        uint8 [B, C, H, W] on the same device, newly allocated.

    Raises:
        UsageError: the pictures are not uint8 [B, C, H, W], or not what was drawn for.

    Example:
        >>> from learnaug.ops import draw, spaces
        >>> from learnaug.seeds import Seeds
        >>> images = torch.zeros((2, 3, 8, 8), dtype=torch.uint8)
        >>> apply(images, draw(spaces.flip_crop(), 2, Seeds(0).numpy(), (8, 8))).shape
        torch.Size([2, 3, 8, 8])
    """
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise UsageError(
            f"images must be uint8 [B, C, H, W], but got {images.dtype} {list(images.shape)}"
        )
    _same(images, drawn)
    out = images.clone(memory_format=torch.contiguous_format)
    if images.numel() == 0:
        return out
    for slot in range(drawn.ops.shape[1]):
        before = out
        for kind, rows in _groups(_KIND[drawn.ops[:, slot]]):
            if kind == 0:
                continue
            out = before.clone() if out is before and len(rows) < len(out) else out
            out = _put(out, rows, _RUN[_KINDS[kind]](before, _part(drawn, slot, rows), backend))
    return out


def apply_masks(masks: Tensor, drawn: Drawn, ignore_index: int = 255) -> Tensor:
    """Return the masks moved as their pictures; other operations leave them.

    Args:
        masks: uint8 or int64, [B, H, W], class numbers.
        drawn: what the pictures underwent.
        ignore_index: class number where a picture ends.

    Raises:
        UsageError: mixup was drawn: a mixture of two pictures has no hard mask.
    """
    _same(masks, drawn)
    if (drawn.ops == _MIXUP).any():
        raise UsageError("mixup cannot be used with masks: use cutmix, whose pixels stay whole")
    out = masks.clone(memory_format=torch.contiguous_format).unsqueeze(1)
    for slot in range(drawn.ops.shape[1] if masks.numel() else 0):
        before = out
        ops = drawn.ops[:, slot]
        rows = np.flatnonzero(_KIND[ops] == _KINDS.index("warp"))
        if len(rows):
            fill = np.full(len(rows), ignore_index)
            matrix = _matrix(_part(drawn, slot, rows), whole_pixels=True)
            moved = primitives.warp(_take(before, rows), matrix, fill, "nearest")
            out = _put(before.clone(), rows, moved)
        rows = np.flatnonzero(ops == _CUTMIX)
        if len(rows):
            inside = lower.box_masks(_part(drawn, slot, rows), masks.device).unsqueeze(1)
            partners = _take(before, drawn.partner[rows, slot])
            mixed = torch.where(inside, partners, _take(before, rows))
            out = _put(out.clone() if out is before else out, rows, mixed)
    return out.squeeze(1)


def mix_targets(targets: Tensor, drawn: Drawn) -> Tensor:
    """Mix class probabilities as mixup and cutmix mixed the pictures: λ·own + (1-λ)·partner's.

    Args:
        targets: float, [B, K]; rows sum to 1.
        drawn: what the pictures underwent.
    """
    _check_batch(len(targets), drawn)
    out = targets.clone()
    for slot in range(drawn.ops.shape[1]):
        share = drawn.mix[:, slot]
        if (share < 1).any():
            own = torch.from_numpy(share.copy()).to(out).unsqueeze(1)
            partner = _take(out, drawn.partner[:, slot])
            out = own * out + (1 - own) * partner
    return out


def _same(images: Tensor, drawn: Drawn) -> None:
    _check_batch(len(images), drawn)
    if tuple(images.shape[-2:]) != drawn.size:
        raise UsageError(
            f"drawn for pictures of {drawn.size} (H, W), but got {tuple(images.shape[-2:])}"
        )


def _check_batch(count: int, drawn: Drawn) -> None:
    if count != len(drawn):
        raise UsageError(f"drawn for a batch of {len(drawn)}, but got {count}")


def _groups(keys: NDArray[Any]) -> list[tuple[int, NDArray[np.int64]]]:
    return [(int(key), np.flatnonzero(keys == key)) for key in np.unique(keys)]


def _part(drawn: Drawn, slot: int, rows: NDArray[np.int64]) -> _Slot:
    return _Slot(drawn.size, rows, *(getattr(drawn, name)[rows, slot] for name in _FIELDS))


def _sub(part: _Slot, rows: NDArray[np.int64]) -> _Slot:
    return _Slot(part.size, part.rows[rows], *(getattr(part, name)[rows] for name in _FIELDS))


def _take(images: Tensor, rows: NDArray[np.int64]) -> Tensor:
    return images.index_select(0, torch.from_numpy(rows).to(images.device))


def _some(images: Tensor, rows: NDArray[np.int64]) -> Tensor:
    """Return these pictures, in increasing order; no copy where they are all of them."""
    return images if len(rows) == len(images) else _take(images, rows)


def _put(images: Tensor, rows: NDArray[np.int64], changed: Tensor) -> Tensor:
    """Write into `images`, or return `changed` where it is all of them."""
    if len(rows) == len(images):
        return changed
    return images.index_copy_(0, torch.from_numpy(rows).to(images.device), changed)


def _matrix(part: _Slot, *, whole_pixels: bool) -> NDArray[np.float64]:
    return matrices(part.ops, part.value, part.extra, part.size, whole_pixels=whole_pixels)


def _each(images: Tensor, part: _Slot, keys: NDArray[Any], run: _Run) -> Tensor:
    """Run the pictures of each key by themselves and put the results together in order."""
    groups = _groups(keys)
    if len(groups) == 1:
        return run(groups[0][0], part)
    out = images.new_empty((len(part.rows), *images.shape[1:]))
    for key, rows in groups:
        out = _put(out, rows, run(key, _sub(part, rows)))
    return out


def _warp(images: Tensor, part: _Slot, backend: Backend) -> Tensor:
    def run(kind: int, some: _Slot) -> Tensor:
        matrix = _matrix(some, whole_pixels=kind == _NEAREST)
        fill = some.fill.astype(np.int64)
        return backend.warp(_some(images, some.rows), matrix, fill, INTERPOLATIONS[kind])

    return _each(images, part, part.interpolation, run)


def _lookup(images: Tensor, part: _Slot, backend: Backend) -> Tensor:
    some = _some(images, part.rows)
    return backend.lookup(some, lower.tables(some, part.ops, part.value))


def _blend(images: Tensor, part: _Slot, backend: Backend) -> Tensor:
    def run(number: int, some: _Slot) -> Tensor:
        own = _some(images, some.rows)
        other = _take(images, some.partner) if number in (_MIXUP, _CUTMIX) else own
        return backend.blend(*lower.degenerates(own, other, number, some))

    return _each(images, part, part.ops, run)


def _convolve(images: Tensor, part: _Slot, backend: Backend) -> Tensor:
    kernel = torch.from_numpy(lower.blur_kernels(part.value)).to(images.device)
    return backend.convolve(_some(images, part.rows), kernel)


_RUN = dict(zip(_KINDS[1:], (_warp, _lookup, _blend, _convolve), strict=True))
