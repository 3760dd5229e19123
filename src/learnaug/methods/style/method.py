"""Style transfer by CycleGAN, and its control: the rows of METHODS."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from learnaug.data import ImageSet, make_batch
from learnaug.data.batch import evenly
from learnaug.errors import ConfigError, DataError
from learnaug.methods.augmenters import require_unmixed
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.methods.gallery import Gallery, present
from learnaug.methods.generated import MOST, Generating, given
from learnaug.methods.settings import broken
from learnaug.methods.style.cycle import Course, Cycle, enlarged
from learnaug.methods.style.domains import Style, few, named, read, recoloured
from learnaug.methods.style.maker import MOST_BLOCKS, MOST_WIDTH, Painting, frozen, painted
from learnaug.methods.style.maker import read as read_painting
from learnaug.methods.style.pictures import control_grid, style_grid
from learnaug.methods.style.statistics import HOWS, Statistics, measured
from learnaug.methods.style.watch import PROBED, warnings, watch
from learnaug.nets.cyclegan import FIELDS, blocks_of, layers_of
from learnaug.seeds import Seeds
from learnaug.training import Keep
from learnaug.training.loop import trained

__all__ = ["StyleStatistics", "StyleTransfer"]

PAPER = {
    "updates": 0, "batch": 1, "width": 64, "blocks": 0, "layers": 0, "skip": False, "lr": 2e-4,
    "decay": 0.5, "cycle": 10.0, "identity": 0.5, "pool": 50,
}  # fmt: skip
PUBLISHED_EPOCHS = 200
COLOURS = 3


@dataclass(frozen=True, slots=True)
class StyleTransfer:
    """One CycleGAN for each style paints the training pictures; they train the target beside them.

    Args:
        styles: folder or zip whose subfolders are styles, or a folder of pictures of one style.
        which: names of those that are taken, with "/" between; "": all.
        together: whether those that are taken are one style.
        generator: folder of what was learned before; "": learn here.
        per_real: styled pictures for each real one, 1 … 100; 1 is half of a batch.
        ready: paint the training part once, before the target is trained; else each batch anew.
        updates: of each CycleGAN; 0: 200 passes over the larger side, as published.
        batch: pictures of each side in an update.
        width: maps of the nets' first layers; 64 as published.
        blocks, layers: of generators and discriminators; 0: by the size of the pictures.
        skip: generators add to the picture (ours): they begin as nearly the picture itself, and
            need not learn first to give back what they see.
        lr: learning rate of Adam (beta 0.5, 0.999).
        decay: share of the updates, at the end, over which the rate falls to 0 along a line.
        cycle: weight of the way there and back.
        identity: weight of leaving pictures of the own side alone, as a part of `cycle`.
        pool: former generated pictures that discriminators are shown; 0: the newest alone.
        paper: the sizes and numbers of the publication in place of ours: days on a CPU.

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    styles: str = ""
    which: str = ""
    together: bool = False
    generator: str = ""
    per_real: int = 1
    ready: bool = True
    updates: int = 1000
    batch: int = 1
    width: int = 16
    blocks: int = 0
    layers: int = 0
    skip: bool = True
    lr: float = 5e-4
    decay: float = 0.5
    cycle: float = 3.0
    identity: float = 0.1
    pool: int = 50
    paper: bool = False
    pace: ClassVar[str] = "fixed"

    def __post_init__(self) -> None:
        rules = {
            f"1 <= per_real <= {MOST}": 1 <= self.per_real <= MOST,
            "updates >= 0": self.updates >= 0,
            "batch >= 1": self.batch >= 1,
            f"1 <= width <= {MOST_WIDTH}": 1 <= self.width <= MOST_WIDTH,
            f"0 <= blocks <= {MOST_BLOCKS}": 0 <= self.blocks <= MOST_BLOCKS,
            f"0 <= layers <= {max(FIELDS)}": 0 <= self.layers <= max(FIELDS),
            "lr > 0": 0 < self.lr < math.inf,
            "0 <= decay <= 1": 0 <= self.decay <= 1,
            "cycle >= 0": 0 <= self.cycle < math.inf,
            "identity >= 0": 0 <= self.identity < math.inf,
            "pool >= 0": self.pool >= 0,
        }
        if faults := broken(self, rules):
            raise ConfigError("the settings of style-transfer break their rules", faults)

    @property
    def actual(self) -> StyleTransfer:
        """The settings that hold: those of the publication where `paper` says so."""
        return replace(self, **PAPER, paper=False) if self.paper else self  # type: ignore[arg-type]

    @property
    def repeats(self) -> float | None:
        """Trainings of the target that the learning costs: none with a generator; else unknown."""
        return 0.0 if self.generator else None

    def require(self) -> None:
        """Refuse styles or a generator that are not there, before anything runs.

        Raises:
            UsageError, ConfigError, DataError: as in `learn`.
        """
        if self.generator:
            _given(self.generator)
        else:
            named(self.styles)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return asdict(self.actual) | {"paper": self.paper}

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Train a CycleGAN for each style on the training part, or take those that are given.

        Raises:
            UsageError: no styles or no generator, or what stands before in the chain mixes classes.
            DataError: the data has masks in place of labels, or a style cannot be read.
            RunError: a loss is not finite.
        """
        _require_classes(data)
        found: dict[str, Any] = {}
        galleries: tuple[Gallery, ...] = ()
        if self.generator:
            maker = _given(self.generator)
        else:
            maker, found, galleries = self.actual.taught(data, seeds, device, budget, keep)
        told = {"name": "style-transfer", "settings": self.config(), **found}
        seed = seeds.child("ready").integer(63)
        acting = Generating(maker, self.per_real, self.ready, seed=seed, told=told)
        return Learned(acting, galleries=galleries)

    def taught(
        self, data: Learning, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> tuple[Painting, dict[str, Any], tuple[Gallery, ...]]:
        """Train a CycleGAN for each style; return what paints, what was watched, and pictures."""
        height, width = data.train.size
        side = enlarged(max(height, width))
        styles = read(self.styles, self.which, side, COLOURS, together=self.together)
        sides = {style.name: len(style.images) for style in styles}
        notes = few({"the training part": len(data.train), **sides})
        for note in notes:
            keep.say(note)
        nets, figures, galleries, warned = {}, {}, [], []
        for number, style in enumerate(styles):
            task = self._task(data.train, style, seeds, device, budget)
            part = keep.part(f"style-{number}", number / len(styles), 1 / len(styles))
            trained(task, task.course.updates, seeds.child("style", style.name), part)
            nets[style.name] = frozen(task.paint)
            found, gallery = _watched(data.train, style, nets[style.name], frozen(task.back))
            figures[style.name] = found
            galleries.append(gallery)
            warned += warnings(style.name, found)
        for words in warned:
            keep.say(words)
        blocks = self.blocks or blocks_of(data.train.size)
        maker = Painting(nets, data.train.channels, self.width, blocks, self.skip, data.train.size)
        return maker, {"watch": figures, "notes": notes, "warnings": warned}, tuple(galleries)

    def _task(
        self, train: ImageSet, style: Style, seeds: Seeds, device: torch.device, budget: Budget
    ) -> Cycle:
        """Return the CycleGAN of a style, before its first update."""
        larger = max(len(train), len(style.images))
        updates = self.updates or -(-PUBLISHED_EPOCHS * larger // self.batch)
        course = Course(
            updates, self.batch, self.lr, self.decay, self.cycle, self.identity, self.pool
        )
        blocks, layers = self.blocks or blocks_of(train.size), self.layers or layers_of(train.size)
        measures = (self.width, blocks, layers, self.skip)
        images = recoloured(torch.from_numpy(style.images), train.channels).numpy()
        own = seeds.child("nets", style.name)
        return Cycle(
            train, Style(style.name, images), course, measures, own, device, budget.precision
        )


@dataclass(frozen=True, slots=True)
class StyleStatistics:
    """Training pictures take on the colours of style pictures: a control that learns nothing.

    Args:
        styles, which, together: as for `StyleTransfer`.
        per_real, ready: as for `StyleTransfer`.
        how: "channels": mean and standard deviation of each; "covariance": of colours together.

    Raises:
        ConfigError: a setting is out of range.
    """

    styles: str = ""
    which: str = ""
    together: bool = False
    per_real: int = 1
    ready: bool = True
    how: str = "channels"
    repeats: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.per_real <= MOST or self.how not in HOWS:
            raise ConfigError(
                f"`1 <= per_real <= {MOST}` must hold and how be one of {', '.join(HOWS)}, but got "
                f"per_real = {self.per_real} and how = {self.how!r:.40}"
            )

    def require(self) -> None:
        """Refuse styles that are not there, before anything runs.

        Raises:
            UsageError: as in `learn`.
        """
        named(self.styles)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return asdict(self)

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Measure the styles' colours; no training picture is looked at.

        Raises:
            UsageError: no styles are named, or what stands before in the chain mixes classes.
            DataError: the data has masks in place of labels, or a style cannot be read.
        """
        _require_classes(data)
        side = enlarged(max(data.train.size))
        styles = read(self.styles, self.which, side, COLOURS, together=self.together)
        control = measured(styles, self.how)
        told = {"name": "style-statistics", "settings": self.config()}
        seed = seeds.child("ready").integer(63)
        acting = Generating(control, self.per_real, self.ready, seed=seed, told=told)
        return Learned(acting, galleries=(control_grid(data.train, styles, control),))


def _require_classes(data: Learning) -> None:
    if data.train.masks is not None:
        raise DataError("styled pictures are of one class each, but this data has masks")
    if data.before:
        require_unmixed(data.before, "a generator")


def _given(path: str) -> Painting:
    """Return the generators of a learned folder."""
    maker, _ = given(path, "style-transfer", "style", read_painting)
    assert isinstance(maker, Painting)  # by its reader
    return maker


def _watched(
    train: ImageSet, style: Style, paint: torch.nn.Module, back: torch.nn.Module
) -> tuple[dict[str, float], Gallery]:
    """Return figures of at most PROBED training pictures, and a few of them to look at."""
    probed = make_batch(train, evenly(len(train), PROBED)).images
    styled = painted(paint, probed)
    found = watch(probed, styled, painted(back, styled))
    shown: Tensor = painted(paint, make_batch(train, present(train.labels)).images)
    control: Statistics = measured((style,), "channels")
    return found, style_grid(train, style, shown, painted(back, shown), control, found)
