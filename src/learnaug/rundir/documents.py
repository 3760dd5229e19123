"""JSON with a closed door: bounded size and depth, no NaN, no duplicate keys, no surprise."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from learnaug.errors import DataError, RunError
from learnaug.rundir.files import Place, read_bytes, write_bytes

__all__ = ["dump_json", "parse_json", "read_json", "write_json"]

LIMIT = 10_000_000  # bytes
DEPTH = 16  # nested lists and objects
CONTAINERS = 1_000_000  # lists and objects in one file
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
LONG = re.compile(rb"[0-9]{19}")  # only such a number can be too large,
POWER = re.compile(rb"[0-9][eE]")  # or one with an exponent
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
FOREIGN = {  # first bytes -> what the file is
    b"\x80": "a Python pickle, which is never opened",
    b"PK\x03\x04": "a zip archive (an .npz, .docx or PyTorch file)",
    b"\x1f\x8b": "a gzip file",
    b"<": "HTML or XML",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8": "a JPEG image",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}


def write_json(path: Place, value: object) -> None:
    """Write `value` as indented JSON in one step; NumPy numbers and arrays become plain ones.

    Raises:
        RunError: the value holds NaN, infinity or something that JSON has not; or as in
            `write_bytes`.
    """
    write_bytes(path, dump_json(value, Path(path).name, indent=2).encode() + b"\n")


def read_json(path: Place, *, limit: int = LIMIT) -> Any:
    """Read a JSON file of at most `limit` bytes and 16 levels.

    Raises:
        DataError: the file is missing (status 66), or breaks one of the rules (status 65).
    """
    return parse_json(read_bytes(path, limit=limit), str(path))


def dump_json(value: object, name: str, indent: int | None = None) -> str:
    """Return `value` as JSON text that `parse_json` would accept."""
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        text = json.dumps(
            value,
            indent=indent,
            separators=separators,
            allow_nan=False,
            ensure_ascii=False,
            default=_plain,
        )
        parse_json(text.encode(), name)
    except (ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{name} cannot be written as JSON: {error}") from error
    return text


def parse_json(data: bytes, name: str) -> Any:
    """Return the value of JSON bytes; `name` is the file that errors name.

    Raises:
        DataError: no JSON, too deep, NaN, infinity, 1e999, an integer beyond 64 bits, a duplicate
            key or half a surrogate pair.

    Example:
        >>> parse_json(b'{"a": [1, 2.5]}', "a.json")
        {'a': [1, 2.5]}
    """
    _refuse_foreign(data, name)
    _refuse_deep(data, name)
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            parse_constant=_no_constant,
            parse_int=_integer if LONG.search(data) else None,
            parse_float=_number if LONG.search(data) or POWER.search(data) else None,
            object_pairs_hook=_object,
        )
        if SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise DataError(f"{name} is not valid UTF-8 text: {error}") from error
    except ValueError as error:
        raise DataError(f"{name} is not valid JSON: {error}", mend="mend or delete it") from error
    return value


def _refuse_foreign(data: bytes, name: str) -> None:
    start = data[:64].lstrip()
    if not start:
        raise DataError(f"{name} must be JSON, but is empty", mend="delete it or write it anew")
    kind = next((kind for sign, kind in FOREIGN.items() if start.startswith(sign)), None)
    if kind or b"\0" in start:
        raise DataError(f"{name} must be JSON, but is {kind or 'binary data'}")


def _refuse_deep(data: bytes, name: str) -> None:
    """Count brackets outside strings before any recursive parser sees them."""
    brackets = data.count(b"[") + data.count(b"{")
    if brackets <= DEPTH:
        return
    if brackets > CONTAINERS:
        raise DataError(f"{name} has {brackets:,} brackets, but at most {CONTAINERS:,} are read")
    import numpy as np

    signs = np.frombuffer(STRING.sub(b"", data), np.uint8)
    steps = np.zeros(len(signs), np.int8)
    steps[(signs == ord("[")) | (signs == ord("{"))] = 1
    steps[(signs == ord("]")) | (signs == ord("}"))] = -1
    depth = int(np.cumsum(steps, dtype=np.int32).max(initial=0))
    if depth > DEPTH:
        raise DataError(f"{name} is nested {depth:,} deep, but at most {DEPTH} levels are read")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not allowed")


def _integer(text: str) -> int:
    if len(text) > 21 or abs(value := int(text)) >= 2**64:
        raise ValueError(f"the integer {text[:24]}… has more than 64 bits")
    return value


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:24]} is too large")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:80]!r} appears twice")
    return found


def _plain(value: object) -> object:
    plain = getattr(value, "tolist", None)  # NumPy numbers and arrays
    if plain is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return plain()
