"""The plane of two rates: one mark an operation, with its intervals and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from learnaug.report.figures import COLOUR, MUTED, blank, side_labels, styled, svg_of

__all__ = ["VERDICTS", "Point", "rates"]

VERDICTS = {  # of an operation, the safest first: colour and mark
    "safe": ("candidate", "o"),
    "safe in part": ("part", "D"),
    "undecided": ("other", "s"),
    "no effect": ("baseline", "X"),
    "unsafe": ("trivialaugment", "^"),
}

KEY: dict[str, Any] = {
    "frameon": False, "fontsize": 12, "handlelength": 1, "handletextpad": 0.4, "columnspacing": 1.2,
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """An operation in the plane of two rates: each its share with a 95 % interval, in percent."""

    name: str
    verdict: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


def rates(
    points: Sequence[Point], labels: tuple[str, str], limits: Sequence[float], title: str
) -> str:
    """Draw two rates of every operation against each other, with the verdicts as a key below.

    Args:
        points: the colour and the mark of each are those of its verdict.
        labels: of x and y.
        limits: of x and y in percent, drawn as dotted lines; () for none.
        title: of the figure.
    """
    with styled(title):
        figure, axes = blank(max(300, 110 + 21 * len(points)))
        axes.grid(visible=True)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        end = min(100.0, 1.05 * max([5.0, *(point.x[2] for point in points)]))
        axes.set(xlim=(-0.02 * end, end), ylim=(-2, 102))
        axes.plot([0, end], [0, end], "--", color=MUTED, lw=1)  # reported as often as without it
        for line, at in zip((axes.axvline, axes.axhline), limits, strict=False):
            line(at, color=MUTED, lw=1, ls=":")
        for point in points:
            _draw_point(axes, point)
        named = [(p.name, VERDICTS[p.verdict][0], p.x[0], p.y[0]) for p in points]
        side_labels(axes, named)
        key = [verdict for verdict in VERDICTS if any(p.verdict == verdict for p in points)]
        marks = [axes.plot([], [], **_mark(verdict), label=verdict)[0] for verdict in key]
        figure.legend(handles=marks, loc="outside lower left", ncols=5, **KEY)
        return svg_of(figure, title)


def _draw_point(axes: Any, point: Point) -> None:
    (x, *ends), (y, *sides) = point.x, point.y
    colour = COLOUR[VERDICTS[point.verdict][0]]
    thin = {"color": colour, "lw": 1, "clip_on": False}
    axes.plot(ends, [y, y], "-", **thin)
    axes.plot([x, x], sides, "-", **thin)
    axes.plot([x], [y], **_mark(point.verdict), clip_on=False)


def _mark(verdict: str) -> dict[str, Any]:
    kind, marker = VERDICTS[verdict]
    return {"color": COLOUR[kind], "marker": marker, "ms": 7, "mew": 0, "ls": ""}
