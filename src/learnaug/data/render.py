"""The check of a data set as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from learnaug.data.check import ORDER, Report, images_of
from learnaug.data.findings import Finding
from learnaug.errors import printable

__all__ = ["render"]

HEADS = {"error": "error", "ask": "question", "warning": "warning", "info": "note"}
MOST_CLASSES = 20  # rows of the table
WIDEST = 32  # letters of a class name in the table


def render(report: Report, *, places: int = 5) -> str:
    """Return the report as plain text: one line of summary, the classes, the findings.

    Args:
        report: what `check` returned.
        places: at most so many places are listed of each finding; the rest is counted.

    Example:
        >>> from learnaug.data.check import check
        >>> print(render(check("digits")).splitlines()[0])
        digits: 1,797 images, 10 classes, 8x8 pixels, 1 channel
    """
    blocks = ["\n".join(_summary(report)), *(_finding(f, places) for f in report.findings)]
    if report.images:
        blocks.insert(1, "\n".join(_table(report)))
    return printable("\n\n".join(blocks)) + "\n"


def _summary(report: Report) -> Iterator[str]:
    height, width = report.size
    found = [sum(f.severity == severity for f in report.findings) for severity in ORDER]
    counted = [
        f"{n} {HEADS[severity]}{'s' * (n != 1)}"
        for severity, n in zip(ORDER, found, strict=True)
        if n
    ]
    if not report.images:
        yield f"{_word(report.name)}: nothing could be read"
    else:
        channels = f"{report.channels} channel{'s' * (report.channels != 1)}"
        noun = "class" if len(report.classes) == 1 else "classes"
        classes = f"{len(report.classes)} {noun}, {height}x{width} pixels, {channels}"
        yield f"{_word(report.name)}: {images_of(report.images)}, {classes}"
    verdict = "can be used" if report.ok else "cannot be used as it is"
    yield f"{verdict}: " + (", ".join(counted) or "nothing found")
    if report.metric == "mean_iou":
        yield "metric: mean IoU, over the classes that occur"
    elif report.metric is not None:
        words = report.metric.replace("_", " ")
        yield f"metric: {words} (largest class / smallest class = {report.balance:.3g})"


def _table(report: Report) -> Iterator[str]:
    """Yield the classes with their counts; of more than 20, the largest and the smallest ten."""
    parts = [part or "images" for part in report.counts]
    rows = list(zip(report.classes, *report.counts.values(), strict=True))
    gap = ""
    if len(rows) > MOST_CLASSES:
        rows.sort(key=lambda row: (-sum(row[1:]), row[0]))
        gap = f"… {len(rows) - MOST_CLASSES} more classes between"
        rows = rows[: MOST_CLASSES // 2] + rows[-MOST_CLASSES // 2 :]
    names = [_short(_word(row[0])) for row in rows]
    head = "class" if report.kind == "classification" else "images with class"
    left = max(map(len, [*names, head]))
    yield f"{head:<{left}}" + "".join(f"{part:>9}" for part in parts)
    for i, (name, row) in enumerate(zip(names, rows, strict=True)):
        if gap and i == MOST_CLASSES // 2:
            yield gap
        yield f"{name:<{left}}" + "".join(f"{n:>9,}" for n in row[1:])
    if report.kind == "classification":
        sums = [sum(counts) for counts in report.counts.values()]
        yield f"{'all':<{left}}" + "".join(f"{n:>9,}" for n in sums)


def _finding(finding: Finding, places: int) -> str:
    lines = [f"{HEADS[finding.severity]}: {finding.what}"]
    lines += [f"  {_word(place)}" for place in finding.where[:places]]
    if len(finding.where) > places:
        lines.append(f"  … and {len(finding.where) - places:,} more")
    if finding.mend:
        lines.append(f"mend: {finding.mend}")
    return "\n".join(lines)


def _short(word: str) -> str:
    return word if len(word) <= WIDEST else word[: WIDEST - 1] + "…"


def _word(word: str) -> str:
    """Keep a name on its line."""
    return word.replace("\n", "\\n").replace("\t", "\\t")
