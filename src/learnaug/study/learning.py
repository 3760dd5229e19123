"""Learn an augmentation on the training part, and leave it behind for any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.errors import LearnaugError, RunError, printable
from learnaug.methods import Gallery, gallery
from learnaug.methods.folders import load_folder
from learnaug.nets import Spec
from learnaug.ops.sets import OperationSet
from learnaug.study.crew import team
from learnaug.study.job import begin, finished, learn_part, read_status
from learnaug.study.plan import Job
from learnaug.study.pool import stepped
from learnaug.study.prepare import Request, folder_for, name_of, owned, prepare, workers
from learnaug.study.progress import Progress, Say
from learnaug.study.stop import Interrupted, Stop, listening
from learnaug.study.world import World
from learnaug.training import Augmenter, Keep, Recipe, Stopped, threads

__all__ = ["Lesson", "finish", "learn"]

CUT = "cut"  # state: the time was up, there is an augmenter, and the learning can go on
ENDED = ("done", CUT)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned.

    Args:
        out: the run folder.
        method: the name of the method.
        source: what the user called the data.
        command: the command line that made the plan.
        seconds: how long it learned.
        description: what the augmenter says of itself, plain JSON data.
        notes: what the method said while it learned: failures that it saw, among others.
    """

    out: Path
    method: str
    source: str
    command: str
    seconds: float
    description: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The folder of the augmenter."""
        return rundir.learned_folder(self.out)

    @property
    def galleries(self) -> tuple[Gallery, ...]:
        """What was learned, in pictures; () where the method shows none."""
        return gallery.read(rundir.run_folder(self.out, self.method, 0))

    @property
    def pictures(self) -> Path:
        """The page of these pictures; there is none where the method shows none."""
        return rundir.pictures_path(self.out)

    @property
    def augmenter(self) -> Augmenter:
        """The augmenter, ready for any training loop."""
        return load_folder(self.folder)


def learn(
    data: Any,
    method: str,
    *,
    model: Spec = None,
    epochs: int | None = None,
    per_class: int | None = None,
    seed: int = 0,
    minutes: float | None = None,
    size: int | None = None,
    jobs: int | None = None,
    ops: Sequence[str] | OperationSet | None = None,
    classes: Any = None,
    drop_duplicates: bool = False,
    accept_change: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    recipe: Recipe | None = None,
    say: Say | None = None,
) -> Lesson:
    """Learn an augmentation on the training part; the test part is cut as always and never read.

    OUT/augmenter is then ready for `train`, `apply` and any loop, and OUT/pictures.html shows what
    was learned where the method can. Called again with the same settings it goes on where it
    stopped.

    Args:
        data: anything that `learnaug.load` takes.
        method: a name, with settings behind a colon: "smart-augmentation:k=3". What is fixed
            learns nothing and is written as it is.
        model: the target that is learned with.
        minutes: bound on the learning; epochs are lowered to fit. A search whose time is up ends
            with what it found so far; the same call, with more minutes, goes on.
        jobs: processes that make the trials of a search; None: as in `compare`. The result is the
            same for every number.
        epochs, per_class, seed, size, ops, classes, drop_duplicates, accept_change, device,
            recipe, say: as in `compare`.
        out: run folder; None: learnaug-runs/NAME-learn in the working directory.

    Raises:
        UsageError, DataError, RunError: as in `compare`.
    """
    request = Request(
        "learn", (method,), model, method, epochs=epochs, per_class=per_class, seed=seed,
        minutes=minutes, jobs=jobs, ops=ops, drop_duplicates=drop_duplicates,
        accept_change=accept_change, device=device, recipe=recipe,
    )  # fmt: skip
    progress, stop = Progress(say), Stop(minutes)
    folder = folder_for(data, out, "-learn")
    with listening(stop), owned(folder, data, size, classes) as images:
        world = prepare(folder, images, request, name_of(data, images), progress, stop)
        return finish(world, stop, progress, jobs)


def finish(world: World, stop: Stop, progress: Progress, jobs: int | None = None) -> Lesson:
    """Learn what is not learned yet, and copy the augmenter to OUT/augmenter.

    Args:
        world: the study.
        stop: asked all the time.
        progress: told what happens.
        jobs: see `learn`.

    Raises:
        RunError: the learning failed, or the time was up (status 75).
        Interrupted: the user asked to stop; the checkpoint is written.
    """
    job = Job(world.plan.methods[0], 0, "single", "valid")
    progress.start(world.plan, world.out, [job], 0)
    run = rundir.run_folder(world.out, job.method, job.seed)
    if not finished(world.out, job):
        with threads(world.plan.threads):
            _learn_here(world, job, run, stop, progress, jobs)
    status = read_status(run)
    if stop.signum and status["state"] not in ENDED:
        raise Interrupted(stop.signum)
    if status["state"] not in ENDED:
        mend = rundir.resuming(world.out)
        raise RunError("the time is up before the learning is done", mend=mend, code=75)
    return Lesson(
        world.out, job.method, world.plan.source, world.plan.command, status["seconds"]["learn"],
        _publish(rundir.augmenter_folder(run), world.out), tuple(status["notes"]),
    )  # fmt: skip


def _learn_here(
    world: World, job: Job, run: Path, stop: Stop, progress: Progress, jobs: int | None
) -> None:
    """Learn in this process and keep status, log and checkpoints in the folder of the run."""
    notes: list[str] = []
    status = begin(world, job, notes=notes, score=None)

    def put(state: str) -> None:
        status["state"] = state
        rundir.write_json(rundir.status_path(run), status)

    def hear(text: str) -> None:
        if text not in notes:
            notes.append(text)
        progress.tell(job, {"say": text})

    progress.tell(job, {"start": True})
    parts = world.part(job.seed, "train"), world.part(job.seed, "valid")
    share = stepped(lambda value: progress.tell(job, {"share": value}))
    keep = Keep(stop=stop, late=lambda: stop.late and not stop.signum, progress=share, say=hear)
    try:
        with team(world, job, workers(world, jobs), stop, hear) as crew:
            keep = replace(keep, crew=crew)
            whole = learn_part(world, job, parts, keep, status["seconds"]).whole
    except Stopped:
        put("stopped")
        return
    except Exception as fault:
        # A fault in the user's net is told as such, and not as one of ours.
        status["error"] = printable(f"{type(fault).__name__}: {fault}")[:1000]
        put("failed")
        if isinstance(fault, LearnaugError):
            raise
        raise RunError(f"the learning failed: {status['error']}") from fault
    if not whole:
        hear(f"to go on where the time was up: {rundir.resuming(world.out)}")
    put("done" if whole else CUT)
    progress.tell(job, {"end": status | {"state": "done"}})
    if whole:
        rundir.remove_folder(rundir.checkpoint_folder(run, "learn"))


def _publish(source: Path, out: Path) -> dict[str, Any]:
    """Copy the augmenter of the run to OUT/augmenter and return what it says of itself."""
    place = rundir.learned_folder(out)
    for path in sorted(source.rglob("*")):
        if path.is_file():
            rundir.write_bytes(place / path.relative_to(source), path.read_bytes())
    return load_folder(place).describe()
