"""Rows that are trained with the same seeds, beside the paper's: as data and as Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np

from learnaug.methods import METHODS, rows_of
from learnaug.reproduce.cost import trainings
from learnaug.reproduce.page import aligned, sizes
from learnaug.reproduce.rows import STYLES, Block, Figure, Line, Scale
from learnaug.study import Pairs, words_of

__all__ = ["COMMON", "UNITS", "built", "lines_of", "told"]

FIRST = ("row", "paper", "ours: last epoch, sealed test part")
LAST = (
    "best of the epochs on validation would claim",
    "loss on validation over training",
    "n",
)
COSTS = (
    "cost in trainings, at most",
    "seconds of a run over those of {}",
    "errors less than with {}",
)
METRICS = {"balanced_accuracy": "balanced accuracy", "mean_iou": "mean IoU"}
UNITS = (
    "Scores in %, differences in points, losses in nats; ± is the standard deviation over the runs"
)
COMMON = (
    "the test part is sealed: it chooses no epoch and no setting",
    "the last epoch is scored; what the best of 20 looks at the validation part claims is beside",
    "rows of one block share splits, first weights and order by seed: differences are paired",
    "the learning rate falls along a cosine",
)


def built(method: str) -> bool:
    """Return whether every part of a method's name is a row of METHODS."""
    return bool(method) and all(row in METHODS for row in rows_of(method))


def told(block: Block, scale: Scale, pairs: Pairs | None, absent: str) -> list[dict[str, Any]]:
    """Return the rows of a block as plain JSON data.

    Args:
        block: the paper's rows.
        scale: "small" or "paper".
        pairs: what was run; None: nothing yet.
        absent: why nothing can be run ("" otherwise).
    """
    rows = []
    for line in block.lines:
        method = line.at(scale)
        arm = _arm(pairs, line, method)
        state = absent or ("" if built(method) else "not built here")
        if line.styles and pairs and not arm:
            state = state or f"no data: {line.styles.name}"
        row: dict[str, Any] = {
            "block": block.key,
            "name": line.name,
            "method": method or None,
            "paper": line.paper,
            "note": line.note,
            "state": state or "planned",
            "parts": pairs.sizes if pairs else None,
            "metric": pairs.plan.metric if pairs else None,
            **dict.fromkeys(("n", "mean", "sd", "difference", "interval", "p", "rival")),
            **dict.fromkeys(("claimed", "claimed_over_last", "gap", "gap_sd", "seconds")),
            "trainings": trainings(method) if built(method) else None,
            **dict.fromkeys(("seconds_ratio", "error_reduction")),
            "scores": {},
            "errors": [],
        }
        if pairs and not state and arm:
            row |= _figures(pairs, arm) | {"rival": _rival(pairs, arm, block.rival)}
            row |= _relative(pairs, arm)
        rows.append(row)
    return rows


def _arm(pairs: Pairs | None, line: Line, method: str) -> str:
    """Return the name under which a line's method was run; "" where it was not.

    Wherever its styles lay then.
    """
    if pairs is None or not line.styles:
        return method if pairs and method in pairs.arms else ""
    front, _, back = method.partition(STYLES)
    found = (arm for arm in pairs.arms if arm.startswith(front) and arm.endswith(back))
    return next(found, "")


def lines_of(block: Block, scale: Scale, rows: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return heading and Markdown lines of a block, errors below its rows."""
    words = f"{block.source.words}, net {block.net(scale)}"
    words += sizes(rows)
    metric = next((row["metric"] for row in rows if row.get("metric")), "")
    words += f", {METRICS[metric]}" if metric in METRICS else ""
    used = next((row["generator"] for row in rows if row.get("generator")), None)
    if used and used["seconds"]:
        words += f", generator learned once in {words_of(used['seconds'])}"
    if all(row["state"] == "not run" and row["paper"] is None for row in rows):
        return words, [f"Not run: `--only {block.key}`."]
    against = tuple(filter(None, (block.baseline, block.rival)))
    head: tuple[str, ...] = (
        *FIRST,
        *(f"difference to {m}, 95 % t interval" for m in against),
        *LAST,
    )
    cells = [_cells(row, rival=bool(block.rival)) for row in rows]
    if block.costs:
        head = (*head, *(words.format(block.baseline) for words in COSTS))
        cells = [(*mine, *_costs(row)) for mine, row in zip(cells, rows, strict=True)]
    return words, [*aligned([head, *cells]), *_errors(rows)]


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


def _relative(pairs: Pairs, method: str) -> dict[str, Any]:
    """Return seconds of a run and errors in relation to the baseline's; {} without pairs."""
    mine, base = pairs.arms[method], pairs.arms[pairs.plan.baseline]
    seeds = sorted(mine.scores.keys() & base.scores.keys())
    if not seeds:
        return {}
    errors, theirs = (sum(1 - arm.scores[seed] for seed in seeds) for arm in (mine, base))
    return {
        "seconds_ratio": mine.seconds / base.seconds if mine.seconds and base.seconds else None,
        "error_reduction": 1 - errors / theirs if theirs else None,
    }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _sd(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _cells(row: dict[str, Any], rival: bool) -> tuple[str, ...]:
    name = row["name"] + (f" ({row['note']})" if row["note"] else "")
    if not row["n"]:
        failed = "failed" if row["errors"] else ""
        empty = ("",) * (5 if rival else 4)
        return name, _paper(row["paper"]), failed or row["state"], *empty
    spread = f" ± {100 * row['sd']:.1f}" if row["sd"] is not None else ""
    return (
        name,
        _paper(row["paper"]),
        _percent(row["mean"]) + spread,
        _difference(row),
        *([_difference(row["rival"])] if rival else ()),
        _claim(row),
        _gap(row),
        str(row["n"]),
    )


def _costs(row: dict[str, Any]) -> tuple[str, ...]:
    cost, ratio, less = row["trainings"], row["seconds_ratio"], row["error_reduction"]
    return (
        "–" if cost is None else f"{cost:.1f}",
        "–" if ratio is None else f"{ratio:.1f}",
        "–" if less is None else f"{100 * less:+.1f} %",
    )


def _paper(figure: Figure) -> str:
    """Return a paper's figure in per cent, with its second decimal where it has one."""
    if figure is None:
        return "–"
    values = figure if isinstance(figure, (tuple, list)) else (figure,)
    words = (f"{100 * value:.2f}" for value in values)
    return " to ".join(word.removesuffix("0") for word in words)


def _percent(figure: float) -> str:
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
