"""Is the default recipe near the best of a small grid? Scores on the validation part, no test part.

    .venv/bin/python benchmarks/recipe.py [--shared ../shared/data] [--seeds 3] [--epochs N]

Trains `none` with every combination of optimiser, learning rate and weight decay on two data sets
and writes benchmarks/results/recipe.json: the mean validation accuracy of each, n and origin.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
import torch

from learnaug import nets, rundir
from learnaug.data import load, split
from learnaug.methods.table import augmenter
from learnaug.seeds import Seeds
from learnaug.training import (
    Augmenter,
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
NONE = augmenter("none")
GRID = [
    *product(["adamw"], [1e-3, 3e-3, 1e-2], [0.01, 0.05, 0.2]),
    *product(["sgd"], [0.01, 0.03, 0.1], [5e-4, 5e-3]),
]
WORLDS = {"digits": ("digits", 20, "smallnet"), "cifar10": ("cifar10/cifar10.zip", 100, "smallnet")}


def score(world, recipe: Recipe, seed: int, augment: Augmenter = NONE) -> float:
    """Train once with an augmenter and return the validation accuracy."""
    train, valid, net = world
    seeds = Seeds(seed)
    make = nets.build(
        net, channels=train.channels, size=train.size, classes=len(train.classes),
        seeds=seeds.child("init"),
    )  # fmt: skip
    precision = choose_precision(CPU)
    model = fit(
        make, train, None, (Phase(augment),), recipe,
        seeds=seeds, device=CPU, precision=precision, keep=Keep(),
    )  # fmt: skip
    return measure(predict(model, valid, CPU, precision), valid)["accuracy"]


def main() -> None:
    """Run the grid on both data sets and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default="../shared/data")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    out = Path("benchmarks/results/recipe.json")
    result = {"origin": rundir.origin(["benchmarks/recipe.py"]), "rows": []}
    for name, (source, per_class, net) in WORLDS.items():
        data = load(source if source == "digits" else f"{arguments.shared}/{source}")
        parts = split(data, Seeds(0).child("split"), per_class=per_class)
        world = data.take(parts.train), data.take(parts.valid), net
        epochs = default_epochs(len(parts.train))
        for optimiser, lr, decay in GRID:
            recipe = Recipe(epochs=epochs, optimiser=optimiser, lr=lr, weight_decay=decay)
            with threads(1):
                scores = [score(world, recipe, seed) for seed in range(arguments.seeds)]
            row = {
                "data": name, "per_class": per_class, "net": net, "epochs": epochs,
                "optimiser": optimiser, "lr": lr, "weight_decay": decay,
                "n": len(scores), "valid_images": len(parts.valid),
                "mean": round(float(np.mean(scores)), 4),
                "sd": round(float(np.std(scores, ddof=1)), 4),
            }  # fmt: skip
            result["rows"].append(row)
            print(json.dumps(row), flush=True)
            rundir.write_json(out, result)


if __name__ == "__main__":
    main()
