"""Facts to numbers: the rows of the page's tables and the data of its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from learnaug.report.collect import Areas, Facts, Predictions, Run
from learnaug.report.values import Json, mapping, number, objects
from learnaug.seeds import Seeds
from learnaug.stats import image_interval, iou_interval, paired, share_won
from learnaug.training import watched

__all__ = [
    "Arm",
    "ClassEffect",
    "Pair",
    "arms",
    "class_effects",
    "counts",
    "interval_of_mean",
    "pairs",
    "peak_and_last",
    "role",
    "share",
]

Interval = tuple[float, float]
DRAWS = 2_000  # resamples of the images of one class


@dataclass(frozen=True)
class Arm:
    """One method in one stage: fractions in [0, 1], median seconds per training."""

    method: str
    stage: str
    part: str
    scores: tuple[float, ...]
    mean: float | None
    planned: int
    failed: int
    seconds: float | None
    learn_seconds: float | None
    nll: float | None
    ece: float | None
    pixel_accuracy: float | None

    @property
    def missing(self) -> int:
        """How many planned runs have neither a score nor an error."""
        return max(0, self.planned - self.failed - len(self.scores))


@dataclass(frozen=True)
class Pair:
    """Candidate and baseline trained with one seed; fractions."""

    seed: int
    candidate: float
    baseline: float

    @property
    def difference(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline


@dataclass(frozen=True)
class ClassEffect:
    """What the candidate did to one class of the test part; fractions, n test images."""

    name: str
    n: int
    baseline: float
    candidate: float
    interval: Interval | None

    @property
    def difference(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline


def role(facts: Facts, method: str) -> str:
    """Return how a method is drawn: "candidate", "baseline", "trivialaugment" or "other"."""
    if method and method == facts.candidate:
        return "candidate"
    if method == facts.baseline:
        return "baseline"
    return method if method == "trivialaugment" else "other"


def arms(facts: Facts) -> list[Arm]:
    """Return one row per method and stage, highest mean first within a stage."""
    keys = dict.fromkeys((run.stage, run.method) for run in facts.runs)
    rows = [_arm(facts, stage, method) for stage, method in keys]
    return sorted(rows, key=lambda arm: (arm.stage != "screen", -(arm.mean or -1.0)))


def interval_of_mean(scores: Sequence[float]) -> Interval | None:
    """Return the 95 % t interval of a mean over runs, or None for fewer than two."""
    return paired(scores, [0.0] * len(scores)).interval if len(scores) > 1 else None


def pairs(facts: Facts, candidate: str, baseline: str) -> list[Pair]:
    """Return the confirm stage's pairs: seeds for which both runs have a score."""
    left, right = _scores(facts, candidate), _scores(facts, baseline)
    return [Pair(seed, left[seed], right[seed]) for seed in sorted(left.keys() & right.keys())]


def counts(facts: Facts) -> dict[str, int]:
    """Return how many runs were planned, and how many ended how; every run counts once."""
    states = [run.state for run in facts.runs]
    done, failed = states.count("done"), states.count("failed")
    rest = len(states) - done - failed
    return {"planned": len(states), "done": done, "failed": failed, "missing": rest}


def class_effects(facts: Facts) -> list[ClassEffect]:
    """Return candidate minus baseline for each class of the test part, largest gain first.

    Correctness of an image is averaged over its runs, then compared; the interval resamples the
    images of the class. For masks the IoU of the class is compared run by run, and all images are
    resampled. Without stored predictions the classes' figures are compared, without an interval.
    """
    runs = _run_pairs(facts)
    classes = list(dict.fromkeys(name for c, _ in runs for name in _per_class(c)))
    if areas := _all_areas(runs):
        effects = [_from_areas(i, name, areas) for i, name in enumerate(classes)]
        return sorted((one for one in effects if one), key=lambda one: (-one.difference, one.name))
    images = _image_means(runs)
    found = [
        _from_images(i, name, images) if images else _from_metrics(name, runs)
        for i, name in enumerate(classes)
    ]
    return sorted((one for one in found if one), key=lambda one: (-one.difference, one.name))


def peak_and_last(runs: Iterable[Run]) -> tuple[float, int] | None:
    """Return by how much the highest validation accuracy exceeds the last one; mean and n."""
    gaps = []
    for run in runs:
        curve = [number(watched(row)) for row in run.log]
        known = [value for value in curve if value is not None]
        if known:
            gaps.append(max(known) - known[-1])
    return (fmean(gaps), len(gaps)) if gaps else None


def share(found: Sequence[Pair]) -> tuple[float, Interval] | None:
    """Return the share of pairs with the higher score for the candidate, and its interval."""
    if not found:
        return None
    won = share_won([pair.candidate for pair in found], [pair.baseline for pair in found])
    return won.share, won.interval


