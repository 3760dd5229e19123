"""Faults at every disk call: the exhaustive way instead of the random one."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from learnaug.rundir import injected


class Killed(BaseException):
    """Stands for SIGKILL: no clean-up of the package catches it."""


FAULTS = {
    "full": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "broken": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "killed": Killed,
}


def count_calls(act: Callable[[], object]) -> int:
    """Return how many disk calls `act` makes."""
    calls: list[str] = []
    with injected(lambda kind, path: calls.append(kind)):
        act()
    return len(calls)


def fail_at(k: int, fault: str, act: Callable[[], object]) -> BaseException | None:
    """Run `act` with the fault at disk call k; return what it raised.

    A full or broken disk stays so until the end; a kill happens once.
    """
    seen = 0

    def hook(kind: str, path: Path) -> None:
        nonlocal seen
        seen += 1
        if seen == k or (seen > k and fault == "killed"):
            raise FAULTS[fault]()

    with injected(hook):
        try:
            act()
        except (Exception, Killed) as error:
            return error
    return None
