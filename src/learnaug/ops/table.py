"""TABLE: every operation as one row; the only place of range, unit, sign and fill.

Convention: a magnitude is a physical number (degrees, fraction of the side, factor, bits, grey
level), never a level of somebody's grid. "signed" means that the mirror image of a magnitude about
`identity` is meaningful too: +30° and -30°, or the factors 1.3 and 0.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from learnaug.errors import UsageError, nearest

__all__ = ["INTERPOLATIONS", "KIND", "NAMES", "PRIMITIVES", "TABLE", "Op", "op_named", "op_numbers"]

Primitive = Literal["none", "warp", "lookup", "blend", "convolve"]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    Args:
        name: the key in TABLE and in policy files.
        primitive: which of the four primitives carries it ("none" for identity).
        unit: physical unit of the magnitude; "" where there is none.
        low: smallest magnitude allowed.
        high: largest magnitude allowed.
        identity: magnitude that changes nothing; None where no magnitude does.
        signed: the magnitude may be mirrored about `identity` at random.
        interpolation: default of a warp: "nearest", "bilinear" or "bicubic".
        fill: grey level, 0 to 255, where a picture ends.
        partner: takes pixels of a second picture of the batch.
        about: what it does, one line.
        source: where it comes from.
    """

    name: str
    primitive: Primitive
    unit: str
    low: float
    high: float
    identity: float | None
    signed: bool
    about: str
    source: str
    interpolation: str = "nearest"
    fill: int = 0
    partner: bool = False

    @property
    def plain(self) -> bool:
        """Whether the operation has no magnitude."""
        return not self.unit


AA = "AutoAugment, Cubuk et al. 2019"
TA = "TrivialAugment, Müller & Hutter 2021"

