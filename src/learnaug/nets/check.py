"""One pass of two black pictures, before any training: does this net fit the data?"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from learnaug.errors import UsageError
from learnaug.nets.rng import forked
from learnaug.nets.table import Task

__all__ = ["black_pictures", "check_model"]


def check_model(
    model: nn.Module,
    channels: int,
    size: tuple[int, int],
    classes: int,
    *,
    name: str = "the model",
    task: Task = "classification",
) -> None:
    """Run two black pictures through the net and refuse one that cannot be trained here.

    The net is in evaluation mode for this one pass and as before afterwards; global generators
    stay as they were.

    Args:
        model: takes [2, channels, H, W] and must give finite scores [2, classes], or for masks
            [2, classes, H, W].
        channels: channels of a picture.
        size: height and width in pixels.
        classes: number of classes of the data.
        name: how messages call the net.
        task: "classification", or "segmentation" for data with masks.

    Raises:
        UsageError: nothing to train, an error inside the net, something other than one tensor,
            another shape (both numbers are named), or scores that are not finite.
    """
    if not any(p.requires_grad for p in model.parameters()):
        raise UsageError(f"{name} has no parameter to train", mend="give a net with weights")
    shape = f"pictures [2, {channels}, {size[0]}, {size[1]}]"
    try:
        with forked():
            scores = black_pictures(model, channels, size)
    except Exception as error:
        raise UsageError(
            f"{name} fails on {shape}: {type(error).__name__}: {error}",
            mend="give a net for this number of channels and this size, or set --size",
        ) from error
    pixels = size if task == "segmentation" else ()
    if not isinstance(scores, Tensor):
        raise UsageError(
            f"{name} must return one tensor of scores {_words('B', classes, *pixels)}, "
            f"but returned {type(scores).__name__}",
            mend="wrap it in a module that returns the scores alone",
        )
    _check_shape(tuple(scores.shape), classes, pixels, name)
    if not scores.isfinite().all():
        raise UsageError(
            f"{name} returns NaN or infinite scores for black pictures", mend="look at its weights"
        )


def _check_shape(found: tuple[int, ...], classes: int, pixels: tuple[int, ...], name: str) -> None:
    """Refuse scores of another shape than (2, classes, *pixels); say what they look like."""
    if len(found) != 2 + len(pixels) or found[0] != 2 or found[2:] != pixels:
        other = {2: "one class a picture", 4: "masks"}.get(len(found), "")
        mend = f"that is a net for {other}; the data has {'masks' if pixels else 'one class each'}"
        raise UsageError(
            f"{name} must return scores {_words(2, classes, *pixels)} for 2 pictures, "
            f"but returned {_words(*found)}",
            mend=mend if other and len(found) != 2 + len(pixels) else "",
        )
    if found[1] != classes:
        each = "pixel" if pixels else "picture"
        raise UsageError(
            f"{name} gives {found[1]} scores a {each}, but the data has {classes} classes",
            mend=f"give its last layer {classes} outputs",
        )


def _words(*shape: object) -> str:
    return f"[{', '.join(map(str, shape))}]"


def black_pictures(net: nn.Module, channels: int, size: tuple[int, int]) -> object:
    """Return the net's output for two black pictures, in evaluation mode."""
    modes = {part: part.training for part in net.modules()}
    place = next((p for p in net.parameters() if not isinstance(p, UninitializedParameter)), None)
    black = (
        torch.zeros(2, channels, *size)
        if place is None
        else torch.zeros(2, channels, *size, device=place.device, dtype=place.dtype)
    )
    try:
        with torch.no_grad():
            return net.eval()(black)
    finally:
        for part, mode in modes.items():
            part.training = mode
