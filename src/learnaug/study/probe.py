"""What a run costs: a few updates of its own learning and of its own training, timed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.data.batch import evenly
from learnaug.methods import Budget, Learned, Learning, Method, is_learned, rows_of
from learnaug.methods.table import augmenter
from learnaug.study.world import World
from learnaug.training import Keep, Phase, Recipe, Stopped, choose_device, fit, predict
from learnaug.training.forward import model_of
from learnaug.training.loop import LOG_ROWS
from learnaug.training.target import SEEN, WATCHED

__all__ = ["Cost", "Probe", "cost_of", "trainings"]

FACTOR = 3.0  # a learning that cannot be timed costs about so many plain trainings
TYPICAL = "trivialaugment"  # whose cost of augmenting stands for all that is fixed
BATCHES = 2  # batches of pictures that a method learns on, to see what it leaves behind
MOST = 64  # updates after which a learning on those is given up
SCORED = 256  # pictures whose prediction is timed


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one run, alone on its core.

    Args:
        once: what does not depend on the epochs: getting ready, looks at the validation part.
        updates: all updates of the plan's recipe; in proportion to its epochs.
    """

    once: float = 0.0
    updates: float = 0.0

    @property
    def seconds(self) -> float:
        """The whole run."""
        return self.once + self.updates

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.once + other.once, self.updates + other.updates)

    def __mul__(self, number: float) -> Cost:
        return Cost(number * self.once, number * self.updates)


@dataclass(frozen=True, slots=True)
class Probe:
    """How closely is measured.

    Args:
        halt: asked after every update; True ends the measuring, whose figures mean nothing then.
        warm: updates before the timed ones, at least 1.
        timed: updates that are timed.
        limit: seconds after which 2 timed updates are enough.
    """

    halt: Callable[[], bool]
    warm: int = 4
    timed: int = 12
    limit: float = 3.0


def cost_of(world: World, name: str, probe: Probe, *, learn_only: bool = False) -> Cost:
    """Return what a run of a method costs.

    What learns is timed while it learns; its augmenter, learned on two batches, is timed in the
    training of a fresh target, unless the method trains the target along. A learning that uses
    another loop than ours, or that fails, is taken for FACTOR plain trainings: its own run will
    say why.

    Args:
        world: the study; the parts of its first split are used, never the test part.
        name: the method.
        probe: how closely is measured.
        learn_only: leave the training of the target out.
    """
    if not is_learned(name):
        return Cost() if learn_only else _training(world, _typical(), probe)
    try:
        learned, repeats = _small_lesson(world, name, probe)
        lesson = _lesson(world, name, probe) * repeats
    except Exception:  # also a fault in the user's net: the run meets it again, and tells it
        return _training(world, _typical(), probe) * FACTOR
    if learn_only or (learned and learned.target):
        return lesson
    return lesson + _training(world, learned.phases() if learned else _typical(), probe)


def _typical() -> tuple[Phase, ...]:
    return (Phase(augmenter(TYPICAL)),)


def _small_lesson(world: World, name: str, probe: Probe) -> tuple[Learned | None, float]:
    """Let the method learn on two batches.

    Returns:
        what it leaves behind (None where it went on for too long to wait for), and how often it
        went through the updates of the recipe.

    Raises:
        ValueError: it never asked whether to stop: it uses another loop.
    """
    plan, train = world.plan, world.part(0, "train")
    number = min(len(train), BATCHES * plan.recipe.batch_size)
    few = train.take(evenly(len(train), number))
    size = min(number, plan.recipe.batch_size)
    recipe = replace(plan.recipe, epochs=1, batch_size=size)
    asked = 0

    def enough() -> bool:
        nonlocal asked
        asked += 1
        return asked >= MOST or probe.halt()

    try:
        learned = _learn(world, name, few, recipe, Keep(stop=enough, say=_silent))
    except Stopped:
        return None, 1.0
    known = _repeats(world, name)
    if not asked and known != 0:
        raise ValueError(f"{name} uses a loop of its own")
    # A method that rounds its parts up to whole updates makes too many on two batches.
    return learned, asked / recipe.updates(number) if known is None else known


def trainings(world: World) -> dict[str, float | None]:
    """Return what a run of each method costs, in trainings of the target; None: not known."""
    found: dict[str, float | None] = {}
    for name in world.plan.methods:
        known = _repeats(world, name)
        found[name] = None if _pace(world, name) else 1.0 + (1.0 if known is None else known)
    return found


def _repeats(world: World, name: str) -> float | None:
    """Return how many trainings the members of a chain learn for; None where one cannot tell."""
    if _pace(world, name):
        return 1.0
    known = [getattr(member, "repeats", None) for member in _learning(world, name)]
    return None if None in known else float(sum(each or 0.0 for each in known))


