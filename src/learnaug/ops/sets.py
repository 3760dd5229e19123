"""Operation sets as frozen data: which operations may be used, and how far each may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from learnaug.errors import ConfigError
from learnaug.ops.about import made_from_faults, shown
from learnaug.ops.policy import MAX_ELEMENTS, Element, Policy
from learnaug.ops.policy_file import (
    branch_in,
    branch_out,
    closed,
    entries_in,
    numbered,
    read,
    whole,
)
from learnaug.ops.table import TABLE
from learnaug.rundir import write_json

__all__ = ["FORMAT", "MAX_OPERATIONS", "OperationSet", "operations_of"]

FORMAT = "learnaug-operations"
VERSION = 1
NEEDS = "learnaug 0.2"
MAX_OPERATIONS = 100
MAX_NAME = 100  # characters
SAVE = "save the set with OperationSet.save"

_KEYS = {
    "set": ("format", "version", "needs", "name", "operations", "made_from"),
    "operation": ("name", "elements"),
}
_NEEDED = {"set": ("format", "version", "operations"), "operation": ("name", "elements")}


@dataclass(frozen=True, slots=True)
class OperationSet:
    """Named operations, each a branch of elements with the magnitudes that it may take.

    Args:
        name: what the report calls the set.
        branches: (name, elements in order); names differ.
        made_from: where it came from: a few strings and numbers, kept in the file.

    Raises:
        ConfigError: every rule that is broken.

    Example:
        >>> flips = OperationSet("flips", (("HorizontalFlip", (Element("hflip"),)),))
        >>> OperationSet.from_json(flips.to_json()) == flips
        True
    """

    name: str
    branches: tuple[tuple[str, tuple[Element, ...]], ...]
    made_from: dict[str, str | float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ConfigError("the operation set breaks its rules", faults)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the operations, in order."""
        return tuple(name for name, _ in self.branches)

    def to_json(self) -> dict[str, Any]:
        """Return the set as JSON values (format "learnaug-operations", version 1)."""
        rows = [{"name": name, "elements": branch_out(branch)} for name, branch in self.branches]
        head = {"format": FORMAT, "version": VERSION, "needs": NEEDS, "name": self.name}
        return head | {"operations": rows, "made_from": dict(self.made_from)}

    @staticmethod
    def from_json(value: object) -> OperationSet:
        """Return the set of that JSON value.

        Raises:
            ConfigError: all faults at once, each with its place such as operations[0].elements[1].
        """
        faults: list[str] = []
        return whole(_set_in(value, faults), "an operation set", faults)

    def save(self, path: str | Path) -> None:
        """Write the operation set file, atomically."""
        write_json(Path(path), self.to_json())

    @staticmethod
    def load(path: str | Path) -> OperationSet:
        """Read an operation set file; only JSON, at most 10 MB; ConfigError lists every fault."""
        return OperationSet.from_json(read(Path(path), "an operation set", SAVE))


def operations_of(policy: Policy, name: str | None = None) -> OperationSet:
    """Return the operations that a policy draws from, each from no change to its furthest.

    Where a policy has one operation at several magnitudes, the set has it once, with all of them.

    Args:
        policy: any policy; its weights and probabilities are left out.
        name: of the set; None takes the policy's.

    Example:
        >>> from learnaug.ops import spaces
        >>> operations_of(spaces.trivialaugment()).names[:3]
        ('identity', 'shear_x', 'shear_y')
    """
    found: dict[str, Element] = {}
    for element in policy.folded().elements():
        same = found.get(element.op)
        found[element.op] = replace(_joined(same, element) if same else element, p=1.0)
    branches = tuple((op, (_from_identity(element),)) for op, element in found.items())
    return OperationSet(name or policy.name, branches)


def _joined(one: Element, other: Element) -> Element:
    values = dict.fromkeys((*one.magnitudes, *other.magnitudes))
    sign = one.sign or other.sign
    return replace(one, values=tuple(values), low=None, high=None, sign=sign) if values else one


def _from_identity(element: Element) -> Element:
    """Return the element with a range that begins at no change, where it has one magnitude."""
    identity = TABLE[element.op].identity
    if len(element.magnitudes) != 1 or identity is None:
        return element
    low, high = sorted((identity, *element.magnitudes))
    return replace(element, values=(), low=low, high=high)


def _faults(given: Any) -> Iterator[str]:
    if not isinstance(given.name, str) or not 0 < len(given.name) <= MAX_NAME:
        yield f"name: 1 to {MAX_NAME} characters, but got {shown(given.name)}"
    if not 0 <= len(given.branches) <= MAX_OPERATIONS:
        yield f"operations: at most {MAX_OPERATIONS}, but got {len(given.branches)}"
    seen: set[str] = set()
    for number, (name, branch) in enumerate(given.branches[:MAX_OPERATIONS]):
        place = f"operations[{number}]"
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            yield f"{place}.name: 1 to {MAX_NAME} characters, but got {shown(name)}"
        elif name in seen:
            yield f"{place}.name: {shown(name)} stands there twice"
        else:
            seen.add(name)
        if not 0 < len(branch) <= MAX_ELEMENTS:
            yield f"{place}.elements: 1 to {MAX_ELEMENTS}, but got {len(branch)}"
    yield from made_from_faults(given.made_from)


def _set_in(value: object, faults: list[str]) -> OperationSet | None:
    got = closed(value, "set", "the file", faults, _KEYS, _NEEDED)
    if got is None:
        return None
    if got["format"] != FORMAT:
        faults.append(f'format: "{FORMAT}" must hold, but got {shown(got["format"])}')
        return None
    if type(got["version"]) is not int or got["version"] != VERSION:
        faults.append(f"version: this learnaug reads {VERSION}, but got {shown(got['version'])}")
        return None
    listed = entries_in(got["operations"], "operations", MAX_OPERATIONS, faults)
    rows = [_row_in(row, f"operations[{i}]", faults) for i, row in numbered(listed, faults)]
    if faults:
        return None
    try:
        return OperationSet(
            got.get("name", "operations"),
            tuple(row for row in rows if row is not None),
            got.get("made_from", {}),
        )
    except ConfigError as error:
        faults.extend(error.where)
        return None


def _row_in(value: object, place: str, faults: list[str]) -> tuple[str, tuple[Element, ...]] | None:
    got = closed(value, "operation", place, faults, _KEYS, _NEEDED)
    if got is None:
        return None
    branch = branch_in(got["elements"], f"{place}.elements", faults)
    return got["name"], tuple(element for element in branch if element is not None)
