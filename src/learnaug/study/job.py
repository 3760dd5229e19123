"""One run: learn, train, score once, write it down. A finished run is never run again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.errors import LearnaugError, printable
from learnaug.methods import Budget, Learned, Learning
from learnaug.study.plan import Job
from learnaug.study.world import World
from learnaug.training import Keep, Stopped, choose_device, fit, measure, predict

__all__ = ["finished", "read_status", "run_job"]


def read_status(run: Path) -> dict[str, Any]:
    """Return the status of a run folder; {"state": "missing"} where there is none yet."""
    path = rundir.status_path(run)
    status: dict[str, Any] = rundir.read_json(path) if path.is_file() else {"state": "missing"}
    return status


def finished(out: Path, job: Job) -> bool:
    """Return whether this job is done and was scored on the part that it asks for."""
    status = read_status(rundir.run_folder(out, job.method, job.seed))
    return bool(status["state"] == "done" and status["part"] == job.part)


def run_job(world: World, job: Job, keep: Keep) -> dict[str, Any]:
    """Run a job to its end and return its status, which is also in status.json.

    A run that fails (a loss that is not finite, no memory, a fault in the user's net) has the
    state "failed" and its error; a run that was asked to stop has the state "stopped".
    """
    run = rundir.run_folder(world.out, job.method, job.seed)
    before = read_status(run)
    if finished(world.out, job):
        return before
    total = rundir.stopwatch()
    seconds = {"learn": 0.0, "train": float(before.get("seconds", {}).get("train", 0.0))}
    status: dict[str, Any] = asdict(job) | {"state": "running", "error": None}
    rundir.write_json(rundir.config_path(run), _config(world, job))
    rundir.write_json(rundir.origin_path(run), rundir.origin(world.plan.command.split()))
    try:
        result, seconds["learn"] = _learn_and_train(world, job, run, keep)
        status |= {"state": "done"} | result
    except Stopped:
        status["state"] = "stopped"
    except (torch.OutOfMemoryError, MemoryError) as fault:
        status |= {"state": "failed", "error": f"out of memory: {printable(str(fault))[:500]}"}
    except LearnaugError as fault:
        status |= {"state": "failed", "error": str(fault)}
    except Exception as fault:
        # A fault in the user's net or data must not end the other runs; it is told in the report.
        words = f"{type(fault).__name__}: {printable(str(fault))[:1000]}"
        status |= {"state": "failed", "error": words}
    seconds["train"] += total() - seconds["learn"]
    status["seconds"] = {name: round(value, 3) for name, value in seconds.items()}
    rundir.write_json(rundir.status_path(run), status)
    return status


def _learn_and_train(world: World, job: Job, run: Path, keep: Keep) -> tuple[dict[str, Any], float]:
    plan, pair = world.plan, world.pair(job.seed)
    device = choose_device(plan.device)
    train, valid, test = world.parts(job.seed)
    watch = rundir.stopwatch()
    learned = _learn(world, job, run, (train, valid), keep)
    spent = watch()
    train_keep = Keep(
        rundir.checkpoint_folder(run), rundir.log_path(run, "train"),
        keep.every, keep.stop, keep.progress, keep.say,
    )  # fmt: skip
    model = fit(
        world.net(pair.child("init")), train, valid, learned.phases(), plan.recipe,
        seeds=pair.child("train"), device=device, precision=plan.precision, keep=train_keep,
    )  # fmt: skip
    scored = test if job.part == "test" else valid
    score = _score(world, job, run, model, scored, device)
    if job.stage != "screen":
        rundir.save_tensors(rundir.model_path(run), model.state_dict(), {"model": plan.model})
    rundir.remove_folder(rundir.checkpoint_folder(run))
    return {"score": score, "weights": _digest(model)}, spent


def _learn(
    world: World, job: Job, run: Path, parts: tuple[ImageSet, ImageSet], keep: Keep
) -> Learned:
    plan = world.plan
    method = world.method(job.method)
    learn_keep = Keep(
        rundir.checkpoint_folder(run, "learn"), rundir.log_path(run, "learn"),
        keep.every, keep.stop, keep.progress, keep.say,
    )  # fmt: skip
    learned = method.learn(
        Learning(*parts, net=world.net, recipe=plan.recipe),
        seeds=world.pair(job.seed).child("learn", job.method),
        device=choose_device(plan.device),
        budget=Budget(precision=plan.precision),
        keep=learn_keep,
    )
    learned.augmenter.save(rundir.augmenter_folder(run))
    return learned


def _score(
    world: World, job: Job, run: Path, model: nn.Module, part: ImageSet, device: torch.device
) -> float:
    """Read the part once: predictions, then figures from them."""
    probabilities = predict(model, part, device, world.plan.precision)
    figures = measure(probabilities, part.labels, part.classes) | {"part": job.part}
    rundir.write_arrays(
        rundir.predictions_path(run),
        probabilities=probabilities,
        labels=part.labels,
        ids=np.array(part.ids),
    )
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


def _digest(model: nn.Module) -> str:
    """Return the SHA-256 (hex) of the weights, by which two runs are told to be the same."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
