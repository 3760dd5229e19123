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

from learnaug import rundir, stats, study
from learnaug.errors import DataError, RunError, UsageError
from learnaug.methods import METHODS, Learned, load_augmenter
from learnaug.ops import Policy
from learnaug.study import budget, probe
from learnaug.study import job as job_module
from learnaug.study.job import finished
from learnaug.study.plan import Job, Plan
from learnaug.study.single import Trained
from learnaug.study.stop import Interrupted

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

compare_module = sys.modules["learnaug.study.compare"]
summary_module = sys.modules["learnaug.study.summary"]


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


def test_the_policy_is_taken_home_with_its_evidence(done: study.Comparison) -> None:
    policy, verdict = Policy.load(done.policy), done.summary["verdict"]
    assert policy.stages == done.best.augmenter.policy.stages
    assert policy.trained_on["data"] == done.summary["data"]["name"]
    assert policy.trained_on["pictures"] == done.summary["data"]["train"]
    assert policy.trained_on["fingerprint"] == done.summary["data"]["fingerprint"]
    assert policy.evidence["difference"] == verdict["difference"]
    assert policy.evidence["interval"] == tuple(verdict["interval"])
    assert policy.evidence["pairs"] == verdict["pairs"]
    assert (policy.evidence["part"], policy.evidence["baseline"]) == ("test", verdict["baseline"])


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
    true = job_module.goal_of

    def watched(data: Any) -> Any:
        goal = true(data)

        def counted(model: nn.Module, part: Any, *args: Any) -> Any:
            parts.append("test" if set(part.parts) == {"test"} else "valid")
            return goal.predict(model, part, *args)

        return replace(goal, predict=counted)

    monkeypatch.setattr(job_module, "goal_of", watched)
    tiny.compare(tmp_path / "out")
    assert parts == ["valid"] * 5 + ["test"] * 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 3}, "recipe.epochs: 2 in the folder, 3 now"),
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


def test_minutes_lower_the_epochs_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run is said to cost a minute, so that no machine is fast or slow."""
    monkeypatch.setattr(budget, "cost_of", lambda *of, **more: probe.Cost(updates=60.0))
    found = tiny.compare(tmp_path / "out", epochs=None, minutes=2, confirm_seeds=0)
    plan = Plan.load(found.out)
    assert 2 <= plan.recipe.epochs < 150
    assert any("lowered to" in note for note in plan.notes)
    assert found.summary["seconds"] < 120


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


def test_another_version_is_refused_with_a_diff_unless_accepted(
    done: study.Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    tiny.compare(out, confirm_seeds=0)
    true = rundir.versions()
    monkeypatch.setattr(rundir, "versions", lambda: true | {"torch": "99.0"})
    for go_on in (lambda: tiny.compare(out, confirm_seeds=0), lambda: study.resume(out)):
        with pytest.raises(UsageError, match="--accept-change") as caught:
            go_on()
        assert f"torch: {true['torch']} in the folder, 99.0 now" in str(caught.value)
    study.resume(out, accept_change=True)
    assert Plan.load(out).versions["torch"] == "99.0"
    study.resume(out)


def test_a_learned_candidate_meets_trivialaugment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that learns and wins the screening gets the second verdict."""
    monkeypatch.setitem(METHODS, "planted", replace(METHODS["cutout"], kind="learned"))
    monkeypatch.setattr(summary_module, "best", lambda out, plan: "planted")
    monkeypatch.setattr(compare_module, "best", lambda out, plan: "planted")
    found = tiny.compare(tmp_path / "out", methods=("planted",), confirm_seeds=6)
    rows = {row["method"] for row in found.summary["methods"] if row["stage"] == "confirm"}
    assert rows == {"none", "planted", "trivialaugment"}
    second = found.summary["against_trivialaugment"]
    assert set(second) == set(found.summary["verdict"])
    assert (second["candidate"], second["baseline"]) == ("planted", "trivialaugment")
    assert second["pairs"] == found.summary["verdict"]["pairs"] == 6
    assert found.summary["runs"]["planned"] == 5 + 3 * 6


def test_few_test_pictures_are_cut_five_times(tmp_path: Path) -> None:
    data = tiny.data()
    cut = replace(data, parts=np.full(len(data), ""))
    found = tiny.compare(tmp_path / "out", data=cut, confirm_seeds=6)
    plan = Plan.load(found.out)
    assert plan.repeats == 5
    world = study.world.open_world(found.out)
    assert len({tuple(split.test) for split in world.splits}) == 5
    verdict = found.summary["verdict"]
    none, best = (
        next(r["scores"] for r in found.summary["methods"]
             if r["stage"] == "confirm" and r["method"] == m)
        for m in ("none", verdict["candidate"])
    )  # fmt: skip
    naive = stats.paired(best, none)
    if naive.sd:  # the overlap of the splits widens the interval
        width = verdict["interval"][1] - verdict["interval"][0]
        assert width > 1.3 * (naive.interval[1] - naive.interval[0])


