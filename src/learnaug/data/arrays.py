"""Images that are already numbers: NumPy arrays, `.npz` files and PyTorch data sets."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learnaug.data.decode import BadImageError, Rules, resize, scaled
from learnaug.data.findings import Finding, counted
from learnaug.data.gather import group_numbers
from learnaug.data.imageset import ImageSet
from learnaug.data.labels import number_labels
from learnaug.errors import UsageError, nearest, printable

__all__ = ["AXES", "Axes", "from_arrays", "from_npz", "resized", "to_pixels"]

Axes = str | None
AXES = ("NHW", "NHWC", "NCHW")
Found = tuple[ImageSet | None, tuple[Finding, ...]]
Array = npt.NDArray[Any]

# part -> names of the keys that hold its images and its labels
KEYS = {
    "": (("x", "y"), ("images", "labels"), ("data", "target")),
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "valid": (("x_val", "y_val"), ("x_valid", "y_valid"), ("val_images", "val_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}
NAMES = ("classes", "mapping", "label_names")
SMALL, UNPACKED, RATIO = 10**9, 50 * 10**9, 100  # bytes, bytes, unpacked : packed
FEW = (1, 2, 3, 4)  # numbers of channels that are taken for channels without being told


def from_npz(path: Path, rules: Rules, axes: Axes = None) -> Found:
    """Read a `.npz` file with keys x, y | images, labels | x_train, y_train, x_test, y_test.

    Optional keys: groups [N], classes or mapping [K] (names, or character codes). Nothing in it
    is unpickled.
    """
    try:
        _refuse_bomb(path)
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("a single array, not an .npz")
            wanted = {key for pairs in KEYS.values() for pair in pairs for key in pair}
            wanted |= {*NAMES, "groups"}
            arrays = {key: file[key] for key in file.files if key in wanted}
            keys = tuple(map(printable, file.files))
    except Exception as error:  # a damaged file raises zlib.error, BadZipFile, SyntaxError, …
        what = f"{path.name} cannot be read as .npz ({printable(str(error))})"
        mend = "save it with numpy.savez(path, x=images, y=labels), no object arrays"
        return None, (Finding("error", "bad-npz", what, (path.name,), mend),)
    if not arrays:
        return None, (_no_arrays(keys, path.name),)
    data, findings = from_arrays(arrays, rules, axes, name=path.stem, place=path.name)
    if passed_over := tuple(key for key in keys if key not in wanted):
        what = f"keys of {path.name} passed over: {', '.join(passed_over)}"
        findings = (*findings, Finding("info", "other-keys", what, passed_over))
    return (None if data is None else replace(data, findings=findings)), findings


def from_arrays(
    arrays: Mapping[str, Any], rules: Rules, axes: Axes = None, *, name: str, place: str = "arrays"
) -> Found:
    """Build an image set from named arrays.

    Args:
        arrays: images and labels under the names that `from_npz` knows.
        rules: how numbers become pixels.
        axes: "NHW", "NHWC" or "NCHW" where the shape alone does not tell.
        name: name of the set.
        place: what the messages call the source.
    """
    if axes is not None and axes not in AXES:
        raise UsageError(f"unknown axes {axes!r}", mend=nearest(axes, AXES))
    pieces = list(_pieces(arrays))
    if not pieces:
        return None, (_no_arrays(tuple(arrays), place),)
    findings: list[Finding] = []
    images = [_images(piece, rules, axes, place, findings) for piece in pieces]
    codes, classes = _all_labels(pieces, _class_names(arrays), place, findings)
    parts = [piece.part for piece in pieces for _ in range(len(piece.images))]
    groups = _groups(arrays, len(parts), place, findings)
    whole = [image for image in images if image is not None]
    broken = any(finding.code == "lengths" for finding in findings)
    if broken or len(whole) < len(images) or codes is None or groups is None:
        return None, tuple(findings)
    if len({image.shape[1:] for image in whole}) > 1:
        findings.append(_unlike(pieces, place))
        return None, tuple(findings)
    data = ImageSet(
        name=name,
        images=np.concatenate(whole),
        labels=codes,
        classes=classes,
        ids=tuple(_ids(pieces)),
        groups=groups,
        parts=np.array(parts, "<U5"),
        findings=tuple(findings),
    )
    return data, tuple(findings)


def _refuse_bomb(path: Path) -> None:
    """A few MB of packed zeros can fill any memory: look at the sizes first."""
    with zipfile.ZipFile(path) as archive:
        total = sum(info.file_size for info in archive.infolist())
        packed = sum(info.compress_size for info in archive.infolist())
    if total > UNPACKED or (total > SMALL and total > RATIO * packed):
        raise ValueError(f"it unpacks from {packed} to {total} bytes, limit {RATIO} times")


def _no_arrays(keys: Sequence[str], place: str) -> Finding:
    what = f"no images and labels among the keys: {', '.join(map(printable, keys)) or 'none'}"
    mend = "name them x and y, images and labels, or x_train, y_train, x_test, y_test"
    return Finding("error", "no-arrays", what, (place,), mend)


@dataclass(frozen=True)
class _Piece:
    part: str
    key: str
    images: Array
    labels: Array


def _pieces(arrays: Mapping[str, Any]) -> Iterator[_Piece]:
    for part, pairs in KEYS.items():
        for x, y in pairs:
            if x in arrays and y in arrays:
                yield _Piece(part, x, np.atleast_1d(arrays[x]), np.atleast_1d(arrays[y]))
                break


def _ids(pieces: Sequence[_Piece]) -> Iterator[str]:
    for piece in pieces:
        start = f"{piece.part} " if piece.part else ""
        yield from (f"{start}row {row}" for row in range(len(piece.images)))


def _images(
    piece: _Piece, rules: Rules, axes: Axes, place: str, findings: list[Finding]
) -> npt.NDArray[np.uint8] | None:
    where = (f"{place}: {piece.key}",)
    if len(piece.images) != len(piece.labels):
        images, labels = counted(len(piece.images), "image[|s]"), len(piece.labels)
        what = f"{images}, but {counted(labels, 'label[|s]')}"
        findings.append(Finding("error", "lengths", what, where, "give one label per image"))
    try:
        pixels, notes = to_pixels(piece.images, rules, axes)
    except BadImageError as error:
        findings.append(Finding("error", error.code, error.detail, where, _mend(error.code)))
        return None
    findings += [
        Finding("warning", code, what, where, mend, len(pixels)) for code, what, mend in notes
    ]
    return pixels


def _mend(code: str) -> str:
    return {
        "axes-unknown": 'say which axis is which: load(…, axes="NHWC")',
        "range-unknown": "say which numbers are black and white: load(…, value_range=(0, 1))",
        "outside-range": "give a wider value_range",
        "not-finite": "replace these pixels before loading",
        "object-array": "stack images of one size: numpy.stack(images)",
        "flat": "give pictures: x.reshape(-1, height, width)",
        "no-images": "give at least one image per class",
    }[code]


def to_pixels(
    images: Array, rules: Rules, axes: Axes = None
) -> tuple[npt.NDArray[np.uint8], list[tuple[str, str, str]]]:
    """Return images as uint8 [N, C, H, W] and (code, what, mend) of what was assumed.

    Raises:
        BadImageError: the shape or the range does not say what it means; the detail tells shape,
            dtype and range found.
    """
    form = f"shape {images.shape}, dtype {images.dtype}"
    if images.dtype.kind not in "buif":
        raise BadImageError("object-array", f"{form}: images must be numbers")
    if images.size == 0:
        raise BadImageError("no-images", f"{form}: no image in it")
    order = _order(images.shape, axes, form)
    pixels, notes = _bytes(images, rules, form)
    pixels = pixels[:, None] if order == "NHW" else pixels
    pixels = pixels.transpose(0, 3, 1, 2) if order == "NHWC" else pixels
    if rules.size is not None:
        pixels = resized(pixels, rules.size)
    return np.array(pixels, np.uint8, order="C"), notes


def resized(images: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return uint8 [N, C, H, W] resized to [N, C, size, size] as `decode.resize` does."""
    if images.shape[2:] == (size, size):
        return images
    return np.stack([resize(one.transpose(1, 2, 0), size).transpose(2, 0, 1) for one in images])


