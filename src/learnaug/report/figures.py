"""Figures of the report: plain numbers in, one inline SVG out.

Colours are written as CSS variables (the page decides what they are in light, dark and print) and
text stays text in the page's own font, so that every script is readable and nothing is a picture
of a letter. No `pyplot`, hence no state: a figure is made, written and forgotten.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from learnaug.errors import printable

__all__ = [
    "BAND", "COLOUR", "MUTED", "PAPER", "Curve", "Interval", "Row", "accuracy", "blank", "cost",
    "curves", "effects", "forest", "short", "side_labels", "styled", "svg_of",
]  # fmt: skip

WIDTH = 440  # user units of every figure: still readable where a phone shows it at 360 px
LINE = 24  # height of one row
MAX_LABEL = 28  # columns of a name at the left of its row
SIDE_LABEL = 20  # and of one at the right of the axes

INK, MUTED, GRID, BAND = "#111213", "#66676b", "#d9dadd", "#eceff3"
PAPER = "#fefefe"  # not white, which matplotlib uses on its own
COLOUR = {  # Okabe and Ito's colours: told apart with every kind of colour blindness
    "candidate": "#0072b2",
    "baseline": "#33404d",
    "trivialaugment": "#d55e00",
    "other": "#98a0a8",
    "part": "#009e73",
}
MARKER = {"candidate": "o", "baseline": "s", "trivialaugment": "^", "other": "o"}
VARIABLE = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    BAND: "--band",
    PAPER: "--paper",
    **{colour: f"--{kind}" for kind, colour in COLOUR.items()},
}
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 13,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "ytick.major.pad": 8,
    "xtick.major.size": 3,
    "path.simplify": True,
}

Interval = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One line of a row chart; numbers are in percent or percentage points.

    Args:
        name: what stands at the left (shortened where it is long).
        dots: one number per run; may be empty.
        mean: the middle mark, or None.
        interval: 95 % interval around it, or None.
        kind: "candidate", "baseline", "trivialaugment" or "other": decides colour and mark.
        note: short text at the right.
    """

    name: str
    dots: tuple[float, ...] = ()
    mean: float | None = None
    interval: Interval | None = None
    kind: str = "other"
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """One learning curve: x, middle, lowest and highest over seeds; all [points]."""

    name: str
    kind: str
    x: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


def accuracy(rows: Sequence[Row], label: str, title: str) -> str:
    """Draw one row per method: a dot for each seed, the mean and its interval."""
    with styled(title):
        figure, axes = _row_axes(rows, label)
        _limits(axes, rows)
        for y, row in enumerate(rows):
            _draw_row(axes, y, row)
        return svg_of(figure, title)


def effects(rows: Sequence[Row], label: str, title: str, delta: float | None = None) -> str:
    """Draw rows of differences around a zero line, with the band of no practical difference.

    Args:
        delta: half width of that band in percentage points, or None for no band.
    """
    with styled(title):
        figure, axes = _row_axes(rows, label)
        _zero(axes, delta)
        _limits(axes, rows, around=delta or 0.0)
        for y, row in enumerate(rows):
            _draw_row(axes, y, row)
        return svg_of(figure, title)


def forest(rows: Sequence[Row], delta: float, title: str) -> str:
    """Draw the intervals that the verdict rests on, one row each."""
    return effects(rows, "difference in percentage points", title, delta)


def cost(points: Sequence[Row], label: str, title: str) -> str:
    """Draw gain over the baseline (y, `mean`) against seconds per training (x, `dots[0]`).

    Names stand in a column at the right, tied to their points by thin lines, so that they never
    cover one another.
    """
    with styled(title):
        figure, axes = blank(max(280, 60 + 21 * len(points)))
        axes.grid(visible=True)
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.set_xlabel("seconds per training, learning included")
        axes.set_ylabel(label)
        for row in points:
            axes.plot(*_at(row), MARKER[row.kind], color=COLOUR[row.kind], ms=7, clip_on=False)
        _room(axes, [row.dots[0] for row in points], [row.mean or 0.0 for row in points])
        side_labels(axes, [(row.name, row.kind, *_at(row)) for row in points])
        return svg_of(figure, title)


