"""What a merged picture should be like, and how much that counts from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from learnaug.errors import ConfigError, nearest

__all__ = ["LOSSES", "SCHEDULES", "Weight", "gram", "scaled_gradient", "similarity", "weight_at"]

Weight = float | Callable[[float], float]
LOSSES = ("mse", "content", "style", "none")  # "content" is Perez & Wang's word for "mse"
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 0.0,
    "linear": lambda share: share,
    "cosine": lambda share: (1 - math.cos(math.pi * share)) / 2,
}


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrix of pictures or feature maps, per place.

    G_cd = sum_hw F_chw F_dhw / (H W): [B, C, H, W] -> [B, C, C]. The paper does not divide by H W;
    divided, the loss has one scale for all sizes.

    Example:
        >>> gram(torch.ones(1, 2, 4, 4)).tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def similarity(merged: Tensor, target: Tensor, loss: str) -> Tensor:
    """Return L_A for each picture: float [B].

    "mse" and "content": mean over channels and places of (A - T)^2; "style": mean over the C x C
    entries of (G_A - G_T)^2; "none": 0.

    Args:
        merged, target: float [B, C, H, W]; pictures in [0, 1], or feature maps.
        loss: a name of LOSSES.

    Raises:
        ConfigError: the name is not known.

    Example:
        >>> similarity(torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4), "mse").tolist()
        [1.0, 1.0]
    """
    if loss in ("mse", "content"):
        return (merged - target).square().mean((1, 2, 3))
    if loss == "style":
        return (gram(merged) - gram(target)).square().mean((1, 2))
    if loss == "none":
        return merged.new_zeros(len(merged))
    raise ConfigError(f"loss {loss!r} is not known; {nearest(loss, LOSSES)}")


def weight_at(
    start: Weight,
    end: float | None,
    schedule: str,
    *,
    epoch: float,
    share: float,
    least: float = 0.0,
) -> float:
    """Return alpha or beta at a moment of the training.

    w = start + (end - start) s(share), s = share (linear) or (1 - cos(pi share)) / 2 (cosine);
    a function in place of `start` is asked with the epoch and decides alone.

    Args:
        start: the weight at the beginning, or a function of the epoch.
        end: the weight at the end; None: as at the beginning.
        schedule: a name of SCHEDULES.
        epoch: passes over the training part that are done.
        share: fraction of the updates that are done, in [0, 1].
        least: what the weight must not fall below.

    Raises:
        ConfigError: the schedule is not known, or the weight is no finite number >= `least`.

    Example:
        >>> weight_at(1.0, 0.0, "linear", epoch=5, share=0.25)
        0.75
    """
    if schedule not in SCHEDULES:
        raise ConfigError(
            f"schedule {schedule!r} is not known; {nearest(schedule, tuple(SCHEDULES))}"
        )
    if callable(start):
        value = float(start(epoch))
    else:
        value = start + ((start if end is None else end) - start) * SCHEDULES[schedule](share)
    if not (math.isfinite(value) and value >= least):
        raise ConfigError(
            f"a weight must be a finite number >= {least:g}, but is {value} at epoch {epoch:g}"
        )
    return value


class _Scaled(torch.autograd.Function):
    """The same values forward, the gradient times a factor backward."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * ctx.factor, None


def scaled_gradient(values: Tensor, factor: float) -> Tensor:
    """Return the same values, whose gradient is multiplied by `factor` on its way back.

    By this one backward pass gives the merging network alpha dL_A + beta dL_B and the target dL_B.
    """
    scaled: Tensor = _Scaled.apply(values, factor)
    return scaled
