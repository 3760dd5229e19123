"""A policy as a torchvision v2 transform: one draw for every part of a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from learnaug import ops
from learnaug.errors import UsageError
from learnaug.interop.policies import Source, as_policy
from learnaug.interop.seeding import next_seeds
from learnaug.methods.use import CHANNELS, to_uint8
from learnaug.ops import Drawn, Policy

__all__ = ["PolicyTransform", "as_transform"]

Label = int | Callable[[Any], int]
MODES = ("L", "RGB")
_CENTRE = 0.5  # torchvision counts key points from pixel centres, boxes from pixel edges


def as_transform(
    source: Source, *, label: Label | None = None, ignore_index: int = 255
) -> PolicyTransform:
    """Return a `torchvision.transforms.v2.Transform` that augments one sample at a time.

    It takes what v2 transforms take, in any structure: PIL images (L, RGB), uint8 tensors and
    float tensors in [0, 1] of shape [..., C, H, W], `tv_tensors` of images, videos, masks, boxes
    and key points. All parts of a sample, and all frames, get the same draw. Random numbers come
    from PyTorch's default generator, which a DataLoader seeds for each worker.

    Masks get `ignore_index` where the picture ends, other than torchvision's 0. Boxes that leave
    the picture are left without area: `v2.SanitizeBoundingBoxes` removes them with their labels.
    Key points that leave it stay outside: `v2.SanitizeKeyPoints`.

    Args:
        source: a policy, an augmenter, a method's name, a policy file or an augmenter's folder.
        label: for policies with weights per class: gives the class of a sample. A lambda cannot be
            sent to workers that are spawned; a function of a module can.
        ignore_index: class number for masks where a picture ends; 0 for masks of instances. Masks
            of bool get False.

    Raises:
        UsageError: the policy mixes pictures, or is no policy, or has weights per class and there
            is no `label`.

    Example:
        >>> transform = as_transform("flip-crop+trivialaugment")
        >>> transform
        PolicyTransform(flip-crop+trivialaugment)
        >>> transform(Image.new("RGB", (8, 8)), 3)
        (<PIL.Image.Image image mode=RGB size=8x8 at ...>, 3)
    """
    policy = as_policy(source)
    if policy.mixes:
        raise UsageError(
            f"policy {policy.name!r} mixes pictures of a batch, so it cannot act on one sample",
            mend="augment whole batches: learnaug.interop.as_collate or as_batch_transform",
        )
    if policy.by_class and label is None:
        raise UsageError(
            f"policy {policy.name!r} has weights per class: it must know the class of a sample",
            mend="give label=, a function from a sample to its class; or use as_collate",
        )
    ops.prepare()  # here, so that workers find it done
    return PolicyTransform(policy, label, ignore_index)


class PolicyTransform(v2.Transform):  # type: ignore[misc]
    """What `as_transform` returns; a class of a module, so that workers can be sent it."""

    def __init__(self, policy: Policy, label: Label | None = None, ignore_index: int = 255) -> None:
        super().__init__()
        self.policy = policy
        self.label = label
        self.ignore_index = ignore_index

    def forward(self, *inputs: Any) -> Any:
        """Return the sample with every part augmented alike."""
        if callable(self.label):
            label = int(self.label(inputs if len(inputs) > 1 else inputs[0]))
            return PolicyTransform(self.policy, label, self.ignore_index)(*inputs)
        return super().forward(*inputs)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw once for the sample."""
        if not flat_inputs:
            raise UsageError("the sample holds no picture: no PIL image and no tensor")
        sizes = {tuple(v2.functional.get_size(part)) for part in flat_inputs}
        if len(sizes) > 1:
            raise UsageError(f"all parts of a sample must have one size (H, W), but got {sizes}")
        labels = None if self.label is None else np.array([self.label])
        gen = next_seeds().numpy()
        return {"drawn": ops.draw(self.policy, 1, gen, sizes.pop(), labels)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one part, augmented, as the kind that it was."""
        drawn: Drawn = params["drawn"]
        if isinstance(inpt, Image.Image):
            return _picture(inpt, drawn)
        plain = inpt.as_subclass(Tensor)
        if isinstance(inpt, tv_tensors.Mask):
            out = _masks(plain, drawn, self.ignore_index)
        elif isinstance(inpt, tv_tensors.BoundingBoxes):
            out = _boxes(inpt, drawn)
        elif isinstance(inpt, tv_tensors.KeyPoints):
            out = _key_points(plain, drawn)
        else:
            out = _frames(plain, drawn)
        return tv_tensors.wrap(out, like=inpt) if isinstance(inpt, tv_tensors.TVTensor) else out

    def extra_repr(self) -> str:
        """Return the policy's name."""
        return self.policy.name


def _picture(picture: Image.Image, drawn: Drawn) -> Image.Image:
    if picture.mode not in MODES:
        raise UsageError(
            f"a PIL image must have mode L or RGB, but got {picture.mode!r}",
            mend='convert it first: image.convert("RGB"); masks go into tv_tensors.Mask',
        )
    array = np.array(picture)
    channels = array[:, :, None] if array.ndim == 2 else array
    tensor = torch.from_numpy(channels).permute(2, 0, 1).unsqueeze(0)
    out = ops.apply(tensor, drawn)[0].permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(out.reshape(array.shape))


def _frames(images: Tensor, drawn: Drawn) -> Tensor:
    """Augment [..., C, H, W], every frame alike."""
    if images.ndim < 3 or images.shape[-3] not in CHANNELS:
        raise UsageError(
            f"images must be [..., C, H, W] with 1, 3 or 4 channels, but got {list(images.shape)}"
        )
    pictures, restore = to_uint8(images.unsqueeze(0).flatten(0, -4))
    out: Tensor = restore(ops.apply(pictures, _repeat(drawn, len(pictures))))
    return out.reshape(images.shape)


def _masks(masks: Tensor, drawn: Drawn, ignore_index: int) -> Tensor:
    """Move masks [..., H, W] of any whole-number type, or bool."""
    if masks.is_floating_point():
        raise UsageError(f"masks must be whole numbers or bool, but got {masks.dtype}")
    fill = 0 if masks.dtype == torch.bool else ignore_index
    if masks.dtype != torch.bool:
        limits = torch.iinfo(masks.dtype)
        if not limits.min <= fill <= limits.max:
            raise UsageError(
                f"ignore_index {fill} does not fit into masks of {masks.dtype}",
                mend="give masks as int64, or another ignore_index",
            )
    flat = masks.unsqueeze(0).flatten(0, -3).long()
    out = ops.apply_masks(flat, _repeat(drawn, len(flat)), fill)
    return out.to(masks.dtype).reshape(masks.shape)


def _boxes(boxes: Any, drawn: Drawn) -> Tensor:
    if tv_tensors.is_rotated_bounding_format(boxes.format):
        raise UsageError(
            f"boxes must be upright, but got format {boxes.format.value}",
            mend="convert them to XYXY first, or give their corners as KeyPoints",
        )
    kinds = {"old_format": boxes.format, "new_format": tv_tensors.BoundingBoxFormat.XYXY}
    plain = boxes.as_subclass(Tensor)
    edges = v2.functional.convert_bounding_box_format(plain.double().reshape(-1, 4), **kinds)
    out, _ = ops.apply_boxes(edges, _first(edges), drawn)
    back = {"old_format": kinds["new_format"], "new_format": boxes.format}
    return _like(v2.functional.convert_bounding_box_format(out, **back), plain)


def _key_points(points: Tensor, drawn: Drawn) -> Tensor:
    flat = points.double().reshape(-1, 2)
    return _like(ops.apply_points(flat + _CENTRE, _first(flat), drawn) - _CENTRE, points)


def _first(parts: Tensor) -> Tensor:
    return torch.zeros(len(parts), dtype=torch.int64, device=parts.device)


def _like(moved: Tensor, before: Tensor) -> Tensor:
    rounded = moved if before.is_floating_point() else moved.round()
    return rounded.to(before.dtype).reshape(before.shape)


def _repeat(drawn: Drawn, count: int) -> Drawn:
    """Return the draw of one picture for `count` pictures."""
    if count == 1:
        return drawn
    names = [field.name for field in fields(drawn) if field.name not in ("size", "partner")]
    many: dict[str, Any] = {name: np.repeat(getattr(drawn, name), count, axis=0) for name in names}
    own = np.repeat(np.arange(count)[:, None], drawn.ops.shape[1], axis=1)
    return replace(drawn, partner=own, **many)
