"""Which state of the generator is kept: that whose pictures of unseen classes are best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from learnaug.data import ImageSet
from learnaug.methods.dagan.guide import knowing
from learnaug.methods.dagan.maker import Drawing
from learnaug.seeds import Seeds
from learnaug.training import Keep
from learnaug.training.forward import scored
from learnaug.training.target import below

__all__ = ["SELECTIONS", "Judge", "candidates", "classifier"]

SELECTIONS = ("classifier", "critic", "last")
CANDIDATES = 6  # states that are looked at, evenly over the second half of the training
PROBED = 512  # pictures that a state is judged by
UPDATES = 600  # of the net that judges

Score = Callable[[Drawing], float]


class Judge:
    """Keeps the best of some states of a generator; higher scores are better.

    Args:
        name: of SELECTIONS.
        updates: numbers of updates after which a state is judged, ascending.
        score: of a generator; None: the last state is kept.
    """

    def __init__(self, name: str, updates: list[int], score: Score | None) -> None:
        self.name, self.updates, self.score = name, updates, score
        self.scores: dict[int, float] = {}
        self.best: dict[str, Tensor] = {}

    def look(self, update: int, drawing: Drawing) -> None:
        """Judge the state after this many updates, and keep it where it is the best so far."""
        if self.score is None or update not in self.updates:
            return
        before = max(self.scores.values(), default=-np.inf)
        self.scores[update] = self.score(drawing)
        if self.scores[update] >= before:  # of equals the one that learned for longer
            self.best = {k: v.detach().cpu().clone() for k, v in drawing.net.state_dict().items()}

    def chosen(self) -> int | None:
        """Return the number of updates of the kept state; None: none was judged."""
        best = max(self.scores.values(), default=None)
        return max((u for u, s in self.scores.items() if s == best), default=None)

    def told(self) -> dict[str, Any]:
        """Return how it was chosen, as plain JSON data."""
        scores = {str(update): round(score, 6) for update, score in self.scores.items()}
        return {"by": self.name, "update": self.chosen(), "scores": scores}

    def tensors(self) -> dict[str, Tensor]:
        """Return the scores so far and the best state."""
        rows = [[float(update), score] for update, score in self.scores.items()]
        scores = torch.tensor(rows, dtype=torch.float64).view(-1, 2)
        return {"judge.scores": scores} | {f"best.{k}": v for k, v in self.best.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        self.scores = {int(update): score for update, score in tensors["judge.scores"].tolist()}
        self.best = below(tensors, "best")


def candidates(updates: int) -> list[int]:
    """Return the updates after which a state is judged.

    Example:
        >>> candidates(1000), candidates(1)
        ([500, 600, 700, 800, 900, 1000], [1])
    """
    shares = np.linspace(0.5, 1.0, CANDIDATES)
    return sorted({max(1, round(updates * share)) for share in shares})


def classifier(
    held: ImageSet,
    seeds: Seeds,
    device: torch.device,
    precision: str,
    keep: Keep,
) -> Score:
    """Return the accuracy of a small net, trained on real held pictures, on pictures made of them.

    Args:
        held: pictures of at least two classes that the generator does not learn from.
        seeds: keys the net, its training and z.
        device, precision: where and in which number format.
        keep: its checkpoints, and who may stop it.
    """
    own, model = knowing(held, UPDATES, seeds, device, precision, keep)
    rows = seeds.child("probed").numpy().permutation(len(own))[:PROBED]
    given, labels = torch.from_numpy(own.images[rows]), torch.from_numpy(own.labels[rows])
    real = _accuracy(model, given, labels, device)
    keep.say(
        f"a net that knows the {len(own.classes):,} classes kept for the choice names {real:.0%} "
        "of their real pictures, on which it was trained"
    )
    return lambda drawing: _accuracy(
        model, drawing.make(given.to(device), seeds.child("z")).cpu(), labels, device
    )


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, device: torch.device) -> float:
    found = scored(model, images.numpy(), device, "fp32")[0].argmax(1)
    return float((found == labels).float().mean())
