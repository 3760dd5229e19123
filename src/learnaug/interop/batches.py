"""Whole batches: a collate function for a DataLoader, and a module for the training device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.data import default_collate

from learnaug import ops
from learnaug.errors import UsageError
from learnaug.interop.policies import Source, as_augmenter
from learnaug.interop.seeding import next_seeds
from learnaug.training import Augmenter

__all__ = ["BatchTransform", "Collate", "Keys", "as_batch_transform", "as_collate", "augment_batch"]

Keys = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Collate:
    """What `as_collate` returns; a class of a module, so that workers can be sent it."""

    augmenter: Augmenter
    classes: int | None
    collate: Callable[[Any], Any]
    keys: Keys

    def __call__(self, samples: Any) -> Any:
        """Return the samples as one batch, augmented."""
        seed = next_seeds().root
        return augment_batch(self.augmenter, self.collate(samples), seed, self.classes, self.keys)


def as_collate(
    source: Source,
    classes: int | None = None,
    collate: Callable[[Any], Any] = default_collate,
    keys: Keys = (0, 1),
) -> Collate:
    """Return a `collate_fn` for a DataLoader: it makes a batch and augments it, in the worker.

    Mixing policies work; labels then become class probabilities, float32 [B, K], which
    `cross_entropy` takes as they are. Random numbers come from PyTorch's default generator, which
    the DataLoader seeds for each worker.

    Args:
        source: a policy, an augmenter, a method's name, a policy file or an augmenter's folder.
        classes: K; needed where the augmenter mixes pictures and labels are integers.
        collate: makes a batch of a list of samples. Images must come out as uint8, or float in
            [0, 1], [B, C, H, W] or [B, H, W, C]; labels as int [B] or float [B, K].
        keys: where a batch has its images and labels: places of a tuple or keys of a dict; None
            for labels where there are none. A batch that is a tensor is images.

    Example:
        >>> import torch
        >>> digits = [(torch.zeros((1, 8, 8), dtype=torch.uint8), k) for k in range(4)]
        >>> loader = torch.utils.data.DataLoader(
        ...     digits, batch_size=4, collate_fn=as_collate("cutmix", classes=10))
        >>> images, labels = next(iter(loader))
        >>> images.dtype, labels.shape
        (torch.uint8, torch.Size([4, 10]))
    """
    ops.prepare()  # here, so that workers find it done
    return Collate(as_augmenter(source), classes, collate, keys)


class BatchTransform(nn.Module):
    """What `as_batch_transform` returns."""

    def __init__(self, augmenter: Augmenter, classes: int | None) -> None:
        super().__init__()
        self.augmenter = augmenter
        self.classes = classes

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Any:
        """Return images, or (images, labels) where labels were given; augmented in training."""
        if not self.training:
            return images if labels is None else (images, labels)
        return _augmented(self.augmenter, images, labels, next_seeds().root, self.classes)

    def extra_repr(self) -> str:
        """Return what augments."""
        return repr(self.augmenter)


def as_batch_transform(source: Source, classes: int | None = None) -> BatchTransform:
    """Return a module that augments a batch on the device where it lies, in training mode only.

    It fits into `nn.Sequential`, beside modules of `kornia.augmentation` too. Images are uint8, or
    float in [0, 1] (rounded to 1/255), [B, C, H, W], and come out as they came in; gradients do
    not flow through it. Random numbers come from PyTorch's default CPU generator.

    Args:
        source: a policy, an augmenter, a method's name, a policy file or an augmenter's folder.
        classes: K; needed where the augmenter mixes pictures and labels are integers. Such an
            augmenter needs `module(images, labels)`, so it cannot stand in `nn.Sequential`.

    Example:
        >>> import torch
        >>> module = as_batch_transform("flip-crop")
        >>> module(torch.rand(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
        >>> images = torch.rand(2, 3, 8, 8)
        >>> module.eval()(images) is images
        True
    """
    return BatchTransform(as_augmenter(source), classes)


def augment_batch(
    augmenter: Augmenter, batch: Any, seed: int, classes: int | None, keys: Keys
) -> Any:
    """Return the batch, of the same structure, with its images and labels augmented.

    Args:
        augmenter: what augments.
        batch: a tensor of images, or a tuple, list, named tuple or dict that holds images.
        seed: 0 <= seed < 2**64.
        classes: K, or None.
        keys: where the images and the labels are, as for `as_collate`.

    Raises:
        UsageError: images or labels are missing, or not what `learnaug.methods.use.apply` takes.
    """
    if isinstance(batch, Tensor):
        return _augmented(augmenter, batch, None, seed, classes)
    if not isinstance(batch, dict | tuple | list):
        raise UsageError(
            f"a batch must be a tensor, tuple, list or dict, but got {type(batch).__name__}"
        )
    parts = dict(batch) if isinstance(batch, dict) else dict(enumerate(batch))
    images, labels = keys
    if images not in parts:
        raise UsageError(f"the batch has no {images!r}, only {list(parts)}", mend="give keys=")
    if labels not in parts:
        parts[images] = _augmented(augmenter, parts[images], None, seed, classes)
    else:
        both = _augmented(augmenter, parts[images], parts[labels], seed, classes)
        parts[images], parts[labels] = both
    return _rebuilt(batch, parts)


def _augmented(
    augmenter: Augmenter, images: Any, labels: Any, seed: int, classes: int | None
) -> Any:
    if not isinstance(images, Tensor):
        raise UsageError(
            f"images of a batch must be a tensor, but got {type(images).__name__}",
            mend="give keys=, where the images of a batch are",
        )
    if labels is None and (augmenter.mixes or augmenter.by_class):
        why = "mixes pictures and their labels" if augmenter.mixes else "has weights per class"
        raise UsageError(f"{augmenter!r} {why}, so it needs labels", mend="give it the labels too")
    return augmenter.apply(images, labels, seed=seed, classes=classes)


def _rebuilt(batch: Any, parts: dict[Any, Any]) -> Any:
    if isinstance(batch, dict):
        return parts
    if hasattr(batch, "_fields"):  # a named tuple
        return type(batch)(*parts.values())
    return type(batch)(parts.values())
