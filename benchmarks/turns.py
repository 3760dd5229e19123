"""Timing in turns, and two persistent worker processes for libraries that take one picture a call.

Contenders take turns round by round, so that a busy machine disturbs all alike; ratios are taken
pair by pair within a round, and their median is reported.
"""

from __future__ import annotations

import gc
import multiprocessing
import statistics
from collections.abc import Callable
from typing import Any

import torch

from learnaug import rundir

TURN = 0.03  # seconds that one turn should last at least
BUDGET = 12.0  # seconds for all rounds of a case: on a busy machine there are fewer, at least 3
PAUSE = 0.005  # between turns, so that spinning threads of the last one go to sleep


def take_turns(
    contenders: dict[str, Callable[[int], None]], rounds: int, turn: float = TURN
) -> dict[str, list[float]]:
    """Return seconds a repetition for each contender and round.

    Args:
        contenders: each a function that repeats its work so many times.
        rounds: how often each has its turn at most, after two calls that warm up and set the count.
        turn: seconds that one turn should last.
    """
    counts = {}
    round_takes = 0.0
    for name, repeat in contenders.items():
        repeat(1)
        watch = rundir.stopwatch()
        repeat(1)
        once = watch()
        counts[name] = max(1, min(10_000, round(turn / max(once, 1e-6))))
        round_takes += counts[name] * once
    rounds = max(min(rounds, 3), min(rounds, int(BUDGET / round_takes)))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name, repeat in contenders.items():
            rundir.clock.sleep(PAUSE)
            watch = rundir.stopwatch()
            repeat(counts[name])
            seconds[name].append(watch() / counts[name])
    gc.enable()
    return seconds


def repeated(call: Callable[[], Any]) -> Callable[[int], None]:
    """Return a function that calls `call` so many times."""

    def repeat(count: int) -> None:
        for _ in range(count):
            call()

    return repeat


def ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Return how many times faster ours is, pair by pair: median, least, most."""
    pairs = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "median": round(statistics.median(pairs), 3),
        "least": round(min(pairs), 3),
        "most": round(max(pairs), 3),
    }


def rate(images: int, seconds: list[float]) -> float:
    """Return images a second, median over rounds."""
    return round(images / statistics.median(seconds), 1)


class Pair:
    """Two processes of one thread each; each prepares and runs its half of a case.

    Args:
        make: (case, part, parts) -> function without arguments; must be a module's own function.
    """

    def __init__(self, make: Callable[[Any, int, int], Callable[[], Any]], parts: int = 2) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes = []
        self.processes = []
        for part in range(parts):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(make, there, part, parts), daemon=True)
            process.start()
            self.pipes.append(here)
            self.processes.append(process)

    def ask(self, *message: Any) -> None:
        """Send to all, wait for all."""
        for pipe in self.pipes:
            pipe.send(message)
        for pipe in self.pipes:
            if (fault := pipe.recv()) is not None:
                raise RuntimeError(fault)

    def contender(self, case: Any) -> Callable[[int], None]:
        """Prepare a case in both processes and return what runs it."""
        self.ask("prepare", case)
        return lambda count: self.ask("run", case, count)

    def close(self) -> None:
        """Let both processes end."""
        for pipe in self.pipes:
            pipe.send(("end",))
        for process in self.processes:
            process.join(10)


def _work(make: Callable[[Any, int, int], Any], pipe: Any, part: int, parts: int) -> None:
    torch.set_num_threads(1)
    cases: dict[Any, Callable[[], Any]] = {}
    while (message := pipe.recv())[0] != "end":
        try:
            if message[0] == "prepare":
                cases[message[1]] = make(message[1], part, parts)
            elif message[0] == "forget":
                cases.clear()
            else:
                repeated(cases[message[1]])(message[2])
            pipe.send(None)
        except Exception as error:
            pipe.send(f"{message[:2]}: {error!r}")
