"""Worker processes as their parent sees them: start one, tell it something, how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from learnaug import rundir

__all__ = ["Worker", "end", "how", "pipe", "send", "start"]

Worker = subprocess.Popen[str]


def start(out: Path) -> Worker:
    """Start a worker on a run folder; `worker.py` says what it understands."""
    # OMP reads its number once, before PyTorch can set it; two pools of 2 threads on 2 cores
    # halve the speed of both.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    script = str(Path(__file__).with_name("worker.py"))
    words = [str(out), str(os.getpid()), json.dumps(sys.path)]
    command = [sys.executable, "-P", script, *words]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        bufsize=1,
        start_new_session=True,  # the terminal's Ctrl-C goes to us alone
        pass_fds=rundir.lock_handles(),
    )


def send(worker: Worker, order: dict[str, Any]) -> bool:
    """Write one order in one piece; return whether the worker could take it."""
    try:
        pipe(worker.stdin).write(json.dumps(order) + "\n")
    except (OSError, ValueError):
        return False
    return True


def pipe(stream: IO[str] | None) -> IO[str]:
    """Return the input or output of a worker."""
    assert stream is not None  # every worker is started with both pipes
    return stream


def end(worker: Worker) -> None:
    """Close the worker's input, at which it ends."""
    with contextlib.suppress(OSError, ValueError):
        pipe(worker.stdin).close()
    try:
        worker.wait(5)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def how(code: int) -> str:
    """Return how a process with this status ended.

    Example:
        >>> how(-9)
        'the worker process was killed by signal 9; out of memory?'
    """
    words = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    hint = "; out of memory?" if code == -9 else ""
    return f"the worker process {words}{hint}"
