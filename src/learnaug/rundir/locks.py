"""One owner for a run folder: a lock of the system, which a dead process cannot keep."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from learnaug.errors import DataError, RunError
from learnaug.rundir.clock import now_utc, seconds, sleep
from learnaug.rundir.documents import read_json
from learnaug.rundir.files import Place, disk_error, make_folder, sweep, write_all
from learnaug.rundir.layout import lock_path

__all__ = ["lock", "lock_handles"]

PATIENCE = 0.5  # seconds to learn who holds the lock, and for the workers of a dead owner to end

_held: set[int] = set()


@contextlib.contextmanager
def lock(folder: Place) -> Iterator[Path]:
    """Own the run folder inside `with`; a second process is refused at once.

    The system frees the lock of a dead process, so that it is taken over. The owner also removes
    what a killed writer left in the folder.

    Raises:
        RunError: another process owns it (status 75; host, process and start are named), or it
            cannot be written (status 73).
    """
    folder = make_folder(folder)
    handle = _take(lock_path(folder))
    _held.add(handle)
    try:
        _write(handle, json.dumps(_myself()).encode(), lock_path(folder))
        sweep(folder)
        yield folder
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
        _held.discard(handle)
        os.close(handle)


def lock_handles() -> tuple[int, ...]:
    """Return the open handles of the locks of this process, for `pass_fds` of its workers.

    A worker that holds the handle keeps the lock for as long as it lives: nobody can take over
    the folder of a killed owner while a worker of his still writes to it.
    """
    return tuple(_held)


def _take(path: Path) -> int:
    end = seconds() + PATIENCE
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise disk_error(error, path, 0) from error
        if not _try_lock(handle):
            os.close(handle)
            if seconds() > end:
                raise _in_use(path)
            sleep(0.02)
            continue
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        os.close(handle)  # the file was deleted in between: lock the one that is there now


def _try_lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 1 << 30, os.SEEK_SET)  # far from the text, which stays readable
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write(handle: int, data: bytes, path: Path) -> None:
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        write_all(handle, data, path, "write")
        os.fsync(handle)
    except OSError as error:
        raise disk_error(error, path, len(data)) from error


def _myself() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "pid": pid,
        "started": _started(pid),
        "since": now_utc(),
    }


def _in_use(path: Path) -> RunError:
    holder = _holder(path)
    mend = "wait for it, stop it, or choose another folder with --out"
    who = "host {host}, process {pid}, since {since}".format_map(holder)
    return RunError(f"the run folder is in use by {who}", [str(path.parent)], mend, code=75)


def _holder(path: Path) -> dict[str, Any]:
    """Return who holds the lock; wait a moment for one who is just writing it down."""
    end = seconds() + PATIENCE
    holder = {"host": "unknown", "pid": "unknown", "since": "unknown"}
    while True:
        with contextlib.suppress(DataError):
            found = read_json(path, limit=10_000)
            if isinstance(found, dict) and holder.keys() <= found.keys():
                holder = found
                if not _is_dead(holder):
                    return holder
        if seconds() > end:
            return holder
        sleep(0.02)


def _is_dead(holder: dict[str, Any]) -> bool:
    here = holder["host"] == socket.gethostname() and os.path.isdir("/proc/self")
    return here and _started(holder["pid"]) != holder.get("started")


def _started(pid: object) -> int | None:
    """Return the start of a process in clock ticks since boot, where /proc tells it."""
    try:
        text = Path(f"/proc/{int(str(pid))}/stat").read_text(errors="replace")
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _forget() -> None:
    # A child made by fork shares the lock; it must not keep it when its parent has died.
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
