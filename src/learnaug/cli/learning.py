"""The commands that learn an augmentation, and that repeat a paper's table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from learnaug.cli import tables
from learnaug.cli.options import (
    AcceptChange,
    Background,
    Classes,
    Data,
    Debug,
    Device,
    DropDuplicates,
    Epochs,
    FollowLinks,
    Jobs,
    Json,
    MaxPixels,
    Minutes,
    Model,
    Ops,
    Out,
    PerClass,
    Seed,
    Size,
    SkipBad,
    ValueRange,
    finite,
    named,
    operations,
    read,
)
from learnaug.cli.working import working

__all__ = ["COMMANDS", "show_lesson"]

OPERATIONS = "operations.json"  # what an audit leaves in its folder for --ops
Scale = Literal["small", "paper"]
READING = {
    "--classes": 1, "--size": 1, "--max-pixels": 1, "--background": 1, "--value-range": 2,
    "--skip-bad": 0, "--follow-links": 0,
}  # fmt: skip
TRAINING = {"--seed": 1, "--per-class": 1, "--model": 1, "--drop-duplicates": 0}


def learn(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD",
            help="A method, a chain with `+`, with settings: `smart-augmentation:k=3,alpha=0.5`.",
            show_default=False,
        ),
    ],
    data: Data,
    model: Model = None,
    epochs: Epochs = None,
    per_class: PerClass = None,
    seed: Seed = 0,
    minutes: Minutes = None,
    jobs: Jobs = None,
    size: Size = None,
    ops: Ops = None,
    classes: Classes = None,
    skip_bad: SkipBad = False,
    follow_links: FollowLinks = False,
    max_pixels: MaxPixels = None,
    value_range: ValueRange = None,
    background: Background = None,
    drop_duplicates: DropDuplicates = False,
    accept_change: AcceptChange = False,
    device: Device = "auto",
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Learn one augmentation on DATA and keep it.

    It learns on the training part alone and writes OUT/augmenter, and OUT/pictures.html where
    the method can show what it learned.

    The test part is cut as in `compare` and never read. The same command on the same folder goes
    on where it was stopped.
    """
    minutes = finite(minutes)
    allowed = operations(ops)
    with working(out) as say:
        from learnaug import api

        source = read(
            data, size=size, classes=classes, skip_bad=skip_bad, follow_links=follow_links,
            max_pixels=max_pixels, value_range=value_range, background=background,
        )  # fmt: skip
        lesson = api.learn(
            source, method, model=model, epochs=epochs, per_class=per_class, seed=seed,
            minutes=minutes, jobs=jobs, size=size, ops=allowed, device=device, out=out,
            classes=classes, drop_duplicates=drop_duplicates, accept_change=accept_change, say=say,
        )  # fmt: skip
    show_lesson(lesson, as_json)


