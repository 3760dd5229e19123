"""Where decoded pixels live: in memory, or in a memory map in a cache folder."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learnaug.data.findings import Finding
from learnaug.errors import RunError

__all__ = ["compact", "large", "room", "settle"]

Bytes = npt.NDArray[np.uint8]

LARGE = 2 * 2**30  # bytes from which a memory map is recommended
PIXELS = "images.npy"
DISK = 74


def room(shape: tuple[int, ...], cache: Path | None) -> Bytes:
    """Return an uninitialised uint8 array: in memory, or on disk where `cache` names a folder.

    Raises:
        RunError: (74) the disk has not the bytes for it.
    """
    if cache is None:
        return np.empty(shape, np.uint8)
    needed = math.prod(shape)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"{free} bytes free")
        return np.lib.format.open_memmap(_partial(cache), mode="w+", dtype=np.uint8, shape=shape)
    except OSError as error:
        what = f"the cache of pixels cannot be written: {needed} bytes needed ({error.strerror})"
        mend = "free space on this disk, or give another cache folder"
        raise RunError(what, [str(cache)], mend, code=DISK) from error


def settle(pixels: Bytes, cache: Path | None) -> Bytes:
    """Give a finished memory map its name and return it copy-on-write; memory comes back as it is.

    A process killed before leaves only `images.npy.part`, which the next one writes over.
    """
    if cache is None or not isinstance(pixels, np.memmap):
        return pixels
    n = len(pixels)
    pixels.flush()
    os.replace(_partial(cache), cache / PIXELS)
    whole: Any = np.load(cache / PIXELS, mmap_mode="c", allow_pickle=False)
    return whole[:n]  # type: ignore[no-any-return]


def compact(pixels: Bytes, kept: Sequence[int]) -> Bytes:
    """Move the kept rows (ascending) to the front, in place, and return a view of them."""
    for new, old in enumerate(kept):
        if new != old:
            pixels[new] = pixels[old]
    return pixels[: len(kept)]


def large(pixels: Bytes) -> tuple[Finding, ...]:
    """Return a warning where a set in memory is so large that a cache folder would serve better."""
    if pixels.nbytes < LARGE or isinstance(pixels, np.memmap):
        return ()
    what = f"the decoded images take {pixels.nbytes / 2**30:.1f} GB of memory"
    mend = "give a folder for a memory map: load(…, cache=FOLDER), or a smaller --size"
    return (Finding("warning", "large", what, (), mend, len(pixels)),)


def _partial(cache: Path) -> Path:
    return cache / f"{PIXELS}.part"
