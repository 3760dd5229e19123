"""The main job: check, split, screen, confirm, say what may be said."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from learnaug import nets, rundir
from learnaug.data import ImageSet, check, load, metric_for, repeats_needed, split
from learnaug.errors import DataError, RunError, UsageError, nearest
from learnaug.methods import CONTROLS, METHODS, resolve
from learnaug.methods.augmenters import load_folder
from learnaug.nets import Spec
from learnaug.ops import TABLE
from learnaug.seeds import Seeds
from learnaug.study import budget
from learnaug.study.plan import FRACTIONS, Plan, require_same
from learnaug.study.pool import execute
from learnaug.study.progress import Progress, Say
from learnaug.study.samples import write_samples
from learnaug.study.stop import Interrupted, Stop, listening
from learnaug.study.summary import arms, best, summarise
from learnaug.study.world import World, open_world, store_data, store_splits
from learnaug.training import (
    Augmenter,
    Recipe,
    choose_device,
    choose_precision,
    cores,
    default_epochs,
)

__all__ = ["Comparison", "compare", "go_on", "prepare", "require", "workers"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found.

    Args:
        out: the run folder.
        summary: the content of summary.json.
    """

    out: Path
    summary: dict[str, Any]

    @property
    def report(self) -> Path:
        """The page for people."""
        return rundir.report_path(self.out)

    @property
    def best(self) -> Best:
        """The candidate of the confirm stage and its augmenter.

        Raises:
            RunError: no method was screened yet.
        """
        verdict = self.summary["verdict"]
        if verdict is None:
            raise RunError("no method is screened yet", [str(self.out)], "resume the comparison")
        return Best(self.out, verdict["candidate"], verdict)


