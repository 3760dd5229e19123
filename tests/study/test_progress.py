"""The time that is left, by a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from learnaug import rundir
from learnaug.study.plan import Job, Plan
from learnaug.study.progress import Progress


class Study:
    """Runs one job after another and hears what is said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.heard = 0.0, list[dict[str, Any]]()
        monkeypatch.setattr(rundir, "stopwatch", self.stopwatch)
        self.progress = Progress(self.heard.append)

    def stopwatch(self) -> Callable[[], float]:
        start = self.now
        return lambda: self.now - start

    def start(self, out: Path, jobs: list[Job], later: int = 0, **trainings: float | None) -> None:
        told = SimpleNamespace(
            methods=("a", "b"), seeds=(0, 1), model="net", recipe=SimpleNamespace(epochs=3)
        )
        self.progress.start(cast(Plan, told), out, jobs, later, trainings or None)

    def run(self, job: Job, seconds: float, share: float = 1.0) -> float | None:
        """Work on a job for so long, up to a share of it; return the seconds left."""
        self.progress.tell(job, {"start": True})
        self.now += seconds
        end = {"state": "done", "seconds": {"train": seconds}, "score": 0.5}
        self.progress.tell(job, {"end": end} if share == 1 else {"share": share})
        left: float | None = self.heard[-1]["eta_seconds"]
        return left


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    return Study(monkeypatch)


def jobs(*methods: str, seeds: int = 2) -> list[Job]:
    return [Job(method, seed, "screen", "valid") for seed in range(seeds) for method in methods]


def test_equal_runs_take_equal_time(study: Study, tmp_path: Path) -> None:
    todo = jobs("a", "b")
    study.start(tmp_path, todo)
    assert study.run(todo[0], 10) == pytest.approx(30)
    assert study.run(todo[1], 5, share=0.5) == pytest.approx(25)
    assert study.run(todo[1], 5) == pytest.approx(20)


def test_a_dear_method_weighs_what_it_says_and_then_what_it_took(
    study: Study, tmp_path: Path
) -> None:
    todo = jobs("a", "b")
    study.start(tmp_path, todo, a=1.0, b=4.0)
    assert study.run(todo[0], 10) == pytest.approx(40 + 10 + 40)
    assert study.run(todo[1], 20, share=0.5) == pytest.approx((20 + 10 + 40) * 30 / 30)
    assert study.run(todo[1], 60) == pytest.approx((10 + 60) * 90 / 70)  # 70 told for 90 that went


def test_nobody_guesses_what_nobody_knows(study: Study, tmp_path: Path) -> None:
    todo = jobs("a", "b")
    study.start(tmp_path, todo, a=1.0, b=None)
    assert study.run(todo[0], 10) is None
    assert study.run(todo[1], 200) == pytest.approx(210)


def test_runs_that_come_later_cost_the_mean(study: Study, tmp_path: Path) -> None:
    todo = jobs("a", "b", seeds=1)
    study.start(tmp_path, todo, later=4)
    study.run(todo[0], 10)
    assert study.run(todo[1], 30) == pytest.approx(4 * 20)
    confirm = [Job("b", seed, "confirm", "test") for seed in range(3)]
    study.progress.confirm(tmp_path, "b", confirm)
    assert study.heard[-1]["total_runs"] == 2 + 3
    assert study.run(confirm[0], 30) == pytest.approx(60)
