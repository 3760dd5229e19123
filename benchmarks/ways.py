"""Do short trials rank 24 ways to augment as whole trainings do? From which shared weights?

Every combination of a mirror, a padded crop, cutout, and none, one or two operations of
TrivialAugment: trained whole (SmallNet, one seed), and tried for a share of a training from weights
that half a training made, without augmentation ("plain") or with all ways mixed ("even"). Figures
are those of held-out training pictures; the test part is not read.

    python benchmarks/ways.py cifar10|emnist [DATA FOLDER]     about 30 and 25 minutes of one core

benchmarks/results/ways.json has both sets, with Spearman's correlations to the whole trainings.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from learnaug import nets, rundir
from learnaug.data import ImageSet
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.proxy import Schedule, shared
from learnaug.ops import spaces
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.reproduce.rows import Size
from learnaug.reproduce.safe import CIFAR, EMNIST
from learnaug.reproduce.sources import pictures, place
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, goal_of
from learnaug.training.target import fit

RESULT = Path(__file__).resolve().parent / "results" / "ways.json"
SETS = {"cifar10": (CIFAR, 32, 400, 100, 20), "emnist": (EMNIST, 28, 50, 60, 40)}
TRIALS = (("even", 0.05), ("even", 0.1), ("even", 0.2), ("plain", 0.1))
FIRST = 0.5
CPU = torch.device("cpu")
FLIP, CROP = (Element("hflip", p=0.5),), (Element("pad_crop", 0.125),)
CUT = (Element("cutout", 0.5),)


def way(flip: int, crop: int, cut: int, draws: int) -> Policy:
    """Return the policy of a combination."""
    (drawn,) = spaces.trivialaugment().stages
    chosen = [Stage((branch,)) for on, branch in ((flip, FLIP), (crop, CROP)) if on]
    return Policy((*chosen, *(drawn,) * draws, *([Stage((CUT,))] if cut else [])), "way")


def even() -> Policy:
    """Return the policy that mixes all ways: each part acts as often as in all of them."""
    (drawn,) = spaces.trivialaugment().stages
    still = (Element("identity"),)
    lazy = [
        Stage((still, *drawn.branches), (14 * (1 - p) / p, *(1.0,) * 14)) for p in (2 / 3, 1 / 3)
    ]
    parts = [Stage((still, branch)) for branch in (FLIP, CROP, CUT)]
    return Policy((parts[0], parts[1], *lazy, parts[2]), "even")


def parts_of(name: str, folder: Path) -> tuple[ImageSet, ImageSet, Recipe]:
    """Return what trains and what scores: some pictures of each class, none of a test part."""
    source, side, train, valid, epochs = SETS[name]
    where = place(source, folder)
    if where is None:
        sys.exit(f"{source.words} is not in {folder}")
    data = pictures(source, where, Size(side, Recipe(epochs=1)))
    data = data.take(np.flatnonzero(data.parts != "test"))
    order = np.random.default_rng(0).permutation(len(data))
    mine = [order[data.labels[order] == label] for label in range(len(data.classes))]
    cut = [np.sort(np.concatenate(each)) for each in zip(
        *((rows[:train], rows[train : train + valid]) for rows in mine), strict=True
    )]  # fmt: skip
    return data.take(cut[0]), data.take(cut[1]), Recipe(epochs=epochs)


def measured(name: str, folder: Path) -> dict[str, Any]:
    """Return score and cross entropy of every way, trained whole and tried."""
    train, valid, recipe = parts_of(name, folder)
    goal, rows = goal_of(valid), []

    def net(seeds: Seeds) -> torch.nn.Module:
        size, classes = train.size, len(train.classes)
        seeds = seeds.child("init")
        return nets.build(
            "smallnet", channels=train.channels, size=size, classes=classes, seeds=seeds
        )

    for settings in product((0, 1), (0, 1), (0, 1), (0, 1, 2)):
        phases = (Phase(PolicyAugmenter(way(*settings))),)
        model = fit(
            net(Seeds(0)), train, None, phases, recipe, seeds=Seeds(0).child("train"), device=CPU,
            precision="bf16", keep=Keep(),
        )  # fmt: skip
        found = goal.measure(goal.predict(model, valid, CPU, "bf16"), valid)
        whole = [float(found[goal.score]), float(found["nll"])]
        rows.append({"flip_crop_cutout_draws": settings, "whole": whole})
        print(rows[-1], flush=True)
    for start, late in TRIALS:
        proxy = shared(
            net(Seeds(1)), (train, valid),
            PolicyAugmenter(even() if start == "even" else Policy((), "plain")), None,
            Schedule(recipe, FIRST, late), seeds=Seeds(1), device=CPU, precision="bf16",
            keep=Keep(),
        )  # fmt: skip
        for row in rows:
            own = PolicyAugmenter(way(*row["flip_crop_cutout_draws"]))
            look = proxy.trial(own, 0, Keep())[-1]
            row[f"{start} {late}"] = [look.score, look.nll]
    return {"pictures": [len(train), len(valid)], "epochs": recipe.epochs, "ways": rows}


def ranks(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return Spearman's correlation of the whole trainings' scores to those of the trials."""
    whole = [row["whole"][0] for row in found["ways"]]
    kinds = [f"{start} {late}" for start, late in TRIALS]
    return {
        kind: {
            "score": round(float(spearmanr(whole, [r[kind][0] for r in found["ways"]])[0]), 3),
            "log likelihood": round(
                float(spearmanr(whole, [-r[kind][1] for r in found["ways"]])[0]), 3
            ),
        }
        for kind in kinds
    }


def main() -> None:
    """Measure one set and put it into the file."""
    torch.set_num_threads(1)
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in SETS:
        sys.exit(__doc__)
    found = measured(name, Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data"))
    known = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    known[name] = found | {"spearman": ranks(found), "origin": rundir.origin(sys.argv)}
    RESULT.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
