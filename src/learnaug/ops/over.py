"""Known policies over an operation set: the same rule, other operations and ranges."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import comb

from learnaug.errors import ConfigError
from learnaug.ops.policy import MAX_BRANCHES, MAX_WEIGHTS, Element, Policy, Stage
from learnaug.ops.sets import OperationSet
from learnaug.ops.strength import moved
from learnaug.ops.table import TABLE

__all__ = ["TURNS", "randaugment_over", "subsets_over", "trivialaugment_over", "uniform_over"]

Branch = tuple[Element, ...]
TURNS = "quarter turns"  # they have no strength: one is not weaker than two
STILL: Branch = (Element("identity"),)


def trivialaugment_over(operations: OperationSet) -> Policy:
    """Return TrivialAugment's rule: one operation, drawn evenly, at a magnitude of its range.

    The identity is one of the choices, as in the paper.

    Example:
        >>> flips = OperationSet("flips", (("flip", (Element("hflip"),)),))
        >>> len(trivialaugment_over(flips).stages[0].branches)
        2
    """
    return Policy((Stage((STILL, *_moving(operations))),), f"trivialaugment of {operations.name}")


def randaugment_over(
    operations: OperationSet, n: int = 2, magnitude: int = 9, bins: int = 31
) -> Policy:
    """Return RandAugment's rule: n operations in a row, all at one share of their range.

    Args:
        operations: what is drawn from; the identity joins it.
        n: operations a picture.
        magnitude: grid point of 0 … bins - 1; the share is magnitude / (bins - 1).
        bins: grid points.
    """
    share = magnitude / (bins - 1)
    branches = tuple(_at(branch, share) for branch in _moving(operations))
    about: dict[str, str | float] = {"n": n, "magnitude": magnitude, "bins": bins}
    return Policy((Stage((STILL, *branches)),) * n, f"randaugment of {operations.name}", about)


def uniform_over(operations: OperationSet) -> Policy:
    """Return the random policy of AWS: any two elements, each operation at 1/3, 2/3, 3/3."""
    levels = (1 / 3, 2 / 3, 1.0)
    graded = [_at(branch, share) for branch in _moving(operations) for share in levels]
    stage = Stage(tuple(dict.fromkeys(graded)) or (STILL,))
    return Policy((stage, stage), f"uniform of {operations.name}")


def subsets_over(
    operations: OperationSet,
    size: int = 3,
    classes: tuple[tuple[str, ...], ...] | None = None,
) -> Policy:
    """Return: a random subset of `size` operations, each of them with p = 0.5 (thesis, 3.2).

    Written out as what happens in the end: T operations of n happen with the probability
    C(n - T, size - T) / C(n, size) / 2^size. So an operation of several elements happens whole or
    not at all. Operations act in the order of the set. Where fewer than `size` are allowed, all
    of them are the subset.

    Args:
        operations: n operations.
        size: of the subset.
        classes: for each class the names that it may have; None: all classes may have all.

    Raises:
        ConfigError: the policy would have more branches or weights than a policy may have.

    Example:
        >>> one = OperationSet("one", (("flip", (Element("hflip"),)),))
        >>> subsets_over(one).stages[0].weights
        (0.5, 0.5)
    """
    rows = [_odds(allowed, size) for allowed in (classes or (operations.names,))]
    order = {name: number for number, name in enumerate(operations.names)}
    chosen = sorted({T for row in rows for T in row}, key=lambda T: [len(T), *map(order.get, T)])
    if len(chosen) > MAX_BRANCHES or len(chosen) * len(rows) > MAX_WEIGHTS:
        raise ConfigError(
            f"subsets of {size} of {len(order)} operations are {len(chosen):,} branches, "
            f"but a policy may have {MAX_BRANCHES:,}",
            mend="take fewer operations, or smaller subsets",
        )
    branch = dict(operations.branches)
    branches = tuple(tuple(e for name in T for e in branch[name]) for T in chosen)
    weights = tuple(tuple(row.get(T, 0.0) for T in chosen) for row in rows)
    name = f"subsets of {size} of {operations.name}"
    if classes is None:
        return Policy((Stage(branches, weights[0]),) if order else (), name)
    return Policy((Stage(branches, weights, "class"),), name)


def _odds(allowed: tuple[str, ...], size: int) -> dict[tuple[str, ...], float]:
    """Return the probability that exactly these operations happen, for each subset of them."""
    n, size = len(allowed), min(size, len(allowed))
    total = comb(n, size) * 2**size
    return {
        T: comb(n - count, size - count) / total
        for count in range(size + 1)
        for T in combinations(allowed, count)
    }


def _moving(operations: OperationSet) -> list[Branch]:
    return [branch for _, branch in operations.branches if branch != STILL]


def _at(branch: Branch, share: float) -> Branch:
    """Return the branch at that share of its ranges, one magnitude each, one way or the other."""
    return tuple(
        element if TABLE[element.op].unit == TURNS else _fixed(moved(element, share))
        for element in branch
    )


def _fixed(element: Element) -> Element:
    identity = TABLE[element.op].identity
    if identity is None or not element.magnitudes:
        return element
    ends = element.magnitudes if element.values else (element.low, element.high)
    known = [end for end in ends if end is not None]
    low, high = min(known), max(known)
    far = dict.fromkeys(end for end in (low, high) if end != identity)
    if low >= identity or high <= identity:  # one side: the far end
        far = dict.fromkeys([max(known, key=lambda end: abs(end - identity))])
    return replace(element, low=None, high=None, values=tuple(far) or (identity,))
