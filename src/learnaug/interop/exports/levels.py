"""How far each exported operation may be from ours: a literal table that the tests measure anew.

The distance is the largest difference of any pixel, in grey levels of 255, over sizes 8 to 33, one
and three channels, both signs and magnitudes over the whole range of the operation.
"""

from __future__ import annotations

from learnaug.ops.table import INTERPOLATIONS, NAMES, TABLE

__all__ = ["CLOSE", "NEAR", "REFUSED", "SMOOTH", "STOCK", "TARGETS", "distance", "markdown"]

TARGETS = ("torchvision", "albumentations", "kornia")

# Operations that reckon with fractions: their rounding may differ by one level. All others are 0;
# so is every warp by nearest neighbour, and a smooth one is within SMOOTH.
CLOSE: dict[str, dict[str, int]] = {
    "torchvision": {"autocontrast": 1, "hue": 1, "saturation": 1, "blur": 1},
    "albumentations": {"hue": 1, "saturation": 1, "blur": 1},
    "kornia": {"hue": 1, "saturation": 1, "blur": 1},
}
SMOOTH = 1

# Albumentations' own transforms that do what ours do, for its JSON form.
STOCK = {
    "identity": 0,
    "hflip": 0,
    "vflip": 0,
    "invert": 0,
    "posterize": 0,
    "solarize": 0,
    "brightness": 0,
    "contrast": 1,
    "gamma": 1,
    "to_gray": 1,
}
# Those that come near, and how many grey levels away a pixel was at most; every other one is
# unlike ours by its meaning (equal names, other borders, centres or units).
NEAR = {"color": 2, "hue": 13, "autocontrast": 21}

_ONE = "a transform of single pictures has no partner to mix in; export to kornia, or use "
_MIX = {
    "mixup": _ONE + "v2.MixUp on batches, which draws one share for all pictures",
    "cutmix": _ONE + "v2.CutMix on batches, which draws one box for all pictures",
}
REFUSED: dict[str, dict[str, str]] = {"torchvision": _MIX, "albumentations": _MIX, "kornia": {}}


_WORDS = {0: "exact", 1: "within 1/255", None: "refused"}


def distance(op: str, target: str, interpolation: str = "nearest") -> int | None:
    """Return the largest difference in grey levels; None where the operation is refused.

    Example:
        >>> distance("invert", "kornia"), distance("mixup", "torchvision")
        (0, None)
    """
    if op in REFUSED[target]:
        return None
    if TABLE[op].primitive == "warp" and interpolation != "nearest":
        return SMOOTH
    return CLOSE[target].get(op, 0)


def markdown() -> str:
    """Return the table that docs/export.md shows.

    Example:
        >>> print(markdown().splitlines()[0])
        | operation | torchvision | albumentations | kornia | albumentations-json |
    """
    targets = (*TARGETS, "albumentations-json")
    lines = ["| operation | " + " | ".join(targets) + " |", "|---" * (len(targets) + 1) + "|"]
    for name in NAMES:
        cells = [_cell(name, target) for target in TARGETS]
        near = f"refused; nearest: within {NEAR[name]}/255" if name in NEAR else ""
        lines.append(f"| {name} | " + " | ".join([*cells, near or _WORDS[STOCK.get(name)]]) + " |")
    return "\n".join(lines) + "\n"


def _cell(op: str, target: str) -> str:
    kinds = INTERPOLATIONS if TABLE[op].primitive == "warp" else ("nearest",)
    near, smooth = (_WORDS[distance(op, target, kind)] for kind in (kinds[0], kinds[-1]))
    return near if near == smooth else f"{near}; smooth: {smooth}"
