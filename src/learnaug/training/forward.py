"""From uint8 pictures to the scores of a model, in the number format of the run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnaug.data import ImageSet

__all__ = ["BATCH", "Normalise", "autocast", "logits_of", "model_of", "scored"]

BATCH = 256  # pictures at a time

Pictures = NDArray[np.uint8]


class Normalise(nn.Module):
    """uint8 pictures to network input: (x / 255 - mean) / std per channel of the training part.

    Shapes: uint8 [B, C, H, W] -> float32 [B, C, H, W], channels last in memory.

    Args:
        mean, std: [C], of x / 255 over the training part; a constant channel counts as std 1.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", 1 / (255 * std.view(1, -1, 1, 1)))
        self.register_buffer("shift", -mean.view(1, -1, 1, 1) / std.view(1, -1, 1, 1))
        self.scale: Tensor
        self.shift: Tensor

    @staticmethod
    def of(data: ImageSet) -> Normalise:
        """Return the normalisation that the pictures of `data` define."""
        counts = np.zeros((data.images.shape[1], 256), np.int64)
        for start in range(0, len(data), 4096):
            block = np.asarray(data.images[start : start + 4096])
            for channel in range(block.shape[1]):
                counts[channel] += np.bincount(block[:, channel].ravel(), minlength=256)
        grey = np.arange(256) / 255
        share = counts / counts.sum(1, keepdims=True)
        mean = share @ grey
        std = np.sqrt(np.maximum(share @ grey**2 - mean**2, 0))
        std[std < 1e-4] = 1.0
        return Normalise(torch.tensor(mean).float(), torch.tensor(std).float())

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 pictures with mean 0 and standard deviation 1 over the training part."""
        flat = images.to(memory_format=torch.channels_last).float()
        return flat * self.scale + self.shift


def model_of(net: nn.Module, train: ImageSet, device: torch.device) -> nn.Module:
    """Return the model from uint8 pictures to scores: normalised as `train` is, channels last."""
    model = nn.Sequential(Normalise.of(train), net).to(device)
    return model.to(memory_format=torch.channels_last)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the block in which nets compute in the number format of the run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@torch.no_grad()
def logits_of(
    model: nn.Module,
    images: Pictures,
    device: torch.device,
    precision: str,
    batch: int = BATCH,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield which pictures, and the model's scores of them: float32, on the device.

    Args:
        model: uint8 [B, C, H, W] -> scores [B, K] or [B, K, H, W]; set to evaluation.
        images: uint8 [N, C, H, W].
        device, precision: where and in which number format.
        batch: pictures at a time.
    """
    model.eval()
    for start in range(0, len(images), batch):
        part = slice(start, min(start + batch, len(images)))
        chunk = torch.from_numpy(np.ascontiguousarray(images[part]))
        with autocast(device, precision):
            logits = model(chunk.to(device))
        yield part, logits.float()


def scored(
    model: nn.Module, images: Pictures, device: torch.device, precision: str
) -> tuple[Tensor, Tensor]:
    """Return the scores of pictures, and what the last dense layer was given (their features).

    Where the model has no dense layer, the features are the scores.

    Args:
        model: uint8 [B, C, H, W] -> [B, K]; set to evaluation.
        images: uint8 [N, C, H, W].
        device, precision: where and in which number format.

    Returns:
        float32 [N, K] and [N, D], on the CPU.
    """
    seen: list[Tensor] = []
    dense = [part for part in model.modules() if isinstance(part, nn.Linear)]
    hook = dense and dense[-1].register_forward_pre_hook(lambda part, given: seen.append(given[0]))
    scores = torch.cat([out.cpu() for _, out in logits_of(model, images, device, precision)])
    if hook:
        hook.remove()
    return scores, torch.cat(seen).flatten(1).float().cpu() if seen else scores
