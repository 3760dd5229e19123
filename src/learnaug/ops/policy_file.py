"""The policy file: JSON with a closed schema; every fault is reported with its place.

Format, in full in docs/policy-file.md: `{"format": "learnaug-policy", "version": 2, "needs",
"name", "strength", "stages", "made_from", "trained_on", "evidence"}`; a stage is
`{"branches": [[element, …], …], "weights": […], "given": ""}`; an element has the fields of
`Element`, those that hold their default left out, and the "unit" of its magnitudes. Version 1 had
no unit, strength, trained_on and evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from learnaug.errors import ConfigError
from learnaug.ops.about import hint, shown
from learnaug.ops.policy import (
    MAX_BRANCHES,
    MAX_ELEMENTS,
    MAX_ROWS,
    MAX_STAGES,
    MAX_VALUES,
    Element,
    Policy,
    Stage,
)
from learnaug.ops.table import TABLE
from learnaug.rundir import parse_json, read_bytes, write_json

__all__ = [
    "FORMAT", "LIMIT", "VERSION", "branch_in", "branch_out", "closed", "entries_in", "from_json",
    "load", "numbered", "read", "save", "to_json", "whole",
]  # fmt: skip

FORMAT = "learnaug-policy"
VERSION = 2
NEEDS = "learnaug 0.2"  # the first that reads VERSION
LIMIT = 10_000_000  # bytes of a file
MOST_FAULTS = 100  # a file with more is not read to its end
PROGRAMS = {b"\x80": "a pickle", b"PK": "a zip file (or a torch.save)"}

T = TypeVar("T")
Keys = dict[str, tuple[str, ...]]
_ELEMENT = tuple(entry.name for entry in fields(Element))
_FIRST: Keys = {
    "policy": ("format", "version", "name", "stages", "made_from"),
    "stage": ("branches", "weights", "given"),
    "element": _ELEMENT,
}
_NEW = ("needs", "strength", "trained_on", "evidence")
_KEYS: dict[int, Keys] = {
    1: _FIRST,
    2: _FIRST | {"policy": (*_FIRST["policy"], *_NEW), "element": (*_ELEMENT, "unit")},
}
_NEEDED: Keys = {
    "policy": ("format", "version", "stages"),
    "stage": ("branches",),
    "element": ("op",),
}


def to_json(policy: Policy) -> dict[str, Any]:
    """Return the policy as JSON values."""
    out: dict[str, Any] = {"format": FORMAT, "version": VERSION, "needs": NEEDS}
    out |= {"name": policy.name, "strength": policy.strength}
    out["stages"] = [_stage_out(stage) for stage in policy.stages]
    for name in ("made_from", "trained_on", "evidence"):
        out[name] = {key: _plain(value) for key, value in getattr(policy, name).items()}
    return out


def from_json(value: object) -> Policy:
    """Return the policy of that JSON value, of this version or an older one.

    Raises:
        ConfigError: all faults at once, each with its place such as stages[0].branches[3][1].
    """
    faults: list[str] = []
    return whole(_policy_in(value, faults), "a policy file", faults)


def save(policy: Policy, path: Path) -> None:
    """Write the policy file, atomically."""
    write_json(path, to_json(policy))


def load(path: Path) -> Policy:
    """Read a policy file of at most 10 MB; anything but JSON is refused unread.

    Raises:
        ConfigError: not a policy file, or faults in it.
        DataError: there is no such plain file, it is too large, or no JSON.
    """
    return from_json(read(path, "a policy file", "save the policy with Policy.save"))


def read(path: Path, words: str, mend: str) -> Any:
    """Return the JSON value of a file of at most 10 MB; what could run programs is not opened."""
    data = read_bytes(path, limit=LIMIT)
    for start, kind in PROGRAMS.items():
        if data.startswith(start):
            what = f"{words} is JSON, but this is {kind}, which could run programs"
            raise ConfigError(what, [str(path)], mend)
    return parse_json(data, str(path))


def whole(found: T | None, words: str, faults: list[str]) -> T:
    """Return what was found where there are no faults; ConfigError names all of them."""
    if faults or found is None:
        count = f"{len(faults)} fault" + ("s" if len(faults) != 1 else "")
        raise ConfigError(f"not {words}: {count}", faults, "correct these places")
    return found


def _stage_out(stage: Stage) -> dict[str, Any]:
    out: dict[str, Any] = {"branches": [branch_out(branch) for branch in stage.branches]}
    if stage.weights:
        rows = [list(row) for row in stage.rows]
        out["weights"] = rows if stage.given else rows[0]
    if stage.given:
        out["given"] = stage.given
    return out


def branch_out(branch: tuple[Element, ...]) -> list[dict[str, Any]]:
    """Return the elements of a branch as JSON values."""
    return [_element_out(element) for element in branch]


def _element_out(element: Element) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for entry in fields(Element):
        value = getattr(element, entry.name)
        if entry.default is MISSING or value != entry.default:
            out[entry.name] = _plain(value)
    unit = TABLE[element.op].unit
    return out | ({"unit": unit} if unit else {})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _policy_in(value: object, faults: list[str]) -> Policy | None:
    keys = _keys_of(value, faults)
    got = closed(value, "policy", "the file", faults, keys)
    if got is None:
        return None
    entries = entries_in(got["stages"], "stages", MAX_STAGES, faults)
    stages = [
        _stage_in(entry, keys, f"stages[{i}]", faults) for i, entry in numbered(entries, faults)
    ]
    if faults:
        return None
    whole = tuple(stage for stage in stages if stage is not None)
    about = {name: got.get(name, {}) for name in ("made_from", "trained_on", "evidence")}
    name, strength = got.get("name", "policy"), got.get("strength", 1.0)
    return _build(lambda: Policy(whole, name, strength=strength, **about), "", faults)


def _keys_of(value: object, faults: list[str]) -> Keys:
    """Return the keys of the file's version; an unknown one is the only fault that is told."""
    if not isinstance(value, dict) or not {"format", "version"} <= value.keys():
        return _KEYS[VERSION]
    if value["format"] != FORMAT:
        faults.append(f'format: "{FORMAT}" must hold, but got {shown(value["format"])}')
        return _KEYS[VERSION]
    version = value["version"]
    if type(version) is int and version in _KEYS:
        return _KEYS[version]
    known = " and ".join(map(str, _KEYS))
    fault = f"version: this learnaug reads {known}, but got {shown(version)}"
    if type(version) is int and version > VERSION:
        needs = value.get("needs")
        named = f"{needs:.40} or later" if isinstance(needs, str) else "a later learnaug"
        mend = "pip install --upgrade learnaug"
        raise ConfigError(f"the policy file is too new: it needs {named}", [fault], mend)
    faults.append(fault)
    return _KEYS[VERSION]


