"""Time and space before the first run: how many epochs fit into the user's minutes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.errors import UsageError
from learnaug.methods import is_learned
from learnaug.methods.table import augmenter
from learnaug.study.plan import Plan
from learnaug.study.world import World
from learnaug.training import Keep, Phase, Stopped, choose_device, threads
from learnaug.training import fit as train_net

__all__ = ["estimate", "fit", "require_space"]

PROBE = 12  # updates that are timed
WARM = 4  # updates before the timed ones
MARGIN = 1.5  # runs side by side and evaluation cost this much more than the probe
START = 6.0  # seconds until worker processes have imported PyTorch
LEARNING = 3.0  # a run that learns costs about so many plain ones
LEAST = 2  # epochs below which a training says nothing
TYPICAL = "trivialaugment"  # whose cost of augmenting is timed


def fit(world: World, plan: Plan, seconds: float, workers: int) -> Plan:
    """Return the plan with as many epochs as fit into the seconds left, at most those it had.

    Raises:
        UsageError: not even 2 epochs of every planned run fit.
    """
    confirmed = 3 if any(is_learned(method) for method in plan.methods) else 2
    arms = len(plan.methods) * plan.seeds + confirmed * plan.confirm_seeds
    epoch = _seconds_per_update(world) * plan.recipe.updates(len(world.splits[0].train))
    epoch = epoch / plan.recipe.epochs * MARGIN * arms / workers
    fitting = int(0.9 * max(0.0, seconds - START) / epoch)
    if fitting < LEAST:
        need = LEAST * epoch / 60 / 0.9
        raise UsageError(
            f"{plan.minutes:g} minutes are too few for {arms} trainings of {plan.model}: "
            f"{need:.1f} are needed for {LEAST} epochs each",
            mend="give more minutes, fewer methods or seeds, or a smaller --model",
        )
    if fitting >= plan.recipe.epochs:
        return plan
    note = f"{plan.recipe.epochs} epochs were lowered to {fitting} to fit {plan.minutes:g} minutes"
    recipe = replace(plan.recipe, epochs=fitting)
    return replace(plan, recipe=recipe, notes=(*plan.notes, note))


def estimate(world: World, methods: Sequence[str], workers: int) -> float:
    """Return about how many seconds one run of each of these methods takes, side by side."""
    costs = sum(LEARNING if is_learned(method) else 1.0 for method in methods)
    updates = world.plan.recipe.updates(len(world.splits[0].train))
    return _seconds_per_update(world, 1, 2) * updates * MARGIN * costs / workers


def _seconds_per_update(world: World, warm: int = WARM, probe: int = PROBE) -> float:
    plan = world.plan
    train = world.part(0, "train")
    recipe = replace(plan.recipe, epochs=1)
    steps = warm + probe
    while recipe.updates(len(train)) < steps:
        recipe = replace(recipe, epochs=recipe.epochs * 2)
    marks: list[float] = []
    watch = rundir.stopwatch()

    def enough() -> bool:
        marks.append(watch())
        return len(marks) >= steps

    seeds = world.pair(0).child("probe")
    with threads(plan.threads), contextlib.suppress(Stopped):
        train_net(
            world.net(seeds), train, None, (Phase(augmenter(TYPICAL)),), recipe,
            seeds=seeds, device=choose_device(plan.device), precision=plan.precision,
            keep=Keep(stop=enough),
        )  # fmt: skip
    return (marks[-1] - marks[warm - 1]) / (len(marks) - warm)


def require_space(out: Path, data: ImageSet, plan: Plan, parameters: int, workers: int) -> None:
    """Refuse a run folder on a disk that cannot hold cache, checkpoints and weights.

    Raises:
        RunError: too few bytes are free (exit status 74).
    """
    weights = 4 * parameters
    kept = weights * 2 * plan.confirm_seeds
    checkpoints = 3 * 3 * weights * workers  # weights and two moments, three at a time
    cached = data.images.nbytes + (0 if data.masks is None else data.masks.nbytes)
    rundir.free_space_check(out, int(1.1 * (cached + kept + checkpoints)))
