"""What the tests of the exported files share: the files as modules, and ours beside theirs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from learnaug.interop import export
from learnaug.ops import Drawn, Element, Policy, Stage, apply, draw
from learnaug.ops.table import INTERPOLATIONS, NAMES, TABLE
from learnaug.seeds import Seeds

TARGETS = ("torchvision", "albumentations", "kornia")
SINGLE = [name for name in NAMES if name != "identity" and not TABLE[name].partner]


def one(op: str, *magnitude: float, **options: Any) -> Policy:
    return Policy((Stage(((Element(op, *magnitude, **options),),)),))


def everything(target: str) -> Policy:
    """A policy that names every operation that the target has."""
    names = [name for name in NAMES if target == "kornia" or not TABLE[name].partner]
    ends = {name: () if TABLE[name].plain else (TABLE[name].high,) for name in names}
    return Policy((Stage(tuple((Element(name, *ends[name]),) for name in names)),), "everything")


def module_of(text: str, folder: Path, name: str) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def exported(policy: Policy, target: str, folder: Path, **options: Any) -> ModuleType:
    name = f"exported_{target}_{abs(hash(str(folder)))}_{len(list(folder.iterdir()))}"
    return module_of(export(policy, target, **options), folder, name)


def steps_of(module: ModuleType, drawn: Drawn) -> list[Any]:
    """Return what was drawn, one step a picture, as the exported file writes it."""
    columns = (drawn.ops, drawn.value, drawn.extra, drawn.fill, drawn.interpolation)
    return [
        module.Step(NAMES[op], float(value), tuple(map(float, extra)), int(fill), INTERPOLATIONS[i])
        for op, value, extra, fill, i in zip(*(column[:, 0] for column in columns), strict=True)
    ]


def theirs(module: ModuleType, images: Tensor, steps: list[Any]) -> Tensor:
    """Run the exported file's own functions on uint8 [B, C, H, W]."""
    if hasattr(module, "apply_steps"):
        out: Tensor = module.apply_steps(images.float(), steps)
        assert torch.equal(out, out.round())
        return out.to(torch.uint8)
    return torch.stack([_single(module, *pair) for pair in zip(images, steps, strict=True)])


def _single(module: ModuleType, image: Tensor, step: Any) -> Tensor:
    array = image.permute(1, 2, 0).numpy()
    if hasattr(module, "RESAMPLING"):
        picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
        array = np.asarray(module.apply_step(picture, step)).reshape(array.shape)
    else:
        array = module.apply_step(array, step)
    return torch.from_numpy(array.copy()).permute(2, 0, 1)


def pictures(height: int, width: int, channels: int, count: int = 6) -> Tensor:
    """Noise, and the edge cases: two levels, low contrast, flat, black, white."""
    gen = np.random.default_rng(height * 100 + width + channels)
    out = torch.from_numpy(gen.integers(0, 256, (count, channels, height, width), dtype=np.uint8))
    out[0] //= 128
    out[1] = out[1] // 5 + 90
    for number, level in enumerate((77, 0, 255)[: count - 3]):
        out[2 + number] = level
    return out


def difference(
    module: ModuleType, images: Tensor, op: str, magnitude: tuple[float, ...], **options: Any
) -> int:
    size = (images.shape[2], images.shape[3])
    drawn = draw(one(op, *magnitude, **options), len(images), Seeds(1).numpy(), size)
    found = theirs(module, images, steps_of(module, drawn))
    return int((found.int() - apply(images, drawn).int()).abs().max())


def magnitudes(op: str, count: int) -> list[tuple[float, ...]]:
    """Return magnitudes over the whole range, so both signs; whole numbers where only they count.

    The odd ones out lie on no round number.
    """
    row = TABLE[op]
    if row.plain:
        return [()]
    if op in ("posterize", "rot90"):
        return [(float(v),) for v in range(int(row.low), int(row.high) + 1)]
    low, high = (-40.0, 40.0) if op.startswith("shift") else (row.low, row.high)
    if op.startswith("shift"):
        return [(v,) for v in (low, -7.47, -0.5, 0.4, 2.0, 5.33, high)]
    odd = [low + (high - low) * share for share in (0.037, 0.313, 0.771)]
    return [(float(v),) for v in [*np.linspace(low, high, count), *odd]]
