"""What the tests of the adapters share: samples, policies, and what workers can be sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from learnaug.ops import Element, Policy, Stage

H, W = 12, 16


def chain(*elements: Element, name: str = "chain") -> Policy:
    return Policy(tuple(Stage(((element,),)) for element in elements), name)


FLIP = chain(Element("hflip"), name="flip")
MOVES = chain(Element("hflip", p=0.5), Element("shift_x", -4, 4), Element("vflip", p=0.5))
PER_CLASS = Policy(
    (Stage(((), (Element("hflip"),)), weights=((1.0, 0.0), (0.0, 1.0)), given="class"),), "classes"
)


def pixels(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def picture(mode: str = "RGB", seed: int = 0) -> Image.Image:
    array = pixels(H, W, 3, seed=seed).numpy()
    return Image.fromarray(array[:, :, 0] if mode == "L" else array)


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def second(sample: Any) -> int:
    return int(sample[1])


class Numbered(Dataset[tuple[Any, int]]):
    """The same picture again and again, so that two draws that agree can be seen."""

    def __init__(self, transform: Any = None, count: int = 32, channels: int = 3) -> None:
        self.picture = pixels(channels, H, W)
        self.transform = transform
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, int]:
        sample = (self.picture, index % 2)
        return sample if self.transform is None else self.transform(*sample)
