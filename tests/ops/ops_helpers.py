"""What the tests of the operations share: one-element policies and Pillow's side of things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from learnaug.ops import TABLE, Drawn, Element, Policy, Stage, apply, draw
from learnaug.seeds import Seeds

Picture = Image.Image
NAMES = sorted(TABLE)


def magnitude(name: str, share: float) -> tuple[float, ...]:
    """The magnitude at that share of the range; nothing where there is none."""
    op = TABLE[name]
    return (op.low + share * (op.high - op.low),) if op.unit else ()


def one(op: str, *magnitude: float, **options: Any) -> Policy:
    return Policy((Stage(((Element(op, *magnitude, **options),),)),))


def drawn_for(images: Tensor, policy: Policy, seed: int = 0) -> Drawn:
    return draw(policy, len(images), Seeds(seed).numpy(), tuple(images.shape[-2:]))  # type: ignore[arg-type]


def run(images: Tensor, op: str, *magnitude: float, **options: Any) -> Tensor:
    return apply(images, drawn_for(images, one(op, *magnitude, **options)))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def batches(count: int = 40) -> list[Tensor]:
    """Random pictures of many sizes and contrasts, and the edge cases; 1 and 3 channels."""
    sizes = [(32, 32), (28, 28), (33, 17), (8, 64), (1, 1), (1, 7), (6, 1), (2, 2), (3, 3)]
    out = []
    for number, (height, width) in enumerate(sizes):
        for channels in (1, 3):
            pictures = noise(count, channels, height, width, seed=number)
            quarter = count // 4
            pictures[:quarter] = pictures[:quarter] // 5 + 90  # low contrast
            pictures[quarter] = 0
            pictures[quarter + 1] = 255
            pictures[quarter + 2] = 77
            pictures[quarter + 3] //= 128  # two values
            out.append(pictures)
    return out


def to_pillow(picture: Tensor) -> Picture:
    array = picture.permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.shape[2] == 1 else array))


def from_pillow(picture: Picture) -> Tensor:
    array = np.asarray(picture)
    return torch.from_numpy(array.reshape(*array.shape[:2], -1).copy()).permute(2, 0, 1)


def by_pillow(images: Tensor, change: Callable[[Picture], Picture]) -> Tensor:
    return torch.stack([from_pillow(change(to_pillow(picture))) for picture in images])


def worst(a: Tensor, b: Tensor) -> int:
    return int((a.int() - b.int()).abs().max())
