import hashlib
import random
import time
from pathlib import Path

import numpy as np
import pytest

from learnaug import rundir
from learnaug.errors import DataError, RunError

ARRAYS = {
    "probabilities": np.random.default_rng(0).random((5, 3), dtype=np.float32),
    "labels": np.arange(5),
    "ids": np.array(["a/1.png", "ü", "row 17", "", "x" * 30]),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3), np.uint8),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "scalar": np.array(1.5),
}


def test_arrays_come_back_and_numpy_reads_them_too(tmp_path: Path) -> None:
    path = tmp_path / "test" / "predictions.npz"
    rundir.write_arrays(path, **ARRAYS)
    for found in (rundir.read_arrays(path), dict(np.load(path))):
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
    assert all(array.flags.writeable for array in rundir.read_arrays(path).values())


def test_equal_arrays_are_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir.write_arrays(tmp_path / "a", **ARRAYS)
    now = time.localtime()
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((2030, *now[1:])))
    rundir.write_arrays(tmp_path / "b", **ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_changed_and_cut_files_are_found(tmp_path: Path) -> None:
    path, draw = tmp_path / "a.npz", random.Random(0)
    rundir.write_arrays(path, **ARRAYS)
    data = path.read_bytes()
    for _ in range(200):
        n, flip = draw.randrange(len(data)), 1 << draw.randrange(8)
        damaged = data[:n] + bytes([data[n] ^ flip]) + data[n + 1 :]
        path.write_bytes(damaged if draw.random() < 0.7 else data[:n])
        with pytest.raises(DataError):
            rundir.read_arrays(path)


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan]), np.array([np.inf]), np.array([object()])])
def test_unfit_arrays_are_not_saved(bad: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="b"):
        rundir.write_arrays(tmp_path / "a.npz", a=np.ones(1), b=bad)
    assert not (tmp_path / "a.npz").exists()


def seal(data: bytes) -> bytes:
    """Give forged bytes the right checksum, as an attacker would."""
    return data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode()


def test_forged_shapes_and_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    rundir.write_arrays(path, a=np.zeros(100, np.uint8))
    data = path.read_bytes()
    # The zip's own CRC is turned off by taking it as part of the forgery.
    forged = data.replace(b"(100,)", b"(9**9)").replace(b"'|u1'", b"'|O8'")
    assert forged != data
    path.write_bytes(seal(forged))
    with pytest.raises(DataError):
        rundir.read_arrays(path)
    np.savez_compressed(path, a=np.zeros(10**6))
    with pytest.raises(DataError, match="no checksum"):
        rundir.read_arrays(path)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        rundir.read_arrays(tmp_path / "none")
    assert caught.value.code == 66
    for data in (b"", b"\x80\x04pickle", b"0" * 64, b"sha256:" + b"0" * 64):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            rundir.read_arrays(tmp_path / "x")
