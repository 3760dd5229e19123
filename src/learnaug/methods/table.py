"""Every method by name: one literal table, and `+` to chain its rows."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from learnaug import ops
from learnaug.errors import UsageError, nearest
from learnaug.methods.augmenters import Chain, refusal
from learnaug.methods.aws import AWS, PaperAWS
from learnaug.methods.base import Method
from learnaug.methods.dagan import DAGAN
from learnaug.methods.fixed import Chained, Fixed
from learnaug.methods.folders import load_folder
from learnaug.methods.merge import ClassMixup, MeanOfK, SmartAugmentation
from learnaug.methods.order import require_order
from learnaug.methods.published import Published
from learnaug.methods.safe import SafeAugmentation
from learnaug.methods.settings import configured, parted
from learnaug.methods.style import StyleStatistics, StyleTransfer
from learnaug.methods.timed import Timed
from learnaug.ops import over, spaces
from learnaug.ops.sets import OperationSet, operations_of
from learnaug.training import Augmenter

__all__ = [
    "CONTROLS",
    "METHODS",
    "Row",
    "augmenter",
    "is_fixed",
    "is_learned",
    "load_augmenter",
    "resolve",
    "rows_of",
    "unfit_for_masks",
]

# Methods whose augmenter comes with their name; the others see data first.
FIXED = (Fixed, MeanOfK, ClassMixup, Timed, Published)

Operations = Sequence[str] | OperationSet | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of METHODS.

    Args:
        make: builds the method, given the allowed operations (their names, or a set with ranges)
            or None.
        summary: one line for `learnaug methods`.
        kind: "fixed" is given, "learned" learns, "control" shows what others must beat.
        takes_ops: whether `--ops` restricts it.
        default: whether a comparison that names no method runs it.
        labels: whether it works within classes, so that it is not for masks.
        control: the row that does the same with nothing learned; the report holds it against that
            one, where it was run. "": the random policy `uniform`.
    """

    make: Callable[[Operations], Method]
    summary: str
    kind: Literal["fixed", "learned", "control"] = "fixed"
    takes_ops: bool = False
    default: bool = True
    labels: bool = False
    control: str = ""


def _given(policy: Callable[[], ops.Policy]) -> Callable[[Operations], Method]:
    return lambda names: Fixed(policy())


def _neural(**settings: Any) -> SmartAugmentation:
    """Return the settings of Perez & Wang 2017: their network, weights and optimiser."""
    theirs: dict[str, Any] = {
        "network": "augnet", "loss": "content", "alpha": 0.25, "beta": 0.75, "optimiser": "adam",
        "lr": 1e-4,
    }  # fmt: skip
    return SmartAugmentation(**theirs | settings)


def _chosen(
    policy: Callable[[], ops.Policy], over: Callable[[OperationSet], ops.Policy]
) -> Callable[[Operations], Method]:
    """Return what restricts a policy to names, or takes its rule to the operations of a set."""

    def make(operations: Operations) -> Method:
        if isinstance(operations, OperationSet):
            return Fixed(over(operations), over)
        return Fixed(policy() if operations is None else ops.restrict(policy(), operations), over)

    return make


def _audit(operations: Operations) -> Method:
    if operations is None or isinstance(operations, OperationSet):
        return SafeAugmentation(operations=operations)
    return SafeAugmentation(ops="/".join(operations))


def _set_of(operations: Operations) -> OperationSet | None:
    """Return allowed operations as a set; names restrict those of TrivialAugment."""
    if operations is None or isinstance(operations, OperationSet):
        return operations
    return operations_of(ops.restrict(spaces.trivialaugment(), operations), "allowed")


def _fixed_policies() -> dict[str, ops.Policy]:
    """Return the policies of the fixed methods by name."""
    # `timed` asks for them when it is made: to make it here would never end.
    rows = {n: row for n, row in METHODS.items() if row.kind != "learned" and n != "timed"}
    made = {name: row.make(None) for name, row in rows.items()}
    return {name: method.policy for name, method in made.items() if isinstance(method, Fixed)}


