"""Published search spaces and fixed policies as data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learnaug.errors import UsageError, nearest
from learnaug.ops.autoaugment import SUBPOLICIES
from learnaug.ops.policy import Element, Policy, Stage

__all__ = [
    "autoaugment",
    "cutmix",
    "cutout",
    "dagan_standard",
    "elements36",
    "flip_crop",
    "mixup",
    "randaugment",
    "safe15",
    "traditional",
    "trivialaugment",
    "uniform",
]

GREY = 128
_SIGNED = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
_ENHANCE = ("color", "contrast", "sharpness", "brightness")
_PLAIN = ("autocontrast", "equalize", "invert")
Branches = tuple[tuple[str, tuple[Element, ...]], ...]


def flip_crop(pad: float = 0.125) -> Policy:
    """Mirror half of the pictures; pad (4 px of 32) and crop all. He et al. 2016."""
    flip, crop = Element("hflip", p=0.5), Element("pad_crop", pad)
    return Policy((_one(flip), _one(crop)), "flip-crop")


def traditional() -> Policy:
    """Half of the pictures stay, the others get one of six changes (N -> 2N; Perez & Wang 2017).

    The paper names shift, zoom in and out, rotate, flip, distort and shade with a hue, without
    magnitudes; ours are moderate ones.
    """
    shift = (Element("translate_x", -0.15, 0.15), Element("translate_y", -0.15, 0.15))
    changes = (
        shift,
        (Element("zoom", 0.8, 1.25),),
        (Element("rotate", -20, 20, interpolation="bilinear"),),
        (Element("hflip"),),
        (Element("distort", 0.05, 0.2),),
        (Element("hue", -45, 45),),
    )
    return Policy((Stage(((), *changes), (6.0, *(1.0,) * 6)),), "traditional")


def dagan_standard() -> Policy:
    """Noise on half of the pictures, shifts of half of them, random quarter turns of all of them.

    The standard augmentation of DAGAN (Antoniou et al. 2018), in the order of its text, without
    magnitudes there; ours are moderate: a standard deviation of a tenth of the range, and at most
    a tenth of the side along both axes.
    """
    shift = tuple(Element(f"translate_{axis}", -0.1, 0.1) for axis in "xy")
    noise = Element("gauss_noise", 25.5, p=0.5)
    turns = Element("rot90", values=(0.0, 1.0, 2.0, 3.0))
    return Policy((_one(noise), Stage(((), shift)), _one(turns)), "dagan-standard")


def cutout(side: float = 0.5, p: float = 1.0) -> Policy:
    """Blank a box of that side (16 px of 32, the paper's CIFAR-10). DeVries & Taylor 2017."""
    return Policy((_one(Element("cutout", side, p=p)),), "cutout")


def mixup(alpha: float = 0.2, p: float = 1.0) -> Policy:
    """Mix pairs with a share from Beta(alpha, alpha). Zhang et al. 2018."""
    return Policy((_one(Element("mixup", alpha, p=p)),), "mixup")


def cutmix(alpha: float = 1.0, p: float = 0.5) -> Policy:
    """Paste a box of a partner into half of the pictures (the paper's CIFAR). Yun et al. 2019."""
    return Policy((_one(Element("cutmix", alpha, p=p)),), "cutmix")


def randaugment(n: int = 2, magnitude: int = 9, bins: int = 31) -> Policy:
    """Chain n of 14 operations, all at grid point `magnitude` of 0 to bins-1. Cubuk et al. 2020.

    Ranges, 31 points and the default 9 as torchvision has them.
    """
    if n < 1 or not 0 <= magnitude < bins:
        raise UsageError(f"`n >= 1` and `0 <= magnitude < {bins}` must hold, got {n}, {magnitude}")
    share = magnitude / (bins - 1)
    elements = [
        Element("identity"),
        *_levels(share),
        Element("posterize", float(8 - round(4 * share))),
        Element("solarize", 255 * (1 - share)),
        Element("autocontrast"),
        Element("equalize"),
    ]
    stage = Stage(tuple((element,) for element in elements))
    return Policy((stage,) * n, "randaugment", {"n": n, "magnitude": magnitude, "bins": bins})


def trivialaugment(bins: int = 31) -> Policy:
    """One operation of 14 at one of 31 magnitudes, both drawn evenly. Müller & Hutter 2021, Wide.

    Translation reaches 32 pixels whatever the picture's size, as in the paper's code and in
    torchvision.
    """
    grid = np.linspace(0.0, 1.0, bins)
    tops = {"shear_x": 0.99, "shear_y": 0.99, "shift_x": 32.0, "shift_y": 32.0}
    elements = [Element("identity")]
    elements += [_listed(name, grid * top) for name, top in (tops | {"rotate": 135.0}).items()]
    elements += [_listed(name, 1 + 0.99 * grid) for name in _ENHANCE]
    elements += [
        Element("posterize", values=_floats(8 - np.rint(6 * grid))),
        Element("solarize", values=_floats(255 * (1 - grid))),
        Element("autocontrast"),
        Element("equalize"),
    ]
    stage = Stage(tuple((element,) for element in elements))
    return Policy((stage,), "trivialaugment", {"bins": bins})


def autoaugment(dataset: str = "cifar10") -> Policy:
    """Return the policy found on "cifar10", "imagenet" or "svhn": 25 pairs. Cubuk et al. 2019."""
    if dataset not in SUBPOLICIES:
        raise UsageError(
            f"no AutoAugment policy {dataset!r}: {nearest(dataset, list(SUBPOLICIES))}"
        )
    pairs = tuple(tuple(_graded(*row) for row in pair) for pair in SUBPOLICIES[dataset])
    return Policy((Stage(pairs),), "autoaugment", {"dataset": dataset})


def uniform() -> Policy:
    """Return the random policy of AWS: any two of the 36 elements, all pairs equally likely."""
    stage = Stage(tuple((element,) for element in elements36()))
    return Policy((stage, stage), "uniform")


def elements36() -> tuple[Element, ...]:
    """Return the 36 elements of AWS (Tian et al. 2020): levels 3, 6, 9 of 14 operations.

    Shear is bicubic with grey fill, translation nearest with grey fill, rotation nearest and black.
    """
    elements: list[Element] = []
    for share in (1 / 3, 2 / 3, 1.0):
        elements += _levels(share, fill=GREY, shear="bicubic")
        elements.append(Element("posterize", float(np.rint(8 - 4 * share))))
        elements.append(Element("solarize", 256 * (1 - share)))
    return (*elements, *(Element(name) for name in _PLAIN))


def safe15(side: int) -> Branches:
    """Return the 15 operations of Safe Augmentation (Baran, table 5.1), each of them a branch.

    Magnitudes are those of Albumentations 0.1.1, p = 1 each; docs/operations.md says how each of
    ours differs. Crops are resized back, so that pictures keep their size: the thesis keeps
    height - 7 of 32 and height - 14 of 64 pixels, ours the same share in whole pixels.

    Args:
        side: of the pictures in pixels; the shorter one.

    Raises:
        UsageError: `side` is below 1.

    Example:
        >>> [name for name, branch in safe15(32)][:3]
        ['HorizontalFlip', 'VerticalFlip', 'RandomRotate90']
        >>> dict(safe15(32))["RandomCrop"][0].low == 25 / 32
        True
    """
    if side < 1:
        raise UsageError(f"`side >= 1` must hold, but got {side}")
    kept, least, most = (_kept_of(side, cut) for cut in (7, 6, 2))
    single = {
        "HorizontalFlip": Element("hflip"),
        "VerticalFlip": Element("vflip"),
        "RandomRotate90": Element("rot90", values=(0.0, 1.0, 2.0, 3.0)),
        "Transpose": Element("transpose"),
        "ToGray": Element("to_gray"),
        "RandomCrop": Element("random_crop", kept),
        "CenterCrop": Element("zoom", 1 / kept),
        "RandomSizedCrop": Element("random_crop", least, most),
        "RandomContrast": Element("contrast", 1.0, 1.2, sign=True),
        "RandomBrightness": Element("brightness", 1.0, 1.2, sign=True),
        "RandomGamma": Element("gamma", 1 / 1.2, 1 / 0.8),
        "CLAHE": Element("clahe", 1.0, 4.0),
        "Blur": Element("blur", (2 / 3) ** 0.5),  # of the 3 x 3 box
        "GaussNoise": Element("gauss_noise", 10**0.5, 50**0.5),
    }
    # Whole pixels for the shift: a third smooth warp would blur.
    chain = (
        Element("zoom", 0.9, 1.1),
        Element("rotate", 0.0, 45.0, sign=True, interpolation="bilinear"),
        *(Element(f"translate_{axis}", 0.0, 0.0625, sign=True) for axis in "xy"),
    )
    branches = [(name, (element,)) for name, element in single.items()]
    return (*branches[:5], ("ShiftScaleRotate", chain), *branches[5:])


def _kept_of(side: int, cut: int) -> float:
    """Return the share of the side that is left when `cut` of every 32 pixels go, in whole ones."""
    return (side - (cut * side + 16) // 32) / side


def _one(element: Element) -> Stage:
    return Stage(((element,),))


def _floats(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(number) for number in numbers)


def _listed(name: str, numbers: NDArray[np.float64]) -> Element:
    return Element(name, values=_floats(numbers), sign=True)


def _levels(share: float, fill: int | None = None, shear: str | None = None) -> list[Element]:
    """Return the nine signed operations at that share of AutoAugment's ranges."""
    return [
        Element("shear_x", 0.3 * share, sign=True, fill=fill, interpolation=shear),
        Element("shear_y", 0.3 * share, sign=True, fill=fill, interpolation=shear),
        Element("translate_x", 150 / 331 * share, sign=True, fill=fill),
        Element("translate_y", 150 / 331 * share, sign=True, fill=fill),
        Element("rotate", 30 * share, sign=True),
        *(Element(name, 1 + 0.9 * share, sign=True) for name in _ENHANCE),
    ]


def _graded(name: str, p: float, level: int) -> Element:
    """Return an AutoAugment operation at level 0 to 9 of its range."""
    share = level / 9
    if name in _PLAIN:
        return Element(name, p=p)
    if name == "posterize":
        return Element(name, float(8 - round(4 * share)), p=p)
    if name == "solarize":
        return Element(name, 256 * (1 - share), p=p)
    signed = {element.op: element for element in _levels(share)}[name]
    return Element(name, signed.low, sign=True, p=p)
