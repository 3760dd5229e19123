"""Audits of operations to a figure and a table: verdicts, what they rest on, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from learnaug.report import plane
from learnaug.report.charts import Chart
from learnaug.report.plane import VERDICTS, Point
from learnaug.report.values import Json, mapping, names, number, objects

__all__ = ["Audit", "Line", "audit_of"]

GOOD = ("safe", "safe in part")
BADGE = {"safe": "helps", "safe in part": "helps", "unsafe": "harms"}
HEADING = "Reported where it was applied, and where it was not"
LABELS = ("reported without it (false alarms), percent", "reported with it, percent")


@dataclass(frozen=True)
class Line:
    """One operation in the table: texts, and the class of its verdict's badge."""

    name: str
    does: str
    verdict: str
    badge: str
    rates: tuple[str, str, str, str]
    moved: str
    why: str
    safe_in: str


@dataclass(frozen=True)
class Audit:
    """One audit as the page shows it.

    Args:
        method: whose audit it is.
        lead: what was looked at, and in which of several runs.
        chart: the plane of two rates; None where no operation has both.
        lines: one an operation, the safest first.
        several: whether other runs of the method were audited too.
        accuracy: of the plain net on pictures as they are.
        limit: what counts as visible, in words.
        dropped: what was left out of the set because of another operation.
    """

    method: str
    lead: str
    chart: Chart | None
    lines: tuple[Line, ...]
    several: bool
    accuracy: str
    limit: str
    dropped: tuple[str, ...]


def audit_of(method: str, audits: Sequence[tuple[int | None, Json]]) -> Audit | None:
    """Return the first audit of a method, with how often the others agree; None where it is empty.

    Args:
        method: its name.
        audits: seed (None: not said) and audit of each run, in the order of the runs.
    """
    if not audits:
        return None
    seed, first = audits[0]
    findings = sorted(objects(first.get("findings")), key=_rank)
    if not findings:
        return None
    rules = mapping(first.get("settings"))
    lines = tuple(_line(finding, [audit for _, audit in audits]) for finding in findings)
    lead = f"{number(first.get('pictures')) or 0:,.0f} pictures of the training part were looked at"
    if seed is not None:
        lead += f"; the run with seed {seed}"
    if len(audits) > 1:
        lead += f", the first of {len(audits)}, each of which made an audit of its own"
    return Audit(
        method, f"{lead}.", _chart(method, findings, rules), lines, len(audits) > 1,
        _rate(first.get("clean_accuracy")), _limit(rules),
        tuple(_clash(one) for one in objects(first.get("dropped"))),
    )  # fmt: skip


def _rank(finding: Json) -> tuple[int, float]:
    """Return the place of a verdict, and how much the operation shows."""
    verdict = str(finding.get("verdict"))
    place = list(VERDICTS).index(verdict) if verdict in VERDICTS else len(VERDICTS)
    return place, number(mapping(finding.get("rank")).get("share")) or 0.0


def _line(finding: Json, audits: Sequence[Json]) -> Line:
    name, verdict = str(finding.get("name")), str(finding.get("verdict"))
    effect = mapping(finding.get("effect"))
    moved = [number(effect.get(key)) for key in ("grey_levels", "features")]
    told = [
        f"{value:.{digits}f}"
        for value, digits in zip(moved, (1, 2), strict=True)
        if value is not None
    ]
    seen = [one for audit in audits for one in objects(audit.get("findings"))]
    same = [one.get("verdict") for one in seen if one.get("name") == finding.get("name")]
    safe = sum(verdict in GOOD for verdict in same)
    rank, hit, false, accuracy = (
        _rate(finding.get(key)) for key in ("rank", "hit", "false", "accuracy")
    )
    return Line(
        name, _does(finding), verdict, BADGE.get(verdict, ""), (rank, hit, false, accuracy),
        " · ".join(told) or "–", str(finding.get("why") or ""), f"{safe} of {len(same)}",
    )  # fmt: skip


def _does(finding: Json) -> str:
    """Return what the operation does, or what of it is kept."""
    spared = names(finding.get("not_for"))
    if spared:
        return f"{finding.get('does')}; kept, but not for {', '.join(spared)}"
    if finding.get("verdict") == "safe in part" and finding.get("kept"):
        return f"kept: {finding['kept']}"
    return str(finding.get("does") or "")


def _rate(value: object) -> str:
    """Return per cent with the ends of the interval.

    Example:
        >>> _rate({"share": 0.5, "low": 0.45, "high": 0.55, "n": 400}), _rate(None)
        ('50 (45–55)', '–')
    """
    ends = _percent(value)
    return "–" if ends is None else f"{ends[0]:.0f} ({ends[1]:.0f}–{ends[2]:.0f})"


def _percent(value: object) -> tuple[float, float, float] | None:
    found = [number(mapping(value).get(key)) for key in ("share", "low", "high")]
    share, low, high = (None if one is None else 100 * one for one in found)
    return None if share is None or low is None or high is None else (share, low, high)


def _limit(rules: Json) -> str:
    limit, hit, false = (number(rules.get(key)) for key in ("limit", "most_hit", "most_false"))
    if rules.get("rule") == "thesis" and hit is not None and false is not None:
        found, alarms = f"{100 * hit:.0f} %", f"{100 * false:.0f} %"
        return f"but safe is what is found in less than {found} with fewer than {alarms} false"
    if rules.get("rule") == "labels":
        return "what can be seen decides nothing here, only labels do"
    return "" if limit is None else f"an operation counts as visible from {100 * limit:.0f} on"


def _clash(one: Json) -> str:
    pair = " and ".join(names(one.get("pair")))
    return f"{one.get('dropped')}, because {one.get('why')} ({pair})"


def _chart(method: str, findings: Sequence[Json], rules: Json) -> Chart | None:
    points = []
    for one in findings:
        name, verdict = str(one.get("name")), str(one.get("verdict"))
        false, hit = _percent(one.get("false")), _percent(one.get("hit"))
        if false and hit and verdict in VERDICTS:
            points.append(Point(name, verdict, false, hit))
    if not points:
        return None
    ends = [number(rules.get(key)) for key in ("most_false", "most_hit")]
    by_hand = rules.get("rule") == "thesis"
    limits = [100 * end for end in ends if end is not None] if by_hand else []
    caption = (
        "Each mark is an operation. Up: how often the detector reports it where it was applied, "
        "among others. To the right: how often it does so on pictures as they are. Lines: 95 % "
        "intervals. High up, the operation leaves a trace that the detector knows; on the dashed "
        "line it is reported as often without it as with it, and there is nothing to see. "
    )
    caption += (
        "Dotted: the two limits of the rule."
        if by_hand
        else "The verdict is by pairs of pictures (told apart, in the table) and by the labels, so "
        "that a rare report does not make an operation safe."
    )
    return Chart(HEADING, plane.rates(points, LABELS, limits, f"{HEADING}: {method}"), caption)
