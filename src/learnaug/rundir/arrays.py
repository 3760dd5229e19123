"""NumPy arrays in one .npz file with a checksum; the same arrays give the same bytes."""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnaug.errors import DataError, RunError
from learnaug.rundir.files import Place, read_bytes, write_bytes, write_chunks

if TYPE_CHECKING:
    import numpy as np

__all__ = ["read_arrays", "read_map", "write_arrays", "write_map"]

PIECE = 1 << 24  # bytes of a map written at once
DIGEST = 64  # hexadecimal signs of a SHA-256, the last bytes of the file
MARK = b"sha256:"


def write_arrays(path: Place, **arrays: np.ndarray[Any, Any]) -> None:
    """Write named arrays in one step to an .npz that `numpy.load` opens too.

    The comment of the zip is the SHA-256 of all bytes before it.

    Raises:
        RunError: an array holds Python objects or a number that is not finite; or as in
            `write_bytes`.
    """
    import numpy as np

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in arrays.items():
            array = np.asanyarray(value)
            _refuse_unfit(array, f"{Path(path).name}: {name}")
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            # A fixed time stamp, so that equal arrays are equal files.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
        archive.comment = MARK + b"0" * DIGEST
    body = buffer.getvalue()[:-DIGEST]
    write_bytes(path, body + hashlib.sha256(body).hexdigest().encode())


def read_arrays(path: Place) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a file of `write_arrays`, after its checksum was verified.

    Raises:
        DataError: the file is missing (status 66), damaged, or was not written by learnaug.
    """
    data = read_bytes(path)
    body, digest = data[:-DIGEST], data[-DIGEST:]
    if not re.fullmatch(rb"[0-9a-f]{64}", digest) or not body.endswith(MARK):
        raise DataError(f"{path} is damaged, or was not written by learnaug: no checksum")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise DataError(f"{path} is damaged: its bytes do not match its checksum")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {i.filename.removesuffix(".npy"): _member(archive, i) for i in archive.filelist}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def write_map(path: Place, array: np.ndarray[Any, Any]) -> None:
    """Write one array as a .npy file that `read_map` opens without reading it whole.

    It is written piece by piece, so that a memory map is never read whole either.

    Raises:
        RunError: as in `write_bytes`.
    """
    import numpy as np

    head = io.BytesIO()
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(head, header)
    rows = max(1, PIECE // max(1, array[:1].nbytes))
    pieces = (
        np.ascontiguousarray(array[start : start + rows]).tobytes()
        for start in range(0, len(array), rows)
    )
    write_chunks(path, itertools.chain([head.getvalue()], pieces), array.nbytes + head.tell())


def read_map(path: Place) -> np.ndarray[Any, Any]:
    """Return the array of a .npy file as a read-only memory map.

    Raises:
        DataError: the file is missing (status 66) or is no such array.
    """
    import numpy as np

    try:
        array: np.ndarray[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", code=66) from error
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is no .npy array: {error}") from error
    return array


def _refuse_unfit(array: np.ndarray[Any, Any], name: str) -> None:
    import numpy as np

    if array.dtype.hasobject:
        raise RunError(f"{name} holds Python objects; numbers or text are needed")
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        raise RunError(f"{name} holds NaN or infinity; it was not saved")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    """Decode one array by hand, so that a forged shape cannot ask for more than is there."""
    import numpy as np

    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed")
    member = io.BytesIO(archive.read(info))
    version = np.lib.format.read_magic(member)
    header = np.lib.format.read_array_header_1_0
    if version == (2, 0):
        header = np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(member)
    rest = member.read()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"{info.filename} has {len(rest):,} bytes, which its shape contradicts")
    array = np.frombuffer(rest, dtype) if rest else np.zeros(math.prod(shape), dtype)
    return array.reshape(shape, order="F" if fortran else "C").copy()
