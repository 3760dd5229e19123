"""Some methods on the data, parts and recipe of one block of `learnaug reproduce`, paired.

    .venv/bin/python benchmarks/block.py aws small-data cifar10-400 --methods aws \
        --baseline trivialaugment --model wrn-16-2 --seeds 3
    .venv/bin/python benchmarks/block.py neural-augmentation table-1 dogs-goldfish --methods \
        traditional style-transfer:styles=../shared/data/paintings/paintings.zip,which=monet

For a net that the table does not have, or for a few of its rows. Every run is scored once on the
sealed test part. Scores, differences to the baseline (95 % t interval), and for each run the
seconds of its learning and of its target's training, the former also as multiples of the baseline's
training with that seed, go into benchmarks/results/block-PAPER-TABLE-BLOCK-MODEL.json. Stopped and
called again it goes on.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from learnaug import rundir
from learnaug.reproduce import PAPERS
from learnaug.reproduce.rows import Block
from learnaug.reproduce.sources import pictures, place
from learnaug.study import Pairs, pairs
from learnaug.study.job import read_status

FOLDER = re.compile(r"(generator|styles)=[^,+]*/")  # what leads to a folder in a method's settings
RESULTS = Path(__file__).resolve().parent / "results"


def told(found: Pairs) -> dict[str, Any]:
    """Return what the runs found, as plain JSON data: fractions, seconds."""
    plan, arms = found.plan, dict[str, Any]()
    unit = seconds(found, plan.baseline)
    for method, arm in found.arms.items():
        own, seeds = seconds(found, method), sorted(arm.scores)
        row = arms[FOLDER.sub(r"\1=", method)] = {
            "scores": [round(arm.scores[seed], 6) for seed in seeds],
            "learn_seconds": [round(own[seed]["learn"], 1) for seed in seeds],
            "train_seconds": [round(own[seed]["train"], 1) for seed in seeds],
            "learn_in_trainings": [
                round(own[seed]["learn"] / unit[seed]["train"], 2) for seed in seeds if seed in unit
            ],
        }
        paired = found.difference(method)
        if method != plan.baseline and paired:
            row["difference"] = [
                round(value, 6) for value in (paired.mean, *(paired.interval or ()))
            ]
        if arm.errors:
            row["errors"] = list(arm.errors)
    return {
        "baseline": plan.baseline, "model": plan.model, "epochs": plan.recipe.epochs,
        "sizes": found.sizes, "arms": arms,
    }  # fmt: skip


def seconds(found: Pairs, method: str) -> dict[int, dict[str, float]]:
    """Return the seconds of each finished run of a method, by seed."""
    return {
        seed: read_status(rundir.run_folder(found.out, method, seed))["seconds"]
        for seed in found.arms[method].scores
    }


def main() -> None:
    """Run what is missing and write all that was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("paper", "table", "block"):
        parser.add_argument(name)
    parser.add_argument("--methods", nargs="+", required=True)
    parser.add_argument("--baseline", default="none")
    parser.add_argument("--model", help="in place of the block's net")
    parser.add_argument("--epochs", type=int, help="in place of the block's; named in the file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, help="run folder; learnaug-runs/BLOCK-MODEL by default")
    given = parser.parse_args()
    torch.set_num_threads(1)  # one run at a time, on one core
    table = PAPERS[given.paper][given.table]
    known = {each.key: each for each in table.blocks if isinstance(each, Block)}
    if given.block not in known:
        parser.error(f"{given.block} is none of {', '.join(known)}")
    block = known[given.block]
    where, size = place(block.source, given.data), block.small
    if where is None:
        parser.error(f"{block.source.places[0]} is not in {given.data}")
    model = given.model or size.model or block.model
    found = pairs(
        pictures(block.source, where, size), given.methods, baseline=given.baseline,
        seeds=given.seeds, model=model,
        recipe=replace(size.recipe, epochs=given.epochs or size.recipe.epochs),
        per_class=size.per_class, jobs=1,
        drop_duplicates=True, accept_change=True,
        out=given.out or Path("learnaug-runs") / f"{given.block}-{model}",
    )  # fmt: skip
    words = [given.paper, given.table, given.block, model]
    words += [f"{given.epochs}-epochs"] if given.epochs else []
    name = f"block-{'-'.join(words)}.json"
    first = rundir.run_folder(found.out, found.plan.baseline, 0)
    kept = told(found) | {"origin": rundir.read_json(rundir.origin_path(first))}
    rundir.write_text(RESULTS / name, json.dumps(kept, indent=1) + "\n")
    print(json.dumps(kept["arms"], indent=1))


if __name__ == "__main__":
    main()
