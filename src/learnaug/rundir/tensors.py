"""Weights: safetensors files that carry the checksum of all their bytes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnaug.errors import DataError, RunError
from learnaug.rundir.documents import parse_json
from learnaug.rundir.files import Place, read_bytes, write_bytes

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["load_tensors", "save_tensors", "tensor_digest"]

KEY = "learnaug.sha256"
ZEROS = b"0" * 64
# Quotes inside a JSON string are escaped, so no name or value can imitate this.
CHECKSUM = re.compile(rb'"learnaug\.sha256":"([0-9a-f]{64})"')
HEADER = 10_000_000  # bytes of a header that is read


def save_tensors(
    path: Place, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors in one step; metadata is text by text.

    The header holds the SHA-256 of the file, taken with 64 zeros in its own place.

    Raises:
        RunError: a tensor holds NaN or infinity; or as in `write_bytes`.
    """
    from safetensors.torch import save

    if bad := [name for name, tensor in tensors.items() if not _finite(tensor)]:
        what = f"{Path(path).name} was not saved: these tensors hold NaN or infinity"
        raise RunError(what, bad, "lower the learning rate; the checkpoint before is kept")
    plain = {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}
    data = _ordered(save(plain, {**(metadata or {}), KEY: ZEROS.decode()}))
    place = _checksum(data, path).start(1)
    digest = hashlib.sha256(data).hexdigest().encode()
    write_bytes(path, data[:place] + digest + data[place + 64 :])


def load_tensors(path: Place, *, foreign: bool = False) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU.

    Args:
        path: the file.
        foreign: also take a file of another program, which has no checksum of ours.

    Raises:
        DataError: the file is missing (status 66), damaged, no safetensors file, or holds NaN or
            infinity, which is named.
    """
    return load_with_metadata(path, foreign=foreign)[0]


def load_with_metadata(
    path: Place, *, foreign: bool = False
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file; as `load_tensors`."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = read_bytes(path)
    header = _header(data, path)
    if not foreign or CHECKSUM.search(data, 8, 8 + len(header)):
        _verify(data, path)
    metadata = _metadata(header, path)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path} is no valid safetensors file: {error}") from error
    if bad := [name for name, tensor in tensors.items() if not _finite(tensor)]:
        raise DataError(f"{path} holds NaN or infinity in these tensors", bad)
    return tensors, metadata


def _ordered(data: bytes) -> bytes:
    """Sort the metadata, which safetensors leaves in chance order, so that equal is equal."""
    end = 8 + int.from_bytes(data[:8], "little")
    table = json.loads(data[8:end])
    table["__metadata__"] = dict(sorted(table["__metadata__"].items()))
    header = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def _header(data: bytes, path: Place) -> bytes:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{":
        raise DataError(f"{path} must be a safetensors file, but its first bytes are others")
    if size > min(HEADER, len(data) - 8):
        raise DataError(f"{path} claims a header of {size:,} bytes, but has {len(data):,} in all")
    return data[8 : 8 + size]


def _metadata(header: bytes, path: Place) -> dict[str, str]:
    table: Any = parse_json(header, str(path))
    metadata = table.get("__metadata__", {}) if isinstance(table, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DataError(f"{path} has a header that is no safetensors header")
    return {key: value for key, value in metadata.items() if key != KEY}


def _checksum(data: bytes, path: Place) -> re.Match[bytes]:
    found = CHECKSUM.search(data, 8, 8 + int.from_bytes(data[:8], "little"))
    if found is None:
        raise DataError(f"{path} is damaged, or was not written by learnaug: no checksum")
    return found


def _verify(data: bytes, path: Place) -> None:
    found = _checksum(data, path)
    digest = hashlib.sha256(data[: found.start(1)])
    digest.update(ZEROS)
    digest.update(memoryview(data)[found.end(1) :])
    if digest.hexdigest().encode() != found[1]:
        raise DataError(f"{path} is damaged: its bytes do not match its checksum")


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hex) of names and values, by which two sets of weights are told apart."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        plain = value.detach().cpu().contiguous().view(-1)
        digest.update(plain.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _finite(tensor: Tensor) -> bool:
    import torch

    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    wide = tensor.float() if tensor.element_size() == 1 else tensor  # 8-bit floats have no test
    return bool(torch.isfinite(wide).all())
