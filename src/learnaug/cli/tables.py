"""What a command answers on stdout: plain tables for people, or one JSON document."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from learnaug.errors import printable

__all__ = ["print_comparison", "print_json", "print_methods", "print_pairs", "print_text"]

STRIP = 24  # signs of the strip on which each run is a dot
STAGES = {
    "screen": "Screening on the validation part (no claims)",
    "confirm": "Confirmed on the test part, fresh seeds",
}


def print_json(value: object) -> None:
    """Print one JSON document; signs outside ASCII are escaped, so that no name can break it."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """Print text with its control signs made visible."""
    sys.stdout.write(printable(text).rstrip("\n") + "\n")


def print_methods(rows: Mapping[str, Any]) -> None:
    """Print the table of methods: name, kind, one line."""
    lines = [(name, row.kind, row.summary) for name, row in rows.items()]
    print_text("\n".join(_aligned([("method", "kind", ""), *lines])))


def print_pairs(told: Mapping[str, Any], indent: str = "") -> None:
    """Print a mapping as lines `name: value`, the inner ones below it."""
    for name, value in told.items():
        words = name.replace("_", " ") if not indent else name
        if isinstance(value, Mapping):
            print_text(f"{indent}{words}:")
            print_pairs(value, indent + "  ")
        else:
            print_text(f"{indent}{words}: {f'{value:.4f}' if isinstance(value, float) else value}")


def print_comparison(told: Mapping[str, Any]) -> None:
    """Print the runs of both stages, the verdict in words, and where the page lies."""
    parts = [
        _stage(heading, told["metric"], [r for r in told["methods"] if r["stage"] == stage])
        for stage, heading in STAGES.items()
    ]
    parts.append("\n".join(_verdicts(told)))
    best = "policy" if "policy" in told else "augmenter"  # a policy is one readable file
    places = [f"{best.capitalize()}: {told[best]}"] if best in told else []
    parts.append("\n".join([*places, f"Report: {told['report']}"]))
    print_text("\n\n".join(part for part in parts if part))


def _verdicts(told: Mapping[str, Any]) -> Iterable[str]:
    found = [told.get("verdict"), told.get("against_trivialaugment")]
    yield from (verdict["words"] for verdict in found if verdict)
    runs = told["runs"]
    if runs["failed"]:
        yield f"{runs['failed']} of {runs['planned']} runs failed; the report says why."
    if not found[0] or runs["done"] + runs["failed"] < runs["planned"]:
        from learnaug.rundir import resuming

        yield f"{runs['done']} of {runs['planned']} runs are done: {resuming(told['out'])}"


def _stage(heading: str, metric: str, rows: Sequence[Mapping[str, Any]]) -> str:
    if not any(row["scores"] or row["failed"] for row in rows):
        return ""
    scores = [score for row in rows for score in row["scores"]]
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    head = ("method", metric.replace("_", " "), "each run", "learning", "training", "")
    lines = [
        (
            row["method"],
            _mean(row["scores"]),
            _dots(row["scores"], low, high),
            _time(row["learn_seconds"]),
            _time(row["train_seconds"]),
            f"{row['failed']} failed" if row["failed"] else "",
        )
        for row in rows
    ]
    scale = f"each run: {100 * low:.1f} % at the left end, {100 * high:.1f} % at the right"
    return "\n".join([heading, *_aligned([head, *lines]), scale])


def _mean(scores: Sequence[float]) -> str:
    if not scores:
        return "-"
    points = [100 * score for score in scores]
    spread = f" ± {statistics.stdev(points):.1f}" if len(points) > 1 else ""
    return f"{statistics.mean(points):.1f} %{spread}"


def _dots(scores: Sequence[float], low: float, high: float) -> str:
    strip = ["·"] * STRIP
    for score in scores:
        place = (score - low) / (high - low) if high > low else 0.5
        strip[round(place * (STRIP - 1))] = "o"
    return "".join(strip)


def _time(seconds: float) -> str:
    from learnaug.cli.display import duration

    return duration(seconds) if seconds >= 0.5 else "-"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    from rich.cells import cell_len  # some names are wider than their number of signs

    widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
