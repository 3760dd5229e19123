"""Does a way to augment for each class do better than one for all?

    .venv/bin/python benchmarks/classwise.py cifar10|emnist [DATA FOLDER] [--seeds 3]

Four ways (a mirror or none, a padded crop or none: what decides most in ways.py, and what classes
could want differently) are trained whole with SmallNet, twice. On one half of held-out training
pictures the best way is chosen for all classes by accuracy, and for each class by its recall there;
fresh targets are trained with both choices, and scored on the other half. The test part is not
read. Also said: how far two runs agree on what ways do to single classes beyond what they do to all
("reliability", a correlation), and the gain that choosing each class's way promises on the half
that chose it.
Writes its set into benchmarks/results/classwise.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ways import CPU, parts_of, way

from learnaug import nets, rundir, stats
from learnaug.data import Batch, ImageSet
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, predict
from learnaug.training.target import fit

RESULT = Path(__file__).resolve().parent / "results" / "classwise.json"
WAYS = tuple(product((0, 1), (0, 1), (0,), (0,)))  # mirror, crop, cutout, draws
RUNS = 2  # trainings of each way that the choice rests on


@dataclass(frozen=True, eq=False)
class Classwise:
    """Augments every picture in the way of its class.

    Args:
        ways: of each class.
    """

    ways: tuple[PolicyAugmenter, ...]
    mixes: bool = False
    by_class: bool = True

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the batch with each picture taken from the way of its class."""
        labels, images = batch.targets.argmax(1), batch.images.clone()
        for number, own in enumerate(dict.fromkeys(self.ways)):
            mine = torch.tensor([self.ways[int(label)] is own for label in labels])
            made = own(batch, source, seeds.child("way", number)).images
            images[mine] = made[mine]
        return replace(batch, images=images)


def recall(model: torch.nn.Module, part: ImageSet) -> NDArray[np.float64]:
    """Return the share of each class's pictures that are told right: float [K]."""
    right = predict(model, part, CPU, "bf16").argmax(1) == part.labels
    return np.array([right[part.labels == k].mean() for k in range(len(part.classes))])


def measured(name: str, folder: Path, seeds: int) -> dict[str, Any]:
    """Return what choosing by class promises, and what it keeps."""
    train, held, recipe = parts_of(name, folder)
    order = np.random.default_rng(1).permutation(len(held))
    mine = [order[held.labels[order] == k] for k in range(len(held.classes))]
    choosing, scoring = (
        held.take(np.concatenate([rows[side::2] for rows in mine])) for side in (0, 1)
    )
    policies = [PolicyAugmenter(way(*each)) for each in WAYS]

    def trained(own: Any, seed: int) -> torch.nn.Module:
        node = Seeds(0).child("classwise", seed)
        net = nets.build(
            "smallnet", channels=train.channels, size=train.size, classes=len(train.classes),
            seeds=node.child("init"),
        )  # fmt: skip
        return fit(
            net, train, None, (Phase(own),), recipe, seeds=node.child("train"), device=CPU,
            precision="bf16", keep=Keep(),
        )  # fmt: skip

    found = np.zeros((RUNS, len(WAYS), len(train.classes)))
    for seed, number in product(range(RUNS), range(len(WAYS))):
        found[seed, number] = recall(trained(policies[number], seed), choosing)
        print(seed, WAYS[number], round(float(found[seed, number].mean()), 4), flush=True)
    mean = found.mean(0)
    best, each = int(mean.mean(1).argmax()), mean.argmax(0)
    apart = found - found.mean(1, keepdims=True)  # between ways, within a run and class
    # What ways and classes have beside the mean of the ways: this alone is what a class could use.
    own = apart - apart.mean(2, keepdims=True)
    same = np.corrcoef(own[0].ravel(), own[1].ravel())[0, 1]
    arms = {"one for all": policies[best], "by class": Classwise(tuple(policies[w] for w in each))}
    scores = {
        arm: [
            float(recall(trained(policy, seed), scoring).mean())
            for seed in range(RUNS, RUNS + seeds)
        ]
        for arm, policy in arms.items()
    }
    paired = stats.paired(scores["by class"], scores["one for all"])
    return {
        "pictures": [len(train), len(choosing), len(scoring)],
        "epochs": recipe.epochs,
        "mirror_crop_cutout_draws": WAYS,
        "recall": mean.round(4).tolist(),
        "one for all": WAYS[best],
        "by class": [WAYS[w] for w in each],
        "promised": round(float(mean.max(0).mean() - mean[best].mean()), 4),
        "reliability": round(float(same), 3),
        "scores": scores,
        "difference": [paired.mean, *paired.interval],
        "n": seeds,
    }


def main() -> None:
    """Measure one set and put it into the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("cifar10", "emnist"))
    parser.add_argument("folder", nargs="?", default="../shared/data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    known[given.name] = measured(given.name, given.folder, given.seeds)
    known[given.name]["origin"] = rundir.origin(sys.argv)
    RESULT.write_text(json.dumps(known, indent=1) + "\n")
    print(json.dumps({k: v for k, v in known[given.name].items() if k != "recall"}))


if __name__ == "__main__":
    main()
