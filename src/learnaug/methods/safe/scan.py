"""What the judges see of held-out pictures, as they are and after operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug import ops
from learnaug.data import ImageSet
from learnaug.data.batch import evenly
from learnaug.methods.safe import views
from learnaug.methods.safe.detector import asked
from learnaug.methods.safe.judging import Judge
from learnaug.ops.draw import Drawn
from learnaug.seeds import Seeds
from learnaug.training.forward import BATCH, logits_of
from learnaug.training.segment import batch_for

__all__ = ["Bench", "Scan", "bench_of"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scan:
    """N held-out pictures as their judges see them.

    Args:
        scores: float32 [N, n_ops], the detector's; above 0 means "was applied".
        told: float32 [N, K] or [N, K, K], what the plain net says (see `views.View`).
        features: float32 [N, D], of the plain net.
        right: float32 [N], share of the labels of a picture that the plain net names rightly.
        pixels: float32 [N], mean absolute distance to the picture as it is, in [0, 1].
    """

    scores: Floats
    told: Floats
    features: Floats
    right: Floats
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
        sure: for masks: float32 [K] of each judge, see `views.sureness`.
    """

    data: ImageSet
    judges: tuple[Judge, ...]
    number: int
    seeds: Seeds
    device: torch.device
    precision: str
    sure: tuple[Floats, ...] = ()

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
        moved = (after.float() - before.float()).abs().mean((1, 2, 3)) / 255
        view = self._view(fold, after.numpy(), drawn)
        return Scan(
            self._detected(judge, after), view.told, view.features, view.right, moved.numpy()
        )

    def _view(self, fold: int, images: NDArray[np.uint8], drawn: Drawn) -> views.View:
        judge, where = self.judges[fold], (self.device, self.precision)
        if self.data.masks is None:
            return views.of_pictures(judge.plain, images, self.data.labels[judge.rows], *where)
        masks = torch.from_numpy(np.ascontiguousarray(self.data.masks[judge.rows]))
        moved = ops.apply_masks(masks, drawn).numpy()
        return views.of_pixels(judge.plain, images, moved, self.sure[fold], *where)

    def _detected(self, judge: Judge, images: Tensor) -> Floats:
        batch = BATCH  # scores of a mask are maps: fewer fit
        if self.data.masks is not None:
            batch = batch_for(self.number + len(self.data.classes), self.data.size)
        parts = logits_of(judge.detector, images.numpy(), self.device, self.precision, batch)
        return torch.cat([asked(scores, self.number).cpu() for _, scores in parts]).numpy()


def bench_of(
    data: ImageSet,
    judges: tuple[Judge, ...],
    number: int,
    seeds: Seeds,
    device: torch.device,
    precision: str,
) -> Bench:
    """Return the bench; for masks, every judge looks once at its pictures as they are."""
    bench = Bench(data, judges, number, seeds, device, precision)
    masks = data.masks
    if masks is None:
        return bench
    sure = (
        views.sureness(
            judge.plain, data.images[judge.rows], masks[judge.rows], len(data.classes), device,
            precision,
        )
        for judge in judges
    )  # fmt: skip
    return replace(bench, sure=tuple(sure))


def _joined(parts: Sequence[Scan]) -> Scan:
    fields = ("scores", "told", "features", "right", "pixels")
    return Scan(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
