"""A search in several processes: the same bits, whoever dies; and what it has when time is up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import learnaug
from learnaug import rundir, study
from learnaug.errors import RunError
from learnaug.methods import resolve
from learnaug.methods.aws.bench import Ask
from learnaug.ops import spaces
from learnaug.study import crew
from learnaug.study import stop as stopping
from learnaug.study.world import World

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

TRIALS = 6
METHOD = f"aws:ways=0,trials={TRIALS},checks=1,first=0.3,late=0.3"


def learn(out: Path, method: str = METHOD, **more: Any) -> study.Lesson:
    settings: dict[str, Any] = {"epochs": 4, "model": "b1", "jobs": 1} | more
    return learnaug.learn(tiny.data(), method, out=out, **settings)


def found(out: Path) -> bytes:
    return (out / "augmenter" / "augmenter.json").read_bytes()


def run_of(out: Path, method: str = METHOD) -> Path:
    return rundir.run_folder(out, method, 0)


def journal(out: Path, method: str = METHOD) -> dict[str, dict[str, Any]]:
    """Return the trials on the disk by name."""
    file = rundir.checkpoint_folder(run_of(out, method), "learn") / "trials" / "trials.jsonl"
    return {row["name"]: row for row in rundir.read_records(file)}


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the journals of searches that are done."""
    monkeypatch.setattr(rundir, "remove_folder", lambda folder: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted search in one process."""
    out = tmp_path_factory.mktemp("search") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rundir, "remove_folder", lambda folder: None)
        learn(out)
    return out


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[crew.Worker]]:
    """The workers that were started."""
    workers: list[crew.Worker] = []
    true = crew.start

    def start(out: Path) -> crew.Worker:
        workers.append(true(out))
        return workers[-1]

    monkeypatch.setattr(crew, "start", start)
    yield workers
    assert all(worker.poll() is not None for worker in workers), "a worker lives on"


def test_two_processes_find_the_same_bits(
    tmp_path: Path, whole: Path, started: list[crew.Worker]
) -> None:
    learn(tmp_path / "out", jobs=2)
    assert found(tmp_path / "out") == found(whole)
    assert journal(tmp_path / "out") == journal(whole)
    assert len(journal(whole)) in (TRIALS, TRIALS + 2)
    assert len(started) == 2


def test_an_order_is_the_same_policy_on_the_other_side() -> None:
    ask = Ask("one", spaces.trivialaugment(), 3)
    assert Ask.from_json(ask.to_json()) == ask


def test_three_processes_of_which_one_dies_find_the_same_bits(
    tmp_path: Path, whole: Path, started: list[crew.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = crew.start

    def start(out: Path) -> crew.Worker:
        worker = true(out)
        if len(started) == 1:
            os.kill(worker.pid, signal.SIGKILL)
        return worker

    monkeypatch.setattr(crew, "start", start)
    lesson = learn(tmp_path / "out", jobs=3)
    assert found(tmp_path / "out") == found(whole)
    assert journal(tmp_path / "out") == journal(whole)
    (note,) = [note for note in lesson.notes if note.startswith("trial")]
    words = "the worker process was killed by signal 9; out of memory?; it is tried again"
    assert note == f"trial subset-0: {words}"
    assert len(started) == 4


def test_a_trial_over_which_two_workers_die_is_named(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = crew.start

    def start(out: Path) -> crew.Worker:
        worker = true(out)
        os.kill(worker.pid, signal.SIGKILL)
        return worker

    with monkeypatch.context() as patch:
        patch.setattr(crew, "start", start)
        with pytest.raises(RunError, match=r"trial subset-\d: .* signal 9.* so did the one before"):
            learn(tmp_path / "out", jobs=2)
    learn(tmp_path / "out")
    assert found(tmp_path / "out") == found(whole)


def test_a_fault_in_a_worker_is_told_with_its_trial(
    tmp_path: Path, started: list[crew.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights that all trials share are damaged when the workers come to read them."""
    true = crew.start

    def start(out: Path) -> crew.Worker:
        (file,) = rundir.checkpoint_folder(run_of(out), "learn").glob("fold-0.safetensors")
        file.write_bytes(b"nothing")
        return true(out)

    monkeypatch.setattr(crew, "start", start)
    with pytest.raises(RunError, match=r"(?s)safetensors.*trial subset-\d"):
        learn(tmp_path / "out", jobs=2)


def _once(share: float, act: Callable[[], object]) -> Callable[[dict[str, Any]], None]:
    """Return a listener that acts once, when more than this share of the learning is done."""
    done = []

    def hear(event: dict[str, Any]) -> None:
        if event.get("share", 0.0) > share and not done:
            done.append(act())

    return hear


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_signal_stops_all_and_keeps_what_is_done(
    jobs: int, tmp_path: Path, whole: Path, started: list[crew.Worker]
) -> None:
    out = tmp_path / "out"
    ask = _once(0.4, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        learn(out, say=ask, jobs=jobs)
    assert all(worker.poll() is not None for worker in started)
    assert 0 < len(journal(out)) < TRIALS
    assert not (out / "augmenter").exists()
    learnaug.resume(out, jobs=1)
    assert found(out) == found(whole)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the user's bound, in seconds; it stands still."""
    now = [0.0]
    monkeypatch.setattr(stopping, "seconds", lambda: now[0])
    return now


def test_when_the_time_is_up_it_ends_with_what_it_has(
    tmp_path: Path, whole: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a search of so many trials; and it goes on to what a search without a stop finds."""
    out = tmp_path / "out"
    up = _once(0.6, lambda: clock.append(clock.pop() + 3601))
    lesson = learn(out, minutes=60, say=up)
    done = len(journal(out))
    assert 4 <= done < TRIALS
    told = lesson.description["lines"]
    assert told[0] == f"{done} of {TRIALS} trials: the time was up"
    assert lesson.notes[-1].endswith(f"learnaug resume {out}")
    few = resolve(METHOD.replace(f"trials={TRIALS}", f"trials={done}"))
    with monkeypatch.context() as patch:
        patch.setattr(World, "method", lambda world, name: few)
        short = learn(tmp_path / "short")
    figures = ("screen", "elements")
    assert [lesson.description["search"][f] for f in figures] == [
        short.description["search"][f] for f in figures
    ]
    assert rundir.read_json(rundir.status_path(run_of(out)))["state"] == "cut"
    rows = journal(out)
    again = learn(out, minutes=60)
    assert found(out) == found(whole)
    assert again.notes == learnaug.resume(whole).notes
    assert rows.items() <= journal(out).items()
    assert rundir.read_json(rundir.status_path(run_of(out)))["state"] == "done"


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_with_too_few_trials_it_is_what_it_began_with(
    share: float, tmp_path: Path, clock: list[float]
) -> None:
    """The time is up while the shared weights are trained; and after a trial or two."""
    up = _once(share, lambda: clock.append(clock.pop() + 3601))
    lesson = learn(tmp_path / "out", minutes=60, say=up)
    done = len(journal(tmp_path / "out"))
    assert done < 4
    told = lesson.description
    assert told["lines"][0] == f"{done} of {TRIALS} trials: the time was up"
    assert "nothing was learned" in told["lines"][-1]
    assert all(row["probability"] == row["before"] for row in told["search"]["elements"])


def test_a_signal_after_the_time_is_a_signal(tmp_path: Path, clock: list[float]) -> None:
    def act() -> None:
        clock.append(clock.pop() + 3601)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "out", minutes=60, say=_once(0.6, act))
    assert not (tmp_path / "out" / "augmenter").exists()


def test_the_paper_ends_with_its_best_loop(tmp_path: Path, clock: list[float]) -> None:
    method = "aws-paper:loops=5,first=0.3,late=0.3,looks=1"
    whole = learn(tmp_path / "whole", method)
    out = tmp_path / "out"
    up = _once(0.5, lambda: clock.append(clock.pop() + 3601))
    lesson = learn(out, method, minutes=60, say=up)
    told = lesson.description["search"]
    done = len(told["rewards"])
    assert 0 < done < 5
    assert lesson.description["lines"][0] == f"{done} of 5 trials: the time was up"
    assert told["rewards"] == whole.description["search"]["rewards"][:done]
    learnaug.resume(out)
    assert found(out) == found(tmp_path / "whole")


def test_another_learning_ends_with_status_75_as_before(tmp_path: Path, clock: list[float]) -> None:
    up = _once(0.3, lambda: clock.append(clock.pop() + 3601))
    with pytest.raises(RunError) as caught:
        learn(tmp_path / "out", "smart-augmentation", minutes=60, say=up)
    assert caught.value.code == 75


def test_kill_9_of_a_search_in_two_processes(tmp_path: Path) -> None:
    """Every process ends, and what is found is that of a search that was left alone."""
    options = ["--per-class", "3", "--epochs", "8", "--model", "b1", "--jobs", "2"]
    method = "aws:ways=8,rounds=1,first=0.2,late=0.5"
    out = tmp_path / "out"
    command = [sys.executable, "-m", "learnaug", "learn", method, "digits", *options]
    process = subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    began = time.monotonic()
    while process.poll() is None and len(_rows(out, method)) < 2:
        if time.monotonic() - began > 300:
            break
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9, "it ended before it was killed"
    assert _gone(str(out)), "a worker lives on"
    assert 2 <= len(_rows(out, method)) < 8
    learnaug.resume(out, jobs=1)
    learnaug.learn("digits", method, per_class=3, epochs=8, model="b1", out=tmp_path / "w", jobs=1)
    assert found(out) == found(tmp_path / "w")
    assert _rows(out, method) == _rows(tmp_path / "w", method)


def _rows(out: Path, method: str) -> dict[str, dict[str, Any]]:
    try:
        return journal(out, method)
    except learnaug.errors.DataError:  # the first line is being written
        return {}


def _gone(marker: str) -> bool:
    """Return whether no process with these words in its command is left within 15 s."""
    for _ in range(150):
        alive = [each for each in Path("/proc").glob("[0-9]*/cmdline") if marker in _text(each)]
        if not alive:
            return True
        time.sleep(0.1)
    return False


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError:
        return ""
