"""Tables of Markdown whose columns are aligned."""

from __future__ import annotations

__all__ = ["aligned"]


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table; the first row is its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]
