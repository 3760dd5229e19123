"""Whole policies of other libraries, built once and called as their users call them.

They draw by themselves and their ranges differ a little; what is no equal is named:
timm has RandAugment and AutoAugment ("original", the ImageNet policy), set to nearest
neighbour and black; Albumentations has none of these, so SomeOf with n of ten transforms stands
for TrivialAugment (n=1) and RandAugment (n=2); Kornia draws ONE operation for the whole batch
(each picture its own magnitude), which is less work than one for each picture.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import albumentations
import cv2
import kornia.augmentation as ka
import numpy as np
import peers
import timm.data.auto_augment as ta
import torch
from PIL import Image
from torchvision.transforms import v2

POLICIES = ("trivialaugment", "randaugment", "flip-crop", "autoaugment")
LIBRARIES = ("torchvision-pil", "torchvision-tensor", "timm", "albumentations", "kornia")


def torchvision_policy(policy: str, side: int) -> Callable[[Any], Any]:
    """Return torchvision's transform."""
    crop = [v2.RandomCrop(side, padding=side // 8), v2.RandomHorizontalFlip()]
    return {
        "trivialaugment": v2.TrivialAugmentWide,
        "randaugment": partial(v2.RandAugment, 2, 9),
        "flip-crop": partial(v2.Compose, crop),
        "autoaugment": partial(v2.AutoAugment, v2.AutoAugmentPolicy.CIFAR10),
    }[policy]()


def timm_policy(policy: str, side: int) -> Callable[[Any], Any] | None:
    """Return timm's transform of Pillow pictures; None where it has none."""
    hparams = {
        "interpolation": Image.Resampling.NEAREST, "img_mean": (0, 0, 0),
        "translate_const": int(0.45 * side),
    }  # fmt: skip
    if policy == "randaugment":
        return ta.rand_augment_transform("rand-m9-n2-p1.0", hparams)
    if policy == "autoaugment":
        return ta.auto_augment_transform("original", hparams)
    return None


def albumentations_policy(policy: str, side: int) -> Callable[[Any], Any] | None:
    """Return a composition of Albumentations; None where it has none."""
    a = albumentations
    if policy == "flip-crop":
        crop = [a.Pad(side // 8, p=1), a.RandomCrop(side, side, p=1), a.HorizontalFlip(p=0.5)]
        return partial(named, a.Compose(crop))
    if policy == "autoaugment":
        return None
    nearest = {"interpolation": cv2.INTER_NEAREST, "p": 1}
    some = [
        a.Affine(shear=(-17, 17), **nearest), a.Affine(translate_percent=(-0.3, 0.3), **nearest),
        a.Rotate((-30, 30), **nearest), a.RandomBrightnessContrast(0.7, 0.7, p=1),
        a.ColorJitter((1, 1), (1, 1), (0.3, 1.7), (0, 0), p=1), a.Sharpen(p=1), a.Posterize(p=1),
        a.Solarize(p=1), a.AutoContrast(p=1), a.Equalize(p=1),
    ]  # fmt: skip
    return partial(named, a.Compose([a.SomeOf(some, n=1 + (policy == "randaugment"), p=1)]))


def named(transform: Any, image: Any) -> Any:
    """Call as Albumentations wants to be called."""
    return transform(image=image)["image"]


def kornia_policy(policy: str, side: int) -> Callable[[Any], Any]:
    """Return Kornia's module for float batches."""
    crop = (ka.RandomCrop((side, side), padding=side // 8), ka.RandomHorizontalFlip())
    return {
        "trivialaugment": ka.auto.TrivialAugment,
        "randaugment": partial(ka.auto.RandAugment, 2, 9),
        "flip-crop": partial(ka.ImageSequential, *crop),
        "autoaugment": partial(ka.auto.AutoAugment, "cifar10"),
    }[policy]()


def contender(library: str, policy: str, images: torch.Tensor) -> Callable[[], Any] | None:
    """Return the policy on these pictures, which lie ready in the library's form; None: has none.

    Args:
        library: one of LIBRARIES.
        policy: one of POLICIES.
        images: uint8, [b, 3, side, side].
    """
    side = images.shape[-1]
    if library == "kornia":
        module = kornia_policy(policy, side)
        return lambda: module(images.float().div_(255)).mul(255).add_(0.5).byte()
    build = {
        "torchvision-pil": torchvision_policy, "torchvision-tensor": torchvision_policy,
        "timm": timm_policy, "albumentations": albumentations_policy,
    }[library]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on arguments that a default filled in
        transform = build(policy, side)
    if transform is None:
        return None
    if library == "torchvision-tensor":
        return partial(peers.chains, list(images), [[transform]] * len(images))
    arrays = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]
    ready = arrays if library == "albumentations" else [Image.fromarray(a) for a in arrays]
    return partial(peers.chains, ready, [[transform]] * len(images))


def has(library: str, policy: str) -> bool:
    """Return whether the library has the policy or a substitute."""
    return contender(library, policy, torch.zeros((1, 3, 32, 32), dtype=torch.uint8)) is not None
