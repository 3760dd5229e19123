"""Segmentation: the loss, the predictions and the figures of a target that names every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from learnaug import stats
from learnaug.data import ImageSet
from learnaug.data.masks import IGNORED
from learnaug.training.forward import logits_of

__all__ = ["arrays", "batch_for", "measure", "pixel_cross_entropy", "predict"]

SCORES = 1 << 25  # floats [B, K, H, W] that are in memory at once
BATCH = 256


def pixel_cross_entropy(
    logits: Tensor, masks: Tensor, weights: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Return the weighted cross entropy over all counted pixels of a batch.

    loss = sum_b w_b sum_p -log softmax(logits)_bp[mask_bp] / number of counted pixels. A batch
    without a counted pixel has loss 0.

    Args:
        logits: float [B, K, H, W].
        masks: int64 [B, H, W], class numbers; 255 is not counted.
        weights: float32 [B], mean 1.
        smoothing: mass moved from the class to the uniform distribution, in [0, 1).

    Example:
        >>> masks = torch.tensor([[[0, 255]]])
        >>> float(pixel_cross_entropy(torch.zeros(1, 2, 1, 2), masks, torch.ones(1)))
        0.6931...
    """
    counted = (masks != IGNORED).sum().clamp(min=1)
    return (_each(logits, masks, smoothing) * weights).sum() / counted


def _each(logits: Tensor, masks: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the cross entropy of each picture, summed over its counted pixels: [B]."""
    each = cross_entropy(
        logits, masks, ignore_index=IGNORED, reduction="none", label_smoothing=smoothing
    )
    return each.sum((1, 2))


def predict(
    model: nn.Module, data: ImageSet, device: torch.device, precision: str
) -> stats.Overlap:
    """Return how the predicted classes of every picture overlap with its mask.

    Scores are counted and dropped chunk by chunk: those of all pictures would not fit into memory.
    """
    assert data.masks is not None
    batch = batch_for(len(data.classes), data.size)
    found = [
        _overlap(logits, torch.from_numpy(data.masks[part].astype(np.int64)).to(device))
        for part, logits in logits_of(model, data.images, device, precision, batch)
    ]
    return stats.joined(found)


def batch_for(classes: int, size: tuple[int, int]) -> int:
    """Return how many pictures of size (H, W) have scores that fit into memory together."""
    return max(1, min(BATCH, SCORES // (classes * size[0] * size[1])))


def _overlap(logits: Tensor, masks: Tensor) -> stats.Overlap:
    return stats.overlap(
        logits.argmax(1).cpu().numpy(),
        masks.cpu().numpy(),
        logits.shape[1],
        nll=_each(logits, masks).cpu().numpy(),
        ignored=IGNORED,
    )


def measure(found: stats.Overlap, data: ImageSet) -> dict[str, Any]:
    """Return n, mean IoU, pixel accuracy, NLL of a pixel and IoU per class (fractions, nats).

    Pixels of all pictures are counted together. The mean is over the classes that occur in the
    masks or in the predictions of these pictures; the others have IoU None.

    Args:
        found: of N pictures.
        data: the N pictures with their masks.
    """
    return {
        "n": len(data),
        "mean_iou": stats.mean_iou(found),
        "pixel_accuracy": stats.pixel_accuracy(found),
        "nll": float(found.nll.sum() / found.truth.sum()),
        "per_class": dict(zip(data.classes, stats.iou_per_class(found), strict=True)),
    }


def arrays(found: stats.Overlap, data: ImageSet) -> dict[str, NDArray[Any]]:
    """Return what predictions.npz keeps: int64 [N, K] hits, truth and predicted."""
    return {"hits": found.hits, "truth": found.truth, "predicted": found.predicted}
