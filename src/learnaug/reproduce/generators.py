"""What is learned once on other classes, before the runs of the blocks that use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.methods import load_augmenter
from learnaug.methods.augmenters import FILE
from learnaug.reproduce.paired import built
from learnaug.reproduce.rows import AnyBlock, Block, Generator, Scale
from learnaug.reproduce.sources import pictures, place
from learnaug.study import Say, learn, words_of
from learnaug.study.job import read_status
from learnaug.training import Augmenter

__all__ = ["needed", "ready", "told", "wanting"]

PLACE = "generator"  # folder of all generators of a table


def folder_of(generator: Generator, scale: Scale, where: Path) -> Path:
    """Return the run folder of a generator; its augmenter lies in `augmenter` there."""
    return where / PLACE / generator.named(scale)


def needed(block: AnyBlock, scale: Scale) -> Generator | None:
    """Return what is learned before a block; None where nothing is, or its method is not built."""
    generator = block.generator if isinstance(block, Block) else None
    return generator if generator and built(generator.at(scale)) else None


def wanting(block: AnyBlock, scale: Scale, where: Path, folder: Path) -> bool:
    """Return whether a block needs a generator that is not there and cannot be learned.

    Args:
        block: of a table.
        scale: "small" or "paper".
        where: the folder of the table.
        folder: of the data.
    """
    generator = needed(block, scale)
    if generator is None or _there(generator, scale, where):
        return False
    return place(generator.drawn_from(scale), folder) is None


def ready(
    generator: Generator, scale: Scale, where: Path, folder: Path, tell: Say, **settings: Any
) -> Augmenter:
    """Return the augmenter of a generator, learned now where that is not done yet.

    One that somebody put into the folder is used as it is.

    Args:
        generator: what is learned.
        scale: "small" or "paper".
        where: the folder of the table.
        folder: of the data.
        tell: is told what is going on.
        settings: those of `learnaug.learn`.

    Raises:
        UsageError, DataError, RunError, Interrupted: as in `learnaug.learn`.
    """
    own, run = folder_of(generator, scale, where), _run(generator, scale, where)
    path = place(generator.drawn_from(scale), folder)
    state = read_status(run)["state"]
    if state == "done":
        return load_augmenter(run)
    if path is None or (state == "missing" and _there(generator, scale, where)):
        tell({"event": "note", "text": f"the generator in {own} is used as it is"})
        return load_augmenter(rundir.learned_folder(own))
    size, method = generator.size(scale), generator.at(scale)
    data = pictures(generator.drawn_from(scale), path, size)
    text = f"{len(data):,} pictures of {len(data.classes):,} classes that no row is scored on"
    tell({"event": "note", "text": f"first, once: {method} learns on {text}"})
    lesson = learn(
        data, method, model=size.model or None, recipe=size.recipe, out=own, say=tell, **settings
    )
    tell({"event": "note", "text": f"the generator took {words_of(lesson.seconds)}"})
    return lesson.augmenter


def told(generator: Generator, scale: Scale, where: Path) -> dict[str, Any]:
    """Return its key, and the seconds that it took to learn: None where that is not done here."""
    status = read_status(_run(generator, scale, where))
    seconds = status["seconds"]["learn"] if status["state"] == "done" else None
    return {"key": generator.named(scale), "seconds": seconds}


def _run(generator: Generator, scale: Scale, where: Path) -> Path:
    """Return the folder of the one run that learns it."""
    return rundir.run_folder(folder_of(generator, scale, where), generator.at(scale), 0)


def _there(generator: Generator, scale: Scale, where: Path) -> bool:
    return (rundir.learned_folder(folder_of(generator, scale, where)) / FILE).is_file()
