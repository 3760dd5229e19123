"""Zips: the same set as the folder, nothing written, and evil ones refused (TRUST D5, row 84)."""

from __future__ import annotations

import io
import stat
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from learnaug.data.load import load, scan
from learnaug.errors import DataError


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("prefix", ["", "some/wrapper/"])
def test_zip_is_the_folder(prefix: str, tiny_folder: Path, tmp_path: Path) -> None:
    one, two = load(tiny_folder), load(zipped(tiny_folder, tmp_path / "w.zip", prefix))
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.classes == two.classes
    assert two.ids == tuple(prefix + name for name in one.ids)


def test_nothing_is_written(tiny_folder: Path, tmp_path: Path) -> None:
    path = zipped(tiny_folder, tmp_path / "w.zip")
    opened: list[tuple[str, int]] = []
    watching = [True]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event == "open" and isinstance(arguments[2], int):
            opened.append((str(arguments[0]), arguments[2]))

    sys.addaudithook(watch)
    load(path)
    watching[0] = False
    assert not [name for name, flags in opened if flags & 3]  # O_WRONLY or O_RDWR


def png() -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "PNG")
    return out.getvalue()


def member(path: Path, name: str, data: bytes = b"", mode: int = 0) -> None:
    info = zipfile.ZipInfo(name)
    info.filename = name  # as an attacker writes it
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/0.png", png())
        archive.writestr(info, data or png())


def renamed(path: Path, old: bytes, new: bytes) -> None:
    """Write a name that Python's writer would refuse or clean."""
    member(path, old.decode())
    path.write_bytes(path.read_bytes().replace(old, new))


def bomb(path: Path) -> None:
    member(path, "b/0.png", bytes(50 * 2**20))


def encrypted(path: Path) -> None:
    member(path, "b/0.png")
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(bytes(data))


def million(path: Path) -> None:
    member(path, "b/0.png")
    data = bytearray(path.read_bytes())
    end = bytes(data[-22:])
    large = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**7, 10**7, 46 * 10**7, 0
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(data) - 22, 1)
    path.write_bytes(bytes(data[:-22]) + large + locator + end)


def double(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/0.png", png())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a/0.png", png())


def not_a_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 but no more")


# fmt: off
EVIL: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("parent", lambda p: member(p, "../evil.png"), "evil-name", r"\.\./evil"),
    ("parent-inside", lambda p: member(p, "b/../../evil.png"), "evil-name", "evil"),
    ("backslash", lambda p: renamed(p, b"b/xxevil", b"..\\\\evil"), "evil-name", "evil"),
    ("absolute", lambda p: member(p, "/etc/evil.png"), "evil-name", "/etc"),
    ("drive", lambda p: member(p, "C:/evil.png"), "evil-name", "C:"),
    ("nul", lambda p: renamed(p, b"b/xevil.png", b"b/\0evil.png"), "evil-name", "x00"),
    ("link", lambda p: member(p, "b/l.png", b"/etc/x", stat.S_IFLNK | 0o777), "evil-link", "l.png"),
    ("device", lambda p: member(p, "b/d.png", b"", stat.S_IFCHR | 0o666), "evil-link", "d.png"),
    ("ratio", bomb, "archive-limit", "b/0.png"),
    ("encrypted", encrypted, "encrypted", "b/0.png"),
    ("entries", million, "archive-limit", "w.zip"),
    ("double", double, "double-name", "a/0.png"),
    ("damaged", not_a_zip, "bad-archive", "w.zip"),
]
# fmt: on


@pytest.mark.parametrize(
    ("build", "code", "where"), [row[1:] for row in EVIL], ids=[r[0] for r in EVIL]
)
def test_evil_archives_are_refused(
    build: Callable[[Path], None], code: str, where: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.zip"
    build(path)
    start = time.perf_counter()
    data, findings = scan(path)
    assert time.perf_counter() - start < 1
    assert data is None
    assert code in [f.code for f in findings if f.severity == "error"]
    with pytest.raises(DataError, match=where) as raised:
        load(path)
    assert raised.value.code == 65
    assert sorted(tmp_path.rglob("*")) == [path]


def test_damaged_member_is_one_bad_image(tiny_folder: Path, tmp_path: Path) -> None:
    path = zipped(tiny_folder, tmp_path / "w.zip")
    data = bytearray(path.read_bytes())
    data[data.find(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged inside the zip") as raised:
        load(path)
    assert len(raised.value.where) == 1
    assert len(load(path, skip_bad=True)) == 63
