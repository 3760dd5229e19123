"""Every setting of every method that learns changes what is learned or how a target is trained.

What is compared holds no settings: weights, drawn batches, trials, verdicts, phases of a training.
A new setting without a case here fails, so that none can be forgotten.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from safe_worlds import CPU, PLANTED, QUIET, hooks

from learnaug import nets
from learnaug.data import ImageSet, make_batch
from learnaug.methods import Budget, Learned, Learning
from learnaug.methods.aws import AWS, PaperAWS
from learnaug.methods.dagan import DAGAN
from learnaug.methods.merge import SmartAugmentation
from learnaug.methods.safe import SafeAugmentation
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Recipe

TURN = PLANTED.branches[0]
TWICE = OperationSet("twice", (TURN, ("Again", TURN[1])))  # safe, and one is enough
ELSEWHERE = {  # settings with tests of their own, where they need a folder or much training
    DAGAN: ("generator", "select", "paper"),
    AWS: (),
    PaperAWS: (),
    SafeAugmentation: ("detector", "by_class"),
    SmartAugmentation: ("partners",),
}
QUICK: dict[type, dict[str, Any]] = {
    DAGAN: {
        "width": 4, "outer": 4, "critic_width": 4, "critic_convs": 1, "batch": 8, "z": 5,
        "updates": 4, "select": "last", "class_weight": 0.0,
    },
    AWS: {
        "operations": PLANTED, "bands": 1, "ways": 4, "rounds": 2, "trials": 4, "size": 2,
        "checks": 1, "late": 0.2,
    },
    PaperAWS: {"loops": 3, "first": 0.5, "late": 0.2, "looks": 3},
    SafeAugmentation: {"operations": PLANTED, "folds": 2, "epochs": 2, "use": "all-safe"},
    SmartAugmentation: {},
}  # fmt: skip
# Method, the settings under test, and others that both sides have.
CASES: list[tuple[type, dict[str, Any], dict[str, Any]]] = [
    *((DAGAN, {key: value}, {}) for key, value in {
        "per_real": 1, "ready": False, "updates": 2, "batch": 4, "critic_steps": 1,
        "lr": 0.01, "penalty": 0.0, "class_weight": 1.0, "z": 3, "width": 2, "outer": 2, "convs": 2,
        "critic_width": 2, "critic_convs": 2, "blocks": 1, "dropout": 0.0, "residual": False,
        "rotate": False, "flag": False,
    }.items()),
    (DAGAN, {"passes": 1}, {"updates": 8, "batch": 32}),
    *((AWS, {key: value}, {}) for key, value in {
        "operations": None, "bands": 3, "ways": 5, "rounds": 1, "trials": 5, "size": 1, "checks": 2,
        "first": 0.7, "late": 0.5, "start": "even", "folds": 2,
    }.items()),
    *((PaperAWS, {key: value}, {}) for key, value in {
        "table": "conditional", "loops": 2, "first": 0.7, "late": 0.5, "steady": 0.5, "looks": 1,
        "enlarge": 2, "without": 3,
    }.items()),
    *((SafeAugmentation, {key: value}, {}) for key, value in {
        "operations": None, "net": "b1", "joint": False, "max_ops": 1, "order": "table",
        "per": "batch", "folds": 3, "pictures": 60, "judged": 40, "epochs": 3, "rule": "thesis",
        "limit": 0.51, "smaller": False, "subset": 1, "use": "safe",
        "first": 0.25,
    }.items()),
    (SafeAugmentation, {"ops": "hflip/rot90"}, {"operations": None}),
    (SafeAugmentation, {"moved": 0.999}, {"epochs": 30}),
    (SafeAugmentation, {"most_false": 0.9}, {"epochs": 30, "rule": "thesis", "most_hit": 0.9}),
    (SafeAugmentation, {"most_hit": 0.9}, {"epochs": 30, "rule": "thesis", "most_false": 0.9}),
    (SafeAugmentation, {"pairs": False}, {"epochs": 30, "operations": TWICE}),
    *((SmartAugmentation, {key: value}, {}) for key, value in {
        "k": 3, "per_class": True, "loss": "none", "compare_in": "features", "alpha": 5.0,
        "beta": -0.3, "alpha_end": 0.0, "beta_end": 0.0, "network": "augnet", "optimiser": "adam",
        "lr": 0.1, "clip": 1e-4, "share": 0.25, "batch_norm": "apart", "joint": False,
    }.items()),
    (SmartAugmentation, {"schedule": "cosine"}, {"alpha_end": 0.0}),
    (SmartAugmentation, {"clusters": 1}, {"partners": "clusters"}),
]  # fmt: skip


def world() -> ImageSet:
    """Return hooks, one class of them in four, so that classes can be kept apart."""
    data = hooks(0, 96)
    labels = data.labels * 4 + np.arange(96) % 4
    return replace(data, labels=labels, classes=tuple("abcdefgh"))


def learned(method: Any) -> Learned:
    data = hooks(0, 120) if isinstance(method, (AWS, PaperAWS, SafeAugmentation)) else world()
    rows = np.arange(len(data))
    train, valid = data.take(rows[rows % 5 > 0]), data.take(rows[rows % 5 == 0])

    def net(seeds: Seeds) -> torch.nn.Module:
        classes = len(data.classes)
        return nets.build("smallnet", channels=1, size=(8, 8), classes=classes, seeds=seeds)

    learning = Learning(train, valid, net, Recipe(epochs=3, batch_size=16))
    found: Learned = method.learn(learning, seeds=Seeds(0), device=CPU, budget=Budget(), keep=QUIET)
    return found


def seen(found: Learned) -> list[str]:
    """Return what was learned and how a target is trained, as text without the settings."""
    data = world() if found.target else hooks(0, 40)
    parts: list[Any] = [[phase.share, phase.copies] for phase in found.phases()]
    for phase in found.phases():
        batch = phase.augmenter(make_batch(data, np.arange(16)), data, Seeds(1))
        parts += [batch.images, batch.targets, batch.generated]
    told = found.augmenter.describe()
    search, audit = told.get("search", {}), told.get("audit", {})
    parts += [search.get(key) for key in ("trials", "rewards", "check", "history", "race")]
    parts += [audit.get(key) for key in ("findings", "dropped", "pictures")]
    if found.target is not None:
        parts += list(found.target.state_dict().values())
    return [
        repr(part.tolist()) if isinstance(part, torch.Tensor) else json.dumps(part)
        for part in parts
    ]


@cache
def usual(kind: type, settings: str) -> list[str]:
    """Return what is seen with the settings of `QUICK` and these, as a text that can be cached."""
    return seen(learned(kind(**{**QUICK[kind], **json.loads(settings)})))


def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every search take its rewards for a finding: its last trials follow only then."""
    for module in ("race", "search"):
        monkeypatch.setattr(sys.modules[f"learnaug.methods.aws.{module}"], "LEVEL", 2.0)


def told(case: tuple[type, dict[str, Any], dict[str, Any]]) -> str:
    return f"{case[0].__name__}, {next(iter(case[1]))}"


@pytest.mark.parametrize("case", CASES, ids=told)
def test_every_setting_is_connected(
    case: tuple[type, dict[str, Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    believed(monkeypatch)
    kind, changed, both = case
    settings = {**QUICK[kind], **both}
    make: Callable[..., Any] = kind
    before = (
        seen(learned(make(**settings))) if "operations" in both else usual(kind, json.dumps(both))
    )
    assert seen(learned(make(**{**settings, **changed}))) != before


@pytest.mark.parametrize("kind", list(QUICK), ids=lambda kind: kind.__name__)
def test_no_setting_is_forgotten(kind: Any) -> None:
    here = {key for each, changed, _ in CASES if each is kind for key in changed}
    assert here | set(ELSEWHERE[kind]) == {field.name for field in fields(kind)}


def test_the_same_settings_are_seen_alike() -> None:
    for kind in (DAGAN, PaperAWS):
        assert seen(learned(kind(**QUICK[kind]))) == usual(kind, "{}")
