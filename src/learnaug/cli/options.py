"""The options that commands share, and what their text means."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from learnaug.errors import DataError, UsageError

__all__ = [
    "AcceptChange",
    "Background",
    "Classes",
    "Data",
    "Debug",
    "Device",
    "DropDuplicates",
    "Epochs",
    "Folder",
    "FollowLinks",
    "Jobs",
    "Json",
    "MaxPixels",
    "Minutes",
    "Model",
    "Ops",
    "Out",
    "PerClass",
    "Seed",
    "Size",
    "SkipBad",
    "ValueRange",
    "finite",
    "given",
    "named",
    "operations",
    "read",
]

MISSING_INPUT = 66
LARGEST_OPS_FILE = 1 << 20  # bytes
LARGEST_SEED = 2**64 - 1

Ground = Literal["black", "white"]

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder of class folders, or of images/ and masks/ (maybe inside train/ and test/), "
        "a zip of one, a CSV or TSV (path, label), an .npz, `digits` (built in), or "
        "torchvision:NAME.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Root of every random stream.")]
Size = Annotated[int | None, typer.Option(min=1, help="Resize pictures to this side, in pixels.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Model = Annotated[
    str | None,
    typer.Option(
        help="smallnet, b1, resnet18, wrn-16-2 (wrn-n-k), shake-shake-26-2x32d (2x96d), "
        "pyramidnet-272, densenet121, vgg16, resnet50, resnet200; for masks fpn-small, "
        "fpn-densenet121; or your own package.module:function; chosen from the pictures by default."
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")]
PerClass = Annotated[
    int | None, typer.Option(min=1, help="Training images of each class; with masks, in all.")
]
Classes = Annotated[
    str | None,
    typer.Option(
        help="Only these classes: `cat,dog`; merged: `pet=cat+dog,fish`; masks: `sky=0,road=3+4`."
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out pictures with faults.")]
AcceptChange = Annotated[
    bool,
    typer.Option(
        "--accept-change",
        help="Go on in a run folder that was made with other versions of PyTorch, learnaug, ….",
    ),
]
Ops = Annotated[
    str | None,
    typer.Option(
        help="trivialaugment, randaugment, uniform, safe-augmentation: only these operations; a "
        "file of names; or an operation set, such as safe-augmentation leaves behind."
    ),
]
DropDuplicates = Annotated[
    bool,
    typer.Option(
        "--drop-duplicates",
        help="Leave out of training what is also in the test part, in place of stopping.",
    ),
]
FollowLinks = Annotated[bool, typer.Option("--follow-links", help="Follow links out of DATA.")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, help="Largest picture allowed; 64 million by default.")
]
ValueRange = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="LOW HIGH", help="Black and white of pictures stored as floats."),
]
Background = Annotated[
    Ground | None, typer.Option(help="What lies behind transparent pixels; black by default.")
]
Minutes = Annotated[float | None, typer.Option(help="Bound of the whole job.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes that train at once.")]
Out = Annotated[
    Path | None, typer.Option(help="Run folder; by default learnaug-runs/ and the data's name.")
]
Folder = Annotated[Path, typer.Argument(metavar="OUT", help="A run folder.", show_default=False)]


def read(data: str, *, size: int | None, classes: str | None, **rules: Any) -> Any:
    """Return DATA as it was named, or read already where it takes more rules than a study does.

    Args:
        data: what the user named.
        size: side in pixels, or None.
        classes: the text of `--classes`, or None.
        rules: skip_bad, follow_links, max_pixels, value_range and background.
    """
    rules = given(**rules)
    if not rules:
        return data
    from learnaug.data import load

    return load(data, size=size, classes=classes, **rules)


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given: neither None nor a flag that is off."""
    return {name: value for name, value in options.items() if not (value is None or value is False)}


def operations(text: str | None) -> Any:
    """Return what `--ops` allows: names with commas, those of a file, or an operation set file.

    Returns:
        list[str]; an OperationSet where the file holds one (it begins with a brace); or None.

    Raises:
        DataError: the file is missing (status 66).
        UsageError: the file is larger than 1 MiB, or nothing is named.
        ConfigError: the file is a damaged operation set.
    """
    if text is None:
        return None
    path = Path(text)
    if path.is_file():
        if path.stat().st_size > LARGEST_OPS_FILE:
            raise UsageError(f"the file of --ops, {text!r}, is larger than 1 MiB")
        content = path.read_text("utf-8", errors="replace")
        if content.lstrip().startswith("{"):
            from learnaug.ops.sets import OperationSet

            return OperationSet.load(path)
        lines = content.splitlines()
        text = ",".join(line.partition("#")[0] for line in lines)
    elif "/" in text or path.suffix:
        raise DataError(f"the file of --ops, {text!r}, does not exist", code=MISSING_INPUT)
    return named(text, "--ops", "operation")


def named(text: str | None, option: str, what: str) -> list[str]:
    """Return the names of a text with commas; [] where the option was not given.

    Raises:
        UsageError: the text names nothing.
    """
    names = [part.strip() for part in (text or "").split(",") if part.strip()]
    if text is not None and not names:
        raise UsageError(f"{option} must name at least one {what}, but names none")
    return names


def finite(minutes: float | None) -> float | None:
    """Return the minutes, refused unless above 0 and finite."""
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        raise UsageError(f"--minutes must be above 0 and finite, but got {minutes}")
    return minutes
