"""List a folder safely: no loops, no links out of it, no pipes, nothing hidden."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from learnaug.data.decode import FILE_LIMIT
from learnaug.data.findings import Finding, counted
from learnaug.data.tree import Tree, hidden
from learnaug.errors import DataError, nearest, printable

__all__ = ["missing", "read_regular", "walk"]

TRIES = 3
Identities = tuple[tuple[int, int], ...]

WOBBLY = (errno.EIO, errno.ESTALE)  # a network drive that drops out for a moment
TRY_AGAIN = 75


def walk(root: Path, *, follow_links: bool = False) -> Tree:
    """Return the regular files below `root`; what is no regular file becomes a finding.

    Links are followed where they stay inside `root`, or everywhere with `follow_links`; a link
    back to one of its own parents is an error.
    """
    listing = _Listing(root, root.resolve(), follow_links)
    # a stack and not recursion: folders may nest 2000 deep
    waiting: list[tuple[str, Identities]] = [("", (_identity(root),))]
    while waiting:
        waiting += _list(listing, *waiting.pop())
    return Tree(
        name=root.name or str(root),
        files=tuple(sorted(listing.files)),
        folders=tuple(sorted(listing.folders)),
        read=lambda path: read_regular(root / path),
        findings=tuple(_findings(listing)),
    )


def read_regular(path: Path, limit: int = FILE_LIMIT + 1) -> bytes:
    """Return the bytes of a regular file, at most `limit`; an unsteady drive is asked three times.

    Raises:
        OSError: it cannot be read, or it is a pipe, a socket or a device.
        DataError: (75) the drive answers with an I/O error three times.
    """
    for attempt in range(TRIES):
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                return file.read(limit)
        except OSError as error:
            if error.errno not in WOBBLY:
                raise
            if attempt == TRIES - 1:
                raise DataError(
                    f"the drive failed {TRIES} times while reading ({error.strerror})",
                    [str(path)],
                    "check the drive or the network, then run the same command again",
                    code=TRY_AGAIN,
                ) from error
    raise AssertionError("unreachable")


def missing(path: Path, also: tuple[str, ...] = ()) -> Finding:
    """Return the finding for a path that is not there, with the nearest name that is."""
    parent = next(folder for folder in path.absolute().parents if folder.is_dir())
    names = sorted(entry for entry in os.listdir(parent) if not hidden(entry))[:1000]
    wanted = path.absolute().relative_to(parent).parts[0]
    hint = nearest(wanted, [*names, *also])
    if hint.startswith("known: "):
        hint = f"{parent} holds: {', '.join(names[:8]) or 'nothing'}"
    return Finding("error", "missing-input", f"{str(path)!r} does not exist", (str(path),), hint)


@dataclass
class _Listing:
    root: Path
    real: Path
    follow_links: bool
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    irregular: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)


def _identity(path: Path) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_dev, state.st_ino


def _list(listing: _Listing, below: str, above: Identities) -> list[tuple[str, Identities]]:
    """Note what lies in the folder `below` and return the folders in it, to be listed next.

    `above` are device and inode of the folder and of all its parents: what a loop leads back to.
    """
    inside: list[tuple[str, Identities]] = []
    try:
        entries = sorted(os.scandir(listing.root / below), key=lambda entry: entry.name)
    except OSError as error:
        listing.forbidden.append(_denied(listing.root / below, below or ".", error))
        return inside
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if hidden(entry.name):
            listing.skipped.append(path)
        elif entry.is_symlink() and not _link_is_fine(listing, path, above):
            continue
        elif entry.is_dir():
            listing.folders.append(path)
            inside.append((path, (*above, _identity(listing.root / path))))
        elif entry.is_file():
            listing.files.append(path)
        else:
            listing.irregular.append(f"{path}  {_kind(listing.root / path)}")
    return inside


def _link_is_fine(listing: _Listing, path: str, above: Identities) -> bool:
    full = listing.root / path
    try:
        identity = _identity(full)
    except OSError as error:
        into = listing.loops if error.errno == errno.ELOOP else listing.broken
        into.append(f"{path} -> {os.readlink(full)}")
        return False
    if identity in above:
        listing.loops.append(f"{path} -> {os.readlink(full)}")
        return False
    if not listing.follow_links and not full.resolve().is_relative_to(listing.real):
        listing.outside.append(f"{path} -> {os.readlink(full)}")
        return False
    return True


def _kind(path: Path) -> str:
    mode = os.stat(path).st_mode
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _denied(full: Path, path: str, error: OSError) -> str:
    try:
        state = os.stat(full)
        return f"{path}  {stat.filemode(state.st_mode)} owner {state.st_uid} ({error.strerror})"
    except OSError:
        return f"{path}  ({error.strerror})"


def _findings(listing: _Listing) -> Iterator[Finding]:
    rows = (
        ("error", "loop", listing.loops, "link[|s] lead[s|] back to [its|their] own parent (loop)",
         "delete the link"),
        ("error", "broken-link", listing.broken, "broken link[|s]", "mend or delete the link"),
        ("error", "not-regular", listing.irregular, "entr[y is|ies are] not a regular file",
         "move them out of the data folder"),
        ("error", "no-permission", listing.forbidden, "folder[|s] cannot be read",
         "give the right to read: chmod u+rx FOLDER"),
        ("warning", "outside-link", listing.outside,
         "link[|s] lead[s|] out of the data folder: skipped",
         "run again with --follow-links if they are meant"),
        ("info", "hidden", listing.skipped, "hidden file[|s] or folder[|s] skipped", ""),
    )  # fmt: skip
    for severity, code, places, text, mend in rows:
        if places:
            what = counted(len(places), text)
            yield Finding(severity, code, what, tuple(map(printable, places)), mend)  # type: ignore[arg-type]
