"""The merging network on its own, for other programs: ONNX."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from learnaug import rundir
from learnaug.errors import UsageError
from learnaug.methods.merge.augmenter import Merging
from learnaug.methods.merge.networks import Merger
from learnaug.training import Augmenter

__all__ = ["export_onnx"]


class _Whole(nn.Module):
    """float [B, k, C, H, W] in [0, 1] -> float [B, C, H, W] in [0, 1]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        merged: Tensor = self.net(inputs.flatten(1, 2))
        return merged.clamp(0, 1)


def export_onnx(
    augmenter: Augmenter, path: str | Path, *, size: tuple[int, int], label: int = 0
) -> None:
    """Write the merging network as an ONNX file: inputs [B, k, C, H, W] -> merged [B, C, H, W].

    Args:
        augmenter: one that merges by a network, or a chain with one such member.
        path: the file.
        size: height and width in pixels; B, H and W stay free in the file.
        label: the class whose network is written, where each class has its own.

    Raises:
        UsageError: there is no network, no such class, or PyTorch cannot export it here (what is
            missing is said).

    Example:
        >>> from learnaug.methods.merge import export_onnx
        >>> export_onnx(Merging("mean"), "mean.onnx", size=(8, 8))
        Traceback (most recent call last):
        ...
        learnaug.errors.UsageError: there is no one network to export: 0 of 1 augmenters have one
        mend: give the folder that a smart-augmentation or neural-augmentation wrote
    """
    merger = _merger(augmenter)
    if merger.classes is not None and not 0 <= label < merger.classes:
        raise UsageError(f"label must be one of 0 … {merger.classes - 1}, but got {label}")
    if min(size) < 1:
        raise UsageError(f"size must be (height, width) of at least 1 pixel, but got {size}")
    example = torch.zeros(2, merger.k, merger.channels, *size)
    net = _Whole(merger.of_class(label)).eval()
    place = io.BytesIO()
    free = {0: "batch", 3: "height", 4: "width"}
    axes = {"inputs": free, "merged": {0: "batch", 2: "height", 3: "width"}}
    try:
        with warnings.catch_warnings():
            # The older exporter is named deprecated, but it needs one library less.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                net, (example,), cast(Any, place), input_names=["inputs"],
                output_names=["merged"], dynamic_axes=axes, dynamo=False,
            )  # fmt: skip
    except (ImportError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
        raise UsageError(
            f"PyTorch {torch.__version__} cannot write ONNX here: {error}",
            mend="pip install 'learnaug[onnx]'",
        ) from error
    rundir.write_bytes(path, place.getvalue())


def _merger(augmenter: Augmenter) -> Merger:
    """Return the one network that merges, of an augmenter or of a chain."""
    members = getattr(augmenter, "members", (augmenter,))
    found = [m.merger for m in members if isinstance(m, Merging) and m.merger is not None]
    if len(found) != 1:
        raise UsageError(
            f"there is no one network to export: {len(found)} of {len(members)} augmenters have "
            "one",
            mend="give the folder that a smart-augmentation or neural-augmentation wrote",
        )
    return found[0]
