"""How a target is trained: numbers with units, checked once, the same for every method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from learnaug.errors import ConfigError, nearest

__all__ = ["Recipe", "default_epochs", "learning_rate"]

OPTIMISERS = ("sgd", "adamw")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The training recipe; equal for all methods of a comparison.

    The defaults were chosen by a grid on the validation parts of two data sets
    (benchmarks/recipe.py); a weak baseline would make every augmentation look good.

    Args:
        epochs: passes over the training part; updates = ceil(epochs * n / batch_size).
        batch_size: images an update; studies of images with masks take 16 by default.
        optimiser: "adamw" or "sgd" (Nesterov momentum 0.9).
        lr: peak learning rate, after the warm-up.
        weight_decay: decoupled for adamw, L2 for sgd; not on biases and norm parameters.
        warmup: share of the updates in which the rate rises linearly to `lr`.
        label_smoothing: mass moved from the label to the uniform distribution, in [0, 1).
        clip: largest global gradient norm; larger gradients are scaled down to it.

    Raises:
        ConfigError: one or more settings are out of range (all are named).

    Example:
        >>> Recipe(epochs=10, batch_size=64).updates(200)
        32
    """

    epochs: int = 60
    batch_size: int = 64
    optimiser: Literal["adamw", "sgd"] = "sgd"
    lr: float = 0.03
    weight_decay: float = 5e-4
    warmup: float = 0.1
    label_smoothing: float = 0.0
    clip: float = 3.0

    def __post_init__(self) -> None:
        rules = {
            "epochs >= 1": self.epochs >= 1,
            "batch_size >= 2": self.batch_size >= 2,  # batch norm has no variance of one image
            "0 < lr < inf": 0 < self.lr < math.inf,
            "0 <= weight_decay < inf": 0 <= self.weight_decay < math.inf,
            "0 <= warmup < 1": 0 <= self.warmup < 1,
            "0 <= label_smoothing < 1": 0 <= self.label_smoothing < 1,
            "0 < clip": self.clip > 0,
        }
        faults = [f"`{rule}` must hold" for rule, holds in rules.items() if not holds]
        if self.optimiser not in OPTIMISERS:
            hint = nearest(self.optimiser, OPTIMISERS)
            faults.append(f"optimiser {self.optimiser!r} is not known; {hint}")
        if faults:
            raise ConfigError("the training recipe breaks its rules", [*faults, f"got {self}"])

    def updates(self, n: int) -> int:
        """Return the number of optimiser steps for n training images."""
        return max(1, math.ceil(self.epochs * n / min(self.batch_size, n)))


def default_epochs(n: int) -> int:
    """Return how many passes over n images make a strong baseline without waste.

    Few images need many passes: the number of images seen is held near 30,000 (n <= 1,000) and
    grows with the square root of n above that, between 15 and 150 passes.

    Example:
        >>> default_epochs(200), default_epochs(1000), default_epochs(10_000)
        (150, 30, 15)
    """
    seen = 30_000 * math.sqrt(max(1.0, n / 1000))
    return int(min(150, max(15, round(seen / max(1, n)))))


def learning_rate(recipe: Recipe, update: int, updates: int) -> float:
    """Return the learning rate of an update: a linear warm-up, then half a cosine to 0.

    lr(u) = lr * (u + 1) / w for u < w = warmup * updates, else
    lr(u) = lr * (1 + cos(pi * (u - w) / (updates - w))) / 2.
    """
    warm = recipe.warmup * updates
    if update < warm:
        return recipe.lr * min(1.0, (update + 1) / max(1.0, warm))
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (update - warm) / max(1.0, updates - warm)))
