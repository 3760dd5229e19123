"""The comparison: what it writes, that it repeats, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from learnaug import rundir, study
from learnaug.errors import DataError, RunError, UsageError
from learnaug.study import job as job_module
from learnaug.study.job import finished
from learnaug.study.plan import Job, Plan
from learnaug.study.single import Trained
from learnaug.study.stop import Interrupted

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> study.Comparison:
    """One finished tiny comparison that tests only read."""
    return tiny.compare(tmp_path_factory.mktemp("study") / "done")


def test_summary_has_the_promised_shape(done: study.Comparison) -> None:
    summary = rundir.read_json(rundir.summary_path(done.out))
    assert summary == json.loads(json.dumps(done.summary))
    assert set(summary) == {
        "schema", "data", "metric", "methods", "verdict", "against_trivialaugment", "runs",
        "seconds", "command", "versions",
    }  # fmt: skip
    assert set(summary["data"]) == {"name", "classes", "train", "valid", "test", "fingerprint"}
    for row in summary["methods"]:
        assert set(row) == {
            "method", "stage", "part", "seeds", "scores", "mean", "learn_seconds",
            "train_seconds", "failed",
        }  # fmt: skip
        assert all(0 <= score <= 1 for score in row["scores"])
        assert row["mean"] == pytest.approx(np.mean(row["scores"]))
    assert set(summary["verdict"]) == {
        "candidate", "baseline", "words", "outcome", "difference", "interval", "image_interval",
        "p", "pairs",
    }  # fmt: skip
    assert summary["runs"] == {"planned": 9, "done": 9, "failed": 0}
    assert summary["against_trivialaugment"] is None


def test_the_controls_are_always_among_the_arms(done: study.Comparison) -> None:
    screened = {row["method"] for row in done.summary["methods"] if row["stage"] == "screen"}
    assert screened == {"none", "flip-crop", "trivialaugment", "uniform", "cutout"}


def test_fewer_than_five_pairs_are_never_a_verdict(done: study.Comparison) -> None:
    assert done.summary["verdict"]["outcome"] == "too-few-runs"
    assert done.summary["verdict"]["pairs"] == 2


def test_confirm_seeds_are_fresh_and_paired(done: study.Comparison) -> None:
    confirm = [row for row in done.summary["methods"] if row["stage"] == "confirm"]
    assert [row["part"] for row in confirm] == ["test", "test"]
    assert all(row["seeds"] == [1, 2] for row in confirm)


def test_within_a_pair_weights_and_order_start_the_same(done: study.Comparison) -> None:
    """`none` of two pairs differ; the pair's streams do not know the method."""
    world = study.world.open_world(done.out)
    first, again = (world.net(world.pair(1).child("init")).state_dict() for _ in range(2))
    other = world.net(world.pair(2).child("init")).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_best_augmenter_is_ready_to_use(done: study.Comparison) -> None:
    images = done.best.augmenter.apply(np.zeros((2, 8, 8, 1), np.uint8), seed=0)
    assert images.shape == (2, 8, 8, 1)
    assert done.best.method == done.summary["verdict"]["candidate"]


def test_two_processes_give_the_same_bits_as_one(done: study.Comparison, tmp_path: Path) -> None:
    tiny.compare(tmp_path / "two", jobs=2)
    assert tiny.canonical(tmp_path / "two") == tiny.canonical(done.out)


