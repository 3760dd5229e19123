"""The cases of benchmarks/ops.py: pictures, and what each of them undergoes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from learnaug import ops
from learnaug.ops.geometry import box, matrices
from learnaug.ops.table import INTERPOLATIONS, NAMES, TABLE, op_numbers
from learnaug.seeds import Seeds

WARPS = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
FACTORS = ("brightness", "contrast", "color", "sharpness")
OPERATIONS = (
    *WARPS, *FACTORS, "posterize", "solarize", "autocontrast", "equalize", "invert",
)  # fmt: skip
MIXING = ("mixup", "cutmix")


class Step(NamedTuple):
    """One operation on one picture, as drawn."""

    op: str
    value: float
    extra: tuple[float, ...]  # four uniform numbers, for places
    kind: str  # of interpolation
    mix: float  # share of the own picture


Plan = list[list[Step]]  # picture -> its operations in order


def elements(side: int) -> list[ops.Element]:
    """Return the operations with RandAugment's ranges; translations by whole pixels."""
    steps = np.rint(np.linspace(1, 0.45 * side, 31)) / side
    return [
        *(ops.Element(name, 0.01, 0.3, sign=True) for name in ("shear_x", "shear_y")),
        *(
            ops.Element(name, values=tuple(map(float, steps)), sign=True)
            for name in ("translate_x", "translate_y")
        ),
        ops.Element("rotate", 1, 30, sign=True),
        *(ops.Element(name, 1.1, 1.9, sign=True) for name in FACTORS),
        ops.Element("posterize", values=(4.0, 5.0, 6.0, 7.0)),
        ops.Element("solarize", values=tuple(map(float, range(8, 256, 8)))),
        *(ops.Element(name) for name in ("autocontrast", "equalize", "invert")),
    ]


def singles(side: int) -> dict[str, ops.Element]:
    """Return every operation of TABLE but identity, some warps also smooth, under their names."""
    smooth = (("rotate", 1, 30), ("shear_x", 0.01, 0.3))
    return {e.op: e for e in elements(side)} | {
        "shift_x": ops.Element("shift_x", values=(1.0, 2.0, 3.0, 4.0), sign=True),
        "shift_y": ops.Element("shift_y", values=(1.0, 2.0, 3.0, 4.0), sign=True),
        **{f"{op} {kind}": ops.Element(op, low, high, sign=True, interpolation=kind)
           for kind in INTERPOLATIONS[1:] for op, low, high in smooth},
        "hflip": ops.Element("hflip"), "vflip": ops.Element("vflip"),
        "rot90": ops.Element("rot90", values=(1.0, 2.0, 3.0)),
        "transpose": ops.Element("transpose"),
        "pad_crop": ops.Element("pad_crop", 0.125),
        "resized_crop": ops.Element("resized_crop", 0.2, 0.9),
        "zoom": ops.Element("zoom", 0.7, 1.4),
        "distort": ops.Element("distort", 0.1, 0.3),
        "hue": ops.Element("hue", 20, 90, sign=True),
        "saturation": ops.Element("saturation", 1.2, 1.9, sign=True),
        "gamma": ops.Element("gamma", 0.5, 0.9), "to_gray": ops.Element("to_gray"),
        "blur": ops.Element("blur", 0.8, 1.6), "cutout": ops.Element("cutout", 0.5),
        "mixup": ops.Element("mixup", 1.0), "cutmix": ops.Element("cutmix", 1.0),
        "random_crop": ops.Element("random_crop", 0.5, 0.9),
        "clahe": ops.Element("clahe", 2, 4), "gauss_noise": ops.Element("gauss_noise", 3, 7),
    }  # fmt: skip


ALL = tuple(singles(32))


def policy(side: int, only: str = "") -> ops.Policy:
    """Return "any two operations" of the bar, or with `only` that one of `singles`."""
    if only:
        return ops.Policy((ops.Stage(((singles(side)[only],),)),))
    return ops.Policy((ops.Stage(tuple((e,) for e in elements(side))),) * 2)


def drawn_for(side: int, n: int, only: str = "") -> ops.Drawn:
    """Return the plan of a case as our `draw` gives it; always the same one.

    Mixing takes the next picture, and one share and one box for the batch, as torchvision does.
    """
    gen = Seeds(0).child("plan", side).numpy()
    drawn = ops.draw(policy(side, only), n, gen, (side, side))
    if only not in MIXING:
        return drawn
    first = np.zeros(n, np.int64)
    following = np.roll(np.arange(n), -1)[:, None]
    return replace(drawn.take(first), partner=following)


def plan(drawn: ops.Drawn) -> Plan:
    """Return the plan as steps with names."""
    rows = zip(drawn.ops, drawn.value, drawn.extra, drawn.interpolation, drawn.mix, strict=True)
    return [
        [
            Step(
                NAMES[op], float(value), tuple(map(float, extra)), INTERPOLATIONS[kind], float(mix)
            )
            for op, value, extra, kind, mix in zip(*row, strict=True)
        ]
        for row in rows
    ]


def warps(step: Step) -> bool:
    """Return whether a step moves pixels."""
    return TABLE[step.op].primitive == "warp"


def matrix(step: Step, side: int) -> np.ndarray:
    """Return the 3x3 matrix of a warp, output -> input, pixel centres at +0.5."""
    number = np.array(op_numbers(step.op), np.int16)
    extra = np.array([step.extra], np.float32)
    at = np.array([step.value], np.float32)
    return matrices(number, at, extra, (side, side), whole_pixels=step.kind == "nearest")[0]


def forward(step: Step, side: int) -> np.ndarray:
    """Return the 2x3 matrix from input to output, pixel centres at 0: OpenCV's and Kornia's."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(np.linalg.inv(half) @ matrix(step, side) @ half)[:2]


def hole(step: Step, side: int) -> tuple[int, int, int, int]:
    """Return the box of cutout or cutmix: top, bottom, left, right."""
    value, extra = np.array([step.value], np.float32), np.array([step.extra], np.float32)
    top, bottom, left, right = (int(end[0]) for end in box(value, extra, (side, side)))
    return top, bottom, left, right


def window(step: Step, side: int) -> tuple[int, int, int, int]:
    """Return what a crop keeps, in whole pixels: top, left, height, width."""
    (across, _, left), (_, down, top), _ = matrix(step, side)
    y0, x0, y1, x1 = (round(v) for v in (top, left, top + down * side, left + across * side))
    return y0, x0, y1 - y0, x1 - x0


def pictures(side: int, n: int) -> Tensor:
    """Return uint8 [n, 3, side, side]: smooth shapes with some noise, as photographs have."""
    gen = Seeds(0).child("pictures", side).numpy()
    coarse = torch.from_numpy(gen.normal(128, 60, (n, 3, 6, 6)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")
    noise = torch.from_numpy(gen.normal(0, 6, (n, 3, side, side)).astype(np.float32))
    return (smooth + noise).clamp(0, 255).byte()
