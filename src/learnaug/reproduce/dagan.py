"""Tables of Antoniou et al. 2018, "Data Augmentation Generative Adversarial Networks".

The text form of the paper lost the figures of its table 1. Those here are from memory of arXiv
1711.04340, version 3; its abstract confirms the first pair of each set (69 to 82 %, 73.9 to 76 %,
4.5 to 12 %). Those of the table "few" are of an independent run (amurthy1/dagan_torch, 2020).
"""

from __future__ import annotations

from dataclasses import replace

from learnaug.reproduce import omniglot
from learnaug.reproduce.rows import Block, Figure, Generator, Line, Size, Source, Table
from learnaug.training import Recipe

__all__ = ["TABLES"]

STANDARD = "dagan-standard"
RIVAL = f"{STANDARD}+trivialaugment"
USED = "dagan:generator={given}"  # in front: what is real and what is generated gets the standard
NET, SMALL_NET = "dagan-densenet", "smallnet-flagged"

# The paper: Adam 0.001, 200 epochs; batch size, weight decay and schedule are not said.
RECIPE = Recipe(epochs=200, batch_size=32, optimiser="adamw", lr=1e-3, weight_decay=0.0, warmup=0.0)
UPDATES = 1000  # of a classifier at small scale: about 20 s of one core

SCORED = "test accuracy of the target classes, mean of 5 runs (figures from memory of arXiv v3)"
ALONE = (
    "the paper trains its classifiers on source, validation and target classes together and scores "
    "the target's; here they are trained on the target classes alone"
)
TURNED = "the sizes of noise and shifts are ours: the paper names none"
EQUAL = (
    "all rows make the same number of updates: with three generated pictures for each real one, "
    "real ones are met a quarter as often"
)
FEWER = (
    "small: SmallNet with the flag in place of DenseNet, which takes four times as long; "
    f"{UPDATES:,} updates with our own recipe in place of 200 epochs with Adam; at most 100 of the "
    "target classes"
)


def _lines(without: Figure = None, augmented: Figure = None) -> tuple[Line, ...]:
    """Return the rows of a block with the paper's figures."""
    return (
        Line("Standard augmentation", STANDARD, without),
        Line("Standard + DAGAN", f"{USED}+{STANDARD}", augmented),
        Line("(ours) Standard + DAGAN, not flagged", f"{USED},flag=false+{STANDARD}"),
        Line("(ours) Standard + TrivialAugment", RIVAL),
        Line("(ours) Standard + mixup within the class", f"class-mixup+{STANDARD}"),
        Line("(ours) None", "none"),
        Line("(ours) DAGAN alone", USED),
        Line("(ours) TrivialAugment alone", "trivialaugment"),
    )


def _sizes(side: int, classes: int, number: int, size: Size) -> tuple[Size, Size]:
    """Return small and paper scale: small has UPDATES updates and so many classes at most.

    Args:
        side: of the pictures at small scale.
        classes: of the source; at small scale at most 100 of them.
        number: training pictures of a class.
        size: the paper's.
    """
    taken = min(classes, 100)
    epochs = round(UPDATES * RECIPE.batch_size / (taken * number))
    few = Recipe(epochs=epochs, batch_size=RECIPE.batch_size)
    small = replace(size, side=side, recipe=few, model=SMALL_NET)
    return replace(small, classes=taken if taken < classes else None), size


def _block(
    key: str, source: Source, generator: Generator, sizes: tuple[Size, Size], *figures: float
) -> Block:
    """Return a block of all rows; the paper's figures are those of the first two."""
    small, paper = sizes
    return Block(
        key, source, NET, _lines(*figures), small, paper, STANDARD, RIVAL, generator=generator
    )


def _omniglot(words: str, first: int, last: int, differs: str = "") -> Source:
    """Return some classes of Omniglot, by their ids in order."""
    return Source(
        "omniglot", f"Omniglot, {words}",
        ("omniglot/omniglot.npz", "omniglot-py", "omniglot/omniglot-py"),
        differs=differs, reader=omniglot.read, span=(first, last),
    )  # fmt: skip


HALF_AN_HOUR = "dagan:updates=3000"  # of one core, at small scale
LEARNED = Size(28, RECIPE, model=SMALL_NET)
# One generator serves both tables at small scale: none of the targets is of a background alphabet.
ALPHABETS = Generator(
    "omniglot-background",
    _omniglot("background alphabets", 0, omniglot.BACKGROUND),
    HALF_AN_HOUR, LEARNED, replace(LEARNED, model=NET), "dagan:paper=true",
)  # fmt: skip
DRAWINGS = replace(
    ALPHABETS,
    key_at_paper="omniglot",
    source_at_paper=_omniglot("source and validation classes", 0, omniglot.VALIDATION),
)
TARGETS = _omniglot(
    "target classes", omniglot.VALIDATION, omniglot.CLASSES,
    "classes 1413 to 1623 by id; the generator learns on 1 to 1412, at small scale on 1 to 964; "
    "the row of 15 has 14 training pictures of each class: 3 validate and 3 test",
)  # fmt: skip
UNSEEN = _omniglot(
    "evaluation alphabets", omniglot.BACKGROUND, omniglot.CLASSES,
    "the generator learns on the background alphabets; the other run had classes of its own choice",
)  # fmt: skip


