"""Augmented pictures as files: class folders, with a table that says how each was made."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from learnaug import rundir
from learnaug.data import ImageSet, load, make_batch
from learnaug.errors import UsageError
from learnaug.methods import load_augmenter
from learnaug.seeds import Seeds
from learnaug.study.progress import Progress, Say
from learnaug.training import Augmenter

__all__ = ["write_augmented"]

BATCH = 64
TABLE = "manifest.csv"


def write_augmented(
    augmenter: str | Path | Augmenter,
    data: Any,
    out: str | Path,
    *,
    copies: int = 1,
    seed: int = 0,
    size: int | None = None,
    classes: Any = None,
    say: Say | None = None,
) -> dict[str, Any]:
    """Write `copies` augmented versions of every picture as PNG, and a manifest.

    The folder holds CLASS/NUMBER-COPY.png and manifest.csv (path, label, share, source, copy,
    seed), which `learnaug.load` reads. Where pictures are mixed, `label` is the class with the
    largest share and `share` its probability.

    Args:
        augmenter: a fixed method's name, an augmenter folder or policy file, or an augmenter.
        data: anything that `learnaug.load` takes.
        out: a new or empty folder.
        copies: versions of each picture, >= 1.
        seed: root of all randomness.
        size, classes: as in `learnaug.load`.
        say: told what happens.

    Returns:
        {"out", "pictures", "copies", "seed"}.

    Raises:
        UsageError: `out` is not empty, or a number is out of range.
    """
    if copies < 1:
        raise UsageError(f"`copies >= 1` must hold, but got {copies}")
    augment = load_augmenter(augmenter) if isinstance(augmenter, str | Path) else augmenter
    images = data if isinstance(data, ImageSet) else load(data, size=size, classes=classes)
    if images.channels not in (1, 3, 4):
        raise UsageError(f"PNG holds 1, 3 or 4 channels, but the pictures have {images.channels}")
    folder = Path(out)
    rundir.check_writable(folder, data if isinstance(data, str | Path) else None)
    if any(folder.iterdir()):
        mend = "name a new folder, or empty this one"
        raise UsageError(f"the folder must be empty, but is not: {folder}", mend=mend, code=73)
    progress = Progress(say)
    if augment.mixes:
        progress.note(f"pictures are mixed: the share of each label stands in {TABLE}")
    with rundir.lock(folder):
        rows = list(_write(folder, augment, images, copies, Seeds(seed), progress))
        rundir.write_text(folder / TABLE, _table(rows))
    return {"out": str(folder), "pictures": len(rows), "copies": copies, "seed": seed}


def _write(
    folder: Path,
    augment: Augmenter,
    images: ImageSet,
    copies: int,
    seeds: Seeds,
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    for copy in range(copies):
        for start in range(0, len(images), BATCH):
            chosen = np.arange(start, min(start + BATCH, len(images)))
            batch = make_batch(images, chosen)
            after = augment(batch, images, seeds.child("apply", copy, start))
            for place, pixels, target in zip(chosen, after.images, after.targets, strict=True):
                label = int(target.argmax())
                name = images.classes[label]
                path = Path(rundir.slug(name)) / f"{place:06d}-{copy}.png"
                rundir.write_bytes(folder / path, _png(pixels.numpy()))
                yield {
                    "path": path.as_posix(), "label": name, "share": round(float(target.max()), 4),
                    "source": images.ids[place], "copy": copy, "seed": seeds.root,
                }  # fmt: skip
        progress.note(f"copy {copy + 1} of {copies} is written")


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return [C, H, W] uint8 as the bytes of a PNG file."""
    file = io.BytesIO()
    layers = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    Image.fromarray(layers).save(file, "PNG")
    return file.getvalue()


def _table(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["path"])
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    """Mark text that a spreadsheet would run as a formula."""
    starts = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if starts else value
