"""Compile functions to machine code with Numba: no compiler to install, cached on this machine.

Threads are ours (`kernels.threads`) and not Numba's: its OpenMP layer stops a process that was
forked, as the workers of a DataLoader are, and its own pool may not be entered twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from logging import getLogger
from pathlib import Path
from threading import Timer
from typing import Any, TypeVar, cast

import numba

__all__ = ["announced", "jit", "jit_cached", "stamp"]

SOURCES = ("geometry", "noise", "table", "jit")  # what is compiled beside kernels/, or read there
PATIENCE = 2.0  # seconds; what was compiled before is loaded in less

F = TypeVar("F", bound=Callable[..., Any])
# Without Python's lock; as NumPy, without a test for division by zero.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def jit(function: F) -> F:
    """Compile a function that only compiled functions call; without a door for Python."""
    inner: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(F, numba.njit(**_OPTIONS, **inner)(function))


def jit_cached(function: F) -> F:
    """Compile a function that Python calls, and keep what was compiled on disk if possible.

    The function must close over `stamp()`: Numba asks only of the function's own file and closure
    whether a cached one is still good, and not of the functions that it calls.
    """
    try:
        return cast(F, numba.njit(cache=True, **_OPTIONS)(function))
    except RuntimeError:  # no folder can be written: neither beside the file nor at home
        return cast(F, numba.njit(**_OPTIONS)(function))


@contextmanager
def announced(seconds: int) -> Iterator[None]:
    """Say so if what happens inside takes long, because it is compiled: once a machine.

    Args:
        seconds: about what it takes to compile.
    """
    words = f"compiling the image operations for this machine: about {seconds} s, once"
    notice = Timer(PATIENCE, getLogger("learnaug").warning, [words])
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()


@cache
def stamp() -> str:
    """Return a hash of the sources that are compiled."""
    here = Path(__file__).parent
    files = [*here.glob("kernels/*.py"), *(here / f"{name}.py" for name in SOURCES)]
    return sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
