"""Processes that carry out the orders of one learning, such as the trials of a search.

A worker goes the way of the learning, by what is kept on the disk (weights that were trained once,
what an audit trained), up to the place where orders arise, and stays there. So nothing but plain
JSON data passes between the processes, and a worker that dies is replaced by another one. The
worker that is told to stop is killed: what it was at is made again, or not at all.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

import torch

from learnaug import rundir
from learnaug.errors import LearnaugError, RunError, printable
from learnaug.study.job import lesson
from learnaug.study.plan import Job
from learnaug.study.process import Worker, end, how, pipe, send, start
from learnaug.study.stop import Stop
from learnaug.study.world import World
from learnaug.training import Keep, Stopped

__all__ = ["Serving", "Team", "serve", "team"]

Json = dict[str, Any]
TRIES = 2  # processes that may die over one order
WAIT = 0.1  # seconds between two questions whether to stop
DEAD = 71  # exit status of a worker without memory


class Team:
    """The crew as the learning sees it: up to `number` workers, started at the first orders.

    Args:
        world: the study.
        job: whose learning this is.
        number: of processes.
        stop: asked all the time.
        say: told of workers that died.
    """

    def __init__(
        self, world: World, job: Job, number: int, stop: Stop, say: Callable[[str], None]
    ) -> None:
        self.world, self.job, self.number, self.stop, self.say = world, job, number, stop, say
        self.place = ""
        self.workers: list[Worker] = []
        self.busy: dict[Worker, Json] = {}
        self.answers: SimpleQueue[tuple[Worker, Json | None]] = SimpleQueue()

    def enter(self, place: str, make: Callable[[Json], Json]) -> None:
        """Do nothing: this process hands the orders out."""

    def share(self, place: str, orders: Sequence[Json], take: Callable[[Json, Json], None]) -> None:
        """Have the orders carried out, one at a time by each worker; see `training.loop.Crew`."""
        if place != self.place:
            self.close()
            self.place = place
        left, deaths = deque(orders), Counter[str]()
        try:
            self._until_done(left, deaths, take)
        except BaseException:
            self.close()  # what is under way is made again, or not at all
            raise

    def _until_done(
        self, left: deque[Json], deaths: Counter[str], take: Callable[[Json, Json], None]
    ) -> None:
        while left or self.busy:
            self._hand_out(left)
            if self.stop():
                raise Stopped
            try:
                worker, answer = self.answers.get(timeout=WAIT)
            except Empty:
                continue
            order = self.busy.pop(worker, None)
            if order is None:  # from a worker that was closed, or died while it was free
                self._forget(worker)
            elif answer is None:
                self._mourn(worker, order, deaths)
                left.appendleft(order)
            elif "fault" in answer:
                fault = answer["fault"]
                raise RunError(**fault | {"where": [*fault["where"], f"trial {order['name']}"]})
            else:
                take(order, answer["row"])

    def close(self) -> None:
        """End all workers at once, whatever they are at."""
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            end(worker)
        self.workers.clear()
        self.busy.clear()

    def _hand_out(self, left: deque[Json]) -> None:
        """Give an order to everyone who is free; start those who are missing."""
        while left and len(self.busy) < self.number:
            free = [w for w in self.workers if w not in self.busy and w.poll() is None]
            worker = free[0] if free else self._begin()
            self.busy[worker] = left.popleft()
            send(worker, {"order": self.busy[worker]})  # one that is dead is met as its end

    def _begin(self) -> Worker:
        """Start a worker on its way to the place."""
        worker = start(self.world.out)
        self.workers.append(worker)
        threading.Thread(target=_listen, args=(worker, self.answers), daemon=True).start()
        send(worker, {"lesson": asdict(self.job), "place": self.place})
        return worker

    def _forget(self, worker: Worker) -> None:
        if worker in self.workers:
            self.workers.remove(worker)
            end(worker)

    def _mourn(self, worker: Worker, order: Json, deaths: Counter[str]) -> None:
        """Say that a worker died over an order.

        Raises:
            RunError: it is not the first one.
        """
        self._forget(worker)
        name = str(order["name"])
        deaths[name] += 1
        words = f"trial {name}: {how(worker.returncode)}"
        if deaths[name] >= TRIES:
            mend = "what is done is kept: go on with fewer --jobs"
            raise RunError(f"{words}, and so did the one before", mend=mend)
        self.say(f"{words}; it is tried again")


@contextmanager
def team(
    world: World, job: Job, number: int, stop: Stop, say: Callable[[str], None]
) -> Iterator[Team | None]:
    """Return the crew of a learning for a block, at whose end no worker is left; None for one.

    Args:
        world, job, stop, say: see `Team`.
        number: of processes; with 1 all is done in this one.
    """
    if number < 2:
        yield None
        return
    own = Team(world, job, number, stop, say)
    try:
        yield own
    finally:
        own.close()


def _listen(worker: Worker, answers: SimpleQueue[tuple[Worker, Json | None]]) -> None:
    for line in pipe(worker.stdout):
        if line.endswith("\n"):  # not the first half of one, of a worker that was killed
            answers.put((worker, json.loads(line)))
    answers.put((worker, None))


class Serving:
    """The crew as a worker sees it, who stays at the place he is asked to.

    Args:
        place: where.
        orders: gives the next order.
        answer: takes {"row": …} or {"fault": …}.
    """

    def __init__(self, place: str, orders: Callable[[], Json], answer: Callable[..., None]) -> None:
        self.place, self.orders, self.answer = place, orders, answer

    def enter(self, place: str, make: Callable[[Json], Json]) -> None:
        """Carry out orders for ever, if this is the place; the end of the input ends us."""
        while place == self.place:
            order = self.orders()
            self.answer(row=make(order["order"]))

    def share(self, place: str, orders: Sequence[Json], take: Callable[[Json, Json], None]) -> None:
        """Refuse: what came before the place is done, and kept."""
        raise RunError(f"a worker on its way to {self.place} was to share out work at {place}")


def serve(
    world: World, order: Json, orders: Callable[[], Json], answer: Callable[..., None]
) -> NoReturn:
    """Go the way of a learning to a place, and stay there; a fault is told, and ends the process.

    Args:
        world: the study.
        order: {"lesson": a job, "place": where}.
        orders, answer: see `Serving`.
    """
    job = Job(**order["lesson"])
    run = rundir.run_folder(world.out, job.method, job.seed)
    # Nothing is written on the way: the learning itself, and others beside us, use these files.
    keep = Keep(
        checkpoints=rundir.checkpoint_folder(run, "learn"), every=inf, say=_silent,
        crew=Serving(order["place"], orders, answer),
    )  # fmt: skip
    parts = world.part(job.seed, "train"), world.part(job.seed, "valid")
    try:
        lesson(world, job, parts, keep)
        fault: LearnaugError = RunError(f"there is no place {order['place']} in this learning")
    except (torch.OutOfMemoryError, MemoryError):
        os._exit(DEAD)
    except LearnaugError as known:
        fault = known
    except Exception as unknown:  # of the user's net, say
        fault = RunError(f"{type(unknown).__name__}: {printable(str(unknown))[:1000]}")
    answer(fault={"what": fault.what, "where": fault.where, "mend": fault.mend, "code": fault.code})
    os._exit(1)  # and not by an exception: the thread that reads the input never ends


def _silent(text: str) -> None:
    """Tell nobody: the learning itself says it."""
