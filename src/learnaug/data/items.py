"""Images one by one: PyTorch data sets, and lists of (image, label) pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from learnaug.data.arrays import Axes, to_pixels
from learnaug.data.decode import BadImageError, Header, Rules, from_pil, resize
from learnaug.data.findings import Finding, counted
from learnaug.data.imageset import ImageSet
from learnaug.data.labels import number_labels
from learnaug.data.layout import class_names
from learnaug.data.remarks import remarks, sizes_differ
from learnaug.errors import printable

__all__ = ["as_array", "from_items"]

Found = tuple[ImageSet | None, tuple[Finding, ...]]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Read:
    """Items of all parts in order, and those that failed."""

    images: list[Any]
    labels: list[Any]
    places: list[str]
    parts: list[str]
    findings: list[Finding]


def from_items(
    sources: Mapping[str, Any],
    rules: Rules,
    axes: Axes = None,
    *,
    name: str,
    skip_bad: bool = False,
) -> Found:
    """Build an image set from map-style data sets whose items are (image, label).

    An image is a Pillow image, an array or a tensor. Every item is read once; what a random
    transform of the data set drew then stays for good, which is warned about.

    Args:
        sources: part ("train", "valid", "test" or "") -> data set with `len` and `[]`.
        rules: how pixels are read.
        axes: "NHW", "NHWC" or "NCHW" for arrays whose shape does not tell.
        name: name of the set.
        skip_bad: leave out items that raise.
    """
    read = _read_all(sources, skip_bad)
    pixels, kept = _to_pixels(read, rules, axes, skip_bad)
    if not pixels:
        empty = Finding(
            "error", "empty", f"{name} has no item", (name,), "give (image, label) pairs"
        )
        return None, tuple(read.findings or [empty])
    return _assemble(read, pixels, kept, _names(sources), rules, name)


def _assemble(
    read: _Read,
    pixels: list[Pixels],
    kept: list[int],
    names: tuple[str, ...] | None,
    rules: Rules,
    name: str,
) -> Found:
    """Bring all images to one size and one number of channels, and number the labels."""
    places = [read.places[i] for i in kept]
    codes, classes, faults = number_labels([read.labels[i] for i in kept], places, names)
    heads = [Header(p.shape[0], p.shape[1], p.shape[2]) for p in pixels]
    asked, side = sizes_differ(heads, rules.size)
    said = (*asked, *remarks(places, heads, {}), *class_names(classes))
    findings = (*read.findings, *faults, *said)
    channels = {head.channels for head in heads}
    if codes is None or not channels <= {1, max(channels)}:
        return None, findings
    flat = pixels if side is None else [resize(p, side) for p in pixels]
    wide = [np.repeat(p, max(channels) // p.shape[2], axis=2).transpose(2, 0, 1) for p in flat]
    data = ImageSet(
        name=name,
        images=np.stack(wide),
        labels=codes,
        classes=classes,
        ids=tuple(places),
        groups=np.full(len(places), -1, np.int64),
        parts=np.array([read.parts[i] for i in kept], "<U5"),
        findings=findings,
    )
    return data, findings


def as_array(values: Any) -> npt.NDArray[Any]:
    """Return a NumPy array of an array, a list or a tensor on any device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def _names(sources: Mapping[str, Any]) -> tuple[str, ...] | None:
    names = getattr(next(iter(sources.values())), "classes", None)
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(printable(name) for name in names)


def _read_all(sources: Mapping[str, Any], skip_bad: bool) -> _Read:
    read = _Read([], [], [], [], [])
    failed: list[str] = []
    for part, source in sources.items():
        for index in range(len(source)):
            place = f"{part} item {index}".strip()
            try:
                image, label = source[index]
                image = image.copy() if isinstance(image, Image.Image) else as_array(image)
                label = label.item() if hasattr(label, "item") else label
            except Exception as error:  # a user's data set can raise anything
                failed.append(f"{place}: {type(error).__name__}: {printable(str(error))[:200]}")
                continue
            read.images.append(image)
            read.labels.append(label)
            read.places.append(place)
            read.parts.append(part)
        read.findings.extend(_random_transform(source, part))
    if failed:
        what = counted(len(failed), "item[|s] of the data set raise[s|] an error")
        mend = "mend the data set, or leave them out with --skip-bad"
        severity: Any = "warning" if skip_bad else "error"
        read.findings.append(Finding(severity, "item-failed", what, tuple(failed), mend))
    return read


def _random_transform(source: Any, part: str) -> list[Finding]:
    """Read item 0 twice more: two different answers are a random transform."""
    try:
        first, second = (as_array(source[0][0]) for _ in range(2))
    except Exception:  # told already as a failed item
        return []
    if first.shape == second.shape and np.array_equal(first, second):
        return []
    what = "item 0 differs each time it is read: the data set transforms at random"
    mend = "give the data set without random transforms; one draw of each image is used"
    return [Finding("warning", "random-transform", what, (f"{part} item 0".strip(),), mend)]


def _to_pixels(
    read: _Read, rules: Rules, axes: Axes, skip_bad: bool
) -> tuple[list[Pixels], list[int]]:
    """Return pixels uint8 [H, W, C] of the good items and their positions; note the others."""
    plain = replace(rules, size=None)
    pixels, kept, bad = [], [], []
    shapes = {image.shape for image in read.images if not isinstance(image, Image.Image)}
    if len(shapes) == 1 and not any(isinstance(image, Image.Image) for image in read.images):
        return _together(read, plain, axes)
    for i, image in enumerate(read.images):
        try:
            pixels.append(_one(image, plain, axes))
            kept.append(i)
        except BadImageError as error:
            bad.append(f"{read.places[i]}  {error.detail}")
    if bad:
        what = counted(len(bad), "image[|s] cannot be used")
        mend = "give uint8 arrays or Pillow images, or stack them to one array"
        severity: Any = "warning" if skip_bad else "error"
        read.findings.append(Finding(severity, "unreadable", what, tuple(bad), mend))
    return pixels, kept


def _together(read: _Read, rules: Rules, axes: Axes) -> tuple[list[Pixels], list[int]]:
    """Arrays of one shape: what their numbers mean is decided for all of them at once."""
    try:
        images, notes = to_pixels(np.stack(read.images), rules, axes)
    except BadImageError as error:
        mend = "say what the numbers mean: load(…, value_range=(0, 1), axes=…)"
        read.findings.append(Finding("error", error.code, error.detail, ("all items",), mend))
        return [], []
    read.findings.extend(
        Finding("warning", code, what, ("all items",), mend, len(images))
        for code, what, mend in notes
    )
    return [image.transpose(1, 2, 0) for image in images], list(range(len(images)))


def _one(image: Any, rules: Rules, axes: Axes) -> Pixels:
    if isinstance(image, Image.Image):
        return from_pil(image, rules)
    if image.dtype != np.uint8:
        form = f"shape {image.shape}, dtype {image.dtype}"
        raise BadImageError("range-unknown", f"{form}: images of several shapes must be uint8")
    pixels, _ = to_pixels(image[None], rules, axes)
    upright: Pixels = pixels[0].transpose(1, 2, 0)
    return upright
