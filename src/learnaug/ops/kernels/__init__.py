"""The compiled back end for the processor: uint8 batches, each picture finished while in cache."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from learnaug.ops.draw import Drawn
from learnaug.ops.jit import announced
from learnaug.ops.kernels.blend import CUTMIX, MIXUP
from learnaug.ops.kernels.picture import WARP, pictures
from learnaug.ops.kernels.threads import split
from learnaug.ops.kernels.warp import NEAREST
from learnaug.ops.table import KIND

__all__ = ["change_images", "move_masks", "ready"]

_ARRAYS = {
    "ops": np.int16, "value": np.float32, "extra": np.float32, "fill": np.int16,
    "interpolation": np.int8, "partner": np.int64, "mix": np.float32,
}  # fmt: skip


def change_images(images: Tensor, drawn: Drawn) -> Tensor:
    """Return the augmented pictures; as `ops.apply`, which checks what comes in.

    Args:
        images: uint8, [B, C, H, W], on the CPU.
        drawn: what they undergo.
    """
    if images.numel() == 0:
        return images.clone()
    now = images.contiguous()
    # One that may not be written is another type to Numba, for which it would compile anew.
    arrays = [np.require(getattr(drawn, name), kind, ["C", "W"]) for name, kind in _ARRAYS.items()]
    for first, last in _segments(drawn):
        then = torch.empty_like(now)
        work = partial(ready(), now.numpy(), then.numpy(), (first, last), *arrays)
        split(work, len(now), now[0].numel())
        now = then
    return now if now is not images else images.clone()


def move_masks(masks: Tensor, drawn: Drawn, ignore_index: int) -> Tensor:
    """Return the masks moved as their pictures; as `ops.apply_masks`, which checks what comes in.

    Args:
        masks: uint8, [B, H, W], on the CPU.
        drawn: what the pictures underwent.
        ignore_index: 0 to 255, class number where a picture ends.
    """
    moves = (KIND[drawn.ops] == WARP) | (drawn.ops == CUTMIX)
    alike = replace(
        drawn,
        ops=np.where(moves, drawn.ops, -1),
        fill=np.full_like(drawn.fill, ignore_index),
        interpolation=np.full_like(drawn.interpolation, NEAREST),
    )
    return change_images(masks.unsqueeze(1), alike).squeeze(1)


def _segments(drawn: Drawn) -> list[tuple[int, int]]:
    """Return runs of slots; one that mixes pictures begins a run, since it needs them all."""
    mixing = ((drawn.ops == MIXUP) | (drawn.ops == CUTMIX)).any(axis=0)
    starts = [0, *(np.flatnonzero(mixing[1:]) + 1).tolist()]
    return list(pairwise([*starts, len(mixing)])) if len(mixing) else []


@cache
def ready() -> Any:
    """Return the compiled function, compiled or loaded by now."""
    shapes = {"extra": (1, 1, 4)}
    nothing = [np.zeros(shapes.get(name, (1, 1)), kind) for name, kind in _ARRAYS.items()]
    picture = np.zeros((1, 1, 1, 1), np.uint8)
    with announced(15):
        pictures(picture, picture.copy(), (0, 0), *nothing, 0, 0)
    return pictures
