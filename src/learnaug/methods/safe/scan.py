"""What the judges see of held-out pictures, as they are and after operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from learnaug import ops
from learnaug.data import ImageSet
from learnaug.data.batch import evenly
from learnaug.methods.safe.folds import Judge
from learnaug.ops.draw import Drawn
from learnaug.seeds import Seeds
from learnaug.training.forward import scored

__all__ = ["Bench", "Scan"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scan:
    """N held-out pictures as their judges see them.

    Args:
        scores: float32 [N, n_ops], the detector's; above 0 means "was applied".
        probabilities: float32 [N, K], the classifier's.
        features: float32 [N, D], the last layer but one of the classifier.
        pixels: float32 [N], mean absolute distance to the picture as it is, in [0, 1].
    """

    scores: Floats
    probabilities: Floats
    features: Floats
    pixels: Floats


@dataclass(frozen=True, slots=True)
class Bench:
    """Judges with the pictures that they judge; the same ones for every operation.

    Args:
        data: the pictures of the audit.
        judges: one a fold.
        number: n_ops.
        seeds: keys what the operations draw.
        device, precision: where and in which number format.
    """

    data: ImageSet
    judges: tuple[Judge, ...]
    number: int
    seeds: Seeds
    device: torch.device
    precision: str

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which pictures are judged, in the order of every scan: int64 [N]."""
        return np.concatenate([judge.rows for judge in self.judges])

    @property
    def folds(self) -> NDArray[np.int64]:
        """Who judges them: int64 [N]."""
        return np.repeat(np.arange(len(self.judges)), [len(judge.rows) for judge in self.judges])

    def thinned(self, most: int) -> Bench:
        """Return the bench with at most about `most` pictures, evenly taken from every judge."""
        each = max(1, most // len(self.judges))
        judges = tuple(
            replace(judge, rows=judge.rows[evenly(len(judge.rows), each)]) for judge in self.judges
        )
        return replace(self, judges=judges)

    def scan(self, policy: ops.Policy, *name: str | int) -> Scan:
        """Return what the judges see after a policy; its draws are keyed by `name`."""

        def drawn(fold: int, n: int) -> Drawn:
            gen = self.seeds.child(*name, fold).numpy()
            return ops.draw(policy, n, gen, self.data.size)

        return _joined([self._one(k, drawn(k, len(j.rows))) for k, j in enumerate(self.judges)])

    def drawn(self, draws: Sequence[Drawn]) -> Scan:
        """Return what the judges see after given draws, one a fold."""
        return _joined([self._one(fold, drawn) for fold, drawn in enumerate(draws)])

    def _one(self, fold: int, drawn: Drawn) -> Scan:
        judge = self.judges[fold]
        before = torch.from_numpy(np.ascontiguousarray(self.data.images[judge.rows]))
        after = ops.apply(before, drawn)
        found, _ = scored(judge.detector, after, self.device, self.precision)
        logits, features = scored(judge.classifier, after, self.device, self.precision)
        moved = (after.float() - before.float()).abs().mean((1, 2, 3)) / 255
        return Scan(
            found[:, : self.number].numpy(),
            logits.softmax(1).numpy(),
            features.numpy(),
            moved.numpy(),
        )


def _joined(parts: Sequence[Scan]) -> Scan:
    fields = ("scores", "probabilities", "features", "pixels")
    return Scan(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
