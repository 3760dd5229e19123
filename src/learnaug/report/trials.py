"""What a search leaves behind as plain values, and its figures over the trials."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from learnaug.report import course
from learnaug.report.charts import Chart
from learnaug.report.course import Layer, Marks
from learnaug.report.figures import Interval
from learnaug.report.values import Json, mapping, number, objects

__all__ = ["LEVEL", "charts", "ends_of", "rows_of", "steps_of", "trials_of"]

MOST_DOTS = 2_000
LEVEL = 0.05  # of the permuted-reward control
FOUND, PRIOR = "found", "prior"
PLAIN = "draw"  # a stage that needs no name: what is drawn for each picture


def rows_of(search: Json) -> list[Json]:
    """Return the rows of the policy, each with both probabilities; those of old files as well."""
    rows = objects(mapping(search.get("history")).get("rows"))
    if not rows:
        rows = [
            row | {"name": row.get("does"), "group": row.get("operation")}
            for row in objects(search.get("elements"))
        ]
    needed = ("before", "probability")
    return [row for row in rows if all(_share(row.get(key)) is not None for key in needed)]


def _share(value: object) -> float | None:
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def steps_of(search: Json) -> list[Json]:
    """Return the looks at a search that have as many probabilities as there are rows."""
    history = mapping(search.get("history"))
    rows, found = objects(history.get("rows")), []
    if len(rows) != len(rows_of(search)):
        return []
    for step in objects(history.get("steps")):
        given = step.get("probability")
        values = [_share(one) for one in given] if isinstance(given, list) else []
        whole = len(values) == len(rows) and None not in values
        if whole and number(step.get("trials")) is not None:
            found.append(step)
    return sorted(found, key=lambda step: float(step["trials"]))


def trials_of(search: Json) -> list[tuple[str, float]]:
    """Return kind and reward of the trials that are no checks, in order."""
    return [one for one in _rewards(search) if one[0] not in (FOUND, PRIOR)]


def _rewards(search: Json) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    rows, plain = search.get("trials"), search.get("rewards")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, list) and len(row) > 1 and (value := number(row[1])) is not None:
            found.append((str(row[0]).rpartition("-")[0], value))
    for one in plain if isinstance(plain, list) and not found else []:
        if (value := number(one)) is not None:
            found.append(("", value))
    return found


def ends_of(value: object) -> Interval | None:
    """Return the two ends of an interval; None where it is none."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (low, high)


def charts(method: str, search: Json) -> tuple[Chart, ...]:
    """Return the figures of a search that there are data for, the policy over time first."""
    drawn = (_reward_chart, _doubt, _sharpness)
    found = [*_policies(method, search), *(draw(method, search) for draw in drawn)]
    return tuple(one for one in found if one)


def _policies(method: str, search: Json) -> list[Chart]:
    """Return the policy over time: a stack for each choice, and one chart of what stands alone."""
    rows, steps = rows_of(search), steps_of(search)
    if not steps:
        return []
    trials = [0, *(int(step["trials"]) for step in steps)]
    before = [row["before"] for row in rows]
    odds = 100 * np.array([before, *(step["probability"] for step in steps)], float).T
    stages: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        stages.setdefault(str(row.get("stage") or ""), []).append(place)
    made = []
    for stage, places in stages.items():
        if len(places) > 1:
            layers = _layers(rows, odds, places)
            heading = "The policy over time" + (f": {stage}" if stage not in ("", PLAIN) else "")
            loop = number(mapping(search.get("history")).get("chosen"))
            svg = course.shares(
                trials, layers, None if loop is None else int(loop), f"{heading}: {method}"
            )
            made.append(Chart(heading, svg, _policy_words(search, loop is not None)))
    alone = [place for places in stages.values() if len(places) == 1 for place in places]
    if alone:
        heading = "How often a part acts, over time"
        lines = [Layer(str(rows[one].get("name") or ""), odds[[one]]) for one in alone]
        caption = "Each line is a part of the policy that happens or does not, on its own."
        made.append(Chart(heading, course.switches(trials, lines, f"{heading}: {method}"), caption))
    return made


def _layers(rows: Sequence[Json], odds: course.Floats, places: Sequence[int]) -> list[Layer]:
    """Return the operations of a choice, the most raised first."""
    members: dict[str, list[int]] = {}
    for place in places:
        row = rows[place]
        members.setdefault(str(row.get("group") or row.get("name") or ""), []).append(place)
    layers = [Layer(name, odds[mine]) for name, mine in members.items()]

    def raised(layer: Layer) -> float:
        total = layer.rows.sum(0)
        return float(total[-1] / max(total[0], 1e-9))

    return sorted(layers, key=raised, reverse=True)


