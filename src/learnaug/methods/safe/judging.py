"""The nets of every fold: trained, kept on disk when done, taken up again after a stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from learnaug import nets
from learnaug.data import ImageSet
from learnaug.data.folds import fold_of
from learnaug.methods.augmenters import PLAIN
from learnaug.methods.safe.detector import Detector, Subsets
from learnaug.methods.safe.detectors import Detectors
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, goal_of
from learnaug.training.forward import model_of
from learnaug.training.loop import trained
from learnaug.training.target import Target

__all__ = ["Course", "Judge", "court", "kept"]


@dataclass(frozen=True, slots=True)
class Judge:
    """The two nets of a fold and the pictures that they judge.

    Args:
        detector: uint8 [B, C, H, W] -> [B, n_ops + K] or [B, n_ops]; maps [B, …, H, W] for masks.
        plain: uint8 [B, C, H, W] -> [B, K], or [B, K, H, W]; trained on pictures as they are.
        rows: int64 [n], which pictures they judge; neither net saw one of these or of its group.
    """

    detector: nn.Module
    plain: nn.Module
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Course:
    """How the judges are trained.

    Args:
        net: what `nets.build` takes.
        subsets: what the detector's batches undergo.
        joint: whether the detector learns the class too.
        recipe: of both nets.
        device, precision: where and in which number format.
        given: detectors of another audit in place of ones of its own; None: they are trained.
    """

    net: nets.Spec
    subsets: Subsets
    joint: bool
    recipe: Recipe
    device: torch.device
    precision: str
    given: Detectors | None = None

    def scores(self, data: ImageSet) -> int:
        """Return how many scores a detector has."""
        return self.subsets.number + (len(data.classes) if self.joint else 0)


def court(
    data: ImageSet, folds: int, judged: int, course: Course, seeds: Seeds, keep: Keep
) -> tuple[Judge, ...]:
    """Return the judges of all folds, each with at most its share of `judged` held-out pictures.

    Args:
        data: the pictures of the audit.
        folds: how many.
        judged: pictures that are judged in all.
        course: how to train.
        seeds: keys the folds, first weights, order and subsets.
        keep: checkpoints, log, progress and stop.
    """
    fold = fold_of(data, folds, seeds.child("folds"))
    given = course.given and course.given.model(data, course.device)
    judges, nets_of = [], 2 * folds
    for number in range(folds):
        rows = np.flatnonzero(fold == number)
        most = -(-judged // folds)
        if len(rows) > most:
            rows = np.sort(seeds.child("judged", number).numpy().permutation(rows)[:most])
        train = data.take(np.flatnonzero(fold != number))
        own = seeds.child("fold", number)
        detector = given or _trained(
            _detector(train, course, own), own.child("detector"),
            keep.part(f"detector-{number}", 2 * number / nets_of, 1 / nets_of),
        )  # fmt: skip
        plain = _trained(
            _plain(train, course, own), own.child("classifier"),
            keep.part(f"classifier-{number}", (2 * number + 1) / nets_of, 1 / nets_of),
        )  # fmt: skip
        judges.append(Judge(detector, plain, rows))
    return tuple(judges)


def _detector(train: ImageSet, course: Course, seeds: Seeds) -> Detector:
    model = _model(train, course, course.scores(train), seeds.child("init", "detector"))
    return Detector(
        model, train, course.subsets, course.recipe, course.joint, course.device, course.precision
    )


def _plain(train: ImageSet, course: Course, seeds: Seeds) -> Target:
    """Return the plain net, which never sees an operation."""
    phases = (Phase(PLAIN),)
    return Target(
        _model(train, course, len(train.classes), seeds.child("init", "classifier")), train, None,
        phases, course.recipe, course.device, course.precision,
    )  # fmt: skip


def _model(train: ImageSet, course: Course, scores: int, seeds: Seeds) -> nn.Module:
    net = nets.build(
        course.net, channels=train.channels, size=train.size, classes=scores, seeds=seeds,
        task=goal_of(train).name,
    )  # fmt: skip
    return model_of(net, train, course.device)


def _trained(task: Target, seeds: Seeds, keep: Keep) -> nn.Module:
    """Return the trained model, from its file where it was done before a stop."""
    with nets.forked(task.device):
        trained(task, task.updates, seeds, keep)
    return task.model.eval()


def kept(
    judges: tuple[Judge, ...], course: Course, operations: OperationSet, data: ImageSet
) -> Detectors | None:
    """Return the trained detectors for a file; None where their net has no name to build it by."""
    if not isinstance(course.net, str):
        return None
    tensors = {
        f"{fold}.{name}": value
        for fold, judge in enumerate(judges)
        for name, value in judge.detector.state_dict().items()
    }
    scores, task = course.scores(data), goal_of(data).name
    return Detectors(course.net, operations, data.channels, scores, task, data.name, tensors)
