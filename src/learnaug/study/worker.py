"""A worker process: `python -m learnaug.study.worker OUT` takes jobs on stdin, answers on stdout.

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


def main() -> None:
    """Serve jobs until the input ends."""
    # The terminal's Ctrl-C reaches every process of the group; the parent decides, not we.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what a user's net prints must not look like an answer
    jobs: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    stopping, working = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(jobs, stopping, working), daemon=True).start()
    sys.path[:] = json.loads(sys.argv[2])
    _serve(Path(sys.argv[1]), jobs, stopping, working, answers)


def _listen(
    jobs: SimpleQueue[dict[str, Any] | None], stopping: threading.Event, working: threading.Event
) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("stop"):
            stopping.set()
        else:
            jobs.put(order)
    if working.is_set():  # the parent is dead: what is on the disk is whole, nothing else counts
        os._exit(1)
    jobs.put(None)


def _serve(
    out: Path,
    jobs: SimpleQueue[dict[str, Any] | None],
    stopping: threading.Event,
    working: threading.Event,
    answers: TextIO,
) -> None:
    from learnaug.study.job import run_job
    from learnaug.study.plan import Job
    from learnaug.study.world import open_world
    from learnaug.training import Keep, threads

    world = open_world(out)

    def answer(**event: Any) -> None:
        try:
            answers.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            os._exit(1)  # the parent is dead

    with threads(world.plan.threads):
        while (order := jobs.get()) is not None:
            keep = Keep(
                stop=stopping.is_set,
                progress=lambda share: answer(share=share),
                say=lambda text: answer(say=text),
                every=order["every"],
            )
            working.set()
            status = run_job(world, Job(**order["job"]), keep)
            working.clear()
            answer(end=status)


if __name__ == "__main__":
    main()