def _policy_words(search: Json, chosen: bool) -> str:
    if search.get("race"):
        return (
            "At the left all ways to augment are alike; then the chance that the best of them has "
            "this part, by the trials so far; at the right what is used."
        )
    words = (
        "At the left the policy that the search began with. Each colour is an operation, its "
        "shades the bands of strength, the strongest most vivid; the most raised stand on top."
    )
    if chosen:
        words += " Dashed: the loop whose policy was kept, that with the highest reward."
    if search.get("learned") is False:
        words += (
            " Nothing was learned, so none of it is used: this is what the odds alone would "
            "have drawn, and what chance looks like."
        )
    return words


def _reward_chart(method: str, search: Json) -> Chart | None:
    every = _rewards(search)
    trials = [value for kind, value in every if kind not in (FOUND, PRIOR)]
    if not trials:
        return None
    history = mapping(search.get("history"))
    step = -(-len(trials) // MOST_DOTS)
    dots = [(float(i + 1), value) for i, value in enumerate(trials)][::step]
    checks = {
        kind: [value for one, value in every if one == kind][:MOST_DOTS] for kind in (FOUND, PRIOR)
    }
    end = len(trials) + max(1, len(trials) // 40)
    found, prior = (
        [(float(end + i + 1), value) for i, value in enumerate(checks[kind])]
        for kind in (FOUND, PRIOR)
    )
    noise = number(search.get("noise"))
    means = [(step.get("trials"), number(step.get("mean_reward"))) for step in steps_of(search)]
    line = [(float(x), y) for x, y in means if isinstance(x, int) and y is not None]
    marks = Marks(dots, found, prior, (fmean(trials), noise) if noise else None, line)
    heading = "The rewards of all trials"
    label = str(history.get("reward") or "reward")
    caption = f"Each grey dot is the reward of a trial ({len(trials)} trials). "
    if noise:
        caption += "Shaded: mean ± the fitted noise of one trial (one standard deviation). "
    if line:
        caption += "Line: mean of the rewards so far. "
    if found:
        caption += (
            "At the right the check: blue circles are trials of what was found, orange triangles "
            "those of what the search began with; a line joins two with the same batches."
        )
    return Chart(heading, course.rewards(marks, label, f"{heading}: {method}"), caption.strip())


def _doubt(method: str, search: Json) -> Chart | None:
    told = [
        (int(step["trials"]), number(step.get("permuted_reward_p"))) for step in steps_of(search)
    ]
    points = [(t, p) for t, p in told if p is not None and 0 < p <= 1]
    if not points:
        return None
    heading = "Could chance have given these rewards?"
    trials, ps = zip(*points, strict=True)
    svg = course.doubt(trials, ps, LEVEL, f"{heading}: {method}")
    caption = (
        "The share of shuffled rewards that fit the trials so far as well as the true ones (p). "
        "What counts is the last point alone: below the dashed line (5 %) the search learned "
        "something. On the way there the line is a picture, not a test made again and again."
    )
    return Chart(heading, svg, caption)


def _sharpness(method: str, search: Json) -> Chart | None:
    history = mapping(search.get("history"))
    before, counted = number(history.get("effective_before")), str(history.get("counted") or "rows")
    told = [(int(step["trials"]), number(step.get("effective")), step) for step in steps_of(search)]
    points = [(t, value, step) for t, value, step in told if value is not None]
    if before is None or not points:
        return None
    trials = [0, *(t for t, _, _ in points)]
    values = [before, *(value for _, value, _ in points)]
    ends = [ends_of(step.get("effective_shuffled")) for _, _, step in points]
    known = [one for one in ends if one is not None]
    chance = [(before, before), *known] if len(known) == len(ends) else []
    heading = "How sharp the policy became"
    svg = course.spread(trials, values, chance, before, counted, f"{heading}: {method}")
    caption = (
        f"Effective number of {counted}, exp(entropy): so many even choices are as varied. Dashed: "
        "before the search."
    )
    if chance:
        caption += (
            " Grey: the lowest to the highest of the same search with the rewards dealt out to the "
            "trials anew. A line inside it is no sharper than chance makes it"
        )
        control = isinstance(search.get("learned"), bool)
        caption += "; what speaks for a search is p, not sharpness." if control else "."
    return Chart(heading, svg, caption)
