"""One function that reads every kind of image set: `load`; and `scan`, which never stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from learnaug.data.archive import open_zip
from learnaug.data.arrays import Axes, from_arrays, from_npz
from learnaug.data.builtin import BUILTIN
from learnaug.data.choose import Choice, choice, select
from learnaug.data.decode import Rules
from learnaug.data.findings import Finding, as_error, stopping
from learnaug.data.folders import missing, walk
from learnaug.data.gather import Progress, gather
from learnaug.data.imageset import ImageSet
from learnaug.data.layout import LAYOUT, plan
from learnaug.data.tree import Tree
from learnaug.errors import printable

__all__ = ["load", "scan"]

Found = tuple[ImageSet | None, tuple[Finding, ...]]


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


def load(source: Any, *, accept: bool = False, **options: Any) -> ImageSet:
    """Return the image set, or raise one error that tells everything that is wrong with it."""
    data, findings = scan(source, **options)
    stops = stopping(findings, accept=accept)
    if stops or data is None:
        raise as_error(stops or findings, _name(source))
    return data


def scan(
    source: Any,
    *,
    size: int | None = None,
    classes: Mapping[str, Sequence[str]] | Sequence[str] | str | None = None,
    skip_bad: bool = False,
    value_range: tuple[float, float] | None = None,
    max_pixels: int = 64_000_000,
    background: Literal["black", "white"] = "black",
    follow_links: bool = False,
    axes: Axes = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Found:
    """Return what could be read (None where nothing could) and all findings; see `load`."""
    how = _How(
        Rules(size, value_range, max_pixels, background),
        choice(classes),
        skip_bad,
        follow_links,
        axes,
        None if cache is None else Path(cache),
        progress,
    )
    if isinstance(source, str) and source in BUILTIN:
        return _chosen(BUILTIN[source](), (), how)
    if isinstance(source, (str, Path)):
        return _from_path(Path(source), how)
    if isinstance(source, ImageSet):
        return _chosen(source, source.findings, how)
    if isinstance(source, Mapping):
        return _chosen(*from_arrays(source, how.rules, axes, name="arrays"), how)
    if isinstance(source, (tuple, list)) and len(source) == 2:
        pair = {"x": np.asarray(source[0]), "y": np.asarray(source[1])}
        return _chosen(*from_arrays(pair, how.rules, axes, name="arrays"), how)
    raise TypeError(type(source))


def _from_path(path: Path, how: _How) -> Found:
    if not path.exists():
        return None, (missing(path, tuple(BUILTIN)),)
    if path.is_dir():
        return _from_tree(walk(path, follow_links=how.follow_links), how)
    if path.suffix.lower() == ".npz":
        return _chosen(*from_npz(path, how.rules, how.axes), how)
    with open_zip(path) as tree:
        return _from_tree(tree, how)


def _from_tree(tree: Tree, how: _How) -> Found:
    made = plan(tree, how.classes)
    if not made.items:
        return None, made.findings
    return gather(
        tree, made, how.rules, skip_bad=how.skip_bad, cache=how.cache, progress=how.progress
    )


def _chosen(data: ImageSet | None, findings: tuple[Finding, ...], how: _How) -> Found:
    if data is None:
        return None, findings
    data = select(data, how.classes)
    return replace(data, findings=findings), findings


def _name(source: Any) -> str:
    return printable(str(source)) if isinstance(source, (str, Path)) else type(source).__name__
