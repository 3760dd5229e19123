"""Styled training pictures to look at: there and back, beside the control's and the style's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from learnaug.data import ImageSet, make_batch
from learnaug.methods.gallery import SHOWN, Gallery, present, reduced
from learnaug.methods.style.domains import Style, recoloured
from learnaug.methods.style.statistics import Statistics

__all__ = ["control_grid", "style_grid"]


def style_grid(
    train: ImageSet,
    style: Style,
    styled: Tensor,
    back: Tensor | None,
    control: Statistics,
    found: Mapping[str, float],
) -> Gallery:
    """Return the grid picture -> style -> back, with the control's and a style picture.

    Args:
        train: the training part.
        style: the style.
        styled, back: uint8 [R, C, H, W], of the first picture of each class (`gallery.present`).
        control: of this style alone.
        found: what `watch` said of it.
    """
    rows = present(train.labels)
    images = make_batch(train, rows).images
    place = np.arange(len(rows)) % len(style.images)
    columns = {"picture": images, f"in the style of {style.name}": styled}
    words = (
        f"Each row: the first picture of a class and what the generator makes of it, "
        f"{found['changed']:.3f} apart on average over the pictures that were probed (mean "
        f"absolute difference, pixels in 0 … 1), {found['beyond']:.0%} of that more than "
        "brightness, contrast and colour"
    )
    if back is not None:
        columns["and back"] = back
        words += f"; the same picture brought back, {found['cycle']:.3f} from the first"
    columns["control: colours alone"] = control.moved(images, place)
    columns["picture of the style"] = _sized(style, place, images)
    words += ". Beside it what style-statistics makes with the style picture at the right."
    return _grid(f"Style {style.name}", words, train, rows, columns)


def control_grid(train: ImageSet, styles: Sequence[Style], control: Statistics) -> Gallery:
    """Return the grid picture -> with the colours of one picture of each style (at most six).

    Args:
        train: the training part.
        styles: of the control, in its order.
        control: what moves colours.
    """
    rows = present(train.labels)
    images = make_batch(train, rows).images
    first = np.cumsum(control.counts) - control.counts
    columns = {"picture": images}
    for number, style in enumerate(styles[:6]):
        place = np.arange(len(rows)) % len(style.images)
        columns[f"a picture of {style.name}"] = _sized(style, place, images)
        columns[f"with colours of {style.name}"] = control.moved(images, first[number] + place)
    words = (
        "Each row: the first picture of a class, and for each style one of its pictures and the "
        "first with mean and spread of that picture's colours. Nothing was learned."
    )
    return _grid("Colours of the styles", words, train, rows, columns)


def _sized(style: Style, place: np.ndarray[tuple[int], np.dtype[np.int64]], like: Tensor) -> Tensor:
    """Return pictures of a style at the size of others: uint8 [R, C, H, W]."""
    given = recoloured(torch.from_numpy(style.images[place]), like.shape[1]).float()
    small = torch.nn.functional.interpolate(given, like.shape[2:], mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).byte()


def _grid(
    title: str,
    words: str,
    train: ImageSet,
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    columns: Mapping[str, Tensor],
) -> Gallery:
    pictures = [reduced(column.cpu().numpy(), SHOWN) for column in columns.values()]
    names = tuple(train.classes[label] for label in train.labels[rows])
    return Gallery(title, words, names, tuple(columns), np.stack(pictures, 1))