_ROWS = (
    Op("identity", "none", "", 0, 0, 0, False, "leave the picture as it is", "TrivialAugment"),
    # Shear about the top left corner, as Pillow's (1, v, 0, 0, 1, 0) of AutoAugment, and as
    # torchvision does since 0.13; a shear about the centre would need other published ranges.
    Op("shear_x", "warp", "tan(angle)", -1, 1, 0, True,
       "x_in = x + v·y, about the top left corner", AA),
    Op("shear_y", "warp", "tan(angle)", -1, 1, 0, True,
       "y_in = y + v·x, about the top left corner", AA),
    Op("translate_x", "warp", "fraction of the side", -1, 1, 0, True,
       "move to the right by v·width", AA),
    Op("translate_y", "warp", "fraction of the side", -1, 1, 0, True,
       "move down by v·height", AA),
    Op("shift_x", "warp", "pixels", -512, 512, 0, True, "move to the right by v pixels", TA),
    Op("shift_y", "warp", "pixels", -512, 512, 0, True, "move down by v pixels", TA),
    Op("rotate", "warp", "degrees", -180, 180, 0, True, "turn counter-clockwise, size kept", AA),
    Op("color", "blend", "factor", 0, 2, 1, True, "0 grey, 1 unchanged, 2 more colourful", AA),
    Op("contrast", "lookup", "factor", 0, 2, 1, True, "0 flat mean grey, 1 unchanged", AA),
    Op("sharpness", "blend", "factor", 0, 2, 1, True, "0 smoothed, 1 unchanged, 2 sharper", AA),
    Op("brightness", "lookup", "factor", 0, 2, 1, True, "0 black, 1 unchanged, 2 twice", AA),
    Op("posterize", "lookup", "bits kept", 1, 8, 8, False, "keep the highest bits", AA),
    Op("solarize", "lookup", "grey level", 0, 256, 256, False,
       "invert every value at or above the threshold", AA),
    Op("autocontrast", "lookup", "", 0, 0, None, False,
       "stretch each channel to the full range", AA),
    Op("equalize", "lookup", "", 0, 0, None, False, "flatten each channel's histogram", AA),
    Op("invert", "lookup", "", 0, 0, None, False, "255 - value", AA),
    Op("hflip", "warp", "", 0, 0, None, False, "mirror left and right", "common"),
    Op("vflip", "warp", "", 0, 0, None, False, "mirror top and bottom", "common"),
    Op("rot90", "warp", "quarter turns", 0, 3, 0, False,
       "turn counter-clockwise in steps of 90 degrees", "Safe Augmentation"),
    Op("transpose", "warp", "", 0, 0, None, False, "swap rows and columns", "Safe Augmentation"),
    Op("pad_crop", "warp", "fraction of the side", 0, 0.5, 0, False,
       "pad every side by v, crop the old size at a random place", "He et al. 2016"),
    Op("resized_crop", "warp", "fraction of the area", 0.05, 1, None, False,
       "crop that share of the area, aspect 3/4 to 4/3, and resize it back",
       "Szegedy et al. 2015", interpolation="bilinear"),
    Op("zoom", "warp", "factor", 0.5, 2, 1, False,
       "scale about the centre; above 1 comes nearer", "Perez & Wang 2017",
       interpolation="bilinear"),
    # The paper does not define "distort"; ours is the smooth global part of what a hand does.
    Op("distort", "warp", "fraction of the side", 0, 0.5, 0, False,
       "random shear and unequal scale about the centre, each at most v", "Perez & Wang 2017",
       interpolation="bilinear"),
    Op("hue", "blend", "degrees", -180, 180, 0, True, "turn the hue circle (HSV)",
       "Perez & Wang 2017"),
    Op("saturation", "blend", "factor", 0, 2, 1, True, "multiply the saturation (HSV)", "common"),
    Op("gamma", "lookup", "exponent", 0.2, 5, 1, False, "255·(value/255)^v", "common"),
    Op("to_gray", "blend", "", 0, 0, None, False, "all channels become the luminance",
       "Safe Augmentation"),
    Op("blur", "convolve", "pixels", 0, 2, 0, False, "Gaussian of that standard deviation",
       "common"),
    Op("cutout", "blend", "fraction of the side", 0, 1, 0, False,
       "fill a box of that side at a random centre", "DeVries & Taylor 2017"),
    Op("mixup", "blend", "Beta alpha", 0.01, 100, None, False,
       "λ·picture + (1-λ)·partner, λ from Beta(v, v); targets alike", "Zhang et al. 2018",
       partner=True),
    Op("cutmix", "blend", "Beta alpha", 0.01, 100, None, False,
       "a box of area 1-λ from a partner, λ from Beta(v, v); targets by area", "Yun et al. 2019",
       partner=True),
    Op("random_crop", "warp", "fraction of the side", 0.1, 1, 1, False,
       "crop that share of both sides at a random place and resize it back",
       "Safe Augmentation", interpolation="bilinear"),
    Op("clahe", "blend", "clip limit", 1, 40, None, False,
       "flatten the luminance's histogram in each of 8 x 8 tiles, contrast limited",
       "Pizer et al. 1987, Zuiderveld 1994"),
    Op("gauss_noise", "blend", "standard deviation in grey levels", 0, 100, 0, False,
       "add independent normal noise to every pixel and channel", "Safe Augmentation"),
)  # fmt: skip

PRIMITIVES = ("none", "warp", "lookup", "blend", "convolve")
TABLE: dict[str, Op] = {row.name: row for row in _ROWS}
NAMES: tuple[str, ...] = tuple(TABLE)
KIND = np.array([PRIMITIVES.index(op.primitive) for op in _ROWS] + [0])  # [-1]: nothing
_NUMBERS = {name: number for number, name in enumerate(NAMES)}


def op_named(name: str) -> Op:
    """Return the row of that name.

    Raises:
        UsageError: no such operation; names the nearest.

    Example:
        >>> op_named("rotate").unit
        'degrees'
    """
    if name not in TABLE:
        raise UsageError(f"unknown operation {name!r}: {nearest(name, NAMES)}")
    return TABLE[name]


def op_numbers(*names: str) -> tuple[int, ...]:
    """Return the numbers under which these operations stand in `Drawn.ops`."""
    return tuple(_NUMBERS[name] for name in names)
