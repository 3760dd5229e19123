import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug import rundir
from learnaug.errors import DataError, RunError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXT, v, max_size=4), max_leaves=10
)


@settings(max_examples=50, deadline=None)
@given(value=VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    assert rundir.parse_json(text, "x") == value


def test_write_and_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    value = {"b": [1, 2.5, None, True], "a": "ü[{", "n": np.float32(0.5), "i": np.arange(3)}
    rundir.write_json(path, value)
    assert rundir.read_json(path) == value | {"n": 0.5, "i": [0, 1, 2]}
    text = path.read_text()
    assert text.endswith("}\n")
    assert text.index('"b"') < text.index('"a"'), "the order of keys is kept"
    assert "ü" in text


@pytest.mark.parametrize(
    "value", [float("nan"), {"a": [np.float32("inf")]}, {"a": object()}, {"a": "\ud800"}, {1, 2}]
)
def test_what_has_no_json_is_not_written(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    rundir.write_json(path, 1)
    with pytest.raises(RunError, match=r"a\.json"):
        rundir.write_json(path, value)
    assert rundir.read_json(path) == 1


DEEP = 100_000
HOSTILE = {
    "depth": (b"[" * DEEP, "nested 100,000 deep"),
    "depth closed": (b"[" * DEEP + b"]" * DEEP, "nested"),
    "depth of objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested"),
    "depth 17": (b"[" * 17 + b"]" * 17, "nested 17 deep"),
    "depth behind a string": (b'["\\"[",' + b"[" * 20, "nested 21 deep"),
    "NaN": (b'{"a": NaN}', "NaN is not allowed"),
    "infinity": (b"[Infinity]", "Infinity"),
    "minus infinity": (b"[-Infinity]", "Infinity"),
    "1e999": (b"[1e999]", "too large"),
    "huge integer": (b"1" * 1_000_000, "64 bits"),
    "2**64": (b"18446744073709551616", "64 bits"),
    "duplicate": (b'{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
    "surrogate": (b'["\\ud800"]', "UTF-8"),
    "surrogate key": (b'{"\\uDC00": 1}', "UTF-8"),
    "raw surrogate": (b'["\xed\xa0\x80"]', "UTF-8"),
    "latin-1": (b'["\xe9"]', "UTF-8"),
    "control": (b'["a\x01"]', "not valid JSON"),
    "empty": (b"", "empty"),
    "blank": (b"  \n", "empty"),
    "cut": (b'{"a": 1', "not valid JSON"),
    "two": (b"{} {}", "not valid JSON"),
    "pickle": (b"\x80\x04\x95\x10\x00", "pickle"),
    "zip": (b"PK\x03\x04....", "zip"),
    "html": (b"<!DOCTYPE html>", "HTML"),
    "gzip": (b"\x1f\x8b\x08", "gzip"),
    "png": (b"\x89PNG\r\n", "PNG"),
    "zeros": (bytes(100), "binary"),
    "utf-16": ("{}".encode("utf-16"), "binary"),
    "many strings": (b'["' + b'","' * 3_000_000 + b'"', "not valid JSON"),
    "long string": (b'["' + b"a\\" * 4_500_000, "not valid JSON"),
    "many brackets": (b"[" + b"[]," * 3_000_000, "3,000,001 brackets"),
    "many objects": (b"[" + b"{}," * 900_000, "not valid JSON"),
    "many numbers": (b"[" + b"1," * 4_900_000, "not valid JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_soon(name: str, tmp_path: Path) -> None:
    data, words = HOSTILE[name]
    path = tmp_path / "policy.json"
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(DataError, match=words) as caught:
        rundir.read_json(path)
    assert time.process_time() - start < 1.5
    assert "policy.json" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert caught.value.code == 65


def test_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a sparse terabyte
    with pytest.raises(DataError, match="at most 10,000,000"):
        rundir.read_json(path)
    with pytest.raises(DataError, match="at most 20"):
        rundir.read_json(path, limit=20)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"[" * 16 + b"]" * 16, None),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
        (b"18446744073709551615", 2**64 - 1),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'["\\ud83d\\ude00"]', ["😀"]),
        (b"[" + b"[]," * 50 + b"[]]", [[]] * 51),
    ],
)
def test_harmless_files_at_the_borders_are_read(data: bytes, value: Any) -> None:
    found = rundir.parse_json(data, "x")
    assert value is None or found == value


def test_missing_file_has_its_own_status(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as caught:
        rundir.read_json(tmp_path / "none.json")
    assert caught.value.code == 66
