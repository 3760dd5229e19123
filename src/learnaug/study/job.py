"""One run: learn, train, score once, write it down. A finished run is never run again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.errors import LearnaugError, RunError, printable
from learnaug.methods import Budget, Learned, Learning, gallery
from learnaug.study.plan import Job
from learnaug.study.world import World
from learnaug.training import Keep, Stopped, choose_device, fit, goal_of

__all__ = [
    "begin",
    "finished",
    "learn_part",
    "lesson",
    "newest_augmenter",
    "read_status",
    "run_job",
]

BROKEN_DISK = (73, 74, 75)  # exit statuses: cannot write, disk full or broken, in use
Phase = Literal["learn", "train"]
PHASES: tuple[Phase, ...] = ("learn", "train")


def read_status(run: Path) -> dict[str, Any]:
    """Return the status of a run folder; {"state": "missing"} where there is none yet."""
    path = rundir.status_path(run)
    status: dict[str, Any] = rundir.read_json(path) if path.is_file() else {"state": "missing"}
    return status


def finished(out: Path, job: Job) -> bool:
    """Return whether this job is done and was scored on the part that it asks for."""
    status = read_status(rundir.run_folder(out, job.method, job.seed))
    return bool(status["state"] == "done" and status["part"] == job.part)


def newest_augmenter(out: Path, method: str) -> Path:
    """Return the folder of a method's augmenter, from its newest run that is done.

    Raises:
        RunError: no run of it is done yet.
    """
    runs = rundir.run_folder(out, method, 0).parent
    done = [run for run in runs.glob("seed-*") if read_status(run)["state"] == "done"]
    if not done:
        raise RunError(f"no run of {method} is done yet", [str(out)], "resume it")
    newest = max(done, key=lambda run: int(run.name.partition("-")[2]))
    return rundir.augmenter_folder(newest)


def run_job(world: World, job: Job, keep: Keep) -> dict[str, Any]:
    """Run a job to its end and return its status, which is also in status.json.

    A run that fails (a loss that is not finite, no memory, a fault in the user's net) has the
    state "failed" and its error; a run that was asked to stop has the state "stopped".
    """
    run = rundir.run_folder(world.out, job.method, job.seed)
    if finished(world.out, job):
        return read_status(run)
    status = begin(world, job)
    try:
        status |= _learn_and_train(world, job, run, keep, status["seconds"]) | {"state": "done"}
    except Stopped:
        status["state"] = "stopped"
    except (torch.OutOfMemoryError, MemoryError) as fault:
        status |= {"state": "failed", "error": f"out of memory: {printable(str(fault))[:500]}"}
    except LearnaugError as fault:
        if fault.code in BROKEN_DISK:  # not this run's fault: nothing that follows could be kept
            raise
        status |= {"state": "failed", "error": str(fault)}
    except Exception as fault:
        # A fault in the user's net or data must not end the other runs; it is told in the report.
        words = f"{type(fault).__name__}: {printable(str(fault))[:1000]}"
        status |= {"state": "failed", "error": words}
    rundir.write_json(rundir.status_path(run), status)
    if status["state"] == "done":
        for phase in PHASES:
            rundir.remove_folder(rundir.checkpoint_folder(run, phase))
    return status


def begin(world: World, job: Job, **more: Any) -> dict[str, Any]:
    """Write down what a run is and that it runs; return its status, with `more` in it.

    The seconds of a run that was stopped are taken up.
    """
    run = rundir.run_folder(world.out, job.method, job.seed)
    seconds = {"learn": 0.0, "train": 0.0} | read_status(run).get("seconds", {})
    status = asdict(job) | {"state": "running", "error": None, "seconds": seconds} | more
    rundir.write_json(rundir.config_path(run), _config(world, job))
    rundir.write_json(rundir.origin_path(run), rundir.origin(shlex.split(world.plan.command)))
    rundir.write_json(rundir.status_path(run), status)
    return status


def _learn_and_train(
    world: World, job: Job, run: Path, keep: Keep, seconds: dict[str, float]
) -> dict[str, Any]:
    """Return score and digest of the weights; add to `seconds` what each phase took."""
    plan, pair = world.plan, world.pair(job.seed)
    device = choose_device(plan.device)
    train, valid = world.part(job.seed, "train"), world.part(job.seed, "valid")
    learned = learn_part(world, job, (train, valid), keep, seconds)
    with _timed(seconds, "train"):
        # A target that was trained along with its augmentation is scored as it is.
        model = learned.target or fit(
            world.net(pair.child("init")), train, valid, learned.phases(), plan.recipe,
            seeds=pair.child("train"), device=device, precision=plan.precision,
            keep=_kept(keep, run, "train"),
        )  # fmt: skip
        scored = world.part(job.seed, "test") if job.part == "test" else valid
        score = _score(world, job, run, model, scored, device)
    if job.stage != "screen":
        rundir.save_tensors(rundir.model_path(run), model.state_dict(), {"model": plan.model})
    return {"score": score, "weights": rundir.tensor_digest(model.state_dict())} | _taught(learned)


def _taught(learned: Learned) -> dict[str, str]:
    """Return how the target was trained, in words, where it was not with the augmenter alone."""
    phases = learned.phases()
    if learned.target is not None:
        return {"taught": "the model was trained along with what augments its pictures"}
    if len(phases) == 1 and phases[0].copies == 1:
        return {}
    told = [
        f"{_named(phase.augmenter.describe())} for {phase.share:.0%} of the updates"
        + (f", each picture {phase.copies} times in a batch" if phase.copies > 1 else "")
        for phase in phases
    ]
    return {"taught": ", then ".join(told)}


def _named(description: dict[str, Any]) -> str:
    """Return the name of an augmenter; those of a chain's members joined as users write them."""
    members = description.get("members", ())
    named = "+".join(_named(member) for member in members)
    return named or str(description.get("name", description["kind"]))


def _kept(keep: Keep, run: Path, phase: Phase) -> Keep:
    """Return `keep` with the checkpoints and the log of one phase of this run."""
    folder, log = rundir.checkpoint_folder(run, phase), rundir.log_path(run, phase)
    return replace(keep, checkpoints=folder, log=log)


@contextmanager
def _timed(seconds: dict[str, float], phase: Phase) -> Iterator[None]:
    watch = rundir.stopwatch()
    try:
        yield
    finally:
        seconds[phase] = round(seconds[phase] + watch(), 3)


def learn_part(
    world: World,
    job: Job,
    parts: tuple[ImageSet, ImageSet],
    keep: Keep,
    seconds: dict[str, float],
) -> Learned:
    """Learn on the training and validation part, save what was learned, and add what it took."""
    run = rundir.run_folder(world.out, job.method, job.seed)
    with _timed(seconds, "learn"):
        learned = lesson(world, job, parts, _kept(keep, run, "learn"))
        learned.augmenter.save(rundir.augmenter_folder(run))
        gallery.write(run, learned.galleries)
    return learned


def lesson(world: World, job: Job, parts: tuple[ImageSet, ImageSet], keep: Keep) -> Learned:
    """Return what the method of a job learns on the training and validation part."""
    plan, pair = world.plan, world.pair(job.seed)
    return world.method(job.method).learn(
        Learning(*parts, world.builder(), plan.recipe, pair.child("init"), pair.child("train")),
        seeds=pair.child("learn", job.method),
        device=choose_device(plan.device),
        budget=Budget(precision=plan.precision),
        keep=keep,
    )


def _score(
    world: World, job: Job, run: Path, model: nn.Module, part: ImageSet, device: torch.device
) -> float:
    """Read the part once: predictions, then figures from them."""
    goal = goal_of(part)
    found = goal.predict(model, part, device, world.plan.precision)
    figures = goal.measure(found, part) | {"part": job.part}
    kept = goal.arrays(found, part) | {"ids": np.array(part.ids)}
    rundir.write_arrays(rundir.predictions_path(run), **kept)
    rundir.write_json(rundir.metrics_path(run), figures)
    return float(figures[world.plan.metric])


def _config(world: World, job: Job) -> dict[str, Any]:
    method = world.method(job.method)
    return {
        "method": job.method,
        "seed": job.seed,
        "settings": method.config(),
        "recipe": asdict(world.plan.recipe),
        "model": world.plan.model,
        "plan": world.plan.digest(),
        "split": job.seed % len(world.splits),
    }
