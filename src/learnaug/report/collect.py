"""Read a run folder into one plain structure; what is missing is noted, never fatal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learnaug import rundir
from learnaug.errors import LearnaugError
from learnaug.report.values import Json, integers, mapping, names, number, objects

if TYPE_CHECKING:
    from learnaug.methods import Gallery

__all__ = ["Areas", "Facts", "Predictions", "Run", "audit_in", "collect", "search_in"]

MAX_CURVE_POINTS = 120
LARGE = 1 << 28  # bytes: a split file names every image
LEARNED = (".jsonl", ".safetensors")  # of what a fixed method does not write
AUDIT, SEARCH, CHAIN = "learnaug-safe", "learnaug-search", "learnaug-chain"  # augmenter.json
MAX_MEMBERS, MAX_DEPTH = 16, 2  # of chains


@dataclass(frozen=True)
class Predictions:
    """Which test images one run got right: ids [n], labels int64 [n], correct bool [n]."""

    ids: np.ndarray
    labels: np.ndarray
    correct: np.ndarray


@dataclass(frozen=True)
class Areas:
    """How one run's classes overlap with the masks of the test images.

    Args:
        ids: [n].
        pixels: int64 [n, 2, K], intersection and union of each image and class.
        present: bool [n, K], whether the class is in the mask.
    """

    ids: np.ndarray
    pixels: np.ndarray
    present: np.ndarray


@dataclass(frozen=True)
class Run:
    """One planned run: what was asked, and what came of it.

    Args:
        state: "done", "failed", "running", … as its status says; "missing" where there is none.
        seconds: learning and training together.
        learn_seconds: learning alone.
        score: the comparison's metric on `part`, a fraction.
        log: rows of the training log, in order.
        metrics: what was measured on `part`; empty where nothing was.
        augmenter: where the run folder keeps what was learned, or "".
        taught: how the model was trained, where it was not with what was learned alone.
        learned: whether the method left more than a policy: weights, or a log of its learning.
    """

    method: str
    seed: int
    stage: str
    part: str
    state: str = "missing"
    error: str = ""
    seconds: float | None = None
    score: float | None = None
    log: tuple[Json, ...] = ()
    metrics: Json = field(default_factory=dict)
    predictions: Predictions | Areas | None = None
    augmenter: str = ""
    learned: bool = False
    learn_seconds: float | None = None
    taught: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything the page says, read once.

    Args:
        runs: every planned run and every run found, screen stage first.
        samples: method -> uint8 [rows, n, C, H, W]; the untouched pictures under "original".
        masks: method -> uint8 [rows, n, H, W], the masks of the samples; empty without masks.
        origin: versions and machine of the first run that has them.
        gaps: what could not be read or is not there yet, in words.
        galleries: method -> the pictures of what it learned, from its first run that is done.
        audits, searches: method -> seed and audit (search) of each run that is done and kept one.
    """

    plan: Json
    summary: Json
    split: Json
    check: Json
    runs: tuple[Run, ...]
    samples: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    origin: Json
    gaps: tuple[str, ...]
    galleries: dict[str, tuple[Gallery, ...]] = field(default_factory=dict)
    audits: dict[str, tuple[tuple[int, Json], ...]] = field(default_factory=dict)
    searches: dict[str, tuple[tuple[int, Json], ...]] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """Name of the score of the comparison."""
        return str(self.plan.get("metric") or self.summary.get("metric") or "accuracy")

    @property
    def masked(self) -> bool:
        """Whether the images have masks in place of classes."""
        return self.metric == "mean_iou"

    @property
    def baseline(self) -> str:
        """Name of the method that the candidate is held against."""
        return str(self.verdict.get("baseline") or self.plan.get("baseline") or "none")

    @property
    def candidate(self) -> str:
        """Name of the method that was chosen, or "" while none is."""
        return str(self.verdict.get("candidate") or "")

    @property
    def verdict(self) -> Json:
        """The main verdict of the summary; empty while there is none."""
        return mapping(self.summary.get("verdict"))

    @property
    def second(self) -> Json:
        """The verdict against trivialaugment; empty where there is none."""
        return mapping(self.summary.get("against_trivialaugment"))

    @property
    def cuts(self) -> int:
        """How often the parts were cut anew, for pairs that take turns; 1: once."""
        repeats = number(mapping(self.plan.get("split")).get("repeats"))
        return max(1, int(repeats or 1))

    def of(self, method: str, stage: str) -> tuple[Run, ...]:
        """Return the runs of one method in one stage."""
        return tuple(run for run in self.runs if (run.method, run.stage) == (method, stage))

    def learned(self, method: str) -> bool:
        """Return whether what a method left was learned: its name alone does not bring it back."""
        found = any(run.learned for run in self.runs if run.method == method)
        return found or method in self.audits or method in self.searches


