"""Controls without anything learned: what a learned merge must beat."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from learnaug.errors import ConfigError
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.methods.merge.augmenter import MAX_K, Merging
from learnaug.methods.merge.pictures import of_control
from learnaug.seeds import Seeds
from learnaug.training import Keep

__all__ = ["ClassMixup", "MeanOfK"]


@dataclass(frozen=True, slots=True)
class MeanOfK:
    """The mean of k pictures of a class, in place of a learned merge.

    Args:
        k: pictures merged into one, 1 … 8.
        share: fraction of a batch that is merged, in (0, 1].
    """

    k: int = 2
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.k <= MAX_K or not 0 < self.share <= 1:
            raise ConfigError(
                f"`1 <= k <= {MAX_K}` and `0 < share <= 1` must hold, but got k = {self.k} and "
                f"share = {self.share}"
            )

    @property
    def augmenter(self) -> Merging:
        """What takes the mean."""
        return Merging("mean", self.k, self.share, told={"name": "mean-of-k"})

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Return the augmenter and a few of its pictures."""
        words = (
            f"Each row: {self.k} pictures of a class and their mean, which stands for "
            f"{self.share:.0%} of the pictures of a batch. Nothing was learned."
        )
        galleries = of_control(self.augmenter, data, words, seeds.child("pictures"))
        return Learned(self.augmenter, galleries=galleries)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ClassMixup:
    """Mixup of two pictures of one class: u x1 + (1 - u) x2 with u uniform in [0, 1].

    Args:
        share: fraction of a batch that is merged, in (0, 1].
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"`0 < share <= 1` must hold, but got {self.share}")

    @property
    def augmenter(self) -> Merging:
        """What mixes."""
        return Merging("mixup", 2, self.share, told={"name": "class-mixup"})

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Return the augmenter and a few of its pictures."""
        words = (
            "Each row: two pictures of a class, and both mixed with a weight drawn evenly, which "
            f"stands for {self.share:.0%} of the pictures of a batch. Nothing was learned."
        )
        galleries = of_control(self.augmenter, data, words, seeds.child("pictures"))
        return Learned(self.augmenter, galleries=galleries)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return asdict(self)
