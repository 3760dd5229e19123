"""Policies as frozen data: a chain of stages, each choosing one branch for every picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from learnaug.errors import ConfigError
from learnaug.ops.about import (
    EVIDENCE,
    TRAINED_ON,
    about_faults,
    finite,
    hint,
    made_from_faults,
    shown,
    tidy,
)
from learnaug.ops.table import INTERPOLATIONS, NAMES, TABLE

if TYPE_CHECKING:
    from learnaug.ops.compiled import Compiled

__all__ = [
    "MAX_BRANCHES",
    "MAX_ELEMENTS",
    "MAX_ROWS",
    "MAX_STAGES",
    "MAX_STRENGTH",
    "MAX_VALUES",
    "MAX_WEIGHTS",
    "Element",
    "Policy",
    "Stage",
]

MAX_BRANCHES = 2_000  # in one policy; 36·36 pairs fit
MAX_ELEMENTS = 16  # in one branch
MAX_STAGES = 64
MAX_VALUES = 256  # magnitudes in one list
MAX_ROWS = 2_000  # of weights: one a class, or one a branch before
MAX_WEIGHTS = 1_000_000  # rows times branches
MAX_STRENGTH = 2.0


@dataclass(frozen=True, slots=True)
class Element:
    """One operation with the magnitudes it may take.

    Args:
        op: a name of TABLE.
        low: magnitude in the operation's unit; with `high` the ends of a uniform range.
        high: upper end; None means exactly `low`.
        values: magnitudes of which one is drawn evenly, in place of low and high.
        sign: mirror the magnitude about the operation's identity in half of the draws.
        p: probability that the operation happens at all.
        fill: grey level outside the picture, 0 to 255; None takes the table's.
        interpolation: of a warp; None takes the table's.

    Raises:
        ConfigError: every rule that is broken, with the value found and the value allowed.

    Example:
        >>> Element("rotate", 0, 30, sign=True, p=0.5).op
        'rotate'
    """

    op: str
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()
    sign: bool = False
    p: float = 1.0
    fill: int | None = None
    interpolation: str | None = None

    def __post_init__(self) -> None:
        _refuse("element", list(_element_faults(self)))

    @property
    def magnitudes(self) -> tuple[float, ...]:
        """Return `values`, or the ends of the range, or () where there is no magnitude."""
        if self.values:
            return self.values
        return tuple(end for end in (self.low, self.high) if end is not None)


@dataclass(frozen=True, slots=True)
class Stage:
    """Choose one branch for each picture, and run its elements in order.

    Args:
        branches: each a sequence of elements; the empty branch leaves the picture.
        weights: not normalised; () means even. One row, or with `given` one row per class
            (given="class") or per branch of the stage before (given="previous").
        given: what picks the row of the weights.

    Raises:
        ConfigError: every rule that is broken.
    """

    branches: tuple[tuple[Element, ...], ...]
    weights: tuple[float, ...] | tuple[tuple[float, ...], ...] = ()
    given: Literal["", "class", "previous"] = ""

    def __post_init__(self) -> None:
        _refuse("stage", list(_stage_faults(self)))

    @property
    def rows(self) -> tuple[tuple[float, ...], ...]:
        """Return the weights as rows; one row where nothing is given."""
        if not self.weights:
            return ((1.0,) * len(self.branches),)
        return self.weights if self.given else (self.weights,)  # type: ignore[return-value]


@dataclass(frozen=True)
class Policy:
    """An augmentation policy: stages that run one after another on each picture.

    Args:
        stages: in order; () changes nothing.
        name: what the report calls it.
        made_from: where it came from: a few strings and numbers, kept in the file.
        strength: s in [0, 2]; every magnitude v is used as identity + s·(v - identity), kept
            inside the operation's range. 1 is the policy as it stands, 0 leaves only what has no
            magnitude. Operations without an identity (resized_crop, mixup, cutmix) keep theirs.
        trained_on: the data it was learned on; the keys of `learnaug.ops.about.TRAINED_ON`.
        evidence: what speaks for it; the keys of `learnaug.ops.about.EVIDENCE`.

    Raises:
        ConfigError: every rule that is broken.

    Example:
        >>> flip = Policy((Stage(((Element("hflip", p=0.5),),)),), "flip")
        >>> Policy.from_json(flip.to_json()) == flip
        True
    """

    stages: tuple[Stage, ...] = ()
    name: str = "policy"
    made_from: dict[str, str | float] = field(default_factory=dict, hash=False)
    strength: float = 1.0
    trained_on: dict[str, Any] = field(default_factory=dict, hash=False)
    evidence: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _refuse("policy", list(_policy_faults(self)))
        object.__setattr__(self, "evidence", tidy(self.evidence))

    @property
    def does_nothing(self) -> bool:
        """Whether no picture can ever change."""
        stages = self.folded().stages
        branches = [branch for stage in stages for branch in _reachable(stage)]
        return not any(_live(element) for branch in branches for element in branch)

    @property
    def mixes(self) -> bool:
        """Whether targets change too (mixup, cutmix)."""
        return any(TABLE[element.op].partner for element in self.elements())

    @property
    def by_class(self) -> bool:
        """Whether a stage's weights depend on the picture's class, so that labels are needed."""
        return any(stage.given == "class" for stage in self.stages)

    def elements(self) -> Iterator[Element]:
        """Return every element of every branch, in order."""
        return (e for stage in self.stages for branch in stage.branches for e in branch)

    def then(self, other: Policy) -> Policy:
        """Return the chain of both: first this, then the other.

        Different strengths go into the magnitudes. What the parts were trained on and the
        evidence for them do not speak for the chain, and are left out.
        """
        same = self.strength == other.strength
        first, second = (self, other) if same else (self.folded(), other.folded())
        return Policy(
            first.stages + second.stages,
            f"{self.name}+{other.name}",
            {**self.made_from, **other.made_from},
            first.strength,
        )

    def folded(self) -> Policy:
        """Return the policy of strength 1 that does the same: its strength in the magnitudes."""
        if self.strength == 1:
            return self
        from learnaug.ops.strength import strengthen

        return replace(self, stages=strengthen(self.stages, self.strength), strength=1.0)

    @cached_property
    def compiled(self) -> Compiled:
        """The policy as arrays, built once."""
        from learnaug.ops.compiled import compile_stages

        return compile_stages(self.folded().stages)

    def to_json(self) -> dict[str, Any]:
        """Return the policy as JSON values (format "learnaug-policy", version 2)."""
        from learnaug.ops import policy_file

        return policy_file.to_json(self)

    @staticmethod
    def from_json(value: object) -> Policy:
        """Return the policy of that JSON value; ConfigError lists every fault with its place."""
        from learnaug.ops import policy_file

        return policy_file.from_json(value)

    def save(self, path: str | Path) -> None:
        """Write the policy file, atomically."""
        from learnaug.ops import policy_file

        policy_file.save(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Policy:
        """Read a policy file; only JSON, at most 10 MB; ConfigError lists every fault."""
        from learnaug.ops import policy_file

        return policy_file.load(Path(path))


def _refuse(kind: str, faults: list[str]) -> None:
    if faults:
        what = f"the {kind} breaks {len(faults)} rule" + ("s" if len(faults) > 1 else "")
        raise ConfigError(what, faults)


def _element_faults(element: Any) -> Iterator[str]:
    op = TABLE.get(element.op) if isinstance(element.op, str) else None
    if op is None:
        yield f"op: unknown operation {shown(element.op)}: {hint(element.op, NAMES)}"
        return
    if not (finite(element.p) and 0 <= element.p <= 1):
        yield f"p: `0 <= p <= 1` must hold, but got {shown(element.p)} ({op.name})"
    if not isinstance(element.sign, bool):
        yield f"sign: true or false, but got {shown(element.sign)} ({op.name})"
    if element.sign is True and not op.signed:
        yield f"sign: {op.name} has no sign, but sign is true"
    yield from _magnitude_faults(element)
    fill = element.fill
    if fill is not None and not (type(fill) is int and 0 <= fill <= 255):
        yield f"fill: an integer from 0 to 255, but got {shown(fill)} ({op.name})"
    kind = element.interpolation
    if kind is not None and kind not in INTERPOLATIONS:
        yield f"interpolation: unknown {shown(kind)}: {hint(kind, INTERPOLATIONS)}"


def _magnitude_faults(element: Any) -> Iterator[str]:
    op = TABLE[element.op]
    if element.values and (element.low is not None or element.high is not None):
        yield f"values: give values or low and high, not both ({op.name})"
    if op.plain:
        if element.magnitudes:
            yield f"low: {op.name} has no magnitude, but got {shown(element.magnitudes)}"
        return
    if len(element.values) > MAX_VALUES:
        yield f"values: at most {MAX_VALUES}, but got {len(element.values):,} ({op.name})"
        return
    if not element.values and element.low is None:
        yield f"low: {op.name} needs a magnitude ({op.unit}, {op.low:g} to {op.high:g})"
    for value in element.magnitudes:
        if not (finite(value) and op.low <= value <= op.high):
            yield (
                f"magnitude: `{op.low:g} <= {op.name} <= {op.high:g}` ({op.unit}) must hold, "
                f"but got {shown(value)}"
            )
    ends = (element.low, element.high)
    if finite(ends[0]) and finite(ends[1]) and ends[0] > ends[1]:
        yield f"high: `low <= high` must hold, but got {ends} ({op.name})"


def _stage_faults(stage: Any) -> Iterator[str]:
    count = len(stage.branches)
    if count == 0:
        yield "branches: at least one is needed (the empty branch leaves a picture as it is)"
    for number, branch in enumerate(stage.branches):
        if len(branch) > MAX_ELEMENTS:
            yield f"branches[{number}]: at most {MAX_ELEMENTS} elements, but got {len(branch)}"
    if stage.given not in ("", "class", "previous"):
        yield f'given: one of "", "class", "previous", but got {shown(stage.given)}'
        return
    if stage.given and not stage.weights:
        yield f"weights: given={stage.given!r} needs one row of weights for each case"
        return
    if any(isinstance(entry, tuple) != bool(stage.given) for entry in stage.weights):
        yield "weights: rows of weights and `given` belong together"
        return
    rows = len(stage.rows)
    if rows > MAX_ROWS or rows * count > MAX_WEIGHTS:
        yield (
            f"weights: at most {MAX_ROWS:,} rows and {MAX_WEIGHTS:,} numbers, but got {rows:,} "
            f"rows for {count:,} branches"
        )
        return
    yield from _weight_faults(stage.rows, count)


def _weight_faults(rows: tuple[tuple[float, ...], ...], count: int) -> Iterator[str]:
    for number, row in enumerate(rows):
        place = f"weights[{number}]" if len(rows) > 1 else "weights"
        if len(row) != count:
            yield f"{place}: one weight for each of {count} branches, but got {len(row)}"
        if not all(finite(weight) and weight >= 0 for weight in row):
            yield f"{place}: finite numbers >= 0 must hold, but got {shown(row)}"
        elif count and not 0 < sum(row) < math.inf:
            yield f"{place}: at least one weight must be above 0"


def _policy_faults(policy: Any) -> Iterator[str]:
    if len(policy.stages) > MAX_STAGES:
        yield f"stages: at most {MAX_STAGES}, but got {len(policy.stages)}"
    branches = sum(len(stage.branches) for stage in policy.stages)
    if branches > MAX_BRANCHES:
        yield f"stages: at most {MAX_BRANCHES:,} branches in all, but got {branches:,}"
    if not isinstance(policy.name, str) or not 0 < len(policy.name) <= 200:
        yield f"name: 1 to 200 characters, but got {shown(policy.name)}"
    if not (finite(policy.strength) and 0 <= policy.strength <= MAX_STRENGTH):
        yield f"strength: `0 <= strength <= 2` must hold, but got {shown(policy.strength)}"
    yield from made_from_faults(policy.made_from)
    yield from about_faults("trained_on", policy.trained_on, TRAINED_ON)
    yield from about_faults("evidence", policy.evidence, EVIDENCE)
    for number, stage in enumerate(policy.stages):
        if stage.given == "previous":
            before = len(policy.stages[number - 1].branches) if number else 0
            if len(stage.rows) != before:
                yield (
                    f"stages[{number}].weights: one row for each of the {before} branches before "
                    f"it, but got {len(stage.rows)}"
                )


def _reachable(stage: Stage) -> Iterator[tuple[Element, ...]]:
    for number, branch in enumerate(stage.branches):
        if any(row[number] > 0 for row in stage.rows):
            yield branch


def _live(element: Element) -> bool:
    op = TABLE[element.op]
    moves = op.plain or any(value != op.identity for value in element.magnitudes)
    return element.p > 0 and op.name != "identity" and moves
