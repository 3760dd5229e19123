"""One number that makes a whole policy gentler or rougher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from learnaug.ops.policy import Element, Stage
from learnaug.ops.table import TABLE

__all__ = ["moved", "strengthen"]

WHOLE = ("quarter turns", "bits kept")


def strengthen(stages: Sequence[Stage], strength: float) -> tuple[Stage, ...]:
    """Return the stages with every magnitude moved; see `moved`."""
    return tuple(
        replace(stage, branches=tuple(_branch(branch, strength) for branch in stage.branches))
        for stage in stages
    )


def moved(element: Element, strength: float) -> Element:
    """Return the element with each magnitude v as identity + s·(v - identity), kept in range.

    Quarter turns and bits stay whole. What has no magnitude, or none that changes nothing, stays.

    Args:
        element: magnitudes in the operation's unit.
        strength: s >= 0.

    Example:
        >>> moved(Element("brightness", 1.2, 1.8), 0.5).magnitudes
        (1.1, 1.4)
    """
    op = TABLE[element.op]
    if op.plain or op.identity is None or strength == 1:
        return element
    ends = [_moved(element.op, value, strength) for value in element.magnitudes]
    if element.values:
        return replace(element, values=tuple(ends))
    low, high = ends[0], ends[-1] if element.high is not None else None
    return replace(element, low=low, high=high)


def _branch(branch: tuple[Element, ...], strength: float) -> tuple[Element, ...]:
    return tuple(moved(element, strength) for element in branch)


def _moved(name: str, value: float, strength: float) -> float:
    op = TABLE[name]
    identity = op.identity or 0.0
    wanted = min(max(identity + strength * (value - identity), op.low), op.high)
    return float(round(wanted)) if op.unit in WHOLE else wanted
