"""A policy that may only use some of the operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from learnaug.errors import ConfigError, nearest
from learnaug.ops.policy import Policy, Stage

__all__ = ["restrict"]

# One operation in two units: whoever allows the one allows the other.
TWINS = {
    name: (f"translate_{axis}", f"shift_{axis}")
    for axis in "xy"
    for name in (f"translate_{axis}", f"shift_{axis}")
}


def restrict(policy: Policy, names: Sequence[str]) -> Policy:
    """Return the policy with only those branches whose every operation is among `names`.

    Weights keep their proportions among the branches that stay. The evidence for the whole policy
    does not speak for a part of it, and is left out.

    Raises:
        ConfigError: a stage would be left without a branch.

    Example:
        >>> from learnaug.ops import spaces
        >>> small = restrict(spaces.trivialaugment(), ["rotate", "invert", "shear_x"])
        >>> len(small.stages[0].branches)
        2
    """
    allowed = {twin for name in names for twin in TWINS.get(name, (name,))}
    stages: list[Stage] = []
    before: list[int] = []  # branches of the stage before that stay
    for stage in policy.stages:
        kept = _kept(stage, allowed, policy.name)
        stages.append(_only(stage, kept, before))
        before = kept
    smaller = any(a.branches != b.branches for a, b in zip(stages, policy.stages, strict=True))
    return replace(policy, stages=tuple(stages), evidence={} if smaller else policy.evidence)


def _kept(stage: Stage, allowed: set[str], name: str) -> list[int]:
    kept = [i for i, branch in enumerate(stage.branches) if all(e.op in allowed for e in branch)]
    if not kept:
        used = sorted({e.op for branch in stage.branches for e in branch})
        raise ConfigError(
            f"none of the given operations is one that {name} uses",
            [f"{op!r}: {nearest(op, used)}" for op in sorted(allowed)],
            "name operations of its own: " + ", ".join(used),
        )
    return kept


def _only(stage: Stage, kept: list[int], before: list[int]) -> Stage:
    rows = tuple(tuple(row[i] for i in kept) for row in stage.rows)
    if stage.given == "previous":
        rows = tuple(rows[i] for i in before)
    branches = tuple(stage.branches[i] for i in kept)
    return replace(stage, branches=branches, weights=rows if stage.given else rows[0])
