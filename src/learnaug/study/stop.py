"""Stopping kindly: the first Ctrl-C or SIGTERM asks, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from learnaug.rundir import seconds

__all__ = ["Interrupted", "Stop", "listening"]


class Interrupted(KeyboardInterrupt):
    """The user asked to stop, and everything done so far is kept.

    Args:
        signum: the signal that asked, SIGINT or SIGTERM.
    """

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__()
        self.signum = signum


class Stop:
    """Asked after every update: stop now? Because of a signal, or because time is up.

    Args:
        minutes: wall time from now after which runs are stopped, None for no bound.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.signum = 0
        self._end = None if minutes is None else seconds() + 60 * minutes
        self._event = threading.Event()

    def __call__(self) -> bool:
        return self._event.is_set() or self.late

    @property
    def late(self) -> bool:
        """Whether the time that the user gave is over."""
        return self._end is not None and seconds() >= self._end

    @property
    def seconds_left(self) -> float:
        """Seconds of the time that the user gave; infinite where none was given."""
        return float("inf") if self._end is None else max(0.0, self._end - seconds())

    def ask(self, signum: int) -> None:
        """Ask all runs to save and stop."""
        self.signum = signum
        self._event.set()


@contextmanager
def listening(stop: Stop) -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into `stop.ask` inside the block; a second signal ends the process.

    Outside the main thread, where Python allows no handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        if stop.signum:
            os._exit(128 + signum)
        stop.ask(signum)

    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