def _drawn(key: str, source: Source, generator: Generator, number: int, *figures: float) -> Block:
    """Return the block of so many drawings of each character."""
    per_class = None if number == 15 else number
    assert source.span is not None
    classes = source.span[1] - source.span[0]
    sizes = _sizes(28, classes, number, Size(28, RECIPE, per_class=per_class))
    return _block(key, source, generator, sizes, *figures)


LETTERS = Source(
    "emnist",
    "EMNIST, with the generator of Omniglot",
    ("emnist/emnist.npz",),
    differs="all 47 classes, none of which the generator has seen, in place of the 5 target "
    "classes; 150 pictures of each, which the row of 100 needs (the paper's sets have 100)",
)


def _letters(number: int, *figures: float) -> Block:
    sizes = _sizes(28, 47, number, Size(28, RECIPE, per_class=number, pool=150))
    return _block(f"emnist-{number}", LETTERS, DRAWINGS, sizes, *figures)


FACES = Source(
    "vgg-face",
    "VGG-Face, target persons (your copy: class folders vgg-face, a person each)",
    differs="persons by name, where the paper shuffles them: the generator learns on 1 to 1802, "
    "1803 to 2300 are the targets; 100 pictures of each",
    span=(1802, 2300),
)
KNOWN_FACES = Generator(
    "vgg-face", replace(FACES, words="VGG-Face, source persons", span=(0, 1802)),
    "dagan", Size(32, RECIPE, pool=20, model=SMALL_NET), Size(64, RECIPE, pool=100, model=NET),
    "dagan:paper=true",
)  # fmt: skip


def _faces(number: int, *figures: float) -> Block:
    sizes = _sizes(32, 498, number, Size(64, RECIPE, per_class=number, pool=100))
    return _block(f"vgg-face-{number}", FACES, KNOWN_FACES, sizes, *figures)


PERSONS = Source(
    "faces",
    "AT&T faces, 10 persons",
    ("att_faces/att_faces.zip",),
    differs="a small stand-in for VGG-Face: the generator has 30 persons of 10 pictures, far below "
    "the 100 classes and 1,000 pictures under which it is known to fail",
    span=(30, 40),
)
KNOWN_PERSONS = Generator(
    "faces", replace(PERSONS, words="AT&T faces, 30 persons", span=(0, 30)),
    "dagan", Size(32, RECIPE, model=SMALL_NET), Size(32, RECIPE, model=NET), "dagan:paper=true",
)  # fmt: skip


def _persons(number: int) -> Block:
    paper = Size(32, replace(RECIPE, batch_size=16), per_class=number)
    small = replace(paper, model=SMALL_NET, recipe=Recipe(epochs=60, batch_size=16))
    return _block(f"faces-{number}", PERSONS, KNOWN_PERSONS, (small, paper))


TABLES = {
    "table-1": Table(
        "classifiers with and without generated pictures of classes that the generator never saw",
        SCORED,
        (
            _drawn("omniglot-5", TARGETS, DRAWINGS, 5, 0.690, 0.821),
            _drawn("omniglot-10", TARGETS, DRAWINGS, 10, 0.794, 0.862),
            _drawn("omniglot-15", TARGETS, DRAWINGS, 15, 0.820, 0.874),
            _letters(15, 0.739, 0.761),
            _letters(25, 0.784, 0.803),
            _letters(50, 0.815, 0.828),
            _letters(100, 0.838, 0.848),
            _faces(5, 0.045, 0.126),
            _faces(15, 0.393, 0.429),
            _faces(25, 0.581, 0.585),
            _persons(2),
            _persons(5),
        ),
        (ALONE, TURNED, EQUAL, FEWER),
    ),
    "few": Table(
        "1 to 5 pictures of a class, where an independent run found gains",
        "that run: means of 10 bootstraps, without and with generated pictures; not the paper's",
        tuple(
            _drawn(f"omniglot-{number}", UNSEEN, ALPHABETS, number, *figures)
            for number, figures in enumerate(
                ((0.164, 0.192), (0.290, 0.394), (0.465, 0.520), (0.578, 0.653), (0.671, 0.695)), 1
            )
        ),
        (TURNED, EQUAL, FEWER),
    ),
}
