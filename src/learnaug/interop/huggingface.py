"""A policy for `set_transform` of Hugging Face datasets: a dict of lists in, the same out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors

from learnaug.errors import UsageError
from learnaug.interop.policies import Source
from learnaug.interop.torchvision import PolicyTransform, as_transform

__all__ = ["HFTransform", "as_hf_transform"]


@dataclass(frozen=True, slots=True)
class HFTransform:
    """What `as_hf_transform` returns; a class of a module, so that workers can be sent it."""

    transform: PolicyTransform
    image_key: str
    mask_key: str | None
    label_key: str | None

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the batch with each row augmented by a draw of its own."""
        keys = [key for key in (self.image_key, self.mask_key, self.label_key) if key is not None]
        missing = [key for key in keys if key not in batch]
        if missing:
            raise UsageError(
                f"the data set has no column {missing[0]!r}, only {list(batch)}",
                mend="give image_key=, mask_key= or label_key=",
            )
        columns = zip(*(batch[key] for key in keys), strict=True)
        changed = [self._row(dict(zip(keys, row, strict=True))) for row in columns]
        moved = {key: [row[key] for row in changed] for key in keys if key != self.label_key}
        return {**batch, **moved}

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        # Only what is to be moved: a v2 transform would move every picture it finds in a row.
        parts = {"image": _to_image(row[self.image_key])}
        if self.mask_key is not None:
            parts["mask"] = _to_mask(row[self.mask_key])
        if self.label_key is not None:
            parts["label"] = int(row[self.label_key])
        moved = self.transform(parts)
        out = {self.image_key: _plain(moved["image"])}
        if self.mask_key is not None:
            out[self.mask_key] = _from_mask(moved["mask"], row[self.mask_key])
        return out


def as_hf_transform(
    source: Source,
    image_key: str = "image",
    mask_key: str | None = None,
    label_key: str | None = None,
    *,
    ignore_index: int = 255,
) -> HFTransform:
    """Return a function for `datasets.Dataset.set_transform` or `with_transform`.

    Columns that are neither images nor masks stay. Use it on the training part only. Random
    numbers come from PyTorch's default generator, which a DataLoader seeds for each worker.

    Args:
        source: a policy, an augmenter, a method's name, a policy file or an augmenter's folder.
        image_key: column of PIL images (L, RGB) or tensors.
        mask_key: column of masks: PIL images (L, P, I), arrays or tensors of class numbers.
        label_key: column of classes; needed by policies with weights per class.
        ignore_index: class number for masks where a picture ends.

    Raises:
        UsageError: as for `as_transform`.

    Example:
        >>> augment = as_hf_transform("flip-crop")
        >>> augment({"image": [Image.new("L", (8, 8))], "label": [3]})
        {'image': [<PIL.Image.Image image mode=L size=8x8 at ...>], 'label': [3]}
    """
    label = None if label_key is None else _label
    transform = as_transform(source, label=label, ignore_index=ignore_index)
    return HFTransform(transform, image_key, mask_key, label_key)


def _label(parts: dict[str, Any]) -> int:
    return int(parts["label"])


def _to_image(image: Any) -> Any:
    if isinstance(image, torch.Tensor):
        return tv_tensors.Image(image)
    if isinstance(image, Image.Image):
        return image
    raise UsageError(
        f"an image must be a PIL image or a tensor, but got {type(image).__name__}",
        mend="cast the column to datasets.Image()",
    )


def _plain(image: Any) -> Any:
    return image.as_subclass(torch.Tensor) if isinstance(image, torch.Tensor) else image


def _to_mask(mask: Any) -> tv_tensors.Mask:
    plain = mask if isinstance(mask, torch.Tensor) else torch.from_numpy(np.array(mask))
    if plain.ndim != 2:
        kind = f"mode {mask.mode!r}" if isinstance(mask, Image.Image) else f"{list(plain.shape)}"
        raise UsageError(
            f"a mask must be one class number a pixel, [H, W], but got {kind}",
            mend='turn it into class numbers first; of a grey mask in colour: mask.convert("L")',
        )
    return tv_tensors.Mask(plain)


def _from_mask(moved: tv_tensors.Mask, before: Any) -> Any:
    if isinstance(before, torch.Tensor):
        return _plain(moved)
    array = moved.numpy()
    if not isinstance(before, Image.Image):
        return array
    out = Image.fromarray(array)
    if before.mode == "P":
        out.putpalette(before.getpalette() or [])
    return out
