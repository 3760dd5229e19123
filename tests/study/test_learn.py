"""`learn`: the test part is never read, a kill changes no bit, wrong calls are told."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import learnaug
from learnaug import rundir, study
from learnaug.data import ImageSet
from learnaug.errors import RunError, UsageError
from learnaug.methods import (
    METHODS,
    Budget,
    Learned,
    Learning,
    PolicyAugmenter,
    Row,
    policy_of,
)
from learnaug.ops import OperationSet, Policy
from learnaug.ops.policy import Element, Stage
from learnaug.seeds import Seeds
from learnaug.study.plan import Plan
from learnaug.study.world import World
from learnaug.training import Keep, Phase, fit

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny
from test_kills import Killed


@dataclass(frozen=True)
class Teacher:
    """Train a net and turn its weights into an angle: any other training is another angle."""

    factor: float = 1.0

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        keep.say("class 'below' has few pictures")
        plain = PolicyAugmenter(Policy((), "none"))
        net = data.net(data.init)
        fit(
            net, data.train, data.valid, (Phase(plain),), data.recipe, seeds=seeds.child("fit"),
            device=device, precision=budget.precision, keep=keep,
        )  # fmt: skip
        degrees = self.factor * sum(float(p.detach().abs().mean()) for p in net.parameters())
        turn = Element("rotate", -degrees, degrees)
        return Learned(PolicyAugmenter(Policy((Stage(((turn,),)),), "taught")))

    def config(self) -> dict[str, Any]:
        return {"factor": self.factor}


@pytest.fixture(autouse=True)
def _teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "teacher", Row(lambda names: Teacher(), "", "learned"))


def learn(out: Path, method: str = "teacher", data: ImageSet | None = None, **more: Any) -> Any:
    settings: dict[str, Any] = {"epochs": 3, "model": "b1", "out": out} | more
    return learnaug.learn(tiny.data() if data is None else data, method, **settings)


def written(out: Path) -> dict[str, bytes]:
    """Return every file of OUT/augmenter."""
    folder = out / "augmenter"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted learning writes."""
    out = tmp_path_factory.mktemp("learn") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "teacher", Row(lambda names: Teacher(), "", "learned"))
        learn(out)
    return written(out)