def _order(shape: tuple[int, ...], axes: Axes, form: str) -> str:
    if axes is not None and len(axes) == len(shape):
        return axes
    if len(shape) == 3:
        return "NHW"
    if len(shape) != 4:
        raise BadImageError(
            "flat", f"{form}: images must be [N, H, W], [N, H, W, C] or [N, C, H, W]"
        )
    first, last = shape[1] in FEW, shape[3] in FEW
    if first == last:
        raise BadImageError("axes-unknown", f"{form}: which axis holds the channels is not plain")
    return "NCHW" if first else "NHWC"


def _bytes(
    images: Array, rules: Rules, form: str
) -> tuple[npt.NDArray[np.uint8], list[tuple[str, str, str]]]:
    """Numbers of any kind to 0..255; what is not plain is refused."""
    if rules.value_range is not None:
        return scaled(images, *rules.value_range), []
    if images.dtype == np.uint8:
        return images, []
    if images.dtype == np.bool_:
        return images.astype(np.uint8) * np.uint8(255), []
    if images.dtype == np.uint16:
        note = ("deep", f"{form}: divided by 257 to 8 bits", "or give value_range")
        return ((images.astype(np.uint32) + 128) // 257).astype(np.uint8), [note]
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        count = int(images.size - np.isfinite(images).sum())
        raise BadImageError("not-finite", f"{form}: {count} pixels are NaN or infinite")
    low, high = images.min(), images.max()
    found = f"{form}, values {low:g} to {high:g}"
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return scaled(images, 0, 1), [
            ("unit-range", f"{found}: 0..1 taken as 0..255", "give value_range if not meant")
        ]
    if low >= 0 and 1 < high <= 255 and bool((images == np.rint(images)).all()):
        return images.astype(np.uint8), [
            ("byte-range", f"{found}: taken as 0..255", "save as uint8")
        ]
    raise BadImageError("range-unknown", f"{found}: which numbers are black and white is not plain")


def _class_names(arrays: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names of the classes; printable character codes (EMNIST's mapping) become characters."""
    raw = next((arrays[key] for key in NAMES if key in arrays), None)
    if raw is None:
        return None
    values = np.asarray(raw)
    if values.ndim == 2 and values.shape[1] == 2:
        values = values[:, 1]
    if values.dtype.kind in "iu" and values.size and 33 <= values.min() <= values.max() <= 126:
        return tuple(chr(code) for code in values.tolist())
    return tuple(printable(str(name)) for name in values.ravel().tolist())


def _all_labels(
    pieces: Sequence[_Piece], names: tuple[str, ...] | None, place: str, findings: list[Finding]
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    rows = [
        f"{piece.part} row {row}".strip() for piece in pieces for row in range(len(piece.labels))
    ]
    values = [value for piece in pieces for value in _scalars(piece.labels)]
    codes, classes, faults = number_labels(values, rows, names)
    findings += faults
    if codes is None:
        return None, ()
    ends = np.cumsum([len(piece.labels) for piece in pieces])[:-1]
    sets = [set(part.tolist()) for part in np.split(codes, ends)]
    lacking = [
        f"{piece.part} lacks {', '.join(classes[c] for c in sorted(set().union(*sets) - found))}"
        for piece, found in zip(pieces, sets, strict=True)
        if found != set().union(*sets)
    ]
    if lacking:
        what = "the parts do not have the same classes"
        mend = "add images of these classes or leave the classes out"
        findings.append(Finding("error", "class-sets", what, tuple(lacking), mend))
    return codes, classes


def _scalars(labels: Array) -> list[Any]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    return list(labels.tolist())


def _groups(
    arrays: Mapping[str, Any], n: int, place: str, findings: list[Finding]
) -> npt.NDArray[np.int64] | None:
    if "groups" not in arrays:
        return np.full(n, -1, np.int64)
    names = [str(group) for group in np.asarray(arrays["groups"]).ravel().tolist()]
    if len(names) != n:
        what = f"{len(names)} groups, but {n} images"
        findings.append(Finding("error", "lengths", what, (f"{place}: groups",), "give one each"))
        return None
    return group_numbers(["" if name == "-1" else name for name in names])


def _unlike(pieces: Sequence[_Piece], place: str) -> Finding:
    where = tuple(f"{place}: {piece.key}  {piece.images.shape}" for piece in pieces)
    what = "the parts hold images of different shapes"
    return Finding("error", "shapes", what, where, "use --size, or save them in one shape")
