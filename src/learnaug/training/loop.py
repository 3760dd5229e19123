"""The one training loop: order, schedule clock, NaN stop, log, checkpoints, resume.

A task hands the loop a `step`; nobody else writes a loop over updates. Randomness is keyed by the
number of the update, so a checkpoint holds tensors and three numbers and no generator state: a run
that was killed at any moment and resumed ends with the same bits as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from learnaug import rundir
from learnaug.seeds import Seeds

__all__ = ["Crew", "Keep", "Stopped", "Task", "run", "trained"]

LOG_ROWS = 20  # rows of the learning curve
CHECKPOINT_SECONDS = 300.0
DONE = ".safetensors"  # behind the name of the folder of checkpoints


class Task(Protocol):
    """Something that can be trained update by update."""

    def step(self, update: int, seeds: Seeds) -> float:
        """Make one optimiser step and return its loss; raise RunError where it is not finite."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that the next step depends on."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        ...

    def measure(self, update: int) -> dict[str, Any]:
        """Return the row of the learning curve that belongs to the end of this update."""
        ...


class Stopped(Exception):
    """The loop was asked to stop, and its checkpoint is written."""


class Crew(Protocol):
    """Processes beside this one that share out orders, plain JSON data, which know nothing of
    each other; the results are those of this process.

    Both calls name the place where the orders arise (a folder of checkpoints, say). A process of
    the crew goes the way of this one, by what is kept on the disk, and stays in `enter`.
    """

    def enter(self, place: str, make: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Come to a place at which orders arise; called before anything there is written.

        Args:
            place: names it.
            make: carries out an order.
        """
        ...

    def share(
        self,
        place: str,
        orders: Sequence[dict[str, Any]],
        take: Callable[[dict[str, Any], dict[str, Any]], None],
    ) -> None:
        """Have all orders carried out; `take` is given each one with what came of it, here.

        Raises:
            RunError: an order failed, or two processes died over it.
            Stopped: a stop was asked for; what was taken is done.
        """
        ...


def never() -> bool:
    """Ask for no stop."""
    return False


def silent(share: float) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Where a run keeps what it has done, and who may stop it.

    Args:
        checkpoints: folder of the checkpoints; None keeps nothing.
        log: file of the learning curve; None writes none.
        every: seconds between two checkpoints.
        stop: asked after every update; True saves a checkpoint and raises Stopped.
        late: asked after a stop: whether the user's time is up. A method that has something to
            show by then returns that, as not whole; any other stop it lets through.
        progress: told the share of the updates done, in [0, 1].
        say: told what the user should know (a damaged checkpoint, say).
        crew: processes that may help; None: there are none.
    """

    checkpoints: Path | None = None
    log: Path | None = None
    every: float = CHECKPOINT_SECONDS
    stop: Callable[[], bool] = never
    late: Callable[[], bool] = never
    progress: Callable[[float], None] = silent
    say: Callable[[str], None] = print
    crew: Crew | None = None

    def child(self, name: str) -> Keep:
        """Return the same with a folder for checkpoints and a log of its own."""
        folder = self.checkpoints and self.checkpoints / name
        return replace(self, checkpoints=folder, log=self.log and self.log.with_stem(name))

    def part(self, name: str, start: float, share: float) -> Keep:
        """Return the child of one part of the work, whose progress goes from start on by share."""
        own = self.child(name)
        return replace(own, progress=lambda done: self.progress(start + share * done))


@dataclass(slots=True)
class _Clock:
    done: int = 0  # updates finished
    loss: float = 0.0  # sum of the losses since the last row of the log
    count: int = 0


def run(task: Task, updates: int, seeds: Seeds, keep: Keep) -> None:
    """Train `task` for `updates` updates, going on from the newest checkpoint where there is one.

    Raises:
        RunError: a loss, gradient or weight is not finite.
        Stopped: `keep.stop` asked for it; the checkpoint is written.
    """
    store = rundir.Checkpoints(keep.checkpoints, say=keep.say) if keep.checkpoints else None
    clock = _resume(task, store, keep)
    rows = {round(updates * (i + 1) / LOG_ROWS) for i in range(LOG_ROWS)}
    saved = rundir.seconds()
    while clock.done < updates:
        clock.loss += task.step(clock.done, seeds)
        clock.count += 1
        clock.done += 1
        if clock.done in rows:
            _log(task, clock, keep)
        keep.progress(clock.done / updates)
        stopping = keep.stop() and clock.done < updates
        if store and (stopping or rundir.seconds() - saved >= keep.every):
            meta = {"loss": clock.loss, "count": clock.count}
            store.save(clock.done, task.tensors(), meta)
            saved = rundir.seconds()
        if stopping:
            raise Stopped


def trained(task: Task, updates: int, seeds: Seeds, keep: Keep) -> None:
    """Train `task` as `run` does, or take it back from its file where that was done before a stop.

    The file lies beside the folder of its checkpoints.
    """
    file = keep.checkpoints and keep.checkpoints.with_suffix(DONE)
    if file and file.is_file():
        task.restore(rundir.load_tensors(file))
        keep.progress(1.0)
        return
    run(task, updates, seeds, keep)
    if file:
        rundir.save_tensors(file, task.tensors())


def _resume(task: Task, store: rundir.Checkpoints | None, keep: Keep) -> _Clock:
    newest = store.newest() if store else None
    clock = _Clock()
    if newest is not None:
        step, tensors, meta = newest
        task.restore(tensors)
        clock = _Clock(step, float(meta["loss"]), int(meta["count"]))
    if keep.log and keep.log.exists():
        # Rows written after the checkpoint will be written again by the updates that follow it.
        rows = [row for row in rundir.read_records(keep.log) if row["update"] <= clock.done]
        rundir.write_records(keep.log, rows)
    return clock


def _log(task: Task, clock: _Clock, keep: Keep) -> None:
    if keep.log:
        loss = clock.loss / clock.count
        row = {"update": clock.done, "loss": loss, **task.measure(clock.done)}
        rundir.append_record(keep.log, row)
    clock.loss, clock.count = 0.0, 0
