import json
import resource
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk_faults import FAULTS, Killed, count_calls, fail_at
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug import rundir
from learnaug.errors import DataError, RunError

RECORDS: list[dict[str, Any]] = [
    {"update": 1, "loss": 0.5},
    {},
    {"update": 2, "name": 'ü"crc":"00000000"}\n', "x": None},
    {"update": 3, "list": [1, {"a": 2}]},
]


def write(path: Path, records: list[dict[str, Any]]) -> bytes:
    for record in records:
        rundir.append_record(path, record)
    return path.read_bytes()


def never(text: str) -> None:
    raise AssertionError(f"there was nothing to warn of, but: {text}")


def test_records_come_back(tmp_path: Path) -> None:
    path = tmp_path / "train" / "log.jsonl"
    write(path, RECORDS)
    assert rundir.read_records(path, say=never) == RECORDS
    rundir.append_record(path, {"n": np.float64(1.5)})
    assert rundir.read_records(path, say=never)[-1] == {"n": 1.5}
    assert rundir.read_records(tmp_path / "none") == []


def test_the_format_of_a_line(tmp_path: Path) -> None:
    """An oracle in two lines: each line is JSON, its last key the CRC32 of the rest."""
    for line in write(tmp_path / "l", RECORDS).splitlines():
        record = json.loads(line)
        assert list(record)[-1] == "crc"
        crc = record.pop("crc")
        rest = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        assert crc == f"{zlib.crc32(rest):08x}"


@pytest.mark.parametrize("last", RECORDS)
def test_cut_at_every_byte_of_the_last_record(last: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    before = write(path, RECORDS)
    data = write(path, [last])
    for cut in range(len(before), len(data) + 1):
        path.write_bytes(data[:cut])
        said: list[str] = []
        expected = [*RECORDS, last] if cut >= len(data) - 1 else RECORDS
        assert rundir.read_records(path, say=said.append) == expected
        assert path.read_bytes() == data[:cut], "only the owner repairs"
        torn = len(before) < cut < len(data) - 1
        assert len(said) == torn
        assert rundir.read_records(path, repair=True, say=said.append) == expected
        assert len(said) == 2 * torn
        assert path.read_bytes() == (data if expected[4:] else before)
        rundir.append_record(path, {"next": 1})
        assert rundir.read_records(path, say=never) == [*expected, {"next": 1}]


def test_append_to_a_torn_journal_repairs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.jsonl"
    data = write(path, RECORDS)
    path.write_bytes(data[:-5])
    rundir.append_record(path, {"next": 1})
    assert capsys.readouterr().err.count("\n") == 1
    assert rundir.read_records(path, say=never) == [*RECORDS[:-1], {"next": 1}]


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    data = write(path, RECORDS)
    for n in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            path.write_bytes(data[:n] + bytes([data[n] ^ flip]) + data[n + 1 :])
            said: list[str] = []
            try:
                found = rundir.read_records(path, say=said.append)
            except DataError:
                continue
            if n == len(data) - 1:  # the last newline only: the record itself is whole or not
                assert found in (RECORDS, RECORDS[:-1])
                continue
            assert said
            assert found == RECORDS[: len(found)]
            assert len(found) < len(RECORDS)


def test_damage_in_the_middle_is_an_error_and_deletes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = write(path, RECORDS).splitlines(keepends=True)
    lines[1] = b'{"crc":"00000000"}\n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match="line 2"):
        rundir.read_records(path, repair=True)
    assert path.read_bytes() == b"".join(lines)


def test_zeros_at_the_end_are_cut_off(tmp_path: Path) -> None:
    """What some file systems leave after a loss of power."""
    path = tmp_path / "log.jsonl"
    data = write(path, RECORDS)
    path.write_bytes(data + bytes(500))
    said: list[str] = []
    assert rundir.read_records(path, repair=True, say=said.append) == RECORDS
    assert path.read_bytes() == data
    assert len(said) == 1


@pytest.mark.parametrize("data", [b"\x80\x04pickle", b"a,b\n1,2\n", b"PK\x03\x04"])
def test_what_is_no_journal_is_not_emptied(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    with pytest.raises(DataError, match="journal"):
        rundir.read_records(path, repair=True)
    assert path.read_bytes() == data


def test_hostile_journals_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="at most"):
        rundir.read_records(path)
    body = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    path.write_bytes(body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body))
    with pytest.raises(DataError, match="deep"):
        rundir.read_records(path)


@pytest.mark.parametrize("record", [{"crc": 1}, {"a": float("nan")}, {"a": object()}])
def test_unfit_records_are_refused(record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    data = write(path, RECORDS)
    with pytest.raises(RunError):
        rundir.append_record(path, record)
    assert path.read_bytes() == data


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_at_every_call_of_an_append(fault: str, torn: bool, tmp_path: Path) -> None:
    last = {"update": 4, "loss": 0.25, "text": "x" * 40}
    path = tmp_path / "log.jsonl"
    data = write(path, RECORDS) + b'{"torn":' * torn
    path.write_bytes(data)
    calls = count_calls(lambda: rundir.append_record(path, last))
    assert calls > 5
    for k in range(1, calls + 1):
        path.write_bytes(data)
        error = fail_at(k, fault, lambda: rundir.append_record(path, last))
        assert isinstance(error, Killed if fault == "killed" else RunError)
        assert fault == "killed" or getattr(error, "code", 0) == 74
        found = rundir.read_records(path, repair=True, say=lambda text: None)
        assert found in (RECORDS, [*RECORDS, last])
        rundir.append_record(path, {"next": 1})
        assert rundir.read_records(path, say=never) == [*found, {"next": 1}]


def test_size_limit_of_the_system_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    data = write(path, RECORDS)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) + 50, before[1]))
    try:
        with pytest.raises(RunError, match="disk is full") as caught:
            rundir.append_record(path, {"text": "x" * 500})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == 74
    assert path.read_bytes() == data


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), max_size=4),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_text_survives(
    texts: list[str], number: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "l"
    records: list[dict[str, Any]] = [{text: number, "t": text} for text in texts if text != "crc"]
    for record in records:
        rundir.append_record(path, record)
    assert rundir.read_records(path, say=never) == records


def test_results_are_made_once(tmp_path):
    file, made = tmp_path / "trials.jsonl", []

    def make(value):
        made.append(value)
        return {"reward": value}

    first = rundir.Results(file)
    assert first.get("a", lambda: make(1.5)) == {"name": "a", "reward": 1.5}
    assert first.get("a", lambda: make(2.5))["reward"] == 1.5
    again = rundir.Results(file)  # as after a stop
    assert again.get("a", lambda: make(3.5))["reward"] == 1.5
    assert again.get("b", lambda: make(4.5))["reward"] == 4.5
    assert made == [1.5, 4.5]
    assert list(again.done) == ["a", "b"]


def test_results_without_a_file_are_kept_in_memory():
    results = rundir.Results(None)
    assert results.get("a", lambda: {"reward": 1.0}) == results.get("a", dict)
