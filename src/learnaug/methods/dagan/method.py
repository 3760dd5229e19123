"""DAGAN: a generator that makes another picture of the class of a picture, of any class."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from learnaug.data import ImageSet
from learnaug.errors import ConfigError, DataError, nearest
from learnaug.methods.augmenters import require_unmixed
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.methods.dagan import pictures, watch
from learnaug.methods.dagan.adversarial import Adversaries
from learnaug.methods.dagan.classes import parted
from learnaug.methods.dagan.guide import COST, Guide, length
from learnaug.methods.dagan.guide import UPDATES as GUIDED
from learnaug.methods.dagan.maker import Drawing, Shape, read
from learnaug.methods.dagan.selection import SELECTIONS, Judge, candidates, classifier
from learnaug.methods.dagan.selection import UPDATES as JUDGED
from learnaug.methods.gallery import Gallery, present
from learnaug.methods.generated import MOST, Generating, given
from learnaug.methods.settings import broken
from learnaug.nets import forked
from learnaug.seeds import Seeds
from learnaug.training import Keep
from learnaug.training.loop import trained

__all__ = ["DAGAN"]

PAPER = {
    "updates": 200_000, "width": 64, "outer": 64, "convs": 4, "critic_width": 64, "critic_convs": 5,
    "blocks": 4, "batch": 32, "critic_steps": 5, "lr": 1e-4, "penalty": 10.0, "z": 100,
    "dropout": 0.5, "passes": 0, "residual": False, "class_weight": 0.0,
}  # fmt: skip
SEED_BITS = 63
ROWS = 8


@dataclass(frozen=True, slots=True)
class DAGAN:
    """A generator learns on some classes to make another picture of the class of a picture.

    Antoniou et al. 2018. What is learned knows no class and is used on classes of which there is
    little: give the folder of a learned generator as `generator`, and nothing is learned here.

    Args:
        generator: folder that `learnaug learn dagan` wrote; "": learn one on the training part.
        per_real: generated pictures for each real one of a batch, 1 … 100.
        ready: whether they are made once for the training part, else anew for each batch.
        select: which of some states of the generator is kept: "classifier" (the accuracy of a net
            on pictures generated of classes that it knows and the generator does not), "critic"
            (the critic's distance on such classes), or "last".
        updates: of the generator, at most.
        passes: for each epoch of the target's recipe each picture of the source is met at most so
            often, which bounds the updates on small sets and short trainings; 0: no such bound.
        batch: pairs an update.
        critic_steps: updates of the critic for each of the generator.
        lr: learning rate of both (Adam, betas 0 and 0.9).
        penalty: weight of the penalty on the critic's slope.
        class_weight: of the loss of a guide, a small net that has learned to name the classes of
            the source, on what the generator makes of them (ours; 0: no guide, as in the paper).
        z: numbers that a picture is drawn by.
        width: channels of the generator's layers (the paper: 64).
        outer: channels of its layers at the full size of the pictures (the paper: 64).
        convs: convolutions of a block of the generator (the paper: 4).
        critic_width: maps that a layer of the critic appends (the paper: 64).
        critic_convs: convolutions of a block of the critic (the paper: 5).
        blocks: halvings of the picture in both nets, at most.
        dropout: of both nets while they learn; of the generator also in use, as noise.
        residual: whether the generator paints a change of its picture, at first a small one (ours),
            in place of a whole new one; neither has been shown to keep classes longer.
        rotate: whether half of the pairs are turned by a random quarter turn, both alike.
        flag: whether they say that they are generated, to a net that asks (`dagan-densenet`).
        paper: the sizes and numbers of the paper in place of ours: days on a CPU.

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    generator: str = ""
    per_real: int = 3
    ready: bool = True
    select: str = "classifier"
    updates: int = 5_000
    passes: int = 10
    batch: int = 32
    critic_steps: int = 5
    lr: float = 5e-4
    penalty: float = 10.0
    class_weight: float = 2.0
    z: int = 100
    width: int = 32
    outer: int = 16
    convs: int = 1
    critic_width: int = 16
    critic_convs: int = 2
    blocks: int = 4
    dropout: float = 0.5
    residual: bool = True
    rotate: bool = True
    flag: bool = True
    paper: bool = False
    pace: ClassVar[str] = "epochs"

    def __post_init__(self) -> None:
        least = {
            "updates": 1, "passes": 0, "batch": 2, "critic_steps": 1, "z": 1, "width": 1,
            "outer": 1, "convs": 1, "critic_width": 1, "critic_convs": 1, "blocks": 1,
        }  # fmt: skip
        rules = {f"{name} >= {low}": getattr(self, name) >= low for name, low in least.items()}
        rules |= {
            f"1 <= per_real <= {MOST}": 1 <= self.per_real <= MOST,
            "0 < lr < inf": 0 < self.lr < math.inf,
            "0 <= penalty < inf": 0 <= self.penalty < math.inf,
            "0 <= class_weight < inf": 0 <= self.class_weight < math.inf,
            "0 <= dropout < 1": 0 <= self.dropout < 1,
        }
        faults = broken(self, rules)
        if self.select not in SELECTIONS:
            faults.append(
                f"select {self.select!r} is not known; {nearest(self.select, SELECTIONS)}"
            )
        if faults:
            raise ConfigError("the settings of dagan break their rules", faults)

    @property
    def actual(self) -> DAGAN:
        """The settings that hold: those of the paper where `paper` says so."""
        return replace(self, **PAPER, paper=False) if self.paper else self  # type: ignore[arg-type]

    @property
    def repeats(self) -> float | None:
        """Trainings of the target that the learning costs: none with a generator; else unknown."""
        return 0.0 if self.generator else None

    def require(self) -> None:
        """Refuse a generator that is not there or damaged, before anything runs.

        A place in braces is filled in by what runs the method.

        Raises:
            UsageError, ConfigError, DataError: as in `learn`.
        """
        if self.generator and "{" not in self.generator:
            _given(self.generator)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return asdict(self.actual) | {"paper": self.paper}

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Train a generator, or load one, and return what puts its pictures into a batch.

        Raises:
            DataError: masks, or no class with two pictures.
            UsageError, ConfigError: `generator` is no folder of a generator, or makes pictures of
                another size; what stands before in the chain mixes classes.
            RunError: a loss or gradient is not finite.
        """
        if data.train.masks is not None:
            raise DataError("a generator works within classes, but this data has masks")
        if data.before:
            require_unmixed(data.before, "a generator")
        own = seeds.child("ready").integer(SEED_BITS)
        if self.generator:
            maker, told = _given(self.generator)
            maker.require(data.train.channels, data.train.size)
            found = {"watch": {}, "notes": told.get("notes", []), "warnings": []}
            galleries: tuple[Gallery, ...] = ()
        else:
            maker, found, galleries = self.actual.taught(data, seeds, device, budget, keep)
        told = {"name": "dagan", "settings": self.config(), **found}
        return Learned(
            Generating(maker, self.per_real, self.ready, None, own, told, self.flag),
            galleries=galleries,
        )

    def number(self, pictures: int, epochs: int) -> int:
        """Return the updates of the generator for so many pictures and epochs of the target."""
        if not self.passes:
            return self.updates
        met = min(self.batch, pictures) * (self.critic_steps + 1)  # in one update
        return max(1, min(self.updates, math.ceil(self.passes * epochs * pictures / met)))

    def taught(
        self, data: Learning, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> tuple[Drawing, dict[str, Any], tuple[Gallery, ...]]:
        """Train a generator; return it, what was watched, and pictures."""
        cut = parted(data, seeds.child("classes"))
        keep.say(cut.note)
        shape = Shape(
            data.train.channels, data.train.size, self.width, self.outer, self.convs, self.blocks,
            self.z, self.dropout, self.residual,
        )  # fmt: skip
        updates = self.number(len(cut.source), data.recipe.epochs)
        guided = self.class_weight > 0 and _classes(cut.source) > 1
        judged = self.select == "classifier" and _classes(cut.held) > 1
        work = (
            COST * guided * length(len(cut.source), GUIDED),
            COST * judged * length(len(cut.held), JUDGED),
            float(updates),
        )
        guiding, judging, learning = (
            keep.part(name, sum(work[:i]) / sum(work), work[i] / sum(work))
            for i, name in enumerate(("guide", "judge", "gan"))
        )
        own = (device, budget.precision)
        with forked(device):
            guide = Guide.of(cut.source, seeds.child("guide"), *own, guiding) if guided else None
            task = Adversaries(self, shape, cut.source, cut.held, seeds.child("nets"), *own, guide)
            judge = self._judge(task, updates, seeds.child("judge"), judging, budget.precision)
            task.watch(updates, judge)
            trained(task, updates, seeds.child("train"), learning)
        if judge.best:
            task.generator.load_state_dict(judge.best)
        maker = replace(task.drawing(), source=_source(cut.source))
        figures, galleries = _watched(maker, task, seeds.child("watch"))
        if judge.name == "classifier" and (chosen := judge.chosen()) is not None:
            figures["class_kept"] = round(judge.scores[chosen], 6)
        warned = watch.warnings(figures, maker.source["classes"], len(cut.source))
        for words in warned:
            keep.say(words)
        told = {
            "watch": figures, "notes": [cut.note], "warnings": warned, "updates": updates,
            "select": judge.told(),
        }  # fmt: skip
        return _frozen(maker), told, galleries

    def _judge(
        self, task: Adversaries, updates: int, seeds: Seeds, keep: Keep, precision: str
    ) -> Judge:
        """Return who chooses the state that is kept; the last one where there is nothing to ask."""
        held, at = task.held, candidates(updates)
        if self.select == "classifier" and _classes(held) > 1:
            score = classifier(held, seeds, task.device, precision, keep)
            return Judge("classifier", at, score)
        if self.select == "critic" and task.distance(seeds) is not None:
            return Judge("critic", at, lambda drawing: -abs(task.distance(seeds) or 0.0))
        return Judge("last", [], None)


def _source(source: ImageSet) -> dict[str, Any]:
    return {"name": source.name, "pictures": len(source), "classes": _classes(source)}


def _classes(data: ImageSet) -> int:
    """Return how many classes have a picture."""
    return len(np.unique(data.labels))


def _frozen(maker: Drawing) -> Drawing:
    maker.net.cpu().eval().requires_grad_(False)
    return maker


def _watched(
    maker: Drawing, task: Adversaries, seeds: Seeds
) -> tuple[dict[str, Any], tuple[Gallery, ...]]:
    """Return figures of what is known to go wrong, and pictures to look at."""
    held = task.held if len(task.held) else task.source
    images, labels = torch.from_numpy(held.images[:]), torch.from_numpy(held.labels)
    train, z = torch.from_numpy(task.source.images[:]), task.shape.noise
    figures = watch.watched(
        maker.generate, images, labels, train, seeds.child("figures"), z=z,
        critic_distance=task.distance(seeds.child("critic")),
    )  # fmt: skip
    rows = present(held.labels, ROWS)
    names = [held.classes[label] for label in held.labels[rows]]
    shown = images[rows]
    still = replace(maker, drops=False)  # neighbours on the sphere differ by z alone
    generated = maker.make(shown, seeds.child("shown"))
    galleries = (
        pictures.grids_over_training(names, task.shown.cpu(), task.looks),
        pictures.several(maker.generate, names, shown, seeds.child("several"), z=z),
        pictures.interpolation(still.generate, shown[0], names[0], seeds.child("sphere"), z=z),
        pictures.neighbours(names, shown, generated, train),
    )
    return figures, galleries


def _given(path: str) -> tuple[Drawing, dict[str, Any]]:
    """Return the generator of a learned folder, and what its method told of it."""
    maker, told = given(path, "dagan", "dagan", read)
    assert isinstance(maker, Drawing)  # by its reader
    return maker, told
