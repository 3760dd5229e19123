"""Some methods on the data, parts and recipe of one block of `learnaug reproduce`, paired.

    .venv/bin/python benchmarks/block.py aws small-data cifar10-400 --methods aws \
        --baseline trivialaugment --model wrn-16-2 --seeds 3
    .venv/bin/python benchmarks/block.py neural-augmentation table-1 dogs-goldfish --methods \
        traditional style-transfer:styles=../shared/data/paintings/paintings.zip,which=monet

For a net that the table does not have, or for a few of its rows. Every run is scored once on the
sealed test part. Scores, differences to the baseline (95 % t interval) and the mean seconds of a
run, its learning included, also as multiples of one of the baseline's, go into
benchmarks/results/block-PAPER-TABLE-BLOCK-MODEL.json. Stopped and called again it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from learnaug import rundir
from learnaug.reproduce import PAPERS
from learnaug.reproduce.rows import Block
from learnaug.reproduce.sources import pictures, place
from learnaug.study import Pairs, pairs

RESULTS = Path(__file__).resolve().parent / "results"


def told(found: Pairs) -> dict[str, Any]:
    """Return what the runs found, as plain JSON data: fractions, seconds."""
    plan = found.plan
    unit = found.arms[plan.baseline].seconds
    arms: dict[str, Any] = {}
    for method, arm in found.arms.items():
        arms[method] = {"scores": [round(arm.scores[seed], 6) for seed in sorted(arm.scores)]}
        if arm.seconds and unit:
            arms[method] |= {
                "seconds": round(arm.seconds, 1), "cost": round(arm.seconds / unit, 2)
            }  # fmt: skip
        paired = found.difference(method)
        if method != plan.baseline and paired:
            arms[method]["difference"] = [
                round(x, 6) for x in (paired.mean, *(paired.interval or ()))
            ]
        if arm.errors:
            arms[method]["errors"] = list(arm.errors)
    return {
        "baseline": plan.baseline,
        "model": plan.model,
        "epochs": plan.recipe.epochs,
        "sizes": found.sizes,
        "arms": arms,
    }


def main() -> None:
    """Run what is missing and write all that was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("paper", "table", "block"):
        parser.add_argument(name)
    parser.add_argument("--methods", nargs="+", required=True)
    parser.add_argument("--baseline", default="none")
    parser.add_argument("--model", help="in place of the block's net")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, help="run folder; learnaug-runs/BLOCK-MODEL by default")
    given = parser.parse_args()
    torch.set_num_threads(1)  # one run at a time, on one core
    table = PAPERS[given.paper][given.table]
    block = next(each for each in table.blocks if each.key == given.block)
    if not isinstance(block, Block):
        parser.error(f"{given.block} is no block of pairs")
    where, size = place(block.source, given.data), block.small
    if where is None:
        parser.error(f"{block.source.places[0]} is not in {given.data}")
    model = given.model or size.model or block.model
    found = pairs(
        pictures(block.source, where, size), given.methods, baseline=given.baseline,
        seeds=given.seeds, model=model, recipe=size.recipe, per_class=size.per_class, jobs=1,
        drop_duplicates=True, accept_change=True,
        out=given.out or Path("learnaug-runs") / f"{given.block}-{model}",
    )  # fmt: skip
    name = f"block-{given.paper}-{given.table}-{given.block}-{model}.json"
    kept = told(found) | {"origin": rundir.origin(sys.argv)}
    rundir.write_text(RESULTS / name, json.dumps(kept, indent=1) + "\n")
    print(json.dumps(kept["arms"], indent=1))


if __name__ == "__main__":
    main()
