"""Shake-Shake and ShakeDrop: one factor going forwards, another one going backwards.

Both disturb a residual net in training: a branch is multiplied by a random factor, and its gradient
by another, independent one, as if the net had been another one than it was. Evaluation takes the
expected factor. All numbers of an update come from `rng.uniform`, forwards: the training loop sets
its generator before every update, and the order in which autograd goes back plays no part.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from learnaug.nets.rng import uniform

__all__ = ["ShakeDrop", "ShakeShake", "scaled"]


class _Scaled(torch.autograd.Function):
    """x * ahead, with the gradient of x * back."""

    @staticmethod
    def forward(x: Tensor, ahead: Tensor, back: Tensor) -> Tensor:
        return x * ahead

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return gradient * back, None, None


def scaled(x: Tensor, ahead: Tensor, back: Tensor) -> Tensor:
    """Return each picture of x times its own factor; its gradient is multiplied by another one.

    Args:
        x: [B, ...], of any number format; the result has the same.
        ahead, back: [B], the factors of the values and of the gradient; they get no gradient.

    Example:
        >>> x = torch.ones(2, 1, requires_grad=True)
        >>> y = scaled(x, torch.tensor([2.0, 3.0]), torch.tensor([5.0, 7.0]))
        >>> y.sum().backward()
        >>> y.flatten().tolist(), x.grad.flatten().tolist()
        ([2.0, 3.0], [5.0, 7.0])
    """
    shape = (-1, *[1] * (x.ndim - 1))
    # In the format of x: a float32 factor would make float32 of the whole net behind it.
    factors = [factor.to(x.device, x.dtype).view(shape) for factor in (ahead, back)]
    result: Tensor = _Scaled.apply(x, *factors)
    return result


class ShakeShake(nn.Module):
    """alpha a + (1 - alpha) b, the gradient with beta in its place (Gastaldi 2017, "Shake-Image").

    Two tensors [B, ...] of one shape -> the same shape. In training alpha and beta are drawn from
    U[0, 1) for each picture; in evaluation both are 0.5.
    """

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the mixture of both branches."""
        if not self.training:
            return 0.5 * (a + b)
        alpha, beta = uniform(2, len(a))
        return scaled(a, alpha, beta) + scaled(b, 1 - alpha, 1 - beta)


class ShakeDrop(nn.Module):
    """x (g + alpha - g alpha), the gradient with beta for alpha (Yamada et al. 2019, eq. 6).

    [B, ...] -> the same shape. In training g is 1 with probability `keep` and else 0, one draw for
    the batch; alpha from U[-1, 1) and beta from U[0, 1) are drawn for each picture. So the
    branch is as it is, or disturbed. In evaluation the factor is its expectation, `keep`.

    Args:
        keep: probability that a batch goes through as it is.
    """

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        """Return the branch, disturbed or not."""
        if not self.training:
            return self.keep * x
        # All are drawn in any case: how many must not depend on the gate's value.
        gate = (uniform(1) < self.keep).float()
        alpha, beta = uniform(2, len(x))
        return scaled(x, gate + (1 - gate) * (2 * alpha - 1), gate + (1 - gate) * beta)

    def extra_repr(self) -> str:
        """Return what `print` and the digest of a plan say of this layer."""
        return f"keep={self.keep:g}"
