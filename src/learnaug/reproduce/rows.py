"""What a paper's table is made of: sources of pictures, lines, blocks; all of it data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from learnaug.data import ImageSet
from learnaug.training import Recipe

__all__ = [
    "STYLES", "AnyBlock", "AnyTable", "Audit", "AuditTable", "Block", "Figure", "Generator",
    "Line", "Proxies", "ProxyLine", "ProxyTable", "Scale", "Size", "Source", "Table", "Tuning",
]  # fmt: skip

Scale = Literal["small", "paper"]
STYLES = "{styles}"  # in the method of a line: the path of its styles
Figure = float | tuple[float, float] | None  # a fraction, a range that the paper gives, or nothing


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures of a table, and where they lie.

    Args:
        name: short name; also the user's own place: a folder, zip or npz NAME in the data folder.
        words: what it is, in words.
        places: paths relative to the data folder, the first that exists is read.
        classes: as `learnaug.load` takes them; None: all.
        own_test: keep the set's own test part sealed; else all parts are pooled and cut by us.
        differs: how the pictures differ from the paper's, in a sentence.
        published: torchvision's name of the set, where it may lie in torchvision's own layout.
        layout: path of a file or folder of that layout, relative to the data folder or to the
            folder NAME in it.
        reader: reads pictures of that side from a path; None where the path is not in its form,
            which `learnaug.load` then reads. None: `learnaug.load` reads all.
        span: from which class to which, in their order (by code point where the reader has none
            of its own), the last one not included; None: all.
    """

    name: str
    words: str
    places: tuple[str, ...] = ()
    classes: dict[str, tuple[str, ...]] | None = None
    own_test: bool = False
    differs: str = ""
    published: str = ""
    layout: str = ""
    reader: Callable[[Path, int], ImageSet | None] | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table.

    Args:
        name: as in the paper.
        method: our name and settings; "" where there is no method of ours for it.
        paper: score that the paper reports, a fraction, or the range that it reports.
        note: what a reader has to know about the row.
        at_paper: the method at the scale "paper", where it has other settings; "": the same.
        styles: pictures that the method takes beside those of the block; "{styles}" in its name
            stands for their path.
    """

    name: str
    method: str
    paper: Figure = None
    note: str = ""
    at_paper: str = ""
    styles: Source | None = None

    def at(self, scale: Scale) -> str:
        """Return the method at a scale."""
        return (self.at_paper if scale == "paper" else "") or self.method


@dataclass(frozen=True, slots=True)
class Size:
    """How large one scale is.

    Args:
        side: pictures are resized to side x side pixels.
        recipe: how each target is trained.
        per_class: training pictures of each class, or None for all of the training part.
        pool: pictures that are drawn of each class (of its training part where the source keeps
            its own test part), so that classes are balanced; None: all.
        model: name of the net, in place of the block's.
        classes: how many classes are taken, evenly spaced in their order; None: all.
    """

    side: int
    recipe: Recipe
    per_class: int | None = None
    pool: int | None = None
    model: str = ""
    classes: int | None = None


@dataclass(frozen=True, slots=True)
class Generator:
    """What is learned once, before the runs of the blocks that name it, on classes of its own.

    Rows of such a block have the augmenter's folder as "{given}" in their settings.

    Args:
        key: name of its folder in OUT/generator; blocks with one key share it.
        source: the pictures, none of which belongs to a class of the block.
        method: our name and settings.
        small, paper: the two scales; the recipe is that of a classifier it may look at.
        at_paper: the method at the scale "paper".
        key_at_paper, source_at_paper: both at the scale "paper", where they are others.
    """

    key: str
    source: Source
    method: str
    small: Size
    paper: Size
    at_paper: str = ""
    key_at_paper: str = ""
    source_at_paper: Source | None = None

    def size(self, scale: Scale) -> Size:
        """Return the numbers of a scale."""
        return self.small if scale == "small" else self.paper

    def at(self, scale: Scale) -> str:
        """Return the method at a scale."""
        return (self.at_paper if scale == "paper" else "") or self.method

    def named(self, scale: Scale) -> str:
        """Return the key at a scale."""
        return (self.key_at_paper if scale == "paper" else "") or self.key

    def drawn_from(self, scale: Scale) -> Source:
        """Return the pictures at a scale."""
        return (self.source_at_paper if scale == "paper" else None) or self.source


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that share pictures and net, so that their runs can be paired by seed.

    Args:
        key: name of its run folder.
        source: the pictures.
        model: name of the net.
        lines: in the order of the paper.
        small, paper: the two scales.
        baseline: the method against which the others are held.
        rival: a second such method, with a column of its own; "": none.
        costs: whether the page has columns of what a row costs, against the baseline.
        scales: at which it is run; at another one the table does not have it.
        generator: what its rows use and is learned before them; None: nothing.
    """

    key: str
    source: Source
    model: str
    lines: tuple[Line, ...]
    small: Size
    paper: Size
    baseline: str = "none"
    rival: str = ""
    costs: bool = False
    scales: tuple[Scale, ...] = ("small", "paper")
    generator: Generator | None = None

    def size(self, scale: Scale) -> Size:
        """Return the numbers of a scale."""
        return self.small if scale == "small" else self.paper

    def net(self, scale: Scale) -> str:
        """Return the name of the net of a scale."""
        return self.size(scale).model or self.model


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a paper.

    Args:
        title: what is compared.
        scored: how the paper scored it.
        blocks: its rows.
        differs: what is different here, beside the sealed test part, the last epoch and the pairs.
    """

    title: str
    scored: str
    blocks: tuple[Block, ...]
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """Audits of operations on one set of pictures, one a seed.

    Args:
        key: name of its run folder.
        source: the pictures.
        method: of the audit, with settings.
        safe: operations that the paper found safe.
        looked: operations that it looked at.
        small, paper: the two scales; net and recipe are not an audit's, but those of a target.
        at_paper: the method at the scale "paper".
    """

    key: str
    source: Source
    method: str
    safe: tuple[str, ...]
    looked: tuple[str, ...]
    small: Size
    paper: Size
    at_paper: str = ""

    def size(self, scale: Scale) -> Size:
        """Return the numbers of a scale."""
        return self.small if scale == "small" else self.paper

    def at(self, scale: Scale) -> str:
        """Return the method at a scale."""
        return (self.at_paper if scale == "paper" else "") or self.method


@dataclass(frozen=True, slots=True)
class AuditTable:
    """A table of operations that were found safe.

    Args:
        title: what is looked at.
        scored: how the paper decided.
        blocks: one for each set of pictures.
        differs: what is different here.
    """

    title: str
    scored: str
    blocks: tuple[Audit, ...]
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a proxy goes on from weights that it shares with others.

    Args:
        first: share of a training that makes the shared weights.
        late: share of a training that a proxy makes from there.
        steady: learning rate of the late part as a share of the recipe's; None: it falls from
            where the first part ended to 0.
    """

    first: float
    late: float
    steady: float | None = None


