"""From what the user asked for to a run folder that is ready: checked, split, planned."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from learnaug import nets, rundir
from learnaug.data import ImageSet, Report, Split, check, load, metric_for, repeats_needed
from learnaug.data.findings import as_error, stopping
from learnaug.errors import UsageError, nearest
from learnaug.methods import refusal, resolve, unfit_for_masks
from learnaug.nets import Spec
from learnaug.ops import TABLE
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.study import budget
from learnaug.study.plan import Plan, require_same, require_versions, versions
from learnaug.study.progress import Progress
from learnaug.study.stop import Interrupted, Stop
from learnaug.study.world import (
    GIVEN,
    World,
    cut,
    digest_of,
    net_digest,
    open_world,
    store_data,
    store_splits,
)
from learnaug.training import (
    Augmenter,
    Recipe,
    choose_device,
    choose_precision,
    cores,
    default_epochs,
    goal_of,
)

__all__ = ["Request", "folder_for", "name_of", "owned", "prepare", "workers"]

REPEATED = (
    "the test part has {images} images, so it is cut {repeats} times: an image that is sealed in "
    "one cut may be in training or validation in another, and the interval is widened for that"
)
DELTA = 0.01  # smallest difference of interest: one percentage point


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, in the words of `compare`, `train` and `learn`; checked at once.

    Raises:
        UsageError: numbers out of range and unknown operations, all in one message.
    """

    kind: Literal["compare", "train", "learn", "pairs"]
    methods: tuple[str, ...] = ("none",)
    model: Spec = None
    baseline: str = "none"
    seeds: int = 1
    confirm_seeds: int = 0
    epochs: int | None = None
    per_class: int | None = None
    seed: int = 0
    minutes: float | None = None
    jobs: int | None = None
    ops: Sequence[str] | OperationSet | None = None
    drop_duplicates: bool = False
    accept_change: bool = False
    device: str = "auto"
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        rules = {
            f"seeds >= 1, but got {self.seeds}": self.seeds >= 1,
            f"confirm_seeds >= 0, but got {self.confirm_seeds}": self.confirm_seeds >= 0,
            f"per_class >= 1, but got {self.per_class}": self.per_class is None
            or self.per_class >= 1,
            f"minutes > 0, but got {self.minutes}": self.minutes is None or self.minutes > 0,
            f"jobs >= 1, but got {self.jobs}": self.jobs is None or self.jobs >= 1,
            f"epochs >= 1, but got {self.epochs}": self.epochs is None or self.epochs >= 1,
        }
        faults = [rule for rule, holds in rules.items() if not holds]
        named = () if isinstance(self.ops, OperationSet) else self.ops or ()
        unknown = [name for name in named if name not in TABLE]
        faults += [f"operation {name!r}: {nearest(name, tuple(TABLE))}" for name in unknown]
        if faults:
            raise UsageError("these settings are not allowed", faults, "see --help")
        Seeds(self.seed)
        for name in self.methods:
            if name != GIVEN:
                resolve(name, self.ops)


def images_of(data: Any, size: int | None, classes: Any) -> ImageSet:
    """Return the image set of anything that `load` reads."""
    return data if isinstance(data, ImageSet) else load(data, size=size, classes=classes)


def folder_for(data: Any, out: str | Path | None, suffix: str = "") -> Path:
    """Return the run folder: `out`, or learnaug-runs/NAME in the working directory."""
    if out is not None:
        return Path(out)
    name = Path(str(data)).stem if isinstance(data, str | Path) else getattr(data, "name", "data")
    return Path("learnaug-runs") / (rundir.slug(str(name)) + suffix)


@contextmanager
def owned(folder: Path, data: Any, size: int | None, classes: Any) -> Iterator[ImageSet]:
    """Own the run folder inside the block, with the images read.

    A folder in use is refused before the images are read, which may take minutes; data that
    cannot be read leave no folder behind.
    """
    if rundir.lock_path(folder).is_file():
        with rundir.lock(folder):
            pass
    images = images_of(data, size, classes)
    rundir.check_writable(folder, data if isinstance(data, str | Path) else None)
    with rundir.lock(folder):
        yield images


def name_of(data: Any, images: ImageSet) -> str:
    """Return what the user called the data."""
    return str(data) if isinstance(data, str | Path) else images.name


def workers(world: World, jobs: int | None) -> int:
    """Return the number of processes: one for a net given in Python and on a GPU, else one a core.

    A net given in Python cannot be sent to another process without pickling it.
    """
    if not isinstance(world.model, str):
        return 1
    if jobs is not None:
        return jobs
    return cores() if world.plan.device == "cpu" else 1


