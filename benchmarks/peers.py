"""The same operations in other libraries, each through its own fastest public or inner kernel.

A plan is what our `draw` drew: two operations a picture with their magnitudes. `TABLES[library]`
gives for (operation, magnitude, side) a function of one picture (Kornia: of a group of pictures),
with everything that can be made beforehand made beforehand: no transform object, no matrix and no
parameter tensor is built while the watch runs. Substitutes, where a library has no equal one:
Albumentations sharpens by one 3x3 convolution (border reflected), equalizes by OpenCV's rule, and
rounds autocontrast and rotation its own way; Kornia's contrast, autocontrast and rounding are its
own; timm and Pillow share their kernels.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from functools import partial
from typing import Any

import albumentations.augmentations.geometric.functional as ag
import albumentations.augmentations.pixel.functional as ap
import cv2
import kornia
import numpy as np
import peers_rest
import timm.data.auto_augment as ta
import torch
import torchvision.transforms._functional_pil as tp
from op_cases import MIXING, OPERATIONS, WARPS, Plan, Step, forward, warps
from peers_rest import Call
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv
from torchvision.transforms.v2.functional import _geometry as tg

from learnaug import ops

FLAGS = {
    "nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC,
}  # fmt: skip

# --- Pillow: torchvision and timm -----------------------------------------------------------------


def torchvision_pil(step: Step, side: int) -> Call | None:
    """Return torchvision's Pillow kernel."""
    if step.op in WARPS:
        return torchvision_warp(step, side, tg._rotate_image_pil, tg._affine_image_pil)
    kernels = {
        "brightness": tp.adjust_brightness, "contrast": tp.adjust_contrast,
        "color": tp.adjust_saturation, "sharpness": tp.adjust_sharpness,
        "posterize": lambda image, bits: tp.posterize(image, int(bits)), "solarize": tp.solarize,
        "autocontrast": tp.autocontrast, "equalize": tp.equalize, "invert": tp.invert,
    }  # fmt: skip
    return bound(kernels[step.op], step)


def torchvision_tensor(step: Step, side: int) -> Call | None:
    """Return torchvision's kernel for uint8 tensors."""
    if step.op in WARPS:
        if step.kind == "bicubic":
            return None
        return torchvision_warp(step, side, tv.rotate_image, tv.affine_image)
    kernels = {
        "brightness": tv.adjust_brightness_image, "contrast": tv.adjust_contrast_image,
        "color": tv.adjust_saturation_image, "sharpness": tv.adjust_sharpness_image,
        "posterize": lambda image, bits: tv.posterize_image(image, int(bits)),
        "solarize": tv.solarize_image, "autocontrast": tv.autocontrast_image,
        "equalize": tv.equalize_image, "invert": tv.invert_image,
    }  # fmt: skip
    return bound(kernels[step.op], step)


def torchvision_warp(step: Step, side: int, rotate: Call, affine: Call) -> Call:
    """Return rotate or affine as torchvision's own AutoAugment calls them."""
    op, value = step.op, step.value
    kind = InterpolationMode(step.kind)
    if op == "rotate":
        return partial(rotate, angle=value, interpolation=kind)
    shift, shear, middle = [0, 0], [0.0, 0.0], None
    axis = int(op.endswith("y"))
    if op.startswith("shear"):
        shear[axis], middle = float(np.degrees(np.arctan(value))), [0, 0]
    else:
        shift[axis] = round(value * side)
    return partial(
        affine, angle=0.0, translate=shift, scale=1.0, shear=shear,
        interpolation=kind, center=middle,
    )  # fmt: skip


def timm(step: Step, side: int) -> Call | None:
    """Return timm's function, black outside."""
    op, value = step.op, step.value
    kernels = {
        "shear_x": ta.shear_x, "shear_y": ta.shear_y, "translate_x": ta.translate_x_abs,
        "translate_y": ta.translate_y_abs, "rotate": ta.rotate, "brightness": ta.brightness,
        "contrast": ta.contrast, "color": ta.color, "sharpness": ta.sharpness,
        "posterize": lambda image, bits: ta.posterize(image, int(bits)), "solarize": ta.solarize,
        "autocontrast": ta.auto_contrast, "equalize": ta.equalize, "invert": ta.invert,
    }  # fmt: skip
    kernel = kernels[op]
    if op in WARPS:
        amount = -round(value * side) if op.startswith("translate") else value
        options = {"resample": Image.Resampling[step.kind.upper()], "fillcolor": (0, 0, 0)}
        return lambda image: kernel(image, amount, **options)
    return bound(kernel, step)


def bound(kernel: Call, step: Step) -> Call:
    """Return the kernel with its magnitude, if it has one."""
    if ops.TABLE[step.op].plain:
        return kernel
    value = step.value
    return lambda image: kernel(image, value)


# --- Albumentations -------------------------------------------------------------------------------

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
_CENTRE = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)


def albumentations(step: Step, side: int) -> Call | None:
    """Return the function that the transform of Albumentations calls in the end."""
    if warps(step):
        return partial(
            ag.warp_affine_with_value_extension, matrix=forward(step, side), dsize=(side, side),
            flags=FLAGS[step.kind], border_mode=cv2.BORDER_CONSTANT, border_value=0,
        )  # fmt: skip
    if step.op == "sharpness":
        value = step.value
        return partial(ap.convolve, kernel=value * _CENTRE + (1 - value) * _SMOOTH)
    kernels = {
        "brightness": ap.adjust_brightness_torchvision, "contrast": ap.adjust_contrast_torchvision,
        "color": ap.adjust_saturation_torchvision, "equalize": ap.equalize, "invert": ap.invert,
        "posterize": lambda image, bits: ap.posterize(image, int(bits)),
        "solarize": lambda image, threshold: ap.solarize(image, threshold / 255),
        "autocontrast": lambda image: ap.auto_contrast(image, 0, None, "pil"),
    }  # fmt: skip
    return bound(kernels[step.op], step)


