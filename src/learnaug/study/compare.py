"""The main job: check, split, screen, confirm, say what may be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.errors import RunError
from learnaug.methods import CONTROLS, METHODS, unfit_for_masks
from learnaug.methods.folders import load_folder
from learnaug.nets import Spec
from learnaug.ops.sets import OperationSet
from learnaug.study.job import newest_augmenter
from learnaug.study.pool import execute
from learnaug.study.prepare import Request, folder_for, name_of, owned, prepare, workers
from learnaug.study.probe import trainings
from learnaug.study.progress import Progress, Say
from learnaug.study.samples import write_samples
from learnaug.study.stop import Interrupted, Stop, listening
from learnaug.study.summary import arms, best, summarise
from learnaug.study.takehome import write_policy
from learnaug.study.world import World
from learnaug.training import Augmenter, Recipe

__all__ = ["Comparison", "compare", "go_on"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found.

    Args:
        out: the run folder.
        summary: the content of summary.json.
    """

    out: Path
    summary: dict[str, Any]

    @property
    def report(self) -> Path:
        """The page for people."""
        return rundir.report_path(self.out)

    @property
    def policy(self) -> Path:
        """The candidate's policy file; not there where the candidate is more than a policy."""
        return rundir.policy_path(self.out)

    @property
    def best(self) -> Best:
        """The candidate of the confirm stage and its augmenter.

        Raises:
            RunError: no method was screened yet.
        """
        verdict = self.summary["verdict"]
        if verdict is None:
            raise RunError("no method is screened yet", [str(self.out)], "resume the comparison")
        return Best(self.out, verdict["candidate"], verdict)


@dataclass(frozen=True, slots=True)
class Best:
    """The method that won the screening.

    Args:
        out: the run folder.
        method: its name.
        verdict: what may be said about it.
    """

    out: Path
    method: str
    verdict: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of its augmenter, from the newest run."""
        return newest_augmenter(self.out, self.method)

    @property
    def augmenter(self) -> Augmenter:
        """Its augmenter, ready for any training loop."""
        return load_folder(self.folder)


def compare(
    data: Any,
    methods: Sequence[str] | None = None,
    *,
    model: Spec = None,
    baseline: str = "none",
    seeds: int = 3,
    confirm_seeds: int = 6,
    epochs: int | None = None,
    per_class: int | None = None,
    seed: int = 0,
    minutes: float | None = None,
    jobs: int | None = None,
    size: int | None = None,
    ops: Sequence[str] | OperationSet | None = None,
    classes: Any = None,
    drop_duplicates: bool = False,
    accept_change: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    recipe: Recipe | None = None,
    say: Say | None = None,
) -> Comparison:
    """Find out which augmentation to use on this data, how sure that is, and what it costs.

    Screens every method on the validation part, then holds the best one against the baseline on
    the sealed test part with fresh seeds. The folder `out` keeps everything; called again with
    the same settings it goes on where it stopped.

    Args:
        data: anything that `learnaug.load` takes.
        methods: names, chained by "+"; None means all fixed methods (that can move masks, where
            there are some). The controls are added.
        model: name, "package.module:function", module or factory; None chooses by size and count.
        baseline: the method that the best one is held against.
        seeds: screening seeds a method.
        confirm_seeds: fresh seeds of the confirm stage; 6 or more are needed for a verdict.
        epochs: passes over the training part; None chooses by the number of images.
        per_class: training images per class for a low-data study.
        seed: root of all randomness.
        minutes: bound on the whole job; epochs are lowered to fit.
        jobs: processes at a time; None: one a core. The result is the same for any number.
        size: resize all images to size x size pixels.
        ops: names of operations that trivialaugment, randaugment and uniform may use and that
            safe-augmentation looks at, or an OperationSet, which they take in place of their own.
        classes: which classes to take, see `learnaug.load`.
        drop_duplicates: leave out of training what is also in the test part, in place of refusing
            such data.
        accept_change: go on in a folder that was made with other versions.
        device: "auto", "cpu", "cuda", ….
        out: run folder; None: learnaug-runs/NAME in the working directory.
        recipe: how to train; None: the default recipe. `epochs` wins over it.
        say: told what happens, as event dicts.

    Raises:
        UsageError: a name or number is not allowed (all such faults are listed).
        DataError: the data has faults (all are listed).
        RunError: the run folder is in use, full, or not ours.

    Source: Bouthillier et al. 2021 (paired sources of variation); Nadeau and Bengio 2003.
    """
    request = Request(
        "compare", _names(methods, baseline), model, baseline, seeds, confirm_seeds, epochs,
        per_class, seed, minutes, jobs, ops, drop_duplicates, accept_change, device, recipe,
    )  # fmt: skip
    progress, stop = Progress(say), Stop(minutes)
    folder = folder_for(data, out)
    with listening(stop), owned(folder, data, size, classes) as images:
        if not methods and images.masks is not None:
            fitting = tuple(name for name in request.methods if not unfit_for_masks(name))
            request = replace(request, methods=fitting)
        world = prepare(folder, images, request, name_of(data, images), progress, stop)
        return go_on(world, jobs=jobs, stop=stop, progress=progress)


def go_on(world: World, *, jobs: int | None, stop: Stop, progress: Progress) -> Comparison:
    """Run what is not done yet, then write summary and report.

    Raises:
        Interrupted: the user asked to stop; everything done is kept and summarised.
    """
    watch = rundir.stopwatch()
    out, plan = world.out, world.plan
    before = _seconds_before(out)
    number = workers(world, jobs)
    write_samples(world)
    screen = plan.screen()
    # The baseline and one candidate at least; a rival joins when the candidate is a learned one.
    progress.start(plan, out, screen, 2 * plan.confirm_seeds, trainings(world))
    execute(world, screen, workers=number, stop=stop, tell=progress.tell)
    candidate = best(out, plan)
    if candidate and plan.confirm_seeds and not stop():
        confirm = plan.confirm(arms(plan, candidate))
        progress.confirm(out, candidate, confirm)
        execute(world, confirm, workers=number, stop=stop, tell=progress.tell)
    summary = summarise(world, before + watch())
    rundir.write_json(rundir.summary_path(out), summary)
    write_policy(world, summary)
    if stop.signum:
        raise Interrupted(stop.signum)
    if stop.late:
        progress.note(f"the time is up; what is left goes on with: {rundir.resuming(out)}")
    _require_some(world, summary)
    if summary["verdict"]:
        progress.verdict(summary["verdict"]["words"])
    return Comparison(out, summary)


def _seconds_before(out: Path) -> float:
    path = rundir.summary_path(out)
    return float(rundir.read_json(path)["seconds"]) if path.is_file() else 0.0


def _require_some(world: World, summary: dict[str, Any]) -> None:
    """Refuse to end as if nothing had happened where every run failed."""
    runs = summary["runs"]
    if runs["done"] or not runs["failed"]:
        return
    errors = {}
    for job in world.plan.screen():
        path = rundir.status_path(rundir.run_folder(world.out, job.method, job.seed))
        if path.is_file():
            errors[str(rundir.read_json(path)["error"])] = f"{job.method} seed {job.seed}"
    where = [f"{place}: {error}" for error, place in errors.items()]
    raise RunError(f"all {runs['failed']} runs failed", where, "mend the cause, then resume")


def _names(methods: Sequence[str] | None, baseline: str) -> tuple[str, ...]:
    chosen = (
        [name for name, row in METHODS.items() if row.kind != "learned" and row.default]
        if methods is None or not methods
        else list(methods)
    )
    return tuple(dict.fromkeys([*CONTROLS, *chosen, baseline]))
