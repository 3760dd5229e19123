"""The probabilities of a policy as tables: operations by stage or class, and pairs as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from learnaug.ops import Element, Policy, Stage
from learnaug.ops.describe import describe_element
from learnaug.ops.table import TABLE

__all__ = ["Heat", "branch_odds", "heats"]

NOTHING = "nothing happens"
MOST = 60  # rows or columns of a matrix that is drawn
MOST_NAMED = 12  # columns whose names fit above them

Odds = NDArray[np.float64]


@dataclass(frozen=True)
class Heat:
    """A table of probabilities to be drawn as a heat map.

    Args:
        title: what it shows.
        about: how to read it, one sentence.
        rows: names.
        columns: names; drawn as numbers where `numbered`.
        odds: float64 [rows, columns], 0 to 1.
        numbered: rows and columns are numbered, because the names are too long for the columns.
    """

    title: str
    about: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    odds: Odds
    numbered: bool = False


def heats(policy: Policy, classes: Sequence[str] = ()) -> list[Heat]:
    """Return every table of a policy: what each stage does, then pairs and conditions.

    Args:
        policy: any.
        classes: names of the classes, where they are known; used if their number fits.
    """
    odds = branch_odds(policy)
    if not odds:
        return []
    if all(len(each) == 1 for each in odds):
        found = [_by_stage(policy, odds)]
    else:
        found = [_by_class(policy, odds, n, classes) for n in range(len(odds))]
    return found + [heat for n in range(len(odds)) if (heat := _matrix(policy, odds, n))]


def branch_odds(policy: Policy) -> list[Odds]:
    """Return for each stage the probability of each branch: float64 [classes or 1, branches]."""
    found: list[Odds] = []
    for stage in policy.stages:
        rows = np.asarray(stage.rows, np.float64)
        rows = rows / rows.sum(axis=1, keepdims=True)
        found.append(found[-1] @ rows if stage.given == "previous" else rows)
    return found


def _happens(stage: Stage, odds: Odds, names: Sequence[str]) -> Odds:
    """Return the probability that each operation happens at least once: [names, classes or 1]."""
    table = np.zeros((len(names), len(odds)))
    for number, branch in enumerate(stage.branches):
        for row, name in enumerate(names):
            missed = prod(1 - e.p for e in branch if name in (e.op, NOTHING))
            share = missed if name == NOTHING else 1 - missed
            table[row] += odds[:, number] * share
    return table


def _names(policy: Policy) -> tuple[str, ...]:
    return (*dict.fromkeys(element.op for element in policy.elements()), NOTHING)


def _by_stage(policy: Policy, odds: Sequence[Odds]) -> Heat:
    names = _names(policy)
    pairs = zip(policy.stages, odds, strict=True)
    table = np.concatenate([_happens(stage, each, names) for stage, each in pairs], axis=1)
    columns = tuple(f"stage {n + 1}" for n in range(len(odds)))
    about = "How often each operation happens to a picture, in percent."
    return _without_empty(Heat("Each operation", about, names, columns, table))


def _by_class(policy: Policy, odds: Sequence[Odds], n: int, classes: Sequence[str]) -> Heat:
    names, each = _names(policy), odds[n]
    table = _happens(policy.stages[n], each, names)
    fits = len(classes) == len(each)
    columns = tuple(classes) if fits else tuple(f"class {c}" for c in range(len(each)))
    columns = columns if len(each) > 1 else ("every class",)
    about = f"How often stage {n + 1} does each operation to a picture of each class, in percent."
    title = "Each operation" if len(odds) == 1 else f"Stage {n + 1}"
    heat = Heat(f"{title}, by class", about, names, columns[:MOST], table[:, :MOST])
    return _without_empty(heat, numbered=len(columns) > MOST_NAMED)


def _short(branch: Sequence[Element]) -> str:
    """Return operations with their magnitudes; the words above the table tell the units."""
    words = (describe_element(e).split(",")[0].removesuffix(TABLE[e.op].unit) for e in branch)
    return ", ".join(word.strip() for word in words) or "nothing"


def _without_empty(heat: Heat, numbered: bool = False) -> Heat:
    """Leave out the rows of what never happens."""
    keep = [n for n in range(len(heat.rows)) if heat.odds[n].max() > 1e-9]
    rows = tuple(heat.rows[n] for n in keep)
    return Heat(heat.title, heat.about, rows, heat.columns, heat.odds[keep], numbered)


def _matrix(policy: Policy, odds: Sequence[Odds], n: int) -> Heat | None:
    stage = policy.stages[n]
    if stage.given == "previous":
        return _conditions(policy, n)
    if len(stage.branches) > 1 and all(len(branch) == 2 for branch in stage.branches):
        return _pairs(stage, odds[n].mean(axis=0), n)
    return None


def _conditions(policy: Policy, n: int) -> Heat | None:
    stage, before = policy.stages[n], policy.stages[n - 1]
    if max(len(stage.branches), len(before.branches)) > MOST:
        return None
    rows = np.asarray(stage.rows, np.float64)
    names = [tuple(_short(branch) for branch in one.branches) for one in (before, stage)]
    about = (
        f"A row is what stage {n} did, a column what stage {n + 1} does then; each row sums to "
        "100 %. The columns have the numbers of the rows."
    )
    odds = rows / rows.sum(axis=1, keepdims=True)
    same = names[0] == names[1]
    about = about if same else about.replace(" The columns have the numbers of the rows.", "")
    title = f"Stage {n + 1}, given stage {n}"
    return Heat(title, about, names[0], names[1], odds, numbered=same or len(names[1]) > MOST_NAMED)


def _pairs(stage: Stage, odds: Odds, n: int) -> Heat | None:
    """Return first against second operation; with magnitudes where all pairs of elements stand."""
    fine = len(stage.branches) > MOST

    def named(element: Element) -> str:
        return _short((element,)) if fine else element.op

    names = tuple(dict.fromkeys(named(e) for branch in stage.branches for e in branch))
    if len(names) > MOST:
        return None
    at = {name: place for place, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for (first, second), share in zip(stage.branches, odds, strict=True):
        table[at[named(first)], at[named(second)]] += share
    about = (
        "A row is the first operation of the pair, a column the second, by the number of its row. "
        "All cells sum to 100 %; whether a chosen operation also happens is told in the words."
    )
    return Heat(f"Pairs of stage {n + 1}", about, names, names, table, numbered=True)
