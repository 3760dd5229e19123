"""A folder or an archive seen alike: relative paths, and a function that reads one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from learnaug.data.findings import Finding

__all__ = ["READABLE", "Tree", "hidden", "sift", "suffix"]

READABLE = frozenset(
    "png apng jpg jpeg jpe jfif mpo webp bmp dib tif tiff gif ppm pgm pbm pnm".split()
)
FOREIGN = frozenset(
    "heic heif avif svg svgz pdf psd eps ai ico jp2 j2k exr hdr raw dng cr2 cr3 nef arw orf rw2 raf"
    " dcm fits fit xcf tga mp4 avi mov mkv".split()
)
JUNK = frozenset(("thumbs.db", "desktop.ini"))


@dataclass(frozen=True)
class Tree:
    """Files below one root.

    Args:
        name: what the user called it.
        files: paths relative to the root, with "/" between, sorted.
        folders: relative paths of all folders, those without a file too.
        read: returns the bytes of one of the files; raises OSError.
        findings: what was noted while listing.
    """

    name: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    read: Callable[[str], bytes]
    findings: tuple[Finding, ...] = ()


def suffix(path: str) -> str:
    """Return the extension in lower case without its dot, "" where there is none.

    Example:
        >>> suffix("cat/A.JPG"), suffix("cat/12")
        ('jpg', '')
    """
    base = path.rsplit("/", 1)[-1]
    return base.rsplit(".", 1)[-1].lower() if "." in base else ""


def hidden(part: str) -> bool:
    """Tell whether a file or folder of this name is skipped: .git, ._x, __MACOSX, Thumbs.db."""
    return part.startswith(".") or part == "__MACOSX" or part.lower() in JUNK


def sift(paths: Iterable[str]) -> tuple[list[str], list[Finding]]:
    """Return the paths that may be images, and what is said about the others, by extension."""
    images, foreign, others = [], Counter[str](), Counter[str]()
    for path in paths:
        end = suffix(path)
        if end in READABLE or not end:
            images.append(path)
        else:
            (foreign if end in FOREIGN else others)[end] += 1
    return images, list(_not_read(foreign, others))


def _not_read(foreign: Counter[str], others: Counter[str]) -> Iterator[Finding]:
    for end, count in sorted(foreign.items()):
        noun = "file" if count == 1 else "files"
        what = f"{count} .{end} {noun} not read"
        mend = f"convert with: magick mogrify -format png '*.{end}'"
        yield Finding("warning", "foreign-format", what, (), mend, count)
    for end, count in sorted(others.items()):
        noun = "file" if count == 1 else "files"
        yield Finding("info", "other-files", f"{count} .{end} {noun} passed over", (), "", count)
