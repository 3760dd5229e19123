"""The paper's rows beside ours: as data, and as a page of Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from learnaug import rundir
from learnaug.methods import METHODS, rows_of
from learnaug.reproduce.rows import Block, Figure, Scale, Table
from learnaug.study import Pairs

__all__ = ["Found", "built", "told"]

FIRST = ("row", "paper", "ours: last epoch, sealed test part")
LAST = (
    "best of the epochs on validation would claim",
    "loss on validation over training",
    "n",
)
METRICS = {"balanced_accuracy": "balanced accuracy", "mean_iou": "mean IoU"}
COMMON = (
    "the test part is sealed: it chooses no epoch and no setting",
    "the last epoch is scored; what the best of 20 looks at the validation part claims is beside",
    "rows of one block share splits, first weights and order by seed: differences are paired",
    "the learning rate falls along a cosine",
)


@dataclass(frozen=True, slots=True)
class Found:
    """A table of a paper with what our runs found so far.

    Args:
        out: the folder of the table.
        paper, name: which table.
        scale: "small" or "paper".
        seeds: runs that were asked for.
        table: what the paper says.
        rows: one dict for each row, in the paper's order; see `told`.
    """

    out: Path
    paper: str
    name: str
    scale: Scale
    seeds: int
    table: Table
    rows: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON data; fractions, and seconds of one run."""
        differs = [*COMMON, *self.table.differs]
        sources = {b.source.name: b.source for b in self.table.blocks}
        differs += [f"{s.words}: {s.differs}" for s in sources.values() if s.differs]
        return {
            "schema": 1,
            "paper": self.paper,
            "table": self.name,
            "title": self.table.title,
            "scale": self.scale,
            "seeds": self.seeds,
            "paper_scored": self.table.scored,
            "differs": differs,
            "rows": self.rows,
            "out": str(self.out),
            "versions": rundir.versions(),
        }

    def to_markdown(self) -> str:
        """Return the table as Markdown, its columns aligned."""
        told = self.to_json()
        ours = f"scale {self.scale}, {self.seeds} seeds planned"
        units = "Scores in %, differences in points, losses in nats; ± is the standard deviation"
        lines = [
            f"# {self.paper}, {self.name}: {self.table.title}",
            "",
            f"Paper: {self.table.scored}. Ours: {ours}. {units} over the runs.",
        ]
        for heading, rows in self.blocks():
            lines += ["", f"## {heading}", "", *rows]
        lines += ["", "What differs from the paper:", ""]
        return "\n".join([*lines, *(f"- {each}" for each in told["differs"])]) + "\n"

    def blocks(self) -> list[tuple[str, list[str]]]:
        """Return heading and Markdown lines of each block, errors below its rows."""
        found = []
        for block in self.table.blocks:
            rows = [row for row in self.rows if row["block"] == block.key]
            parts = next((row["parts"] for row in rows if row["parts"]), None)
            words = f"{block.source.words}, net {block.model}"
            if parts:
                words += f", {parts['train']} / {parts['valid']} / {parts['test']} pictures"
                words += " train / validate / test"
            metric = next((row["metric"] for row in rows if row.get("metric")), "")
            words += f", {METRICS[metric]}" if metric in METRICS else ""
            against = tuple(filter(None, (block.baseline, block.rival)))
            head = (*FIRST, *(f"difference to {m}, 95 % t interval" for m in against), *LAST)
            cells = [_cells(row, rival=bool(block.rival)) for row in rows]
            found.append((words, [*_aligned([head, *cells]), *_errors(rows)]))
        return found


def built(method: str) -> bool:
    """Return whether every part of a method's name is a row of METHODS."""
    return bool(method) and all(row in METHODS for row in rows_of(method))