def test_what_is_left_behind(tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    lesson = learn(out)
    assert written(out) == whole
    assert list(whole) == ["augmenter.json"]
    assert lesson.folder == out / "augmenter"
    assert lesson.augmenter.describe() == lesson.description
    assert lesson.notes == ("class 'below' has few pictures",)
    assert lesson.seconds > 0
    run = rundir.run_folder(out, "teacher", 0)
    assert rundir.read_json(rundir.status_path(run))["state"] == "done"
    assert len(list(rundir.read_records(rundir.log_path(run, "learn")))) > 0
    assert not rundir.checkpoint_folder(run, "learn").exists()
    assert not rundir.predictions_path(run).exists()
    trained = learnaug.train(
        tiny.data(), lesson.folder, epochs=1, model="b1", out=tmp_path / "trained"
    )
    assert trained.metrics["part"] == "test"


def test_the_test_part_is_never_read(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny.data()
    noise = np.where(
        (data.parts == "test")[:, None, None, None], 255 - data.images[::-1], data.images
    )
    learn(tmp_path / "noise", data=replace(data, images=noise))
    assert written(tmp_path / "noise") == whole
    seen = []
    true = World.part
    monkeypatch.setattr(
        World, "part", lambda w, seed, name: seen.append(name) or true(w, seed, name)
    )
    learn(tmp_path / "seen")
    assert set(seen) == {"train", "valid"}


def test_the_split_is_that_of_a_comparison(tmp_path: Path) -> None:
    learn(tmp_path / "learn", "flip-crop", seed=5)
    tiny.compare(tmp_path / "compare", seed=5, confirm_seeds=0, epochs=1)
    one, other = (rundir.split_path(tmp_path / name) for name in ("learn", "compare"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("share", [0.1, 0.6, 0.8, 0.98])
def test_killed_and_called_again(share: float, tmp_path: Path, whole: dict[str, bytes]) -> None:
    count, last = 0, 10**9

    def hook(kind: str, path: Path) -> None:
        nonlocal count
        count += 1
        if count >= last:
            raise Killed

    with rundir.injected(hook):
        learn(tmp_path / "counted")
    last, count = max(1, round(share * count)), 0
    with rundir.injected(hook), pytest.raises(Killed):
        learn(tmp_path / "out")
    learn(tmp_path / "out")
    assert written(tmp_path / "out") == whole
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_time_is_up_and_resume_goes_on(tmp_path: Path) -> None:
    learn(tmp_path / "long", epochs=60)
    out = tmp_path / "out of time"
    with pytest.raises(RunError) as caught:
        learn(out, epochs=60, minutes=0.001)
    assert caught.value.code == 75
    assert caught.value.mend == f"learnaug resume '{out}'"
    run = rundir.run_folder(out, "teacher", 0)
    assert rundir.read_json(rundir.status_path(run))["state"] == "stopped"
    assert not (out / "augmenter").exists()
    lesson = learnaug.resume(out)
    assert isinstance(lesson, study.Lesson)
    assert written(out) == written(tmp_path / "long")
    assert lesson.notes == ("class 'below' has few pictures",)


def test_settings_of_the_name_reach_the_method(tmp_path: Path, whole: dict[str, bytes]) -> None:
    lesson = learn(tmp_path / "out", "teacher:factor=2")
    assert written(tmp_path / "out") != whole
    run = rundir.run_folder(tmp_path / "out", "teacher:factor=2", 0)
    assert rundir.read_json(rundir.config_path(run))["settings"] == {"factor": 2.0}
    assert lesson.method == "teacher:factor=2"


def test_a_fixed_method_writes_its_policy(tmp_path: Path) -> None:
    lesson = learn(tmp_path / "out", "flip-crop+cutout")
    assert [m["name"] for m in lesson.description["members"]] == ["flip-crop", "cutout"]
    assert sorted(written(tmp_path / "out")) == [
        "0/augmenter.json", "1/augmenter.json", "augmenter.json",
    ]  # fmt: skip


def test_an_operation_set_goes_into_the_plan_and_comes_back(tmp_path: Path) -> None:
    turns = OperationSet("turns", (("Turn", (Element("rotate", -9, 9),)),))
    lesson = learn(tmp_path / "out", "trivialaugment", ops=turns)
    policy = policy_of(lesson.augmenter)
    assert policy is not None
    assert [element.op for element in policy.elements()] == ["identity", "rotate"]
    assert Plan.load(tmp_path / "out").allowed() == turns
    again = learn(tmp_path / "out", "trivialaugment", ops=turns)
    assert again.seconds == lesson.seconds  # nothing was learned again
    with pytest.raises(UsageError, match="operations"):
        learn(tmp_path / "out", "trivialaugment", ops=["rotate"])


def test_a_fault_in_learning_is_told_and_can_be_mended(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = Teacher.learn

    def broken(self: Teacher, data: Learning, **named: Any) -> Learned:
        raise TypeError("no such \x1b layer")

    monkeypatch.setattr(Teacher, "learn", broken)
    with pytest.raises(RunError, match=r"the learning failed: TypeError: no such \\x1b layer"):
        learn(tmp_path / "out")
    run = rundir.run_folder(tmp_path / "out", "teacher", 0)
    assert rundir.read_json(rundir.status_path(run))["state"] == "failed"
    monkeypatch.setattr(Teacher, "learn", true)
    learn(tmp_path / "out")
    assert written(tmp_path / "out") == whole


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("teachr", {}, "did you mean teacher"),
        ("teacher:factr=1", {}, "did you mean factor"),
        ("teacher", {"epochs": 0}, "epochs >= 1"),
        ("teacher", {"minutes": -1.0}, "minutes > 0"),
        ("uniform", {"ops": ["rotat"]}, "did you mean rotate"),
        ("teacher", {"model": "smalnet"}, "did you mean smallnet"),
    ],
)
def test_wrong_calls(method: str, more: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        learn(tmp_path / "out", method, **more)
    assert words in str(caught.value)
    assert not rundir.plan_path(tmp_path / "out").exists()


def test_another_plan_in_the_folder_is_refused(tmp_path: Path) -> None:
    learn(tmp_path / "out", "flip-crop")
    with pytest.raises(UsageError, match=r"seed: 0 in the folder, 1 now"):
        learn(tmp_path / "out", "flip-crop", seed=1)
    with pytest.raises(UsageError, match=r"kind: 'learn' in the folder, 'train' now"):
        learnaug.train(tiny.data(), "flip-crop", epochs=3, model="b1", out=tmp_path / "out")


def test_what_was_learned_is_shown_and_a_fixed_policy_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    lesson = learn(out, "cutout+smart-augmentation", epochs=1)
    run = rundir.run_folder(out, lesson.method, 0)
    assert [one.columns[0] for one in lesson.galleries] == ["input 1", "epoch 0", "merged"]
    assert lesson.galleries[0].rows == ("above", "below")
    page = lesson.pictures.read_text("utf-8")
    assert page.count("<img ") == 3 * 2
    assert lesson.galleries[2].words.split(".")[0] in page
    lesson.pictures.unlink()
    again = learnaug.resume(out)
    assert isinstance(again, study.Lesson)
    assert lesson.pictures.read_text("utf-8") == page
    assert rundir.galleries_path(run, ".npz").is_file()
    fixed = learn(tmp_path / "fixed", "flip-crop")
    assert fixed.galleries == ()
    assert not fixed.pictures.exists()
    assert not rundir.galleries_path(rundir.run_folder(fixed.out, "flip-crop", 0)).exists()
