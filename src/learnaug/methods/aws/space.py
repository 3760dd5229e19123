"""What a search chooses from: operations in bands of strength, each band an element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.ops.describe import describe_branch
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.sets import OperationSet
from learnaug.ops.table import TABLE

__all__ = ["Branch", "Space", "space_of"]

BANDS = 3
STILL = ("identity", (Element("identity"),))

Branch = tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """n elements, of which a policy draws one for each picture.

    Args:
        names: of the operations.
        owner: for each element the number of its operation.
        branches: what each element does.
        prior: probability of each element before anything is learned: operations alike, and so the
            bands of one.
        weak: whether an element is the weakest of its operation.
    """

    names: tuple[str, ...]
    owner: tuple[int, ...]
    branches: tuple[Branch, ...]
    prior: tuple[float, ...]
    weak: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.branches)

    def chances(self, weights: NDArray[np.float64] | float = 1.0) -> NDArray[np.float64]:
        """Return the probability of each element, prior times weight, of sum 1: float [n]."""
        chances = np.array(self.prior) * weights
        normed: NDArray[np.float64] = chances / chances.sum()
        return normed

    def policy(self, weights: NDArray[np.float64] | float, name: str = "aws") -> Policy:
        """Return the policy that draws element e with probability prior_e weights_e / sum.

        Args:
            weights: float [n], >= 0, one of them above 0; or one for all.
            name: of the policy.
        """
        chances = self.chances(weights)
        kept = np.flatnonzero(chances > 0)
        stage = Stage(tuple(self.branches[e] for e in kept), tuple(float(chances[e]) for e in kept))
        return Policy((stage,), name)

    def weakest(self) -> Space:
        """Return the space of the weakest element of each operation, the operations alike."""
        kept = [e for e in range(len(self)) if self.weak[e]]
        share = 1 / len(kept)
        return Space(
            self.names, tuple(self.owner[e] for e in kept), tuple(self.branches[e] for e in kept),
            (share,) * len(kept), (True,) * len(kept),
        )  # fmt: skip

    def told(self, weights: NDArray[np.float64] | float) -> list[dict[str, Any]]:
        """Return each element in words with its probability, the likeliest first."""
        chances = self.chances(weights)
        rows: list[dict[str, Any]] = [
            {
                "operation": self.names[self.owner[e]],
                "does": describe_branch(self.branches[e]),
                "probability": round(float(chances[e]), 5),
                "before": round(self.prior[e], 5),
            }
            for e in range(len(self))
        ]
        return sorted(rows, key=lambda row: -row["probability"])


def space_of(operations: OperationSet, bands: int = BANDS) -> Space:
    """Return the elements of a set: an operation with a list of magnitudes in bands of strength.

    A band holds neighbouring magnitudes of the list, the weakest first; together they are the
    operation. What has no list (a range, no magnitude, several elements) is one element. The
    identity joins them, as in TrivialAugment.

    Args:
        operations: what is searched over.
        bands: of an operation, at most.

    Example:
        >>> turn = (Element("rotate", values=(0.0, 5.0, 10.0, 15.0), sign=True),)
        >>> space = space_of(OperationSet("turns", (("rotate", turn),)), 2)
        >>> [branch[0].values for branch in space.branches], space.prior
        ([(), (0.0, 5.0), (10.0, 15.0)], (0.5, 0.25, 0.25))
    """
    moving = tuple(pair for pair in operations.branches if pair[1] != STILL[1])
    rows = [(name, _bands(branch, bands)) for name, branch in (STILL, *moving)]
    share = 1 / len(rows)
    return Space(
        tuple(name for name, _ in rows),
        tuple(number for number, (_, parts) in enumerate(rows) for _ in parts),
        tuple(part for _, parts in rows for part in parts),
        tuple(share * weight for _, parts in rows for weight in _weights(parts)),
        tuple(band == 0 for _, parts in rows for band in range(len(parts))),
    )


def _bands(branch: Branch, bands: int) -> list[Branch]:
    """Return the bands of an operation, the weakest first."""
    first = branch[0]
    if len(branch) > 1 or len(first.values) < 2:
        return [branch]
    identity = TABLE[first.op].identity
    values = sorted(first.values, key=lambda v: abs(v - identity) if identity is not None else v)
    parts = np.array_split(np.array(values), min(bands, len(values)))
    return [(replace(first, values=tuple(float(v) for v in part)),) for part in parts]


def _weights(parts: list[Branch]) -> list[float]:
    """Return the share of an operation's magnitudes that each band holds."""
    counts = [max(1, len(part[0].values)) if len(parts) > 1 else 1 for part in parts]
    return [count / sum(counts) for count in counts]
