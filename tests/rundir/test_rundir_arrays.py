import hashlib
import io
import random
import time
import zipfile
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


def forge(path: Path, member: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    """Write one array's bytes with every checksum right, as an attacker would."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("a.npy", member)
        archive.comment = b"sha256:" + b"0" * 64
    body = buffer.getvalue()[:-64]
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode())


def npy(shape: str, dtype: str = "|u1", data: bytes = bytes(8)) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def test_the_forger_can_write_a_good_file(tmp_path: Path) -> None:
    forge(tmp_path / "a", npy("(8,)"))
    assert rundir.read_arrays(tmp_path / "a")["a"].tolist() == [0] * 8


@pytest.mark.parametrize(
    "member",
    [
        npy("(1000000000000,)"),
        npy("(4611686018427387904, 4)"),
        npy("(-8,)"),
        npy("(9,)"),
        npy("(1,)", "|O"),
        npy("(0,)", "|O", b""),
        npy("(1,)", "<f8")[:-1],
        npy("__import__('os')"),
        b"\x80\x04pickle",
        b"",
    ],
)
def test_forged_arrays_are_refused(member: bytes, tmp_path: Path) -> None:
    forge(tmp_path / "a", member)
    with pytest.raises(DataError):
        rundir.read_arrays(tmp_path / "a")


def test_compressed_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    forge(path, npy("(1000000,)", data=bytes(1_000_000)), zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="compressed"):
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
