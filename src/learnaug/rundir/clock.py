"""The only clock of the package: stamps in UTC with their offset, durations that never jump."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["now_utc", "seconds", "sleep", "stopwatch"]


def now_utc() -> str:
    """Return the time as "2026-01-31T12:00:00+00:00". For people: nothing is ordered by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds() -> float:
    """Return seconds of a clock that never goes back; only differences mean something."""
    return time.monotonic()


def stopwatch() -> Callable[[], float]:
    """Start a stopwatch: each call of the result gives the seconds since now.

    Example:
        >>> elapsed = stopwatch()
        >>> elapsed() >= 0
        True
    """
    start = time.perf_counter()
    return lambda: time.perf_counter() - start


def sleep(duration: float) -> None:
    """Wait `duration` seconds."""
    time.sleep(duration)
