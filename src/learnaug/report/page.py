"""The page itself: facts to words, tables and one self-contained HTML file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import jinja2
from markupsafe import Markup

from learnaug import rundir
from learnaug.errors import RunError, printable
from learnaug.report import charts, masks, pictures, tables, words
from learnaug.report.audits import audit_of
from learnaug.report.collect import Facts, collect
from learnaug.report.learned import grids
from learnaug.report.overfit import overfits
from learnaug.report.searches import search_of
from learnaug.report.values import Json, mapping, names, number, objects
from learnaug.stats import metric_words

if TYPE_CHECKING:
    from learnaug.methods import Gallery

__all__ = ["build", "environment", "render", "text", "write_pictures"]

T = TypeVar("T")
Runs = Sequence[tuple[int | None, Json]]
Kept = Mapping[str, Runs]

ORIGINAL = "original"
MISSING_INPUT = 66  # exit status
OTHERS = {  # kind of a run folder that is no comparison -> what it holds, what to look at instead
    "train": ("one training", "its scores lie in test/metrics.json of the run"),
    "learn": (
        "what one method learned",
        "`learnaug resume` writes this one's pictures.html anew, where the method has pictures",
    ),
    "pairs": ("a part of a paper's table", "`learnaug reproduce` writes table.md beside it"),
}
PICTURES = 3_000_000  # bytes of raw pixels on a page of pictures alone
MAX_TEXT = 6_000  # letters of one name or message on the page
BADGE = {
    "helps": "helps",
    "harms": "harms",
    "no-difference": "no difference that matters",
    "not-settled": "not settled",
    "too-few-runs": "too few runs to tell",
}
# A place that starts at the root, at home or at a drive: only its last name is shown.
QUOTED = re.compile(
    r"""(['"])(?:(?:file://)?~?/[^'"\n]*/(?=[^'"/\n]+\1)|[A-Za-z]:\\[^'"\n]*\\(?=[^'"\\\n]+\1))"""
)
NAME = r"""[^\s\x00-\x1f/\\'"<>|:,;]+"""
MINUS = re.compile(r"(?<!\S)-(?=\d)")  # before a number
PLACE = re.compile(
    rf"(?<![\w.<…:/\\-])(?:file://)?(?:~/(?:{NAME}/)*|/(?:{NAME}/)+)"
    rf"|(?<!\w)[A-Za-z]:\\(?:{NAME}\\)*"
)


def build(out: Path) -> Path:
    """Write the report of a run folder and return its path.

    A pure function of the folder: the same files give the same bytes. What is missing or damaged
    is said on the page; only a folder that cannot be written is an error.

    Args:
        out: the run folder of a comparison, finished or not.

    Raises:
        RunError: the folder is not that of a comparison (status 66); the page cannot be written.
    """
    if not rundir.plan_path(out).is_file():
        raise RunError(
            "plan.json is missing, so this is no run folder", [str(out)],
            "give the folder that `learnaug compare` wrote", code=MISSING_INPUT,
        )  # fmt: skip
    facts = collect(Path(out))
    if (kind := str(facts.plan.get("kind"))) in OTHERS:
        holds, mend = OTHERS[kind]
        raise RunError(
            f"this folder holds {holds}, and a page compares several methods", [str(out)],
            f"give the folder that `learnaug compare` wrote; {mend}", code=MISSING_INPUT,
        )  # fmt: skip
    path = rundir.report_path(out)
    rundir.write_text(path, render(facts))
    return path


def render(facts: Facts) -> str:
    """Return the page as text."""
    page = environment()
    page.filters |= {"points": points, "percent": percent, "seconds": seconds, "nats": nats}
    return page.get_template("page.html").render(_content(facts)).rstrip() + "\n"


def write_pictures(
    path: Path,
    method: str,
    data_name: str,
    galleries: Sequence[Gallery],
    audit: Json | None = None,
    search: Json | None = None,
) -> Path | None:
    """Write what one method learned as a page of pictures; None, and no page, without any.

    Args:
        path: the page.
        method, data_name: for the heading.
        galleries: what is shown.
        audit: of operations, as `collect.audit_in` returns it; None or {} for none.
        search: for a policy, as `collect.search_in` returns it; None or {} for none.

    Raises:
        RunError: the page cannot be written.
    """
    told = audit_of(method, [(None, audit)]) if audit else None
    searched = search_of(method, [(None, search)]) if search else None
    if not galleries and told is None and searched is None:
        return None
    found = grids({method: galleries}, budget=PICTURES)
    content = {
        "css": Markup(text("page.css")),
        "svg": Markup,
        "method": method,
        "data_name": data_name,
        "learned": found,
        "audit": told,
        "search": searched,
    }
    page = environment().get_template("learned.html").render(content)
    rundir.write_text(path, page.strip() + "\n")
    return path


