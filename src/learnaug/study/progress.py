"""What a study tells while it runs: one stream of event dicts, with the time that is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.study.job import finished
from learnaug.study.plan import Job, Plan

__all__ = ["Progress", "Say"]

Say = Callable[[dict[str, Any]], None]
EVENTS = {"start": "run-start", "share": "run-step", "say": "note"}


class Progress:
    """Turns what the pool tells into events, counts the work that is left and its time.

    Args:
        say: receives the events; None is silent.
    """

    def __init__(self, say: Say | None) -> None:
        self._say = say or (lambda event: None)
        self._planned = 0
        self._over: set[Job] = set()  # done before this call, or ended in it
        self._shares: dict[Job, float] = {}
        self._before: dict[Job, float] = {}  # shares that a checkpoint had done before this call
        self._seconds: dict[str, list[float]] = {}  # of the runs that ended in this call
        self._todo: list[Job] = []
        self._later = 0
        self._trainings: Mapping[str, float | None] = {}
        self._clock = rundir.stopwatch()
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """Tell one line of text."""
        self._say({"event": "note", "text": text})

    def verdict(self, words: str) -> None:
        """Tell the verdict."""
        self._say({"event": "verdict", "words": words})

    def start(
        self,
        plan: Plan,
        out: Path,
        jobs: list[Job],
        later: int,
        trainings: Mapping[str, float | None] | None = None,
    ) -> None:
        """Tell how much there is to do.

        Args:
            plan: what is planned.
            out: the run folder.
            jobs: that come first.
            later: so many runs are planned behind them.
            trainings: what a run of each method costs, in trainings of the target; None: nobody
                knows before the first run of that method has ended. By default 1 each.
        """
        self._todo, self._later, self._trainings = jobs, later, trainings or {}
        self._over = {job for job in jobs if finished(out, job)}
        self._planned = len(jobs) + later
        self._clock = rundir.stopwatch()
        counts = f"{_counted(len(plan.methods), 'method')} × {_counted(plan.seeds, 'seed')}"
        text = f"{counts}, net {plan.model}, {_counted(plan.recipe.epochs, 'epoch')}"
        if self._over:
            text += f"; done already: {_counted(len(self._over), 'run')}"
        total = {"total_runs": self._planned, "done_runs": len(self._over)}
        self._say({"event": "start", "text": text, "out": str(out), **total})

    def confirm(self, out: Path, candidate: str, jobs: list[Job]) -> None:
        """Tell which method goes on to the confirm stage."""
        ended = len([job for job in self._over if job.stage == "screen"])
        self._over |= {job for job in jobs if finished(out, job)}
        self._planned = ended + len(jobs)
        self._todo, self._later = jobs, 0
        left = len([job for job in jobs if job not in self._over])
        if left:
            runs = _counted(left, "run")
            text = f"screening: {candidate} is best on the validation part; now {runs} on test"
            self._say({"event": "note", "text": text, "total_runs": self._planned})

    def tell(self, job: Job, event: dict[str, Any]) -> None:
        """Take an event of the pool and pass it on with method, seed and time left."""
        with self._lock:  # several threads tell
            self._tell(job, event)

    def _tell(self, job: Job, event: dict[str, Any]) -> None:
        kind = next(iter(event))
        out: dict[str, Any] = {"method": job.method, "seed": job.seed, "stage": job.stage}
        if kind == "say":
            self.note(f"{job.method} seed {job.seed}: {event['say']}")
            return
        share = float(event.get("share", 1.0 if kind == "end" else 0.0))
        self._before.setdefault(job, share if kind == "share" else 0.0)
        self._shares[job] = share
        out["share"] = share
        if kind == "end":
            status = event["end"]
            self._over.add(job)
            if status["state"] == "done" and not self._before[job]:
                seconds = sum(status.get("seconds", {}).values())
                self._seconds.setdefault(job.method, []).append(seconds)
            ends = {"done": "run-end", "stopped": "run-stopped"}
            out["event"] = ends.get(status["state"], "run-failed")
            out |= {"score": status.get("score"), "error": status.get("error")}
        else:
            out["event"] = EVENTS[kind]
        out["eta_seconds"] = self._left()
        self._say(out)

    def _left(self) -> float | None:
        """Return the seconds until all is done, as fast as it went so far; None: not known yet.

        Runs weigh what those of their method took, or else, what their method says.
        """
        left = [job for job in self._todo if job not in self._over]
        weights = {job.method: self._weight(job.method) for job in [*left, *self._shares]}
        known = {method: weight for method, weight in weights.items() if weight is not None}
        if any(job.method not in known for job in left):
            return None
        done = sum(
            known.get(job.method, 0.0) * (share - self._before[job])
            for job, share in self._shares.items()
        )
        mean = sum(known.values()) / len(known) if known else 0.0
        todo = sum(known[job.method] * (1 - self._shares.get(job, 0.0)) for job in left)
        todo += mean * self._later
        return todo * self._clock() / done if done > 0.05 * mean else None

    def _weight(self, method: str) -> float | None:
        """Return the seconds of a run on its own, or in proportion to them."""
        if own := self._seconds.get(method):
            return sum(own) / len(own)
        trainings = self._trainings.get(method, 1.0)
        each = [
            seconds / known
            for name, all_of_it in self._seconds.items()
            if (known := self._trainings.get(name, 1.0))
            for seconds in all_of_it
        ]
        unit = sum(each) / len(each) if each else 1.0
        return None if trainings is None else trainings * unit


def _counted(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
