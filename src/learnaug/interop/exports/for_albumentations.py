"""The file for Albumentations: one DualTransform, on uint8 arrays [H, W] or [H, W, C]."""

from __future__ import annotations

from typing import Any

import albumentations as A

from learnaug.interop.exports.arrays import Array, apply_array, warp
from learnaug.interop.exports.drawing import STAGES, Step, draw
from learnaug.interop.exports.geometry import MAPS

__all__ = ["LearnedPolicy", "apply_mask", "apply_step"]


class LearnedPolicy(A.DualTransform):  # type: ignore[misc]
    """Draw and apply the policy to one picture, and to its masks.

    Random numbers are Albumentations' own, so `A.Compose([LearnedPolicy()], seed=0)` repeats.
    """

    def __init__(self, ignore_index: int = 255, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.ignore_index = ignore_index  # class of a mask where the picture ends

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what happens to this picture; `label=` is read where weights are per class."""
        return {"steps": draw(STAGES, self.py_random.random, data.get("label"))}

    def apply(self, img: Array, steps: list[Step], **params: Any) -> Array:
        """Return the picture."""
        for step in steps:
            img = apply_step(img, step)
        return img

    def apply_to_mask(self, mask: Array, steps: list[Step], **params: Any) -> Array:
        """Return the mask; only geometry changes it."""
        for step in steps:
            mask = apply_mask(mask, step, self.ignore_index)
        return mask


def apply_step(image: Array, step: Step) -> Array:
    """Return the picture, [H, W] or [H, W, C], after one step."""
    if image.dtype != "uint8":
        raise ValueError(f"uint8 pictures are needed, but got {image.dtype}")
    out = apply_array(image[:, :, None] if image.ndim == 2 else image, step)
    return out.reshape(image.shape)


def apply_mask(mask: Array, step: Step, ignore_index: int = 255) -> Array:
    """Return the mask, [H, W] or [H, W, C], after one step."""
    if step.op not in MAPS:
        return mask
    return warp(mask, step._replace(fill=ignore_index, interpolation="nearest"))
