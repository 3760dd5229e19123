"""One training with one augmentation, scored once on the sealed test part; and resumption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.errors import RunError
from learnaug.methods import load_augmenter
from learnaug.nets import Spec
from learnaug.ops.sets import OperationSet
from learnaug.study.compare import Comparison, go_on
from learnaug.study.job import read_status
from learnaug.study.learning import Lesson, finish
from learnaug.study.plan import Job, Plan, require_versions
from learnaug.study.pool import execute
from learnaug.study.prepare import Request, folder_for, name_of, owned, prepare
from learnaug.study.progress import Progress, Say
from learnaug.study.stop import Interrupted, Stop, listening
from learnaug.study.world import GIVEN, World, open_world
from learnaug.training import Augmenter, Recipe

__all__ = ["Trained", "resume", "train"]


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training left behind.

    Args:
        out: the run folder.
        run: the folder of the run, with log, weights and predictions.
        metrics: the content of metrics.json: scores on the test part, as fractions.
    """

    out: Path
    run: Path
    metrics: dict[str, Any]


def train(
    data: Any,
    augmenter: str | Path | Augmenter = "none",
    *,
    model: Spec = None,
    epochs: int | None = None,
    per_class: int | None = None,
    seed: int = 0,
    size: int | None = None,
    ops: Sequence[str] | OperationSet | None = None,
    classes: Any = None,
    drop_duplicates: bool = False,
    accept_change: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    recipe: Recipe | None = None,
    say: Say | None = None,
) -> Trained:
    """Train one target with an augmentation and score it once on the test part.

    Called again with the same settings it goes on where it stopped.

    Args:
        data: anything that `learnaug.load` takes.
        augmenter: a method's name, an augmenter folder or policy file, or an augmenter.
        model, epochs, per_class, seed, size, ops, classes, drop_duplicates, accept_change,
            device, recipe, say: as in `compare`.
        out: run folder; None: learnaug-runs/NAME-train in the working directory.

    Raises:
        UsageError, DataError, RunError: as in `compare`.
    """
    given = _given(augmenter)
    name = GIVEN if given else str(augmenter)
    request = Request(
        "train", (name,), model, name, epochs=epochs, per_class=per_class, seed=seed, ops=ops,
        drop_duplicates=drop_duplicates, accept_change=accept_change, device=device, recipe=recipe,
    )  # fmt: skip
    progress, stop = Progress(say), Stop()
    folder = folder_for(data, out, "-train")
    with listening(stop), owned(folder, data, size, classes) as images:
        world = prepare(folder, images, request, name_of(data, images), progress, stop, given)
        return _train(world, stop, progress)


def resume(
    out: str | Path,
    *,
    model: Spec = None,
    jobs: int | None = None,
    minutes: float | None = None,
    accept_change: bool = False,
    say: Say | None = None,
) -> Comparison | Trained | Lesson:
    """Go on with a comparison, a training or a learning that was stopped, from its folder alone.

    Args:
        out: the run folder.
        model: the net, where it was given in Python.
        jobs, minutes, accept_change, say: as in `compare`.

    Raises:
        RunError: this is no run folder (status 66), or it is in use (status 75).
    """
    folder = Path(out)
    plan = Plan.load(folder)
    Request(plan.kind, jobs=jobs, minutes=minutes)
    progress, stop = Progress(say), Stop(minutes)
    with rundir.lock(folder), listening(stop):
        require_versions(folder, plan, accept_change)
        world = open_world(folder, model)
        if plan.kind == "train":
            return _train(world, stop, progress)
        if plan.kind == "learn":
            return finish(world, stop, progress, jobs)
        if plan.kind == "pairs":
            raise RunError(
                "this folder is a part of a table", [str(folder)], f"run again: {plan.command}"
            )
        return go_on(world, jobs=jobs, stop=stop, progress=progress)


def _train(world: World, stop: Stop, progress: Progress) -> Trained:
    job = Job(world.plan.methods[0], 0, "single", "test")
    progress.start(world.plan, world.out, [job], 0)
    execute(world, [job], workers=1, stop=stop, tell=progress.tell)
    run = rundir.run_folder(world.out, job.method, job.seed)
    status = read_status(run)
    if status["state"] == "failed":
        raise RunError(f"the training failed: {status['error']}")
    if stop.signum:
        raise Interrupted(stop.signum)
    if status["state"] != "done":
        mend = rundir.resuming(world.out)
        raise RunError("the time is up before the training is done", mend=mend, code=75)
    return Trained(world.out, run, rundir.read_json(rundir.metrics_path(run)))


def _given(augmenter: str | Path | Augmenter) -> Augmenter | None:
    """Return the augmenter of a folder, file or object; None for the name of a method."""
    if isinstance(augmenter, str) and not Path(augmenter).exists():
        if "/" not in augmenter and not augmenter.endswith(".json"):
            return None
        return load_augmenter(augmenter)
    return load_augmenter(augmenter) if isinstance(augmenter, str | Path) else augmenter
