"""The operations beyond the fourteen of the bar in other libraries; peers.py does the rest.

`TABLES[library][operation]` gives for (step, side) a function of one picture. Substitutes: Pillow
blurs by three boxes; saturation is a blend with grey in torchvision and Albumentations; whole
pixels bound a resized crop in torchvision and OpenCV; everybody's noise is his own, and clahe of
colours is on the L of LAB in Albumentations, with one limit a call in Kornia; quarter turns,
transposition, boxes and mixtures of arrays are OpenCV's or NumPy's own, which Albumentations calls
or copies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import albumentations.augmentations.geometric.functional as ag
import albumentations.augmentations.pixel.functional as ap
import cv2
import kornia
import numpy as np
import torch
import torchvision.transforms._functional_pil as tp
from op_cases import Step, hole, matrix, window
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv
from torchvision.transforms.v2.functional import _geometry as tg

Call = Callable[[Any], Any]
Make = Callable[[Step, int], Call]
BILINEAR = InterpolationMode.BILINEAR


def plain(call: Call) -> Make:
    """Return what makes a call that needs no numbers."""
    return lambda step, side: call


def kernel_size(sigma: float) -> int:
    """Return the width of our Gaussian."""
    return 2 * math.ceil(3 * sigma) + 1


def moved(affine: Call) -> Make:
    """Return what makes a shift or a zoom by torchvision's affine."""

    def make(step: Step, side: int) -> Call:
        shift = [round(step.value) * (step.op == name) for name in ("shift_x", "shift_y")]
        scale = step.value if step.op == "zoom" else 1.0
        return partial(
            affine, angle=0.0, translate=shift, scale=scale, shear=[0.0, 0.0],
            interpolation=InterpolationMode(step.kind),
        )  # fmt: skip

    return make


# --- Pillow ---------------------------------------------------------------------------------------


def pil_crop(step: Step, side: int) -> Call:
    """Return torchvision's padding and crop."""
    pad = round(step.value * side)
    top, left, _, _ = window(step, side)
    return lambda image: tp.crop(tp.pad(image, pad), top + pad, left + pad, side, side)


def pil_resized_crop(step: Step, side: int) -> Call:
    """Return torchvision's resized crop."""
    at = window(step, side)
    return lambda image: tg._resized_crop_image_pil(image, *at, [side, side], BILINEAR)


def pil_distort(step: Step, side: int) -> Call:
    """Return Pillow's affine map of our matrix."""
    numbers = tuple(matrix(step, side)[:2].ravel())
    affine, kind = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return lambda image: image.transform((side, side), affine, numbers, kind)


def pil_cutout(step: Step, side: int) -> Call:
    """Return a copy with a black box."""
    top, bottom, left, right = hole(step, side)

    def call(image: Image.Image) -> Image.Image:
        out = image.copy()
        out.paste(0, (left, top, right, bottom))
        return out

    return call


PIL: dict[str, Make] = {
    "shift_x": moved(tg._affine_image_pil), "shift_y": moved(tg._affine_image_pil),
    "hflip": plain(tp.hflip), "vflip": plain(tp.vflip),
    "rot90": lambda s, _: lambda x: x.transpose(Image.Transpose[f"ROTATE_{90 * round(s.value)}"]),
    "transpose": plain(lambda image: image.transpose(Image.Transpose.TRANSPOSE)),
    "pad_crop": pil_crop, "resized_crop": pil_resized_crop, "random_crop": pil_resized_crop,
    "distort": pil_distort,
    "zoom": moved(tg._affine_image_pil),
    "hue": lambda step, _: lambda image: tp.adjust_hue(image, step.value / 360),
    "saturation": lambda step, _: lambda image: tp.adjust_saturation(image, step.value),
    "gamma": lambda step, _: lambda image: tp.adjust_gamma(image, step.value),
    "to_gray": plain(lambda image: tp.to_grayscale(image, 3)),
    "blur": lambda step, _: lambda image: image.filter(ImageFilter.GaussianBlur(step.value)),
    "cutout": pil_cutout,
}  # fmt: skip


# --- tensors --------------------------------------------------------------------------------------


def tensor_crop(step: Step, side: int) -> Call:
    """Return torchvision's padding and crop, made whole."""
    pad = round(step.value * side)
    top, left, _, _ = window(step, side)
    return lambda image: tv.crop_image(
        tv.pad_image(image, [pad]), top + pad, left + pad, side, side
    ).contiguous()


def tensor_resized_crop(step: Step, side: int) -> Call:
    """Return torchvision's resized crop without the smoothing that only shrinking needs."""
    at = window(step, side)
    return lambda image: tv.resized_crop_image(image, *at, [side, side], BILINEAR, False)


