"""Planted pictures: hooks in all four orientations; a mirror makes the one class the other."""

from __future__ import annotations

import numpy as np
import torch

from learnaug import nets
from learnaug.data import ImageSet
from learnaug.methods import Budget, Learned, Learning
from learnaug.methods.safe import SafeAugmentation
from learnaug.ops.policy import Element
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Keep, Recipe

CPU = torch.device("cpu")
QUIET = Keep(say=lambda text: None)
HOOK = ("#....", "#....", "#....", "#....", "####.")
PLANTED = OperationSet(
    "planted",
    (
        ("Turn", (Element("rot90", values=(1.0, 2.0, 3.0)),)),
        ("Mirror", (Element("hflip"),)),
        ("Nothing", (Element("brightness", 1.0),)),
        ("Blur", (Element("blur", 1.5),)),
    ),
)


def hooks(seed: int, n: int = 400, side: int = 8) -> ImageSet:
    """Return n grey hooks: class 0 bends one way, class 1 the other, each in any orientation."""
    gen = np.random.Generator(np.random.Philox(seed))
    hook = np.array([[mark == "#" for mark in row] for row in HOOK])
    labels = np.arange(n) % 2
    images = gen.integers(0, 60, (n, 1, side, side))
    for image, label in zip(images, labels, strict=True):
        shape = np.rot90(hook[:, ::-1] if label else hook, gen.integers(4))
        y, x = gen.integers(1, 3, 2)
        image[0, y : y + len(hook), x : x + len(hook)][shape] += 150
    return ImageSet(
        "hooks",
        images.astype(np.uint8),
        labels.astype(np.int64),
        ("left", "right"),
        tuple(f"row {i}" for i in range(n)),
        np.full(n, -1, np.int64),
        np.full(n, ""),
    )


def audit(
    data: ImageSet, method: SafeAugmentation, seed: int = 0, keep: Keep | None = None
) -> Learned:
    """Let the method audit all of `data`."""
    learning = Learning(data, data, lambda seeds: nets.build(
        "smallnet", channels=data.channels, size=data.size, classes=len(data.classes), seeds=seeds
    ), Recipe(epochs=1))  # fmt: skip
    return method.learn(
        learning,
        seeds=Seeds(seed),
        device=CPU,
        budget=Budget(),
        keep=keep or QUIET,
    )


def verdicts(learned: Learned) -> dict[str, str]:
    """Return the verdict of each operation."""
    found = learned.augmenter.describe()["audit"]["findings"]
    return {finding["name"]: finding["verdict"] for finding in found}
