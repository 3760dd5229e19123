"""Facts to figures: what each picture shows, and the sentence that says how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from learnaug.report import figures
from learnaug.report.collect import Facts, Run
from learnaug.report.figures import Curve, Interval, Row
from learnaug.report.tables import (
    Arm,
    ClassEffect,
    Pair,
    arms,
    class_effects,
    interval_of_mean,
    pairs,
    role,
)
from learnaug.report.values import Json, number
from learnaug.stats import metric_words

__all__ = ["Chart", "delta_points", "forest", "main_charts"]

MOST_CLASSES = 30  # with more, the 15 at either end are drawn


@dataclass(frozen=True)
class Chart:
    """A figure with its heading and the sentence below it."""

    heading: str
    svg: str
    caption: str


def main_charts(facts: Facts) -> dict[str, list[Chart]]:
    """Return the page's figures by section; what has no data is left out."""
    table = arms(facts)
    score = "valid_mean_iou" if facts.masked else "valid_accuracy"
    sections = {
        "accuracy": [_accuracy(facts, table, "screen"), _accuracy(facts, table, "confirm")],
        "differences": [_pairs(facts, facts.verdict), _pairs(facts, facts.second)],
        "cost": [_cost(facts, table)],
        "classes": [_classes(facts)],
        "curves": [_curves(facts, "loss"), _curves(facts, score)],
    }
    return {name: [one for one in found if one] for name, found in sections.items()}


def delta_points(facts: Facts) -> float:
    """Return the smallest difference of interest in percentage points."""
    return 100 * (number(facts.plan.get("delta")) or 0.01)


def forest(facts: Facts) -> Chart | None:
    """Return the intervals under each verdict: over runs, and over images."""
    rows = [
        row for verdict in (facts.verdict, facts.second) for row in _forest_rows(facts, verdict)
    ]
    if not rows:
        return None
    delta = delta_points(facts)
    caption = (
        f"An interval right of zero speaks for {figures.short(facts.candidate)}, one left of it "
        f"against; inside the shaded band (±{delta:.1f} points) the difference is too small to "
        f"matter. Lines: 95 % intervals over runs, and over images like those of the test part."
    )
    return Chart("", figures.forest(rows, delta, "Difference with its 95 % intervals"), caption)


def _forest_rows(facts: Facts, verdict: Json) -> list[Row]:
    difference = number(verdict.get("difference"))
    if difference is None:
        return []
    kind = "candidate" if verdict is facts.verdict else "trivialaugment"
    against = figures.short(str(verdict.get("baseline")), 18)
    named = (("interval", "runs"), ("image_interval", "images"))
    found = [(_interval(verdict.get(field)), word) for field, word in named]
    return [
        Row(f"vs {against}, {word}", (), 100 * difference, ends, kind)
        for ends, word in found
        if ends or word == "runs"
    ]


def _interval(value: object) -> Interval | None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (100 * low, 100 * high)


def _percent(interval: Interval | None) -> Interval | None:
    return (100 * interval[0], 100 * interval[1]) if interval else None


STAGES = {
    "screen": (
        "Screen stage: validation part",
        (
            "Each dot is one training; the large mark is the mean and the line its 95 % interval "
            "({n}); an arrow head says that it goes on. This stage only chooses the candidate; "
            "nothing is claimed from it."
        ),
    ),
    "confirm": (
        "Confirm stage: test part",
        (
            "The same for the fresh seeds of the confirm stage, on test images that {sealed} "
            "({n}). The verdict rests on these runs alone."
        ),
    ),
}


def _accuracy(facts: Facts, table: Sequence[Arm], stage: str) -> Chart | None:
    mine = [arm for arm in table if arm.stage == stage]
    if not any(arm.scores for arm in mine):
        return None
    rows = [_accuracy_row(facts, arm) for arm in mine]
    heading, caption = STAGES[stage]
    svg = figures.accuracy(rows, f"{_metric(facts)}, percent", heading)
    cut = "are sealed in their own cut" if facts.cuts > 1 else "no choice was made on"
    return Chart(heading, svg, caption.format(n=_runs_each(mine), sealed=cut))


def _accuracy_row(facts: Facts, arm: Arm) -> Row:
    dots = tuple(100 * score for score in arm.scores)
    mean = None if arm.mean is None else 100 * arm.mean
    notes = ["no score" if mean is None else f"{mean:.1f}"]
    notes += [f"{arm.failed} failed"] if arm.failed else []
    notes += [f"{arm.missing} missing"] if arm.missing else []
    interval = _percent(interval_of_mean(arm.scores))
    return Row(arm.method, dots, mean, interval, role(facts, arm.method), " · ".join(notes))


def _runs_each(table: Sequence[Arm]) -> str:
    sizes = sorted({len(arm.scores) for arm in table})
    span = f"{sizes[0]}" + (f" to {sizes[-1]}" if len(sizes) > 1 else "")
    return f"n = {span} run{'s' * (span != '1')} per method"


def _metric(facts: Facts) -> str:
    return metric_words(facts.metric)


