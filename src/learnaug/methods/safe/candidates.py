"""The operations that an audit looks at: named branches of elements, whole, smaller, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from learnaug.errors import ConfigError, UsageError, nearest
from learnaug.ops import spaces
from learnaug.ops.over import TURNS
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.sets import OperationSet, operations_of
from learnaug.ops.strength import moved
from learnaug.ops.table import TABLE

__all__ = ["DEFAULT", "SPACES", "Branch", "chosen", "policy_of", "shrunk", "values_of"]

Branch = tuple[Element, ...]
DEFAULT = "safe15"
SPACES: dict[str, Callable[[int], OperationSet]] = {
    "safe15": lambda side: OperationSet("safe15", spaces.safe15(side)),
    "autoaugment14": lambda side: operations_of(spaces.trivialaugment(), "autoaugment14"),
}


def chosen(ops: str, given: OperationSet | None, side: int = 32) -> OperationSet:
    """Return the operations to look at, without those that cannot be looked at alone.

    Args:
        ops: a name of SPACES, or names of operations with a space or `/` between them.
        given: operations that go before `ops` (those of `--ops` or of a later member of a chain).
        side: shorter side of the pictures, in pixels.

    Raises:
        UsageError: a name is unknown, or none is left.
        ConfigError: one of them mixes pictures.
    """
    found = given or (SPACES[ops](side) if ops in SPACES else _named(ops, side))
    mixing = [name for name, branch in found.branches if any(TABLE[e.op].partner for e in branch)]
    if mixing:
        raise ConfigError(
            "an audit looks at one picture at a time, but these operations mix two",
            mixing,
            "leave them out",
        )
    kept = tuple((name, tuple(map(_plain, branch))) for name, branch in found.branches)
    kept = tuple((name, branch) for name, branch in kept if any(e.op != "identity" for e in branch))
    if not kept:
        raise UsageError("an audit needs at least one operation that changes pictures")
    return OperationSet(found.name, kept)


def _named(ops: str, side: int) -> OperationSet:
    """Return operations of the table in the ranges that the known spaces give them.

    What no known space has is looked at in the whole range of the table.
    """
    known = {
        name: Element(name) if op.plain else Element(name, op.low, op.high)
        for name, op in TABLE.items()
    }
    fixed = (spaces.traditional(), spaces.flip_crop(), spaces.cutout())
    sets = [*map(operations_of, fixed), *(space(side) for space in reversed(SPACES.values()))]
    known |= {e.op: e for each in sets for _, branch in each.branches for e in branch}
    branches = []
    for name in ops.replace("/", " ").split():
        if name not in known:
            hint = nearest(name, (*SPACES, *known))
            raise UsageError(f"ops {name!r} is no known set or operation; {hint}")
        branches.append((name, (known[name],)))
    return OperationSet("named", tuple(branches))


def _plain(element: Element) -> Element:
    """Return the element without its probability, and without a magnitude that changes nothing."""
    values = tuple(v for v in element.values if v != TABLE[element.op].identity)
    return replace(element, p=1.0, values=values or element.values)


def values_of(branch: Branch) -> tuple[tuple[str, Branch], ...]:
    """Return a branch for each number of quarter turns, with words; () for other operations.

    Example:
        >>> [words for words, _ in values_of((Element("rot90", values=(1.0, 2.0)),))]
        ['1 quarter turns', '2 quarter turns']
    """
    (first, *rest) = branch
    unit = TABLE[first.op].unit
    if rest or unit != TURNS or len(first.values) < 2:
        return ()
    return tuple(
        (f"{value:g} {unit}", (replace(first, values=(value,)),))
        for value in sorted(set(first.values))
    )


def shrunk(branch: Branch, share: float) -> Branch | None:
    """Return the branch with every range brought nearer to what changes nothing.

    None where nothing can be brought nearer; quarter turns cannot.

    Args:
        branch: elements in order.
        share: of the way that is left, in (0, 1).

    Example:
        >>> shrunk((Element("rotate", -30, 30),), 0.5)[0].magnitudes
        (-15.0, 15.0)
    """
    smaller = tuple(
        element if TABLE[element.op].unit == TURNS else moved(element, share) for element in branch
    )
    return None if smaller == branch else smaller


def policy_of(branch: Branch, name: str = "probe") -> Policy:
    """Return the policy that does this branch to every picture."""
    return Policy((Stage((branch,)),), name)
