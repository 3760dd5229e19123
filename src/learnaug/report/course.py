"""A search over its trials: the policy as it moved, the rewards, how sharp the policy became."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.report.figures import (
    BAND,
    COLOUR,
    MUTED,
    PAPER,
    Interval,
    blank,
    side_labels,
    styled,
    svg_of,
)  # fmt: skip

__all__ = ["Layer", "Marks", "doubt", "rewards", "shares", "spread", "switches"]

CYCLE = ("candidate", "trivialaugment", "part", "baseline", "other")  # neighbours differ
SHADES = (0.45, 0.95)  # of the first and the last row of a layer
MOST_LABELS = 24
P_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 1.0)
TRIAL, FOUND, PRIOR = "other", "candidate", "trivialaugment"

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """What belongs together in the stack: an operation, and its rows from the first to the last.

    Args:
        name: of the operation.
        rows: float [k, steps], probability of each row in percent.
    """

    name: str
    rows: Floats


@dataclass(frozen=True)
class Marks:
    """Rewards in order: x counts trials; a pair of checks shares its x.

    Args:
        trials: x and y of the trials of the search.
        found, prior: the same for trials of what was found, and of what it began with.
        noise: middle and half height of the band of noise; None: not known.
        mean: x and y of the mean of the rewards so far.
    """

    trials: Sequence[tuple[float, float]]
    found: Sequence[tuple[float, float]] = ()
    prior: Sequence[tuple[float, float]] = ()
    noise: tuple[float, float] | None = None
    mean: Sequence[tuple[float, float]] = ()


def shares(trials: Sequence[int], layers: Sequence[Layer], chosen: int | None, title: str) -> str:
    """Draw the probabilities of one choice over the trials as a stack that fills 0 to 100 %.

    Args:
        trials: x, the prior at 0.
        layers: from the top of the stack downwards, named at the right.
        chosen: x of the policy that was kept, drawn as a line; None: the last one.
        title: of the figure.
    """
    with styled(title):
        figure, axes = blank(max(320, 70 + 21 * min(len(layers), MOST_LABELS)))
        axes.set(xlabel="trials", ylabel="probability, percent", ylim=(0, 100))
        axes.set_xlim(trials[0], max(trials[-1], trials[0] + 1))
        top = np.full(len(trials), 100.0)
        labels: list[tuple[str, str, float, float]] = []
        for number, layer in enumerate(layers):
            kind = CYCLE[number % len(CYCLE)]
            for shade, row in zip(np.linspace(*SHADES, len(layer.rows)), layer.rows, strict=True):
                # One row alone is as strong as the strongest of several.
                alpha = SHADES[1] if len(layer.rows) == 1 else float(shade)
                axes.fill_between(
                    trials, top - row, top, color=COLOUR[kind], alpha=alpha, linewidth=0
                )
                top = top - row
            axes.plot(trials, top, "-", color=PAPER, lw=0.8)
            last = float(layer.rows[:, -1].sum())
            labels.append((_named(layer.name, last), kind, trials[-1], float(top[-1]) + last / 2))
        if chosen is not None:
            axes.axvline(chosen, color=MUTED, lw=1.4, ls="--")
        side_labels(axes, _told(labels, [layer.rows for layer in layers]))
        return svg_of(figure, title)


def switches(trials: Sequence[int], layers: Sequence[Layer], title: str) -> str:
    """Draw probabilities that stand alone over the trials, one line each, in percent."""
    with styled(title):
        figure, axes = blank(max(240, 60 + 21 * len(layers)))
        axes.grid(visible=True)
        axes.set(xlabel="trials", ylabel="probability, percent", ylim=(0, 100))
        labels = []
        for number, layer in enumerate(layers):
            kind, row = CYCLE[number % len(CYCLE)], layer.rows[0]
            axes.plot(trials, row, "-", color=COLOUR[kind], lw=2)
            labels.append((_named(layer.name, row[-1]), kind, trials[-1], float(row[-1])))
        side_labels(axes, labels)
        return svg_of(figure, title)


def rewards(marks: Marks, label: str, title: str) -> str:
    """Draw the reward of every trial in order, the checks behind them, and the band of noise."""
    with styled(title):
        figure, axes = blank(280)
        axes.grid(visible=True, axis="y")
        axes.set(xlabel="trials, in order", ylabel=label)
        if marks.noise:
            middle, half = marks.noise
            axes.axhspan(middle - half, middle + half, color=BAND, lw=0, zorder=0)
        if marks.mean:
            axes.plot(*np.array(marks.mean).T, "-", color=COLOUR[FOUND], lw=2)
        for one, other in zip(marks.found, marks.prior, strict=False):
            axes.plot(*np.array([one, other]).T, "-", color=COLOUR[TRIAL], lw=1)
        kinds = ((marks.trials, TRIAL, "o"), (marks.prior, PRIOR, "^"), (marks.found, FOUND, "o"))
        for points, kind, marker in kinds:
            size = 4.5 if kind == TRIAL else 7
            if points:
                axes.plot(*np.array(points).T, marker, color=COLOUR[kind], ms=size, mew=0)
        return svg_of(figure, title)


def spread(
    trials: Sequence[int],
    values: Sequence[float],
    chance: Sequence[Interval],
    before: float,
    counted: str,
    title: str,
) -> str:
    """Draw the effective number of choices over the trials, beside that of shuffled rewards.

    Args:
        trials: x.
        values: one an x.
        chance: lowest and highest of the searches with shuffled rewards, one an x; () for none.
        before: the number that the search began with.
        counted: what is counted, such as "elements".
        title: of the figure.
    """
    with styled(title):
        figure, axes = blank(280)
        axes.grid(visible=True)
        axes.set(xlabel="trials", ylabel=f"effective number of {counted}")
        axes.axhline(before, color=MUTED, lw=1, ls="--")
        named: list[tuple[str, str, float, float]] = []
        if chance:
            low, high = np.array(chance).T
            axes.fill_between(trials, low, high, color=COLOUR["other"], alpha=0.35, lw=0)
            named.append(("shuffled rewards", "other", trials[-1], float(low[-1] + high[-1]) / 2))
        axes.plot(trials, values, "-", color=COLOUR["candidate"], lw=2.2)
        named.append(("this search", "candidate", trials[-1], values[-1]))
        floor = min([*values, *(ends[0] for ends in chance)])
        air = 0.08 * max(before - floor, 0.02 * before)
        axes.set_ylim(max(0.0, floor - air), max([before, *values, *(e[1] for e in chance)]) + air)
        side_labels(axes, named)
        return svg_of(figure, title)


def doubt(trials: Sequence[int], p: Sequence[float], level: float, title: str) -> str:
    """Draw the p-value of the permuted-reward control over the trials, and the level it must meet.

    Args:
        trials: x.
        p: in (0, 1], one an x; the axis is logarithmic.
        level: drawn as a line.
        title: of the figure.
    """
    with styled(title):
        figure, axes = blank(280)
        axes.grid(visible=True)
        axes.set(xlabel="trials", ylabel="shuffled rewards that fit as well", yscale="log")
        least = min([level / 5, *p])
        ticks = [tick for tick in P_TICKS if tick >= 0.8 * least]
        axes.set_yticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
        axes.set_yticks([], minor=True)
        axes.set(ylim=(0.8 * least, 1.25), xlim=(0, max(trials)))
        axes.axhline(level, color=MUTED, lw=1, ls="--")
        axes.plot(trials, p, "-o", color=COLOUR[FOUND], lw=2.2, ms=4.5, mew=0, clip_on=False)
        return svg_of(figure, title)


def _named(name: str, percent: float) -> str:
    return f"{percent:.0f} % {name}" if percent >= 0.95 else f"{percent:.1f} % {name}"


def _told(labels: list[tuple[str, str, float, float]], rows: Sequence[Floats]) -> Any:
    """Return the labels that there is room for: those of the layers that moved most."""
    if len(labels) <= MOST_LABELS:
        return labels
    moved = [float(np.ptp(row.sum(0))) for row in rows]
    kept = set(np.argsort(moved)[::-1][:MOST_LABELS].tolist())
    return [label for place, label in enumerate(labels) if place in kept]
