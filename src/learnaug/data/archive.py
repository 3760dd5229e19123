"""Read a zip without ever writing it out, and refuse the ones that are made to harm."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from learnaug.data.decode import FILE_LIMIT
from learnaug.data.findings import Finding, counted
from learnaug.data.tree import Tree, hidden
from learnaug.errors import printable

__all__ = ["open_zip"]

ENTRIES = 1_000_000
UNPACKED = 50 * 10**9  # bytes of all members together
RATIO = 100  # unpacked : packed
SMALL = 2**20  # members below this may be packed tighter
END = b"PK\x05\x06"  # end of central directory
END64 = b"PK\x06\x06"
TAIL = 66_000  # the end record and its longest comment


@contextmanager
def open_zip(path: Path) -> Iterator[Tree]:
    """Yield the members of a zip as a tree; a hostile or damaged archive yields only findings.

    Refused: names that lead out (`..`, absolute, drive letters, NUL), links, encrypted or double
    members, more than 10^6 entries, 50 GB, or 100 times the packed size.
    """
    if fault := _too_many(path):
        yield _refused(path, (fault,))
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        what = f"{path.name} cannot be opened as a zip ({printable(str(error))})"
        yield _refused(
            path, (Finding("error", "bad-archive", what, (path.name,), "pack it again"),)
        )
        return
    with archive:
        members = archive.infolist()
        faults = tuple(_faults(path.name, members))
        yield _refused(path, faults) if faults else _tree(path, archive, members)


def _tree(path: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Tree:
    def read(name: str) -> bytes:
        try:
            with archive.open(name) as member:
                return member.read(FILE_LIMIT + 1)  # zipfile checks the CRC on the way
        except Exception as error:  # zlib.error, LZMAError, BadZipFile share no base
            raise OSError(f"damaged inside the zip ({error})") from error

    seen = [info.filename for info in members if not info.is_dir()]
    files = [name for name in seen if not any(map(hidden, name.split("/")))]
    folders = {name[:at] for name in files for at in _slashes(name)}
    folders |= {m.filename.rstrip("/") for m in members if m.is_dir()}
    folders = {name for name in folders if not any(map(hidden, name.split("/")))}
    skipped = tuple(printable(name) for name in seen if any(map(hidden, name.split("/"))))
    notes = _hidden(skipped) if skipped else ()
    return Tree(path.stem, tuple(sorted(files)), tuple(sorted(folders)), read, notes)


def _hidden(skipped: tuple[str, ...]) -> tuple[Finding, ...]:
    what = counted(len(skipped), "hidden file[|s] or folder[|s] skipped")
    return (Finding("info", "hidden", what, skipped),)


def _slashes(name: str) -> list[int]:
    return [at for at, sign in enumerate(name) if sign == "/"]


def _refused(path: Path, findings: tuple[Finding, ...]) -> Tree:
    def read(name: str) -> bytes:
        raise OSError(f"{name}: the archive was refused")

    return Tree(path.stem, (), (), read, findings)


def _too_many(path: Path) -> Finding | None:
    """Count the entries from the end record alone: listing 10^7 of them would fill the memory."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - TAIL)
        file.seek(start)
        tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 20:
        return None  # not a zip; zipfile says so in its own words
    count, size = struct.unpack_from("<HI", tail, at + 10)
    at64 = tail.rfind(END64)
    if at64 >= 0 and len(tail) >= at64 + 56:
        count, size = struct.unpack_from("<QQ", tail, at64 + 32)
    count = max(count, size // 300)  # the directory's own length, should the count be a lie
    if count <= ENTRIES:
        return None
    what = f"the zip has {count} entries, limit {ENTRIES}"
    return Finding("error", "archive-limit", what, (path.name,), "unpack it and give the folder")


def _faults(name: str, members: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    tests = (
        ("evil-name", "member[|s] whose name leads out of the archive", _leads_out),
        (
            "evil-link",
            "member[|s] [is a link or no regular file|are links or no regular files]",
            _is_special,
        ),
        ("encrypted", "member[|s] [is|are] encrypted", lambda info: bool(info.flag_bits & 1)),
        ("archive-limit", f"member[|s] unpack[s|] to over {RATIO} times the packed size", _is_bomb),
    )
    for code, text, test in tests:
        if bad := tuple(printable(repr(i.orig_filename)[1:-1]) for i in members if test(i)):
            yield Finding("error", code, counted(len(bad), text), bad, "do not use this archive")
    counts = Counter(info.filename for info in members)
    if double := tuple(printable(n) for n, count in counts.items() if count > 1):
        what = counted(len(double), "name[|s] stand[s|] more than once in the zip")
        yield Finding("error", "double-name", what, double, "pack it again")
    total = sum(info.file_size for info in members)
    packed = sum(info.compress_size for info in members)
    if total > UNPACKED or total > max(SMALL, RATIO * packed):
        what = f"the zip unpacks from {packed} to {total} bytes, limit {UNPACKED} and {RATIO} times"
        yield Finding("error", "archive-limit", what, (name,), "do not use this archive")


def _leads_out(info: zipfile.ZipInfo) -> bool:
    name = info.orig_filename
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or "\0" in name or name.startswith(("/", "\\")) or ":" in parts[0][1:2]


def _is_special(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    return info.file_size > max(SMALL, RATIO * info.compress_size)
