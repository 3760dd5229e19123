"""Smart Augmentation and neural augmentation: one method, two sets of settings."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from learnaug.data import ImageSet
from learnaug.data.batch import evenly
from learnaug.errors import ConfigError, DataError, UsageError, nearest
from learnaug.methods.augmenters import require_unmixed
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.methods.gallery import Gallery
from learnaug.methods.merge.augmenter import GIVEN, MAX_K, Merging
from learnaug.methods.merge.joint import Joint
from learnaug.methods.merge.losses import LOSSES, SCHEDULES, Weight
from learnaug.methods.merge.networks import NETWORKS, Factory, Merger, build
from learnaug.methods.merge.partners import (
    clusters,
    digest_of,
    pixels,
    pool_of,
    short,
)
from learnaug.methods.merge.pictures import of_task
from learnaug.methods.merge.watch import PROBED, warnings, watch
from learnaug.methods.settings import broken
from learnaug.nets import forked
from learnaug.seeds import Seeds
from learnaug.training import Keep
from learnaug.training.forward import Normalise, model_of, scored
from learnaug.training.loop import run

__all__ = ["PARTNERS", "SmartAugmentation"]

PARTNERS = ("random", "clusters", "features", "groups", "same")
OPTIMISERS = ("sgd", "adam")
NORMS = ("together", "apart")


@dataclass(frozen=True, slots=True)
class SmartAugmentation:
    """A network A learns to merge k pictures of a class, together with the target B.

    Settings of Lemley et al. 2017 by default; those of Perez & Wang 2017 are a row of METHODS.

    Args:
        k: pictures that A makes one of, 1 … 8.
        per_class: one A for each class, in place of one for all.
        loss: what A's output should be like: "mse" (or "content"), "style" (Gram matrices), "none".
        compare_in: "pixels" (the papers), or "features": the maps of the target's last convolution.
        alpha: weight of L_A for A; a number >= 0, or a function of the epoch.
        beta: weight of L_B for A; the target itself always descends along L_B. Below 0 (ours) A
            climbs it: it merges what the target finds hard.
        alpha_end, beta_end: weights at the end of the training; None: as at the beginning.
        schedule: how the weights go from beginning to end: "constant", "linear" or "cosine".
        network: "smart", "augnet", "residual" (the mean of the k, to which AugNet adds; ours), or
            a function (inputs, channels) -> torch.nn.Module.
        partners: "random" of the class; "clusters" of pixels; "features": clusters in the last
            hidden layer of the target at its first weights; "groups": of the same group; "same":
            all inputs are the picture itself (the papers' control).
        clusters: clusters a class, at most.
        optimiser: of A: "sgd" (momentum 0.9) or "adam".
        lr: learning rate of A; None: 0.01, and 0.005 with one A for each class (the paper).
        clip: largest gradient norm of A.
        share: fraction of a batch that the frozen augmenter merges, in (0, 1].
        batch_norm: whether the target normalises real and merged pictures "together" (the papers),
            or "apart" (ours), and then remembers the statistics of the real ones alone, which are
            those that it is used on.
        joint: whether the target that was trained along is the result; else a fresh one is trained
            with A frozen.

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    k: int = 2
    per_class: bool = False
    loss: str = "mse"
    compare_in: str = "pixels"
    alpha: Weight = 0.7
    beta: Weight = 0.3
    alpha_end: float | None = None
    beta_end: float | None = None
    schedule: str = "linear"
    network: str | Factory = "smart"
    partners: str = "random"
    clusters: int = 4
    optimiser: str = "sgd"
    lr: float | None = None
    clip: float = 400.0
    share: float = 0.5
    batch_norm: str = "together"
    joint: bool = True

    def __post_init__(self) -> None:
        rules = {
            f"1 <= k <= {MAX_K}": 1 <= self.k <= MAX_K,
            "alpha >= 0": _weight(self.alpha, 0.0),
            "alpha_end >= 0": _weight(self.alpha_end, 0.0),
            "beta finite": _weight(self.beta, -math.inf),
            "beta_end finite": _weight(self.beta_end, -math.inf),
            "clusters >= 1": self.clusters >= 1,
            "lr > 0": 0 < self.rate < math.inf,
            "clip > 0": self.clip > 0,
            "0 < share <= 1": 0 < self.share <= 1,
        }
        faults = broken(self, rules)
        words: dict[str, tuple[str, ...]] = {
            "loss": LOSSES, "compare_in": ("pixels", "features"), "partners": PARTNERS,
            "schedule": tuple(SCHEDULES), "optimiser": OPTIMISERS, "network": tuple(NETWORKS),
            "batch_norm": NORMS,
        }  # fmt: skip
        for name, known in words.items():
            word = getattr(self, name)
            if name == "network" and isinstance(word, nn.Module):
                faults.append(
                    "network must be a function (inputs, channels) -> module, not a module"
                )
            elif word not in known and not (name == "network" and callable(word)):
                faults.append(f"{name} {word!r} is not known; {nearest(str(word), known)}")
        if faults:
            raise ConfigError("the settings of smart augmentation break their rules", faults)

    @property
    def rate(self) -> float:
        """The learning rate of A."""
        return (0.005 if self.per_class else 0.01) if self.lr is None else self.lr

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data; a function is named."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: GIVEN if callable(v) else v for name, v in values.items()} | {"lr": self.rate}

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Train A and the target together; return A frozen, and the target where `joint` says so.

        Raises:
            DataError: the data has masks in place of labels.
            UsageError: what stands before in the chain mixes classes.
            RunError: a loss or gradient is not finite.
        """
        _require_classes(data)
        cells = self._cells(data, seeds.child("cells"))
        pool = pool_of(data.train.labels, cells)
        notes = [] if self.partners == "same" else short(pool, data.train.classes, self.k)
        for note in notes:
            keep.say(note)
        model = model_of(data.net(data.init), data.train, device)
        classes = len(data.train.classes) if self.per_class else None
        merger = build(self.network, self.k, data.train.channels, classes, seeds.child("merger"))
        task = Joint(
            model, merger.to(device), self, data, pool, seeds, device, budget.precision
        )  # fmt: skip
        with forked(device):
            run(task, task.updates, data.order, keep)
        task.look(task.updates)
        found, galleries = _watched(task)
        warned = warnings(found, self.partners == "same")
        for words in warned:
            keep.say(words)
        told = {"settings": self.config(), "watch": found, "notes": notes, "warnings": warned}
        return Learned(
            self._frozen(merger.cpu(), cells, data.train, told),
            target=model.eval() if self.joint else None,
            galleries=galleries,
        )

    def _frozen(
        self,
        merger: Merger,
        cells: NDArray[np.int64] | None,
        train: ImageSet,
        told: dict[str, Any],
    ) -> Merging:
        network = GIVEN if callable(self.network) else self.network
        return Merging(
            "network", self.k, self.share, merger.eval().requires_grad_(False), network,
            self.partners == "same", cells, "" if cells is None else digest_of(train),
            {"name": "merge", **told},
        )  # fmt: skip

    def _cells(self, data: Learning, seeds: Seeds) -> NDArray[np.int64] | None:
        """Return what partners must have in common beside the class, or None."""
        train = data.train
        if self.partners == "groups":
            alone = train.groups < 0
            numbers = np.where(alone, train.groups.max(initial=-1) + 1, train.groups)
            return numbers.astype(np.int64)
        if self.partners not in ("clusters", "features"):
            return None
        space = pixels(train) if self.partners == "clusters" else _features(data)
        return clusters(space, train.labels, self.clusters, self.k + 1, seeds)


def _weight(value: Weight | None, least: float) -> bool:
    """Return whether it is a finite number from `least` on, a function, or not given."""
    return value is None or callable(value) or (math.isfinite(value) and value >= least)


def _require_classes(data: Learning) -> None:
    if data.train.masks is not None:
        raise DataError(
            "pictures are merged within a class, but this data has masks in place of labels"
        )
    if data.before:
        require_unmixed(data.before, "a merge")


def _features(data: Learning) -> NDArray[np.float64]:
    """Return what the target's last dense layer is given, at the first weights: float64 [N, D]."""
    model = nn.Sequential(Normalise.of(data.train), data.net(data.init)).eval()
    if not any(isinstance(part, nn.Linear) for part in model.modules()):
        raise UsageError("the target has no dense layer to take features from", mend="use clusters")
    features = scored(model, data.train.images, torch.device("cpu"), "fp32")[1]
    return features.double().numpy()


def _watched(task: Joint) -> tuple[dict[str, Any], tuple[Gallery, ...]]:
    """Return what `watch` says of at most PROBED training pictures, and pictures to look at."""
    rows = evenly(len(task.train), PROBED)
    batch, inputs, _ = task.drawn(rows)
    labels = torch.from_numpy(task.train.labels[rows]).to(task.device)
    found = watch(task.merger, inputs, batch.images.float() / 255, labels)
    near, galleries = of_task(task, rows, found)
    return found if near is None else found | {"nearest": near.figures()}, galleries