def reproduce(
    paper: Annotated[
        str | None,
        typer.Argument(
            metavar="PAPER",
            help="smart-augmentation, neural-augmentation, safe-augmentation, aws or dagan.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="table-1, …", show_default=False)
    ] = None,
    scale: Annotated[
        Scale, typer.Option(help="small: hours on a CPU; paper: its sizes and epochs, for a GPU.")
    ] = "small",
    only: Annotated[
        str | None,
        typer.Option(
            help="Run only these blocks of the table: `camvid,emnist-50`.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the tables' data; by default $LEARNAUG_DATA or ../shared/data.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row, paired by seed.")] = 10,
    seed: Seed = 0,
    jobs: Jobs = None,
    accept_change: AcceptChange = False,
    device: Device = "auto",
    out: Out = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a paper's table again, its rows beside ours.

    Without PAPER, the tables are listed, with their blocks.

    The same command goes on where it was stopped.
    """
    from learnaug.cli.display import display

    if paper is None or table is None:
        _list_tables(as_json, paper)
        return
    blocks = named(only, "--only", "block")
    with display() as say:
        from learnaug.reproduce import run

        found = run(
            paper, table, scale=scale, only=blocks, data=data, seeds=seeds, seed=seed,
            jobs=jobs, accept_change=accept_change, device=device, out=out, say=say,
        )  # fmt: skip
    tables.print_json(found.to_json()) if as_json else tables.print_text(found.to_markdown())


COMMANDS = (learn, reproduce)


def show_lesson(lesson: Any, as_json: bool) -> None:
    """Print what was learned, how long it took, what went wrong, and the next commands."""
    folder = shlex.quote(str(lesson.folder))
    source = shlex.quote(_given(lesson.command, lesson.source))
    reading, training = _kept(lesson.command, READING), _kept(lesson.command, READING | TRAINING)
    follow = [
        f"learnaug train {source} --with {folder}{training}",
        f"learnaug apply {folder} {source} OUT{reading}",
    ]
    if _is_policy(lesson.description):
        follow.append(f"learnaug show {folder}")
    found = lesson.folder / OPERATIONS
    if found.is_file():
        follow.append(f"learnaug compare {source} {_rival(lesson.description, found)}{training}")
    told = {
        "method": lesson.method,
        "augmenter": str(lesson.folder),
        "out": str(lesson.out),
        "learn_seconds": lesson.seconds,
        "description": lesson.description,
        "notes": list(lesson.notes),
        "next": follow,
    } | ({"pictures": str(lesson.pictures)} if lesson.pictures.is_file() else {})
    if as_json:
        tables.print_json(told)
        return
    tables.print_text(f"{lesson.method}: learned in {lesson.seconds:.1f} s, written to {folder}")
    _describe(lesson.description, "  ")
    for note in lesson.notes:
        tables.print_text(f"note: {note}")
    if lesson.pictures.is_file():
        tables.print_text(f"What it learned, in pictures: {lesson.pictures}")
    tables.print_text("Next:\n" + "\n".join(f"  {command}" for command in follow))


def _rival(description: dict[str, Any], found: Path) -> str:
    """Return what holds TrivialAugment against itself with the operations that may be used."""
    rule = description.get("audit", {}).get("settings", {}).get("rule")
    if rule == "labels":
        return f"trivialaugment --ops {shlex.quote(str(found))}"
    return "trivialaugment safe-augmentation+trivialaugment"


def _given(command: str, source: str) -> str:
    """Return what the user gave as data, where `source` is only the name of the images read.

    Example:
        >>> _given("learnaug learn aws /x/photos.zip --skip-bad", "photos")
        '/x/photos.zip'
    """
    paths = [Path(word) for word in shlex.split(command)]
    found = [str(path) for path in paths if source in (path.name, path.stem)]
    return found[0] if found and Path(source).name == source else source


def _kept(command: str, names: Mapping[str, int]) -> str:
    """Return the options of a `learnaug learn` command that the next one needs as well.

    With other classes or another seed the next command would cut other parts, and the augmenter
    would have learned on pictures that are sealed there.

    Args:
        command: the command line.
        names: option -> number of its values.
    """
    words = shlex.split(command)
    kept: list[str] = []
    for place, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name in names:
            kept += words[place : place + 1 + (0 if equals else names[name])]
    return "".join(f" {shlex.quote(word)}" for word in kept)


def _is_policy(description: dict[str, Any]) -> bool:
    """Return whether it is a policy or a chain of them, which `show` can draw."""
    members = description.get("members", [description])
    return all(member.get("kind") == "policy" for member in members)


def _describe(description: dict[str, Any], indent: str) -> None:
    """Print a description as lines; the members of a chain one below the other."""
    if "members" in description:
        for member in description["members"]:
            _describe(member, indent)
        return
    if "lines" in description:
        lines = [str(line) for line in description["lines"]] or ["every picture stays as it is"]
        tables.print_text(f"{indent}{description.get('name', '')}:")
        tables.print_text("\n".join(f"{indent}  {line}" for line in lines))
        if watched := description.get("watch"):
            tables.print_pairs({"watched while it learned": watched}, indent + "  ")
        return
    tables.print_pairs(description, indent)


def _list_tables(as_json: bool, paper: str | None) -> None:
    """Print the papers and their tables."""
    from learnaug.reproduce import listed

    rows = listed(paper)
    if as_json:
        tables.print_json(rows)
    else:
        names = [f"learnaug reproduce {row['paper']} {row['table']}" for row in rows]
        lines = []
        for name, row in zip(names, rows, strict=True):
            lines.append(f"{name}  {row['title']}")
            if "," in row["blocks"]:
                lines.append(f"    --only {row['blocks']}")
        tables.print_text("\n".join(lines))
