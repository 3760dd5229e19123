"""Whole-file writes that a kill, a full disk or a broken one cannot turn into a mixture.

A file is written beside its place under a temporary name, flushed to the disk, renamed, and the
folder flushed. Whoever reads sees the old content or the new one. Each system call that changes
the disk passes `_point`, so that a test can fail or kill at call k for every k.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from learnaug.errors import DataError, RunError, UsageError, printable

__all__ = [
    "check_writable",
    "free_bytes",
    "free_space_check",
    "injected",
    "make_folder",
    "read_bytes",
    "remove",
    "remove_folder",
    "say_aloud",
    "sweep",
    "write_bytes",
    "write_chunks",
    "write_text",
]

Hook = Callable[[str, Path], None]
Place = str | os.PathLike[str]

TEMP = ".learnaug-tmp"  # the ending of temporary files, which `sweep` removes
CHUNK = 1 << 20  # bytes handed to one write call
LIMIT = 4 << 30  # bytes of a file read at once, unless the caller says less
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EINVAL,
}

_hook: Hook | None = None
_numbers = itertools.count()


@contextlib.contextmanager
def injected(hook: Hook) -> Iterator[None]:
    """Call `hook(kind, path)` before each system call that changes the disk (for tests).

    Kinds: mkdir, open, write, append, fsync, rename, fsync-folder, truncate, unlink.
    """
    global _hook
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before


def _point(kind: str, path: Path) -> None:
    if _hook is not None:
        _hook(kind, path)


def say_aloud(text: str) -> None:
    """Print one warning line on stderr: the default of every `say` argument of this package."""
    print(f"learnaug: {printable(text)}", file=sys.stderr, flush=True)


def write_bytes(path: Place, data: bytes) -> None:
    """Replace the file by `data` in one step; folders above it are made.

    Raises:
        RunError: the disk is full or broken (status 74, with bytes needed and free), or the place
            cannot be written (status 73). The old content is untouched.
    """
    write_chunks(path, [data], len(data))


def write_chunks(path: Place, chunks: Iterable[bytes], size: int) -> None:
    """Replace the file by these `size` bytes in one step; errors as in `write_bytes`."""
    path = Path(path)
    make_folder(path.parent)
    temp = path.with_name(f".{path.name[:40]}.{os.getpid()}-{next(_numbers)}{TEMP}")
    try:
        _write_new(temp, chunks)
        _point("rename", path)
        os.replace(temp, path)
        sync_folder(path.parent)
    except (Exception, KeyboardInterrupt) as error:
        with contextlib.suppress(OSError):
            _point("unlink", temp)
            temp.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise disk_error(error, path, size) from error
        raise


def write_text(path: Place, text: str) -> None:
    """Replace the file by `text` in UTF-8 in one step; errors as in `write_bytes`.

    Half a surrogate pair, which UTF-8 has not, is written as its escape.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def _write_new(path: Path, chunks: Iterable[bytes]) -> None:
    _point("open", path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o666)
    try:
        for data in chunks:
            write_all(handle, data, path, "write")
        _point("fsync", path)
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes, path: Path, kind: str) -> None:
    """Write every byte of `data` to an open file, chunk by chunk."""
    view = memoryview(data)
    while view:
        _point(kind, path)
        view = view[os.write(handle, view[:CHUNK]) :]


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder` to the disk, where the system can."""
    if sys.platform == "win32":
        return
    _point("fsync-folder", folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks cannot
            raise
    finally:
        os.close(handle)


def make_folder(folder: Place) -> Path:
    """Make `folder` and those above it, flushed to the disk; errors as in `write_bytes`."""
    folder = Path(folder)
    missing = list(itertools.takewhile(lambda f: not f.exists(), (folder, *folder.parents)))
    try:
        for new in reversed(missing):
            _point("mkdir", new)
            new.mkdir(exist_ok=True)
            sync_folder(new.parent)
    except OSError as error:
        raise disk_error(error, folder, 0) from error
    if not folder.is_dir():
        raise RunError(f"{folder} must be a folder, but is a file", mend="name another", code=73)
    return folder


def remove(path: Place) -> None:
    """Delete one file; a missing one is no error."""
    path = Path(path)
    try:
        _point("unlink", path)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path, 0) from error


def remove_folder(folder: Place) -> None:
    """Delete a folder with all that is in it, link by link; a missing one is no error."""
    folder = Path(folder)
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            remove(path)
    folder.rmdir()


def sweep(folder: Place) -> list[Path]:
    """Delete what killed writers left below `folder`, and return it; only for its owner."""
    found = [
        Path(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(TEMP)
    ]
    for path in found:
        remove(path)
    return found


def read_bytes(path: Place, *, limit: int = LIMIT) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    Raises:
        DataError: there is no such file (status 66), it is no regular file, it is too large, or
            it cannot be read (status 65).
    """
    path = Path(path)
    try:
        # O_NONBLOCK: a pipe put in the place of a file must not stop us for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise DataError(f"{path} must be a regular file", mend="give a plain file")
            data = file.read(limit + 1) if state.st_size <= limit else b""
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", mend="check the name", code=66) from error
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read: {_reason(error)}") from error
    if state.st_size > limit or len(data) > limit:
        size = max(state.st_size, len(data))
        raise DataError(f"{path} has {size:,} bytes, but at most {limit:,} are read")
    return data


def free_bytes(path: Place) -> int:
    """Return the free bytes of the disk that holds `path`, which need not exist yet."""
    path = Path(path).absolute()
    there = next(p for p in (path, *path.parents) if p.exists())
    return shutil.disk_usage(there).free


def free_space_check(out: Place, needed_bytes: int) -> None:
    """Refuse to start a run that its disk cannot hold.

    Raises:
        RunError: fewer than `needed_bytes` are free where `out` lies (status 74).
    """
    free = free_bytes(out)
    if free < needed_bytes:
        raise RunError(
            f"the run needs {needed_bytes:,} bytes of disk, but {free:,} bytes are free",
            [str(out)],
            "free some space, or choose another folder with --out",
            code=74,
        )


def check_writable(out: Place, data_path: Place | None = None) -> None:
    """Make the run folder, and be sure before any work that it can be written.

    Args:
        out: the run folder.
        data_path: the data, or None for a built-in set.

    Raises:
        UsageError: `out` is the data folder or lies in it; data are never written to.
        RunError: `out` cannot be made or written (status 73), or its disk is full (status 74).
    """
    if data_path is not None and Path(data_path).is_dir():
        data, place = Path(data_path).resolve(), Path(out).resolve()
        if place == data or data in place.parents:
            raise UsageError(
                f"the run folder must lie outside the data folder, but got {out}",
                [str(data_path)],
                "choose another folder with --out",
            )
    probe = make_folder(out) / f".probe{TEMP}"
    write_bytes(probe, b"learnaug")
    remove(probe)


def disk_error(error: OSError, path: Path, needed: int) -> RunError:
    """Return the user's error for a failed write of `needed` bytes to `path`."""
    if error.errno in FULL:
        sizes = f"{needed:,} bytes are needed, {free_bytes(path):,} bytes are free"
        mend = "free some space and resume; what was saved before is whole"
        return RunError(f"the disk is full: {sizes} ({_reason(error)})", [str(path)], mend, code=74)
    if error.errno in REFUSED:
        mend = "choose a folder that you may write with --out"
        return RunError(f"cannot write: {_reason(error)}", [str(path)], mend, code=73)
    mend = "check the disk; what was saved before is whole"
    return RunError(f"writing failed: {_reason(error)}", [str(path)], mend, code=74)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
