"""Drawings of made-up characters, and generators with planted faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import affine_transform, gaussian_filter
from torch import Tensor

from learnaug.seeds import Seeds

SIDE, Z = 28, 5
Maker = Callable[[Tensor, Tensor], Tensor]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def drawings(classes: int, each: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return uint8 [N, 1, 28, 28] and labels: a character is two strokes, a drawing shifts ends."""
    pictures = []
    for character in range(classes):
        gen = Seeds(seed).child(character).numpy()
        strokes = gen.uniform(4, SIDE - 4, (2, 3, 2))
        for _ in range(each):
            ends = (strokes + gen.normal(0, 1.5, strokes.shape)) * 4
            sheet = Image.new("L", (4 * SIDE, 4 * SIDE))
            for stroke in ends:
                ImageDraw.Draw(sheet).line([tuple(p) for p in stroke], fill=255, width=7)
            pictures.append(np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX)))
    labels = np.repeat(np.arange(classes), each)
    return torch.from_numpy(np.stack(pictures)[:, None]), torch.from_numpy(labels)


def moved(picture: Floats, pull: Floats, degrees: float, pixels: float) -> Floats:
    """Return a picture turned and shifted by as much as the first three numbers say (-1 … 1)."""
    angle, middle = np.deg2rad(degrees) * pull[0], np.full(2, (SIDE - 1) / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = middle - turn @ middle + pixels * pull[1:3]
    found: Floats = affine_transform(picture, turn, shift, order=1)
    return found


def of_each(change: Callable[[Floats, Floats], Floats]) -> Maker:
    """Return a generator that changes picture by picture, by its z."""

    def generate(images: Tensor, z: Tensor) -> Tensor:
        pairs = zip(images[:, 0].numpy().astype(np.float64), np.tanh(z.numpy()), strict=True)
        made = np.stack([change(picture, pull) for picture, pull in pairs])
        return torch.from_numpy(made.clip(0, 255).round().astype(np.uint8)[:, None])

    return generate


def honest(degrees: float = 15, pixels: float = 2, blur: float = 0) -> Maker:
    """Turns and shifts by z, and may blur."""
    return of_each(lambda p, pull: gaussian_filter(moved(p, pull, degrees, pixels), blur))


def noisy_copy() -> Maker:
    """Give the input back with noise of up to 10 of 255, drawn by z."""

    def change(picture: Floats, pull: Floats) -> Floats:
        gen = np.random.Generator(np.random.Philox(key=int(1e6 * abs(pull[0]))))
        return picture + 10 * gen.standard_normal(picture.shape)

    return of_each(change)


def without_z() -> Maker:
    """Turn and shift every picture in the same way."""
    return of_each(lambda p, pull: moved(p, np.array([1.0, 1.0, -1.0]), 12, 1.5))


def without_input(picture: Tensor) -> Maker:
    """Turn and shift one picture by z, whatever the input is."""
    alone = picture[0].numpy().astype(np.float64)
    return of_each(lambda p, pull: moved(alone, pull, 15, 2))


def from_memory(train: Tensor, share: float = 1.0) -> Maker:
    """Give a share of the inputs a training picture that z chooses, the others honest ones."""
    known, fair = train[:, 0].numpy().astype(np.float64), honest()

    def generate(images: Tensor, z: Tensor) -> Tensor:
        pick = (1e4 * z[:, 3].abs()).long()
        stored = torch.from_numpy(known[(pick % len(known)).numpy()].astype(np.uint8)[:, None])
        copied = (z[:, 4].abs() * 1000 % 100 < 100 * share)[:, None, None, None]
        return torch.where(copied, stored, fair(images, z))

    return generate