def test_another_augmenter_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two policies given as objects must not be taken for one another."""
    first, second = load_augmenter("cutout"), load_augmenter("mixup")
    out = tmp_path / "out"
    study.train(tiny.data(), first, epochs=1, out=out)
    with pytest.raises(UsageError, match="given: "):
        study.train(tiny.data(), second, epochs=1, out=out)
    assert load_augmenter(out / "given").describe() == first.describe()
    assert not list(out.glob("tmp*"))


def test_another_net_of_the_same_name_is_refused(tmp_path: Path) -> None:
    def net(classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    one = net

    def net(classes: int) -> nn.Module:  # type: ignore[no-redef]
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Linear(8, classes))

    out = tmp_path / "out"
    tiny.compare(out, model=one, confirm_seeds=0)
    with pytest.raises(UsageError, match="net: "):
        tiny.compare(out, model=net, confirm_seeds=0)
    with pytest.raises(RunError, match="not the one"):
        study.resume(out, model=net)


def test_a_refused_call_changes_nothing(done: study.Comparison) -> None:
    before = {p: p.read_bytes() for p in done.out.rglob("*") if p.is_file() and p.name != "lock"}
    data = tiny.data(48)
    with pytest.raises(UsageError):
        tiny.compare(done.out, data=data)
    after = {p: p.read_bytes() for p in done.out.rglob("*") if p.is_file() and p.name != "lock"}
    assert after == before


@pytest.mark.parametrize("fault", [RuntimeError, BrokenPipeError])
def test_a_fault_of_the_listener_ends_the_study_and_does_not_hang(
    fault: type[Exception], tmp_path: Path
) -> None:
    def say(event: dict[str, Any]) -> None:
        if event["event"] == "run-end":
            raise fault("the terminal is gone")

    with pytest.raises(fault, match="the terminal is gone"):
        tiny.compare(tmp_path / "out", jobs=2, say=say)
    study.resume(tmp_path / "out")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_ends_the_study_with_its_own_status(
    jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit on the size of a file stands for the full disk; workers inherit it."""
    out = tmp_path / "out"
    tiny.compare(out, seeds=1, confirm_seeds=0, methods=("none",))
    code = (
        "import resource, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "import tiny; from learnaug.errors import RunError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "def say(event):\n"
        "    if event['event'] == 'start':\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        f"try: tiny.compare(Path(sys.argv[2]), jobs={jobs}, say=say)\n"
        "except RunError as fault: print(fault.code, fault)"
    )
    command = [sys.executable, "-c", code, str(Path(tiny.__file__).parent), str(tmp_path / "full")]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert answer.stdout.startswith("74 "), (answer.stdout, answer.stderr)
    study.resume(tmp_path / "full")


def test_a_test_part_of_one_group_still_ends_with_words(tmp_path: Path) -> None:
    data = tiny.data()
    groups = np.where(data.parts == "test", 1, -1)
    found = tiny.compare(tmp_path / "out", data=replace(data, groups=groups), confirm_seeds=6)
    assert found.summary["verdict"]["image_interval"] is None
    assert found.summary["verdict"]["pairs"] == 6


def test_copies_count_as_one_group_in_the_image_interval(tmp_path: Path) -> None:
    data = tiny.data()
    images = data.images.copy()
    test = np.flatnonzero(data.parts == "test")
    images[test[2:]] = images[np.where(data.labels[test[2:]] == 0, test[0], test[1])]
    found = tiny.compare(tmp_path / "out", data=replace(data, images=images), confirm_seeds=6)
    clusters = np.asarray(study.world.open_world(found.out).clusters)[test]
    assert len(np.unique(clusters)) == 2


def test_an_unfinished_confirm_stage_gives_no_verdict(tmp_path: Path) -> None:
    """Looking at a moment of one's choice would claim too often (TRUST E5)."""
    out = tmp_path / "out"
    ended = 0

    def say(event: dict[str, Any]) -> None:
        nonlocal ended
        ended += event["event"] == "run-end" and event["stage"] == "confirm"
        if ended == 14:
            ended += 1
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        tiny.compare(out, confirm_seeds=10, say=say)
    verdict = rundir.read_json(rundir.summary_path(out))["verdict"]
    assert verdict["pairs"] >= 6
    assert verdict["outcome"] == "too-few-runs"
    assert "still to come" in verdict["words"]


def test_seconds_add_up_over_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def learn(self, *args: Any, **options: Any) -> Learned:
            rundir.sleep(0.3)
            return Learned(load_augmenter("cutout"))

        def config(self) -> dict[str, Any]:
            return {}

    row = replace(METHODS["cutout"], make=lambda names: Slow(), kind="learned")
    monkeypatch.setitem(METHODS, "slow", row)
    steps = 0

    def say(event: dict[str, Any]) -> None:
        nonlocal steps
        steps += event["event"] == "run-step" and event["method"] == "slow"
        if steps == 1:
            steps += 1
            signal.raise_signal(signal.SIGINT)

    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        tiny.compare(out, methods=("slow",), epochs=30, confirm_seeds=0, say=say)
    study.resume(out)
    seconds = rundir.read_json(rundir.status_path(rundir.run_folder(out, "slow", 0)))["seconds"]
    assert seconds["learn"] == pytest.approx(0.6, abs=0.15)  # learned twice: before and after
