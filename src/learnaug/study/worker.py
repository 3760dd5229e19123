"""A worker process: takes jobs on stdin, or orders of one learning, answers on stdout.

    python -P worker.py OUT PARENT PATHS   (run folder, parent's process number, sys.path as JSON)

One JSON object a line, both ways. A worker is a fresh interpreter and not a fork or a pool of
`multiprocessing`: it shares no state with the user's script, needs no `if __name__` guard there,
and sees the end of its parent, however that ended, as the end of its input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>


def main() -> None:
    """Serve jobs until the input ends; with it, at once, ends the process."""
    _die_with_parent()
    # The terminal's Ctrl-C reaches every process of the group; the parent decides, not we.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what a user's net prints must not look like an answer
    jobs: SimpleQueue[dict[str, Any]] = SimpleQueue()
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(jobs, stopping), daemon=True).start()
    sys.path[:] = json.loads(sys.argv[3])
    _serve(Path(sys.argv[1]), jobs, stopping, answers)


def _die_with_parent() -> None:
    """Let Linux kill this process when its parent ends, however busy it is then.

    This module is run by its path and imports nothing of ours before this call: importing the
    package takes seconds, in which a killed parent would leave a worker behind.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):
        os._exit(0)


def _listen(jobs: SimpleQueue[dict[str, Any]], stopping: threading.Event) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("stop"):
            stopping.set()
        else:
            jobs.put(order)
    os._exit(0)  # the parent needs us no more, or is dead; what is on the disk is whole


def _serve(
    out: Path,
    jobs: SimpleQueue[dict[str, Any]],
    stopping: threading.Event,
    answers: TextIO,
) -> None:
    from learnaug.errors import LearnaugError
    from learnaug.study.crew import serve
    from learnaug.study.job import run_job
    from learnaug.study.plan import Job
    from learnaug.study.world import open_world
    from learnaug.training import Keep, threads

    world = open_world(out)

    def answer(**event: Any) -> None:
        try:
            answers.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            os._exit(0)  # the parent is dead

    with threads(world.plan.threads):
        while True:
            order = jobs.get()
            if "lesson" in order:
                serve(world, order, jobs.get, answer)
            keep = Keep(
                stop=stopping.is_set,
                progress=lambda share: answer(share=share),
                say=lambda text: answer(say=text),
                every=order["every"],
            )
            try:
                status = run_job(world, Job(**order["job"]), keep)
            except LearnaugError as fault:  # one that ends the study, such as a full disk
                told = {"what": fault.what, "where": fault.where, "mend": fault.mend}
                answer(fault=told | {"code": fault.code})
                continue
            answer(end=status)


if __name__ == "__main__":
    main()
