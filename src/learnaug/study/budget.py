"""Time and space before the first run: how many epochs fit into the user's minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.errors import UsageError
from learnaug.methods import is_learned
from learnaug.study.plan import Plan
from learnaug.study.probe import Cost, Probe, cost_of
from learnaug.study.summary import arms
from learnaug.study.world import World
from learnaug.training import threads

__all__ = ["estimate", "fit", "require_space"]

ALONE, BESIDE = 1.1, 1.3  # a run costs so much more than the probe, alone and beside others
START = 6.0  # seconds until worker processes have imported PyTorch
LEAST = 2  # epochs below which a training says nothing
ALL_FIXED = "none"  # one figure stands for every method that learns nothing


def fit(
    world: World, plan: Plan, left: Callable[[], float], workers: int, halt: Callable[[], bool]
) -> Plan:
    """Return the plan with as many epochs as fit into the seconds left, at most those it had.

    Args:
        world: the study, with this plan.
        plan: what is to be run.
        left: gives the seconds that are left; asked after the probes, which take some.
        workers: runs at a time.
        halt: asked while it measures; True gives the plan back as it is.

    Raises:
        UsageError: not even 2 epochs of every planned run fit.
    """
    closely = Probe(halt, limit=min(3.0, 0.02 * left()))
    costs = _costs(world, plan.methods, closely, learn_only=plan.kind == "learn")
    if halt():
        return plan
    screen = [costs[method] for method in plan.methods] * plan.seeds
    ends = [[costs[arm] for arm in arms(plan, each) if arm in costs] for each in plan.methods]
    confirm = max(ends, key=lambda arms: sum(cost.seconds for cost in arms)) * plan.confirm_seeds
    # What only learns does so in this process, and there are never more workers than runs.
    side = 1 if plan.kind == "learn" else min(workers, len(screen))
    total = sum([*screen, *confirm], Cost()) * _share(side)
    epoch, start = total.updates / plan.recipe.epochs, START if side > 1 else 0.0
    seconds = left()
    fitting = (0.9 * seconds - start - total.once) / epoch if epoch else float("inf")
    if fitting < LEAST:
        spent = 60 * (plan.minutes or 0.0) - seconds  # to read, to check and to measure
        need = (spent + (LEAST * epoch + total.once + start) / 0.9) / 60
        runs = len(screen) + len(confirm)
        raise UsageError(
            f"{plan.minutes:g} minutes are too few for {runs} trainings of {plan.model}: "
            f"{need:.1f} are needed for {LEAST} epochs each",
            mend="give more minutes, fewer methods or seeds, or a smaller --model",
        )
    if fitting >= plan.recipe.epochs:
        return plan
    note = (
        f"{plan.recipe.epochs} epochs were lowered to {int(fitting)} to fit {plan.minutes:g} "
        "minutes"
    )
    recipe = replace(plan.recipe, epochs=int(fitting))
    return replace(plan, recipe=recipe, notes=(*plan.notes, note))


def estimate(world: World, methods: Sequence[str], workers: int, halt: Callable[[], bool]) -> float:
    """Return about how many seconds one run of each of these methods takes, side by side.

    Args:
        world: the study.
        methods: one name for each run.
        workers: runs at a time.
        halt: asked while it measures; True ends that, and the figure means nothing.
    """
    costs = _costs(world, methods, Probe(halt, warm=2, timed=6, limit=1.0))
    return sum(costs[name].seconds for name in methods) * _share(min(workers, len(methods)))


def _share(workers: int) -> float:
    """Return the wall seconds of a second's work."""
    return BESIDE / workers if workers > 1 else ALONE


def _costs(
    world: World, methods: Sequence[str], probe: Probe, *, learn_only: bool = False
) -> dict[str, Cost]:
    """Return the cost of each method, each of them measured once."""
    found: dict[str, Cost] = {}
    with threads(world.plan.threads):
        for name in dict.fromkeys(methods):
            key = name if is_learned(name) else ALL_FIXED
            if key not in found:
                found[key] = (
                    Cost() if probe.halt() else cost_of(world, key, probe, learn_only=learn_only)
                )
            found[name] = found[key]
    return found


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
