"""Random policies scored by whole trainings and by proxies: what is run, and what it leaves.

WHERE/BLOCK/policies.json holds the policies, results.jsonl one record for each whole training and
each trial of a proxy. A whole training is scored on the test part and a proxy on the validation
part, with seeds of their own: they share nothing by which they could agree but the policy.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from learnaug import rundir
from learnaug.data import Batch, ImageSet
from learnaug.data.batch import make_batch
from learnaug.errors import LearnaugError, RunError
from learnaug.methods import PolicyAugmenter
from learnaug.methods.aws.proxy import Proxy, Schedule, shared
from learnaug.methods.aws.space import Space, space_of
from learnaug.ops import spaces
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.sets import operations_of
from learnaug.reproduce.rows import Proxies, ProxyLine, Scale
from learnaug.seeds import Seeds
from learnaug.study import Interrupted, Say, words_of
from learnaug.study.job import BROKEN_DISK
from learnaug.study.prepare import Request, name_of, owned, prepare
from learnaug.study.progress import Progress
from learnaug.study.stop import Stop, listening
from learnaug.study.world import World
from learnaug.training import Keep, Phase, Stopped, choose_device, fit, goal_of, threads
from learnaug.training.forward import model_of
from learnaug.training.target import Target

__all__ = ["POLICIES", "RESULTS", "name_for", "random_policies", "random_policy", "run"]

POLICIES, RESULTS, WORK = "policies.json", "results.jsonl", "work"
WHOLE = "whole"
PARTS: tuple[Literal["test", "valid"], ...] = ("test", "valid")
SUBSET = 4  # elements of a random policy
SHARES = (0.0, 0.5, 1.0)  # of the pictures to which the drawn operation is applied
UNIT = "trainings and trials"
NOTHING = PolicyAugmenter(Policy(name="none"))


def space() -> Space:
    """Return the elements of random policies: TrivialAugment's operations in three bands."""
    return space_of(operations_of(spaces.trivialaugment(), "trivialaugment"))


def random_policy(seeds: Seeds, structure: bool = True) -> Policy:
    """Return a random policy: flip, padded crop, one of four elements, cutout.

    Flip, crop and cutout are in it or not, as a coin falls; the four elements are random ones, and
    one of them is applied to no picture, to half or to all of them.

    Args:
        seeds: key everything.
        structure: False: flip, crop, cutout and an element for all; only the four are random.

    Example:
        >>> random_policy(Seeds(0)) == random_policy(Seeds(0)) != random_policy(Seeds(1))
        True
    """
    gen, elements = seeds.numpy(), space()
    flip, crop, cutout = (float(coin) for coin in gen.integers(0, 2, 3))
    chosen = np.zeros(len(elements))
    chosen[gen.permutation(len(elements))[:SUBSET]] = 1.0
    share, drawn = float(gen.choice(SHARES)), elements.policy(chosen).stages[0]
    if not structure:
        return _composed(1.0, 1.0, 1.0, 1.0, drawn)
    return _composed(flip, crop, cutout, share, drawn)


def mean_policy(structure: bool = True) -> Policy:
    """Return the policy that gives every picture a random policy of its own: what is shared."""
    part = 0.5 if structure else 1.0
    share = float(np.mean(SHARES)) if structure else 1.0
    return _composed(part, part, part, share, space().policy(1.0).stages[0])


def random_policies(n: int, seeds: Seeds, structure: bool = True) -> tuple[Policy, ...]:
    """Return n random policies of which no two are alike.

    Twins would train to the same bits, and count one policy twice.
    """
    found: dict[tuple[Stage, ...], Policy] = {}
    number = 0
    while len(found) < n:
        policy = random_policy(seeds.child(number), structure)
        found.setdefault(policy.stages, replace(policy, name=f"random-{len(found)}"))
        number += 1
    return tuple(found.values())


def _composed(flip: float, crop: float, cutout: float, share: float, drawn: Stage) -> Policy:
    """Return the policy in which each part is applied to so large a share of the pictures."""
    weights = np.array(drawn.rows[0])
    some = (1 - share, *(float(w) for w in share * weights / weights.sum()))
    stages = (
        _part(Element("hflip", p=0.5), flip),
        _part(Element("pad_crop", 0.125), crop),
        Stage(((), *drawn.branches), some) if share else None,
        _part(Element("cutout", 0.5), cutout),
    )
    return Policy(tuple(stage for stage in stages if stage), "random")


def _part(element: Element, share: float) -> Stage | None:
    return Stage(((replace(element, p=element.p * share),),)) if share else None


def name_for(key: str, seed: int, policy: int) -> str:
    """Return the name of a record of the journal."""
    return f"{key}/{seed}/{policy}"


