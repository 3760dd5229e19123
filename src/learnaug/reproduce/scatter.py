"""Pictures of a table of proxies: a dot for each policy, as in Fig. 4 of Tian et al. 2020."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from learnaug import rundir

__all__ = ["drawn", "write"]

INK, MUTED, GRID, DOT = "#111213", "#66676b", "#d9dadd", "#0072b2"
STYLE: dict[str, Any] = {
    "svg.hashsalt": "proxies",  # the same bytes for the same points
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def write(where: Path, rows: list[dict[str, Any]]) -> None:
    """Write the picture of every proxy that has points into the folder of the table."""
    for row in rows:
        if row["picture"] and row["points"]:
            rundir.write_text(where / row["picture"], drawn(row))


def drawn(row: dict[str, Any]) -> str:
    """Return the picture of a proxy as SVG: means over seeds, in per cent, with the line of fit.

    Args:
        row: as `correlated.told` returns it.
    """
    x, y = 100 * np.array(row["points"]).T
    found = "" if row["means"] is None else f"Pearson {row['means']:.2f}, "
    runs = f"means over {row['seeds']} seeds" if row["seeds"] > 1 else "one seed"
    title = f"{row['name']}\n{found}{row['n']} policies, {runs}"
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        if np.ptp(x) > 0:
            ends = np.array([x.min(), x.max()])
            axes.plot(ends, np.polyval(np.polyfit(x, y, 1), ends), color=MUTED, linewidth=1)
        axes.plot(x, y, "o", color=DOT, alpha=0.75, mew=0)
        axes.set_title(title, fontsize=11, loc="left")
        axes.set_xlabel("proxy: validation accuracy in %")
        axes.set_ylabel("whole training: test accuracy in %")
        file = io.StringIO()
        figure.savefig(
            file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return file.getvalue()
