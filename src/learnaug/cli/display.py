"""What the user sees on stderr while a job runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from learnaug.errors import printable

__all__ = ["display", "duration"]

Event = dict[str, Any]
Key = tuple[str, int, str]
ENDS = ("run-end", "run-failed", "run-stopped")


@contextmanager
def display() -> Iterator[Callable[[Event], None]]:
    """Yield the `say` that a study tells its events to; threads may call it.

    Events: start (total_runs, done_runs, text), run-start, run-step, run-end, run-failed,
    run-stopped (method, seed, stage, share, score, eta_seconds, error), note (text), step
    (done_runs, total_runs, unit, eta_seconds, text: a line where there is no terminal).
    Others are left to the final table.
    """
    console = Console(stderr=True, highlight=False)
    lock = threading.Lock()
    if not console.is_terminal:
        plain = _Plain(_State())
        yield lambda event: _locked(lock, plain, event)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[told]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        live = _Live(_State(), progress, progress.add_task("starting", total=None, told=""))
        yield lambda event: _locked(lock, live, event)


def duration(seconds: float) -> str:
    """Return a time in one or two units.

    Example:
        >>> duration(42), duration(200), duration(7500)
        ('42 s', '3 min', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@dataclass
class _State:
    """How far the job is."""

    total: int = 0
    done: int = 0
    unit: str = "runs"
    shares: dict[Key, float] = field(default_factory=dict)
    left: float | None = None  # seconds

    def hear(self, event: Event) -> None:
        self.total = event.get("total_runs", self.total)
        self.unit = event.get("unit", self.unit)
        self.left = event.get("eta_seconds", self.left)
        self.done = event.get("done_runs", self.done)
        kind = event["event"]
        if kind in ("run-start", "run-step"):
            self.shares[_key(event)] = event.get("share") or 0.0
        elif kind in ENDS:
            self.shares.pop(_key(event), None)
            self.done += kind != "run-stopped"

    def told(self) -> str:
        return "" if self.left is None else f"about {duration(self.left)} left"


@dataclass
class _Plain:
    state: _State

    def __call__(self, event: Event) -> None:
        self.state.hear(event)
        told = _ended(event) if event["event"].startswith("run-") else event.get("text")
        if not told or event["event"] == "verdict":
            return
        left = f", {self.state.told()}" if self.state.left else ""
        if event["event"].startswith("run-"):
            told = f"[{self.state.done}/{self.state.total}] {told}{left}"
        elif event["event"] == "step":
            told += left
        sys.stderr.write(printable(told) + "\n")
        sys.stderr.flush()


@dataclass
class _Live:
    state: _State
    progress: Progress
    overall: TaskID
    rows: dict[Key, TaskID] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        self.state.hear(event)
        kind = event["event"]
        if kind in ("run-start", "run-step"):
            self._move(_key(event))
        elif kind in ENDS:
            row = self.rows.pop(_key(event), None)
            if row is not None:
                self.progress.remove_task(row)
        text = event.get("text") if kind in ("start", "note") else None
        text = _ended(event) if kind == "run-failed" else text
        if text:
            self.progress.console.print(Text(printable(text)))
        self._overall()

    def _move(self, key: Key) -> None:
        if key not in self.rows:
            name = printable(f"  {key[0]}, seed {key[1]}")
            self.rows[key] = self.progress.add_task(name, total=1.0, told=key[2])
        self.progress.update(self.rows[key], completed=self.state.shares[key])

    def _overall(self) -> None:
        state = self.state
        self.progress.update(
            self.overall,
            total=state.total or None,
            completed=state.done + sum(state.shares.values()),
            description=f"{state.done:,} of {state.total:,} {state.unit}"
            if state.total
            else "starting",
            told=state.told(),
        )


def _locked(lock: threading.Lock, show: Callable[[Event], None], event: Event) -> None:
    with lock:
        show(event)


def _key(event: Event) -> Key:
    return str(event["method"]), int(event["seed"]), str(event.get("stage", ""))


def _ended(event: Event) -> str:
    """Return the line of a run that ended; "" for one that goes on."""
    name = f"{event['method']}, seed {event['seed']}, {event.get('stage', '')}".rstrip(", ")
    if event["event"] == "run-failed":
        return f"{name}: failed: {event.get('error') or 'no words'}"
    if event["event"] != "run-end":
        return ""
    score = event.get("score")
    return f"{name}: done" if score is None else f"{name}: {100 * score:.1f} %"
