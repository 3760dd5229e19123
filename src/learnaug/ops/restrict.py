"""A policy that may only use some of the operations, by name or by how likely they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from learnaug.errors import ConfigError, nearest
from learnaug.ops.policy import Policy, Stage

__all__ = ["likeliest", "restrict", "without"]

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
    return _narrowed(policy, lambda stage: _kept(stage, allowed, policy.name))


def likeliest(policy: Policy) -> dict[str, float]:
    """Return operation -> how often a picture meets it on average, the likeliest first.

    Only stages that choose among branches count, and the identity does not. Classes are taken as
    equally likely. Operations that are equally likely stand in the order of the policy.

    Example:
        >>> from learnaug.ops import spaces
        >>> found = likeliest(spaces.autoaugment())
        >>> [(name, round(value, 3)) for name, value in found.items()][:2]
        [('autocontrast', 0.2), ('equalize', 0.188)]
    """
    found: dict[str, float] = {}
    before = np.ones(1)
    for stage in policy.stages:
        rows = np.array(stage.rows, np.float64)
        rows /= rows.sum(1, keepdims=True)
        before = before @ rows if stage.given == "previous" else rows.mean(0)
        if len(stage.branches) > 1:
            for branch, chance in zip(stage.branches, before, strict=True):
                for element in branch:
                    found[element.op] = found.get(element.op, 0.0) + float(chance) * element.p
    found.pop("identity", None)
    # Rounded, so that sums of the same chances in another order stay alike.
    return dict(sorted(found.items(), key=lambda pair: -round(pair[1], 9)))


def without(policy: Policy, k: int) -> Policy:
    """Return the policy without its k likeliest operations (see `likeliest`).

    Branches that hold one of them are taken out; weights keep their proportions among the branches
    that stay. Stages of one branch stay as they are. k = 0 is the policy itself.

    Raises:
        ConfigError: k is below 0, or nothing of a stage would be left.

    Example:
        >>> from learnaug.ops import spaces
        >>> len(without(spaces.trivialaugment(), 3).stages[0].branches)
        11
    """
    known = tuple(likeliest(policy))
    if not 0 <= k <= len(known):
        raise ConfigError(
            f"`0 <= without <= {len(known)}` must hold, the operations among which {policy.name} "
            f"chooses, but got {k}"
        )
    if not k:
        return policy
    gone = set(known[:k])
    left = _narrowed(policy, lambda stage: _spared(stage, gone, policy.name))
    return replace(
        left, name=f"{policy.name} without {k}", made_from=left.made_from | {"without": k}
    )


def _narrowed(policy: Policy, kept_of: Callable[[Stage], list[int]]) -> Policy:
    """Return the policy with the branches that are kept of each stage."""
    stages: list[Stage] = []
    before: list[int] = []  # branches of the stage before that stay
    for stage in policy.stages:
        kept = kept_of(stage)
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


def _spared(stage: Stage, gone: set[str], name: str) -> list[int]:
    """Return the branches of a stage that hold none of these operations."""
    if len(stage.branches) == 1:
        return [0]
    kept = [i for i, branch in enumerate(stage.branches) if not gone & {e.op for e in branch}]
    if not kept:
        raise ConfigError(
            f"nothing of a stage of {name} is left without {', '.join(sorted(gone))}",
            mend="leave out fewer operations",
        )
    return kept


def _only(stage: Stage, kept: list[int], before: list[int]) -> Stage:
    rows = tuple(tuple(row[i] for i in kept) for row in stage.rows)
    if stage.given == "previous":
        rows = tuple(rows[i] for i in before)
    branches = tuple(stage.branches[i] for i in kept)
    return replace(stage, branches=branches, weights=rows if stage.given else rows[0])
