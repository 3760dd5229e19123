"""How fast are the nets for masks, and is the default recipe near the best of a small grid?

    .venv/bin/python benchmarks/segmentation.py [--shared ../shared/data] [--epochs 12] [--grid]

Speed: pictures a second of processor time in training, 64 x 64, 11 classes, one thread, in the
number format of the machine. Grid: `fpn-small` on CamVid at 64 x 64, trained on its training part
and scored on its validation part; the test part is not read.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from learnaug import nets
from learnaug.data import ImageSet, load
from learnaug.methods import load_augmenter
from learnaug.seeds import Seeds
from learnaug.training import (
    Keep,
    Phase,
    Recipe,
    choose_precision,
    fit,
    measure,
    predict,
    threads,
)

CPU = torch.device("cpu")
CLASSES = (
    "sky=0,building=1,pole=2,road=3,pavement=4,tree=5,sign=6,fence=7,car=8,pedestrian=9,"
    "bicyclist=10"
)
GRID = [
    (16, "sgd", 0.03, 5e-4), (16, "sgd", 0.1, 5e-4), (16, "adamw", 2e-3, 0.01),
    (64, "sgd", 0.03, 5e-4),
]  # fmt: skip


def made(name: str, data: ImageSet) -> torch.nn.Module:
    """Return a fresh net for the data."""
    return nets.build(
        name, channels=data.channels, size=data.size, classes=len(data.classes),
        seeds=Seeds(0), task="segmentation",
    )  # fmt: skip


def speeds(train: ImageSet) -> Iterator[tuple[str, float]]:
    """Yield net and pictures a second: the best of the updates behind the first four."""
    for name, row in nets.NETS.items():
        if row.task != "segmentation":
            continue
        marks: list[float] = []

        def enough(marks: list[float] = marks) -> bool:
            marks.append(time.process_time())
            return False

        fit(
            made(name, train), train, None, (Phase(load_augmenter("flip-crop")),),
            Recipe(epochs=1, batch_size=16), seeds=Seeds(0), device=CPU,
            precision=choose_precision(CPU), keep=Keep(stop=enough),
        )  # fmt: skip
        yield name, 16 / float(np.median(np.diff(marks[4:])))


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--with", dest="method", default="flip-crop")
    parser.add_argument("--grid", action="store_true")
    arguments = parser.parse_args()
    data = load(arguments.shared / "camvid" / "camvid.zip", size=64, classes=CLASSES)
    train, valid = (data.take(np.flatnonzero(data.parts == part)) for part in ("train", "valid"))
    precision = choose_precision(CPU)
    with threads(1):
        for name, speed in speeds(train):
            print(f"{name}: {speed:.0f} pictures/s ({precision})", flush=True)
        for batch, optimiser, lr, decay in GRID if arguments.grid else []:
            recipe = Recipe(arguments.epochs, batch, optimiser, lr, decay)
            model = fit(
                made("fpn-small", data), train, None, (Phase(load_augmenter(arguments.method)),),
                recipe, seeds=Seeds(0), device=CPU, precision=precision, keep=Keep(),
            )  # fmt: skip
            figures = measure(predict(model, valid, CPU, precision), valid)
            print(batch, optimiser, lr, decay, f"{100 * figures['mean_iou']:.1f}", flush=True)


if __name__ == "__main__":
    main()
