"""The one place where labels and masks part: what a target is trained for, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnaug.data import ImageSet
from learnaug.stats import Overlap
from learnaug.training import classify, segment

__all__ = ["Goal", "Predictions", "goal_of", "measure", "predict", "watched"]

Predictions = NDArray[np.float32] | Overlap


@dataclass(frozen=True, slots=True)
class Goal:
    """What a target is trained for.

    Args:
        name: "classification" or "segmentation".
        score: the figure that the learning curve shows.
        batch: images of an update, where no recipe says otherwise. A picture with a mask is many
            examples, and few updates with many pictures learn less (benchmarks/segmentation.py).
        loss: logits, targets, weights, label smoothing -> a number to descend.
        predict: model, data, device, precision -> predictions of every picture.
        measure: predictions, data -> figures with at least n, `score`, nll and per_class.
        arrays: predictions, data -> what predictions.npz keeps.
    """

    name: Literal["classification", "segmentation"]
    score: str
    batch: int
    loss: Callable[[Tensor, Tensor, Tensor, float], Tensor]
    predict: Callable[[nn.Module, ImageSet, torch.device, str], Predictions]
    measure: Callable[[Any, ImageSet], dict[str, Any]]
    arrays: Callable[[Any, ImageSet], dict[str, NDArray[Any]]]


GOALS = (
    Goal(
        "classification", "accuracy", 64, classify.soft_cross_entropy,
        classify.predict, classify.measure, classify.arrays,
    ),
    Goal(
        "segmentation", "mean_iou", 16, segment.pixel_cross_entropy,
        segment.predict, segment.measure, segment.arrays,
    ),
)  # fmt: skip


def goal_of(data: ImageSet) -> Goal:
    """Return the goal of data with labels, or of data with masks."""
    return GOALS[data.masks is not None]


def predict(model: nn.Module, data: ImageSet, device: torch.device, precision: str) -> Predictions:
    """Return class probabilities float32 [N, K], or for masks the `Overlap` of every picture.

    Args:
        model: from uint8 pictures to scores, as `fit` returns it.
        data: N pictures with labels or masks.
        device, precision: where and in which number format.
    """
    return goal_of(data).predict(model, data, device, precision)


def measure(predictions: Predictions, data: ImageSet) -> dict[str, Any]:
    """Return the figures of predictions: fractions, nats, and one figure a class.

    For labels: n, accuracy, balanced_accuracy, nll, ece, and accuracy as per_class; for masks: n,
    mean_iou, pixel_accuracy, nll, and IoU as per_class.
    """
    return goal_of(data).measure(predictions, data)


def watched(row: dict[str, Any]) -> float | None:
    """Return the validation score of a row of the learning curve, whatever the goal."""
    found = (row.get(f"valid_{goal.score}") for goal in GOALS)
    return next((float(value) for value in found if value is not None), None)
