"""What the pages of all tables share: columns that are aligned, and words for the parts."""

from __future__ import annotations

from typing import Any

__all__ = ["aligned", "sizes"]


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table; the first row is its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]


def sizes(rows: list[dict[str, Any]]) -> str:
    """Return how many pictures the parts of a block have, behind a comma; "" before the first run.

    Example:
        >>> sizes([{"parts": None}, {"parts": {"train": 60, "valid": 20, "test": 20}}])
        ', 60 / 20 / 20 pictures train / validate / test'
    """
    parts = next((row["parts"] for row in rows if row["parts"]), None)
    if not parts:
        return ""
    return (
        f", {parts['train']} / {parts['valid']} / {parts['test']} pictures train / validate / test"
    )