@dataclass(frozen=True, slots=True)
class Best:
    """The method that won the screening.

    Args:
        out: the run folder.
        method: its name.
        verdict: what may be said about it.
    """

    out: Path
    method: str
    verdict: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of its augmenter, from the newest run."""
        runs = rundir.run_folder(self.out, self.method, 0).parent
        done = sorted(runs.glob("seed-*"), key=lambda run: int(run.name.partition("-")[2]))
        return rundir.augmenter_folder(done[-1])

    @property
    def augmenter(self) -> Augmenter:
        """Its augmenter, ready for any training loop."""
        return load_folder(self.folder)


def compare(
    data: Any,
    methods: Sequence[str] | None = None,
    *,
    model: Spec = None,
    baseline: str = "none",
    seeds: int = 3,
    confirm_seeds: int = 6,
    epochs: int | None = None,
    per_class: int | None = None,
    seed: int = 0,
    minutes: float | None = None,
    jobs: int | None = None,
    size: int | None = None,
    ops: Sequence[str] | None = None,
    classes: Any = None,
    drop_duplicates: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    recipe: Recipe | None = None,
    say: Say | None = None,
) -> Comparison:
    """Find out which augmentation to use on this data, how sure that is, and what it costs.

    Screens every method on the validation part, then holds the best one against the baseline on
    the sealed test part with fresh seeds. The folder `out` keeps everything; called again with
    the same settings it goes on where it stopped.

    Args:
        data: anything that `learnaug.load` takes.
        methods: names, chained by "+"; None means all fixed methods. The controls are added.
        model: name, "package.module:function", module or factory; None chooses by size and count.
        baseline: the method that the best one is held against.
        seeds: screening seeds a method.
        confirm_seeds: fresh seeds of the confirm stage; 6 or more are needed for a verdict.
        epochs: passes over the training part; None chooses by the number of images.
        per_class: training images per class for a low-data study.
        seed: root of all randomness.
        minutes: bound on the whole job; epochs are lowered to fit.
        jobs: processes at a time; None: one a core. The result is the same for any number.
        size: resize all images to size x size pixels.
        ops: names of operations that trivialaugment, randaugment and uniform may use.
        classes: which classes to take, see `learnaug.load`.
        drop_duplicates: leave out of training what is also in the test part, in place of refusing
            such data.
        device: "auto", "cpu", "cuda", ….
        out: run folder; None: learnaug-runs/NAME in the working directory.
        recipe: how to train; None: the default recipe. `epochs` wins over it.
        say: told what happens, as event dicts.

    Raises:
        UsageError: a name or number is not allowed (all such faults are listed).
        DataError: the data has faults (all are listed).
        RunError: the run folder is in use, full, or not ours.

    Source: Bouthillier et al. 2021 (paired sources of variation); Nadeau and Bengio 2003.
    """
    progress = Progress(say)
    names = _names(methods, baseline)
    require(
        seeds=seeds, confirm_seeds=confirm_seeds, per_class=per_class, minutes=minutes, jobs=jobs,
        epochs=epochs, ops=ops,
    )  # fmt: skip
    images = data if isinstance(data, ImageSet) else load(data, size=size, classes=classes)
    folder = Path(out) if out is not None else Path("learnaug-runs") / rundir.slug(images.name)
    rundir.check_writable(folder, data if isinstance(data, str | Path) else None)
    stop = Stop(minutes)
    with rundir.lock(folder), listening(stop):
        world = prepare(
            folder, images, kind="compare", methods=names, model=model, baseline=baseline,
            seeds=seeds, confirm_seeds=confirm_seeds, epochs=epochs, per_class=per_class,
            seed=seed, minutes=minutes, jobs=jobs, ops=ops, device=device, recipe=recipe,
            drop_duplicates=drop_duplicates,
            source=str(data) if isinstance(data, str | Path) else images.name, progress=progress,
        )  # fmt: skip
        return go_on(world, jobs=jobs, stop=stop, progress=progress)


def prepare(
    folder: Path,
    data: ImageSet,
    *,
    kind: Any,
    methods: tuple[str, ...],
    model: Spec,
    baseline: str,
    seeds: int,
    confirm_seeds: int,
    epochs: int | None,
    per_class: int | None,
    seed: int,
    minutes: float | None,
    jobs: int | None,
    ops: Sequence[str] | None,
    device: str,
    recipe: Recipe | None,
    drop_duplicates: bool,
    source: str,
    progress: Progress,
) -> World:
    """Check the data, write plan and splits, and return the world of the runs.

    A folder that already holds the same plan is opened as it is; another plan is refused.
    """
    rundir.sweep(folder)
    counts = np.bincount(data.labels, minlength=len(data.classes)).tolist()
    groups = _checked(folder, data, progress, drop_duplicates)
    first = split(
        data, Seeds(seed).child("split"), per_class=per_class, fractions=FRACTIONS,
        extra_groups=groups,
    )  # fmt: skip
    n = len(first.train)
    name = _model_name(model, n, data)
    where = choose_device(device)
    recipe = recipe or Recipe(epochs=default_epochs(n))
    recipe = replace(recipe, epochs=epochs or recipe.epochs, batch_size=min(recipe.batch_size, n))
    plan = Plan(
        kind=kind, methods=methods, baseline=baseline, seeds=seeds, confirm_seeds=confirm_seeds,
        seed=seed, metric=metric_for(counts),
        delta=0.01, model=name, recipe=recipe, per_class=per_class,
        repeats=repeats_needed(first) if kind == "compare" else 1,
        precision=choose_precision(where), threads=1, device=str(where),
        operations=None if ops is None else tuple(ops),
        data={"name": data.name, "images": len(data), "fingerprint": data.fingerprint()},
        source=source, command=_command(), minutes=minutes, notes=first.notes,
    )  # fmt: skip
    if rundir.plan_path(folder).is_file():
        return _known(folder, plan, epochs, minutes, model)
    spec: Spec = name if isinstance(model, str) or model is None else model
    draft = World(folder, plan, data, (first,), spec)
    nets.check_model(draft.net(Seeds(seed)), data.channels, data.size, len(data.classes), name=name)
    if minutes is not None and epochs is None:
        plan = budget.fit(draft, minutes, workers(plan, jobs))
    parameters = sum(p.numel() for p in draft.net(Seeds(seed)).parameters())
    budget.require_space(folder, data, plan, parameters)
    store_data(folder, data)
    store_splits(folder, plan, data, groups)
    plan.save(folder)
    return open_world(folder, None if isinstance(spec, str) else spec)


def _known(
    folder: Path, plan: Plan, epochs: int | None, minutes: float | None, model: Spec
) -> World:
    old = Plan.load(folder)
    if minutes is not None and epochs is None:  # the epochs were fitted to the minutes then
        plan = replace(plan, recipe=replace(plan.recipe, epochs=old.recipe.epochs))
    require_same(old, plan)
    return open_world(folder, None if isinstance(model, str) else model)


def go_on(world: World, *, jobs: int | None, stop: Stop, progress: Progress) -> Comparison:
    """Run what is not done yet, then write summary and report.

    Raises:
        Interrupted: the user asked to stop; everything done is kept and summarised.
    """
    watch = rundir.stopwatch()
    out, plan = world.out, world.plan
    before = _seconds_before(out)
    number = workers(plan, jobs)
    write_samples(world)
    screen = plan.screen()
    # The baseline and one candidate at least; a rival joins when the candidate is a learned one.
    progress.start(plan, out, screen, 2 * plan.confirm_seeds)
    execute(world, screen, workers=number, stop=stop, tell=progress.tell)
    candidate = best(out, plan)
    if candidate and not stop():
        confirm = plan.confirm(arms(plan, candidate))
        progress.confirm(candidate, confirm)
        execute(world, confirm, workers=number, stop=stop, tell=progress.tell)
    summary = summarise(world, before + watch())
    rundir.write_json(rundir.summary_path(out), summary)
    if stop.signum:
        raise Interrupted(stop.signum)
    _require_some(world, summary)
    if summary["verdict"]:
        progress.verdict(summary["verdict"]["words"])
    return Comparison(out, summary)


def workers(plan: Plan, jobs: int | None) -> int:
    """Return the number of processes: on a CPU one a core by default, on a GPU one."""
    if jobs is not None:
        return jobs
    return cores() if plan.device == "cpu" else 1


def _seconds_before(out: Path) -> float:
    path = rundir.summary_path(out)
    return float(rundir.read_json(path)["seconds"]) if path.is_file() else 0.0


def _require_some(world: World, summary: dict[str, Any]) -> None:
    """Refuse to end as if nothing had happened where every run failed."""
    runs = summary["runs"]
    if runs["done"] or not runs["failed"]:
        return
    errors = {}
    for job in world.plan.screen():
        path = rundir.status_path(rundir.run_folder(world.out, job.method, job.seed))
        if path.is_file():
            errors[str(rundir.read_json(path)["error"])] = f"{job.method} seed {job.seed}"
    where = [f"{place}: {error}" for error, place in errors.items()]
    raise RunError(f"all {runs['failed']} runs failed", where, "mend the cause, then resume")


def _checked(
    folder: Path, data: ImageSet, progress: Progress, drop_duplicates: bool
) -> NDArray[np.int64]:
    """Check the data, write check.json, refuse faults, and return the groups of duplicates."""
    report = check(data, drop_duplicates=drop_duplicates)
    rundir.write_json(rundir.check_path(folder), report.to_json())
    for finding in report.findings:
        if finding.severity == "warning":
            progress.note(f"{finding.what}" + (f"; {finding.mend}" if finding.mend else ""))
    faults = [f for f in report.findings if f.severity == "error"]
    if faults:
        where = [line for f in faults for line in (f"{f.what}:", *(f"  {p}" for p in f.where[:5]))]
        raise DataError(
            f"the data has {len(faults)} kind{'s' * (len(faults) > 1)} of fault",
            where,
            "; ".join(dict.fromkeys(f.mend for f in faults if f.mend)),
        )
    return report.duplicates.groups(len(data))


def _names(methods: Sequence[str] | None, baseline: str) -> tuple[str, ...]:
    chosen = (
        [name for name, row in METHODS.items() if row.kind != "learned" and row.default]
        if methods is None or not methods
        else list(methods)
    )
    names = tuple(dict.fromkeys([*CONTROLS, *chosen, baseline]))
    for name in names:
        resolve(name)
    return names


def require(
    *,
    seeds: int,
    confirm_seeds: int,
    per_class: int | None = None,
    minutes: float | None = None,
    jobs: int | None = None,
    epochs: int | None = None,
    ops: Sequence[str] | None = None,
) -> None:
    """Refuse numbers out of range and unknown operations, all in one message."""
    rules = {
        f"seeds >= 1, but got {seeds}": seeds >= 1,
        f"confirm_seeds >= 0, but got {confirm_seeds}": confirm_seeds >= 0,
        f"per_class >= 1, but got {per_class}": per_class is None or per_class >= 1,
        f"minutes > 0, but got {minutes}": minutes is None or minutes > 0,
        f"jobs >= 1, but got {jobs}": jobs is None or jobs >= 1,
        f"epochs >= 1, but got {epochs}": epochs is None or epochs >= 1,
    }
    faults = [rule for rule, holds in rules.items() if not holds]
    unknown = [name for name in ops or () if name not in TABLE]
    faults += [f"operation {name!r}: {nearest(name, tuple(TABLE))}" for name in unknown]
    if faults:
        raise UsageError("these settings are out of range", faults, "see --help")


def _model_name(model: Spec, n: int, data: ImageSet) -> str:
    if model is None:
        return nets.default_net(n, data.size)
    if isinstance(model, str):
        return model
    name = type(model).__name__ if isinstance(model, nn.Module) else getattr(model, "__name__", "?")
    return f"given in Python: {name}"


def _command() -> str:
    """Return the command line to show: the last name of the program, the arguments as given."""
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    return shlex.join([program, *sys.argv[1:]])
