"""Do flips hurt digits and characters? Flip and crop apart, paired seeds, on the validation part.

    .venv/bin/python benchmarks/flips.py [--shared ../shared/data] [--seeds 6]

Writes benchmarks/results/flips.json: the mean difference to `none` in points, its 95 % t interval,
n, and the origin.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recipe import score

from learnaug import rundir, stats
from learnaug.data import load, split
from learnaug.methods import PolicyAugmenter
from learnaug.ops import Element, Policy, Stage
from learnaug.seeds import Seeds
from learnaug.training import Recipe, default_epochs, threads

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
    for name, source in WORLDS.items():
        data = load(source if source == name else f"{arguments.shared}/{source}")
        parts = split(data, Seeds(0).child("split"), per_class=20)
        world = data.take(parts.train), data.take(parts.valid), "smallnet"
        recipe = Recipe(epochs=default_epochs(len(parts.train)))
        scores: dict[str, list[float]] = {policy: [] for policy in POLICIES}
        for seed in range(arguments.seeds):
            for policy, given in POLICIES.items():
                with threads(1):
                    found = score(world, recipe, seed, PolicyAugmenter(given))
                scores[policy].append(found)
        for policy in POLICIES:
            pair = stats.paired(scores[policy], scores["none"])
            row = {
                "data": name, "per_class": 20, "net": "smallnet", "policy": policy,
                "scores": scores[policy], "difference": pair.mean, "interval": pair.interval,
                "p": pair.p, "n": pair.n, "valid_images": len(parts.valid),
            }  # fmt: skip
            result["rows"].append(row)
            print(row, flush=True)
        rundir.write_json(Path("benchmarks/results/flips.json"), result)


if __name__ == "__main__":
    main()