def environment() -> jinja2.Environment:
    """Return what templates are read with: all that is put in is escaped and cleaned."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(text), autoescape=True, finalize=clean,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def text(name: str) -> str:
    """Return a template or style sheet of this folder."""
    return files("learnaug.report").joinpath(name).read_text(encoding="utf-8")


def clean(value: object) -> object:
    r"""Return what may be shown: no control characters, no absolute places, no endless text.

    Example:
        >>> clean("cannot read /home/ann/photos/a.png\x1b[1m")
        'cannot read …/a.png\\x1b[1m'
    """
    if isinstance(value, Markup):
        return value
    text = printable(PLACE.sub("…/", QUOTED.sub(r"\1…/", str(value))))
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} letters)"


def points(fraction: float | None) -> str:
    """Write a fraction as signed percentage points; a second decimal where one hides the sign.

    Example:
        >>> points(-0.0213), points(0.0002), points(0.00001), points(None)
        ('−2.1', '+0.02', '0.0', '–')
    """
    if fraction is None:
        return "–"
    given = 100 * fraction
    if abs(given) < 5e-3:
        return "0.0"
    return (f"{given:+.2f}" if abs(given) < 0.05 else f"{given:+.1f}").replace("-", "−")


def percent(fraction: float | None) -> str:
    """Write a fraction as percent with one decimal."""
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def nats(value: float | None, sign: str = "") -> str:
    """Write a loss with three decimals.

    Example:
        >>> nats(0.25), nats(-0.25, "+"), nats(None)
        ('0.250', '−0.250', '–')
    """
    return "–" if value is None else f"{value:{sign}.3f}".replace("-", "−")


def seconds(value: float | None) -> str:
    """Write a duration in the unit that suits it.

    Example:
        >>> seconds(7.26), seconds(200), seconds(9000)
        ('7.3 s', '3.3 min', '2.5 h')
    """
    if value is None:
        return "–"
    if value < 100:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 6000 else f"{value / 3600:.1f} h"


def _content(facts: Facts) -> Json:
    """Return everything the template shows."""
    table = tables.arms(facts)
    forest = charts.forest(facts)
    return {
        "css": Markup(text("page.css")),
        "svg": Markup,
        "data_name": _data(facts).get("name") or facts.plan.get("source") or "this data",
        "verdicts": [_verdict(facts, one) for one in (facts.verdict, facts.second) if one],
        "forest": forest,
        "controls": words.controls(facts, table),
        "todo": words.todo(facts),
        "numbers": words.headline_numbers(facts),
        "gaps": words.gaps(facts),
        "charts": charts.main_charts(facts),
        "kinds": _kinds(facts),
        "arms": table,
        "gain": _gains(facts, table),
        "costs": _costs(facts, table),
        "parts": {"valid": "validation"},
        "pairs": tables.pairs(facts, facts.candidate, facts.baseline),
        "class_effects": tables.class_effects(facts),
        "sheets": _sheets(facts),
        "learned": grids(facts.galleries, facts.candidate),
        "audits": _told(facts, facts.audits, audit_of),
        "searches": _told(facts, facts.searches, search_of),
        "overfits": overfits(facts),
        "masked": facts.masked,
        "score": _heading(metric_words(facts.metric)),
        "metric": metric_words(facts.metric),
        "colours": masks.shown_classes(facts.masks, _class_names(facts)),
        "check": _check(facts),
        "splits": words.splits(facts),
        "runs": facts.runs,
        "counts": tables.counts(facts),
        "protocol": words.protocol(facts, table),
        "command": command(facts),
        "versions": words.versions(facts),
        "candidate": facts.candidate,
        "baseline": facts.baseline,
    }


def _heading(words: str) -> str:
    """Return words with a capital in front; `capitalize` would make IoU small."""
    return words[:1].upper() + words[1:]


def _verdict(facts: Facts, verdict: Json) -> Json:
    """Return one verdict with its numbers; every field may be absent in an unfinished folder."""
    candidate, baseline = str(verdict.get("candidate")), str(verdict.get("baseline"))
    found = tables.pairs(facts, candidate, baseline)
    return {
        "candidate": candidate,
        "baseline": baseline,
        "words": MINUS.sub("−", str(verdict.get("words") or "There is no verdict yet.")),
        "outcome": verdict.get("outcome") if verdict.get("outcome") in BADGE else "not-settled",
        "badge": BADGE.get(str(verdict.get("outcome")), "no verdict yet"),
        "difference": number(verdict.get("difference")),
        "interval": _ends(verdict.get("interval")),
        "image_interval": _ends(verdict.get("image_interval")),
        "p": number(verdict.get("p")),
        "pairs": verdict.get("pairs"),
        "share": tables.share(found),
        "error_change": words.error_change(found),
    }


def _ends(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (low, high)


def _data(facts: Facts) -> Json:
    return mapping(facts.summary.get("data")) or mapping(facts.plan.get("data"))


def _kinds(facts: Facts) -> list[tuple[str, str]]:
    """Return the key of the figures: kind and name, only of what is there."""
    present = {run.method for run in facts.runs}
    named = [("candidate", facts.candidate), ("baseline", facts.baseline)]
    named += [("trivialaugment", "trivialaugment")] if facts.candidate != "trivialaugment" else []
    return [(kind, name) for kind, name in named if name in present]


def _gains(facts: Facts, table: list[tables.Arm]) -> dict[tuple[str, str], float | None]:
    """Return each arm's mean minus the baseline's mean of the same stage."""
    base = {arm.stage: arm.mean for arm in table if arm.method == facts.baseline}
    gains: dict[tuple[str, str], float | None] = {}
    for arm in table:
        level = base.get(arm.stage)
        known = arm.mean is not None and level is not None and arm.method != facts.baseline
        gains[arm.stage, arm.method] = (arm.mean or 0) - (level or 0) if known else None
    return gains


def _costs(facts: Facts, table: list[tables.Arm]) -> list[Json]:
    """Return the cost of each screened method, cheapest first, and what one point more costs."""
    screen = [arm for arm in table if arm.stage == "screen" and arm.seconds is not None]
    base = next((arm.seconds for arm in screen if arm.method == facts.baseline), None)
    gains = _gains(facts, table)
    rows = []
    for arm in sorted(screen, key=lambda arm: arm.seconds or 0.0):
        gain, extra = gains[arm.stage, arm.method], (arm.seconds or 0.0) - (base or 0.0)
        pays = gain is not None and gain > 0 and base is not None and extra > 0
        per_point = extra / (100 * gain) if pays and gain else None
        row = {"method": arm.method, "learn": arm.learn_seconds, "seconds": arm.seconds}
        rows.append(row | {"gain": gain, "per_point": per_point})
    return rows


def _sheets(facts: Facts) -> list[tuple[str, list[pictures.Sheet]]]:
    """Return the strips of each method; on a wide page the originals head both columns.

    Images with masks have the images in the one column, and the masks over them in the other.
    """
    if facts.masks:
        both = masks.beside(facts.samples, facts.masks, len(_class_names(facts)))
        return list(pictures.sheets(both).items())
    found = pictures.sheets(facts.samples)
    double = max((len(strips) for strips in found.values()), default=1)
    return [
        (name, strips * double if name == ORIGINAL and len(strips) == 1 else strips)
        for name, strips in found.items()
    ]


def _told(facts: Facts, kept: Kept, read: Callable[[str, Runs], T | None]) -> list[T]:
    """Return what each method's runs tell, the candidate's first."""
    order = sorted(kept, key=lambda method: method != facts.candidate)
    found = (read(method, kept[method]) for method in order)
    return [one for one in found if one]


def _class_names(facts: Facts) -> list[str]:
    return names(_data(facts).get("classes")) or names(facts.check.get("classes"))


def _check(facts: Facts) -> Json:
    """Return the data check: findings, worst first, and the images of each class."""
    order = ("error", "ask", "warning", "info")
    found = objects(facts.check.get("findings"))
    findings = [
        {
            "severity": severity,
            "what": str(one.get("what") or one.get("code") or ""),
            "count": one.get("count"),
            "where": names(one.get("where"))[:20],
            "more": max(0, len(names(one.get("where"))) - 20),
            "mend": str(one.get("mend") or ""),
        }
        for severity in order
        for one in found
        if one.get("severity") == severity
    ]
    return {"findings": findings, **words.balance(facts)}


def command(facts: Facts) -> str:
    """Return the command that repeats the comparison; of absolute places only the last name."""
    given = facts.plan.get("command") or facts.summary.get("command") or ""
    try:
        words = (
            [str(word) for word in given] if isinstance(given, list) else shlex.split(str(given))
        )
    except ValueError:  # an open quote: show it as it came
        return str(given)
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    place = re.fullmatch(
        r"((?:--[\w-]+=)?)(?:~|[A-Za-z]:)?[\\/].*?([^\\/]+)[\\/]*", word, re.DOTALL
    )
    return place[1] + shlex.quote(place[2]) if place else shlex.quote(word)
