"""Manifests as spreadsheets and people write them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from learnaug.data.labels import number_labels
from learnaug.data.load import load
from learnaug.data.tables import read_table
from learnaug.errors import DataError

HEAD = ("path", "label")


@pytest.fixture
def table(tiny_folder: Path, tmp_path: Path) -> Path:
    """A manifest in another folder than its images."""
    rows = [f"../world/{p.relative_to(tiny_folder)},{p.parent.name}" for p in _files(tiny_folder)]
    (tmp_path / "world").symlink_to(tiny_folder)
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "data.csv"
    path.write_text("path,label\n" + "\n".join(rows) + "\n")
    return path


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


def test_manifest_is_the_folder(table: Path, tiny_folder: Path) -> None:
    one, two = load(tiny_folder), load(table)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.classes == two.classes


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_dialect_is_read(sign: str, end: str, encoding: str) -> None:
    rows = [
        ["Path", " label", "split"],
        ['"a;b,\tc.png"', "d\u00e9", "val"],
        ["x.png", "e", "train"],
    ]
    text = end.join(sign.join(row) for row in rows) + end + end
    table, findings = read_table(text.encode(encoding), "t", HEAD)
    assert not findings
    assert table is not None
    assert table.columns == ("path", "label", "split")
    assert [row["path"] for row in table.rows] == ["a;b,\tc.png", "x.png"]
    assert table.rows[0]["label"] == "d\u00e9"
    assert table.lines == (2, 3)


def test_quoted_line_break_keeps_line_numbers() -> None:
    table, _ = read_table(b'path,label\n"a\nb.png",c\nd.png,e\n', "t", HEAD)
    assert table is not None
    assert table.rows[0]["path"] == "a\nb.png"
    assert table.lines == (2, 4)


@pytest.mark.parametrize("data", [b"", b"\n\n", b'path,label\n"a,b\n', b"path,label\n\xff\xfe,x\n"])
def test_what_is_no_table_is_told(data: bytes) -> None:
    table, findings = read_table(data, "t.csv", HEAD)
    assert table is None
    assert [f.severity for f in findings] == ["error"] * len(findings)
    assert findings


def test_split_group_and_classes(table: Path) -> None:
    rows = table.read_text().splitlines()[1:]
    words = ["train", "Val", "TEST", ""] * 16
    more = [
        f"{row},{word},g{i // 2}" for i, (row, word) in enumerate(zip(rows, words, strict=True))
    ]
    table.write_text("path,label,split,group\n" + "\n".join(more))
    data = load(table, classes={"low": ["below"], "high": ["above"]})
    assert data.parts.tolist() == ["train", "valid", "test", ""] * 16
    assert data.groups[0] == data.groups[1] != data.groups[2]
    assert data.classes == ("high", "low")
    assert load(table, classes=["below", "above"]).classes == ("above", "below")


def test_numbers_become_classes_in_their_order(table: Path) -> None:
    rows = [row.split(",")[0] for row in table.read_text().splitlines()[1:]]
    table.write_text(
        "path,label\n" + "\n".join(f"{r},{(10, 9)[i % 2]}" for i, r in enumerate(rows))
    )
    data = load(table)
    assert data.classes == ("9", "10")
    assert data.labels.tolist() == [1, 0] * 32


def test_empty_manifest(table: Path) -> None:
    table.write_text("path,label\n")
    with pytest.raises(DataError, match="lists no image"):
        load(table)


def test_labels_by_name_and_number() -> None:
    rows = [str(i) for i in range(4)]
    codes, classes, faults = number_labels(["b", "a", "b", "c"], rows)
    assert codes is not None
    assert (codes.tolist(), classes, faults) == ([1, 0, 1, 2], ("a", "b", "c"), [])
    codes, classes, _ = number_labels([3.0, 7.0, 3.0, np.int8(5)], rows)
    assert codes is not None
    assert (codes.tolist(), classes) == ([0, 2, 0, 1], ("3", "5", "7"))
    codes, classes, _ = number_labels([0, 1, 0, 1], rows, ("p", "q", "r"))
    assert codes is not None
    assert (codes.tolist(), classes) == ([0, 1, 0, 1], ("p", "q", "r"))


def test_pipe_in_a_manifest_does_not_hang(table: Path) -> None:
    os.mkfifo(table.parent / "pipe.png")
    table.write_text(table.read_text() + "pipe.png,above\n")
    with pytest.raises(DataError, match=r"pipe\.png  cannot be read \(not a regular file\)"):
        load(table)
