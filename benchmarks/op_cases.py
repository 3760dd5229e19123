"""The cases of benchmarks/ops.py: pictures, and what each of them undergoes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from learnaug import ops
from learnaug.ops.table import NAMES
from learnaug.seeds import Seeds

Plan = list[list[tuple[str, float]]]  # picture -> its operations in order

WARPS = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
FACTORS = ("brightness", "contrast", "color", "sharpness")
OPERATIONS = (
    *WARPS, *FACTORS, "posterize", "solarize", "autocontrast", "equalize", "invert",
)  # fmt: skip


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


def policy(side: int, only: str = "") -> ops.Policy:
    """Return "any two operations", or with `only` that one operation."""
    branches = tuple((e,) for e in elements(side) if only in ("", e.op))
    return ops.Policy((ops.Stage(branches),) * (1 if only else 2))


def drawn_for(side: int, n: int, only: str = "") -> ops.Drawn:
    """Return the plan of a case as our `draw` gives it; always the same one."""
    return ops.draw(policy(side, only), n, Seeds(0).child("plan", side).numpy(), (side, side))


def plan(drawn: ops.Drawn) -> Plan:
    """Return the plan as names and magnitudes."""
    return [
        [(NAMES[op], float(value)) for op, value in zip(row, values, strict=True)]
        for row, values in zip(drawn.ops, drawn.value, strict=True)
    ]


def pictures(side: int, n: int) -> Tensor:
    """Return uint8 [n, 3, side, side]: smooth shapes with some noise, as photographs have."""
    gen = Seeds(0).child("pictures", side).numpy()
    coarse = torch.from_numpy(gen.normal(128, 60, (n, 3, 6, 6)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")
    noise = torch.from_numpy(gen.normal(0, 6, (n, 3, side, side)).astype(np.float32))
    return (smooth + noise).clamp(0, 255).byte()
