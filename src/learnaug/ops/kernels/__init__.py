"""The compiled back end for the processor: uint8 batches, each picture finished while in cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from logging import getLogger
from threading import Timer

import numpy as np
import torch
from torch import Tensor

from learnaug.ops.draw import Drawn
from learnaug.ops.kernels.blend import CUTMIX, MIXUP
from learnaug.ops.kernels.picture import pictures
from learnaug.ops.kernels.threads import split

__all__ = ["run"]

_ARRAYS = {
    "ops": np.int16, "value": np.float32, "extra": np.float32, "fill": np.int16,
    "interpolation": np.int8, "partner": np.int64, "mix": np.float32,
}  # fmt: skip
PATIENCE = 2.0  # seconds; what was compiled before is loaded in less


def run(images: Tensor, drawn: Drawn) -> Tensor:
    """Return the augmented pictures; as `ops.apply`, which checks what comes in.

    Args:
        images: uint8, [B, C, H, W], on the CPU.
        drawn: what they undergo.
    """
    if images.numel() == 0:
        return images.clone()
    now = images.contiguous()
    arrays = [np.ascontiguousarray(getattr(drawn, name), kind) for name, kind in _ARRAYS.items()]
    for first, last in _segments(drawn):
        then = torch.empty_like(now)
        work = partial(_pictures(), now.numpy(), then.numpy(), (first, last), *arrays)
        split(work, len(now), now[0].numel())
        now = then
    return now if now is not images else images.clone()


def _segments(drawn: Drawn) -> list[tuple[int, int]]:
    """Return runs of slots; one that mixes pictures begins a run, since it needs them all."""
    mixing = ((drawn.ops == MIXUP) | (drawn.ops == CUTMIX)).any(axis=0)
    starts = [0, *(np.flatnonzero(mixing[1:]) + 1).tolist()]
    return list(pairwise([*starts, len(mixing)])) if len(mixing) else []


@cache
def _pictures() -> Callable[..., None]:
    """Return the compiled function; where compiling takes long, say so, which is once a machine."""
    words = "compiling the image operations for this machine: about 10 s, once"
    notice = Timer(PATIENCE, getLogger("learnaug").warning, [words])
    notice.daemon = True
    notice.start()
    try:
        picture = np.zeros((1, 1, 1, 1), np.uint8)
        nothing = [np.zeros((1, 1, 4)[: 3 if name == "extra" else 2], kind)
                   for name, kind in _ARRAYS.items()]
        pictures(picture, picture.copy(), (0, 0), *nothing, 0, 0)
    finally:
        notice.cancel()
    return pictures
