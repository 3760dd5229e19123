"""Tables of Tian et al. 2020, "Augmentation-Wise Weight Sharing", and the table of our own aim.

Errors of the paper stand here as accuracies. Table 1 has figures that the text form of the paper
lost: "Ours" of Shake-Shake and PyramidNet, and Adv. AA of both; the 1.24 % of PyramidNet with an
enlarged batch is in the abstract.
"""

from __future__ import annotations

from learnaug.reproduce.rows import Block, Line, Scale, Size, Source, Table
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


# The paper: 300 epochs, batches of 256; rate, decay and smoothing are those of the reference code.
# Shake-Shake and PyramidNet are trained "as in Fast AutoAugment", whose settings these are.
WHOLE = Size(
    32,
    Recipe(300, 256, "sgd", 0.4, 1e-4, warmup=0.005, label_smoothing=0.05),
)  # fmt: skip
SHAKE = Size(32, Recipe(1800, 512, "sgd", 0.01, 1e-3, warmup=0.0))
PYRAMID = Size(32, Recipe(1800, 64, "sgd", 0.05, 5e-5, warmup=0.0))
# 1,250 updates of 64: about 70 s of one core, and a seed of table 1 takes 20 times that. With a
# WRN-16-2, 5 min for 500 updates, it would be 1.7 hours, and one seed says nothing.
FEW_PICTURES = Size(32, Recipe(epochs=20), per_class=400, pool=1000, model="smallnet")

BASELINE, CUTOUT = "flip-crop", "flip-crop+cutout"
SCORED = (
    "test accuracy of the last epoch, mean of 8 runs (ours); as other papers report it (others)"
)
ENLARGED = "each picture twice in a batch; paper scale: 4 times, the paper's number is lost"


def _enlarged(name: str, figure: float | None) -> Line:
    """Return the row of the paper's search with an enlarged batch: 2 at small scale, 4 at large."""
    settings = f"{PAPER_AWS},enlarge=2"
    return Line(name, settings, figure, ENLARGED, "aws-paper:enlarge=4")


def _net(key: str, model: str, paper: Size, *figures: float | None) -> Block:
    """Return a column of table 1; WRN is the one that a CPU can run, with SmallNet in its place.

    Args:
        key: of the block.
        model: name of the net.
        paper: its size at the scale of the paper.
        figures: of the rows in the order of the paper.
    """
    none, cutout, fast, rand, auto, pba, ohl, adversarial, ours, enlarged = figures
    lines = (
        Line("Baseline", BASELINE, none),
        Line("Cutout", CUTOUT, cutout),
        Line("Fast AA", "", fast),
        Line("RandAug", "flip-crop+randaugment+cutout", rand),
        Line("AutoAug", "flip-crop+autoaugment+cutout", auto),
        Line("PBA", "", pba),
        Line("OHL", "", ohl),
        Line("Adv. AA (EB)", "", adversarial),
        Line("Ours", PAPER_AWS, ours, "small scale: 60 trials", "aws-paper"),
        _enlarged("Ours (EB)", enlarged),
        Line("(ours) aws", "aws"),
        Line("(ours) TrivialAugment", f"flip-crop+{RIVAL}+cutout"),
        Line("(ours) uniform", "flip-crop+uniform+cutout"),
    )
    scales: tuple[Scale, ...] = ("small", "paper") if key == "wrn" else ("paper",)
    said = tuple(line for line in lines if line.method or line.paper)
    return Block(key, CIFAR, model, said, FEW_PICTURES, paper, BASELINE, scales=scales)


TABLE_1 = Table(
    "CIFAR-10, error of the paper as accuracy",
    SCORED,
    (
        _net(
            "wrn", "wrn-28-10", WHOLE,
            0.9613, 0.9692, 0.973, 0.973, 0.9732, 0.9742, 0.9739, 0.9810, 0.9805, 0.9843,
        ),
        _net(
            "resnet18", "resnet18", WHOLE,
            0.9534, 0.9638, None, None, 0.9654, None, 0.9671, None, 0.9709, 0.9762,
        ),
        _net(
            "shake-shake", "shake-shake-26-2x96d", SHAKE,
            0.9714, 0.9744, 0.980, 0.980, 0.9801, 0.9797, None, None, None, None,
        ),
        _net(
            "pyramidnet", "pyramidnet-272", PYRAMID,
            0.9733, 0.9769, 0.983, 0.985, 0.9852, 0.9854, None, None, None, 0.9876,
        ),
    ),
    (
        "the paper searches with one net and takes the policy to others; here each searches anew",
        "the paper validates on 10,000 of 50,000 pictures in its search, and then trains with all",
        "aws stands alone: what is around the drawn operation is its own affair",
        "small: SmallNet, 20 epochs and 400 pictures a class in place of WRN-28-10, 300 and 5,000",
    ),
)  # fmt: skip

