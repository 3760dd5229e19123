"""Classification: the loss, the predictions and the figures of a target that names classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnaug import stats
from learnaug.data import ImageSet
from learnaug.training.forward import logits_of

__all__ = ["arrays", "measure", "predict", "soft_cross_entropy"]


def soft_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Return the weighted cross entropy with soft targets.

    loss = mean_b w_b * -sum_k t'_bk log softmax(logits)_bk, t' = (1 - s) t + s / K.

    Args:
        logits: float [B, K].
        targets: float32 [B, K], class probabilities.
        weights: float32 [B], mean 1.
        smoothing: s, the label smoothing in [0, 1).

    Example:
        >>> one = torch.ones(1)
        >>> float(soft_cross_entropy(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), one))
        0.6931...
    """
    targets = targets * (1 - smoothing) + smoothing / targets.shape[1]
    return -((targets * logits.log_softmax(1)).sum(1) * weights).mean()


def predict(
    model: nn.Module, data: ImageSet, device: torch.device, precision: str
) -> NDArray[np.float32]:
    """Return class probabilities for every picture: float32 [N, K], rows sum to 1."""
    parts = logits_of(model, data.images, device, precision)
    return torch.cat([logits.softmax(1).cpu() for _, logits in parts]).numpy()


def measure(probabilities: NDArray[np.float32], data: ImageSet) -> dict[str, Any]:
    """Return n, accuracy, balanced accuracy, NLL, ECE and accuracy per class (fractions, nats).

    Args:
        probabilities: float [N, K].
        data: the N pictures with labels; a class without a picture has accuracy None.
    """
    labels, classes = data.labels, data.classes
    per_class = stats.per_class_accuracy(probabilities, labels, len(classes))
    return {
        "n": len(labels),
        "accuracy": stats.accuracy(probabilities, labels),
        "balanced_accuracy": stats.balanced_accuracy(probabilities, labels),
        "nll": stats.nll(probabilities, labels),
        "ece": stats.ece(probabilities, labels),
        "per_class": dict(zip(classes, per_class, strict=True)),
    }


def arrays(probabilities: NDArray[np.float32], data: ImageSet) -> dict[str, NDArray[Any]]:
    """Return what predictions.npz keeps: probabilities [N, K] and labels [N]."""
    return {"probabilities": probabilities, "labels": data.labels}
