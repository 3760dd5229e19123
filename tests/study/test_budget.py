"""What runs cost is measured on themselves: by a clock that only updates move, so exactly."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from learnaug.errors import UsageError
from learnaug.methods import METHODS, Learned, Learning, Row
from learnaug.methods.fixed import Fixed
from learnaug.ops import Policy
from learnaug.study import budget
from learnaug.study import probe as probing
from learnaug.study.budget import ALONE, BESIDE, START
from learnaug.study.plan import Plan
from learnaug.study.probe import FACTOR, Probe, cost_of
from learnaug.study.stop import Stop
from learnaug.study.world import World, open_world
from learnaug.training import Keep
from learnaug.training.loop import run
from learnaug.training.target import Target

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

PLAIN, LEARNING, READY = 1.0, 2.5, 7.0  # seconds of an update, of one that learns, before those
EPOCHS, UPDATES = 40, 30


@dataclass
class Clock:
    """Moved by hand."""

    now: float = 0.0

    def stopwatch(self) -> Callable[[], float]:
        start = self.now
        return lambda: self.now - start


@dataclass(frozen=True)
class Pupil:
    """A method whose updates take LEARNING seconds, in `loops` loops of the recipe's length."""

    clock: Clock
    joint: bool
    loops: int = 1
    fault: bool = False
    own_loop: bool = False
    repeats: float | None = None
    pace: str = ""

    def learn(self, data: Learning, *, keep: Keep, seeds: Any, **named: Any) -> Learned:
        if self.fault:
            raise TypeError("a fault in the user's net")
        self.clock.now += READY
        updates = data.recipe.updates(len(data.train))
        if self.pace and not self.own_loop:
            run(Steps(self.clock, LEARNING / 10), 20, seeds, keep.part("guide", 0.0, 2 / 102))
            run(Steps(self.clock, LEARNING), 100, seeds, keep.part("own", 2 / 102, 100 / 102))
            return Learned(Fixed(Policy((), "none")).augmenter)
        for _ in range(0 if self.own_loop else self.loops):
            run(Steps(self.clock, LEARNING), updates, seeds, keep)
        policy = Fixed(Policy((), "none")).augmenter
        return Learned(policy, target=data.net(data.init) if self.joint else None)

    def config(self) -> dict[str, Any]:
        return {}


@dataclass
class Steps:
    clock: Clock
    each: float

    def step(self, update: int, seeds: Any) -> float:
        self.clock.now += self.each
        return 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(probing.rundir, "stopwatch", clock.stopwatch)
    monkeypatch.setattr(
        Target, "step", lambda task, update, seeds: Steps(clock, PLAIN).step(update, seeds)
    )
    rows = {
        "joint": Pupil(clock, joint=True), "frozen": Pupil(clock, joint=False),
        "thrice": Pupil(clock, joint=True, loops=3), "fault": Pupil(clock, True, fault=True),
        "other": Pupil(clock, True, own_loop=True), "endless": Pupil(clock, False, loops=200),
        "loaded": Pupil(clock, False, own_loop=True, repeats=0.0),
        "paced": Pupil(clock, False, pace="epochs"),
        "fixed": Pupil(clock, False, pace="fixed"),
        "had": Pupil(clock, False, own_loop=True, repeats=0.0, pace="epochs"),
    }  # fmt: skip
    for name, pupil in rows.items():
        monkeypatch.setitem(METHODS, name, Row(lambda names, p=pupil: p, "", "learned"))
    return clock


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("budget") / "out"
    tiny.compare(out, methods=("none",), seeds=1, confirm_seeds=0, epochs=1)
    return open_world(out)


@pytest.fixture
def world(planned: World) -> World:
    recipe = replace(planned.plan.recipe, epochs=EPOCHS, batch_size=16)
    world = replace(planned, plan=replace(planned.plan, recipe=recipe))
    assert recipe.updates(len(world.splits[0].train)) > UPDATES
    return world


def updates_of(world: World) -> int:
    return world.plan.recipe.updates(len(world.splits[0].train))


def test_a_method_costs_what_its_own_updates_cost(clock: Clock, world: World) -> None:
    n = updates_of(world)
    probe = Probe(Stop(), limit=1e9)
    assert cost_of(world, "cutout", probe).seconds == pytest.approx(n * PLAIN)
    joint = cost_of(world, "joint", probe)
    assert joint.updates == pytest.approx(n * LEARNING)
    assert joint.once == pytest.approx(READY)
    assert cost_of(world, "frozen", probe).updates == pytest.approx(n * (LEARNING + PLAIN))
    assert cost_of(world, "frozen", probe, learn_only=True).updates == pytest.approx(n * LEARNING)
    assert cost_of(world, "thrice", probe).updates == pytest.approx(3 * n * LEARNING)
    assert cost_of(world, "cutout", probe, learn_only=True).seconds == 0
    chain = cost_of(world, "cutout+joint", probe)
    assert chain.updates == pytest.approx(n * LEARNING)


def test_what_cannot_be_timed_is_taken_for_some_plain_runs(clock: Clock, world: World) -> None:
    probe = Probe(Stop(), limit=1e9)
    for name in ("fault", "other"):
        cost = cost_of(world, name, probe)
        assert cost.updates == pytest.approx(FACTOR * updates_of(world) * PLAIN)
    start = clock.now
    endless = cost_of(world, "endless", probe)
    assert endless.updates == pytest.approx(updates_of(world) * (LEARNING + PLAIN))
    assert clock.now - start < 100 * LEARNING


