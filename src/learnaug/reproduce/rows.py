"""What a paper's table is made of: sources of pictures, lines, blocks; all of it data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from learnaug.training import Recipe

__all__ = ["Audit", "AuditTable", "Block", "Figure", "Line", "Scale", "Size", "Source", "Table"]

Scale = Literal["small", "paper"]
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
    """

    name: str
    words: str
    places: tuple[str, ...] = ()
    classes: dict[str, tuple[str, ...]] | None = None
    own_test: bool = False
    differs: str = ""
    published: str = ""
    layout: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table.

    Args:
        name: as in the paper.
        method: our name and settings; "" where there is no method of ours for it.
        paper: score that the paper reports, a fraction, or the range that it reports.
        note: what a reader has to know about the row.
        at_paper: the method at the scale "paper", where it has other settings; "": the same.
    """

    name: str
    method: str
    paper: Figure = None
    note: str = ""
    at_paper: str = ""

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
    """

    side: int
    recipe: Recipe
    per_class: int | None = None
    pool: int | None = None
    model: str = ""


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
