"""Apply drawn operations to a batch: deterministic, the input unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from learnaug.errors import UsageError
from learnaug.ops import kernels, primitives
from learnaug.ops.batched import change_images, move_masks
from learnaug.ops.draw import EXTRA, Drawn
from learnaug.ops.primitives import Backend
from learnaug.ops.rows import upload
from learnaug.ops.table import INTERPOLATIONS, TABLE, op_numbers

__all__ = ["Backend", "apply", "apply_masks", "mix_targets", "prepare"]

(_MIXUP,) = op_numbers("mixup")
_SHAPES = dict.fromkeys(("value", "fill", "interpolation", "partner", "mix"), ()) | {
    "extra": (EXTRA,)
}


def apply(images: Tensor, drawn: Drawn, backend: Backend | None = None) -> Tensor:
    """Return the augmented pictures.

    On the processor all operations of a picture run one after another while it is in the cache, in
    as many threads as `torch.get_num_threads()`. On a GPU nothing waits: the host sends a few small
    arrays a slot and reads nothing back.

    Args:
        images: uint8, [B, C, H, W], any device, any strides.
        drawn: what `draw` returned for B pictures of this size.
        backend: the four primitives; None takes the compiled kernels for a CPU and PyTorch for
            other devices, the module `learnaug.ops.primitives` takes PyTorch everywhere.

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
    if images.numel() == 0:
        return images.clone(memory_format=torch.contiguous_format)
    if backend is None and images.device.type == "cpu":
        return kernels.change_images(images, drawn)
    return change_images(images, drawn, primitives if backend is None else backend)


def prepare() -> None:
    """Compile what `apply` needs on the processor, or load it where this was done before.

    `apply` does so by itself at its first call. A program that starts workers calls this first, so
    that not every one of them compiles.
    """
    kernels.ready()


def apply_masks(masks: Tensor, drawn: Drawn, ignore_index: int = 255) -> Tensor:
    """Return the masks moved as their pictures; other operations leave them.

    Args:
        masks: uint8 or int64, [B, H, W], class numbers.
        drawn: what the pictures underwent.
        ignore_index: class number where a picture ends.

    Raises:
        UsageError: the masks are not uint8 or int64 [B, H, W], or not what was drawn for; or mixup
            was drawn: a mixture of two pictures has no hard mask.
    """
    if masks.dtype not in (torch.uint8, torch.int64) or masks.dim() != 3:
        raise UsageError(
            f"masks must be uint8 or int64 [B, H, W], but got {masks.dtype} {list(masks.shape)}"
        )
    _same(masks, drawn)
    if (drawn.ops == _MIXUP).any():
        raise UsageError("mixup cannot be used with masks: use cutmix, whose pixels stay whole")
    if masks.numel() == 0:
        return masks.clone(memory_format=torch.contiguous_format)
    if masks.device.type == "cpu" and 0 <= ignore_index <= 255:
        if masks.dtype == torch.uint8:
            return kernels.move_masks(masks, drawn, ignore_index)
        if masks.min() >= 0 and masks.max() <= 255:  # ten times as fast as 64 bits a pixel
            return kernels.move_masks(masks.to(torch.uint8), drawn, ignore_index).long()
    return move_masks(masks, drawn, ignore_index)


def mix_targets(targets: Tensor, drawn: Drawn) -> Tensor:
    """Mix class probabilities as mixup and cutmix mixed the pictures: λ·own + (1-λ)·partner's.

    Args:
        targets: float, [B, K]; rows sum to 1.
        drawn: what the pictures underwent.
    """
    _check_batch(len(targets), drawn)
    out = targets.clone()
    for slot in range(drawn.ops.shape[1]):
        share, partner = drawn.mix[:, slot], drawn.partner[:, slot]
        if (share < 1).any():
            own = upload(share.copy(), out.device).to(out.dtype).unsqueeze(1)
            other = out.index_select(0, upload(partner.copy(), out.device))
            out = own * out + (1 - own) * other
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
    faults = list(_faults(drawn))
    if faults:
        # Compiled code reads where it is told to: nothing may lead it out of the batch.
        raise UsageError(
            "these draws cannot be applied", faults, "take them from `draw`, for the whole batch"
        )


def _faults(drawn: Drawn) -> Iterator[str]:
    shape = drawn.ops.shape
    for name, more in _SHAPES.items():
        if getattr(drawn, name).shape != shape + more:
            yield f"{name}: shape {shape + more} must hold, but got {getattr(drawn, name).shape}"
    for name, low, high in (
        ("ops", -1, len(TABLE) - 1),
        ("partner", 0, len(drawn) - 1),
        ("interpolation", 0, len(INTERPOLATIONS) - 1),
    ):
        values = getattr(drawn, name)
        if values.size and not (low <= values.min() and values.max() <= high):
            yield f"{name}: {low} to {high} must hold, but got {values.min()} to {values.max()}"
    if not np.isfinite(drawn.value).all():
        yield "value: every magnitude must be finite"