def told(block: Block, pairs: Pairs | None, absent: str) -> list[dict[str, Any]]:
    """Return the rows of a block as plain JSON data.

    Args:
        block: the paper's rows.
        pairs: what was run; None: nothing yet.
        absent: why nothing can be run ("" otherwise).
    """
    rows = []
    for line in block.lines:
        state = absent or ("" if built(line.method) else "not built yet")
        row: dict[str, Any] = {
            "block": block.key,
            "name": line.name,
            "method": line.method or None,
            "paper": line.paper,
            "note": line.note,
            "state": state or "planned",
            "parts": pairs.sizes if pairs else None,
            "metric": pairs.plan.metric if pairs else None,
            **dict.fromkeys(("n", "mean", "sd", "difference", "interval", "p", "rival")),
            **dict.fromkeys(("claimed", "claimed_over_last", "gap", "gap_sd", "seconds")),
            "scores": {},
            "errors": [],
        }
        if pairs and not state and line.method in pairs.arms:
            row |= _figures(pairs, line.method) | {"rival": _rival(pairs, line.method, block.rival)}
        rows.append(row)
    return rows


def _figures(pairs: Pairs, method: str) -> dict[str, Any]:
    arm = pairs.arms[method]
    values, best = list(arm.scores.values()), list(arm.best.values())
    last, gap = [arm.last[seed] for seed in arm.best], list(arm.gap.values())
    found: dict[str, Any] = {
        "state": "done" if len(values) == pairs.plan.seeds else "running",
        "n": len(values),
        "scores": {str(seed): score for seed, score in arm.scores.items()},
        "mean": _mean(values),
        "sd": _sd(values),
        "claimed": _mean(best),
        "claimed_over_last": _mean([b - a for a, b in zip(last, best, strict=True)]),
        "gap": _mean(gap),
        "gap_sd": _sd(gap),
        "seconds": None if arm.seconds is None else round(arm.seconds, 2),
        "errors": list(arm.errors),
    }
    return found | _paired(pairs, method, pairs.plan.baseline)


def _paired(pairs: Pairs, method: str, other: str) -> dict[str, Any]:
    """Return the paired difference of a method to another one; {} without one."""
    difference = None if method == other else pairs.difference(method, other)
    if difference is None:
        return {}
    return {"difference": difference.mean, "interval": difference.interval, "p": difference.p}


def _rival(pairs: Pairs, method: str, rival: str) -> dict[str, Any] | None:
    """Return the difference to the second method that the block names; None without one."""
    found = _paired(pairs, method, rival) if rival in pairs.arms else {}
    return {"method": rival, **found} if found else None


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _sd(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _cells(row: dict[str, Any], rival: bool) -> tuple[str, ...]:
    name = row["name"] + (f" ({row['note']})" if row["note"] else "")
    if not row["n"]:
        failed = "failed" if row["errors"] else ""
        empty = ("",) * (5 if rival else 4)
        return name, _percent(row["paper"]), failed or row["state"], *empty
    spread = f" ± {100 * row['sd']:.1f}" if row["sd"] is not None else ""
    return (
        name,
        _percent(row["paper"]),
        _percent(row["mean"]) + spread,
        _difference(row),
        *([_difference(row["rival"])] if rival else ()),
        _claim(row),
        _gap(row),
        str(row["n"]),
    )


def _percent(figure: Figure) -> str:
    if figure is None:
        return "–"
    if isinstance(figure, (tuple, list)):
        return " to ".join(f"{100 * value:.1f}" for value in figure)
    return f"{100 * figure:.1f}"


def _difference(row: dict[str, Any] | None) -> str:
    if row is None or row["difference"] is None:
        return "–"
    text = f"{100 * row['difference']:+.1f}"
    if row["interval"]:
        low, high = (100 * end for end in row["interval"])
        text += f" [{low:+.1f}, {high:+.1f}]"
    return text


def _claim(row: dict[str, Any]) -> str:
    if row["claimed"] is None:
        return "–"
    return f"{100 * row['claimed']:.1f} ({100 * row['claimed_over_last']:+.1f} over the last)"


def _gap(row: dict[str, Any]) -> str:
    if row["gap"] is None:
        return "–"
    return f"{row['gap']:+.2f}" + (f" ± {row['gap_sd']:.2f}" if row["gap_sd"] is not None else "")


def _errors(rows: list[dict[str, Any]]) -> list[str]:
    told = [f"- {row['name']} failed, {error}" for row in rows for error in row["errors"]]
    return ["", *told] if told else []


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table; the first row is its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]
