"""Which rule finds good elements in a toy where the truth is known: the published one, or subsets.

    .venv/bin/python benchmarks/search.py [SEEDS]

36 elements have effects N(0, 1 point). A trial is rewarded by the mean effect of what it drew, plus
noise. `published`: PPO over 36 x 36 pairs, one policy a trial, 4,000 or 400,000 draws; the pair's
effect is the sum of its elements'. `noise alone`: the same with rewards that say nothing.
`subsets`: the search of `aws` with trials on so many elements, and its fall back where shuffled
rewards fit as well. Kept are the points gained over drawing all alike (mean and standard deviation
over seeds) and the effective number of elements. What a real search gains is smaller.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learnaug import rundir
from learnaug.methods.aws.ppo import PairTable
from learnaug.methods.aws.race import LEVEL
from learnaug.methods.aws.screening import design, odds, posterior, related, surprise
from learnaug.methods.aws.search import effective
from learnaug.methods.aws.space import space_of
from learnaug.ops import spaces
from learnaug.ops.sets import operations_of
from learnaug.seeds import Seeds

RESULT = Path(__file__).resolve().parent / "results" / "search.json"
SPACE = space_of(operations_of(spaces.trivialaugment(), "t"))
KERNEL, PRIOR = related(np.array(SPACE.owner)), SPACE.chances()
Floats = NDArray[np.float64]


def published(
    effects: Floats, trials: int, draws: int, noise: float, seeds: Seeds, shuffled: bool = False
) -> tuple[float, float]:
    """Return the gain and the effective number of first elements of PPO over pairs."""
    gen, table = seeds.numpy(), PairTable(spaces.elements36(), "multinomial")
    pairs = effects[:, None] + effects[None]
    best, chosen = -np.inf, table.chances()
    for _ in range(trials):
        chances = table.chances()
        counts = gen.multinomial(draws, chances.ravel() / chances.sum()).reshape(pairs.shape)
        reward = float((counts * pairs).sum() / draws) + gen.normal(0, noise)
        reward = gen.normal(0, noise) if shuffled else reward
        if reward > best:
            best, chosen = reward, chances
        table.reward(reward, counts)
    return float((chosen * pairs).sum() - pairs.mean()), effective(chosen.sum(1))


def subsets(
    effects: Floats, trials: int, size: int, noise: float, seeds: Seeds
) -> tuple[float, float]:
    """Return the gain and the effective number of elements of the search by subsets."""
    drawn = design(len(SPACE), trials, size, seeds.child("subsets")) * PRIOR
    shares = drawn / drawn.sum(1, keepdims=True)
    rewards = shares @ effects + seeds.numpy().normal(0, noise, trials)
    found = posterior(shares, rewards, KERNEL)
    learned = surprise(shares, rewards, KERNEL, seeds.child("shuffles")) < LEVEL
    chances = SPACE.chances(odds(found)) if learned else PRIOR
    return float((chances - PRIOR) @ effects), effective(chances)


def main() -> None:
    """Run all rules with all seeds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rows = []
    for noise in (0.25, 1.0):
        for trials in (40, 350):
            rules = {
                "published, 400,000 draws": lambda e, s, n=noise, t=trials: published(
                    e, t, 400_000, n, s
                ),
                "published, 4,000 draws": lambda e, s, n=noise, t=trials: published(
                    e, t, 4_000, n, s
                ),
                "published, rewards of noise alone": lambda e, s, n=noise, t=trials: published(
                    e, t, 4_000, n, s, shuffled=True
                ),
                **{
                    f"subsets of {size}": lambda e, s, n=noise, t=trials, m=size: subsets(
                        e, t, m, n, s
                    )
                    for size in (2, 4, 8, 18)
                },
            }
            for name, rule in rules.items():
                seen = []
                for seed in range(count):
                    effects = Seeds(seed).child("effects").numpy().normal(size=len(SPACE))
                    seen.append(rule(effects, Seeds(seed).child(name, trials)))
                gains, numbers = np.array(seen).T
                rows.append({
                    "rule": name, "trials": trials, "noise": noise, "seeds": count,
                    "gain": round(float(gains.mean()), 3), "sd": round(float(gains.std(ddof=1)), 3),
                    "effective": round(float(numbers.mean()), 1),
                })  # fmt: skip
                print(rows[-1], flush=True)
    told = {"versions": rundir.versions(), "rows": rows}
    rundir.write_text(RESULT, json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
