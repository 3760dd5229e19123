"""A run folder as `learnaug compare` leaves it, made up in a second: no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from learnaug import rundir, stats
from learnaug.seeds import Seeds

METHODS = (
    "none", "flip-crop", "traditional", "cutout", "mixup", "cutmix", "randaugment",
    "trivialaugment", "autoaugment", "uniform", "aws", "flip-crop+mixup",
)  # fmt: skip
DIGITS = tuple(str(digit) for digit in range(10))
GAIN = {
    "aws": 0.031,
    "trivialaugment": 0.022,
    "cutmix": 0.012,
    "uniform": 0.016,
    "flip-crop": -0.04,
}
COMMAND = "learnaug compare digits aws cutmix --per-class 20 --out runs/digits"


@dataclass(frozen=True)
class World:
    """What the fake comparison is about; every text in it may be hostile."""

    methods: Sequence[str] = METHODS
    classes: Sequence[str] = DIGITS
    candidate: str = "aws"
    baseline: str = "none"
    name: str = "digits"
    command: str = COMMAND
    error: str = "loss is not finite at update 311 (seed 1): lower the learning rate"
    model: str = "smallnet"
    places: Sequence[str] = ("3/0017.png", "8/0301.png")
    seeds: Sequence[int] = (0, 1, 2)
    confirm_seeds: Sequence[int] = (3, 4, 5, 6, 7, 8)
    n_test: int = 360
    colour: bool = False
    failing: str = "mixup"


def make(out: Path, world: World = World(), *, learned: bool = True) -> Path:
    """Write a finished comparison into `out` and return it."""
    with mock.patch("os.fsync"):  # some 2,000 waits for the disk that nothing here depends on
        return _make(out, world, learned)


def _make(out: Path, world: World, learned: bool) -> Path:
    plan = _plan(world)
    rundir.write_json(rundir.plan_path(out), plan)
    ids = [f"row {i}" for i in range(3 * world.n_test)]
    parts = {"train": ids[: world.n_test], "valid": ids[world.n_test : 2 * world.n_test]}
    parts["test"] = ids[2 * world.n_test :]
    stored = {name: {"sha256": "5f" * 32, "ids": part} for name, part in parts.items()}
    rundir.write_json(
        rundir.split_path(out),
        {"schema": 1, "sealed_from": "cut", "notes": ["Groups stay together."], **stored},
    )
    rundir.write_json(rundir.check_path(out), _check(world))
    arms = [world.baseline, world.candidate] + (["trivialaugment"] if learned else [])
    for method in world.methods:
        for seed in world.seeds:
            _run(out, world, method, seed, "screen")
    for method in dict.fromkeys(arms):
        for seed in world.confirm_seeds:
            _run(out, world, method, seed, "confirm")
    rundir.write_json(rundir.summary_path(out), _summary(out, world, plan, arms))
    _samples(out, world)
    return out


def _plan(world: World) -> dict[str, Any]:
    return {
        "schema": 1,
        "question": "Which augmentation should I use on this data, and how sure are we?",
        "kind": "compare",
        "metric": "accuracy",
        "methods": list(world.methods),
        "baseline": world.baseline,
        "seed": 0,
        "seeds": list(world.seeds),
        "confirm_seeds": list(world.confirm_seeds),
        "delta": 0.01,
        "split": {"fractions": [0.7, 0.15, 0.15], "per_class": 20, "repeats": 1},
        "recipe": {"epochs": 30, "batch_size": 64, "learning_rate": 0.05, "weight_decay": 5e-4},
        "model": world.model,
        "device": "cpu",
        "threads": 1,
        "precision": "fp32",
        "epochs": 30,
        "source": world.name,
        "notes": ["SmallNet was chosen because the images are small and few."],
        "data": {"name": world.name, "fingerprint": "ab" * 32},
        "hash": "c0ffee" * 10,
        "command": world.command,
    }


def _check(world: World) -> dict[str, Any]:
    places = list(world.places)
    finding = {"code": "near-duplicates", "where": places, "count": len(places)}
    return {
        "schema": 1,
        "name": world.name,
        "images": 3 * world.n_test,
        "size": [8, 8],
        "channels": 1,
        "balance": 1.35,
        "classes": list(world.classes),
        "counts": {"": [80 + 7 * (i % 5) for i in range(len(world.classes))]},
        "findings": [
            {"severity": "info", "code": "small", "what": "images are 8 pixels wide", "where": []},
            finding | {
                "severity": "warning", "what": "2 images are nearly the same",
                "mend": "run again with --drop-duplicates",
            },
        ],
    }  # fmt: skip


def _run(out: Path, world: World, method: str, seed: int, stage: str) -> None:
    gen = Seeds(7).child(method, seed).numpy()
    run = rundir.run_folder(out, method, seed)
    part = "test" if stage == "confirm" else "valid"
    seconds = {"learn": 21.5 if method == "aws" else 0.0, "train": 8.0 + 4 * gen.random()}
    status = {"method": method, "seed": seed, "stage": stage, "part": part, "seconds": seconds}
    rundir.write_json(rundir.origin_path(run), rundir.origin(["learnaug", "compare", "digits"]))
    if method == world.failing and seed == 1:
        rundir.write_json(
            rundir.status_path(run), status | {"state": "failed", "error": world.error}
        )
        return
    gain = GAIN.get(method, 0.004)
    share = 0.90 + gain + 0.006 * gen.standard_normal()
    probabilities, labels = _probabilities(world, method, share, gen)
    by_class = stats.per_class_accuracy(probabilities, labels, len(world.classes))
    figures = {
        "part": part,
        "n": len(labels),
        "accuracy": stats.accuracy(probabilities, labels),
        "balanced_accuracy": stats.balanced_accuracy(probabilities, labels),
        "nll": stats.nll(probabilities, labels),
        "ece": stats.ece(probabilities, labels),
        "per_class": dict(zip(world.classes, by_class, strict=True)),
    }
    rundir.write_json(rundir.metrics_path(run), figures)
    ids = np.array([f"row {2 * world.n_test + i}" for i in range(len(labels))])
    rundir.write_arrays(
        rundir.predictions_path(run), probabilities=probabilities, labels=labels, ids=ids
    )
    _log(run, share, gen)
    if method == "aws":
        log = rundir.learn_folder(run) / "fold-0.jsonl"
        rundir.append_record(log, {"update": 1, "reward": 0.5})
    if stage == "confirm":
        rundir.write_json(rundir.augmenter_folder(run) / "augmenter.json", {"schema": 1})
    status |= {"state": "done", "error": None, "score": figures["accuracy"]}
    rundir.write_json(rundir.status_path(run), status)


def _probabilities(
    world: World, method: str, share: float, gen: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    k = len(world.classes)
    labels = np.arange(world.n_test) % k
    hard = Seeds(1).child("hard").numpy().random(world.n_test)  # the same images are hard for all
    tilt = 0.05 * np.cos(labels * 1.7 + len(method))  # classes differ between methods
    right = 0.85 * hard + 0.15 * gen.random(world.n_test) < np.clip(share + tilt, 0, 1) - 0.05
    guess = np.where(right, labels, (labels + 1 + gen.integers(0, k - 1, world.n_test)) % k)
    sure = 0.55 + 0.4 * gen.random(world.n_test)
    probabilities = np.full((world.n_test, k), 0.0)
    probabilities[:] = ((1 - sure) / (k - 1))[:, None]
    probabilities[np.arange(world.n_test), guess] = sure
    return probabilities.astype(np.float32), labels.astype(np.int64)


@cache
def _epochs() -> tuple[int, ...]:
    return tuple(range(1, 13))


def _log(run: Path, share: float, gen: np.random.Generator) -> None:
    path = rundir.log_path(run, "train")
    for epoch in _epochs():
        rise = 1 - np.exp(-epoch / 3)
        row = {
            "update": 10 * epoch,
            "epoch": float(epoch),
            "loss": 2.3 * (1 - rise) + 3 * (1 - share) + 0.06 * gen.random(),
            "valid_accuracy": min(1.0, 0.1 + (share - 0.1) * rise + 0.01 * gen.random()),
            "train_accuracy": None,
            "lr": 0.05,
        }
        rundir.append_record(path, row)


def _summary(out: Path, world: World, plan: dict[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    jobs = [(m, s, "screen") for m in world.methods for s in world.seeds]
    jobs += [(m, s, "confirm") for m in dict.fromkeys(arms) for s in world.confirm_seeds]
    found = {
        job: rundir.read_json(rundir.status_path(rundir.run_folder(out, *job[:2]))) for job in jobs
    }
    states = [one["state"] for one in found.values()]
    rows = [
        _row(method, stage, [found[job] for job in jobs if (job[0], job[2]) == (method, stage)])
        for stage in ("screen", "confirm")
        for method in (world.methods if stage == "screen" else dict.fromkeys(arms))
    ]
    second = _verdict(found, world, "trivialaugment") if len(arms) > 2 else None
    sizes = dict.fromkeys(("train", "valid", "test"), world.n_test)
    return {
        "schema": 1,
        "data": {
            "name": world.name, "classes": list(world.classes), **sizes, "fingerprint": "ab" * 32,
        },
        "metric": "accuracy",
        "methods": rows,
        "verdict": _verdict(found, world, world.baseline),
        "against_trivialaugment": second,
        "runs": {
            "planned": len(jobs), "done": states.count("done"), "failed": states.count("failed"),
        },
        "seconds": 512.4,
        "command": world.command,
        "versions": rundir.versions(),
    }  # fmt: skip


def _row(method: str, stage: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    done = [one for one in found if one["state"] == "done"]
    scores = [one["score"] for one in done]
    return {
        "method": method,
        "stage": stage,
        "part": "valid" if stage == "screen" else "test",
        "seeds": [one["seed"] for one in done],
        "scores": scores,
        "mean": float(np.mean(scores)) if scores else None,
        "learn_seconds": sum(one["seconds"]["learn"] for one in done),
        "train_seconds": sum(one["seconds"]["train"] for one in done),
        "failed": len(found) - len(done),
    }


def _verdict(found: dict[Any, Any], world: World, baseline: str) -> dict[str, Any]:
    def scores(method: str) -> list[float]:
        return [found[method, seed, "confirm"]["score"] for seed in world.confirm_seeds]

    image = (0.004, 0.061) if baseline == world.baseline else (-0.012, 0.03)
    result = stats.verdict(
        world.candidate, baseline, scores(world.candidate), scores(baseline), image
    )
    return {
        name: getattr(result, name)
        for name in ("candidate", "baseline", "words", "outcome", "difference", "interval",
                     "image_interval", "p", "pairs")
    }  # fmt: skip


def _samples(out: Path, world: World) -> None:
    pictures = _colour_pictures() if world.colour else _digit_pictures()
    rundir.write_arrays(rundir.samples_path(out, "original"), images=pictures[None])
    for i, method in enumerate(world.methods):
        turned = np.stack([np.roll(pictures, shift, axis=3) for shift in (i % 3, -(i % 4))])
        rundir.write_arrays(
            rundir.samples_path(out, method), images=turned if i % 2 else 255 - turned
        )


def _digit_pictures() -> np.ndarray:
    from sklearn.datasets import load_digits

    found = load_digits().images[:8]
    return (found * 255 / 16).astype(np.uint8)[:, None]


def _colour_pictures() -> np.ndarray:
    y, x = np.mgrid[0:96, 0:96] / 96
    waves = [np.stack([np.sin(k * x + y), np.cos(k * y), np.sin(k * x * y)]) for k in range(3, 11)]
    return (np.stack(waves) * 127 + 128).clip(0, 255).astype(np.uint8)
