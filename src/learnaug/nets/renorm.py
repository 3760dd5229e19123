"""Batch renormalisation (Ioffe 2017): what a net does in training is what it does in use."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["BatchRenorm"]

SMALL = 1e-5
MOST_R, MOST_D = 3.0, 5.0  # the paper's clips at the end of its ramp


class BatchRenorm(nn.Module):
    """Normalises each channel by a batch, corrected towards the running statistics.

    In training y = w ((x - m_B) / s_B * r + d) + b with r = s_B / s and d = (m_B - m) / s, clipped
    to 1/3 … 3 and -5 … 5, and no gradient through either: where nothing is clipped, y is x
    normalised by the running mean m and deviation s, as in evaluation. The statistics are averages
    that forget by `decay`, without the bias of their beginning: the first batch is its own
    statistics (r = 1, d = 0), so that no ramp of the clips is needed.

    Shapes: float [B, C, H, W] -> the same.

    Args:
        channels: C.
        decay: how much of the statistics an update keeps, 0 <= decay < 1.

    Example:
        >>> norm = BatchRenorm(2)
        >>> pictures = torch.arange(16.0).view(2, 2, 2, 2)
        >>> bool(norm(pictures).mean((0, 2, 3)).abs().max() < 1e-5)
        True
    """

    def __init__(self, channels: int, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("square", torch.zeros(channels))
        self.register_buffer("known", torch.zeros(()))
        self.mean: Tensor  # sum of the means, each with the weight that is left of it
        self.square: Tensor  # of the variances
        self.known: Tensor  # sum of the weights, 0 … 1

    def reset_parameters(self) -> None:
        """Forget everything that was learned."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        for buffer in (self.mean, self.square, self.known):
            buffer.zero_()

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return the running mean and deviation: float [C] each; 0 and 1 before the first batch."""
        known = self.known.clamp_min(1e-6)
        mean, variance = self.mean / known, self.square / known
        return mean, torch.where(self.known > 0, variance, torch.ones_like(variance)).add(
            SMALL
        ).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised; in training the running statistics take the batch in."""
        mean, deviation = self.statistics()
        if not self.training:
            scale = self.weight / deviation
            return _affine(x, scale, self.bias - mean * scale)
        # One fused pass each way; its mean and deviation are those of the batch.
        normal, own, inverse = torch.native_batch_norm(x, None, None, None, None, True, 0.0, SMALL)
        with torch.no_grad():
            spread = 1 / inverse.float()
            first = self.known == 0
            r = (spread / deviation).clamp(1 / MOST_R, MOST_R).masked_fill(first, 1.0)
            d = ((own - mean) / deviation).clamp(-MOST_D, MOST_D).masked_fill(first, 0.0)
            self._take_in(own, spread.square() - SMALL)
        return _affine(normal, r * self.weight, d * self.weight + self.bias)

    def _take_in(self, mean: Tensor, variance: Tensor) -> None:
        new = 1 - self.decay
        self.mean.mul_(self.decay).add_(new * mean)
        self.square.mul_(self.decay).add_(new * variance)
        self.known.mul_(self.decay).add_(new)


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(
        shift.to(x.dtype).view(1, -1, 1, 1), x, scale.to(x.dtype).view(1, -1, 1, 1)
    )
