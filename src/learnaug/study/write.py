"""Augmented pictures as files, with a table that says how each was made.

OUT/apply.json is what was asked and apply.jsonl what is done, a record a batch; both come before
manifest.csv, which is written last. So the same call on the same folder goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from learnaug import rundir
from learnaug.data import Batch, ImageSet, load, make_batch
from learnaug.errors import UsageError
from learnaug.methods import Chain, PolicyAugmenter, load_augmenter, refusal, traced
from learnaug.ops import Drawn
from learnaug.seeds import Seeds
from learnaug.study import manifest
from learnaug.study.plan import differences, versions
from learnaug.study.progress import Say
from learnaug.training import Augmenter

__all__ = ["write_augmented"]

BATCH = 64
ASKED, DONE, TABLE = "apply.json", "apply.jsonl", "manifest.csv"
LABELLED = ("path", "label", "share", "source", "copy", "seed", "operations")
MASKED = ("path", "mask", "source", "copy", "seed", "operations")
CANNOT_CREATE = 73
JOURNAL = 4 << 30  # bytes
PERIOD = 10.0  # seconds between two lines of progress

Row = dict[str, Any]


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

    The folder holds CLASS/NUMBER-COPY.png, or images/ and masks/ of NUMBER-COPY.png where the data
    have masks, and manifest.csv (path, label, share or mask, source, copy, seed, operations).
    `learnaug.load` reads the folder and, where there are labels, the table. `operations` tells
    what was drawn, with magnitudes and units. Where pictures are mixed, `label` is the class with
    the largest share and `share` its probability.

    The same call on the same folder goes on where it was stopped, and ends with the same bytes.

    Args:
        augmenter: a fixed method's name, an augmenter folder or policy file, or an augmenter.
        data: anything that `learnaug.load` takes.
        out: a new or empty folder, or one that the same call has begun.
        copies: versions of each picture, >= 1.
        seed: root of all randomness.
        size, classes: as in `learnaug.load`.
        say: told what happens.

    Returns:
        {"out", "pictures", "copies", "seed", "kept"}; `kept` pictures were there already.

    Raises:
        UsageError: `out` holds something else, which is named; or a number is out of range.
    """
    if copies < 1:
        raise UsageError(f"`copies >= 1` must hold, but got {copies}")
    augment = load_augmenter(augmenter) if isinstance(augmenter, str | Path) else augmenter
    images = data if isinstance(data, ImageSet) else load(data, size=size, classes=classes)
    if images.channels not in (1, 3, 4):
        raise UsageError(f"PNG holds 1, 3 or 4 channels, but the pictures have {images.channels}")
    _refuse_unfit(augment, images, Seeds(seed))
    folder = Path(out)
    asked = _asked(augment, images, copies, seed)
    _refuse_other(folder, asked)
    rundir.check_writable(folder, data if isinstance(data, str | Path) else None)
    told = _Telling(say, copies * len(images))
    if augment.mixes and images.masks is None:
        told.note(f"pictures are mixed: the share of each label stands in {TABLE}")
    with rundir.lock(folder):
        rundir.write_json(folder / ASKED, asked)
        rows, kept = _write(folder, augment, images, copies, Seeds(seed), told)
        columns = LABELLED if images.masks is None else MASKED
        rundir.write_text(folder / TABLE, manifest.table(rows, columns))
    return {
        "out": str(folder), "pictures": len(rows), "copies": copies, "seed": seed, "kept": kept,
    }  # fmt: skip


class _Piece(NamedTuple):
    """A batch of one copy: the pictures at `start` … `start` + 63."""

    copy: int
    start: int


def _write(
    folder: Path, augment: Augmenter, images: ImageSet, copies: int, seeds: Seeds, told: _Telling
) -> tuple[list[Row], int]:
    """Write every piece that is not there; return the rows of all, and how many were there."""
    done = dict(_done(folder, told))
    kept = sum(len(rows) for rows in done.values())
    told.begin(kept)
    rows: list[Row] = []
    for piece in (_Piece(c, s) for c in range(copies) for s in range(0, len(images), BATCH)):
        if piece not in done:
            done[piece] = _write_piece(folder, augment, images, piece, seeds)
            rundir.append_record(folder / DONE, {**piece._asdict(), "rows": done[piece]})
            told.step(len(done[piece]))
        rows += done[piece]
    return rows, kept


def _done(folder: Path, told: _Telling) -> Iterator[tuple[_Piece, list[Row]]]:
    """Yield the pieces of the journal whose files are all there."""
    journal = rundir.read_records(folder / DONE, repair=True, say=told.note, limit=JOURNAL)
    for record in journal:
        rows = record["rows"]
        files = [folder / row[key] for row in rows for key in ("path", "mask") if key in row]
        if all(file.is_file() for file in files):
            yield _Piece(record["copy"], record["start"]), rows


