"""Where the pictures of a table lie, and how they are read."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from learnaug.data import ImageSet, load
from learnaug.data.batch import evenly
from learnaug.data.builtin import PUBLISHED
from learnaug.errors import DataError, UsageError, printable
from learnaug.reproduce.rows import AnyBlock, Block, Size, Source
from learnaug.seeds import Seeds

__all__ = ["absence", "data_folder", "missing", "pictures", "place"]

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

    The user's own NAME, NAME.zip, NAME.npz or NAME.csv goes before torchvision's layout and the
    places we know; a folder NAME that holds one of these is not the user's own.
    """
    own = [folder / f"{source.name}{ending}" for ending in ENDINGS]
    layouts = [folder / source.layout, own[0] / source.layout] if source.layout else []
    places = [*layouts, *(folder / each for each in source.places)]
    known = [path for path in places if path.exists()]
    own = [path for path in own if not any(path in each.parents for each in known)]
    return next((path for path in (*own, *known) if path.exists()), None)


def missing(blocks: Sequence[AnyBlock], folder: Path) -> DataError:
    """Return the error that says which data are not there and how to name one's own."""
    used = [block.source for block in blocks]
    used += [b.generator.source for b in blocks if isinstance(b, Block) and b.generator]
    sources = {source.name: source for source in used if place(source, folder) is None}
    where = [f"{source.words}: {absence(source, folder)}" for source in sources.values()]
    names = ", ".join(sources)
    return DataError(
        "the data of this table are not there",
        where,
        f"put class folders (or a .zip, .npz or .csv) named {names} into a folder, and give it "
        f"with --data FOLDER or {VARIABLE}",
        code=MISSING,
    )


def absence(source: Source, folder: Path) -> str:
    """Return that a source is not in the folder, and the line that downloads it where one can."""
    looked = [*filter(None, [source.layout]), *source.places] or [source.name]
    text = f"{' or '.join(looked)} is not in {folder}"
    if not source.published:
        return text
    parts = list(PUBLISHED[source.published].values())
    call = f"{source.published}({str(folder)!r}, download=True, **k) for k in {parts}"
    code = f"from torchvision.datasets import {source.published}; [{call}]"
    plain = not set(code) & set('"$`\\!')  # else a shell would read more than a text in it
    return f"{text}; this downloads it there: python -c " + (
        f'"{code}"' if plain else shlex.quote(code)
    )


def pictures(source: Source, path: Path, size: Size) -> ImageSet:
    """Return the pictures of a source, resized, with balanced classes where the size asks for them.

    The user's own pictures are taken with the classes that they have.

    Raises:
        DataError: torchvision cannot read what lies in its layout, or there are fewer classes
            than the source takes some from.
    """
    data = _chosen(source, _read(source, path, size.side), size.classes)
    parts = data.parts if source.own_test else np.full(len(data), "", data.parts.dtype)
    data = replace(data, name=source.name, parts=parts)
    return data if size.pool is None else data.take(_drawn(data, size.pool))


def _read(source: Source, path: Path, side: int) -> ImageSet:
    """Return all pictures of a path, in whatever form they are there."""
    if source.reader and (data := source.reader(path, side)) is not None:
        return data
    if source.layout and path.match(source.layout):
        return _published(source, path.parent, side)
    known = any(path.match(each) for each in source.places)
    return load(path, size=side, classes=source.classes if known else None)


def _chosen(source: Source, data: ImageSet, most: int | None) -> ImageSet:
    """Return the pictures of the classes in the source's span, at most so many classes of them."""
    if source.span is None and most is None:
        return data
    first, last = source.span or (0, len(data.classes))
    if len(data.classes) < last:
        raise DataError(
            f"{source.words}: classes {first + 1} to {last} are wanted, but there are "
            f"{len(data.classes)}",
            [source.name],
            "give the whole set, or take these rows away with --only",
        )
    kept = first + evenly(last - first, most or last - first)
    number = np.full(len(data.classes), -1)
    number[kept] = np.arange(len(kept))
    part = data.take(number[data.labels] >= 0)
    names = tuple(data.classes[place] for place in kept)
    return replace(part, labels=number[part.labels], classes=names)


def _published(source: Source, root: Path, side: int) -> ImageSet:
    """Return a set that lies in torchvision's own layout; nothing is downloaded."""
    from torchvision import datasets

    arrays = {}
    try:
        for part, words in PUBLISHED[source.published].items():
            own = getattr(datasets, source.published)(root=str(root), download=False, **words)
            arrays[f"x_{part}"] = np.stack([np.asarray(picture) for picture, _ in own])
            arrays[f"y_{part}"] = np.array([label for _, label in own], np.int64)
    except Exception as error:  # a part that is missing or damaged: torchvision raises anything
        what = f"torchvision cannot read {source.published} ({printable(str(error))})"
        raise DataError(what, [str(root)], absence(source, root), code=MISSING) from error
    data = load(arrays, size=side)
    names = tuple(getattr(own, "classes", ()))
    return replace(data, classes=names) if len(names) == len(data.classes) else data


def _drawn(data: ImageSet, pool: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of `pool` pictures a class, beside those of the set's own test part."""
    order = Seeds(0).child("reproduce", data.name).numpy().permutation(len(data))
    sealed = data.parts == "test"
    kept = [np.flatnonzero(sealed)]
    for number in range(len(data.classes)):
        mine = order[(data.labels[order] == number) & ~sealed[order]]
        kept.append(mine[:pool])
    return np.sort(np.concatenate(kept))
