"""The found set tested together: pairs that clash, and operations that others already do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from learnaug import ops
from learnaug.data.batch import evenly
from learnaug.methods.safe.audit import Auditor
from learnaug.methods.safe.candidates import Branch, policy_of
from learnaug.methods.safe.verdicts import flagged, judged, percent
from learnaug.seeds import Seeds

__all__ = ["Clash", "clashes", "repeats", "weakest"]

DRAWS = 16  # of the operation that may do the other's work
LOOKED_AT = 64  # pictures
SAME = 0.25  # distance to the nearest of the draws, as a share of the distance to the picture


@dataclass(frozen=True, slots=True)
class Clash:
    """Two operations that should not be used together.

    Args:
        one, other: their names.
        why: in plain words.
        dropped: the one that was left out.
    """

    one: str
    other: str
    why: str
    dropped: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"pair": [self.one, self.other], "why": self.why, "dropped": self.dropped}


def clashes(auditor: Auditor, kept: dict[str, Branch]) -> dict[tuple[str, str], str]:
    """Return the pairs of safe operations that are unsafe together, with the reason.

    Args:
        auditor: with the pictures to look at.
        kept: name -> branch of each safe operation.
    """
    found = {}
    classes = auditor.bench.data.classes
    for one, other in combinations(kept, 2):
        look = auditor.pair(one, other, kept)
        if judged(look, auditor.rules) != "unsafe":
            continue
        moved = flagged(look, auditor.rules)
        found[one, other] = (
            f"together they turn {classes[moved[0].source]} into {classes[moved[0].target]}"
            if moved
            else f"together they show: told from another picture in {percent(look.rank)} of pairs"
        )
    return found


def weakest(pairs: dict[tuple[str, str], str], shows: dict[str, float]) -> list[Clash]:
    """Return what is dropped until no pair is left: whoever is in most pairs, then whoever shows.

    Args:
        pairs: those that must not stay together, with the reason.
        shows: name -> rank rate.

    Example:
        >>> pairs = {("a", "b"): "they show", ("b", "c"): "they show"}
        >>> weakest(pairs, {"a": 0.7, "b": 0.5, "c": 0.5})[0].dropped
        'b'
    """
    left, found = dict(pairs), []
    while left:
        counts = Counter(name for pair in left for name in pair)
        worst = max(counts, key=lambda name: (counts[name], shows[name], name))
        gone = [pair for pair in left if worst in pair]
        found += [Clash(*pair, left.pop(pair), worst) for pair in gone]
    return found


def repeats(
    auditor: Auditor, kept: dict[str, Branch], weight: dict[str, float], seeds: Seeds
) -> list[Clash]:
    """Return the operations whose work another one of the set does already.

    B repeats A where what B makes of a picture lies, on average, within a quarter of the way that B
    moved it from the nearest of 16 draws of A.

    Args:
        auditor: with the pictures to look at.
        kept: name -> branch.
        weight: name -> how far it moves a picture; of two that repeat each other the weaker goes.
        seeds: keys the draws.
    """
    rows = auditor.bench.rows
    rows = rows[evenly(len(rows), LOOKED_AT)]
    pictures = torch.from_numpy(np.ascontiguousarray(auditor.bench.data.images[rows]))
    many = {n: _drawn(pictures, b, DRAWS, seeds.child("many", n)) for n, b in kept.items()}
    one = {n: _drawn(pictures, b, 1, seeds.child("one", n))[0] for n, b in kept.items()}
    gone: list[Clash] = []
    for b in sorted(kept, key=lambda name: weight[name]):
        dropped = {clash.dropped for clash in gone}
        for a in kept:
            if a != b and a not in dropped and _near(one[b], many[a], pictures) < SAME:
                gone.append(Clash(a, b, f"{a} already does what {b} does", b))
                break
    return gone


def _drawn(pictures: Tensor, branch: Branch, count: int, seeds: Seeds) -> list[Tensor]:
    policy, (height, width) = policy_of(branch), pictures.shape[2:]
    return [
        ops.apply(
            pictures, ops.draw(policy, len(pictures), seeds.child(i).numpy(), (height, width))
        ).float()
        for i in range(count)
    ]


def _near(made: Tensor, draws: list[Tensor], pictures: Tensor) -> float:
    """Return the distance of B's pictures to the nearest draw of A, over that to the picture."""
    way = (made - pictures.float()).abs().mean((1, 2, 3))
    apart = torch.stack([(made - draw).abs().mean((1, 2, 3)) for draw in draws]).amin(0)
    moved = way > 0
    return float((apart[moved] / way[moved]).mean()) if bool(moved.any()) else 1.0