def _pace(world: World, name: str) -> str:
    """Return the pace of what makes updates of its own number; "" where nothing does.

    A method may say what its learning costs. `repeats`: so many trainings of the target. `pace`: it
    makes updates of its own number, and its progress is in proportion to its time, which follows
    the "epochs" of the target or is "fixed".
    """
    paces = [
        str(getattr(member, "pace", ""))
        for member in _learning(world, name)
        if getattr(member, "repeats", None) != 0  # with a generator that is given, nothing is made
    ]
    return next((pace for pace in paces if pace), "")


def _learning(world: World, name: str) -> list[Method]:
    """Return the members of a chain that learn."""
    method = world.method(name)
    members = zip(rows_of(name), getattr(method, "members", (method,)), strict=True)
    return [member for row, member in members if is_learned(row)]


def _lesson(world: World, name: str, probe: Probe) -> Cost:
    """Return what the learning costs, its own looks at the validation part included."""
    train, recipe = world.part(0, "train"), world.plan.recipe

    def learn(keep: Keep) -> None:
        _learn(world, name, train, recipe, keep)

    timed = _timed(learn, recipe.updates(len(train)), probe, _pace(world, name))
    return timed + Cost(once=_looks(world, test=False))


def _learn(world: World, name: str, train: ImageSet, recipe: Recipe, keep: Keep) -> Learned:
    plan, pair = world.plan, world.pair(0)
    return world.method(name).learn(
        Learning(train, world.part(0, "valid"), world.builder(), recipe),
        seeds=pair.child("probe", name),
        device=choose_device(plan.device),
        budget=Budget(precision=plan.precision),
        keep=keep,
    )


def _training(world: World, curriculum: tuple[Phase, ...], probe: Probe) -> Cost:
    """Return what the training of a target costs, with its looks and its score."""
    plan, train, seeds = world.plan, world.part(0, "train"), world.pair(0).child("probe")

    def learn(keep: Keep) -> None:
        fit(
            world.net(seeds), train, None, curriculum, plan.recipe, seeds=seeds,
            device=choose_device(plan.device), precision=plan.precision, keep=keep,
        )  # fmt: skip

    updates = _timed(learn, plan.recipe.updates(len(train)), probe).updates
    return Cost(_looks(world), updates)  # nothing is made ready but what is loaded once a process


def _timed(learn: Callable[[Keep], None], updates: int, probe: Probe, pace: str = "") -> Cost:
    """Return what all updates cost, from those that were made before it was stopped.

    Args:
        learn: what is timed.
        updates: that it will make.
        probe: how closely is measured.
        pace: where not "", the progress that it tells says how much there is, not `updates`.
    """
    marks: list[float] = []
    shares: list[float] = []  # of the work, done by each mark
    watch, share = rundir.stopwatch(), 0.0

    def tell(done: float) -> None:
        nonlocal share
        share = done

    def enough() -> bool:
        marks.append(watch())
        shares.append(share)
        timed = len(marks) - probe.warm
        late = timed >= 2 and marks[-1] > probe.limit
        return timed >= probe.timed or late or probe.halt()

    with contextlib.suppress(Stopped):
        learn(Keep(stop=enough, progress=tell, say=_silent))
    if len(marks) < 2:
        return Cost(updates=watch())
    first = min(probe.warm, len(marks) - 1)
    each = (marks[-1] - marks[first - 1]) / (len(marks) - first)
    ready, whole = max(0.0, marks[0] - each), each * updates
    if pace and (done := shares[-1] - shares[first - 1]) > 0:
        whole = (marks[-1] - marks[first - 1]) / done
    return Cost(ready + whole) if pace == "fixed" else Cost(ready, whole)


def _looks(world: World, *, test: bool = True) -> float:
    """Return the seconds of a run's looks at its parts, and of the score on the test part."""
    plan, split, valid = world.plan, world.splits[0], world.part(0, "valid")
    few = valid.take(np.arange(min(SCORED, len(valid))))
    if not len(few):
        return 0.0
    device = choose_device(plan.device)
    model = model_of(world.net(world.pair(0).child("probe")), few, device)
    watch = rundir.stopwatch()
    predict(model, few, device, plan.precision)
    start = watch()
    predict(model, few, device, plan.precision)
    looked = LOG_ROWS * (min(WATCHED, len(split.valid)) + min(SEEN, len(split.train)))
    return (watch() - start) / len(few) * (looked + (len(split.test) if test else 0))


def _silent(text: str) -> None:
    """Tell nobody: the run will say it again."""