def run(
    block: Proxies,
    scale: Scale,
    data: ImageSet,
    where: Path,
    *,
    seeds: int,
    seed: int,
    tell: Say,
    accept_change: bool,
    device: str,
    drop_duplicates: bool,
) -> None:
    """Make all trainings and trials that are not made yet, seed by seed.

    Args:
        block: policies and proxies.
        scale: "small" or "paper".
        data: the pictures.
        where: the folder of the table.
        seeds: whole trainings of each policy, and trials of each proxy with it.
        seed: root of the policies and of all of them.
        tell: is told what is going on.
        accept_change, device, drop_duplicates: as in `learnaug.compare`.

    Raises:
        UsageError, DataError, RunError: as in `learnaug.compare`, but for a training that fails;
            or the folder holds other policies.
        Interrupted: the user asked to stop; what is done is kept.
    """
    folder, size, stop = where / block.key, block.size(scale), Stop()
    request = Request(
        "pairs", model=block.net(scale), per_class=size.per_class, seed=seed, recipe=size.recipe,
        accept_change=accept_change, device=device, drop_duplicates=drop_duplicates,
    )  # fmt: skip
    with listening(stop), owned(folder, data, None, None) as images:
        world = prepare(folder, images, request, name_of(data, images), Progress(tell), stop)
        study = _Study(world, block, scale, seeds, stop, tell)
        if not rundir.origin_path(folder).is_file():
            command = shlex.split(world.plan.command)
            rundir.write_json(rundir.origin_path(folder), rundir.origin(command))
        try:
            with threads(world.plan.threads):
                for number in range(seeds):
                    study.run(number)
        except Stopped:
            raise Interrupted(stop.signum) from None


def kept_policies(folder: Path, block: Proxies, seeds: Seeds) -> tuple[Policy, ...]:
    """Return the random policies of a folder, which are written there first.

    Raises:
        RunError: the folder holds others, of another version of learnaug.
    """
    policies, file = random_policies(block.policies, seeds, block.structure), folder / POLICIES
    told = [policy.to_json() for policy in policies]
    if not file.is_file():
        rundir.write_json(file, {"schema": 1, "policies": told})
    elif rundir.read_json(file)["policies"] != told:
        raise RunError(
            "the policies of this folder are not those that would be drawn now", [str(file)],
            "start again in another folder",
        )  # fmt: skip
    return policies