def curves(lines: Sequence[Curve], label: str, title: str) -> str:
    """Draw learning curves; the band runs from the lowest to the highest seed."""
    with styled(title):
        figure, axes = blank(280)
        axes.grid(visible=True)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        for line in sorted(lines, key=lambda one: one.kind != "other"):
            _draw_curve(axes, line)
        ends = [(one.name, one.kind, one.x[-1], one.middle[-1]) for one in lines]
        side_labels(axes, [end for end in ends if end[1] != "other"])
        return svg_of(figure, title)


def short(text: str, limit: int = MAX_LABEL) -> str:
    r"""Return a one-line label of at most `limit` columns; wide letters count twice.

    Example:
        >>> short("a" * 30, 8)
        'aaaaaaa…'
        >>> short("a\nb")
        'a\\nb'
    """
    line = printable(text).replace("\n", "\\n").replace("\t", "\\t")
    widths = np.cumsum([2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line])
    if not len(line) or widths[-1] <= limit:
        return line
    return line[: int((widths < limit).sum())] + "…"


def styled(title: str) -> Any:
    """Return matplotlib's settings for one figure; its title keeps the ids of figures apart."""
    salt = title.encode("ascii", "backslashreplace").decode()
    return matplotlib.style.context(["default", {**STYLE, "svg.hashsalt": salt}])


