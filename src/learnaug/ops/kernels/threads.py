"""Split a batch over PyTorch's number of threads; compiled code runs without Python's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

__all__ = ["split"]

WORTH = 1 << 16  # bytes for each thread, below which handing over costs more than it saves
PARTS = 4  # for each thread: who starts late or has slow pictures takes fewer


def split(run: Callable[[int, int], None], count: int, size: int) -> None:
    """Call run(first, last) so that every picture of [0, count) is in one of the calls.

    Args:
        run: may be called from several threads at once.
        count: pictures.
        size: bytes of one picture.
    """
    threads = max(1, min(torch.get_num_threads(), count, count * size // WORTH))
    if threads == 1:
        run(0, count)
        return
    parts = min(count, threads * PARTS)
    todo = deque(pairwise(count * part // parts for part in range(parts + 1)))

    def work() -> None:
        while True:
            try:
                first, last = todo.popleft()
            except IndexError:  # nothing is left
                return
            run(first, last)

    others = [_pool().submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="learnaug")


# The threads do not exist in a forked child, as the workers of a DataLoader are.
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_pool.cache_clear)
