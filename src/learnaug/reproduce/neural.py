"""Tables of Perez & Wang 2017, "The Effectiveness of Data Augmentation in Image Classification"."""

from __future__ import annotations

from dataclasses import replace

from learnaug.reproduce.rows import Block, Line, Size, Source, Table
from learnaug.training import Recipe

__all__ = ["TABLES"]

IMAGENET = ("tiny_imagenet/tiny_imagenet.zip",)
DOGS = ("n02085620", "n02094433", "n02099601", "n02099712", "n02106662", "n02113799")
CATS = ("n02123045", "n02123394", "n02124075")
GOLDFISH = ("n01443537",)
POOL = 550  # all goldfish that there are; 70 % of them train
DIGITS_POOL = 1000

SCORED = "best validation accuracy over 40 epochs, 1 run, 200 validation pictures"
DRAWN = "550 pictures of each class are drawn over its breeds and cut by us, 385 of them train"
BREEDS = "which breeds the paper took is not said"

# The paper says Adam, rate 1e-4, 40 epochs; batch size, weight decay and schedule are not said.
RECIPE = Recipe(epochs=40, batch_size=32, optimiser="adamw", lr=1e-4, weight_decay=0.0, warmup=0.0)
SIDE64 = Size(64, RECIPE, pool=POOL)
SIDE28 = Size(28, RECIPE, per_class=800, pool=DIGITS_POOL)

PAINTINGS = Source(
    "paintings",
    "paintings by artist",
    ("paintings/paintings.zip",),
    differs="three of the paper's six styles, 51 to 66 tiles of 4 or 5 paintings each",
)
STYLED = "styles={styles},which=cezanne/monet/vangogh"
GAN = Line(
    "GANs",
    f"style-transfer:{STYLED},updates=300",
    note=f"{PAINTINGS.differs}; CycleGAN trained on the training part of each run, small and short",
    at_paper=f"style-transfer:{STYLED},paper=true",
    styles=PAINTINGS,
)
COLOURS = Line(
    "(ours) colours of these styles alone", f"style-statistics:{STYLED}", styles=PAINTINGS
)

OURS = (
    Line("(ours) traditional + neural, no loss", "traditional+neural-augmentation:loss=none"),
    Line("(ours) neural, no loss, frozen", "neural-augmentation-frozen:loss=none"),
    Line("(ours) trivialaugment", "trivialaugment"),
    Line("(ours) mean of 2 pictures", "mean-of-k"),
    Line("(ours) mixup within the class", "class-mixup"),
)


def _lines(*figures: float) -> tuple[Line, ...]:
    """Return the rows of tables 1 and 2 with their figures in the paper's order."""
    none, traditional, gan, neural, content, style, control = figures
    return (
        Line("None", "none", none),
        Line("Traditional", "traditional", traditional),
        replace(GAN, paper=gan),
        Line("Neural + No Loss", "neural-augmentation:loss=none", neural),
        Line("Neural + Content Loss", "neural-augmentation:loss=content", content),
        Line("Neural + Style", "neural-augmentation:loss=style", style),
        Line(
            "Control",
            "neural-augmentation:loss=none,partners=same",
            control,
            "its loss is not said: none",
        ),
        *OURS,
        COLOURS,
    )


def _imagenet(name: str, words: str, classes: dict[str, tuple[str, ...]], *figures: float) -> Block:
    """Return the block of two kinds of Tiny ImageNet, with the paper's figures in its order."""
    source = Source(name, words, IMAGENET, classes, differs=f"{DRAWN}; {BREEDS}")
    return Block(name, source, "smallnet", _lines(*figures), SIDE64, SIDE64)


DOG_FISH = _imagenet(
    "dogs-goldfish", "dogs and goldfish of Tiny ImageNet", {"dog": DOGS, "goldfish": GOLDFISH},
    0.855, 0.890, 0.865, 0.915, 0.900, 0.890, 0.840,
)  # fmt: skip
DOG_CAT = _imagenet(
    "dogs-cats", "dogs and cats of Tiny ImageNet", {"cat": CATS, "dog": DOGS},
    0.705, 0.775, 0.720, 0.765, 0.770, 0.740, 0.710,
)  # fmt: skip
DIGITS = Block(
    "mnist-0-8",
    Source(
        "mnist-0-8",
        "digits 0 and 8 of MNIST",
        ("mnist/mnist.npz",),
        {"0": ("0",), "8": ("8",)},
        own_test=True,
        differs="800 training pictures of each class as in the paper; scored on MNIST's own test "
        "part, 1,954 pictures",
    ),
    "smallnet",
    (
        Line("None", "none", 0.972),
        Line("Neural + No Loss", "neural-augmentation:loss=none", 0.975),
        Line("Neural + Content Loss", "neural-augmentation:loss=content", 0.968),
        *OURS,
        Line("(ours) neural, content, A at 0.001", "neural-augmentation:loss=content,lr=0.001"),
    ),
    SIDE28,
    SIDE28,
)

# What the paper leaves open: how few pictures, and whether A does better if it starts as the mean.
RESIDUAL = "neural-augmentation:network=residual,lr=0.001"
QUESTIONS = (
    Line("None", "none"),
    Line("Traditional", "traditional"),
    Line("TrivialAugment", "trivialaugment"),
    Line("Mean of 2 pictures", "mean-of-k"),
    Line("Mixup within the class", "class-mixup"),
    Line("Neural + No Loss", "neural-augmentation:loss=none"),
    Line("Neural + Content Loss", "neural-augmentation:loss=content"),
    Line(
        "Neural + Content Loss, normalised apart",
        "neural-augmentation:loss=content,batch_norm=apart",
    ),
    Line("Residual, content loss", f"{RESIDUAL},loss=content"),
    Line("Residual, no loss", f"{RESIDUAL},loss=none"),
    Line("Residual, content loss, against the target", f"{RESIDUAL},loss=content,beta=-0.25"),
)
WITHOUT = "no figure: these are our questions"


def _few(block: Block, number: int, epochs: int) -> Block:
    """Return our questions with so many training pictures of each class."""
    source, whole = block.source, block.small
    size = replace(whole, recipe=replace(RECIPE, epochs=epochs), per_class=number)
    return Block(f"{source.name}-{number}", source, "smallnet", QUESTIONS, size, size)


TABLES = {
    "table-1": Table("dogs against goldfish, SmallNet, 64 px", SCORED, (DOG_FISH,)),
    "table-2": Table("dogs against cats, SmallNet, 64 px", SCORED, (DOG_CAT,)),
    "table-3": Table("MNIST 0 against 8, SmallNet, 28 px", SCORED, (DIGITS,)),
    "few": Table(
        "few pictures: what the paper leaves open",
        WITHOUT,
        (
            _few(DOG_FISH, 50, 80),
            _few(DOG_CAT, 50, 80),
            _few(DIGITS, 10, 200),
        ),
    ),
}
