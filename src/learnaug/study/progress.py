"""What a study tells while it runs: one stream of event dicts, with the time that is left."""

from __future__ import annotations

import threading
from collections.abc import Callable
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
        self._worked = 0.0  # runs' worth of work done in this call
        self._clock = rundir.stopwatch()
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """Tell one line of text."""
        self._say({"event": "note", "text": text})

    def verdict(self, words: str) -> None:
        """Tell the verdict."""
        self._say({"event": "verdict", "words": words})

    def start(self, plan: Plan, out: Path, jobs: list[Job], later: int) -> None:
        """Tell how much there is to do; `later` runs are planned behind `jobs`."""
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
        left = len([job for job in jobs if job not in self._over])
        if left:
            runs = _counted(left, "run")
            self.note(f"screening: {candidate} is best on the validation part; now {runs} on test")

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
        # What a checkpoint had done already is no work of this call.
        self._worked += share - self._shares.get(job, share if kind == "share" else 0.0)
        self._shares[job] = share
        out["share"] = share
        if kind == "end":
            status = event["end"]
            self._over.add(job)
            ends = {"done": "run-end", "stopped": "run-stopped"}
            out["event"] = ends.get(status["state"], "run-failed")
            out |= {"score": status.get("score"), "error": status.get("error")}
        else:
            out["event"] = EVENTS[kind]
        out["eta_seconds"] = self._left()
        self._say(out)

    def _left(self) -> float | None:
        running = sum(s for job, s in self._shares.items() if job not in self._over)
        todo = self._planned - len(self._over) - running
        return todo * self._clock() / self._worked if self._worked > 0.05 else None


def _counted(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
