"""Copied into every exported file: the rows of the policy's table, and how a row is drawn."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

__all__ = ["STAGES", "Element", "Stage", "Step", "choose", "draw", "magnitude"]


class Element(NamedTuple):
    """An operation, the magnitudes it may take, and how often it happens."""

    op: str
    low: float = 0.0
    high: float = 0.0
    values: tuple[float, ...] = ()  # one of these, in place of low to high
    mirror: float | None = None  # half of the draws become mirror - magnitude
    p: float = 1.0
    fill: int = 0  # grey level outside the picture
    interpolation: str = "nearest"


class Stage(NamedTuple):
    """One branch runs; given "class" or "previous" (branch), that one's row of weights counts."""

    branches: tuple[tuple[Element, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    given: str = ""


class Step(NamedTuple):
    """An operation that happens to one picture; `extra`: uniform in [0, 1), for places."""

    op: str
    value: float
    extra: tuple[float, ...]
    fill: int
    interpolation: str


STAGES: tuple[Stage, ...] = ()


def draw(
    stages: tuple[Stage, ...], uniform: Callable[[], float], label: int | None = None
) -> list[Step]:
    """Return what happens to one picture, in order."""
    steps: list[Step] = []
    branch = 0
    for stage in stages:
        row = 0
        if stage.given == "previous":
            row = branch
        if stage.given == "class":
            if label is None or not 0 <= label < len(stage.weights):
                raise ValueError(f"needs the label, 0 to {len(stage.weights) - 1}, but got {label}")
            row = label
        branch = choose(stage.weights[row], uniform())
        for element in stage.branches[branch]:
            value, happens = magnitude(element, uniform), uniform() < element.p
            extra = (uniform(), uniform(), uniform(), uniform())
            if happens:
                step = Step(element.op, value, extra, element.fill, element.interpolation)
                steps.append(step)
    return steps


def choose(weights: tuple[float, ...], share: float) -> int:
    """Return the number of a branch, at the place `share` in [0, 1) of all weights."""
    ends = list(accumulate(weights))
    return bisect(ends, share * ends[-1], hi=len(ends) - 1)


def magnitude(element: Element, uniform: Callable[[], float]) -> float:
    """Return a magnitude; the sign is a choice of two, not a range through zero."""
    strength, side = uniform(), uniform()
    value = element.low + strength * (element.high - element.low)
    if element.values:
        value = element.values[int(strength * len(element.values))]
    if element.mirror is not None and side < 0.5:
        value = element.mirror - value
    return value