def _stage_in(value: object, keys: Keys, place: str, faults: list[str]) -> Stage | None:
    got = closed(value, "stage", place, faults, keys)
    if got is None:
        return None
    before = len(faults)
    listed = entries_in(got["branches"], f"{place}.branches", MAX_BRANCHES, faults)
    branches = tuple(
        branch_in(branch, f"{place}.branches[{i}]", faults, keys)
        for i, branch in numbered(listed, faults)
    )
    most = MAX_ROWS if got.get("given") else MAX_BRANCHES
    weights = _tuples(entries_in(got.get("weights", []), f"{place}.weights", most, faults))
    if len(faults) > before:
        return None
    given = got.get("given", "")
    return _build(lambda: Stage(branches, weights, given), f"{place}.", faults)  # type: ignore[arg-type]


def branch_in(
    value: object, place: str, faults: list[str], keys: Keys = _KEYS[VERSION]
) -> tuple[Element | None, ...]:
    """Return the elements of a branch; None, with a fault, for one that is none."""
    listed = entries_in(value, place, MAX_ELEMENTS, faults)
    return tuple(
        _element_in(entry, keys, f"{place}[{j}]", faults) for j, entry in numbered(listed, faults)
    )


def _element_in(value: object, keys: Keys, place: str, faults: list[str]) -> Element | None:
    got = closed(value, "element", place, faults, keys)
    if got is None:
        return None
    got = dict(got)
    if "values" in got:
        got["values"] = tuple(entries_in(got["values"], f"{place}.values", MAX_VALUES, faults))
    unit = got.pop("unit", None)
    element = _build(lambda: Element(**got), f"{place}.", faults)
    known = TABLE[element.op].unit if element else None
    if element and unit not in (None, known):
        words = f'is measured in "{known}"' if known else "has no unit"
        faults.append(f"{place}.unit: {element.op} {words}, but got {shown(unit)}")
    return element


def _build(make: Callable[[], T], place: str, faults: list[str]) -> T | None:
    try:
        return make()
    except ConfigError as error:
        faults.extend(place + fault for fault in error.where)
        return None


def closed(
    value: object,
    kind: str,
    place: str,
    faults: list[str],
    keys: Keys,
    needed: Keys = _NEEDED,
) -> dict[str, Any] | None:
    """Return the object, or None and a fault where it is none or its keys are not the schema's."""
    if not isinstance(value, dict):
        faults.append(f"{place}: an object ({kind}) must stand here, but got {shown(value)}")
        return None
    known = keys[kind]
    foreign = islice((key for key in value if key not in known), MOST_FAULTS)
    unknown = [f"{place}: unknown key {shown(k)}: {hint(k, known)}" for k in foreign]
    missing = [f"{place}: the key {k!r} is missing" for k in needed[kind] if k not in value]
    faults.extend(unknown + missing)
    return None if unknown or missing else value


def entries_in(value: object, place: str, most: int, faults: list[str]) -> list[Any]:
    """Return the list; empty, with a fault, where it is none or too long."""
    if not isinstance(value, list):
        faults.append(f"{place}: a list must stand here, but got {shown(value)}")
    elif len(value) > most:
        faults.append(f"{place}: at most {most:,} entries, but got {len(value):,}")
    else:
        return value
    return []


def numbered(values: list[Any], faults: list[str]) -> Iterator[tuple[int, Any]]:
    """Number the entries, and end early in a file that is nothing but faults."""
    for number, value in enumerate(values):
        if len(faults) >= MOST_FAULTS:
            return
        yield number, value


def _tuples(values: list[Any]) -> tuple[Any, ...]:
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)
