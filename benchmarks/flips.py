"""Do flips hurt digits and characters? Flip and crop apart, paired seeds, on the validation part.

    .venv/bin/python benchmarks/flips.py [--shared ../shared/data] [--seeds 6]

Writes benchmarks/results/flips.json: the mean difference to `none` in points, its 95 % t interval,
n, and the origin.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from learnaug import nets, rundir, stats
from learnaug.data import load, split
from learnaug.methods import PolicyAugmenter
from learnaug.ops import Element, Policy, Stage
from learnaug.seeds import Seeds
from learnaug.training import (
    Keep,
    Phase,
    Recipe,
    choose_precision,
    default_epochs,
    fit,
    measure,
    predict,
    threads,
)

CPU = torch.device("cpu")
FLIP = Stage(((Element("hflip", p=0.5),),))
CROP = Stage(((Element("pad_crop", 0.125),),))
POLICIES = {
    "none": Policy((), "none"),
    "crop": Policy((CROP,), "crop"),
    "flip": Policy((FLIP,), "flip"),
    "crop+flip": Policy((CROP, FLIP), "crop+flip"),
}
WORLDS = {"digits": "digits", "emnist": "emnist/emnist.npz"}


def main() -> None:
    """Train every policy with every seed and write the paired differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default="../shared/data")
    parser.add_argument("--seeds", type=int, default=6)
    arguments = parser.parse_args()
    result = {"origin": rundir.origin(["benchmarks/flips.py"]), "rows": []}
    precision = choose_precision(CPU)
    for name, source in WORLDS.items():
        data = load(source if source == name else f"{arguments.shared}/{source}")
        parts = split(data, Seeds(0).child("split"), per_class=20)
        train, valid = data.take(parts.train), data.take(parts.valid)
        recipe = Recipe(epochs=default_epochs(len(train)))
        scores: dict[str, list[float]] = {policy: [] for policy in POLICIES}
        for seed in range(arguments.seeds):
            seeds = Seeds(seed)
            for policy, given in POLICIES.items():
                net = nets.build(
                    "smallnet", channels=1, size=data.size, classes=len(data.classes),
                    seeds=seeds.child("init"),
                )  # fmt: skip
                with threads(1):
                    model = fit(
                        net, train, None, (Phase(PolicyAugmenter(given)),), recipe,
                        seeds=seeds, device=CPU, precision=precision, keep=Keep(),
                    )  # fmt: skip
                    found = measure(
                        predict(model, valid, CPU, precision), valid.labels, valid.classes
                    )
                scores[policy].append(found["accuracy"])
        for policy in POLICIES:
            pair = stats.paired(scores[policy], scores["none"])
            row = {
                "data": name, "per_class": 20, "net": "smallnet", "policy": policy,
                "scores": scores[policy], "difference": pair.mean, "interval": pair.interval,
                "p": pair.p, "n": pair.n, "valid_images": len(valid),
            }  # fmt: skip
            result["rows"].append(row)
            print(row, flush=True)
        rundir.write_json(Path("benchmarks/results/flips.json"), result)


if __name__ == "__main__":
    main()