@dataclass(frozen=True, slots=True)
class ProxyLine:
    """A proxy: what stands in for a whole training when a policy is scored.

    Args:
        key: name of its results.
        name: as in the paper.
        weights: what it begins with: weights trained with augmentation, without it ("plain"), or
            not at all ("random"); or it is another whole training, scored on the validation or on
            the test part: what the best proxy could reach.
        paper: Pearson's correlation that the paper reports.
        late: share of a training, in place of that of its `Tuning`; 0: none, the weights score
            validation pictures that are augmented with the policy.
        note: what a reader has to know about the row.
    """

    key: str
    name: str
    weights: Literal["augmented", "plain", "random", "whole-valid", "whole-test"]
    paper: float | None = None
    late: float | None = None
    note: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is another whole training, and nothing is run for it."""
        return self.weights in ("whole-valid", "whole-test")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Random policies, scored by whole trainings and by proxies.

    Args:
        key: name of its run folder.
        source: the pictures.
        model: name of the net.
        policies: how many.
        lines: the proxies; differences are held against the first.
        small, paper: the two scales.
        tuning, tuning_at_paper: how proxies go on, at the two scales.
        structure: whether flip, crop, cutout and the share of the pictures are random too.
    """

    key: str
    source: Source
    model: str
    policies: int
    lines: tuple[ProxyLine, ...]
    small: Size
    paper: Size
    tuning: Tuning
    tuning_at_paper: Tuning
    structure: bool = True

    def size(self, scale: Scale) -> Size:
        """Return the numbers of a scale."""
        return self.small if scale == "small" else self.paper

    def net(self, scale: Scale) -> str:
        """Return the name of the net of a scale."""
        return self.size(scale).model or self.model

    def tuned(self, scale: Scale) -> Tuning:
        """Return how proxies go on at a scale."""
        return self.tuning if scale == "small" else self.tuning_at_paper


@dataclass(frozen=True, slots=True)
class ProxyTable:
    """A table of correlations between proxies and whole trainings.

    Args:
        title: what is looked at.
        scored: how the paper scored it.
        blocks: one for each set of pictures.
        differs: what is different here.
    """

    title: str
    scored: str
    blocks: tuple[Proxies, ...]
    differs: tuple[str, ...] = ()


AnyTable = Table | AuditTable | ProxyTable
AnyBlock = Block | Audit | Proxies
