"""How a search came to what it found: what it believed after each share of its trials.

Nothing is trained for it: the rewards of the first t trials are read again, and so are rewards that
were dealt out to the trials anew, which say how sharp a policy chance alone gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.methods.aws.race import Raced
from learnaug.methods.aws.screening import (
    LEAST,
    RELATED,
    SHUFFLES,
    Posterior,
    odds,
    posterior,
    related,
    surprise,
)
from learnaug.methods.aws.search import Screened, effective
from learnaug.methods.aws.space import Space
from learnaug.methods.aws.structure import DRAWN, LEVELS, Structures
from learnaug.ops.describe import describe_branch
from learnaug.ops.policy import Element
from learnaug.seeds import Seeds

__all__ = ["course", "marks", "of_pairs", "of_race", "of_screening", "spread"]

STEPS = 20
DEALT = 19  # times that the rewards are dealt out anew, for the band of chance
SAMPLES = 2_000  # draws of all effects, for the chance to be the best
ABOUT_RACE = (
    "Each row is a part of a policy: in percent, how many of all ways to augment have it, and "
    "whether the policy that is used has it; and its effect: nats of reward of the ways with it "
    "over those without it"
)
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
    kernel: Floats,
    stages: Sequence[str],
    chances: Callable[[Floats], Floats],
    seeds: Seeds,
) -> list[dict[str, Any]]:
    """Return what the first t trials say, for even shares t of them.

    Args:
        shares: float [T, n], as for `posterior`.
        rewards: float [T].
        kernel: float [n, n], as for `posterior`.
        stages: n names, as for `spread`.
        chances: from weights to the probability of each row: float [n] to float [n].
        seeds: those of the search: its "shuffles" give the p-values, "dealt" the band of chance.
    """
    dealt = _dealt(rewards, seeds)

    def believed(found: Posterior) -> Floats:
        return chances(odds(found))

    steps = []
    for t in marks(len(rewards)):
        found = posterior(shares[:t], rewards[:t], kernel)
        probability = believed(found)
        shuffles = SHUFFLES if t == len(rewards) else FEW
        p = surprise(shares[:t], rewards[:t], kernel, seeds.child("shuffles"), shuffles)
        others = [posterior(shares[:t], other[:t], kernel) for other in dealt]
        sharp = [spread(believed(other), stages) for other in others]
        steps.append(
            {
                "trials": t,
                "probability": _rounded(probability),
                "permuted_reward_p": round(p, 5),
                "signal_to_noise": round(float(np.sqrt(found.ratio)), 4),
                "effective": round(spread(probability, stages), 2),
                "effective_shuffled": _band(sharp),
            }
        )
    return steps


def of_screening(found: Screened, space: Space, seeds: Seeds) -> dict[str, Any]:
    """Return the history of trials on subsets as plain JSON data.

    Args:
        found: what they found.
        space: n elements.
        seeds: those of the search.
    """
    kernel, stages = related(np.array(space.owner)), ["draw"] * len(space)
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
    steps = course(found.shares, found.rewards, kernel, stages, space.chances, seeds)
    return {
        "reward": "validation log likelihood, nats",
        "counted": "elements",
        "effective_before": round(spread(space.chances(), stages), 2),
        "rows": rows,
        "steps": steps,
    }


def of_race(raced: Raced, ways: Structures, seeds: Seeds) -> dict[str, Any]:
    """Return the history of a race as plain JSON data: a row for each part of a combination.

    A row's probability is the chance that the best combination has this part, by draws from the
    posterior of the first t trials; at the end 1 or 0. Its effect is the mean reward of the
    combinations with it less that of those without it.

    Args:
        raced: what the race found.
        ways: S combinations.
        seeds: those of the search.
    """
    parts = _parts(ways)
    has = np.array([[each[factor] == level for each in ways.all] for factor, level in parts], float)
    split = has / has.sum(1, keepdims=True) - (1 - has) / np.maximum(1, (1 - has).sum(1))[:, None]
    effects = split @ raced.posterior.mean
    spreads = np.sqrt(np.maximum(np.einsum("ps,st,pt->p", split, raced.posterior.cov, split), 0))
    rows = [
        {
            "name": LEVELS[level][2] if factor == DRAWN else factor,
            "group": level if factor == DRAWN else factor,
            "stage": factor,
            "before": round(float(has[row].mean()), 5),
            "probability": float(has[row, raced.chosen]),
            "effect": round(float(effects[row]), 6),
            "sd": round(float(spreads[row]), 6),
        }
        for row, (factor, level) in enumerate(parts)
    ]
    made = sum(len(each) for each in raced.rounds) + len(raced.repeats)
    last = {
        "trials": made, "probability": _rounded(has[:, raced.chosen]),
        "effective": 1.0, "effective_shuffled": [1.0, 1.0],
    }  # fmt: skip
    return {
        "reward": "validation log likelihood, nats",
        "counted": "ways to augment",
        "effective_before": float(len(ways.all)),
        "about": ABOUT_RACE,
        "rows": rows,
        "steps": [*_race_steps(raced, ways, has, seeds), last],
    }


def _parts(ways: Structures) -> list[tuple[str, str]]:
    """Return factor and level of each row: of what acts or not, only that it acts."""
    return [
        (factor, level)
        for factor, levels in ways.levels.items()
        for level in (levels if factor == DRAWN else levels[1:])
        if len(levels) > 1
    ]


def _race_steps(raced: Raced, ways: Structures, has: Floats, seeds: Seeds) -> list[dict[str, Any]]:
    kernel, known = ways.kernel(RELATED), (raced.posterior.ratio, raced.posterior.noise)
    shares = np.eye(len(ways.all))[raced.order]
    normal = seeds.child("best").numpy().normal(size=(SAMPLES, len(ways.all)))
    dealt = _dealt(raced.rewards, seeds)

    def best(rewards: Floats) -> Floats:
        """Return the chance of each combination to be the best one: float [S]."""
        found = posterior(shares[: len(rewards)], rewards, kernel, known)
        values, vectors = np.linalg.eigh(found.cov)
        draws = found.mean + (normal * np.sqrt(np.maximum(values, 0))) @ vectors.T
        return np.bincount(draws.argmax(1), minlength=len(ways.all)) / SAMPLES

    steps = []
    for t in (t for t in marks(len(raced.rewards)) if t >= LEAST):
        chances = best(raced.rewards[:t])
        steps.append(
            {
                "trials": t,
                "probability": _rounded(has @ chances),
                "effective": round(effective(chances), 2),
                "effective_shuffled": _band([effective(best(other[:t])) for other in dealt]),
            }
        )
    return steps


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
            "effective_shuffled": _band(others),
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


def _dealt(rewards: Floats, seeds: Seeds) -> list[Floats]:
    """Return the rewards, dealt out to the trials anew several times."""
    return [seeds.child("dealt", k).numpy().permutation(rewards) for k in range(DEALT)]


def _band(values: Sequence[float]) -> list[float]:
    return [round(min(values), 2), round(max(values), 2)]


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 5) for value in values]
