"""What is in a data set and what is wrong with it: every fault at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from learnaug.data.duplicates import Duplicates, duplicate_groups
from learnaug.data.findings import Finding, Severity, stopping
from learnaug.data.imageset import PARTS, ImageSet
from learnaug.data.load import scan
from learnaug.data.masks import mask_findings
from learnaug.data.split import split
from learnaug.errors import DataError
from learnaug.seeds import Seeds

__all__ = ["ORDER", "Metric", "Report", "check", "images_of", "metric_for"]

Metric = Literal["accuracy", "balanced_accuracy", "mean_iou"]
Cluster = tuple[int, ...]

UNEVEN = 3  # largest / smallest class above which every class counts the same (TRUST.md 4.0)
TINY = 8  # pixels; below this the shorter side leaves little to augment
FEW = 10  # images per class below which nothing certain can be said about the class
MOST_COMPARED = 100_000  # images; every pair is compared, 100,000 take about 2 minutes
SHOWN = 4  # members of a cluster that are named
ORDER: tuple[Severity, ...] = ("error", "ask", "warning", "info")


@dataclass(frozen=True)
class Report:
    """What is in a data set and what is wrong with it.

    Args:
        name: what the user called it.
        kind: "classification", "segmentation", or "unknown" where nothing could be read.
        images: number of images that could be read.
        classes: class names.
        counts: part -> images per class, in the order of `classes`; only parts that exist, "" where
            the source has no parts. For segmentation: images in which the class occurs.
        size: height and width in pixels, as read.
        channels: number of channels.
        balance: images of the largest class / images of the smallest; inf where one has none.
        metric: what the comparison will measure; None where nothing was read.
        duplicates: clusters of equal and of nearly equal images.
        findings: everything found, errors first.
    """

    name: str
    kind: Literal["classification", "segmentation", "unknown"]
    images: int
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    size: tuple[int, int]
    channels: int
    balance: float
    metric: Metric | None
    duplicates: Duplicates
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that stops a run, whatever is answered to questions."""
        return not stopping(self.findings, accept=True)

    def totals(self) -> tuple[int, ...]:
        """Return the images of each class over all parts."""
        return tuple(map(sum, zip(*self.counts.values(), strict=True)))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "schema": 1,
            "name": self.name,
            "kind": self.kind,
            "ok": self.ok,
            "images": self.images,
            "classes": list(self.classes),
            "counts": {part: list(counts) for part, counts in self.counts.items()},
            "size": list(self.size),
            "channels": self.channels,
            "balance": self.balance if np.isfinite(self.balance) else None,
            "metric": self.metric,
            "duplicates": {
                "exact": [list(cluster) for cluster in self.duplicates.exact],
                "near": [list(cluster) for cluster in self.duplicates.near],
            },
            "findings": [finding.to_json() for finding in self.findings],
        }


def check(
    source: Any, *, size: int | None = None, drop_duplicates: bool = False, **options: Any
) -> Report:
    """Return what is in a data set and everything that is wrong with it; bad data never raises.

    Args:
        source: anything that `load` reads, or an image set.
        size: side in pixels to which all images are resized.
        drop_duplicates: an exact copy across parts is a warning, since it will be left out of
            training, and not an error.
        options: the other options of `load`.

    Raises:
        UsageError: an option is wrong.

    Reference: the rows of TRUST.md 3 that concern the images together (29-31, 40-42, 61).

    Example:
        >>> report = check("digits")
        >>> report.ok, report.images, len(report.classes), report.metric
        (True, 1797, 10, 'accuracy')
    """
    try:
        data, findings = scan(source, size=size, **options)
    except DataError as error:
        data, findings = None, (Finding("error", "data", error.what, error.where, error.mend),)
    if data is None or not len(data):
        name = data.name if data is not None else str(source)
        nothing = Duplicates((), ())
        return Report(name, "unknown", 0, (), {}, (0, 0), 0, 1.0, None, nothing, _sorted(findings))
    copies = duplicate_groups(data.images, near=len(data) <= MOST_COMPARED)
    report = _describe(data, copies)
    about = _classes(report)
    if data.masks is not None:
        train = report.counts.get("train", report.totals())
        about = mask_findings(data.masks, data.classes, train)
    own = (*_pixels(data, copies), *_copies(data, copies, drop_duplicates), *about)
    known = {finding.code for finding in findings}
    cut = () if known & {"class-sets", "one-class"} else tuple(_cut(data))
    return replace(report, findings=_sorted((*findings, *own, *cut)))


