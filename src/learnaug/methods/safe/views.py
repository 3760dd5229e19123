"""How the plain net of a judge sees pictures: what it says of them, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from learnaug.data.masks import IGNORED
from learnaug.training.forward import logits_of, scored
from learnaug.training.segment import batch_for

__all__ = ["View", "of_pictures", "of_pixels", "sureness"]

SURE = 0.10  # quantile of the net's probability among pixels of a class that it names rightly
BINS = 1000  # of that probability
FIELDS = 4  # scores are averaged over 4 x 4 fields of a picture
LEAST = 16  # pixels of a class in a picture; what fewer do is noise

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class View:
    """What a plain net, which never saw an operation, makes of n pictures.

    Args:
        told: float32 [n, K], probabilities; for masks [n, K, K]: which share of the pixels of
            class a it is sure to be of class b; NaN where a has fewer than 16 pixels.
        features: float32 [n, D].
        right: float32 [n], share of the labels of a picture that it names rightly: of its one
            label, or of its counted pixels.
    """

    told: Floats
    features: Floats
    right: Floats


def of_pictures(
    net: nn.Module,
    images: Pictures,
    labels: NDArray[np.int64],
    device: torch.device,
    precision: str,
) -> View:
    """Return how a classifier sees pictures uint8 [n, C, H, W] with labels int64 [n].

    Features are what its last dense layer is given.
    """
    logits, features = scored(net, images, device, precision)
    right = (logits.argmax(1).numpy() == labels).astype(np.float32)
    return View(logits.softmax(1).numpy(), features.numpy(), right)


def of_pixels(
    net: nn.Module,
    images: Pictures,
    masks: Pictures,
    sure: Floats,
    device: torch.device,
    precision: str,
) -> View:
    """Return how a net that names pixels sees pictures uint8 [n, C, H, W] with masks [n, H, W].

    Features are its scores, averaged over 4 x 4 fields.

    Args:
        net: uint8 [B, C, H, W] -> [B, K, H, W].
        images, masks: pixels of 255 are not counted.
        sure: [K], least probability of a class that counts as sure.
        device, precision: where and in which number format.
    """
    told, features, right = [], [], []
    for part, logits in logits_of(net, images, device, precision, _batch(masks, len(sure))):
        best, said = (found.cpu().numpy() for found in logits.softmax(1).max(1))
        real = masks[part]
        counted = real != IGNORED
        pixels = np.maximum(counted.sum((1, 2)), 1)
        told.append(_passing(real, said, counted & (best >= sure[said]), len(sure)))
        right.append(((said == real) & counted).sum((1, 2)) / pixels)
        features.append(_pooled(logits))
    joined = (np.concatenate(each).astype(np.float32) for each in (told, features, right))
    return View(*joined)


def sureness(
    net: nn.Module,
    images: Pictures,
    masks: Pictures,
    classes: int,
    device: torch.device,
    precision: str,
) -> Floats:
    """Return the probability of which nine in ten rightly named pixels of a class have more: [K].

    Infinite where no pixel of the class is named rightly. To 1/1000, as a histogram of all pixels.
    """
    counts = np.zeros((classes, BINS), np.int64)
    for part, logits in logits_of(net, images, device, precision, _batch(masks, classes)):
        best, said = (found.cpu().numpy() for found in logits.softmax(1).max(1))
        known = said == masks[part]
        place = np.minimum((best[known] * BINS).astype(np.int64), BINS - 1)
        counts += np.bincount(said[known] * BINS + place, minlength=counts.size).reshape(
            counts.shape
        )
    below = counts.cumsum(1) / np.maximum(counts.sum(1, keepdims=True), 1)
    first = (below > SURE).argmax(1) / BINS
    return np.where(counts.any(1), first, np.inf).astype(np.float32)


def _batch(masks: Pictures, classes: int) -> int:
    return batch_for(classes, (masks.shape[1], masks.shape[2]))


def _pooled(logits: Tensor) -> Floats:
    pooled: Floats = adaptive_avg_pool2d(logits, FIELDS).flatten(1).cpu().numpy()
    return pooled


def _passing(
    real: Pictures, said: NDArray[np.int64], sure: NDArray[np.bool_], classes: int
) -> NDArray[np.float64]:
    """Return which share of the pixels of class a are sure to be of class b: [n, K, K]."""
    counted = real != IGNORED
    cell = np.arange(len(real)).reshape(-1, 1, 1) * classes + np.where(counted, real, 0)
    size = len(real) * classes
    pixels = np.bincount(cell[counted], minlength=size).reshape(len(real), classes, 1)
    pairs = np.bincount((cell * classes + said)[sure], minlength=size * classes)
    shares = pairs.reshape(len(real), classes, classes) / np.maximum(pixels, 1)
    return np.where(pixels >= LEAST, shares, np.nan)
