"""What stands around the drawn operation: mirror, crop, cutout, how often and how strongly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.aws.space import Branch, Space, space_of
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.sets import OperationSet

__all__ = ["LEVELS", "Structures", "structures_of"]

FRONT, BACK = ("hflip", "pad_crop"), ("cutout",)
NOTHING, ONCE = "none", "one"  # ONCE is TrivialAugment
LEVELS = {  # how many operations are drawn, whether from the weakest band, and that in words
    NOTHING: (0, False, "no operation drawn"),
    "one, weak": (1, True, "one weak operation drawn"),
    "two, weak": (2, True, "two weak operations drawn"),
    ONCE: (1, False, "one operation drawn"),
    "two": (2, False, "two operations drawn"),
}
NO, YES = "no", "yes"
HALF = 0.5  # of the pictures are mirrored

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Structures:
    """All the ways to stand around the drawn operation.

    Args:
        space: the elements that are drawn from.
        around: name of a factor -> what it does; those of `FRONT` act first, those of `BACK` last.
        levels: name of each factor -> its levels; "drawn" is the last one.
    """

    space: Space
    around: dict[str, Branch]
    levels: dict[str, tuple[str, ...]]

    @property
    def all(self) -> list[dict[str, str]]:
        """Every combination: name of a factor -> level."""
        return [dict(zip(self.levels, row, strict=True)) for row in product(*self.levels.values())]

    @property
    def prior(self) -> int:
        """Number of the combination that is TrivialAugment: one operation, nothing around it."""
        once = ONCE if ONCE in self.levels["drawn"] else NOTHING
        return self.all.index(dict.fromkeys(self.around, NO) | {"drawn": once})

    def kernel(self, related: float) -> Floats:
        """Return related ^ (number of factors in which two combinations differ): float [S, S]."""
        rows = np.array([list(each.values()) for each in self.all])
        apart = (rows[:, None] != rows[None]).sum(-1)
        kernel: Floats = related**apart
        return kernel

    def policy(self, number: int, weights: Floats | float = 1.0, name: str = "aws") -> Policy:
        """Return the policy of a combination, with these weights of the elements.

        Args:
            number: of the combination.
            weights: float [n], >= 0, as for `Space.policy`, n those of `space_of(number)`.
            name: of the policy.
        """
        chosen = self.all[number]
        front = [Stage((self.around[f],)) for f in FRONT if chosen.get(f) == YES]
        back = [Stage((self.around[f],)) for f in BACK if chosen.get(f) == YES]
        drawn = self.space_of(number).policy(weights).stages * LEVELS[chosen["drawn"]][0]
        return Policy((*front, *drawn, *back), name)

    def space_of(self, number: int) -> Space:
        """Return the elements that a combination draws from."""
        _, weak, _ = LEVELS[self.all[number]["drawn"]]
        return self.space.weakest() if weak else self.space

    def even(self) -> Policy:
        """Return the policy that draws every level of every factor as often as the others."""
        some = {
            name: Stage(((Element("identity"),), branch)) for name, branch in self.around.items()
        }
        front = [some[name] for name in FRONT if name in some]
        back = [some[name] for name in BACK if name in some]
        drawn = [self._lazy(share) for share in (2 / 3, 1 / 3)] if len(self.space) > 1 else []
        return Policy((*front, *drawn, *back), "even")

    def _lazy(self, share: float) -> Stage:
        """Return the stage that draws an operation for a share of the pictures."""
        (stage,) = self.space.policy(1.0).stages
        still = (1 - share) / share * sum(self.space.prior)
        return Stage(((Element("identity"),), *stage.branches), (still, *stage.weights))

    def draws(self, number: int) -> bool:
        """Return whether a combination draws operations at all."""
        return self.all[number]["drawn"] != NOTHING

    def told(self, number: int) -> str:
        """Return a combination in words."""
        chosen = self.all[number]
        around = [f for f in self.around if chosen[f] == YES]
        return ", ".join([*around, LEVELS[chosen["drawn"]][2]])


def structures_of(operations: OperationSet, bands: int) -> Structures:
    """Return the ways to use a set: its mirror, crop and cutout stand around, the rest is drawn.

    An operation stands around where it is one element of that name; a mirror acts on half of the
    pictures. "one, weak" and "two, weak" draw from
    the weakest band of each operation, where there are bands.

    Args:
        operations: what may be used.
        bands: of strength of a drawn operation, at most.

    Example:
        >>> from learnaug.ops import spaces
        >>> from learnaug.ops.sets import operations_of
        >>> found = structures_of(operations_of(spaces.trivialaugment(), "ta"), 3)
        >>> found.levels
        {'drawn': ('none', 'one, weak', 'two, weak', 'one', 'two')}
    """
    around: dict[str, Branch] = {
        branch[0].op: (replace(branch[0], p=HALF),) if branch[0].op == "hflip" else branch
        for _, branch in operations.branches
        if len(branch) == 1 and branch[0].op in (*FRONT, *BACK)
    }
    rest = tuple(
        (name, branch)
        for name, branch in operations.branches
        if len(branch) != 1 or branch[0].op not in around
    )
    space = space_of(replace(operations, branches=rest), bands)
    drawn = tuple(
        level
        for level, (number, weak, _) in LEVELS.items()
        if not number or (len(space) > 1 and not (weak and all(space.weak)))
    )
    levels: dict[str, tuple[str, ...]] = dict.fromkeys(around, (NO, YES))
    return Structures(space, around, levels | {"drawn": drawn})
