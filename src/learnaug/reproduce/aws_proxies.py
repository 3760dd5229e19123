"""Table 5 of Tian et al. 2020, "Improving Auto-Augment via Augmentation-Wise Weight Sharing"."""

from __future__ import annotations

from dataclasses import replace

from learnaug.reproduce.rows import Proxies, ProxyLine, ProxyTable, Size, Tuning
from learnaug.reproduce.safe import CIFAR
from learnaug.training import Recipe

__all__ = ["TABLES"]

LINES = (
    ProxyLine("augmented", "Train with Augmentation, Finetune+Eval", "augmented", 0.85),
    ProxyLine("plain", "Train without Augmentation, Finetune+Eval", "plain", 0.55),
    ProxyLine("random", "Random Initialized, Finetune+Eval", "random", 0.36),
    ProxyLine("eval", "Train with Augmentation, Eval", "augmented", 0.045, late=0.0),
    ProxyLine("augmented-5", "(ours) the first, 5 % of a training", "augmented", late=0.05),
    ProxyLine("augmented-20", "(ours) the first, 20 % of a training", "augmented", late=0.2),
    ProxyLine(
        "whole-valid", "(ours) a whole training, another seed", "whole-valid",
        note="on the validation part: what the best proxy could reach",
    ),
    ProxyLine(
        "whole-test", "(ours) a whole training, another seed", "whole-test",
        note="on the same test part",
    ),
)  # fmt: skip

# The reference code: 200 epochs, then 10 at a constant rate of 0.001; whole trainings of 300 epochs
# whose rate falls from 0.4.
WHOLE = Recipe(300, 256, "sgd", 0.4, 1e-4, warmup=0.005, label_smoothing=0.05)
PROXIES = Proxies(
    "cifar10",
    CIFAR,
    "resnet18",
    24,
    LINES,
    Size(32, Recipe(epochs=30), per_class=100, pool=1000, model="smallnet"),
    Size(32, WHOLE),
    Tuning(0.6, 0.1),
    Tuning(2 / 3, 1 / 30, steady=0.0025),
)
# What a search sees whose structure is settled: policies that differ by their elements alone.
NEAR = ("augmented", "eval", "augmented-5", "augmented-20", "whole-valid", "whole-test")
ELEMENTS = replace(
    PROXIES,
    key="cifar10-elements",
    lines=tuple(replace(line, paper=None) for line in LINES if line.key in NEAR),
    structure=False,
)
TABLES = {
    "table-5": ProxyTable(
        "how well four proxies stand in for whole trainings, CIFAR-10",
        "Pearson correlation over policies whose number and kind are not said, ResNet-18",
        (PROXIES, ELEMENTS),
        (
            "small: SmallNet, 1,000 training pictures, 30 epochs in place of ResNet-18 and 300",
            "cifar10-elements: flip, crop and cutout in every policy, an element for every picture",
            "small: the first 60 % of a training are shared, a proxy makes another 10 %",
        ),
    ),
}