def test_what_was_learned_before_costs_a_plain_run(clock: Clock, world: World) -> None:
    """A method that says that it learns nothing never asks whether to stop."""
    probe = Probe(Stop(), limit=1e9)
    for name in ("loaded", "cutout+loaded", "had"):
        assert cost_of(world, name, probe).updates == pytest.approx(updates_of(world) * PLAIN)


def test_what_makes_updates_of_its_own_is_timed_by_its_progress(clock: Clock, world: World) -> None:
    """Twenty cheap updates and a hundred dear ones, whatever the recipe says."""
    probe, plain = Probe(Stop(), limit=1e9), updates_of(world) * PLAIN
    for name in ("paced", "cutout+paced"):
        cost = cost_of(world, name, probe)
        assert cost.updates == pytest.approx(102 * LEARNING + plain)
        assert cost.once == pytest.approx(READY)
    fixed = cost_of(world, "fixed", probe)
    assert fixed.updates == pytest.approx(plain)
    assert fixed.once == pytest.approx(READY + 102 * LEARNING)


def test_slow_updates_are_timed_by_two(clock: Clock, world: World) -> None:
    start = clock.now
    cost = cost_of(world, "cutout", Probe(Stop(), warm=2, timed=50, limit=0.5))
    assert cost.seconds == pytest.approx(updates_of(world) * PLAIN)
    assert clock.now - start == pytest.approx(4 * PLAIN)


def test_an_estimate_is_the_sum_over_the_runs(clock: Clock, world: World) -> None:
    n = updates_of(world)
    runs = ["none", "none", "joint", "joint"]
    work = 2 * n * PLAIN + 2 * (READY + n * LEARNING)
    assert budget.estimate(world, runs, 1, Stop()) == pytest.approx(ALONE * work)
    assert budget.estimate(world, runs, 2, Stop()) == pytest.approx(BESIDE * work / 2)


def fitted(
    world: World, methods: tuple[str, ...], minutes: float, workers: int = 1, **more: Any
) -> Plan:
    plan = replace(world.plan, methods=methods, minutes=minutes, **more)
    return budget.fit(world, plan, lambda: 60 * minutes, workers, Stop())


def test_learning_alone_fits_its_minutes(clock: Clock, world: World) -> None:
    """Half of the seconds that all epochs need leave half of the epochs; it runs alone."""
    need = ALONE * updates_of(world) * LEARNING
    minutes = (need / 2 + ALONE * READY) / 0.9 / 60
    plan = fitted(world, ("joint",), minutes + 1e-6, 2, kind="learn", confirm_seeds=0)
    assert plan.recipe.epochs == EPOCHS // 2
    assert f"{EPOCHS} epochs were lowered to {EPOCHS // 2}" in plan.notes[-1]
    plenty = fitted(world, ("joint",), 3 * minutes, kind="learn", confirm_seeds=0)
    assert plenty.recipe.epochs == EPOCHS
    fixed = fitted(world, ("cutout",), 0.001, kind="learn", confirm_seeds=0)
    assert fixed.recipe.epochs == EPOCHS


def test_a_comparison_is_fitted_by_its_dearest_candidate(clock: Clock, world: World) -> None:
    """2 seeds of each of 3 arms, then 3 of the baseline, the candidate and the learned's rival."""
    n = updates_of(world)
    methods = ("none", "trivialaugment", "joint")
    runs = 2 * (2 * PLAIN + LEARNING) + 3 * (2 * PLAIN + LEARNING)
    need = ALONE * (n * runs * 0.5 + READY * 5)
    plan = fitted(world, methods, need / 0.9 / 60 + 1e-6, seeds=2, confirm_seeds=3)
    assert plan.recipe.epochs == EPOCHS // 2
    with pytest.raises(UsageError, match="too few for 15 trainings"):
        fitted(world, methods, ALONE * READY * 5 / 0.9 / 60, seeds=2, confirm_seeds=3)


def test_workers_have_to_start_first(clock: Clock, world: World) -> None:
    plan = replace(world.plan, methods=("none", "cutout"), minutes=1.0, seeds=1, confirm_seeds=0)
    left = (START + BESIDE * updates_of(world) * PLAIN / 2) / 0.9
    fitting = budget.fit(world, plan, lambda: left + 1e-6, 2, Stop())
    assert fitting.recipe.epochs == EPOCHS // 2


def test_the_time_of_the_probes_counts(clock: Clock, world: World) -> None:
    plan = replace(world.plan, methods=("joint",), minutes=1.0, kind="learn", confirm_seeds=0)
    end = clock.now + 60.0
    fitting = budget.fit(world, plan, lambda: end - clock.now, 1, Stop())
    spent = clock.now - (end - 60.0)
    assert spent > 2 * READY
    each = ALONE * updates_of(world) * LEARNING / EPOCHS
    assert fitting.recipe.epochs == int((0.9 * (60 - spent) - ALONE * READY) / each)


def test_a_stop_ends_the_measuring(clock: Clock, world: World) -> None:
    stop = Stop()
    stop.ask(2)
    start = clock.now
    plan = replace(world.plan, methods=("joint",), minutes=1.0)
    assert budget.fit(world, plan, lambda: 60.0, 1, stop) == plan
    assert clock.now == start