def _arm(facts: Facts, stage: str, method: str) -> Arm:
    runs = facts.of(method, stage)
    done = [run for run in runs if run.state == "done"]
    row = _summary_row(facts, stage, method)
    given = row.get("scores")
    given = given if isinstance(given, list) else []
    scores = tuple(s for s in map(number, given) if s is not None)
    scores = scores or tuple(run.score for run in done if run.score is not None)
    failed = max(int(number(row.get("failed")) or 0), sum(run.state == "failed" for run in runs))
    mean = number(row.get("mean"))
    return Arm(
        method,
        stage,
        runs[0].part,
        scores,
        fmean(scores) if mean is None and scores else mean,
        len(runs),
        failed,
        _median(run.seconds for run in done),
        _median(run.learn_seconds for run in done),
        _mean(run.metrics.get("nll") for run in done),
        _mean(run.metrics.get("ece") for run in done),
        _mean(run.metrics.get("pixel_accuracy") for run in done),
    )


def _summary_row(facts: Facts, stage: str, method: str) -> Json:
    for row in objects(facts.summary.get("methods")):
        if (row.get("stage"), row.get("method")) == (stage, method):
            return row
    return {}


def _median(values: Iterable[float | None]) -> float | None:
    """Return the median, which the slow first run of a process does not move."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _mean(values: Iterable[object]) -> float | None:
    known = [value for value in map(number, values) if value is not None]
    return fmean(known) if known else None


def _scores(facts: Facts, method: str) -> dict[int, float]:
    runs = facts.of(method, "confirm")
    return {run.seed: run.score for run in runs if run.state == "done" and run.score is not None}


def _run_pairs(facts: Facts) -> list[tuple[Run, Run]]:
    right = {run.seed: run for run in facts.of(facts.baseline, "confirm") if run.metrics}
    left = [run for run in facts.of(facts.candidate, "confirm") if run.metrics]
    return [(run, right[run.seed]) for run in left if run.seed in right]


def _per_class(run: Run) -> Json:
    return mapping(run.metrics.get("per_class"))


Images = tuple[np.ndarray, np.ndarray, np.ndarray]  # label, candidate, baseline; [images]


def _image_means(runs: Sequence[tuple[Run, Run]]) -> Images | None:
    """Return each image's label and its mean correctness under both methods."""
    parts = []
    for c, b in ((c.predictions, b.predictions) for c, b in runs):
        if not isinstance(c, Predictions) or not isinstance(b, Predictions):
            return None
        same, i, j = np.intersect1d(c.ids, b.ids, return_indices=True)
        parts.append((same.astype(str), c.labels[i], c.correct[i], b.correct[j]))
    if not parts:
        return None
    ids, labels, left, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    _, first, place = np.unique(ids, return_index=True, return_inverse=True)
    times = np.bincount(place)
    return labels[first], np.bincount(place, left) / times, np.bincount(place, right) / times


def _from_images(index: int, name: str, images: Images) -> ClassEffect | None:
    label, left, right = images
    mine = label == index
    n = int(mine.sum())
    if not n:
        return None
    gen = Seeds(0).child("report", "class", index).numpy()
    interval = image_interval(left[mine], right[mine], None, gen, draws=DRAWS) if n > 1 else None
    return ClassEffect(name, n, float(right[mine].mean()), float(left[mine].mean()), interval)


def _all_areas(runs: Sequence[tuple[Run, Run]]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the areas of both methods [2, runs, n, 2, K] and where a class is present [n, K].

    The images are those that any run saw; where a run did not see one, its areas are 0.
    """
    found = [(c.predictions, b.predictions) for c, b in runs]
    pairs = [(c, b) for c, b in found if isinstance(c, Areas) and isinstance(b, Areas)]
    if not pairs or len(pairs) < len(found):
        return None
    ids = np.unique(np.concatenate([c.ids for c, _ in pairs]).astype(str))
    classes = pairs[0][0].present.shape[1]
    pixels = np.zeros((2, len(pairs), len(ids), 2, classes))
    present = np.zeros((len(ids), classes), bool)
    for run, pair in enumerate(pairs):
        for side, one in enumerate(pair):
            at = np.searchsorted(ids, one.ids.astype(str))
            pixels[side, run, at] = one.pixels
            present[at] |= one.present
    return pixels, present


def _from_areas(index: int, name: str, areas: tuple[np.ndarray, np.ndarray]) -> ClassEffect | None:
    pixels, present = areas[0][..., index : index + 1], areas[1][:, index]
    hits, union = pixels[:, :, :, 0].sum(2), pixels[:, :, :, 1].sum(2)  # [2, runs, 1]
    if not present.any() or not union.all():
        return None
    left, right = (hits / union).mean((1, 2))
    gen = Seeds(0).child("report", "class", index).numpy()
    interval = iou_interval(pixels[0], pixels[1], None, gen, DRAWS) if len(present) > 1 else None
    return ClassEffect(name, int(present.sum()), float(right), float(left), interval)


def _from_metrics(name: str, runs: Sequence[tuple[Run, Run]]) -> ClassEffect | None:
    left = _mean(_per_class(c).get(name) for c, _ in runs)
    right = _mean(_per_class(b).get(name) for _, b in runs)
    return None if left is None or right is None else ClassEffect(name, 0, right, left, None)