def _write_piece(
    folder: Path, augment: Augmenter, images: ImageSet, piece: _Piece, seeds: Seeds
) -> list[Row]:
    chosen = np.arange(piece.start, min(piece.start + BATCH, len(images)))
    batch = make_batch(images, chosen)
    after, drawn = traced(augment, batch, images, seeds.child("apply", piece.copy, piece.start))
    rows = _rows(images, chosen, piece.copy, seeds.root, after, drawn)
    for number, row in enumerate(rows):
        rundir.write_bytes(folder / row["path"], manifest.png(after.images[number].numpy()))
        if "mask" in row:
            mask = after.targets[number].numpy().astype(np.uint8)
            rundir.write_bytes(folder / row["mask"], manifest.png(mask))
    return rows


def _rows(
    images: ImageSet, chosen: Any, copy: int, seed: int, after: Batch, drawn: tuple[Drawn, ...]
) -> list[Row]:
    ids = [images.ids[place] for place in chosen]
    rows = []
    for number, (place, target) in enumerate(zip(chosen, after.targets, strict=True)):
        name = f"{place:06d}-{copy}.png"
        row: Row = {"path": f"images/{name}", "mask": f"masks/{name}"}
        if images.masks is None:
            label = images.classes[int(target.argmax())]
            row = {"path": f"{rundir.slug(label)}/{name}", "label": label}
            row["share"] = round(float(target.max()), 4)
        row |= {"source": images.ids[place], "copy": copy, "seed": seed}
        rows.append(row | {"operations": manifest.operations(drawn, number, ids)})
    return rows


def _refuse_unfit(augment: Augmenter, images: ImageSet, seeds: Seeds) -> None:
    """Refuse what cannot be done to these pictures before anything is written."""
    if images.masks is not None and (why := refusal(augment)):
        raise UsageError(why)
    traced(augment, make_batch(images, np.arange(min(BATCH, len(images)))), images, seeds)


def _asked(augment: Augmenter, images: ImageSet, copies: int, seed: int) -> dict[str, Any]:
    """Return all that decides the bytes of the folder."""
    content = json.dumps(_content(augment), sort_keys=True).encode()
    name = getattr(getattr(augment, "policy", None), "name", type(augment).__name__)
    return {
        "format": "learnaug-apply", "version": 1,
        "augmenter": {"name": name, "sha256": hashlib.sha256(content).hexdigest()},
        "data": {"pictures": len(images), "fingerprint": images.fingerprint()},
        "copies": copies, "seed": seed, "versions": versions(),
    }  # fmt: skip


def _content(augment: Augmenter) -> Any:
    if isinstance(augment, PolicyAugmenter):
        return augment.policy.to_json()
    if isinstance(augment, Chain):
        return [_content(member) for member in augment.members]
    return augment.describe()


def _refuse_other(folder: Path, asked: dict[str, Any]) -> None:
    """Refuse a folder that neither is empty nor was begun by the same call."""
    if (folder / ASKED).is_file():
        before = rundir.read_json(folder / ASKED)
        before = before if isinstance(before, dict) else {}
        changed = [line for key in asked for line in differences(key, before.get(key), asked[key])]
        if changed:
            mend = "name a new folder, or repeat the call that began this one"
            what = f"the folder was begun by another call: {folder}"
            raise UsageError(what, changed, mend, code=CANNOT_CREATE)
        return
    ours = (rundir.lock_path(folder).name,)  # of a call that was killed at once
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if strange := sorted(name for name in found if name not in ours and name[:1] != "."):
        mend = "name a new folder, or empty this one"
        what = f"the folder must be empty, but is not: {folder}"
        raise UsageError(what, strange, mend, code=CANNOT_CREATE)


class _Telling:
    """Tells how many pictures are written, and about how long the others take.

    Args:
        say: receives the events; None is silent.
        total: pictures in all.
    """

    def __init__(self, say: Say | None, total: int) -> None:
        self._say = say or (lambda event: None)
        self._total, self._done, self._kept = total, 0, 0
        self._clock, self._line = rundir.stopwatch(), rundir.stopwatch()

    def note(self, text: str) -> None:
        """Tell one line of text."""
        self._say({"event": "note", "text": text})

    def begin(self, kept: int) -> None:
        """Tell how much there is to do."""
        self._done = self._kept = kept
        text = f"{self._total:,} pictures" + (f"; done already: {kept:,}" if kept else "")
        self._tell("start", text)

    def step(self, pictures: int) -> None:
        """Tell that so many more are written; in words every ten seconds, and at the end."""
        self._done += pictures
        words = ""
        if self._line() > PERIOD or self._done == self._total:
            words, self._line = f"{self._done:,} of {self._total:,} pictures", rundir.stopwatch()
        self._tell("step", words)

    def _tell(self, event: str, text: str) -> None:
        worked, left = self._done - self._kept, self._total - self._done
        seconds = left * self._clock() / worked if worked and left else None
        self._say({
            "event": event, "text": text, "unit": "pictures", "total_runs": self._total,
            "done_runs": self._done, "eta_seconds": seconds,
        })  # fmt: skip
