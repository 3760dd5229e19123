"""The commands. Each imports its work when it runs, so that `--help` is quick."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from learnaug.cli import learning, policies, tables
from learnaug.cli.options import (
    AcceptChange,
    Background,
    Classes,
    Data,
    Debug,
    Device,
    DropDuplicates,
    Epochs,
    Folder,
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
    given,
    operations,
    read,
)
from learnaug.cli.working import working
from learnaug.errors import UsageError, nearest

__all__ = ["app"]

app = typer.Typer(
    name="learnaug",
    help="Learn image data augmentation, and see whether it helps on your data.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

BAD_DATA, MISSING_INPUT = 65, 66


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Debug = False,
) -> None:
    """Show help when no command is given."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"learnaug {installed('learnaug')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def check(
    data: Data,
    size: Size = None,
    classes: Classes = None,
    skip_bad: SkipBad = False,
    follow_links: FollowLinks = False,
    max_pixels: MaxPixels = None,
    value_range: ValueRange = None,
    background: Background = None,
    drop_duplicates: DropDuplicates = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what is in DATA, and all that is wrong with it."""
    from learnaug.data.check import check as examine
    from learnaug.data.render import render

    report = examine(
        data,
        drop_duplicates=drop_duplicates,
        **given(
            size=size, classes=classes, skip_bad=skip_bad, follow_links=follow_links,
            max_pixels=max_pixels, value_range=value_range, background=background,
        ),
    )  # fmt: skip
    if as_json:
        tables.print_json(report.to_json())
    else:
        tables.print_text(render(report))
    if not report.ok:
        codes = {finding.code for finding in report.findings if finding.severity == "error"}
        raise typer.Exit(MISSING_INPUT if "missing-input" in codes else BAD_DATA)


@app.command()
def compare(
    data: Data,
    methods: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="METHOD",
            help="Methods to compare, chains with `+`; by default all that need no learning.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Screening runs of each method.")] = 3,
    confirm_seeds: Annotated[
        int, typer.Option(min=0, help="Fresh runs of the best one and the baseline.")
    ] = 6,
    model: Model = None,
    baseline: Annotated[str, typer.Option(help="What the best method is held against.")] = "none",
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
    """Find out which augmentation helps on DATA, and how sure.

    Every method is screened on the validation part, the best one is confirmed against the
    baseline on the sealed test part with fresh seeds, and a verdict and a page are written. The
    same command on the same folder goes on where it was stopped.
    """
    minutes = finite(minutes)
    allowed = operations(ops)
    with working(out) as say:
        from learnaug import api

        source = read(
            data, size=size, classes=classes, skip_bad=skip_bad, follow_links=follow_links,
            max_pixels=max_pixels, value_range=value_range, background=background,
        )  # fmt: skip
        result = api.compare(
            source, methods or None, model=model, baseline=baseline, seeds=seeds,
            confirm_seeds=confirm_seeds, epochs=epochs, per_class=per_class, seed=seed,
            minutes=minutes, jobs=jobs, size=size, ops=allowed, device=device, out=out,
            classes=classes, drop_duplicates=drop_duplicates, accept_change=accept_change, say=say,
        )  # fmt: skip
    _show(result, as_json)


@app.command()
def train(
    data: Data,
    augmenter: Annotated[
        str,
        typer.Option(
            "--with", help="A method, a chain with `+`, or an augmenter's folder or file."
        ),
    ] = "none",
    model: Model = None,
    epochs: Epochs = None,
    per_class: PerClass = None,
    seed: Seed = 0,
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
    """Train one model on DATA with one augmenter and score it."""
    allowed = operations(ops)
    with working(out) as say:
        from learnaug.study import train as train_one

        source = read(
            data, size=size, classes=classes, skip_bad=skip_bad, follow_links=follow_links,
            max_pixels=max_pixels, value_range=value_range, background=background,
        )  # fmt: skip
        result = train_one(
            source, augmenter, model=model, epochs=epochs, per_class=per_class, seed=seed,
            size=size, ops=allowed, device=device, out=out, classes=classes,
            drop_duplicates=drop_duplicates, accept_change=accept_change, say=say,
        )  # fmt: skip
    _show(result, as_json)


@app.command()
def resume(
    out: Folder,
    minutes: Minutes = None,
    jobs: Jobs = None,
    accept_change: AcceptChange = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Go on with a job that was stopped, from its run folder."""
    minutes = finite(minutes)
    with working(out) as say:
        from learnaug import api

        result = api.resume(out, jobs=jobs, minutes=minutes, accept_change=accept_change, say=say)
    _show(result, as_json)


@app.command()
def report(out: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Write the page of a comparison anew from its run folder."""
    from learnaug.report import build

    page = build(out)
    tables.print_json({"report": str(page)}) if as_json else tables.print_text(str(page))


@app.command()
def methods(
    name: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="Print the card of this one.", show_default=False),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the methods, or print the card of one."""
    from learnaug.methods import METHODS, card

    if name is not None and name not in METHODS:
        hint = nearest(name, tuple(METHODS))
        raise UsageError(f"method {name!r} is not known", [hint], "learnaug methods")
    rows = {key: METHODS[key] for key in ([name] if name else METHODS)}
    if as_json:
        found: list[dict[str, Any]] = [
            {"name": key, "kind": row.kind, "summary": row.summary} for key, row in rows.items()
        ]
        tables.print_json(found[0] | {"card": card(name)} if name else found)
    elif name:
        tables.print_text(f"{name} ({rows[name].kind}): {rows[name].summary}\n\n{card(name)}")
    else:
        tables.print_methods(rows)


for command in (*learning.COMMANDS, *policies.COMMANDS):
    app.command()(command)


# --- what the commands share ------------------------------------------------------------------


def _show(result: Any, as_json: bool) -> None:
    """Print a comparison, a training or what was learned."""
    if hasattr(result, "description"):
        learning.show_lesson(result, as_json)
        return
    if not hasattr(result, "summary"):
        told = {**result.metrics, "out": str(result.out)}
        tables.print_json(told) if as_json else tables.print_pairs(told)
        return
    told = {**result.summary, "out": str(result.out), "report": str(result.report)}
    told |= {"policy": str(result.policy)} if result.policy.is_file() else {}
    told |= {"augmenter": str(result.best.folder)} if result.summary["verdict"] else {}
    tables.print_json(told) if as_json else tables.print_comparison(told)
