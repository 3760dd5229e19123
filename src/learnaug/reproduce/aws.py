"""Tables of Tian et al. 2020, "Augmentation-Wise Weight Sharing", and the table of our own aim."""

from __future__ import annotations

from learnaug.reproduce.rows import Block, Line, Size, Source, Table
from learnaug.reproduce.safe import CIFAR, EMNIST, MANY, TILES, TINY, TINY_SIZE
from learnaug.training import Recipe

__all__ = ["TABLES"]

RIVAL = "trivialaugment"
QUESTIONS = "no figure: these are our questions"

# The default of 350 trials is 12 trainings. With 60 of them the paper's search costs 2.7, about as
# much as `aws` (3), so that what is compared are two searches of one price.
PAPER_AWS = "aws-paper:loops=60"


def _bar(source: Source, size: Size, audit: str = "") -> Block:
    """Return the rows of our own aim on a set: searches, and what is to be had without one."""
    found_safe = f"safe-augmentation:{audit}" if audit else "safe-augmentation"
    lines = (
        Line("None", "none"),
        Line("Flip and crop", "flip-crop"),
        Line("Uniform", "uniform"),
        Line("RandAugment", "randaugment"),
        Line("TrivialAugment", RIVAL),
        Line("Flip, crop, TrivialAugment", f"flip-crop+{RIVAL}"),
        Line("AWS", "aws"),
        Line("AWS among safe operations", f"{found_safe}+aws"),
        Line("AWS of the paper", PAPER_AWS, note="60 trials, 2.7 trainings"),
    )
    key = source.name if size.per_class is None else f"{source.name}-{size.per_class}"
    return Block(key, source, "smallnet", lines, size, size, baseline="uniform", rival=RIVAL)


# Sizes as in safe.py: a training takes 6 to 30 s of one core, and a search about three.
SMALL_DATA = Table(
    "searched policies against uniform pairs, TrivialAugment and RandAugment",
    QUESTIONS,
    (
        _bar(CIFAR, Size(32, Recipe(epochs=20), per_class=400, pool=1000), MANY),
        _bar(EMNIST, Size(28, Recipe(epochs=40), per_class=50), MANY),
        _bar(TINY, TINY_SIZE, MANY),
        _bar(TILES, Size(32, Recipe(epochs=50))),
    ),
    (
        "both scales are the same",
        "differences are held against random pairs of the paper's 36 elements (uniform)",
        "tiles: whole groups of look-alikes, cut five times",
    ),
)

TABLES = {"small-data": SMALL_DATA}