class _Study:
    """The whole trainings and the trials of one block.

    Args:
        world: pictures, parts and net.
        block, scale: what is run.
        seeds: how many there will be.
        stop, tell: asked after every update, and told what is going on.
    """

    def __init__(
        self, world: World, block: Proxies, scale: Scale, seeds: int, stop: Stop, tell: Say
    ) -> None:
        self.world, self.block, self.tuning = world, block, block.tuned(scale)
        root = Seeds(world.plan.seed).child("policies")
        self.policies = kept_policies(world.out, block, root)
        self.mean = PolicyAugmenter(mean_policy(block.structure))
        self.device, self.precision = choose_device(world.plan.device), world.plan.precision
        self.keep = Keep(
            world.out / WORK, stop=stop, say=lambda text: tell({"event": "note", "text": text})
        )
        self.results = rundir.Results(world.out / RESULTS, self.keep.say)
        self.lines = [line for line in block.lines if not line.whole]
        self.progress = _Left(self, seeds, tell)

    def run(self, seed: int) -> None:
        """Make what is not made yet of a seed."""
        whole = [name_for(WHOLE, seed, n) for n in range(len(self.policies))]
        for number, name in enumerate(whole):
            self._get(name, partial(self._whole, seed, number))
        for line in self.lines:
            names = [name_for(line.key, seed, n) for n in range(len(self.policies))]
            if not all(name in self.results.done for name in names):
                trial = self._trials(line, seed)
                for policy, name in zip(self.policies, names, strict=True):
                    self._get(name, partial(trial, policy))
        rundir.remove_folder(self.world.out / WORK)

    def _get(self, name: str, make: Callable[[], dict[str, Any]]) -> None:
        """Make a record and keep it; of a training that fails its error is kept."""

        def made() -> dict[str, Any]:
            watch = rundir.stopwatch()
            try:
                return make() | {"seconds": round(watch(), 3)}
            except LearnaugError as fault:
                if fault.code in BROKEN_DISK:
                    raise
                return {"error": str(fault)}

        if name not in self.results.done:
            self.results.get(name, made)
            self.progress.after(name)

    def _whole(self, seed: int, number: int) -> dict[str, Any]:
        """Return the figures of a whole training on the test and the validation part."""
        pair, keep = self.world.pair(seed).child(WHOLE), self.keep.child(f"whole-{seed}-{number}")
        train = self.world.part(0, "train")
        model = fit(
            self.world.net(pair.child("init")), train, None,
            (Phase(PolicyAugmenter(self.policies[number])),), self.world.plan.recipe,
            seeds=pair.child("train"), device=self.device, precision=self.precision, keep=keep,
        )  # fmt: skip
        goal = goal_of(train)
        told: dict[str, Any] = {}
        for name in PARTS:
            part = self.world.part(0, name)
            figures = goal.measure(goal.predict(model, part, self.device, self.precision), part)
            told |= {f"{name}_score": figures[goal.score], f"{name}_nll": figures["nll"]}
        return told

    def _trials(self, line: ProxyLine, seed: int) -> Callable[[Policy], dict[str, Any]]:
        """Return what makes a trial of a proxy, after the part that its trials share."""
        late = self.tuning.late if line.late is None else line.late
        pair = self.world.pair(seed).child("proxy")
        proxy = self._proxy(line, late or self.tuning.late, pair, seed)
        if late:
            return lambda policy: _told(proxy, PolicyAugmenter(policy), self.keep)
        # The rate has to fall to its end before weights are scored, as for a proxy that trains on.
        proxy.trial(self.mean, 0, self.keep)
        return lambda policy: self._augmented(proxy, policy, pair.child("eval"))

    def _proxy(self, line: ProxyLine, late: float, pair: Seeds, seed: int) -> Proxy:
        """Return a proxy after the first part of its training, if it has one."""
        parts = self.world.part(0, "train"), self.world.part(0, "valid")
        schedule = Schedule(self.world.plan.recipe, self.tuning.first, late, self.tuning.steady)
        net = self.world.net(pair.child("init"))
        if line.weights == "random":
            task = Target(
                model_of(net, parts[0], self.device), parts[0], None, (Phase(NOTHING),),
                schedule.recipe, self.device, self.precision,
            )  # fmt: skip
            return Proxy(task, parts[1], None, schedule, pair.child("late"))
        own = NOTHING if line.weights == "plain" else self.mean
        return shared(
            net, parts, own, None, schedule, seeds=pair, device=self.device,
            precision=self.precision, keep=self.keep.child(f"{line.weights}-{seed}"),
        )  # fmt: skip

    def _augmented(self, proxy: Proxy, policy: Policy, seeds: Seeds) -> dict[str, Any]:
        """Return the figures of validation pictures that are augmented with a policy."""
        valid, task = proxy.valid, proxy.task
        batch: Batch = make_batch(valid, np.arange(len(valid)), self.device)
        after = PolicyAugmenter(policy)(batch, None, seeds)
        seen = replace(valid, images=after.images.cpu().numpy())
        found = task.goal.predict(task.model, seen, self.device, self.precision)
        figures = task.goal.measure(found, seen)
        return {"score": float(figures[task.goal.score]), "nll": float(figures["nll"])}


def _told(proxy: Proxy, own: PolicyAugmenter, keep: Keep) -> dict[str, Any]:
    """Return the figures of a trial, as data."""
    look = proxy.trial(own, 0, keep)[-1]
    return {"score": look.score, "nll": look.nll}


class _Left:
    """Tells how much is done and how long the rest takes, by shares of a training."""

    def __init__(self, study: _Study, seeds: int, tell: Say) -> None:
        self.study, self.tell = study, tell
        self.clock: Callable[[], float] | None = None
        late = study.tuning.late
        self.cost = {WHOLE: 1.0}
        self.cost |= {line.key: late if line.late is None else line.late for line in study.lines}
        done = study.results.done
        self.left = {
            name: self.cost[key]
            for seed in range(seeds)
            for key in self.cost
            for number in range(len(study.policies))
            if (name := name_for(key, seed, number)) not in done
        }
        self.total, self.worked = len(self.left) + len(done), 0.0
        self.said = False

    def after(self, name: str) -> None:
        """Tell that a record was made; the time of the first one, which compiles, is not taken."""
        share, seconds = self.left.pop(name), None
        if self.clock is None:
            self.clock = rundir.stopwatch()
        else:
            self.worked += share
            rate = self.clock() / self.worked if self.worked else 0.0
            seconds = rate * sum(self.left.values()) or None
        if seconds and not self.said:
            where = f"{self.study.block.key}: {len(self.left)} {UNIT}"
            text = f"{where}, about {words_of(seconds)} ({self.study.device}, one at a time)"
            self.tell({"event": "note", "text": text})
            self.said = True
        key, seed, number = name.split("/")
        last = int(number) == len(self.study.policies) - 1
        done = {"done_runs": self.total - len(self.left), "total_runs": self.total, "unit": UNIT}
        words = {"text": f"{self.study.block.key}, {key}, seed {seed}: done"} if last else {}
        self.tell({"event": "step", "eta_seconds": seconds} | done | words)
