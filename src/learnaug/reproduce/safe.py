"""Tables of Baran 2019, "Learning Safe Augmentations", and the table of our own aim."""

from __future__ import annotations

from learnaug.reproduce.rows import Block, Line, Size, Source, Table
from learnaug.training import Recipe

__all__ = ["TABLES"]

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
    "bicyclist",
)  # fmt: skip

CIFAR = Source("cifar10", "CIFAR-10", ("cifar10/cifar10.zip",), own_test=True)
TINY = Source(
    "tiny_imagenet",
    "30 classes of Tiny ImageNet",
    ("tiny_imagenet/tiny_imagenet.zip",),
    own_test=True,
)
EMNIST = Source("emnist", "47 characters of EMNIST", ("emnist/emnist.npz",))
TILES = Source("magnetic_tile", "6 kinds of magnetic tiles", ("magnetic_tile/magnetic_tile.zip",))
STREETS = Source(
    "camvid",
    "streets of CamVid",
    ("camvid/camvid.zip",),
    {name: (str(value),) for value, name in enumerate(CLASSES)},
    own_test=True,
)

RIVAL = "trivialaugment"


def _bar(source: Source, size: Size, audit: str = "", model: str = "smallnet") -> Block:
    """Return the rows of our own aim on a set, baseline and rival among them.

    Args:
        source, size, model: of the block.
        audit: settings of every audit, that it costs about as much as a run.
    """
    safe = "safe-augmentation"

    def used(use: str = "") -> str:
        settings = ",".join(filter(None, (audit, use and f"use={use}")))
        return f"{safe}:{settings}" if settings else safe

    lines = (
        Line("None", "none"),
        Line("Safe", used("safe")),
        Line("All", used("all")),
        Line("All, then safe", used()),
        Line("TrivialAugment", RIVAL),
        Line("Safe + TrivialAugment", f"{used()}+{RIVAL}"),
    )
    key = source.name if size.per_class is None else f"{source.name}-{size.per_class}"
    return Block(key, source, model, lines, size, size, rival=RIVAL)


def _plain(epochs: int) -> Recipe:
    return Recipe(epochs=epochs)


STREET = Recipe(epochs=40, batch_size=16, lr=0.1)
# Sizes: a run without augmentation takes 10 to 60 s of one core, so that six seeds of all rows are
# an afternoon on two. Each judge of an audit sees about 20,000 pictures, half of what it would by
# default: 80 s of one core at 32 px, 13 of 15 operations decided with 1,000 pictures of CIFAR-10.
# Tiles and streets are few: their judges see 14,000 and 5,000. Epochs are about our defaults.
FULL, MANY = "pictures=2000,epochs=15", "pictures=1000,epochs=30"
SMALL_DATA = Table(
    "none, safe, all, all then safe, with and without TrivialAugment",
    "no figure: these are our questions",
    (
        _bar(CIFAR, Size(32, _plain(30), per_class=100), MANY),
        _bar(CIFAR, Size(32, _plain(20), per_class=1000), FULL),
        _bar(TINY, Size(32, _plain(17), per_class=100), FULL),
        _bar(EMNIST, Size(28, _plain(20), per_class=50), FULL),
        _bar(TILES, Size(32, _plain(50))),
        _bar(STREETS, Size(64, STREET), "epochs=20", "fpn-small"),
    ),
    (
        "CIFAR-10 at 1,000 a class: what is cut for validation is taken off, 823 or 824 train",
        "all, then all would be the same training as all: one schedule spans both parts",
        "tiles: whole groups of look-alikes, cut five times",
    ),
)
TABLES = {"small-data": SMALL_DATA}
