"""What stands around the drawn operation: mirror, crop, cutout, how often and how strongly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.aws.space import Branch, Space, space_of
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.sets import OperationSet

__all__ = ["DRAWN", "LEVELS", "Structures", "structures_of"]

FRONT, BACK = ("hflip", "pad_crop"), ("cutout",)
DRAWN = "drawn"  # the factor that is always there: its levels are those of LEVELS
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
        levels: name of each factor -> its levels; DRAWN is the last one.
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
        once = ONCE if ONCE in self.levels[DRAWN] else NOTHING
        return self.all.index(dict.fromkeys(self.around, NO) | {DRAWN: once})

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
        around = {f: Stage((branch,)) for f, branch in self.around.items() if chosen[f] == YES}
        drawn = self.space_of(number).policy(weights).stages * LEVELS[chosen[DRAWN]][0]
        return _framed(around, drawn, name)

    def space_of(self, number: int) -> Space:
        """Return the elements that a combination draws from."""
        _, weak, _ = LEVELS[self.all[number][DRAWN]]
        return self.space.weakest() if weak else self.space

    def even(self) -> Policy:
        """Return the policy that draws every level of every factor as often as the others."""
        some = {f: Stage(((Element("identity"),), branch)) for f, branch in self.around.items()}
        shares = (2 / 3, 1 / 3) if len(self.space) > 1 else ()
        return _framed(some, tuple(self._lazy(share) for share in shares), "even")

    def _lazy(self, share: float) -> Stage:
        """Return the stage that draws an operation for a share of the pictures."""
        (stage,) = self.space.policy(1.0).stages
        still = (1 - share) / share * sum(self.space.prior)
        return Stage(((Element("identity"),), *stage.branches), (still, *stage.weights))

    def draws(self, number: int) -> bool:
        """Return whether a combination draws operations at all."""
        return self.all[number][DRAWN] != NOTHING

    def told(self, number: int) -> str:
        """Return a combination in words."""
        chosen = self.all[number]
        around = [f for f in self.around if chosen[f] == YES]
        return ", ".join([*around, LEVELS[chosen[DRAWN]][2]])


def _framed(around: dict[str, Stage], drawn: tuple[Stage, ...], name: str) -> Policy:
    """Return the policy of what stands in front, what is drawn, and what stands behind."""
    front, back = ([around[f] for f in side if f in around] for side in (FRONT, BACK))
    return Policy((*front, *drawn, *back), name)


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
    return Structures(space, around, levels | {DRAWN: drawn})
