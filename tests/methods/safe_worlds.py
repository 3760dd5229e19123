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
from learnaug.training import Keep, Recipe, goal_of

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


BOXES = OperationSet(
    "boxes",
    (
        ("Flip", (Element("hflip"),)),
        ("Negative", (Element("invert"),)),
        ("Nothing", (Element("brightness", 1.0),)),
        ("Blur", (Element("blur", 1.5),)),
    ),
)


def boxes(seed: int, n: int = 240, side: int = 32) -> ImageSet:
    """Return n noisy grey pictures with masks: ground, a bright box, a dark box.

    The negative of such a picture is one as well, but its bright boxes are the dark ones.
    """
    gen = np.random.Generator(np.random.Philox(seed))
    images, masks = np.full((n, 1, side, side), 127.5), np.zeros((n, side, side), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        for number, way in ((1, 60), (2, -60)):
            h, w = gen.integers(8, 13, 2)
            y, x = gen.integers(0, side - h + 1), gen.integers(0, side - w + 1)
            free = mask[y : y + h, x : x + w] == 0
            image[0, y : y + h, x : x + w][free] += way
            mask[y : y + h, x : x + w][free] = number
    images += gen.integers(-10, 11, images.shape) + 0.5 * gen.integers(0, 2, images.shape)
    return ImageSet(
        "boxes", images.round().astype(np.uint8), np.zeros(0, np.int64),
        ("ground", "bright", "dark"), tuple(f"row {i}" for i in range(n)),
        np.full(n, -1, np.int64), np.full(n, ""), masks=masks,
    )  # fmt: skip


def audit(
    data: ImageSet, method: SafeAugmentation, seed: int = 0, keep: Keep | None = None
) -> Learned:
    """Let the method audit all of `data`."""
    net = "smallnet" if data.masks is None else "fpn-small"

    def build(seeds: Seeds) -> torch.nn.Module:
        return nets.build(
            net, channels=data.channels, size=data.size, classes=len(data.classes), seeds=seeds,
            task=goal_of(data).name,
        )  # fmt: skip

    learning = Learning(data, data, build, Recipe(epochs=1))
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
