"""The audit as a table in words: one line an operation."""

from __future__ import annotations

from collections.abc import Sequence

from learnaug.methods.safe.audit import Finding
from learnaug.methods.safe.figures import Rate
from learnaug.methods.safe.together import Clash
from learnaug.methods.safe.verdicts import Rules, Verdict

__all__ = ["ORDER", "ordered", "table"]

ORDER: tuple[Verdict, ...] = ("safe", "safe in part", "undecided", "no effect", "unsafe")
COLUMNS = ("operation", "verdict", "told apart", "found", "false", "accuracy", "moved", "why")


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, the safest first; of one verdict, what shows least first."""
    return sorted(findings, key=lambda f: (ORDER.index(f.verdict), f.look.rank.share))


def table(
    findings: Sequence[Finding], clashes: Sequence[Clash], clean: Rate, rules: Rules
) -> list[str]:
    """Return the findings as lines of equal columns, the safest first, and what the columns mean.

    Args:
        findings: one an operation.
        clashes: what the test of pairs dropped.
        clean: accuracy of the plain net on pictures as they are.
        rules: what decided.
    """
    rows = [COLUMNS, *(_row(finding) for finding in ordered(findings))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS) - 1)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    dropped = [f"left out of the set: {clash.dropped}, because {clash.why} "
               f"({clash.one} and {clash.other})" for clash in clashes]  # fmt: skip
    return [*lines, *dropped, *_legend(clean, rules)]


def _row(finding: Finding) -> tuple[str, ...]:
    look = finding.look
    effect = f"{look.effect.pixels:.1f} grey, {look.effect.features:.2f} features"
    return (
        finding.name,
        finding.verdict,
        *(_short(rate) for rate in (look.rank, look.hit, look.false, look.accuracy)),
        effect,
        finding.why,
    )


def _short(rate: Rate) -> str:
    """Return per cent with the ends of the interval.

    Example:
        >>> _short(Rate(0.5, 0.45, 0.55, 400))
        '50 (45-55)'
    """
    return f"{100 * rate.share:.0f} ({100 * rate.low:.0f}-{100 * rate.high:.0f})"


def _legend(clean: Rate, rules: Rules) -> list[str]:
    by = f"visible from {100 * rules.limit:.0f} on"
    if rules.rule == "labels":
        by += ", which decides nothing here: labels alone do"
    if rules.rule == "thesis":
        by = f"safe below {100 * rules.most_hit:.0f} found and {100 * rules.most_false:.0f} false"
    moved = (
        "moved: grey levels of 255; distance in the plain net's features, that of two pictures of "
        "a class is 1"
    )
    told = (
        "per cent (95 % interval). told apart: pairs of a picture with the operation and another "
        f"without it, ranked rightly; 50 is chance; {by}"
    )
    reports = (
        "found, false: detector's reports with and without it. accuracy: of a net that never saw "
        f"operations, of pixels for masks; {_short(clean)} on pictures as they are"
    )
    return [told, reports, moved]
