"""How a search came to what it found: what it believed after each share of its trials.

Nothing is trained for it: the rewards of the first t trials are read again, and so are rewards that
were dealt out to the trials anew, which say how sharp a policy chance alone gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.aws.screening import SHUFFLES, Posterior, odds, posterior, surprise
from learnaug.methods.aws.search import Found, effective
from learnaug.methods.aws.space import Space
from learnaug.ops.describe import describe_branch
from learnaug.ops.policy import Element
from learnaug.seeds import Seeds

__all__ = ["course", "marks", "of_pairs", "of_screening", "spread"]

STEPS = 20
DEALT = 19  # times that the rewards are dealt out anew, for the band of chance
FEW = 200  # shuffles on the way; at the end as many as the search itself

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def marks(trials: int, steps: int = STEPS) -> list[int]:
    """Return after how many trials the search is looked at: even shares, the last one at the end.

    Example:
        >>> marks(6, 3), marks(2, 20)
        ([2, 4, 6], [1, 2])
    """
    return sorted({round(trials * (i + 1) / steps) for i in range(steps)} - {0})


def spread(chances: Floats, stages: Sequence[str]) -> float:
    """Return the effective number of choices, exp(entropy), of the stages that have a choice.

    What is alone in its stage (a probability of happening at all) is left out; stages are drawn
    apart, so that their entropies add up.

    Args:
        chances: float [n], of sum 1 in each stage of several rows.
        stages: n names; rows of one name are one choice.

    Example:
        >>> spread(np.array([0.5, 0.5, 0.9]), ["draw", "draw", "crop"])
        2.0
    """
    owner = np.array(stages)
    rows = [owner == stage for stage in dict.fromkeys(stages)]
    return float(np.prod([effective(chances[mine]) for mine in rows if mine.sum() > 1]))


def course(
    shares: Floats,
    rewards: Floats,
    owner: Ints,
    stages: Sequence[str],
    chances: Callable[[Floats], Floats],
    seeds: Seeds,
) -> list[dict[str, Any]]:
    """Return what the first t trials say, for even shares t of them.

    Args:
        shares: float [T, n], as for `posterior`.
        rewards: float [T].
        owner: int64 [n], as for `posterior`.
        stages: n names, as for `spread`.
        chances: from weights to the probability of each row: float [n] to float [n].
        seeds: those of the search: its "shuffles" give the p-values, "dealt" the band of chance.
    """
    dealt = [seeds.child("dealt", k).numpy().permutation(rewards) for k in range(DEALT)]

    def believed(found: Posterior) -> Floats:
        return chances(odds(found))

    steps = []
    for t in marks(len(rewards)):
        found = posterior(shares[:t], rewards[:t], owner)
        probability = believed(found)
        shuffles = SHUFFLES if t == len(rewards) else FEW
        p = surprise(shares[:t], rewards[:t], owner, seeds.child("shuffles"), shuffles)
        others = [posterior(shares[:t], other[:t], owner) for other in dealt]
        sharp = [spread(believed(other), stages) for other in others]
        steps.append(
            {
                "trials": t,
                "probability": _rounded(probability),
                "permuted_reward_p": round(p, 5),
                "signal_to_noise": round(float(np.sqrt(found.ratio)), 4),
                "effective": round(spread(probability, stages), 2),
                "effective_shuffled": [round(min(sharp), 2), round(max(sharp), 2)],
            }
        )
    return steps


def of_screening(found: Found, space: Space, seeds: Seeds) -> dict[str, Any]:
    """Return the history of a search on subsets as plain JSON data.

    Args:
        found: what the search found.
        space: n elements.
        seeds: those of the search.
    """
    owner, stages = np.array(space.owner), ["draw"] * len(space)
    after = space.chances(found.weights)
    rows = [
        {
            "name": describe_branch(space.branches[e]),
            "group": space.names[space.owner[e]],
            "stage": stages[e],
            "before": round(space.prior[e], 5),
            "probability": round(float(after[e]), 5),
            "effect": round(float(found.posterior.mean[e]), 6),
            "sd": round(float(found.posterior.sd[e]), 6),
        }
        for e in range(len(space))
    ]
    steps = course(found.shares, found.rewards, owner, stages, space.chances, seeds)
    return {
        "reward": "validation log likelihood, nats",
        "counted": "elements",
        "effective_before": round(spread(space.chances(), stages), 2),
        "rows": rows,
        "steps": steps,
    }


def of_pairs(
    elements: Sequence[Element],
    chosen: Floats,
    loop: int,
    seen: Sequence[tuple[int, Floats]],
    rewards: Sequence[float],
    shuffled: Sequence[Sequence[float]],
) -> dict[str, Any]:
    """Return the history of a search over pairs as plain JSON data: the marginal of the first.

    Args:
        elements: n elements.
        chosen: float [n, n], probability of each pair in the policy that was chosen.
        loop: after how many loops that policy was in force.
        seen: loops so far, and the table then: float [n, n].
        rewards: of all loops.
        shuffled: for each search with rewards dealt out anew its effective number of pairs at the
            same marks.
    """
    n, after = len(elements), chosen.sum(1)
    rows = [
        {
            "name": describe_branch((element,)),
            "group": element.op,
            "stage": "first element",
            "before": round(1 / n, 5),
            "probability": round(float(after[e]), 5),
        }
        for e, element in enumerate(elements)
    ]
    steps = [
        {
            "trials": t,
            "probability": _rounded(table.sum(1)),
            "effective": round(effective(table.ravel()), 2),
            "effective_shuffled": [round(min(others), 2), round(max(others), 2)],
            "mean_reward": round(float(np.mean(rewards[:t])), 4),
        }
        for (t, table), others in zip(seen, zip(*shuffled, strict=True), strict=True)
    ]
    return {
        "reward": "validation score, percent",
        "counted": "pairs",
        "effective_before": float(n * n),
        "chosen": loop,
        "rows": rows,
        "steps": steps,
    }


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 5) for value in values]
