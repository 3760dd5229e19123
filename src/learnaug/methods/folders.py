"""Augmenters from their folders: one literal table of formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from learnaug import ops, rundir
from learnaug.errors import ConfigError
from learnaug.methods import aws, dagan, generated, merge, safe, style
from learnaug.methods.augmenters import FILE, Chain, PolicyAugmenter
from learnaug.training import Augmenter

__all__ = ["FORMATS", "load_folder"]

MAX_DEPTH = 2  # chains within chains


def load_folder(path: Path, depth: int = 0) -> Augmenter:
    """Return the augmenter that `save` wrote into a folder, or that a policy file holds.

    Args:
        path: a folder with augmenter.json, a policy file, or the folder of a run that learned.
        depth: chains that this one is a member of.

    Raises:
        ConfigError: the file is no augmenter of ours, or damaged.
    """
    learned = rundir.augmenter_folder(path) / FILE
    file = (learned if learned.is_file() else path / FILE) if path.is_dir() else path
    content = rundir.read_json(file)
    kind = str(content.get("format")) if isinstance(content, dict) else None
    if kind in FORMATS:
        return FORMATS[kind](file, content, depth)
    raise ConfigError(
        f'an augmenter file must say "format": one of {", ".join(FORMATS)}, got {kind!r:.40}',
        [file.name],
        "give a folder that `learnaug train` or `learnaug compare` wrote, or a policy file",
    )


def _load_chain(file: Path, content: dict[str, Any], depth: int) -> Augmenter:
    if depth == MAX_DEPTH:
        raise ConfigError(f"at most {MAX_DEPTH} chains within chains are read", [str(file)])
    names = content.get("members")
    version = content.get("version")
    fits = isinstance(names, list) and 0 < len(names) <= 16 and version == 1
    if not fits or names != [f"{i}" for i in range(len(names or []))]:
        raise ConfigError(
            f"a chain must list its members as 0, 1, … in version 1, got version {version!r:.40} "
            f"and members {names!r:.80}",
            [file.name],
        )
    return Chain(tuple(load_folder(file.parent / name, depth + 1) for name in names or []))


MAKERS: dict[str, generated.Reader] = {
    "dagan": dagan.read,
    "style": style.read,
    "style-statistics": style.read_statistics,
}
FORMATS: dict[str, Callable[[Path, dict[str, Any], int], Augmenter]] = {
    "learnaug-policy": lambda file, content, depth: PolicyAugmenter(ops.Policy.from_json(content)),
    "learnaug-chain": _load_chain,
    safe.FORMAT: lambda file, content, depth: safe.load(file.parent, content),
    aws.FORMAT: lambda file, content, depth: aws.load(content),
    generated.FORMAT: lambda file, content, depth: generated.load(file.parent, content, MAKERS),
    "learnaug-merge": lambda file, content, depth: merge.load(file.parent, content),
}
