"""Carry out a plan: read every file twice, once for its header and once for its pixels.

The first pass settles size and channels of the whole set, so that the second can write straight
into one array, in memory or in a memory map; every fault of every file is collected on the way.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from learnaug.data.decode import BadImageError, Header, Rules, decode, decode_mask, header
from learnaug.data.findings import Finding
from learnaug.data.imageset import ImageSet
from learnaug.data.layout import Item, Plan
from learnaug.data.remarks import faults, remarks, sizes_differ
from learnaug.data.store import compact, large, room, settle
from learnaug.data.tree import Tree
from learnaug.errors import DataError, printable

__all__ = ["Progress", "gather", "group_numbers"]

Progress = Callable[[int, int], None]  # images done, images in all
S = TypeVar("S")
T = TypeVar("T")

WORKERS = 8


@dataclass(frozen=True)
class _Job:
    tree: Tree
    rules: Rules
    progress: Progress | None


def gather(
    tree: Tree,
    plan: Plan,
    rules: Rules,
    *,
    skip_bad: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[ImageSet | None, tuple[Finding, ...]]:
    """Return the set and all findings; None where not one image could be read.

    Where sizes differ and none was asked for, the set comes in the size that is suggested, with
    an "ask" finding.
    """
    job = _Job(tree, rules, progress)
    heads = _map(lambda item: _try(lambda: _header(job, item)), plan.items)
    good = [i for i, head in enumerate(heads) if isinstance(head, Header)]
    bad = {i: head for i, head in enumerate(heads) if isinstance(head, BadImageError)}
    known = [head for head in heads if isinstance(head, Header)]
    if not good:
        return None, (*plan.findings, *faults(_places(plan, bad), skip_bad))
    asked, side = sizes_differ(known, rules.size)
    job = replace(job, rules=replace(rules, size=side))
    images, masks, late, notes = _pixels(job, [plan.items[i] for i in good], known, cache)
    bad |= {good[i]: error for i, error in late.items()}
    paths = [printable(plan.items[i].path) for i in good]
    findings = (
        *plan.findings,
        *asked,
        *faults(_places(plan, bad), skip_bad),
        *remarks(paths, known, notes),
        *large(images),
    )
    kept = [i for i in range(len(good)) if i not in late]
    if not kept:
        return None, findings
    images = settle(compact(images, kept), cache)
    masks = None if masks is None else compact(masks, kept)
    items = [plan.items[good[i]] for i in kept]
    return _assemble(tree.name, items, plan.classes, images, masks, findings)


def group_numbers(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return int64 [N]: one number per distinct name in sorted order, -1 for "".

    Example:
        >>> group_numbers(["b", "", "a", "b"])
        array([ 1, -1,  0,  1])
    """
    number = {name: i for i, name in enumerate(sorted({name for name in names if name}))}
    return np.array([number.get(name, -1) for name in names], np.int64)


def _map(work: Callable[[S], T], items: Sequence[S]) -> list[T]:
    with warnings.catch_warnings(), ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        warnings.filterwarnings("ignore", module="PIL")  # what matters is told as a finding
        return list(pool.map(work, items))


def _try(work: Callable[[], T]) -> T | BadImageError:
    try:
        return work()
    except BadImageError as error:
        return error
    except DataError:
        raise
    except OSError as error:
        return BadImageError("unreadable", f"cannot be read ({error.strerror or error})")


def _header(job: _Job, item: Item) -> Header:
    return header(job.tree.read(item.path), job.rules, item.path)


def _places(plan: Plan, bad: dict[int, BadImageError]) -> list[tuple[str, str, str]]:
    return [(e.code, printable(plan.items[i].path), e.detail) for i, e in sorted(bad.items())]


Notes = dict[str, list[str]]
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None, dict[int, BadImageError], Notes]


def _pixels(
    job: _Job, items: Sequence[Item], heads: Sequence[Header], cache: Path | None
) -> Arrays:
    """Decode all items into uint8 [N, C, H, W] and masks [N, H, W]; faults by index."""
    channels = max(head.channels for head in heads)
    first = heads[0]
    side = job.rules.size
    height, width = (side, side) if side else (first.height, first.width)
    images = room((len(items), channels, height, width), cache)
    masks = np.empty((len(items), height, width), np.uint8) if items[0].mask else None
    notes: Notes = defaultdict(list)
    done = count(1)

    def work(index: int) -> None:
        item = items[index]
        pixels, said = decode(job.tree.read(item.path), job.rules)
        if pixels.shape[:2] != (height, width) or pixels.shape[2] not in (1, channels):
            raise BadImageError("unreadable", f"{_form(pixels)}, but its header says otherwise")
        images[index] = pixels.transpose(2, 0, 1)  # grey is repeated over the channels
        if masks is not None:
            masks[index] = _mask(job, item, heads[index])
        for code, _ in said:
            notes[code].append(printable(item.path))
        if job.progress is not None:
            job.progress(next(done), len(items))

    results = _map(lambda i: _try(lambda: work(i)), range(len(items)))
    late = {i: error for i, error in enumerate(results) if isinstance(error, BadImageError)}
    return images, masks, late, notes


def _mask(job: _Job, item: Item, head: Header) -> npt.NDArray[np.uint8]:
    values = decode_mask(job.tree.read(item.mask), replace(job.rules, size=None))
    if values.shape != (head.height, head.width):
        found = f"mask {_form(values)}, image {head.height}x{head.width}"
        raise BadImageError("mask-size", found)
    return decode_mask(job.tree.read(item.mask), job.rules)


def _form(pixels: npt.NDArray[Any]) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"


def _assemble(
    name: str,
    items: Sequence[Item],
    classes: tuple[str, ...],
    images: npt.NDArray[np.uint8],
    masks: npt.NDArray[np.uint8] | None,
    findings: tuple[Finding, ...],
) -> tuple[ImageSet, tuple[Finding, ...]]:
    number = {label: i for i, label in enumerate(classes)}
    labels = [] if masks is not None else [number[item.label] for item in items]
    if masks is not None:
        masks, classes, said = _mask_classes(masks)
        findings = (*findings, *said)
    data = ImageSet(
        name=name,
        images=images,
        labels=np.array(labels, np.int64),
        classes=classes,
        ids=tuple(printable(item.path) for item in items),
        groups=group_numbers([item.group for item in items]),
        parts=np.array([item.part for item in items], "<U5"),
        masks=masks,
        findings=findings,
    )
    return data, findings


def _mask_classes(
    masks: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...], tuple[Finding, ...]]:
    """Class names "0".."K-1"; a set of masks with 0 and 255 alone means 0 and 1."""
    values = np.flatnonzero(np.bincount(masks.ravel(), minlength=256))
    if values.tolist() == [0, 255]:
        what = "masks hold 0 and 255 only: taken as the classes 0 and 1"
        note = Finding("warning", "mask-255", what, (), "save class indices 0 and 1", len(masks))
        return (masks // 255).astype(np.uint8), ("0", "1"), (note,)
    top = int(max((v for v in values.tolist() if v != 255), default=0))
    return masks, tuple(str(i) for i in range(max(2, top + 1))), ()
