"""Put into words what was found while reading many files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from learnaug.data.decode import Header
from learnaug.data.findings import Finding, Severity, counted

__all__ = ["faults", "remarks", "sizes_differ"]

# code of a fault -> (what, with the number in front; mend)
FAULTS = {
    "unreadable": (
        "image[|s] cannot be read",
        "replace or delete them, or run again with --skip-bad (they will be listed in the report)",
    ),
    "file-too-large": ("image file[|s] [is|are] too large", "save them smaller, or use --skip-bad"),
    "too-many-pixels": (
        "image[|s] [has|have] too many pixels",
        "raise --max-pixels if this is meant, or use --skip-bad",
    ),
    "not-finite": (
        "image[|s] hold[s|] pixels that are not finite",
        "replace them, or use --skip-bad",
    ),
    "range-unknown": (
        "image[|s] hold[s|] numbers of unknown range",
        "say which numbers are black and white: --value-range 0 1",
    ),
    "outside-range": (
        "image[|s] hold[s|] numbers outside the declared range",
        "give a wider --value-range, or use --skip-bad",
    ),
    "mask-mode": (
        "mask[|s] [is|are] no index picture[|s]",
        "save class indices 0, 1, 2, … as 8-bit grey",
    ),
    "mask-size": (
        "mask[|s] differ[s|] in size from [its|their] image",
        "save both at the same size",
    ),
}

# code of a note -> (severity, what, with the number in front; mend)
NOTES: dict[str, tuple[Severity, str, str]] = {
    "cmyk": ("warning", "CMYK image[|s] converted to RGB; colours may shift", "convert to sRGB"),
    "deep": ("warning", "16-bit image[|s] divided by 257 to 8 bits", "or give --value-range"),
    "deep-colour": (
        "warning",
        "16-bit colour image[|s] read as 8 bits: the low byte of each value is dropped",
        "nothing, where 256 steps are enough; or give the values as arrays in an .npz",
    ),
    "alpha": (
        "warning",
        "image[|s] with transparency laid on the background",
        "choose it: --background black or white",
    ),
    "frames": (
        "warning",
        "file[|s] hold[s|] several frames: the first is used",
        "save frames singly",
    ),
    "one-pixel": (
        "warning",
        "image[|s] [is|are] 1x1 pixels",
        "leave them out if they are not meant",
    ),
    "strip": (
        "warning",
        "image[|s] [is a thin strip|are thin strips]",
        "leave them out if they are not meant",
    ),
    "palette": ("info", "palette image[|s] turned into RGB", ""),
    "orientation": ("info", "image[|s] turned upright by [its|their] EXIF orientation", ""),
    "icc": ("info", "image[|s] carr[ies|y] a colour profile, which is not applied", ""),
    "misnamed": (
        "info",
        "file[|s] [is not what its name says|are not what their names say]; read by content",
        "",
    ),
}


def faults(places: Sequence[tuple[str, str, str]], skip_bad: bool) -> Iterator[Finding]:
    """Yield one finding per kind of fault; warnings where bad files are to be skipped.

    Args:
        places: (code, path, detail) per file.
        skip_bad: the files are left out and the run goes on.
    """
    by_code = defaultdict(list)
    for code, path, detail in places:
        by_code[code].append(f"{path}  {detail}")
    for code, where in by_code.items():
        what, mend = FAULTS[code]
        end = ": skipped" if skip_bad else ""
        severity: Severity = "warning" if skip_bad else "error"
        yield Finding(severity, code, counted(len(where), what) + end, tuple(where), mend)


def remarks(
    paths: Sequence[str], heads: Sequence[Header], more: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    """Yield the notes of all files, one finding per kind, and what the set as a whole shows."""
    by_code = defaultdict(list, {code: sorted(where) for code, where in more.items()})
    for path, head in zip(paths, heads, strict=True):
        for code, detail in head.notes:
            by_code[code].append(f"{path}  {detail}")
    for code, (severity, what, mend) in NOTES.items():
        if where := tuple(by_code[code]):
            yield Finding(severity, code, counted(len(where), what), where, mend)
    grey = [path for path, head in zip(paths, heads, strict=True) if head.channels == 1]
    if grey and len(grey) < len(heads):
        counts = f"{len(heads) - len(grey)} RGB, {len(grey)} grey"
        what = f"mixed: {counts}; grey repeated to 3 channels"
        yield Finding(
            "warning",
            "mixed-channels",
            what,
            tuple(grey),
            "convert all to one kind if the colours matter",
        )


def sizes_differ(
    heads: Sequence[Header], size: int | None
) -> tuple[tuple[Finding, ...], int | None]:
    """Return what is to be said about unequal sizes, and the side to resize to (None = keep).

    The suggestion is the median of the shorter sides, in steps of 8, at most 224.
    """
    sizes = Counter((head.height, head.width) for head in heads)
    shapes = [max(h, w) / min(h, w) * (1 if h >= w else -1) for h, w in sizes]
    ratios = [h / w for h, w in sizes]
    if size is not None:
        if max(ratios) > 2 * min(ratios) or max(map(abs, shapes)) > 2:
            what = f"images are squeezed to {size}x{size}: height/width reaches from "
            what += f"{min(ratios):.2g} to {max(ratios):.2g}"
            mend = "crop them yourself if shape matters"
            return (Finding("warning", "aspect", what, _sizes(sizes), mend, len(heads)),), size
        return (), size
    if len(sizes) == 1:
        return (), None
    middle = median(min(head.height, head.width) for head in heads)
    side = min(224, max(8, round(middle / 8) * 8))
    what = f"images differ in size: {len(sizes)} sizes found"
    mend = f"use --size {side}"
    return (Finding("ask", "sizes-differ", what, _sizes(sizes), mend, len(heads)),), side


def _sizes(sizes: Counter[tuple[int, int]]) -> tuple[str, ...]:
    return tuple(f"{h}x{w} (height x width): {n} images" for (h, w), n in sizes.most_common(20))