def _pairs(facts: Facts, verdict: Json) -> Chart | None:
    candidate, baseline = str(verdict.get("candidate")), str(verdict.get("baseline"))
    found = pairs(facts, candidate, baseline)
    if not found:
        return None
    kind = "candidate" if verdict is facts.verdict else "trivialaugment"
    rows = [_pair_row(pair, kind) for pair in found]
    mean = number(verdict.get("difference"))
    rows.append(Row("mean", (), _points(mean), _interval(verdict.get("interval")), kind))
    heading = f"{figures.short(candidate)} minus {figures.short(baseline)}, seed by seed"
    svg = figures.effects(rows, "percentage points on test", heading, delta_points(facts))
    caption = (
        f"Each row is one pair of trainings that differ in the augmentation only (n = {len(found)} "
        f"pair{'s' * (len(found) != 1)}); dots right of zero are gains. "
        "The last row is their mean with its 95 % interval."
    )
    return Chart(heading, svg, caption)


def _pair_row(pair: Pair, kind: str) -> Row:
    points = 100 * pair.difference
    return Row(f"seed {pair.seed}", (), points, None, kind, f"{points:+.1f}".replace("-", "−"))


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _cost(facts: Facts, table: Sequence[Arm]) -> Chart | None:
    screen = [arm for arm in table if arm.stage == "screen" and arm.mean is not None]
    base = next((arm.mean for arm in screen if arm.method == facts.baseline), None)
    timed = [arm for arm in screen if arm.seconds is not None]
    if base is None or not timed:
        return None
    points = [
        Row(arm.method, (arm.seconds or 0.0,), 100 * ((arm.mean or 0.0) - base), None, kind)
        for arm in timed
        for kind in [role(facts, arm.method)]
    ]
    heading = "Gain over the baseline, screen stage"
    svg = figures.cost(points, f"points over {figures.short(facts.baseline)}", heading)
    caption = (
        "Higher is a larger gain over the baseline on the validation part (screen stage, "
        f"{_runs_each(timed)}), further left is cheaper (median time); "
        "the time to learn is counted in."
    )
    return Chart(heading, svg, caption)


def _classes(facts: Facts) -> Chart | None:
    found = class_effects(facts)
    if not found:
        return None
    half = MOST_CLASSES // 2
    shown = found if len(found) <= MOST_CLASSES else [*found[:half], *found[-half:]]
    rows = [_class_row(one) for one in shown]
    heading = "Change per class on the test part"
    over = "the test images (n with the class" if facts.masked else "the class's test images (n"
    svg = figures.effects(rows, "percentage points, candidate minus baseline", heading)
    cut = "" if shown is found else f" Of {len(found)} classes the {half} at either end are drawn."
    caption = (
        "Classes right of zero gain, classes left of it lose; a line that crosses zero says "
        f"nothing either way. Lines: 95 % intervals over {over} at the right); "
        "of twenty such lines one is expected to miss by chance."
        f"{cut}"
    )
    return Chart(heading, svg, caption)


def _class_row(one: ClassEffect) -> Row:
    note = f"n = {one.n}" if one.n else ""
    kind = "candidate" if one.difference >= 0 else "baseline"
    return Row(one.name, (), 100 * one.difference, _percent(one.interval), kind, note)


CURVES = {
    "loss": (
        "Training loss",
        (
            "Falling, then flat: trained to the end. Losses of methods that mix labels or train "
            "on merged pictures too are higher by nature and do not compare."
        ),
        1.0,
    ),
    "valid_accuracy": (
        "Validation accuracy, percent",
        (
            "On at most 500 validation pictures. The screen stage compares {metric} after the last "
            "epoch, on all of them."
        ),
        100.0,
    ),
}
CURVES["valid_mean_iou"] = ("Validation mean IoU, percent", *CURVES["valid_accuracy"][1:])


def _curves(facts: Facts, key: str) -> Chart | None:
    methods = dict.fromkeys(run.method for run in facts.runs)
    heading, caption, scale = CURVES[key]
    lines = []
    for method in methods:
        stage = "screen" if any(run.log for run in facts.of(method, "screen")) else "confirm"
        line = _curve(facts.of(method, stage), key, scale, role(facts, method))
        lines += [line] if line else []
    if not lines:
        return None
    svg = figures.curves(lines, heading[0].lower() + heading[1:], f"{heading} by epoch")
    band = " Middle line: mean; band: lowest to highest seed; thin grey lines: other methods."
    return Chart(heading, svg, caption.format(metric=metric_words(facts.metric)) + band)


def _curve(runs: Sequence[Run], key: str, scale: float, kind: str) -> Curve | None:
    """Return mean, lowest and highest over the seeds at every epoch that all of them logged."""
    series = [_series(run, key) for run in runs]
    series = [one for one in series if one]
    if not series:
        return None
    shared = sorted(set.intersection(*(set(one) for one in series)))
    if not shared:
        return None
    values = scale * np.array([[one[x] for x in shared] for one in series])
    middle = np.array([fmean(column) for column in values.T])
    low, high = values.min(0), values.max(0)
    return Curve(runs[0].method, kind, np.array(shared), middle, low, high)


def _series(run: Run, key: str) -> dict[float, float]:
    # What a jointly trained target descends along stands beside the sum of both nets' losses.
    keys = ("loss_b", key) if key == "loss" else (key,)
    values = ((row.get("epoch"), next((row[k] for k in keys if k in row), None)) for row in run.log)
    found = ((number(epoch), number(value)) for epoch, value in values)
    return {x: y for x, y in found if x is not None and y is not None}