def _describe(data: ImageSet, copies: Duplicates) -> Report:
    counts = _counts(data)
    total = np.sum(list(counts.values()), axis=0)
    labelled = data.masks is None
    return Report(
        name=data.name,
        kind="classification" if labelled else "segmentation",
        images=len(data),
        classes=data.classes,
        counts=counts,
        size=data.size,
        channels=data.channels,
        balance=float(total.max() / total.min()) if total.min() else np.inf,
        metric=metric_for(total.tolist()) if labelled else "mean_iou",
        duplicates=copies,
        findings=(),
    )


def metric_for(counts: Sequence[int]) -> Metric:
    """Return the balanced metric where the largest class has over 3 times the smallest.

    Example:
        >>> metric_for([30, 10]), metric_for([31, 10])
        ('accuracy', 'balanced_accuracy')
    """
    return "balanced_accuracy" if max(counts) > UNEVEN * min(counts) else "accuracy"


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: ORDER.index(finding.severity)))


def _counts(data: ImageSet) -> dict[str, tuple[int, ...]]:
    present = np.zeros((len(data), len(data.classes)), bool)
    if data.masks is None:
        present[np.arange(len(data)), data.labels] = True
    else:
        for row, mask in zip(present, data.masks, strict=True):
            row[[k for k in np.unique(mask).tolist() if k < len(row)]] = True
    return {
        part: tuple(present[data.parts == part].sum(0).tolist())
        for part in PARTS
        if (data.parts == part).any()
    }


# ---------------------------------------------------------------- findings


def _pixels(data: ImageSet, copies: Duplicates) -> Iterator[Finding]:
    """What is wrong with the pixels (row 31)."""
    flat = [i for i, image in enumerate(data.images) if image.min() == image.max()]
    if len(data) > 1 and copies.exact and len(copies.exact[0]) == len(data):
        yield Finding("error", "all-same", f"all {len(data)} images are the same", (), READ_AGAIN)
    elif len(flat) == len(data):
        what = f"all {len(data)} images are constant (variance 0)"
        yield Finding("error", "all-constant", what, (), READ_AGAIN)
    elif flat:
        where = tuple(f"{data.ids[i]}  every pixel {data.images[i].min()}" for i in flat)
        what = f"{images_of(len(flat))} constant (variance 0)"
        yield Finding("warning", "constant", what, where, "leave them out if they show nothing")
    if min(data.size) < TINY:
        what = (
            f"images are {data.size[0]}x{data.size[1]} pixels: below {TINY} little can be changed"
        )
        yield Finding("warning", "tiny", what, (), "give larger images if there are any", len(data))


READ_AGAIN = "look at some of the files: the pictures were lost before they came here"


def _copies(data: ImageSet, copies: Duplicates, drop: bool) -> Iterator[Finding]:
    """What the clusters of copies mean: for the labels, for the parts, or nothing bad."""
    if len(data) > MOST_COMPARED:
        what = f"near copies were not looked for: more than {MOST_COMPARED:,} images"
        yield Finding("info", "not-compared", what)
    told: set[Cluster] = set()
    parts = [part or "train" for part in data.parts.tolist()]
    for how, clusters in (("exact", copies.exact), ("near", copies.near)):
        if data.masks is None:
            torn = _torn(clusters, data.labels.tolist())
            told.update(torn)
            yield from _conflicts(data, torn, how)
        torn = _torn(clusters, parts)
        told.update(torn)
        yield from _leaks(data, torn, how, parts, drop)
        rest = [cluster for cluster in clusters if cluster not in told]
        if rest:
            where = tuple(" = ".join(_members(data, cluster)) for cluster in rest)
            what = f"{sum(map(len, rest)):,} images are {how} copies of one another"
            yield Finding("info", f"{how}-copies", what, where)


