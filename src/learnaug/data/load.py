"""One function that reads every kind of image set: `load`; and `scan`, which never stops."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from learnaug.data.archive import open_zip
from learnaug.data.arrays import Axes, from_arrays, from_npz, resized
from learnaug.data.builtin import BUILTIN, torchvision_sets
from learnaug.data.choose import Choice, choice, select
from learnaug.data.decode import MAX_PIXELS, Rules
from learnaug.data.findings import Finding, as_error, stopping
from learnaug.data.folders import missing, walk
from learnaug.data.gather import Progress, gather
from learnaug.data.imageset import ImageSet
from learnaug.data.items import as_array, from_items
from learnaug.data.layout import Plan, not_there, plan
from learnaug.data.masks import chosen_values
from learnaug.data.tables import manifest, with_groups
from learnaug.data.tree import Tree
from learnaug.errors import UsageError, nearest, printable

__all__ = ["Options", "load", "scan"]

Found = tuple[ImageSet | None, tuple[Finding, ...]]

PUBLISHED = "torchvision:"
TABLES = (".csv", ".tsv")
SOURCES = "a folder, a .zip, .npz, .csv or .tsv file, digits, or torchvision:NAME"


class Options(TypedDict, total=False):
    """The options of `load` and `scan`; `load` tells what they mean."""

    size: int | None
    classes: Mapping[str, Sequence[str]] | Sequence[str] | str | None
    skip_bad: bool
    value_range: tuple[float, float] | None
    max_pixels: int
    background: Literal["black", "white"]
    follow_links: bool
    axes: Axes
    cache: str | Path | None
    progress: Progress | None


def load(source: Any, *, accept: bool = False, **options: Unpack[Options]) -> ImageSet:
    """Read an image set from a path, a name, arrays or a data set, or tell all its faults at once.

    Args:
        source: one of

            - a folder of class folders, or of train/, valid/ (val/) and test/ with class folders;
            - a folder with images/ and masks/, alone or inside train/, valid/, test/;
            - a .zip of one of these (read in memory, never unpacked);
            - a .csv or .tsv with the columns path, label and maybe split, group;
            - an .npz with x and y, images and labels, or x_train, y_train, x_test, y_test;
            - arrays: (images, labels), or a mapping with the keys of an .npz;
            - a map-style data set, or a list, of (image, label);
            - "digits", or "torchvision:NAME", which downloads;
            - an ImageSet.

            `groups.tsv` (file, group) in the root of a folder or zip says which images belong
            together.
        accept: take what is suggested where something is asked, such as the size.
        size: resize to size x size pixels, antialiased bilinear; aspect is not kept.
        classes: which classes to take and how to merge them: ["cat", "dog"],
            {"dog": ["n01", "n02"]}, or "dog=n01+n02,cat". For masks the values stand for names:
            "sky=0,road=3+4", others are not counted; or a name for every value, 0 first.
        skip_bad: leave out files that cannot be read, with a warning.
        value_range: the numbers that are black and white, for float and 16-bit images.
        max_pixels: largest width x height of a file, 64,000,000 unless told.
        background: what transparency is laid on, "black" (default) or "white".
        follow_links: follow links that lead out of the folder.
        axes: "NHW", "NHWC" or "NCHW", for arrays whose shape does not tell.
        cache: folder for a memory map of the pixels, for sets larger than memory.
        progress: called with (images done, images in all).

    Returns:
        The set: uint8 [N, C, H, W]. Classes are sorted by code point; by number where all of them
        are numbers. Grey among RGB is repeated to three channels.

    Raises:
        DataError: (65) the data are faulty, with every fault; (66) the path does not exist.
        UsageError: an option is wrong.

    Example:
        >>> load("digits", classes=["3", "5"]).images.shape
        (365, 1, 8, 8)
    """
    data, findings = scan(source, **options)
    stops = stopping(findings, accept=accept)
    if stops or data is None:
        raise as_error(stops or findings, _name(source))
    return data


def scan(source: Any, **options: Unpack[Options]) -> Found:
    """Return what could be read (None where nothing could) and every finding; no fault stops it.

    Args:
        source: as for `load`.
        options: as for `load`.

    Raises:
        UsageError: an option is wrong, or the source is of no known kind.
    """
    how = _how(options)
    if isinstance(source, str) and source in BUILTIN:
        return _finish(BUILTIN[source](), (), how)
    if isinstance(source, str) and source.startswith(PUBLISHED):
        return _from_torchvision(source.removeprefix(PUBLISHED), how)
    if isinstance(source, (str, Path)):
        return _from_path(Path(source), how)
    if isinstance(source, ImageSet):
        return _finish(source, source.findings, how)
    return _from_memory(source, how)


@dataclass(frozen=True)
class _How:
    """All options of `load`, checked."""

    rules: Rules
    classes: Choice
    skip_bad: bool
    follow_links: bool
    axes: Axes
    cache: Path | None
    progress: Progress | None


def _how(options: Options) -> _How:
    for name in options:
        if name not in Options.__annotations__:
            hint = nearest(name, list(Options.__annotations__))
            raise UsageError(f"load has no option {name!r}", mend=hint)
    cache = options.get("cache")
    rules = Rules(
        size=options.get("size"),
        value_range=options.get("value_range"),
        max_pixels=options.get("max_pixels", MAX_PIXELS),
        background=options.get("background", "black"),
    )
    return _How(
        rules=rules,
        classes=choice(options.get("classes")),
        skip_bad=options.get("skip_bad", False),
        follow_links=options.get("follow_links", False),
        axes=options.get("axes"),
        cache=None if cache is None else Path(cache),
        progress=options.get("progress"),
    )


def _from_path(path: Path, how: _How) -> Found:
    if not path.exists():
        return None, (missing(path, tuple(BUILTIN)),)
    if path.is_dir():
        if how.cache is not None and how.cache.resolve().is_relative_to(path.resolve()):
            where = [str(how.cache)]
            mend = "give a cache folder elsewhere: nothing is ever written there"
            raise UsageError("the cache folder lies inside the data folder", where, mend)
        return _from_tree(walk(path, follow_links=how.follow_links), how)
    if not stat.S_ISREG(path.stat().st_mode):
        return None, (_no_source(path, "is not a regular file"),)
    if path.suffix.lower() == ".npz":
        return _finish(*from_npz(path, how.rules, how.axes), how)
    if path.suffix.lower() in TABLES:
        return _carry_out(*manifest(path, how.classes), how)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        with open_zip(path) as tree:
            return _from_tree(tree, how)
    return None, (_no_source(path, "is no image set"),)


def _no_source(path: Path, why: str) -> Finding:
    name = printable(str(path))
    return Finding("error", "no-source", f"{name} {why}", (name,), f"give {SOURCES}")


def _from_tree(tree: Tree, how: _How) -> Found:
    return _carry_out(tree, with_groups(plan(tree, how.classes), tree), how)


def _carry_out(tree: Tree, made: Plan, how: _How) -> Found:
    if not made.items:
        return None, made.findings
    data, findings = gather(
        tree, made, how.rules, skip_bad=how.skip_bad, cache=how.cache, progress=how.progress
    )
    if data is not None and data.masks is not None:
        return chosen_values(data, how.classes)
    return data, findings


def _from_memory(source: Any, how: _How) -> Found:
    if isinstance(source, Mapping):
        return _finish(*from_arrays(source, how.rules, how.axes, name="arrays"), how)
    if isinstance(source, tuple) and len(source) == 2:
        images, labels = source
        if not isinstance(images, (list, tuple)):
            pair = {"x": as_array(images), "y": as_array(labels)}
            return _finish(*from_arrays(pair, how.rules, how.axes, name="arrays"), how)
        source = list(zip(images, labels, strict=True))
    if isinstance(source, np.ndarray) or not _is_map_style(source):
        raise UsageError(
            f"cannot read images from {type(source).__name__}",
            mend=f"give {SOURCES}, (images, labels), or a map-style data set of (image, label)",
        )
    return _from_items({"": source}, type(source).__name__, how)


def _is_map_style(source: Any) -> bool:
    return hasattr(source, "__len__") and hasattr(source, "__getitem__")


def _from_torchvision(name: str, how: _How) -> Found:
    return _from_items(torchvision_sets(name, how.cache), name, how)


def _from_items(sources: Mapping[str, Any], name: str, how: _How) -> Found:
    found = from_items(sources, how.rules, how.axes, name=name, skip_bad=how.skip_bad)
    return _finish(*found, how)


def _finish(data: ImageSet | None, findings: tuple[Finding, ...], how: _How) -> Found:
    """Choose classes and resize where the reader of the source did not."""
    if data is None:
        return None, findings
    if faults := not_there(how.classes, data.classes):
        return data, (*findings, *faults)
    data = select(data, how.classes)
    if how.rules.size is not None:
        data = replace(data, images=resized(data.images, how.rules.size))
    return replace(data, findings=findings), findings


def _name(source: Any) -> str:
    return printable(str(source)) if isinstance(source, (str, Path)) else type(source).__name__