def blank(height: float) -> tuple[Figure, Any]:
    """Return an empty figure of this height in user units, and its axes."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
    return figure, figure.add_subplot()


def _row_axes(rows: Sequence[Row], label: str) -> tuple[Figure, Any]:
    figure, axes = blank(52 + LINE * max(len(rows), 1))
    axes.set_yticks(range(len(rows)))
    names = [short(row.name) for row in rows]
    axes.set_yticklabels(names, parse_math=False, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(label)
    axes.grid(visible=True, axis="x")
    return figure, axes


def _draw_row(axes: Any, y: int, row: Row) -> None:
    colour, marker = COLOUR[row.kind], MARKER[row.kind]
    spread = np.linspace(-0.2, 0.2, len(row.dots)) if len(row.dots) > 1 else np.zeros(1)
    if row.dots:
        axes.plot(row.dots, y + spread, "o", color=colour, ms=4.5, alpha=0.5, mew=0, clip_on=False)
    if row.interval:
        _draw_interval(axes, y, row.interval, colour)
    if row.mean is not None:
        axes.plot([row.mean], [y], marker, color=colour, ms=8, clip_on=False)
    if row.note:
        place = {"transform": axes.get_yaxis_transform(), "va": "center_baseline"}
        axes.text(1.03, y, row.note, color=INK, **place)


def _draw_interval(axes: Any, y: int, interval: Interval, colour: str) -> None:
    """Draw a line, with an arrow head at an end that lies outside the axes."""
    low, high = axes.get_xlim()
    ends = [max(interval[0], low), min(interval[1], high)]
    axes.plot(ends, [y, y], "-", color=colour, linewidth=2.2, solid_capstyle="butt")
    if interval[0] < low:
        axes.plot([low], [y], "<", color=colour, ms=6, clip_on=False)
    if interval[1] > high:
        axes.plot([high], [y], ">", color=colour, ms=6, clip_on=False)


def _zero(axes: Any, delta: float | None) -> None:
    if delta:
        axes.axvspan(-delta, delta, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=1.2, zorder=1)


def _limits(axes: Any, rows: Sequence[Row], *, around: float | None = None) -> None:
    """Set x so that every dot fits, and every interval that is not far wider than all dots.

    With `around`, zero and the band fit as well. Without the cap one method with two runs, whose
    t interval is 13 times its spread, would press all others into a corner.
    """
    marks = [x for row in rows for x in row.dots]
    marks += [row.mean for row in rows if row.mean is not None]
    marks += [] if around is None else [-1.3 * around, 1.3 * around]
    low, high = (min(marks), max(marks)) if marks else (0.0, 100.0)
    most = max(0.8 * (high - low), 2.0 if around is None else 15.0)
    ends = [x for row in rows for x in row.interval or ()]
    left = max(min([low, *ends]), low - most)
    right = min(max([high, *ends]), high + most)
    margin = max(0.05 * (right - left), 0.3)
    end = right + margin
    axes.set_xlim(left - margin, end if around is not None else min(end, 100.6))


def _room(axes: Any, xs: Sequence[float], ys: Sequence[float]) -> None:
    """Start x at zero (cost is a quantity) and leave air around the points."""
    axes.set_xlim(0, 1.08 * max([*xs, 1e-9]))
    low, high = min([*ys, 0.0]), max([*ys, 0.0])
    air = 0.08 * (high - low) or 1.0
    axes.set_ylim(low - air, high + air)


def _at(row: Row) -> tuple[float, float]:
    return row.dots[0], row.mean or 0.0


def _draw_curve(axes: Any, line: Curve) -> None:
    colour, other = COLOUR[line.kind], line.kind == "other"
    if not other:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, linewidth=0)
    thick, clear = (1, 0.6) if other else (2.2, 1)
    lone = "o" if len(line.x) == 1 else None  # one epoch makes no line
    axes.plot(line.x, line.middle, color=colour, lw=thick, alpha=clear, marker=lone)


def side_labels(axes: Any, points: Sequence[tuple[str, str, float, float]]) -> None:
    """Write names in a column at the right of the axes, each tied to its point (x, y)."""
    low, high = axes.get_ylim()
    heights = [(y - low) / (high - low) for _, _, _, y in points]
    gap = min(0.075, 1.0 / max(len(points), 1))
    for (name, kind, x, y), place in zip(points, _spread(heights, gap), strict=True):
        axes.annotate(
            short(name, SIDE_LABEL),
            xy=(x, y),
            xytext=(1.05, place),
            textcoords="axes fraction",
            va="center",
            color=MUTED if kind == "other" else COLOUR[kind],
            fontsize=12,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "relpos": (0, 0.5),
                "color": COLOUR["other"],
                "linewidth": 0.7,
                "shrinkB": 4,
            },
        )


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Move places in [0, 1] apart until neighbours are `gap` away, keeping their order."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    result = [0.0] * len(places)
    floor = 0.0
    for i in order:
        result[i] = floor = max(places[i], floor)
        floor += gap
    ceiling = 1.0
    for i in reversed(order):
        result[i] = ceiling = min(result[i], ceiling)
        ceiling -= gap
    return result


def svg_of(figure: Figure, title: str) -> str:
    """Return the figure as an `<svg>` element that belongs into an HTML page."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():  # the browser has the letters that matplotlib's font lacks
        warnings.filterwarnings("ignore", message=r"(?s).*Glyph .* missing")
        warnings.filterwarnings("ignore", message="(?s).*constrained_layout not applied")
        figure.savefig(file, format="svg", metadata=nothing)
    return _for_page(file.getvalue(), title)


def _for_page(svg: str, title: str) -> str:
    box = re.search(r'viewBox="([\d. ]+)"', svg)
    inner = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    inner = re.sub(r"<(metadata|style)\b.*?</\1>", "", inner, flags=re.DOTALL)
    inner = re.sub(r'<g id="[^"]*"', "<g", inner).replace("<use xlink:href=", "<use href=")
    inner = re.sub(r"font: ((?:\d+ )?)([\d.]+)px [^;\"]*", r"font-size: \2px", inner)
    inner = re.sub(r"\b(fill|stroke): (#[0-9a-f]{6})", _variable, inner)
    name = escape(printable(title), quote=True)
    return (
        f'<svg viewBox="{box[1] if box else ""}" role="img" aria-label="{name}">'
        f"<title>{name}</title>{inner}</svg>"
    )


def _variable(match: re.Match[str]) -> str:
    name = VARIABLE.get(match[2])
    return f"{match[1]}: var({name})" if name else match[0]
