"""The file for torchvision: a callable for pictures of Pillow and uint8 tensors, with masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from learnaug.interop.exports.arrays import add_noise, change_hsv, equalize_light, smear, warp
from learnaug.interop.exports.drawing import STAGES, Step, draw
from learnaug.interop.exports.geometry import MAPS, box

__all__ = ["PIXELS", "LearnedPolicy", "apply_mask", "apply_step"]

Picture = Image.Image
RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


class LearnedPolicy:
    """Draw and apply the policy to one picture, and to the masks beside it.

    Takes a picture of Pillow or a uint8 tensor [C, H, W] of 1 or 3 channels, and whatever else the
    sample has: a tv_tensors.Mask moves with the picture, an int may be the label, the rest passes.
    Random numbers are torch's, which a DataLoader seeds anew for every worker and epoch.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index  # class of a mask where the picture ends

    def __call__(self, image: Any, *others: Any) -> Any:
        """Return the picture, or the tuple of the picture and the others."""
        if isinstance(image, torch.Tensor) and image.dtype != torch.uint8:
            raise ValueError(
                f"a uint8 tensor is needed, but got {image.dtype}: augment before scaling"
            )
        label = next((other for other in others if isinstance(other, int)), None)
        steps = draw(STAGES, uniforms().__next__, label)
        picture = functional.to_pil_image(image) if isinstance(image, torch.Tensor) else image
        if picture.mode not in ("L", "RGB"):
            raise ValueError(f"a grey or RGB picture is needed, but got mode {picture.mode}")
        for step in steps:
            picture = apply_step(picture, step)
        out = picture
        if isinstance(image, torch.Tensor):
            out = tv_tensors.wrap(functional.pil_to_tensor(picture), like=image)
        return (out, *(self._follow(other, steps) for other in others)) if others else out

    def _follow(self, other: Any, steps: list[Step]) -> Any:
        if isinstance(other, tv_tensors.BoundingBoxes | tv_tensors.KeyPoints):
            raise ValueError("boxes and points cannot follow here; masks can")
        if not isinstance(other, tv_tensors.Mask):
            return other
        for step in steps:
            other = apply_mask(other, step, self.ignore_index)
        return other


def uniforms() -> Iterator[float]:
    """Return numbers in [0, 1) without end, of torch's generator."""
    generator = None  # torch's own
    while True:
        yield from torch.rand(32, generator=generator).tolist()


def apply_step(image: Picture, step: Step) -> Picture:
    """Return the picture after one step."""
    if step.op not in MAPS:
        return PIXELS[step.op](image, step)
    a, b, c, d, e, f = MAPS[step.op](step, image.height, image.width)
    if (a, e) != (1, 1):
        b = b or 1e-12  # no slant, but Pillow then reckons in fixed point, as masks do here
    kind = RESAMPLING[step.interpolation]
    outside = (step.fill,) * len(image.getbands())
    way = Image.Transform.AFFINE
    return image.transform(image.size, way, (a, b, c, d, e, f), kind, fillcolor=outside)


def apply_mask(mask: Any, step: Step, ignore_index: int = 255) -> Any:
    """Return the mask [..., H, W] after one step; only geometry changes it."""
    if step.op not in MAPS:
        return mask
    last = np.moveaxis(mask.reshape(-1, *mask.shape[-2:]).numpy(), 0, 2)
    moved = warp(last, step._replace(fill=ignore_index, interpolation="nearest"))
    back = torch.from_numpy(np.moveaxis(moved, 2, 0).copy()).reshape(mask.shape)
    return tv_tensors.wrap(back, like=mask)


def color(image: Picture, step: Step) -> Picture:
    """0 grey, 1 unchanged, 2 more colourful."""
    return ImageEnhance.Color(image).enhance(step.value)


def contrast(image: Picture, step: Step) -> Picture:
    """0 flat mean grey, 1 unchanged: about the picture's mean, not about 128."""
    return ImageEnhance.Contrast(image).enhance(step.value)


def sharpness(image: Picture, step: Step) -> Picture:
    """0 smoothed, 1 unchanged, 2 sharper."""
    return ImageEnhance.Sharpness(image).enhance(step.value)


def brightness(image: Picture, step: Step) -> Picture:
    """Multiply; 0 black, 1 unchanged."""
    return ImageEnhance.Brightness(image).enhance(step.value)


def posterize(image: Picture, step: Step) -> Picture:
    """Keep that many of the highest bits."""
    return ImageOps.posterize(image, round(step.value))


def solarize(image: Picture, step: Step) -> Picture:
    """Invert every level at or above the threshold, 0 to 256."""
    return ImageOps.solarize(image, step.value)  # type: ignore[arg-type]


def invert(image: Picture, step: Step) -> Picture:
    """255 - level."""
    return ImageOps.invert(image)


def gamma(image: Picture, step: Step) -> Picture:
    """255·(level/255)^value."""
    table = [int(255 * (level / 255) ** step.value + 0.5) for level in range(256)]
    return image.point(table * len(image.getbands()))


def autocontrast(image: Picture, step: Step) -> Picture:
    """Stretch each channel to the full range."""
    return ImageOps.autocontrast(image)


def equalize(image: Picture, step: Step) -> Picture:
    """Flatten each channel's histogram."""
    return ImageOps.equalize(image)


def to_gray(image: Picture, step: Step) -> Picture:
    """All channels become the luminance."""
    return image.convert("L").convert(image.mode)


def cutout(image: Picture, step: Step) -> Picture:
    """Fill a box of that side, a fraction of the picture's, at a random centre."""
    top, bottom, left, right = box(step, image.height, image.width)
    out = image.copy()
    out.paste((step.fill,) * len(image.getbands()), (left, top, right, bottom))
    return out


def hue(image: Picture, step: Step) -> Picture:
    """Turn the hue circle (HSV), in degrees; Pillow's own HSV has only 256 hues."""
    return Image.fromarray(change_hsv(np.asarray(image), step.value, 1))


def saturation(image: Picture, step: Step) -> Picture:
    """Multiply the saturation (HSV)."""
    return Image.fromarray(change_hsv(np.asarray(image), 0, step.value))


def blur(image: Picture, step: Step) -> Picture:
    """Gaussian of that standard deviation in pixels; Pillow's own is made of boxes."""
    return Image.fromarray(smear(np.asarray(image), step.value))


def clahe(image: Picture, step: Step) -> Picture:
    """Flatten the luminance's histogram in 8×8 tiles; the value limits the contrast."""
    levels = np.asarray(image)
    whole = levels.reshape(image.height, image.width, -1)
    return Image.fromarray(equalize_light(whole, step.value).reshape(levels.shape))


def gauss_noise(image: Picture, step: Step) -> Picture:
    """Independent normal noise of that standard deviation, in grey levels."""
    levels = np.asarray(image)
    whole = levels.reshape(image.height, image.width, -1)
    return Image.fromarray(add_noise(whole, step.value, step.extra).reshape(levels.shape))


PIXELS: dict[str, Callable[[Picture, Step], Picture]] = {
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "brightness": brightness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "invert": invert,
    "hue": hue,
    "saturation": saturation,
    "gamma": gamma,
    "to_gray": to_gray,
    "blur": blur,
    "cutout": cutout,
    "clahe": clahe,
    "gauss_noise": gauss_noise,
}