def test_calling_again_runs_nothing_again(
    done: study.Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("a finished run was run again")

    monkeypatch.setattr(job_module, "fit", refuse)
    again = tiny.compare(done.out)
    assert again.summary["verdict"] == done.summary["verdict"]
    assert study.resume(done.out).summary["verdict"] == done.summary["verdict"]  # type: ignore[union-attr]


def test_test_labels_are_unread_until_the_confirm_stage(tmp_path: Path) -> None:
    """Other labels in the test part change no bit of the screening (TRUST C10)."""
    data = tiny.data()
    labels = data.labels.copy()
    test = data.parts == "test"
    labels[test] = 1 - labels[test]
    tiny.compare(tmp_path / "a", confirm_seeds=0)
    tiny.compare(tmp_path / "b", confirm_seeds=0, data=replace(data, labels=labels))
    a, b = tiny.canonical(tmp_path / "a"), tiny.canonical(tmp_path / "b")
    assert {k: v for k, v in a.items() if k != "plan"} == {
        k: v for k, v in b.items() if k != "plan"
    }
    tiny.compare(tmp_path / "c", confirm_seeds=2, data=replace(data, labels=labels))
    tiny.compare(tmp_path / "d", confirm_seeds=2)
    assert tiny.canonical(tmp_path / "c") != tiny.canonical(tmp_path / "d")


def test_each_confirm_run_reads_the_test_part_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[str] = []
    true = job_module.predict

    def counted(model: nn.Module, data: Any, *args: Any) -> Any:
        parts.append("test" if set(data.parts) == {"test"} else "valid")
        return true(model, data, *args)

    monkeypatch.setattr(job_module, "predict", counted)
    tiny.compare(tmp_path / "out")
    assert parts == ["valid"] * 5 + ["test"] * 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 3}, "recipe: .*epochs.: 2.*epochs.: 3"),
        ({"seed": 1}, "seed: 0 in the folder, 1 now"),
        ({"methods": ("mixup",)}, "methods: "),
        ({"model": "b1"}, "model: 'smallnet' in the folder, 'b1' now"),
        ({"baseline": "flip-crop"}, "baseline: "),
        ({"confirm_seeds": 3}, "confirm_seeds: 2 in the folder, 3 now"),
        ({"per_class": 5}, "per_class: None in the folder, 5 now"),
        ({"ops": ["rotate", "equalize"]}, "operations: "),
    ],
)
def test_another_plan_in_the_same_folder_is_refused_with_a_diff(
    done: study.Comparison, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match="another comparison") as caught:
        tiny.compare(done.out, **changes)
    assert re.search(words, str(caught.value))


def test_changed_data_in_the_same_folder_are_refused(done: study.Comparison) -> None:
    data = tiny.data()
    images = data.images.copy()
    images[0, 0, 0, 0] += 1
    with pytest.raises(UsageError, match="fingerprint"):
        tiny.compare(done.out, data=replace(data, images=images))


def test_a_plan_changed_by_hand_is_refused(done: study.Comparison, tmp_path: Path) -> None:
    plan = json.loads(rundir.plan_path(done.out).read_text())
    plan["delta"] = 0.5
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(RunError, match="changed after it was written"):
        Plan.load(tmp_path)


def test_a_folder_without_a_plan_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder") as caught:
        study.resume(tmp_path)
    assert caught.value.code == 66


def test_all_faults_of_the_settings_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        tiny.compare(tmp_path / "x", seeds=0, epochs=-1, minutes=0, jobs=0, ops=["rotat"])
    for part in ("seeds >= 1", "epochs >= 1", "minutes > 0", "jobs >= 1", "did you mean rotate?"):
        assert part in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_the_same_picture_in_train_and_test_is_refused(tmp_path: Path) -> None:
    data = tiny.data()
    images = data.images.copy()
    images[-1] = images[1]
    with pytest.raises(DataError, match="train"):
        tiny.compare(tmp_path / "x", data=replace(data, images=images))


def test_drop_duplicates_leaves_the_copy_out_of_training(tmp_path: Path) -> None:
    data = tiny.data()
    images = data.images.copy()
    images[-1] = images[1]
    copied = replace(data, images=images)
    tiny.compare(tmp_path / "x", data=copied, drop_duplicates=True, confirm_seeds=0)
    split = rundir.read_json(rundir.split_path(tmp_path / "x"))
    assert "row 63" in split["test"]["ids"]
    assert "row 1" not in split["train"]["ids"] + split["valid"]["ids"]


def test_a_second_process_is_refused(done: study.Comparison) -> None:
    with rundir.lock(done.out):
        code = (
            "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import tiny\n"
            "from learnaug.errors import RunError\n"
            "try: tiny.compare(Path(sys.argv[2]))\n"
            "except RunError as fault: print(fault.code, fault)"
        )
        command = [sys.executable, "-c", code, str(Path(tiny.__file__).parent), str(done.out)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert answer.stdout.startswith("75 "), answer.stderr
    assert "process " in answer.stdout


class Breaks(nn.Module):
    """A net whose loss is infinite in its second step."""

    always = True

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 2)
        self.steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        return self.linear(x.flatten(1)) * (float("inf") if self.steps == 2 else 1.0)