def collect(out: Path) -> Facts:
    """Return what the run folder `out` holds; files that are absent or damaged become gaps."""
    gaps: list[str] = []
    plan, summary, split, check = (
        mapping(_try(_read_large, path(out), gaps))
        for path in (rundir.plan_path, rundir.summary_path, rundir.split_path, rundir.check_path)
    )
    metric = str(plan.get("metric") or summary.get("metric") or "accuracy")
    runs = tuple(_run(out, *key, metric, gaps) for key in _planned(out, plan, summary))
    methods = dict.fromkeys(run.method for run in runs)
    samples, masks = _samples(out, ["original", *methods], gaps)
    origin = _origin(out, runs)
    galleries = _galleries(out, runs, gaps)
    audits, searches = (_kept(out, runs, read, gaps) for read in (audit_in, search_in))
    return Facts(
        plan, summary, split, check, runs, samples, masks, origin, tuple(gaps), galleries, audits,
        searches,
    )  # fmt: skip


def _read_large(path: Path) -> Any:
    return rundir.read_json(path, limit=LARGE)


def _try(read: Callable[[Path], Any], path: Path, gaps: list[str]) -> Any:
    """Return what `read` finds at `path`, or None and a note."""
    try:
        if not path.exists():
            gaps.append(f"{path.name} is not there yet")
            return None
        return read(path)
    except (LearnaugError, OSError, ValueError, KeyError) as error:
        gaps.append(f"{path.name} cannot be read: {str(error).splitlines()[0]}")
        return None


Key = tuple[str, int, str, str]  # method, seed, stage, part


def _planned(out: Path, plan: Json, summary: Json) -> list[Key]:
    """Return every run that the plan or the summary asks for, screen stage first."""
    baseline = str(plan.get("baseline") or "none")
    screened = [baseline, *names(plan.get("methods")), *names(plan.get("controls"))]
    screened = list(dict.fromkeys(screened)) if plan else []
    keys = [
        (method, seed, "screen", "valid")
        for method in screened
        for seed in integers(plan.get("seeds"))
    ]
    chosen = _confirmed(summary)
    fresh = [
        (method, seed, "confirm", "test")
        for method in dict.fromkeys([*screened, *sorted(chosen)])
        for seed in integers(plan.get("confirm_seeds"))
    ]
    keys += [key for key in fresh if key[0] in chosen or _started(out, *key[:2])]
    for row in objects(summary.get("methods")):
        stage, part = str(row.get("stage") or "screen"), str(row.get("part") or "valid")
        keys += [(str(row.get("method")), s, stage, part) for s in integers(row.get("seeds"))]
    unique = {
        (method, seed, stage): (method, seed, stage, part) for method, seed, stage, part in keys
    }
    return sorted(unique.values(), key=lambda key: key[2] != "screen")


def _confirmed(summary: Json) -> set[str]:
    """Return the methods of the confirm stage; none before the candidate is chosen."""
    verdicts = [mapping(summary.get(name)) for name in ("verdict", "against_trivialaugment")]
    found = {str(one.get(side) or "") for one in verdicts for side in ("candidate", "baseline")}
    return found - {""}


def _started(out: Path, method: str, seed: int) -> bool:
    return rundir.status_path(rundir.run_folder(out, method, seed)).exists()


def _run(
    out: Path, method: str, seed: int, stage: str, part: str, metric: str, gaps: list[str]
) -> Run:
    folder = rundir.run_folder(out, method, seed)
    if not _started(out, method, seed):
        return Run(method, seed, stage, part)
    status = mapping(_try(rundir.read_json, rundir.status_path(folder), gaps))
    done = status.get("state") == "done"
    metrics = mapping(_try(rundir.read_json, rundir.metrics_path(folder), gaps)) if done else {}
    score = number(metrics.get(metric))
    augmenter = rundir.augmenter_folder(folder)
    return Run(
        method,
        seed,
        stage,
        part,
        str(status.get("state") or "unknown"),
        str(status.get("error") or ""),
        _seconds(status.get("seconds")),
        number(status.get("score")) if score is None else score,
        _log(rundir.curve_path(folder) if done else rundir.log_path(folder, "train"), gaps),
        metrics,
        _predictions(rundir.predictions_path(folder), gaps) if done and part == "test" else None,
        augmenter.relative_to(out).as_posix() if augmenter.is_dir() else "",
        any(path.suffix in LEARNED for path in rundir.learn_folder(folder).rglob("*")),
        number(mapping(status.get("seconds")).get("learn")),
        str(status.get("taught") or ""),
    )


def _seconds(value: Any) -> float | None:
    """Return seconds given as one number, or as an object of phases."""
    if not isinstance(value, dict):
        return number(value)
    known = [one for one in map(number, value.values()) if one is not None]
    return sum(known) if known else None


