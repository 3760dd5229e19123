import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from learnaug import rundir
from learnaug.errors import DataError, RunError
from learnaug.rundir.tensors import load_with_metadata

TENSORS = {
    "conv.weight": torch.linspace(-1, 1, 24).reshape(2, 3, 4),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "small": torch.ones(3, dtype=torch.float8_e4m3fn),
    "count": torch.tensor(7),
    "mask": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
    "turned": torch.arange(6.0).reshape(2, 3).T,
    "complex": torch.ones(2, dtype=torch.complex64),
}


def test_tensors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "train" / "model.safetensors"
    rundir.save_tensors(path, TENSORS, {"net": 'a "b" ü'})
    found, metadata = load_with_metadata(path)
    assert metadata == {"net": 'a "b" ü'}
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert torch.equal(found[name].to(torch.complex64), tensor.to(torch.complex64))
    found["count"].add_(1)  # a user may write to it


def test_other_programs_read_them(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    rundir.save_tensors(path, TENSORS)
    assert safetensors.torch.load_file(path).keys() == TENSORS.keys()


def test_equal_tensors_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        rundir.save_tensors(tmp_path / name, TENSORS, {f"k{n}": "v" for n in range(20)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tied_and_trainable_weights(tmp_path: Path) -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    rundir.save_tensors(tmp_path / "m", {"a": weight, "b": weight, "c": weight[0]})
    assert torch.equal(rundir.load_tensors(tmp_path / "m")["b"], torch.ones(2, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
def test_what_is_not_finite_is_never_saved(
    value: float, dtype: torch.dtype, tmp_path: Path
) -> None:
    path = tmp_path / "m"
    rundir.save_tensors(path, {"a": torch.ones(1)})
    bad = torch.tensor([1.0, value]).to(dtype)
    with pytest.raises(RunError, match=r"layer\.bad"):
        rundir.save_tensors(path, {"a": torch.zeros(1), "layer.bad": bad})
    assert rundir.load_tensors(path)["a"] == 1


def test_changed_and_cut_files_are_found(tmp_path: Path) -> None:
    path, draw = tmp_path / "m", random.Random(0)
    rundir.save_tensors(path, TENSORS, {"k": "v"})
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    places = [*range(header), *(draw.randrange(header, len(data)) for _ in range(50))]
    for n in places:
        path.write_bytes(data[:n] + bytes([data[n] ^ (1 << draw.randrange(8))]) + data[n + 1 :])
        with pytest.raises(DataError):
            rundir.load_tensors(path)
    for n in draw.sample(range(len(data)), 50):
        path.write_bytes(data[:n])
        with pytest.raises(DataError):
            rundir.load_tensors(path)


def forge(table: dict[str, Any], body: bytes = bytes(16)) -> bytes:
    header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + body


def row(dtype: str = "F32", shape: tuple[int, ...] = (4,), ends: tuple[int, int] = (0, 16)) -> Any:
    return {"dtype": dtype, "shape": shape, "data_offsets": ends}


NAN = torch.tensor([float("nan")] * 4).numpy().tobytes()
HOSTILE = {
    "empty": (b"", "first bytes"),
    "pickle": (b"\x80\x04\x95" + bytes(50), "first bytes"),
    "zip": (b"PK\x03\x04" + bytes(50), "first bytes"),
    "json": (b'{"a": 1}' + bytes(50), "first bytes"),
    "header 2^63": ((2**63).to_bytes(8, "little") + b"{}" + bytes(50), "claims a header"),
    "header over the end": ((99).to_bytes(8, "little") + b"{}", "claims a header"),
    "no table": ((3).to_bytes(8, "little") + b"{1}" + bytes(9), "JSON|claims"),
    "overlap": (forge({"a": row(), "b": row(ends=(0, 16))}), "valid safetensors"),
    "hole": (forge({"a": row(shape=(1,), ends=(12, 16))}), "valid safetensors"),
    "out of the file": (forge({"a": row(shape=(8,), ends=(0, 32))}), "valid safetensors"),
    "backward": (forge({"a": row(ends=(16, 0))}), "valid safetensors"),
    "shape too large": (forge({"a": row(shape=(5,))}), "valid safetensors"),
    "product overflows": (forge({"a": row(shape=(2**62, 2**62, 4))}), "valid safetensors"),
    "negative": (forge({"a": row(shape=(-4,))}), "valid safetensors"),
    "unknown type": (forge({"a": row(dtype="PICKLE")}), "valid safetensors"),
    "rest": (forge({"a": row()}, bytes(32)), "valid safetensors"),
    "deep": ((900).to_bytes(8, "little") + b'{"a":' + b"[" * 900, "deep"),
    "metadata": (forge({"__metadata__": {"a": 1}, "a": row()}), "safetensors header"),
    "NaN": (forge({"a.b": row()}, NAN), r"a\.b"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("foreign", [False, True])
def test_hostile_files_are_refused_soon(name: str, foreign: bool, tmp_path: Path) -> None:
    data, words = HOSTILE[name]
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(DataError, match=words if foreign else None):
        rundir.load_tensors(path, foreign=foreign)
    assert time.process_time() - start < 1


def test_a_million_tensors_are_refused(tmp_path: Path) -> None:
    line = b'"%07d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    header = b"{" + b",".join(line % n for n in range(200_000)) + b"}"
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(DataError, match="claims a header"):
        rundir.load_tensors(tmp_path / "m", foreign=True)


def test_files_of_other_programs_need_a_word(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file({"a": torch.ones(2)}, path)
    with pytest.raises(DataError, match="no checksum"):
        rundir.load_tensors(path)
    assert torch.equal(rundir.load_tensors(path, foreign=True)["a"], torch.ones(2))
