"""A policy as arrays, so that drawing needs no Python per picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.policy import Element, Stage
from learnaug.ops.table import INTERPOLATIONS, TABLE, op_numbers

__all__ = ["Compiled", "CompiledStage", "compile_stages"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class CompiledStage:
    """One stage; R rows of weights, K branches, L elements in the longest branch.

    `cumulative` float64 [R, K] ends in 1; every field of `fields` is [K, L]; `values` float32
    [K, L, V] holds the magnitudes of the elements that have a list, `count` [K, L] how many.
    """

    given: str
    cumulative: Array
    fields: Array  # structured, [K, L]
    values: Array
    length: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """All stages; `slots` is the sum of their lengths."""

    stages: tuple[CompiledStage, ...]
    slots: int
    mixes: bool


_FIELDS = np.dtype(
    [
        ("op", np.int16), ("p", np.float32), ("low", np.float32), ("span", np.float32),
        ("count", np.int32), ("sign", np.bool_), ("mirror", np.float32), ("fill", np.int16),
        ("interpolation", np.int8),
    ]
)  # fmt: skip


def compile_stages(stages: Sequence[Stage]) -> Compiled:
    """Return the stages as arrays."""
    built = tuple(_stage(stage) for stage in stages)
    elements = [e for stage in stages for branch in stage.branches for e in branch]
    mixes = any(TABLE[element.op].partner for element in elements)
    return Compiled(built, sum(stage.length for stage in built), mixes)


def _stage(stage: Stage) -> CompiledStage:
    length = max(len(branch) for branch in stage.branches)
    most = max((len(e.values) for branch in stage.branches for e in branch), default=0)
    fields = np.zeros((len(stage.branches), length), _FIELDS)
    fields["op"] = -1
    values = np.zeros((len(stage.branches), length, max(most, 1)), np.float32)
    for k, branch in enumerate(stage.branches):
        for i, element in enumerate(branch):
            fields[k, i] = _row(element)
            values[k, i, : len(element.values)] = element.values
    weights = np.asarray(stage.rows, np.float64)
    cumulative = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    # Rounding must not let a branch of weight 0 at the end catch the last draws.
    cumulative /= cumulative[:, -1:]
    return CompiledStage(stage.given, cumulative, fields, values, length)


def _row(element: Element) -> tuple[float | int | bool, ...]:
    op = TABLE[element.op]
    low = element.low if element.low is not None else 0.0
    high = element.high if element.high is not None else low
    return (
        op_numbers(op.name)[0],
        element.p,
        low,
        high - low,
        len(element.values),
        element.sign,
        2 * (op.identity or 0.0),
        op.fill if element.fill is None else element.fill,
        INTERPOLATIONS.index(element.interpolation or op.interpolation),
    )
