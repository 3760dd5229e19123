"""The contract of a method: `learn` sees no test part and leaves a frozen augmenter behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from learnaug.data import ImageSet
from learnaug.methods.gallery import Gallery
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Augmenter, Keep, Phase, Recipe

__all__ = ["UNNAMED", "Budget", "Learned", "Learning", "Method"]

UNNAMED = {"unnamed": True}  # metadata of a method's field that no text can set
ALONE = Seeds(0).child("pair", 0)  # the pair of a method that learns outside any comparison
INIT, ORDER = ALONE.child("init"), ALONE.child("train")


@dataclass(frozen=True, slots=True)
class Learning:
    """What a method may see: two parts, and no test part to leak.

    Args:
        train: the training part.
        valid: the inner validation part.
        net: builds a fresh target network from keyed seeds.
        recipe: how the target will be trained.
        init: what the target's first weights are drawn from: `net(init)` gives those that every
            method of the pair starts with.
        order: keys the order of the pictures and the dropout of the target's training, as in
            `fit(seeds=order)`; for methods that train the target themselves.
        before: augments the pictures before this method does (the members of a chain that stand
            in front of it); None: nothing.
        wanted: operations that a later member of the chain would draw from, for a method that finds
            out which ones may be used; None: no member takes any.
    """

    train: ImageSet
    valid: ImageSet
    net: Callable[[Seeds], torch.nn.Module]
    recipe: Recipe
    init: Seeds = INIT
    order: Seeds = ORDER
    before: Augmenter | None = None
    wanted: OperationSet | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What learning may use.

    Args:
        precision: number format of the trainings, "fp32" or "bf16".
    """

    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Learned:
    """What a method leaves behind.

    Args:
        augmenter: frozen; usable with any model.
        curriculum: how the target is to be trained; by default all updates with the augmenter.
        target: a model from uint8 pictures to logits, as `fit` returns it, that was trained along
            with the augmentation; it is scored as it is. None: a fresh target is trained.
        galleries: pictures of what was learned, in the order in which they are shown.
        operations: what may be used, for the later members of a chain that draw from operations:
            they take these in place of their own. None: the method has no say in that.
        whole: False: the time was up, and learning would go on from here.
    """

    augmenter: Augmenter
    curriculum: tuple[Phase, ...] = ()
    target: torch.nn.Module | None = None
    galleries: tuple[Gallery, ...] = ()
    operations: OperationSet | None = None
    whole: bool = True

    def phases(self) -> tuple[Phase, ...]:
        """Return the curriculum, or one phase with the augmenter where none was given."""
        return self.curriculum or (Phase(self.augmenter),)


class Method(Protocol):
    """A way to find an augmentation: a frozen dataclass whose fields are its configuration."""

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Learn on `data` and return the frozen result; keyed by `seeds`, resumable by `keep`."""
        ...

    def config(self) -> dict[str, Any]:
        """Return the configuration as plain JSON data."""
        ...
