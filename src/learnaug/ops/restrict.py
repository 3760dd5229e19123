"""A policy that may only use some of the operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from learnaug.errors import ConfigError, nearest
from learnaug.ops.policy import Policy, Stage

__all__ = ["restrict"]


def restrict(policy: Policy, names: Sequence[str]) -> Policy:
    """Return the policy with only those branches whose every operation is among `names`.

    Weights keep their proportions among the branches that stay.

    Raises:
        ConfigError: a stage would be left without a branch.

    Example:
        >>> from learnaug.ops import spaces
        >>> len(restrict(spaces.trivialaugment(), ["rotate", "invert", "shear_x"]).stages[0].branches)
        2
    """
    allowed = set(names)
    return replace(
        policy, stages=tuple(_only(stage, allowed, policy.name) for stage in policy.stages)
    )


def _only(stage: Stage, allowed: set[str], name: str) -> Stage:
    kept = [i for i, branch in enumerate(stage.branches) if all(e.op in allowed for e in branch)]
    if not kept:
        used = sorted({e.op for branch in stage.branches for e in branch})
        raise ConfigError(
            f"none of the given operations is one that {name} uses",
            [f"{op!r}: {nearest(op, used)}" for op in sorted(allowed)],
            "name operations of its own: " + ", ".join(used),
        )
    rows = tuple(tuple(row[i] for i in kept) for row in stage.rows)
    branches = tuple(stage.branches[i] for i in kept)
    return replace(stage, branches=branches, weights=rows if stage.given else rows[0])