def tensor_distort(step: Step, side: int) -> Call:
    """Return torchvision's grid of our matrix, which keeps the centre."""
    linear = torch.zeros((1, 2, 3))
    linear[0, :, :2] = torch.from_numpy(matrix(step, side)[:2, :2])

    def call(image: Tensor) -> Tensor:
        grid = tg._affine_grid(linear.clone(), side, side, side, side)
        return tg._apply_grid_transform(image, grid, "bilinear", None)

    return call


def tensor_cutout(step: Step, side: int) -> Call:
    """Return torchvision's erase."""
    top, bottom, left, right = hole(step, side)
    black = torch.zeros((3, 1, 1), dtype=torch.uint8)
    return lambda image: tv.erase_image(image, top, left, bottom - top, right - left, black)


def tensor_blur(step: Step, side: int) -> Call:
    """Return torchvision's Gaussian of our width."""
    width, sigma = [kernel_size(step.value)] * 2, [step.value] * 2
    return lambda image: tv.gaussian_blur_image(image, width, sigma)


TENSOR: dict[str, Make] = {
    "shift_x": moved(tv.affine_image), "shift_y": moved(tv.affine_image),
    "hflip": plain(tv.horizontal_flip_image), "vflip": plain(tv.vertical_flip_image),
    "rot90": lambda step, _: lambda x: torch.rot90(x, round(step.value), (-2, -1)).contiguous(),
    "transpose": plain(lambda image: image.transpose(-2, -1).contiguous()),
    "pad_crop": tensor_crop, "resized_crop": tensor_resized_crop,
    "random_crop": tensor_resized_crop, "distort": tensor_distort,
    "zoom": moved(tv.affine_image),
    "hue": lambda step, _: lambda image: tv.adjust_hue_image(image, step.value / 360),
    "saturation": lambda s, _: lambda image: tv.adjust_saturation_image(image, s.value),
    "gamma": lambda step, _: lambda image: tv.adjust_gamma_image(image, step.value),
    "to_gray": plain(lambda image: tv.rgb_to_grayscale_image(image, 3).contiguous()),
    "blur": tensor_blur, "cutout": tensor_cutout,
    "gauss_noise": lambda s, _: lambda image: tv.gaussian_noise_image(image, 0, s.value / 255),
}  # fmt: skip


# --- arrays: Albumentations and OpenCV; warps that are missing here go through OpenCV's affine ----


def array_crop(step: Step, side: int) -> Call:
    """Return OpenCV's border and a crop, made whole."""
    pad = round(step.value * side)
    top, left, _, _ = window(step, side)
    rows, columns = slice(top + pad, top + pad + side), slice(left + pad, left + pad + side)

    def call(image: np.ndarray) -> np.ndarray:
        wide = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
        return np.ascontiguousarray(wide[rows, columns])

    return call


def array_resized_crop(step: Step, side: int) -> Call:
    """Return a crop and OpenCV's resizing."""
    top, left, high, wide = window(step, side)
    rows, columns = slice(top, top + high), slice(left, left + wide)
    return lambda image: cv2.resize(
        image[rows, columns], (side, side), interpolation=cv2.INTER_LINEAR
    )


def array_cutout(step: Step, side: int) -> Call:
    """Return a copy with a black box."""
    top, bottom, left, right = hole(step, side)

    def call(image: np.ndarray) -> np.ndarray:
        out = image.copy()
        out[top:bottom, left:right] = 0
        return out

    return call


def array_blur(step: Step, side: int) -> Call:
    """Return OpenCV's Gaussian of our width."""
    width = (kernel_size(step.value),) * 2
    border = cv2.BORDER_REPLICATE
    return lambda image: cv2.GaussianBlur(image, width, step.value, borderType=border)


def array_noise(step: Step, side: int) -> Call:
    """Return OpenCV's noise and saturated sum, quicker than NumPy's noise of Albumentations."""
    shape = (side, side, 3)

    def call(image: np.ndarray) -> np.ndarray:
        noise = cv2.randn(np.empty(shape, np.int16), 0, step.value)
        return cv2.add(image, noise, dtype=cv2.CV_8U)

    return call