def _log(path: Path | None, gaps: list[str]) -> tuple[Json, ...]:
    """Return the rows of a training log, thinned evenly where there are very many."""
    if path is None or not path.exists():
        return ()
    rows = [mapping(row) for row in _try(rundir.read_records, path, gaps) or []]
    step = -(-len(rows) // MAX_CURVE_POINTS) or 1
    return tuple(rows[::-1][::step][::-1])  # the last row always stays


def _predictions(path: Path, gaps: list[str]) -> Predictions | Areas | None:
    arrays = _try(rundir.read_arrays, path, gaps) if path.exists() else None
    if arrays is None:
        return None
    if {"hits", "truth", "predicted"} <= set(arrays):
        return _areas(arrays, path.name, gaps)
    if not {"probabilities", "labels"} <= set(arrays):
        return None
    probabilities, labels = np.asarray(arrays["probabilities"]), np.asarray(arrays["labels"])
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        gaps.append(f"{path.name} has unfitting shapes")
        return None
    ids = np.asarray(arrays.get("ids", np.arange(len(labels))))
    return Predictions(ids, labels, probabilities.argmax(1) == labels)


def _areas(arrays: dict[str, np.ndarray], name: str, gaps: list[str]) -> Areas | None:
    hits, truth, predicted = (np.asarray(arrays[key]) for key in ("hits", "truth", "predicted"))
    ids = np.asarray(arrays.get("ids", np.arange(len(hits))))
    shapes = {hits.shape, truth.shape, predicted.shape}
    if len(shapes) > 1 or hits.ndim != 2 or len(ids) != len(hits):
        gaps.append(f"{name} has unfitting shapes")
        return None
    return Areas(ids, np.stack([hits, truth + predicted - hits], 1), truth > 0)


def _samples(
    out: Path, wanted: Iterable[str], gaps: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the sample pictures of each method, and their masks where there are some."""
    found: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for name in wanted:
        path = rundir.samples_path(out, name)
        arrays = _try(rundir.read_arrays, path, gaps) if path.exists() else None
        if arrays is not None and "images" in arrays:
            found[name] = np.asarray(arrays["images"])
            if "masks" in arrays:
                masks[name] = np.asarray(arrays["masks"])
    return found, masks


def _galleries(out: Path, runs: Iterable[Run], gaps: list[str]) -> dict[str, tuple[Gallery, ...]]:
    """Return what each method learned in pictures, from the first of its runs that kept any."""
    kept: dict[str, Path] = {}
    for run in runs:
        folder = rundir.run_folder(out, run.method, run.seed)
        if run.state == "done" and rundir.galleries_path(folder).exists():
            kept.setdefault(run.method, folder)
    if not kept:
        return {}
    from learnaug.methods import gallery  # loads PyTorch, which most pages do without

    found = {method: _try(gallery.read, folder, gaps) for method, folder in kept.items()}
    return {method: galleries for method, galleries in found.items() if galleries}


def _kept(
    out: Path, runs: Iterable[Run], read: Callable[[Path], Json], gaps: list[str]
) -> dict[str, tuple[tuple[int, Json], ...]]:
    """Return what the augmenters of each method's runs tell, with the seed."""
    found: dict[str, tuple[tuple[int, Json], ...]] = {}
    for run in runs:
        if run.state == "done" and run.augmenter:
            told = mapping(_try(read, out / run.augmenter, gaps))
            if told:
                found[run.method] = (*found.get(run.method, ()), (run.seed, told))
    return found


def audit_in(folder: Path) -> Json:
    """Return the audit of operations in the folder of an augmenter; empty where it has none.

    Args:
        folder: of an augmenter, or of a chain, whose first audit is taken.

    Raises:
        LearnaugError: an augmenter.json is damaged.
    """
    return _told_in(folder, AUDIT, "audit")


def search_in(folder: Path) -> Json:
    """Return the search for a policy in the folder of an augmenter, as `audit_in` does an audit."""
    return _told_in(folder, SEARCH, "search")


def _told_in(folder: Path, form: str, key: str, depth: int = 0) -> Json:
    """Return `key` of the first augmenter of a format, in chains no deeper than MAX_DEPTH."""
    path = folder / "augmenter.json"
    content = mapping(rundir.read_json(path)) if path.is_file() else {}
    if content.get("format") == form:
        return mapping(content.get(key))
    if content.get("format") != CHAIN or depth == MAX_DEPTH:
        return {}
    members = range(min(len(names(content.get("members"))), MAX_MEMBERS))
    return next(
        (one for i in members if (one := _told_in(folder / f"{i}", form, key, depth + 1))), {}
    )


def _origin(out: Path, runs: Iterable[Run]) -> Json:
    for run in runs:
        path = rundir.origin_path(rundir.run_folder(out, run.method, run.seed))
        if path.exists():
            return mapping(_try(rundir.read_json, path, []))
    return {}
