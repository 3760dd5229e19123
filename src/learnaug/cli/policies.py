"""The commands that use a policy: `apply` it, `show` it, `export` it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from learnaug.cli import tables
from learnaug.cli.options import (
    Background,
    Classes,
    Data,
    Debug,
    FollowLinks,
    Json,
    MaxPixels,
    Seed,
    Size,
    SkipBad,
    ValueRange,
    read,
)

__all__ = ["COMMANDS"]

Library = Literal["torchvision", "albumentations", "albumentations-json", "kornia"]
Policy = Annotated[
    str,
    typer.Argument(
        metavar="POLICY",
        help="A policy file, an augmenter's folder, or a fixed method; chains with `+`.",
        show_default=False,
    ),
]


def apply(
    augmenter: Annotated[
        str,
        typer.Argument(
            metavar="AUGMENTER", help="A fixed method, or an augmenter's folder or file."
        ),
    ],
    data: Data,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the pictures.")],
    copies: Annotated[int, typer.Option(min=1, help="Augmented copies of each picture.")] = 1,
    seed: Seed = 0,
    size: Size = None,
    classes: Classes = None,
    skip_bad: SkipBad = False,
    follow_links: FollowLinks = False,
    max_pixels: MaxPixels = None,
    value_range: ValueRange = None,
    background: Background = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write augmented pictures of DATA into OUT, in class folders.

    The same command on the same folder goes on where it was stopped.
    """
    from learnaug.cli.display import display

    with display() as say:
        from learnaug.study import write_augmented

        source = read(
            data, size=size, classes=classes, skip_bad=skip_bad, follow_links=follow_links,
            max_pixels=max_pixels, value_range=value_range, background=background,
        )  # fmt: skip
        told = write_augmented(
            augmenter, source, out, copies=copies, seed=seed, size=size, classes=classes, say=say
        )
    _tell(told, as_json)


def show(
    policy: Policy,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="Pictures to show it on; `digits` by default.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page; by default policy-NAME.html.")] = None,
    size: Size = None,
    seed: Seed = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw POLICY as a page of words, odds and pictures."""
    from learnaug.interop.policies import as_policy
    from learnaug.report.show import show_policy

    page = show_policy(as_policy(policy), data, out, size=size, seed=seed)
    tables.print_json({"page": str(page)}) if as_json else tables.print_text(str(page))


def export(
    policy: Policy,
    to: Annotated[
        Library, typer.Option(help="The library that runs it; -json for a file that it loads.")
    ],
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Allow what that library can only come near.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write; standard output by default.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write POLICY as a program that runs without learnaug."""
    from learnaug import interop, rundir
    from learnaug.interop.policies import as_policy

    found = as_policy(policy)
    text = interop.export(found, to, approximate=approximate)
    if out is not None:
        rundir.write_text(out, text)
    told = {"policy": found.name, "to": to, "approximate": approximate}
    if as_json:
        tables.print_json(told | ({"text": text} if out is None else {"out": str(out)}))
    else:
        tables.print_text(text if out is None else str(out))


COMMANDS = (apply, show, export)


def _tell(told: dict[str, Any], as_json: bool) -> None:
    tables.print_json(told) if as_json else tables.print_pairs(told)
