"""Operations that a paper found safe, beside our audits, one a seed: run, read, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.errors import RunError
from learnaug.methods import load_augmenter
from learnaug.reproduce.page import aligned
from learnaug.reproduce.rows import Audit, Scale
from learnaug.study import Say, learn, words_of
from learnaug.study.job import read_status

__all__ = ["COMMON", "UNITS", "begun", "lines_of", "run", "told"]

VERDICTS = ("safe", "safe in part", "undecided", "no effect", "unsafe")
UNITS = "Numbers of audits, one a seed"
COMMON = (
    "audits look at the training part alone, without what each seed cuts off for validation",
    "intervals and a label check decide, not thresholds that are chosen by eye",
    "safe in part: a smaller range, or some of the quarter turns",
)


def begun(block: Audit, where: Path) -> list[Path]:
    """Return the folders of the audits that were begun, by seed."""
    number = len(list((where / block.key).glob("seed-*")))
    folders = [where / block.key / f"seed-{seed}" for seed in range(number)]
    return [folder for folder in folders if rundir.plan_path(folder).is_file()]


def run(
    block: Audit,
    scale: Scale,
    data: ImageSet,
    where: Path,
    *,
    seeds: int,
    seed: int,
    tell: Say,
    **settings: Any,
) -> None:
    """Audit a set once for each seed; what is done stays. A failed audit does not stop the others.

    Args:
        block: the set of pictures.
        scale: "small" or "paper".
        data: its pictures.
        where: the folder of the table.
        seeds: number of audits.
        seed: root of the first one; the next has the number behind it.
        tell: is told what is going on.
        settings: `accept_change`, `device` and `drop_duplicates` of `learnaug.learn`.

    Raises:
        UsageError, DataError, RunError: as in `learnaug.learn`, but for a learning that fails.
        Interrupted: the user asked to stop.
    """
    size, method = block.size(scale), block.at(scale)
    for number in range(seeds):
        folder = where / block.key / f"seed-{number}"
        known = bool(_verdicts(folder))
        try:
            lesson = learn(
                data, method, model=size.model or None, recipe=size.recipe,
                per_class=size.per_class, seed=seed + number, out=folder, say=tell, **settings,
            )  # fmt: skip
        except RunError:
            if not _error(folder, method):
                raise
            continue
        left = seeds - number - 1
        if not known:
            text = f"{block.key}, seed {number}: {words_of(lesson.seconds)}"
            more = f", about {words_of(left * lesson.seconds)} more for this set" if left else ""
            tell({"event": "note", "text": text + more})


def told(block: Audit, scale: Scale, where: Path, seeds: int, absent: str) -> list[dict[str, Any]]:
    """Return the rows of a block as plain JSON data: one for each operation of the paper.

    Args:
        block: the set of pictures.
        scale: "small" or "paper".
        where: the folder of the table.
        seeds: audits that were asked for.
        absent: why nothing can be run ("" otherwise).
    """
    folders, method = begun(block, where), block.at(scale)
    found = [verdicts for folder in folders if (verdicts := _verdicts(folder))]
    names = [each.name.replace("-", " ") for each in folders]
    faults = [_error(each, method) for each in folders]
    errors = [f"{n} failed: {text}" for n, text in zip(names, faults, strict=True) if text]
    state = "failed" if errors and not found else absent or "planned"
    if found:
        state = "done" if len(found) == seeds else "running"
    paper = {name: "safe" if name in block.safe else "not safe" for name in block.looked}
    looked = dict.fromkeys([*block.looked, *(name for each in found for name in each)])
    rows: list[dict[str, Any]] = []
    for name in looked:
        mine = [each[name] for each in found if name in each]
        rows.append({
            "block": block.key, "name": name, "method": method, "paper": paper.get(name),
            "state": state, "n": len(mine),
            "verdicts": {verdict: mine.count(verdict) for verdict in VERDICTS},
            "errors": [] if rows else errors,
            "parts": {"audits": len(found)} if found else None,
        })  # fmt: skip
    return rows


def lines_of(block: Audit, rows: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return heading and Markdown lines of a block, errors below its rows."""
    number = next((row["parts"]["audits"] for row in rows if row["parts"]), 0)
    words = block.source.words + (f", {number} audit{'s' * (number > 1)}" if number else "")
    head = ("operation", "paper", *(f"ours: {verdict}" for verdict in VERDICTS))
    cells = []
    for row in rows:
        counts = [str(row["verdicts"][verdict] or "·") for verdict in VERDICTS]
        if not row["n"]:
            counts = [row["state"], *[""] * (len(VERDICTS) - 1)]
        cells.append((row["name"], row["paper"] or "–", *counts))
    errors = [f"- the audit of {error}" for row in rows for error in row["errors"]]
    return words, [*aligned([head, *cells]), *([""] if errors else []), *errors]


def _verdicts(folder: Path) -> dict[str, str]:
    """Return operation -> verdict of an audit; {} where it is not done."""
    learned = rundir.learned_folder(folder)
    if not learned.is_dir():
        return {}
    audit = load_augmenter(learned).describe()["audit"]
    known = {each["name"]: each["verdict"] for each in audit["findings"]}
    names = [each["name"] for each in audit["looked_at"]["operations"]]
    return {name: known.get(name, "undecided") for name in names}


def _error(folder: Path, method: str) -> str:
    """Return why an audit failed; "" where it did not."""
    status = read_status(rundir.run_folder(folder, method, 0))
    return str(status["error"]) if status["state"] == "failed" else ""
