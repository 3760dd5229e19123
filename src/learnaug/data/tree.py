"""A folder or an archive seen alike: relative paths, and a function that reads one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from learnaug.data.decode import recognised
from learnaug.data.findings import Finding
from learnaug.errors import printable

__all__ = ["READABLE", "Tree", "hidden", "sift", "suffix"]

READABLE = {
    *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "mpo", "webp", "bmp", "dib"),
    *("tif", "tiff", "gif", "ppm", "pgm", "pbm", "pnm"),
}
FOREIGN = {
    *("heic", "heif", "avif", "jp2", "j2k", "exr", "hdr", "ico", "tga", "xcf"),
    *("svg", "svgz", "pdf", "psd", "eps", "ai", "dcm", "fits", "fit"),
    *("raw", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf"),
    *("mp4", "avi", "mov", "mkv"),
}
JUNK = {"thumbs.db", "desktop.ini"}


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


def sift(tree: Tree) -> tuple[list[str], list[Finding]]:
    """Return the files that may be images, and what is said about the others, by extension.

    A file without extension is an image where its first bytes say so.
    """
    images: list[str] = []
    foreign, others = Counter[str](), Counter[str]()
    for path in tree.files:
        end = suffix(path)
        if end in READABLE or (not end and _is_image(tree, path)):
            images.append(path)
        else:
            (foreign if end in FOREIGN else others)[end] += 1
    return images, list(_not_read(foreign, others))


def _is_image(tree: Tree, path: str) -> bool:
    try:
        return recognised(tree.read(path))
    except OSError:
        return False


def _not_read(foreign: Counter[str], others: Counter[str]) -> Iterator[Finding]:
    for end, count in sorted(foreign.items()):
        what = f"{count} .{end} {_files(count)} not read"
        mend = f"convert with: magick mogrify -format png '*.{end}'"
        yield Finding("warning", "foreign-format", what, (), mend, count)
    for end, count in sorted(others.items()):
        kind = f".{end}" if end else "extensionless"
        what = f"{count} {kind} {_files(count)} passed over"
        yield Finding("info", "other-files", printable(what), (), "", count)


def _files(count: int) -> str:
    return "file" if count == 1 else "files"
