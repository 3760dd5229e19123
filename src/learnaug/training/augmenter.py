"""What a method leaves behind: a pure function from a batch to a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from learnaug.data import Batch, ImageSet
from learnaug.errors import ConfigError
from learnaug.seeds import Seeds

__all__ = ["Augmenter", "Phase", "phase_at"]


class Augmenter(Protocol):
    """A pure augmentation: same batch, source and seeds give the same batch.

    `source` is the training part; merging methods draw partners of the same class from it,
    policies ignore it. It is None where no training part is at hand (`apply` on loose arrays).
    """

    @property
    def mixes(self) -> bool:
        """Whether it mixes pictures of different classes, so that targets change."""
        ...

    @property
    def by_class(self) -> bool:
        """Whether what happens depends on the picture's class, so that labels are needed."""
        ...

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the augmented batch; the given one stays as it is."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what it does as plain JSON data, for the report."""
        ...

    def save(self, folder: Path) -> None:
        """Write augmenter.json (and weights, if any) into `folder`."""
        ...

    def apply(
        self, images: Any, labels: Any = None, *, seed: int, classes: int | None = None
    ) -> Any:
        """Augment loose images and labels of any common kind; see `learnaug.methods.use`."""
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """A share of the target's updates trained with one augmenter.

    Args:
        augmenter: what augments the batches of this phase.
        share: fraction of all updates, 0 < share <= 1; the shares of a curriculum sum to 1.
        copies: how often each picture is in a batch, each time with a draw of its own ("enlarge
            batch", Zhang et al. 2019); an update costs as many times as much.
    """

    augmenter: Augmenter
    share: float = 1.0
    copies: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"`0 < share <= 1` must hold for a phase, but got {self.share}")
        if self.copies < 1:
            raise ConfigError(f"`copies >= 1` must hold for a phase, but got {self.copies}")


def phase_at(curriculum: tuple[Phase, ...], update: int, updates: int) -> Phase:
    """Return the phase that update number `update` (from 0) of `updates` belongs to."""
    end = 0.0
    for phase in curriculum:
        end += phase.share
        if update < round(end * updates):
            return phase
    return curriculum[-1]
