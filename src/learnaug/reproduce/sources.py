"""Where the pictures of a table lie, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from learnaug.data import ImageSet, load
from learnaug.errors import DataError, UsageError
from learnaug.reproduce.rows import Block, Source
from learnaug.seeds import Seeds

__all__ = ["data_folder", "missing", "pictures", "place"]

VARIABLE = "LEARNAUG_DATA"
DEFAULT = Path("../shared/data")
ENDINGS = ("", ".zip", ".npz", ".csv")
MISSING = 66


def data_folder(given: str | Path | None) -> Path:
    """Return the folder of the data: the given one, $LEARNAUG_DATA, or ../shared/data.

    Raises:
        UsageError: the named folder is no folder (status 66).
    """
    named = given or os.environ.get(VARIABLE)
    folder = Path(named) if named else DEFAULT
    if named and not folder.is_dir():
        whence = "--data" if given else VARIABLE
        raise UsageError(f"{whence} is {str(folder)!r}, which is no folder", code=MISSING)
    return folder


def place(source: Source, folder: Path) -> Path | None:
    """Return the path of a source below the data folder; None where it is not there.

    The user's own NAME, NAME.zip, NAME.npz or NAME.csv goes before the places we know; a folder
    NAME that holds one of these places is not the user's own.
    """
    own = [folder / f"{source.name}{ending}" for ending in ENDINGS]
    known = [path for each in source.places if (path := folder / each).exists()]
    own = [path for path in own if not any(path in each.parents for each in known)]
    return next((path for path in (*own, *known) if path.exists()), None)


def missing(blocks: Sequence[Block], folder: Path) -> DataError:
    """Return the error that says which data are not there and how to name one's own."""
    sources = {block.source.name: block.source for block in blocks}
    where = [
        f"{source.words}: {' or '.join(source.places) or source.name} is not in {folder}"
        for source in sources.values()
    ]
    names = ", ".join(sources)
    return DataError(
        "the data of this table are not there",
        where,
        f"put class folders (or a .zip, .npz or .csv) named {names} into a folder, and give it "
        f"with --data FOLDER or {VARIABLE}",
        code=MISSING,
    )


def pictures(source: Source, path: Path, side: int) -> ImageSet:
    """Return the pictures of a source, resized, with balanced classes where it asks for them.

    The user's own pictures are taken with the classes that they have.
    """
    known = any(path.match(each) for each in source.places)
    data = load(path, size=side, classes=source.classes if known else None)
    parts = data.parts if source.own_test else np.full(len(data), "", data.parts.dtype)
    data = replace(data, name=source.name, parts=parts)
    return data if source.pool is None else data.take(_drawn(data, source.pool))


def _drawn(data: ImageSet, pool: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of `pool` pictures a class, beside those of the set's own test part."""
    order = Seeds(0).child("reproduce", data.name).numpy().permutation(len(data))
    sealed = data.parts == "test"
    kept = [np.flatnonzero(sealed)]
    for number in range(len(data.classes)):
        mine = order[(data.labels[order] == number) & ~sealed[order]]
        kept.append(mine[:pool])
    return np.sort(np.concatenate(kept))
