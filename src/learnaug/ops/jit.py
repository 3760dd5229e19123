"""Compile functions to machine code with Numba: no compiler to install, cached on this machine.

Threads are ours (`kernels.threads`) and not Numba's: its OpenMP layer stops a process that was
forked, as the workers of a DataLoader are, and its own pool may not be entered twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["jit", "jit_cached", "stamp"]

F = TypeVar("F", bound=Callable[..., Any])
# Without Python's lock; as NumPy, without a test for division by zero.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def jit(function: F) -> F:
    """Compile a function that only compiled functions call; without a door for Python."""
    inner: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(F, numba.njit(**_OPTIONS, **inner)(function))


def jit_cached(function: F) -> F:
    """Compile a function that Python calls, and keep what was compiled on disk if possible.

    The function must mention `stamp` as a variable of its closure, because Numba looks only at the
    function's own file when it asks whether a cached one is still good.
    """
    try:
        return cast(F, numba.njit(cache=True, **_OPTIONS)(function))
    except RuntimeError:  # no folder can be written: neither beside the file nor at home
        return jit(function)


@cache
def stamp() -> str:
    """Return a hash of the sources that are compiled."""
    here = Path(__file__).parent
    files = [*here.glob("kernels/*.py"), here / "geometry.py", here / "table.py", Path(__file__)]
    return sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
