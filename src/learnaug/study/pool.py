"""Runs jobs, in this process or in workers of one thread each; the results are the same."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.errors import RunError
from learnaug.study.job import finished, read_status, run_job
from learnaug.study.plan import Job
from learnaug.study.process import Worker, end, how, pipe, send, start
from learnaug.study.stop import Stop
from learnaug.study.world import World
from learnaug.training import Keep, threads

__all__ = ["Tell", "execute", "stepped"]

Tell = Callable[[Job, dict[str, Any]], None]  # told {"share"}, {"say"}, {"start"} or {"end"}
STEP = 0.01  # progress is told in steps of one percent
PATIENCE = 8.0  # seconds that a worker has to save when it is asked to stop


@dataclass(frozen=True, slots=True)
class _Todo:
    """The jobs that are left, taken one by one by any thread, and the threads' faults."""

    jobs: deque[Job]
    faults: list[BaseException]

    def take(self) -> Job | None:
        try:
            return self.jobs.popleft()
        except IndexError:
            return None


def execute(
    world: World,
    jobs: Iterable[Job],
    *,
    workers: int,
    stop: Stop,
    tell: Tell,
    every: float = 300.0,
) -> None:
    """Run every job that is not done yet, in order, `workers` at a time.

    Args:
        world: the shared part of the study.
        jobs: what to run; finished ones are skipped.
        workers: number of processes; with 1, or with a net given in Python, all is run here.
        stop: asked all the time; running jobs are then saved and stopped, no more are started.
        tell: told what happens.
        every: seconds between two checkpoints of a run.
    """
    left = deque(job for job in jobs if not finished(world.out, job))
    if min(workers, len(left)) <= 1 or not isinstance(world.model, str):
        _here(world, left, stop, tell, every)
        return
    todo = _Todo(left, [])
    drivers = [
        threading.Thread(target=_guarded, args=(world, todo, stop, tell, every), daemon=True)
        for _ in range(min(workers, len(left)))
    ]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        while driver.is_alive():
            driver.join(0.2)  # short waits, so that signals are heard
    if todo.faults:
        raise todo.faults[0]


def _here(world: World, jobs: Iterable[Job], stop: Stop, tell: Tell, every: float) -> None:
    with threads(world.plan.threads):
        for job in jobs:
            if stop():
                return
            _run_here(world, job, stop, tell, every)


def _run_here(world: World, job: Job, stop: Stop, tell: Tell, every: float) -> None:
    tell(job, {"start": True})
    keep = Keep(
        stop=stop,
        progress=stepped(lambda share: tell(job, {"share": share})),
        say=lambda text: tell(job, {"say": text}),
        every=every,
    )
    tell(job, {"end": run_job(world, job, keep)})


def stepped(tell: Callable[[float], None]) -> Callable[[float], None]:
    """Return what passes shares in [0, 1] on to `tell` in steps of one percent, and the last."""
    last = -1.0

    def step(share: float) -> None:
        nonlocal last
        if share - last >= STEP or share == 1:
            last = share
            tell(share)

    return step


def _guarded(world: World, todo: _Todo, stop: Stop, tell: Tell, every: float) -> None:
    """Drive a worker; a fault is kept for the main thread, and no further job is begun."""
    try:
        _drive(world, todo, stop, tell, every)
    except BaseException as fault:
        todo.faults.append(fault)
        todo.jobs.clear()


def _drive(world: World, todo: _Todo, stop: Stop, tell: Tell, every: float) -> None:
    """Feed one worker process until no job is left; replace it where it dies."""
    worker: Worker | None = None
    try:
        while not stop() and (job := todo.take()) is not None:
            if worker is None or worker.poll() is not None:
                worker = start(world.out)
                threading.Thread(target=_send_stop, args=(worker, stop), daemon=True).start()
            tell(job, {"start": True})
            status = _ask(worker, job, tell, every)
            if status is None:
                worker.kill()
                status = _died(world.out, job, worker.wait(), stop())
            tell(job, {"end": status})
    finally:
        if worker is not None:
            end(worker)


def _ask(worker: Worker, job: Job, tell: Tell, every: float) -> dict[str, Any] | None:
    """Send a job and pass on what comes back; None where the worker died.

    Raises:
        RunError: the worker met a fault that ends the study (a full disk, say).
    """
    if not send(worker, {"job": asdict(job), "every": every}):
        return None
    step = stepped(lambda share: tell(job, {"share": share}))
    for line in pipe(worker.stdout):
        event = json.loads(line)
        if "end" in event:
            return dict(event["end"])
        if "fault" in event:
            raise RunError(**event["fault"])
        if "share" in event:
            step(event["share"])
        else:
            tell(job, event)
    return None


def _send_stop(worker: Worker, stop: Stop) -> None:
    """Ask the worker to save and end; kill one that takes longer than PATIENCE."""
    while worker.poll() is None:
        if stop():
            send(worker, {"stop": True})
            try:
                worker.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                worker.kill()  # its last checkpoint stands
            return
        rundir.sleep(0.1)


def _died(out: Path, job: Job, code: int, stopping: bool) -> dict[str, Any]:
    run = rundir.run_folder(out, job.method, job.seed)
    status = asdict(job) | {
        "state": "stopped" if stopping else "failed",
        "error": None if stopping else how(code),
        "seconds": read_status(run).get("seconds", {"learn": 0.0, "train": 0.0}),
    }
    rundir.write_json(rundir.status_path(run), status)
    return status