METHODS: dict[str, Row] = {
    "none": Row(_given(lambda: ops.Policy((), "none")), "the pictures as they are", "control"),
    "flip-crop": Row(
        _given(spaces.flip_crop), "horizontal flip (p 0.5) and padded random crop", "control"
    ),
    "traditional": Row(
        _given(spaces.traditional),
        "half the pictures shifted, zoomed, rotated, flipped, distorted or shaded in hue",
    ),
    "dagan-standard": Row(
        _given(spaces.dagan_standard),
        "noise, shifts and quarter turns, as beside DAGAN",
        default=False,
    ),
    "cutout": Row(_given(spaces.cutout), "a square of half the side is blanked"),
    "mixup": Row(_given(spaces.mixup), "two pictures and their labels are averaged"),
    "cutmix": Row(_given(spaces.cutmix), "a box of another picture is pasted, labels by area"),
    "randaugment": Row(
        _chosen(spaces.randaugment, over.randaugment_over),
        "two random operations of fixed strength",
        takes_ops=True,
    ),
    "trivialaugment": Row(
        _chosen(spaces.trivialaugment, over.trivialaugment_over),
        "one random operation of random strength (Wide)",
        "control",
        takes_ops=True,
    ),
    "autoaugment": Row(
        _given(spaces.autoaugment), "the 25 pairs that AutoAugment found on CIFAR-10"
    ),
    "autoaugment-imagenet": Row(
        _given(lambda: spaces.autoaugment("imagenet")),
        "the 25 pairs that AutoAugment found on ImageNet",
        default=False,
    ),
    "autoaugment-svhn": Row(
        _given(lambda: spaces.autoaugment("svhn")),
        "the 25 pairs that AutoAugment found on SVHN",
        default=False,
    ),
    "uniform": Row(
        _chosen(spaces.uniform, over.uniform_over),
        "a random pair of the 36 elements that policy search draws from",
        "control",
        takes_ops=True,
    ),
    "timed": Row(
        lambda names: Timed(_fixed_policies),
        "a fixed policy in a part of the training only, early or late",
        default=False,
    ),
    "published": Row(
        lambda names: Published(),
        "a policy that a search of ours found, with its evidence",
        default=False,
    ),
    "smart-augmentation": Row(
        lambda names: SmartAugmentation(),
        "a network learns to merge two pictures of a class, along with the target",
        "learned",
        default=False,
        labels=True,
    ),
    "smart-augmentation-frozen": Row(
        lambda names: SmartAugmentation(joint=False),
        "the same; then a fresh target is trained with the frozen network",
        "learned",
        default=False,
        labels=True,
    ),
    "neural-augmentation": Row(
        lambda names: _neural(),
        "smart-augmentation with the network, weights and optimiser of Perez & Wang",
        "learned",
        default=False,
        labels=True,
    ),
    "neural-augmentation-frozen": Row(
        lambda names: _neural(joint=False),
        "the same; then a fresh target is trained with the frozen network",
        "learned",
        default=False,
        labels=True,
    ),
    "same-image": Row(
        lambda names: SmartAugmentation(partners="same"),
        "smart-augmentation whose network is given one picture twice: the papers' control",
        "learned",
        default=False,
        labels=True,
    ),
    "safe-augmentation": Row(
        _audit,
        "an audit finds the operations that leave pictures what they are; subsets of 3 of those",
        "learned",
        takes_ops=True,
        default=False,
    ),
    "aws": Row(
        lambda names: AWS(operations=_set_of(names)),
        "policy search: trials from shared weights find how much and what to augment",
        "learned",
        takes_ops=True,
        default=False,
    ),
    "aws-paper": Row(
        lambda names: PaperAWS(),
        "the search as published: 36 x 36 pairs, PPO, about 12 trainings",
        "learned",
        default=False,
    ),
    "dagan": Row(
        lambda names: DAGAN(),
        "a generator makes other pictures of a picture's class, also of classes it never saw",
        "learned",
        default=False,
        labels=True,
    ),
    "style-transfer": Row(
        lambda names: StyleTransfer(),
        "half the pictures are painted in other styles, by a CycleGAN for each (styles=FOLDER)",
        "learned",
        default=False,
        labels=True,
        control="style-statistics",
    ),
    "style-statistics": Row(
        lambda names: StyleStatistics(),
        "half the pictures take on the colours of other styles (styles=FOLDER)",
        "control",
        default=False,
        labels=True,
    ),
    "mean-of-k": Row(
        lambda names: MeanOfK(),
        "half the pictures are means of two of their class",
        "control",
        default=False,
        labels=True,
    ),
    "class-mixup": Row(
        lambda names: ClassMixup(),
        "half the pictures are mixed from two of their class",
        "control",
        default=False,
        labels=True,
    ),
}

