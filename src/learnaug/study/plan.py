"""The plan of a comparison: everything that decides its numbers, written before the first run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from learnaug import rundir
from learnaug.errors import RunError, UsageError
from learnaug.ops import TABLE
from learnaug.ops.sets import OperationSet
from learnaug.training import Recipe

__all__ = ["Job", "Plan", "differences", "require_same", "require_versions", "versions"]

QUESTION = "Which augmentation should I use on this data, and how sure are we?"
FRACTIONS = (0.70, 0.15, 0.15)
DECIDING = ("learnaug", "python", "torch", "numpy")
FREE = ("command", "source", "minutes", "versions")  # decide no number of this plan by themselves


@dataclass(frozen=True, slots=True)
class Job:
    """One training: a method, a seed, and the part on which it is scored.

    Args:
        method: name, such as "cutout" or "flip-crop+mixup".
        seed: number of the pair; equal seeds share split, initial weights and batch order.
        stage: "screen", "confirm" or "single".
        part: "valid" or "test".
    """

    method: str
    seed: int
    stage: Literal["screen", "confirm", "single"]
    part: Literal["valid", "test"]


@dataclass(frozen=True)
class Plan:
    """What will be run; frozen, hashed, and printed in the report.

    Args:
        kind: "compare", "train", "learn", or "pairs" (every method on the test part).
        methods: every arm, controls included, in the order of the report.
        baseline: the arm that the candidate is held against.
        seeds: number of screening seeds a method; they are the pairs 0 … seeds - 1.
        confirm_seeds: number of fresh seeds of the confirm stage; the pairs after those.
        seed: root of every random stream.
        metric: "accuracy" or "balanced_accuracy"; "mean_iou" for images with masks.
        delta: smallest difference of interest, as a fraction.
        model: name of the net, or the words for a net given in Python.
        recipe: how each target is trained.
        per_class: training images per class, or None for all.
        repeats: 1, or the number of repeated splits over which the pairs are spread.
        precision: "fp32" or "bf16".
        threads: CPU threads of each run; part of the plan because 1 and 2 threads differ in the
            last bits.
        device: "cpu", "cuda", …
        operations: names that `--ops` allows, the content of an operation set file, or None for
            all.
        data: name, counts and fingerprint of the data.
        source: what the user called the data.
        command: the command line that made this plan.
        minutes: the bound that the user gave, or None.
        notes: what was decided for the user, in sentences.
        net: SHA-256 of the net's layers.
        given: SHA-256 of the augmenter that came from a folder, file or object; "" for a name.
        versions: of what the numbers depend on: learnaug and its operations, torch, numpy, Python.
    """

    kind: Literal["compare", "train", "learn", "pairs"]
    methods: tuple[str, ...]
    baseline: str
    seeds: int
    confirm_seeds: int
    seed: int
    metric: str
    delta: float
    model: str
    recipe: Recipe
    per_class: int | None
    repeats: int
    precision: str
    threads: int
    device: str
    operations: tuple[str, ...] | dict[str, Any] | None
    data: dict[str, Any]
    source: str
    command: str
    minutes: float | None = None
    notes: tuple[str, ...] = field(default=())
    versions: dict[str, str] = field(default_factory=dict)
    net: str = ""
    given: str = ""

    def allowed(self) -> tuple[str, ...] | OperationSet | None:
        """Return the operations as `resolve` takes them: names, a set, or None for all."""
        kept = self.operations
        return OperationSet.from_json(kept) if isinstance(kept, dict) else kept

    def screen(self) -> list[Job]:
        """Return the jobs of the screening stage, seed by seed, so that a stop leaves pairs."""
        pairs = range(self.seeds)
        return [Job(method, seed, "screen", "valid") for seed in pairs for method in self.methods]

    def confirm(self, arms: tuple[str, ...]) -> list[Job]:
        """Return the jobs of the confirm stage for these arms, seed by seed."""
        pairs = range(self.seeds, self.seeds + self.confirm_seeds)
        return [Job(method, seed, "confirm", "test") for seed in pairs for method in arms]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON data with its hash."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        split = {"fractions": FRACTIONS, "per_class": self.per_class, "repeats": self.repeats}
        numbers = {
            "seeds": list(range(self.seeds)),
            "confirm_seeds": list(range(self.seeds, self.seeds + self.confirm_seeds)),
        }
        content |= {"schema": 1, "question": QUESTION, "split": split, **numbers}
        return content | {"epochs": self.recipe.epochs, "hash": self.digest()}

    def digest(self) -> str:
        """Return the SHA-256 (hex) of everything that decides the numbers."""
        content = {k: v for k, v in asdict(self).items() if k not in FREE}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def save(self, out: Path) -> None:
        """Write plan.json."""
        rundir.write_json(rundir.plan_path(out), self.to_json())

    @staticmethod
    def load(out: Path) -> Plan:
        """Read plan.json.

        Raises:
            RunError: it is missing, or was changed after it was written.
        """
        path = rundir.plan_path(out)
        if not path.is_file():
            raise RunError(
                f"{path.name} is missing, so this is no run folder", [str(out)],
                "give the folder that `learnaug compare`, `train` or `learn` wrote", code=66,
            )  # fmt: skip
        content = rundir.read_json(path)
        try:
            plan = _from_json(content)
        except (KeyError, TypeError, ValueError) as fault:
            raise RunError(
                f"{path.name} cannot be read: {type(fault).__name__} {fault}", [str(out)],
                "it was written by another version of learnaug, or changed by hand",
            ) from None  # fmt: skip
        if plan.digest() != content.get("hash"):
            raise RunError(
                f"{path.name} was changed after it was written", [str(out)],
                "put the old file back, or start again in another folder", code=65,
            )  # fmt: skip
        return plan


def _from_json(content: dict[str, Any]) -> Plan:
    if content["schema"] != 1:
        raise ValueError(f"schema {content['schema']!r}, but this version reads 1")
    names = set(Plan.__dataclass_fields__)
    given = {key: value for key, value in content.items() if key in names}
    given["recipe"] = Recipe(**content["recipe"])
    given["seeds"] = len(content["seeds"])
    given["confirm_seeds"] = len(content["confirm_seeds"])
    for name in ("methods", "notes", "operations"):
        if isinstance(given[name], list):
            given[name] = tuple(given[name])
    return Plan(**given)


def versions() -> dict[str, str]:
    """Return the versions that the numbers depend on; operations by the SHA-256 of their table."""
    table = json.dumps({name: asdict(op) for name, op in TABLE.items()}, sort_keys=True)
    found = rundir.versions()
    named = {name: found[name] for name in DECIDING if name in found}
    return named | {"operations": hashlib.sha256(table.encode()).hexdigest()[:16]}


def require_versions(out: Path, plan: Plan, accept: bool) -> None:
    """Refuse to go on with other versions than those of the plan in `out`, unless accepted.

    Versions that are accepted are written into the plan.

    Raises:
        UsageError: lists every version that differs, old and new.
    """
    now = versions()
    names = {**plan.versions, **now}
    changed = [
        f"{name}: {plan.versions.get(name)} in the folder, {now.get(name)} now"
        for name in names
        if plan.versions.get(name) != now.get(name)
    ]
    if changed and not accept:
        raise UsageError(
            "the versions changed since this run folder was made; old and new runs would not pair",
            changed,
            "install the old versions, give another --out, or accept it with --accept-change",
        )
    if changed:
        replace(plan, versions=now).save(out)


def require_same(old: Plan, new: Plan) -> None:
    """Refuse to go on in a folder whose plan differs from what is asked now.

    Raises:
        UsageError: lists every setting that differs, old and new.
    """
    before, after = asdict(old), asdict(new)
    skip = {*FREE, "notes"}
    changed = [line for key in before if key not in skip
               for line in differences(key, before[key], after[key])]  # fmt: skip
    if changed:
        raise UsageError(
            "this run folder belongs to another comparison",
            changed,
            "give another --out, or the same settings as before",
        )


def differences(key: str, before: Any, after: Any) -> list[str]:
    """Return one line a difference, inside of dictionaries too."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = {**before, **after}
        return [
            line
            for name in names
            for line in differences(f"{key}.{name}", before.get(name), after.get(name))
        ]
    if isinstance(before, tuple) and isinstance(after, tuple):
        gone = [f"without {value}" for value in before if value not in after]
        new = [f"with {value}" for value in after if value not in before]
        return [f"{key}: now {', '.join(gone + new)}"] if gone or new else []
    return [] if before == after else [f"{key}: {before!r} in the folder, {after!r} now"]
