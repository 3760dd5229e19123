"""The policy file: JSON with a closed schema; every fault is reported with its place.

Format: `{"format": "learnaug-policy", "version": 1, "name", "stages", "made_from"}`; a stage is
`{"branches": [[element, …], …], "weights": […], "given": ""}`; an element has the fields of
`Element`, those that hold their default left out. Magnitudes stand in the units of TABLE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from learnaug.errors import ConfigError, nearest
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.rundir import read_json, write_json

__all__ = ["FORMAT", "VERSION", "from_json", "load", "save", "to_json"]

FORMAT = "learnaug-policy"
VERSION = 1
T = TypeVar("T")
_KEYS = {
    "policy": ("format", "version", "name", "stages", "made_from"),
    "stage": ("branches", "weights", "given"),
    "element": tuple(entry.name for entry in fields(Element)),
}
_NEEDED = {"policy": ("format", "version", "stages"), "stage": ("branches",), "element": ("op",)}


def to_json(policy: Policy) -> dict[str, Any]:
    """Return the policy as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": policy.name,
        "stages": [_stage_out(stage) for stage in policy.stages],
        "made_from": dict(policy.made_from),
    }


def from_json(value: object) -> Policy:
    """Return the policy of that JSON value.

    Raises:
        ConfigError: all faults at once, each with its place such as stages[0].branches[3][1].
    """
    faults: list[str] = []
    policy = _policy_in(value, faults)
    if faults or policy is None:
        raise ConfigError(
            f"not a policy file: {len(faults)} faults", faults, "correct these places"
        )
    return policy


def save(policy: Policy, path: Path) -> None:
    """Write the policy file, atomically."""
    write_json(path, to_json(policy))


def load(path: Path) -> Policy:
    """Read a policy file of at most 10 MB; anything but JSON is refused unread.

    Raises:
        ConfigError: not a policy file, or faults in it.
    """
    _refuse_programs(path)
    return from_json(read_json(path))


def _refuse_programs(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(2)
    except OSError:
        return  # read_json says it better
    if start[:1] == b"\x80" or start == b"PK":
        kind = "a zip file (or a torch.save)" if start == b"PK" else "a pickle"
        raise ConfigError(
            "a policy file is JSON, but this is " + kind + ", which could run programs",
            [str(path)],
            "save the policy with Policy.save",
        )


def _stage_out(stage: Stage) -> dict[str, Any]:
    out: dict[str, Any] = {
        "branches": [[_element_out(element) for element in branch] for branch in stage.branches]
    }
    if stage.weights:
        rows = [list(row) for row in stage.rows]
        out["weights"] = rows if stage.given else rows[0]
    if stage.given:
        out["given"] = stage.given
    return out


def _element_out(element: Element) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for entry in fields(Element):
        value = getattr(element, entry.name)
        if entry.default is MISSING or value != entry.default:
            out[entry.name] = list(value) if isinstance(value, tuple) else value
    return out


def _policy_in(value: object, faults: list[str]) -> Policy | None:
    got = _closed(value, "policy", "the file", faults)
    if got is None:
        return None
    if got["format"] != FORMAT:
        faults.append(f'format: "{FORMAT}" must hold, but got {got["format"]!r:.40}')
    if got["version"] != VERSION or isinstance(got["version"], bool):
        faults.append(f"version: this learnaug reads {VERSION}, but got {got['version']!r:.40}")
    made_from = got.get("made_from", {})
    if not isinstance(made_from, dict):
        faults.append(f"made_from: an object, but got {made_from!r:.40}")
    stages = [
        _stage_in(entry, f"stages[{i}]", faults)
        for i, entry in enumerate(_list(got["stages"], "stages", faults))
    ]
    if faults:
        return None
    name = got.get("name", "policy")
    whole = tuple(stage for stage in stages if stage is not None)
    return _build(lambda: Policy(whole, name, made_from), "", faults)


def _stage_in(value: object, place: str, faults: list[str]) -> Stage | None:
    got = _closed(value, "stage", place, faults)
    if got is None:
        return None
    before = len(faults)
    branches = tuple(
        tuple(
            _element_in(entry, f"{place}.branches[{i}][{j}]", faults)
            for j, entry in enumerate(_list(branch, f"{place}.branches[{i}]", faults))
        )
        for i, branch in enumerate(_list(got["branches"], f"{place}.branches", faults))
    )
    weights = _tuples(_list(got.get("weights", []), f"{place}.weights", faults))
    if len(faults) > before:
        return None
    given = got.get("given", "")
    return _build(lambda: Stage(branches, weights, given), f"{place}.", faults)  # type: ignore[arg-type]


def _element_in(value: object, place: str, faults: list[str]) -> Element | None:
    got = _closed(value, "element", place, faults)
    if got is None:
        return None
    if "values" in got:
        got = {**got, "values": tuple(_list(got["values"], f"{place}.values", faults))}
    return _build(lambda: Element(**got), f"{place}.", faults)


def _build(make: Callable[[], T], place: str, faults: list[str]) -> T | None:
    try:
        return make()
    except ConfigError as error:
        faults.extend(place + fault for fault in error.where)
        return None


def _closed(value: object, kind: str, place: str, faults: list[str]) -> dict[str, Any] | None:
    """Return the object, or None and a fault where it is none or its keys are not the schema's."""
    if not isinstance(value, dict):
        faults.append(f"{place}: an object ({kind}) must stand here, but got {value!r:.40}")
        return None
    known = _KEYS[kind]
    unknown = [
        f"{place}: unknown key {k!r:.40}: {nearest(str(k), known)}" for k in value if k not in known
    ]
    missing = [f"{place}: the key {k!r} is missing" for k in _NEEDED[kind] if k not in value]
    faults.extend(unknown + missing)
    return None if unknown or missing else value


def _list(value: object, place: str, faults: list[str]) -> list[Any]:
    if isinstance(value, list):
        return value
    faults.append(f"{place}: a list must stand here, but got {value!r:.40}")
    return []


def _tuples(values: list[Any]) -> tuple[Any, ...]:
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)