def prepare(
    folder: Path,
    data: ImageSet,
    request: Request,
    source: str,
    progress: Progress,
    stop: Stop,
    given: Augmenter | None = None,
) -> World:
    """Check the data, write plan and splits, and return the world of the runs.

    A folder that already holds the same plan is opened as it is; another plan is refused, and
    nothing in the folder is changed then.

    Raises:
        Interrupted: the user asked to stop.
    """
    if data.masks is not None:
        _require_masks_fit(request.methods, given)
    report = _checked(data, request.drop_duplicates, progress)
    _heed(stop)
    groups = report.duplicates.groups(len(data))
    first = cut(data, request.seed, request.per_class, groups)
    plan = _plan(request, data, first, source)
    module = request.model if not isinstance(request.model, str) else None
    spec = plan.model if module is None else module
    draft = World(folder, plan, data, (first,), spec, groups)
    net = draft.net(Seeds(request.seed))
    nets.check_model(
        net, data.channels, data.size, len(data.classes),
        name=plan.model, task=goal_of(data).name,
    )  # fmt: skip
    plan = replace(plan, net=net_digest(net), given=digest_of(given, folder))
    if rundir.plan_path(folder).is_file():
        _require_known(folder, plan, request)
        return open_world(folder, module)
    for note in (*plan.notes, *_kept(module)):
        progress.note(note)
    number = workers(draft, request.jobs)
    if request.minutes is not None and request.epochs is None:
        plan = budget.fit(draft, plan, lambda: stop.seconds_left, number, lambda: bool(stop.signum))
    _heed(stop)
    parameters = sum(p.numel() for p in net.parameters())
    budget.require_space(folder, data, plan, parameters, number)
    _write(folder, plan, data, report, groups, given)
    return open_world(folder, module)


def _require_masks_fit(methods: Sequence[str], given: Augmenter | None) -> None:
    """Refuse methods that cannot be used on images with masks.

    Raises:
        UsageError: names each of them, and why.
    """
    reasons = {name: unfit_for_masks(name) for name in methods if name != GIVEN}
    reasons |= {"the given augmenter": refusal(given)} if given else {}
    faults = [f"{name}: {why}" for name, why in reasons.items() if why]
    if faults:
        words = "these methods cannot be used on images with masks"
        raise UsageError(words, faults, "leave them out")


def _write(
    folder: Path,
    plan: Plan,
    data: ImageSet,
    report: Report,
    groups: NDArray[np.int64],
    given: Augmenter | None,
) -> None:
    """Write all that the runs share; the plan last, because it says that the rest is whole."""
    rundir.write_json(rundir.check_path(folder), report.to_json())
    if given:
        given.save(rundir.given_folder(folder))
    store_data(folder, data)
    store_splits(folder, plan, data, groups)
    plan.save(folder)


def _heed(stop: Stop) -> None:
    if stop.signum:
        raise Interrupted(stop.signum)


def _plan(request: Request, data: ImageSet, first: Split, source: str) -> Plan:
    n, notes = len(first.train), first.notes
    repeats = repeats_needed(first) if request.kind in ("compare", "pairs") else 1
    if repeats > 1:
        notes = (*notes, REPEATED.format(images=len(first.test), repeats=repeats))
    recipe = request.recipe or Recipe(epochs=default_epochs(n), batch_size=goal_of(data).batch)
    where = choose_device(request.device)
    return Plan(
        kind=request.kind,
        methods=request.methods,
        baseline=request.baseline,
        seeds=request.seeds,
        confirm_seeds=request.confirm_seeds,
        seed=request.seed,
        metric=_metric(data),
        delta=DELTA,
        model=_model_name(request.model, n, data),
        recipe=replace(
            recipe,
            epochs=request.epochs or recipe.epochs,
            batch_size=min(recipe.batch_size, n),
        ),
        per_class=request.per_class,
        repeats=repeats,
        precision=choose_precision(where),
        threads=1,
        device=str(where),
        operations=_operations(request.ops),
        data={"name": data.name, "images": len(data), "fingerprint": data.fingerprint()},
        source=source,
        command=_command(),
        minutes=request.minutes,
        notes=notes,
        versions=versions(),
    )


def _metric(data: ImageSet) -> str:
    if data.masks is not None:
        return goal_of(data).score
    return metric_for(np.bincount(data.labels, minlength=len(data.classes)).tolist())


def _operations(
    given: Sequence[str] | OperationSet | None,
) -> tuple[str, ...] | dict[str, Any] | None:
    """Return the allowed operations as the plan keeps them."""
    if isinstance(given, OperationSet):
        return given.to_json()
    return None if given is None else tuple(given)


def _require_known(folder: Path, plan: Plan, request: Request) -> None:
    old = Plan.load(folder)
    if request.minutes is not None and request.epochs is None:
        # The epochs were fitted to the minutes when the folder was made.
        plan = replace(plan, recipe=replace(plan.recipe, epochs=old.recipe.epochs))
    require_same(old, plan)
    require_versions(folder, old, request.accept_change)


def _kept(given: Spec) -> tuple[str, ...]:
    """Return a note on the parameters of a given module that keep their values in every run."""
    names = nets.kept(given)
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (f"every run starts with the given values of {shown}",) if names else ()


def _checked(data: ImageSet, drop_duplicates: bool, progress: Progress) -> Report:
    """Check the data and tell its warnings.

    Raises:
        DataError: the data has faults; all are listed.
    """
    report = check(data, drop_duplicates=drop_duplicates)
    for finding in report.findings:
        if finding.severity == "warning":
            progress.note(f"{finding.what}" + (f"; {finding.mend}" if finding.mend else ""))
    if not report.ok:
        raise as_error(stopping(report.findings, accept=True), data.name)
    return report


def _model_name(model: Spec, n: int, data: ImageSet) -> str:
    if model is None:
        return nets.default_net(n, data.size, goal_of(data).name)
    if isinstance(model, str):
        return model
    name = type(model).__name__ if isinstance(model, nn.Module) else getattr(model, "__name__", "?")
    return f"given in Python: {name}"


def _command() -> str:
    """Return the command line to show: the last name of the program, the arguments as given."""
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] not in ("", "-", "-c") else ""
    if not program:
        return "called from Python"
    program = "learnaug" if program == "__main__.py" else program
    return shlex.join([program, *sys.argv[1:]])
