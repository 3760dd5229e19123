"""Augment loose pictures in anybody's training loop: arrays or tensors in, the same kind out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from learnaug.data import Batch
from learnaug.errors import UsageError
from learnaug.seeds import Seeds
from learnaug.training import Augmenter

__all__ = ["CHANNELS", "apply", "to_uint8"]

CHANNELS = (1, 3, 4)


def apply(
    augmenter: Augmenter,
    images: Any,
    labels: Any = None,
    *,
    seed: int,
    classes: int | None = None,
) -> Any:
    """Return augmented images, and labels where labels were given, of the kind that came in.

    Images are rounded to 1/255 when they come as floats, because uint8 is the canonical form of
    every operation. Give each batch its own seed: the same seed draws the same augmentation.

    Args:
        augmenter: from `learnaug.load_augmenter`.
        images: uint8, or float in [0, 1]; [B, C, H, W] or [B, H, W, C]; array or tensor.
        labels: int [B], or class probabilities float [B, K]; or masks, int [B, H, W] of class
            numbers, 255 = not counted. Array, tensor or list.
        seed: 0 <= seed < 2**64.
        classes: K; needed only where an augmenter mixes pictures and labels are integers.

    Returns:
        images, or (images, labels). Labels stay as they are unless the augmenter mixes pictures;
        then they become class probabilities float32 [B, K]. Masks move with their images and are of
        the type that they were.

    Raises:
        UsageError: shape, type or range of images or labels is not one of these, labels are
            missing where the augmenter depends on them, or it cannot be used with masks.
    """
    pictures, restore = to_uint8(images)
    number = len(pictures)
    if np.ndim(labels) == 3:
        masks, back = _masks(labels, pictures)
        after = augmenter(_batch(pictures, masks), None, Seeds(seed).child("apply"))
        return restore(after.images), back(after.targets)
    if augmenter.by_class and labels is None:
        raise UsageError(
            "what this augmenter does depends on the class of a picture: it must know the labels",
            mend="give labels as integers [B] or as probabilities [B, K]",
        )
    if augmenter.mixes and labels is not None and np.ndim(labels) == 1 and classes is None:
        raise UsageError(
            "this augmenter mixes pictures, so labels become class probabilities [B, K]: "
            "it must know K",
            mend="give classes=K, or labels as probabilities [B, K]",
        )
    needed = augmenter.mixes or augmenter.by_class or not isinstance(labels, Tensor)
    targets = _targets(labels if needed else None, number, classes)
    after = augmenter(_batch(pictures, targets), None, Seeds(seed).child("apply"))
    if labels is None:
        return restore(after.images)
    return restore(after.images), _labels(labels, after.targets) if augmenter.mixes else labels


def _batch(pictures: Tensor, targets: Tensor) -> Batch:
    place = pictures.device
    ones, zero = torch.ones(len(pictures), device=place), torch.zeros(len(pictures), device=place)
    return Batch(pictures, targets.to(place), ones, zero.bool())


def _masks(masks: Any, pictures: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Return masks as int64 [B, H, W], and what makes such ones the kind that came in."""
    given = masks if isinstance(masks, Tensor) else torch.from_numpy(np.array(masks))
    wanted = (len(pictures), *pictures.shape[2:])
    if tuple(given.shape) != wanted or given.is_floating_point() or given.is_complex():
        raise UsageError(
            f"masks must be whole numbers {list(wanted)} as the images have it, "
            f"but got {given.dtype} {list(given.shape)}"
        )
    if given.dtype in (torch.bool, torch.int8):
        raise UsageError(
            f"masks of {given.dtype} have no room for 255, which stands where an image ends",
            mend="give them as uint8",
        )

    def back(after: Tensor) -> Any:
        out = after.to(given.dtype)
        return out.to(given.device) if isinstance(masks, Tensor) else out.cpu().numpy()

    return given.long(), back


def to_uint8(images: Any) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Return images as uint8 [B, C, H, W], and what makes uint8 ones the kind that came in.

    Args:
        images: as for `apply`.

    Raises:
        UsageError: shape, type or range is not one of these.

    Example:
        >>> pictures, restore = to_uint8(torch.full((1, 1, 2, 2), 0.2))
        >>> pictures.unique().tolist(), restore(pictures).dtype
        ([51], torch.float32)
    """
    tensor = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
    if tensor.ndim != 4 or not (tensor.shape[1] in CHANNELS or tensor.shape[3] in CHANNELS):
        raise UsageError(
            "images must be [B, C, H, W] or [B, H, W, C] with 1, 3 or 4 channels, "
            f"but got shape {tuple(tensor.shape)}"
        )
    last = tensor.shape[1] not in CHANNELS  # where both could be channels, C comes first
    first = tensor.permute(0, 3, 1, 2) if last else tensor
    kind = tensor.dtype

    def restore(after: Tensor) -> Any:
        out = after.permute(0, 2, 3, 1) if last else after
        out = (out.to(torch.float64) / 255).to(kind) if kind.is_floating_point else out
        return out.contiguous() if isinstance(images, Tensor) else out.contiguous().numpy()

    if kind == torch.uint8:
        return first.contiguous(), restore
    if not kind.is_floating_point:
        raise UsageError(f"images must be uint8 or float in [0, 1], but got {kind}")
    _check_range(first)
    return (first.float() * 255).round().to(torch.uint8).contiguous(), restore


def _check_range(images: Tensor) -> None:
    if images.device.type != "cpu":  # without waiting for the device
        words = "float images must lie in [0, 1]: augment before you normalise"
        torch._assert_async(((images >= 0) & (images <= 1)).all(), words)
        return
    low, high = (float(v) for v in images.aminmax()) if images.numel() else (0.0, 1.0)
    if not (low >= 0 and high <= 1):  # written so that NaN fails
        raise UsageError(
            f"float images must lie in [0, 1], but got values from {low:.4g} to {high:.4g}",
            mend="augment before you normalise, or give uint8 images in 0…255",
        )


def _targets(labels: Any, number: int, classes: int | None) -> Tensor:
    if labels is None:
        return torch.zeros(number, max(1, classes or 1))
    given = torch.as_tensor(np.asarray(labels) if not isinstance(labels, Tensor) else labels)
    if len(given) != number or given.ndim not in (1, 2):
        raise UsageError(
            f"labels must be [B] or [B, K] with B = {number} images, "
            f"but got shape {tuple(given.shape)}"
        )
    if given.ndim == 2:
        return given.float()
    if classes is not None and given.device.type != "cpu":  # without waiting for the device
        torch._assert_async(((given >= 0) & (given < classes)).all(), "labels must lie in 0…K-1")
        return (given.unsqueeze(1) == torch.arange(classes, device=given.device)).float()
    least = int(given.max()) + 1 if number else 1
    if (number and int(given.min()) < 0) or (classes is not None and least > classes):
        raise UsageError(f"labels must lie in 0…{(classes or least) - 1}, but got {given.tolist()}")
    return one_hot(given.long(), classes or least).float()


def _labels(labels: Any, targets: Tensor) -> Any:
    """Return class probabilities of the kind that the labels were."""
    return targets.to(labels.device) if isinstance(labels, Tensor) else targets.cpu().numpy()