class Refuses(nn.Module):
    """A net with a fault of its own while training."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise KeyError("the user's own fault")
        return self.linear(x.flatten(1))


def test_when_every_run_fails_the_reasons_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="all 5 runs failed") as caught:
        tiny.compare(tmp_path / "a", model=Breaks)
    assert "not finite" in str(caught.value)
    with pytest.raises(RunError, match="KeyError"):
        tiny.compare(tmp_path / "b", model=Refuses)


def test_out_of_memory_fails_that_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, calls = job_module.fit, 0

    def sometimes(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise torch.OutOfMemoryError("tried to allocate 9 TiB")
        return true(*args, **options)

    monkeypatch.setattr(job_module, "fit", sometimes)
    found = tiny.compare(tmp_path / "out")
    failed = [row for row in found.summary["methods"] if row["failed"]]
    assert [row["method"] for row in failed] == ["flip-crop"]
    assert found.summary["runs"]["failed"] == 1
    status = rundir.read_json(rundir.status_path(rundir.run_folder(found.out, "flip-crop", 0)))
    assert status["error"].startswith("out of memory: tried to allocate")


def test_a_stop_keeps_what_is_done_and_resumes_to_the_same_bits(
    done: study.Comparison, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    seen = 0

    def say(event: dict[str, Any]) -> None:
        nonlocal seen
        seen += event["event"] == "run-step"
        if seen == 9:
            seen += 1
            signal.raise_signal(signal.SIGTERM)

    if threading.current_thread() is threading.main_thread():
        with pytest.raises(Interrupted) as caught:
            tiny.compare(out, say=say)
        assert caught.value.signum == 15
    stopped = rundir.read_json(rundir.summary_path(out))
    assert 0 < stopped["runs"]["done"] < 9
    study.resume(out)
    assert tiny.canonical(out) == tiny.canonical(done.out)


def test_minutes_lower_the_epochs_and_say_so(tmp_path: Path) -> None:
    found = tiny.compare(tmp_path / "out", epochs=None, minutes=0.12, confirm_seeds=0)
    plan = Plan.load(found.out)
    assert plan.recipe.epochs < 150
    assert any("lowered to" in note for note in plan.notes)
    assert found.summary["seconds"] < 60


def test_minutes_that_are_too_few_are_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="minutes are too few for 9 trainings"):
        tiny.compare(tmp_path / "out", epochs=None, minutes=0.0001)


def test_a_net_given_in_python_is_trained_and_needed_again(tmp_path: Path) -> None:
    def net(classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    found = tiny.compare(tmp_path / "out", model=net, confirm_seeds=0)
    assert Plan.load(found.out).model == "given in Python: net"
    with pytest.raises(RunError, match=r"resume\(out, model=…\)"):
        study.resume(found.out)
    assert isinstance(study.resume(found.out, model=net), study.Comparison)


def test_train_scores_once_and_goes_on(tmp_path: Path) -> None:
    first = study.train(tiny.data(), "cutout", epochs=2, out=tmp_path / "out")
    assert first.metrics["part"] == "test"
    assert first.metrics["n"] == 16
    weights = rundir.load_tensors(rundir.model_path(first.run))
    assert all(value.isfinite().all() for value in weights.values() if value.is_floating_point())
    again = study.resume(tmp_path / "out")
    assert isinstance(again, Trained)
    assert again.metrics == first.metrics


def test_train_takes_an_augmenter_folder(done: study.Comparison, tmp_path: Path) -> None:
    by_folder = study.train(tiny.data(), done.best.folder, epochs=2, out=tmp_path / "a")
    by_name = study.train(tiny.data(), done.best.method, epochs=2, out=tmp_path / "b")
    assert by_folder.metrics == by_name.metrics


def test_a_run_scored_on_another_part_is_not_done(done: study.Comparison) -> None:
    assert finished(done.out, Job("none", 0, "screen", "valid"))
    assert not finished(done.out, Job("none", 0, "confirm", "test"))


def test_images_with_masks_are_refused_with_a_remedy(tmp_path: Path) -> None:
    data = tiny.data()
    masks = np.zeros((len(data), 8, 8), np.uint8)
    segmented = replace(data, masks=masks, labels=np.zeros(0, np.int64))
    with pytest.raises(UsageError, match="segmentation"):
        tiny.compare(tmp_path / "x", data=segmented)