TURNS = (None, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
ARRAY: dict[str, Make] = {
    "hflip": plain(ag.hflip), "vflip": plain(ag.vflip), "transpose": plain(cv2.transpose),
    "rot90": lambda step, _: lambda image: cv2.rotate(image, TURNS[round(step.value)]),
    "pad_crop": array_crop, "resized_crop": array_resized_crop,
    "random_crop": array_resized_crop,
    "hue": lambda s, _: lambda image: ap.adjust_hue_torchvision(image, s.value / 360),
    "saturation": lambda s, _: lambda x: ap.adjust_saturation_torchvision(x, s.value),
    "gamma": lambda step, _: lambda image: ap.gamma_transform(image, step.value),
    "to_gray": plain(lambda image: ap.to_gray(image, 3, "weighted_average")),
    "blur": array_blur, "cutout": array_cutout, "gauss_noise": array_noise,
    "clahe": lambda step, _: lambda image: ap.clahe(image, step.value, (8, 8)),
}  # fmt: skip
TABLES = {"torchvision-pil": PIL, "torchvision-tensor": TENSOR, "albumentations": ARRAY}


# --- Kornia ---------------------------------------------------------------------------------------


def kornia_group(steps: list[Step]) -> Call | None:
    """Return Kornia's function of a float batch; None where it has none, or only its affine map."""
    numbers = torch.tensor([step.value for step in steps])
    turn = numbers * (math.pi / 180)
    sigma = numbers.unsqueeze(1).expand(-1, 2)
    width = (kernel_size(float(numbers.max())),) * 2
    deviations = (numbers / 255).view(-1, 1, 1, 1)
    calls: dict[str, Call] = {
        "hflip": kornia.geometry.transform.hflip, "vflip": kornia.geometry.transform.vflip,
        "hue": lambda x: kornia.enhance.adjust_hue(x, turn),
        "saturation": lambda x: kornia.enhance.adjust_saturation(x, numbers),
        "gamma": lambda x: kornia.enhance.adjust_gamma(x, numbers),
        "to_gray": lambda x: kornia.color.rgb_to_grayscale(x).expand(-1, 3, -1, -1).contiguous(),
        "blur": lambda x: kornia.filters.gaussian_blur2d(x, width, sigma, "replicate"),
        "clahe": lambda x: kornia.enhance.equalize_clahe(x, float(numbers[0]), (8, 8)),
        "gauss_noise": lambda x: (torch.randn_like(x) * deviations + x).clamp_(0, 1),
    }  # fmt: skip
    return calls.get(steps[0].op)


# --- two pictures: the next one of the batch, one share and one box for all -----------------------


def mixing(name: str, images: Tensor, step: Step) -> Callable[[], Any] | None:
    """Return mixup or cutmix of each picture with the next one; None where there is none."""
    share, at = step.mix, hole(step, images.shape[-1])
    if name == "torchvision-tensor":
        return partial(mixed_batch if step.op == "mixup" else cut_batch, images, share, at)
    kernels = {
        ("torchvision-pil", "mixup"): Image.blend, ("torchvision-pil", "cutmix"): pil_pasted,
        ("albumentations", "mixup"): array_mixed, ("albumentations", "cutmix"): array_pasted,
    }  # fmt: skip
    kernel = kernels.get((name, step.op))
    if kernel is None:
        return None
    ready = arrays(images)
    if name == "torchvision-pil":
        ready = [Image.fromarray(array) for array in ready]
    number = 1 - share if step.op == "mixup" else at
    pairs = list(zip(ready, ready[1:] + ready[:1], strict=True))
    return lambda: [kernel(own, other, number) for own, other in pairs]


def arrays(images: Tensor) -> list[np.ndarray]:
    """Return the pictures as HWC arrays."""
    return [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]


def mixed_batch(images: Tensor, share: float, at: tuple[int, ...]) -> Tensor:
    """Return v2.MixUp's arithmetic, on floats."""
    x = images.float()
    return x.roll(-1, 0).mul_(1 - share).add_(x.mul_(share)).byte()


def cut_batch(images: Tensor, share: float, at: tuple[int, ...]) -> Tensor:
    """Return v2.CutMix's copy and its one assignment."""
    top, bottom, left, right = at
    rolled, out = images.roll(-1, 0), images.clone()
    out[..., top:bottom, left:right] = rolled[..., top:bottom, left:right]
    return out


def pil_pasted(own: Image.Image, other: Image.Image, at: tuple[int, ...]) -> Image.Image:
    """Return a copy with a box of the other."""
    top, bottom, left, right = at
    out = own.copy()
    out.paste(other.crop((left, top, right, bottom)), (left, top))
    return out


def array_mixed(own: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Return OpenCV's weighted sum."""
    return cv2.addWeighted(own, 1 - share, other, share, 0)


def array_pasted(own: np.ndarray, other: np.ndarray, at: tuple[int, ...]) -> np.ndarray:
    """Return a copy with a box of the other."""
    top, bottom, left, right = at
    out = own.copy()
    out[top:bottom, left:right] = other[top:bottom, left:right]
    return out