# --- Kornia: whole groups of pictures, float in between -------------------------------------------


def kornia_group(steps: list[Step], side: int) -> Call | None:
    """Return Kornia's function of float pictures [b, 3, side, side] in [0, 1]."""
    op, kind = steps[0].op, steps[0].kind
    if op not in OPERATIONS and (call := peers_rest.kornia_group(steps)):
        return call
    if warps(steps[0]):
        maps = torch.from_numpy(np.array([forward(step, side) for step in steps], np.float32))
        warp = partial(kornia.geometry.transform.warp_affine, M=maps, dsize=(side, side), mode=kind)
        # Cubic weights leave [0, 1], and bytes would wrap around.
        return (lambda x: warp(x).clamp_(0, 1)) if kind == "bicubic" else warp
    if op not in OPERATIONS:
        return None
    enhance = kornia.enhance
    numbers = torch.tensor([step.value for step in steps])
    if op == "posterize":
        bits = numbers.int()
        return lambda x: enhance.posterize(x, bits)
    if op == "solarize":
        thresholds = numbers / 255
        return lambda x: enhance.solarize(x, thresholds)
    kernels = {
        "brightness": enhance.adjust_brightness_accumulative,
        "contrast": enhance.adjust_contrast_with_mean_subtraction,
        "color": enhance.adjust_saturation_with_gray_subtraction,
        "sharpness": enhance.sharpness, "autocontrast": enhance.normalize_min_max,
        "equalize": enhance.equalize, "invert": enhance.invert,
    }  # fmt: skip
    kernel = kernels[op]
    return (lambda x: kernel(x, numbers)) if ops.TABLE[op].unit else kernel


def kornia_batch(images: Tensor, steps: Plan) -> Callable[[], Tensor] | None:
    """Return the whole plan on a uint8 batch: slot by slot, one call for each operation."""
    side = images.shape[-1]
    slots = []
    for slot in zip(*steps, strict=True):
        groups: dict[str, list[int]] = {}
        for row, step in enumerate(slot):
            groups.setdefault(step.op, []).append(row)
        slots.append([
            (torch.tensor(rows), kornia_group([slot[row] for row in rows], side))
            for rows in groups.values()
        ])  # fmt: skip
    if any(call is None for groups in slots for _, call in groups):
        return None

    def run() -> Tensor:
        x = images.float().div_(255)
        for groups in slots:
            if len(groups) == 1:
                x = groups[0][1](x)
                continue
            out = torch.empty_like(x)
            for rows, call in groups:
                out[rows] = call(x[rows])
            x = out
        return x.mul_(255).add_(0.5).byte()

    return run


# --- contenders: a function without arguments for a part of the batch -----------------------------

TABLES = {
    "torchvision-pil": torchvision_pil,
    "torchvision-pil-arrays": torchvision_pil,
    "torchvision-tensor": torchvision_tensor,
    "timm": timm,
    "timm-arrays": timm,
    "albumentations": albumentations,
}
PEERS = (*TABLES, "kornia")


def contender(name: str, images: Tensor, steps: Plan) -> Callable[[], Any] | None:
    """Return the plan of these pictures in one library; the pictures lie ready in its own form.

    Args:
        name: one of PEERS; with "-arrays" the way from uint8 to Pillow and back is counted.
        images: uint8, [b, 3, side, side].
        steps: the plan of these b pictures.

    Returns:
        A function without arguments; None where the library has no such operation.
    """
    if name == "kornia":
        return kornia_batch(images, steps)
    side = images.shape[-1]
    if steps[0][0].op in MIXING:
        return peers_rest.mixing(name, images, steps[0][0])
    calls = [[kernel_of(name, step, side) for step in row] for row in steps]
    if any(call is None for row in calls for call in row):
        return None
    if name == "torchvision-tensor":
        return partial(chains, list(images), calls)
    arrays = peers_rest.arrays(images)
    if name == "albumentations":
        return partial(chains, arrays, calls)
    if name.endswith("-arrays"):
        whole = [[Image.fromarray, *row, np.asarray] for row in calls]
        return partial(chains, arrays, whole)
    return partial(chains, [Image.fromarray(array) for array in arrays], calls)


def kernel_of(name: str, step: Step, side: int) -> Call | None:
    """Return a library's kernel with its magnitudes; None where it has none."""
    if step.op in OPERATIONS:
        return TABLES[name](step, side)
    kernel = peers_rest.TABLES.get(name, {}).get(step.op)
    if kernel is None and name == "albumentations" and warps(step):
        return albumentations(step, side)
    return kernel and kernel(step, side)


def chains(images: list[Any], calls: list[list[Call]]) -> list[Any]:
    """Run each picture through its own calls."""
    out = []
    for image, row in zip(images, calls, strict=True):
        for call in row:
            image = call(image)
        out.append(image)
    return out


def as_batch(out: Any) -> Tensor:
    """Return a contender's result as uint8 [b, 3, H, W]; for the check, never timed."""
    if isinstance(out, Tensor):
        return out
    if isinstance(out[0], Tensor):
        return torch.stack(out)
    return torch.from_numpy(np.stack([np.array(image) for image in out])).permute(0, 3, 1, 2)


def versions() -> dict[str, str]:
    """Return the versions of the libraries compared."""
    names = ("timm", "albumentations", "kornia", "opencv-python-headless", "numba")
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {name: found.get(name, "not installed") for name in names}