CONTROLS = tuple(n for n, row in METHODS.items() if row.kind == "control" and row.default)


def resolve(name: str, operations: Operations = None) -> Method:
    """Return the method of a name such as "cutout" or "flip-crop+trivialaugment".

    Settings follow a colon: "NAME:setting=value,setting=value".

    Raises:
        UsageError: a name is not in METHODS (the nearest one is named), a setting is wrong, or
            files it names are not there, something stands behind a method that trains its target
            along or acts at its time, or
            mixes classes in front of one that merges within a class.

    Example:
        >>> type(resolve("flip-crop+cutout")).__name__
        'Chained'
    """
    names = name.split("+")
    unknown = [row for row in rows_of(name) if row not in METHODS]
    if unknown:
        where = [
            f"{row!r}: {nearest(row, tuple(METHODS))}" if row else "an empty name beside a +"
            for row in unknown
        ]
        raise UsageError(
            f"method {name!r} is not known", where, "`learnaug methods` lists all of them"
        )
    parts = [configured(METHODS[parted(part)[0]].make(operations), part) for part in names]
    require_order(names, parts, METHODS)
    for part in parts:
        if isinstance(part, Published | DAGAN | StyleTransfer | StyleStatistics):
            part.require()
    return parts[0] if len(parts) == 1 else Chained(tuple(parts))


def is_learned(name: str) -> bool:
    """Return whether any part of a (chained) name learns."""
    return any(METHODS[row].kind == "learned" for row in rows_of(name))


def unfit_for_masks(name: str) -> str:
    """Return why a (chained) name cannot be used on images with masks; "" where it can.

    Example:
        >>> unfit_for_masks("flip-crop+cutmix"), unfit_for_masks("flip-crop+mixup")
        ('', 'mixup cannot be used with masks: use cutmix, whose pixels stay whole')
    """
    for part, row in zip(name.split("+"), rows_of(name), strict=True):
        if METHODS[row].labels:
            return f"{row} merges pictures of one class, but masks hold several"
        if is_fixed(part) and (why := refusal(augmenter(part))):
            return why
    return ""


def rows_of(name: str) -> list[str]:
    """Return the names of the rows that a (chained) name with settings is made of.

    Example:
        >>> rows_of("flip-crop+mixup")
        ['flip-crop', 'mixup']
    """
    return [parted(part)[0] for part in name.split("+")]


def augmenter(name: str, operations: Operations = None) -> Augmenter:
    """Return the augmenter of a fixed method (or chain) by its name.

    Raises:
        UsageError: the name is unknown, or a part of it must learn first.
    """
    method = resolve(name, operations)
    return _fixed(method, name)


def _fixed(method: Method, name: str) -> Augmenter:
    if isinstance(method, FIXED):
        return method.augmenter
    if isinstance(method, Chained):
        return Chain(tuple(_fixed(member, name) for member in method.members))
    raise UsageError(
        f"{name!r} needs data before it can augment",
        mend=f"`learnaug learn {shlex.quote(name)} DATA --out OUT`, then give OUT/augmenter",
    )


def is_fixed(name: str) -> bool:
    """Return whether a (chained) name alone brings the augmenter: `augmenter` makes it.

    Example:
        >>> is_fixed("flip-crop+mixup"), is_fixed("flip-crop+aws")
        (True, False)
    """
    method = resolve(name)
    parts = method.members if isinstance(method, Chained) else (method,)
    return all(isinstance(part, FIXED) for part in parts)


def load_augmenter(source: str | Path) -> Augmenter:
    """Return an augmenter from its folder, a policy file, or the name of a fixed method.

    Raises:
        UsageError: neither a file nor a known name.
        ConfigError: the file is no augmenter of ours.

    Example:
        >>> load_augmenter("trivialaugment").describe()["name"]
        'trivialaugment'
    """
    path = Path(source)
    with suppress(OSError):  # a name too long to be one
        if path.exists():
            return load_folder(path)
    if isinstance(source, Path) or "/" in str(source) or str(source).endswith(".json"):
        raise UsageError(f"augmenter {str(source)!r} does not exist", code=66)
    return augmenter(str(source))


def card(name: str) -> str:
    """Return the card of a method: Markdown, half a page."""
    file = resources.files("learnaug.methods") / "cards" / f"{name}.md"
    return file.read_text("utf-8") if file.is_file() else METHODS[name].summary
