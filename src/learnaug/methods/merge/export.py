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
    augmenter: Merging, path: str | Path, *, size: tuple[int, int], label: int = 0
) -> None:
    """Write the merging network as an ONNX file: inputs [B, k, C, H, W] -> merged [B, C, H, W].

    Args:
        augmenter: one that merges by a network.
        path: the file.
        size: height and width in pixels; B, H and W stay free in the file.
        label: the class whose network is written, where each class has its own.

    Raises:
        UsageError: there is no network, or PyTorch cannot export it here (what is missing is said).
    """
    merger = augmenter.merger
    if merger is None:
        raise UsageError(f"an augmenter that merges by {augmenter.how!r} has no network to export")
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
            mend="pip install onnx",
        ) from error
    rundir.write_bytes(path, place.getvalue())
