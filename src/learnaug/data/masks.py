"""The values of masks: chosen, merged and named; and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from learnaug.data.choose import Choice
from learnaug.data.findings import Finding
from learnaug.data.imageset import ImageSet

__all__ = ["IGNORED", "chosen_values", "mask_findings"]

IGNORED = 255  # the value of pixels that are not counted


def chosen_values(data: ImageSet, chosen: Choice) -> tuple[ImageSet, tuple[Finding, ...]]:
    """Choose and merge values by their numbers, or name them all, 0 first.

    As with labels, what is not chosen is left out: its pixels become 255 and are not counted.

    Args:
        data: with masks; its classes are the numbers "0", "1", ….
        chosen: of numbers, or of as many other names as there are values.
    """
    if chosen.new is None or data.masks is None:
        return data, data.findings
    names = tuple(chosen.new)
    if set(names) <= set(data.classes):
        classes = tuple(dict.fromkeys(chosen.new.values()))
        table = np.full(256, IGNORED, np.uint8)
        for value, name in enumerate(data.classes):
            new = chosen(name)
            if new is not None:
                table[value] = classes.index(new)
        return replace(data, masks=table[data.masks], classes=classes), data.findings
    if len(names) >= len(data.classes):
        return replace(data, classes=names), data.findings
    what = f"{len(names)} class names, but the masks hold the values 0..{len(data.classes) - 1}"
    mend = "name every value, 0 first; or choose values by their numbers: sky=0,road=3+4"
    fault = Finding("error", "unknown-class", what, names, mend)
    return data, (*data.findings, fault)


def mask_findings(
    masks: npt.NDArray[np.uint8], classes: Sequence[str], train: Sequence[int]
) -> Iterator[Finding]:
    """Yield what is wrong with the values of masks.

    Args:
        masks: uint8 [N, H, W].
        classes: K names.
        train: training images in which each class occurs, [K].
    """
    counts = np.zeros(256, np.int64)
    for mask in masks:
        counts += np.bincount(mask.ravel(), minlength=256)
    last = len(classes) - 1
    strange = [value for value in np.flatnonzero(counts).tolist() if last < value < IGNORED]
    if strange:
        values = ", ".join(map(str, strange))
        what = f"masks hold values beyond the classes 0..{last}: {values}"
        mend = f"name every value, or set these pixels to {IGNORED}"
        yield Finding("error", "mask-values", what, (), mend)
    if not counts[:IGNORED].any():
        what = f"no pixel of the masks is counted: all are {IGNORED}"
        yield Finding("error", "mask-empty", what, (), "save class indices from 0 on")
    unseen = tuple(name for name, n in zip(classes, train, strict=True) if not n)
    if unseen:
        what = f"{len(unseen)} of {len(classes)} classes are in no training mask"
        mend = "add such images, or leave these classes out"
        yield Finding("warning", "unseen-class", what, unseen, mend)
