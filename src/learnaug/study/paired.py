"""Every method with the same seeds, scored on the sealed test part: tables, not verdicts."""

from __future__ import annotations

from collections.abc import Sequence
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
from learnaug.study.progress import Progress, Say
from learnaug.study.stop import Interrupted, Stop, listening
from learnaug.study.world import World, open_world, overlap
from learnaug.training import Recipe, watched

__all__ = ["Arm", "Pairs", "pairs", "read_pairs"]


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs of one method; every mapping goes from the seed of a pair to a fraction.

    Args:
        scores: on the sealed test part, after the last epoch.
        last: on the validation part, after the last epoch.
        best: on the validation part, the best of the looks at it: what choosing the best epoch
            would have claimed.
        seconds: mean time of a run, learning included; None without a run.
        errors: of the runs that failed.
    """

    scores: dict[int, float]
    last: dict[int, float]
    best: dict[int, float]
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

    Raises:
        UsageError, DataError, RunError: as in `compare`.
        Interrupted: the user asked to stop; what is done is kept.
    """
    names = tuple(dict.fromkeys([baseline, *methods]))
    request = Request(
        "pairs", names, model, baseline, seeds, 0, None, per_class, seed, None, jobs, None,
        drop_duplicates, accept_change, device, recipe,
    )  # fmt: skip
    progress, stop = Progress(say), Stop()
    folder = folder_for(data, out, "-pairs")
    with listening(stop), owned(folder, data, None, None) as images:
        world = prepare(folder, images, request, name_of(data, images), progress, stop)
        _run(world, jobs, stop, progress)
    if stop.signum:
        raise Interrupted(stop.signum)
    return read_pairs(folder)


def _run(world: World, jobs: int | None, stop: Stop, progress: Progress) -> None:
    todo = _jobs(world.plan)
    left = [job for job in todo if not finished(world.out, job)]
    number = workers(world, jobs)
    progress.start(world.plan, world.out, todo, 0)
    if left and not stop():
        hours = budget.estimate(world, [job.method for job in left], number) / 3600
        where = f"{world.plan.device}, {number} at a time"
        progress.note(f"{len(left)} runs take about {_hours(hours)} ({where})")
    execute(world, todo, workers=number, stop=stop, tell=progress.tell)


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
    scores, last, best = {}, {}, {}
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
        if seen := _watched(run):
            last[job.seed], best[job.seed] = seen[-1], max(seen)
    mean = sum(seconds) / len(seconds) if seconds else None
    return Arm(scores, last, best, mean, tuple(errors))


def _watched(run: Path) -> list[float]:
    """Return the validation scores of the target's learning curve.

    A target that was trained along with its augmentation has its curve in the log of the learning.
    """
    train, learn = rundir.log_path(run, "train"), rundir.log_path(run, "learn")
    logs = [train] if train.is_file() else sorted(learn.parent.glob("*.jsonl"))
    rows = [row for log in logs for row in rundir.read_records(log)]
    return [score for row in rows if (score := watched(row)) is not None]


def _hours(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 1 else f"{hours:,.1f} h"