# Its cost is in OHL's hours on a GPU; its error reduction of "Ours", 49.02 %, is that of table 1
# with an enlarged batch: (3.08 - 1.57) / 3.08.
TABLE_4 = Table(
    "what a method costs and what it brings, WRN, CIFAR-10",
    f"{SCORED}; cost in hours of OHL",
    (
        Block(
            "wrn-cost",
            CIFAR,
            "wrn-28-10",
            (
                Line("Cutout", CUTOUT, 0.9692),
                Line(
                    "AutoAug", "flip-crop+autoaugment+cutout", 0.9732,
                    "60 x OHL, errors -12.99 %; its search is not run here",
                ),
                Line("OHL", "", 0.9739, "1 x OHL, errors -15.26 %"),
                Line("Adv. AA", "", 0.9810, "5 x OHL, errors -38.31 %"),
                _enlarged("Ours", 0.9843),
                Line(
                    "(ours) aws-paper, batch not enlarged", PAPER_AWS, 0.9805,
                    "small scale: 60 trials", "aws-paper",
                ),
                Line("(ours) aws", "aws"),
                Line("(ours) TrivialAugment", f"flip-crop+{RIVAL}+cutout"),
            ),
            FEW_PICTURES,
            WHOLE,
            CUTOUT,
            costs=True,
        ),
    ),
    (
        "cost in trainings of the target, all pictures counted that weights are updated with",
        "the paper's 49.02 % and 1.5 x OHL of Ours belong to its row with an enlarged batch",
        "seconds are those of the machine that ran it, what else ran there included",
        "small: SmallNet, 20 epochs and 400 pictures a class in place of WRN-28-10, 300 and 5,000",
    ),
)  # fmt: skip


def _without(name: str, method: str, paper: str, around: str, *figures: float) -> tuple[Line, ...]:
    """Return a policy with all of its operations, and without the 1, 2, … likeliest.

    Args:
        name: of the rows.
        method, paper: a method at the two scales.
        around: the chain that it stands in, with {} in its place.
        figures: accuracies of the paper.
    """

    def left(whole: str, k: int) -> str:
        setting = f"{',' if ':' in whole else ':'}without={k}" if k else ""
        return around.format(whole + setting)

    return tuple(
        Line(
            f"{name}, {f'without top {k}' if k else 'all'}",
            left(method, k),
            figure,
            at_paper=left(paper, k),
        )
        for k, figure in enumerate(figures)
    )


TABLE_6 = Table(
    "ablation: policies without their 1, 2 and 3 likeliest operations, CIFAR-10, ResNet-18",
    "test accuracy, mean of several runs",
    (
        Block(
            "resnet18",
            CIFAR,
            "resnet18",
            (
                Line("(ours) Cutout", CUTOUT),
                *_without(
                    "AutoAug", "autoaugment", "autoaugment", "flip-crop+{}+cutout",
                    0.9660, 0.9655, 0.9664, 0.9654,
                ),
                *_without("Ours", PAPER_AWS, "aws-paper", "{}", 0.9709, 0.9690, 0.9687, 0.9681),
            ),
            FEW_PICTURES,
            WHOLE,
            CUTOUT,
        ),
    ),
    (
        "operations are ranked by how often a picture meets them, at whatever strength",
        "pairs that hold a removed operation go, and the others keep their proportions",
        "every row of Ours makes its own search, so that its policy is another one's",
        "small: SmallNet, 20 epochs, 400 pictures a class, 60 trials of the search",
    ),
)  # fmt: skip


def _part(name: str, begin: float, end: float) -> Line:
    return Line(name, f"flip-crop+timed:begin={begin:g},end={end:g}")


FIGURE_2 = Table(
    "AutoAugment in the first or the last part of a training, CIFAR-10, ResNet-18",
    "test accuracy, mean of 8 runs, as curves without figures: late is above early throughout",
    (
        Block(
            "resnet18",
            CIFAR,
            "resnet18",
            (
                Line("none of the epochs", BASELINE),
                *(_part(f"first {share:.0%}", 0, share) for share in (0.25, 0.5, 0.75)),
                *(_part(f"last {share:.0%}", 1 - share, 1) for share in (0.25, 0.5, 0.75)),
                Line("all epochs", "flip-crop+autoaugment"),
            ),
            FEW_PICTURES,
            WHOLE,
            BASELINE,
        ),
    ),
    (
        "flip and crop act in all epochs; whether the paper has cutout there too is not said: none",
        "small: SmallNet, 20 epochs and 400 pictures a class",
    ),
)

TABLES = {
    "table-1": TABLE_1,
    "table-4": TABLE_4,
    "table-6": TABLE_6,
    "fig-2": FIGURE_2,
    "small-data": SMALL_DATA,
}