def _torn(clusters: Sequence[Cluster], value: Sequence[Any]) -> list[Cluster]:
    """Return the clusters whose members do not all have the same value."""
    return [cluster for cluster in clusters if len({value[i] for i in cluster}) > 1]


def _conflicts(data: ImageSet, torn: list[Cluster], how: str) -> Iterator[Finding]:  # row 29
    if not torn:
        return
    names = [data.classes[k] for k in data.labels.tolist()]
    where = tuple(" = ".join(_members(data, cluster, names)) for cluster in torn)
    what = f"{_pictures(len(torn))} {how} copies in another class"
    mend = "keep each picture in the one class it belongs to"
    if how == "exact":
        yield Finding("error", "label-conflict", f"label conflict: {what}", where, mend)
    else:
        mend = "look at them (mirror images count as copies); " + mend
        yield Finding("warning", "near-label-conflict", what, where, mend)


def _leaks(
    data: ImageSet, torn: list[Cluster], how: str, parts: list[str], drop: bool
) -> Iterator[Finding]:  # row 30
    if not torn:
        return
    where = tuple(" = ".join(_members(data, cluster, parts)) for cluster in torn)
    what = f"{_pictures(len(torn))} {how} copies in another part"
    code = "leak" if how == "exact" else "near-leak"
    mend = "delete one of each, or run again with --drop-duplicates"
    mild = drop or how == "near"
    if mild:  # the split keeps groups of copies together (see `Duplicates.groups`)
        what, mend = what + ": left out of the earlier part", "look at them, and delete one of each"
    yield Finding("warning" if mild else "error", code, what, where, mend)


def _members(data: ImageSet, cluster: Cluster, words: Sequence[str] | None = None) -> list[str]:
    """Name the members of a cluster, one of every word first, at most four."""
    rows = list(cluster)
    if words is not None:
        first = {words[i]: i for i in reversed(rows)}
        rows = [*sorted(first.values()), *(i for i in rows if first[words[i]] != i)]
    named = [data.ids[i] + (f" ({words[i]})" if words is not None else "") for i in rows[:SHOWN]]
    return named + ([f"{len(rows) - SHOWN} more"] if len(rows) > SHOWN else [])


def _classes(report: Report) -> Iterator[Finding]:
    totals = report.totals()
    if report.metric == "balanced_accuracy":  # row 42
        large, small = int(np.argmax(totals)), int(np.argmin(totals))
        where = tuple(f"{report.classes[k]}: {images_of(totals[k])}" for k in (large, small))
        what = f"the largest class has over {UNEVEN} times as many images as the smallest"
        what += ": balanced accuracy is measured, in which every class counts the same"
        yield Finding("warning", "unbalanced", what, where, "add images of the small classes")
    few = tuple(
        f"{name}: {images_of(n)}" for name, n in zip(report.classes, totals, strict=True) if n < FEW
    )
    if few:
        what = f"{len(few)} of {len(totals)} classes have fewer than {FEW} images"
        yield Finding("warning", "few-images", what, few, "add images of these classes")


def _cut(data: ImageSet) -> Iterator[Finding]:
    """Say whether the set can be split (rows 40, 41, 61), by splitting it."""
    if data.masks is None and len(set(data.labels.tolist())) < 2:
        mend = "add images of another class"
        yield Finding("error", "one-class", "1 class found, 2 needed", data.classes[:1], mend)
        return
    try:
        notes = split(data, Seeds(0)).notes
    except DataError as error:
        yield Finding("error", "cannot-split", error.what, error.where, error.mend)
    else:
        for note in notes:
            yield Finding("info", "split", note)


def images_of(n: int) -> str:
    """Return the number with its noun."""
    return f"{n:,} image{'s' * (n != 1)}"


def _pictures(n: int) -> str:
    return "1 picture has" if n == 1 else f"{n:,} pictures have"
