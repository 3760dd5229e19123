"""Journals: one JSON object a line, each with its own checksum, appended and flushed."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from learnaug.errors import DataError, RunError
from learnaug.rundir import files
from learnaug.rundir.documents import dump_json, parse_json
from learnaug.rundir.files import Place

__all__ = ["Results", "append_record", "read_records", "write_records"]

LIMIT = 256_000_000  # bytes of a journal
TAIL = re.compile(rb',?"crc":"[0-9a-f]{8}"\}\Z')


class Results:
    """Results by name, each one on the disk as soon as it is there.

    Args:
        path: of the journal; None: nothing is kept.
        say: takes the warning line about what a killed writer left at its end.
    """

    def __init__(self, path: Place | None, say: Callable[[str], None] = files.say_aloud) -> None:
        self.path = path
        rows = read_records(path, repair=True, say=say) if path else []
        self.done: dict[str, dict[str, Any]] = {row["name"]: row for row in rows}

    def get(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of this name with its name; it is made where it is not there."""
        if name not in self.done:
            row = {"name": name, **make()}
            if self.path:
                append_record(self.path, row)
            self.done[name] = row
        return self.done[name]


def append_record(path: Place, record: Mapping[str, Any]) -> None:
    r"""Append one object as a line whose last key "crc" is the CRC32 of the rest; flush it.

    A torn line at the end, which a killed writer left, is cut off first. Only the owner of the
    run folder appends.

    Raises:
        RunError: the record has a key "crc" or no JSON form, or the disk fails (status 74); then
            the journal is as it was.
    """
    path = Path(path)
    if "crc" in record:
        raise RunError(f'a record of {path.name} must not have a key "crc"; it is added')
    line = _line(dump_json(dict(record), path.name).encode())
    files.make_folder(path.parent)
    if path.exists() and not _ends_whole(path):
        read_records(path, repair=True)
    try:
        _append(path, line)
    except OSError as error:
        raise files.disk_error(error, path, len(line)) from error


def write_records(path: Place, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace the journal by these records in one step; errors as in `append_record`."""
    name = Path(path).name
    lines = [_line(dump_json(dict(record), name).encode()) for record in records]
    files.write_bytes(path, b"".join(lines))


def read_records(
    path: Place,
    *,
    repair: bool = False,
    say: Callable[[str], None] = files.say_aloud,
    limit: int = LIMIT,
) -> list[dict[str, Any]]:
    """Return the records of a journal without their checksums; a missing file has none.

    What a killed writer left at the end is not returned, and said once through `say`.

    Args:
        path: the journal.
        repair: also cut that end off on the disk; only for the owner of the run folder.
        say: takes the warning line.
        limit: bytes that are read at most.

    Raises:
        DataError: a line is damaged that whole lines follow, or no line is one of a journal.
    """
    path = Path(path)
    if not path.exists():
        return []
    data = files.read_bytes(path, limit=limit)
    lines = data.splitlines(keepends=True)
    found = [_parse(line, path) for line in lines]
    whole = next((n for n, record in enumerate(found) if record is None), len(found))
    _refuse_unlike(path, data, found, whole)
    kept = b"".join(lines[:whole])
    if len(kept) < len(data):
        say(f"{path.name}: the last {len(data) - len(kept)} bytes are damaged and were left out")
    if repair and not (len(kept) == len(data) and (not data or data.endswith(b"\n"))):
        _mend(path, kept)
    return [record for record in found[:whole] if record is not None]


def _refuse_unlike(path: Path, data: bytes, found: list[dict[str, Any] | None], whole: int) -> None:
    if any(record is not None for record in found[whole:]):
        mend = "restore the file from a copy, or delete that line"
        raise DataError("a record is damaged", [f"{path} line {whole + 1}"], mend)
    if not whole and data and not data.startswith(b"{"):
        raise DataError(f"{path} must be a journal of JSON lines, but is none")


def _line(body: bytes) -> bytes:
    comma = b"" if body == b"{}" else b","
    return body[:-1] + comma + b'"crc":"%08x"}\n' % zlib.crc32(body)


def _parse(line: bytes, path: Path) -> dict[str, Any] | None:
    """Return the record of a line, or None where it is damaged."""
    line = line.removesuffix(b"\n")
    body = TAIL.sub(b"}", line)
    if _line(body) != line + b"\n":
        return None
    record = parse_json(body, path.name)
    return record if isinstance(record, dict) else None


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read() in (b"", b"\n")


def _append(path: Path, line: bytes) -> None:
    new = not path.exists()
    files._point("open", path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o666)
    try:
        size = os.fstat(handle).st_size
        try:
            files.write_all(handle, line, path, "append")
        except OSError:
            os.ftruncate(handle, size)
            raise
        files._point("fsync", path)
        os.fsync(handle)
    finally:
        os.close(handle)
    if new:
        files.sync_folder(path.parent)


def _mend(path: Path, kept: bytes) -> None:
    """Leave the whole lines on the disk, the last one with its newline."""
    files.write_bytes(path, kept if not kept or kept.endswith(b"\n") else kept + b"\n")
