"""Every method with the same seeds, scored on the sealed test part: tables, not verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learnaug import rundir, stats
from learnaug.nets import Spec
from learnaug.study import budget
from learnaug.study.job import finished, read_status
from learnaug.study.plan import Job, Plan
from learnaug.study.pool import execute
from learnaug.study.prepare import Request, folder_for, name_of, owned, prepare, workers
from learnaug.study.probe import trainings
from learnaug.study.progress import Progress, Say
from learnaug.study.stop import Interrupted, Stop, listening
from learnaug.study.world import World, open_world, overlap
from learnaug.training import Augmenter, Recipe, watched

__all__ = ["Arm", "Forecast", "Pairs", "foresee", "pairs", "read_pairs", "words_of"]


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs of one method; every mapping goes from the seed of a pair to a fraction.

    Args:
        scores: on the sealed test part, after the last epoch.
        last: on the validation part, after the last epoch.
        best: on the validation part, the best of the looks at it: what choosing the best epoch
            would have claimed.
        gap: loss on validation minus loss on training pictures, both as they are, after the last
            epoch (nats): how far the target overfits.
        seconds: mean time of a run, learning included; None without a run.
        errors: of the runs that failed.
    """

    scores: dict[int, float]
    last: dict[int, float]
    best: dict[int, float]
    gap: dict[int, float]
    seconds: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What the runs of a folder found so far.

    Args:
        out: the run folder.
        plan: what was planned.
        arms: method -> its runs.
        sizes: pictures of the parts "train", "valid" and "test" of the first split.
        overlap: n_test / n_train where the pairs are spread over repeated splits, else 0.
    """

    out: Path
    plan: Plan
    arms: dict[str, Arm]
    sizes: dict[str, int]
    overlap: float

    def difference(self, method: str, baseline: str | None = None) -> stats.Paired | None:
        """Return the paired difference to a baseline (the plan's by default); None without pairs.

        The t interval is widened for the overlap of repeated splits (Nadeau and Bengio 2003).
        """
        ours = self.arms[method].scores
        theirs = self.arms[baseline or self.plan.baseline].scores
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds:
            return None
        return stats.paired(
            [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds], overlap=self.overlap
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is left to do in a folder.

    Args:
        runs: how many are not done yet.
        seconds: about how long they take.
        where: the device, and how many run at a time.
    """

    runs: int
    seconds: float
    where: str


def pairs(
    data: Any,
    methods: Sequence[str],
    *,
    baseline: str = "none",
    seeds: int = 10,
    model: Spec = None,
    recipe: Recipe | None = None,
    per_class: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    drop_duplicates: bool = False,
    accept_change: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    given: Augmenter | None = None,
    forecast: Forecast | None = None,
    say: Say | None = None,
) -> Pairs:
    """Run every method with the seeds 0 … n - 1 and score each run once on the test part.

    Nothing is chosen and no verdict is given. Called again with the same settings it goes on.

    Args:
        data: anything that `learnaug.load` takes.
        methods: names, with settings behind a colon; the baseline is added.
        baseline: the method that differences are held against.
        seeds: number of pairs.
        model, recipe, per_class, seed, jobs, drop_duplicates, accept_change, device, say: as in
            `compare`.
        out: run folder; None: learnaug-runs/NAME-pairs in the working directory.
        given: an augmenter that is kept in the run folder; a setting `{given}` of a method is the
            path of its folder there. None: no method asks for one.
        forecast: what `foresee` said; None: it is measured here.

    Raises:
        UsageError, DataError, RunError: as in `compare`.
        Interrupted: the user asked to stop; what is done is kept.
    """
    request = _request(
        methods, baseline=baseline, seeds=seeds, model=model, recipe=recipe, per_class=per_class,
        seed=seed, jobs=jobs, drop_duplicates=drop_duplicates, accept_change=accept_change,
        device=device,
    )  # fmt: skip
    progress, stop = Progress(say), Stop()
    with _ready(data, out, request, stop, progress, given) as world:
        progress.start(world.plan, world.out, _jobs(world.plan), 0, trainings(world))
        known = forecast or _forecast(world, jobs, stop)
        if known.runs and not stop():
            counts = f"{known.runs} runs take" if known.runs > 1 else "1 run takes"
            progress.note(f"{counts} about {words_of(known.seconds)} ({known.where})")
        number = workers(world, jobs)
        execute(world, _jobs(world.plan), workers=number, stop=stop, tell=progress.tell)
    if stop.signum:
        raise Interrupted(stop.signum)
    return read_pairs(world.out)


def foresee(
    data: Any,
    methods: Sequence[str],
    *,
    jobs: int | None,
    out: str | Path,
    given: Augmenter | None = None,
    **settings: Any,
) -> Forecast:
    """Plan what `pairs` would run with these settings, and return what it costs; run nothing.

    Args:
        data, methods, jobs, out, given: as in `pairs`.
        settings: the others of `pairs`, each of them, without `forecast` and `say`.

    Raises:
        UsageError, DataError, RunError, Interrupted: as in `pairs`.
    """
    request, stop = _request(methods, jobs=jobs, **settings), Stop()
    with _ready(data, out, request, stop, Progress(None), given) as world:
        found = _forecast(world, jobs, stop)
    if stop.signum:
        raise Interrupted(stop.signum)
    return found


def _request(
    methods: Sequence[str],
    *,
    baseline: str,
    seeds: int,
    model: Spec,
    recipe: Recipe | None,
    per_class: int | None,
    seed: int,
    jobs: int | None,
    drop_duplicates: bool,
    accept_change: bool,
    device: str,
) -> Request:
    names = tuple(dict.fromkeys([baseline, *methods]))
    return Request(
        "pairs", names, model, baseline, seeds, per_class=per_class, seed=seed, jobs=jobs,
        drop_duplicates=drop_duplicates, accept_change=accept_change, device=device, recipe=recipe,
    )  # fmt: skip


@contextmanager
def _ready(
    data: Any,
    out: str | Path | None,
    request: Request,
    stop: Stop,
    progress: Progress,
    given: Augmenter | None,
) -> Iterator[World]:
    """Own the run folder inside the block, with everything planned."""
    folder = folder_for(data, out, "-pairs")
    with listening(stop), owned(folder, data, None, None) as images:
        yield prepare(folder, images, request, name_of(data, images), progress, stop, given)


def _forecast(world: World, jobs: int | None, stop: Stop) -> Forecast:
    """Return what the runs that are left cost; each method is timed for a few updates."""
    left = [job.method for job in _jobs(world.plan) if not finished(world.out, job)]
    number = workers(world, jobs)
    seconds = budget.estimate(world, left, number, stop)
    return Forecast(len(left), seconds, f"{world.plan.device}, {number} at a time")


def _jobs(plan: Plan) -> list[Job]:
    """Return all jobs, seed by seed; of a screening run no weights are kept."""
    return [
        Job(method, seed, "screen", "test")
        for seed in range(plan.seeds)
        for method in plan.methods
    ]  # fmt: skip


def read_pairs(out: Path) -> Pairs:
    """Return what the runs of a folder found so far.

    Raises:
        RunError: this is no run folder.
    """
    world = open_world(out)
    first = world.splits[0]
    sizes = {name: len(getattr(first, name)) for name in ("train", "valid", "test")}
    arms = {method: _arm(world, method) for method in world.plan.methods}
    return Pairs(out, world.plan, arms, sizes, overlap(world.splits))


def _arm(world: World, method: str) -> Arm:
    scores, last, best, gap = {}, {}, {}, {}
    seconds, errors = [], []
    for job in _jobs(world.plan):
        if job.method != method:
            continue
        run = rundir.run_folder(world.out, method, job.seed)
        status = read_status(run)
        if status["state"] == "failed":
            errors.append(f"seed {job.seed}: {status['error']}")
        if status["state"] != "done":
            continue
        scores[job.seed] = float(status["score"])
        seconds.append(sum(status["seconds"].values()))
        if rows := _watched(run):
            seen = [score for row in rows if (score := watched(row)) is not None]
            last[job.seed], best[job.seed] = seen[-1], max(seen)
            gap[job.seed] = rows[-1]["valid_loss"] - rows[-1]["train_loss"]
    mean = sum(seconds) / len(seconds) if seconds else None
    return Arm(scores, last, best, gap, mean, tuple(errors))


def _watched(run: Path) -> list[dict[str, Any]]:
    """Return the rows of the target's learning curve that look at the validation part."""
    log = rundir.curve_path(run)
    rows = rundir.read_records(log) if log else []
    return [row for row in rows if row.get("valid_loss") is not None]


def words_of(seconds: float) -> str:
    """Return a length of time in words, as closely as an estimate deserves.

    Example:
        >>> words_of(40), words_of(1500), words_of(9000)
        ('40 s', '25 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"
