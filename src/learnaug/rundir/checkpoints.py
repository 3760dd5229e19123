"""Checkpoints of a run: one file a step, the last two kept, a damaged one passed over aloud."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnaug.errors import DataError, RunError
from learnaug.rundir.documents import dump_json, parse_json
from learnaug.rundir.files import Place, make_folder, remove, say_aloud, sweep
from learnaug.rundir.tensors import load_with_metadata, save_tensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Checkpoints"]

KEPT = 2
NAME = re.compile(r"step-(\d{12})\.safetensors")


class Checkpoints:
    """The checkpoints in one folder; only for the owner of the run folder.

    A checkpoint is a single file, with the step and `meta` in its header, so that no kill can part
    them. Opening removes what a killed writer left.

    Args:
        folder: where they lie; made at need.
        say: takes the line that tells of a damaged one.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = Checkpoints(folder)
        ...     saved.save(10, {"weight": torch.ones(2)}, {"loss": 0.5})
        ...     saved.newest()
        (10, {'weight': tensor([1., 1.])}, {'loss': 0.5})
    """

    def __init__(self, folder: Place, say: Callable[[str], None] = say_aloud) -> None:
        self.folder = make_folder(folder)
        self.say = say
        sweep(self.folder)

    def save(self, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Write the checkpoint of `step`, then delete all but the newest two.

        Raises:
            RunError: a tensor or a number of `meta` is not finite, or the disk fails (status 74);
                the checkpoints before are whole.
        """
        if not 0 <= step < 10**12:
            raise RunError(f"`0 <= step < 10**12` must hold, but got {step}")
        text = {"step": str(step), "meta": dump_json(dict(meta), "the meta of a checkpoint")}
        save_tensors(self.folder / f"step-{step:012d}.safetensors", tensors, text)
        for path in self._paths()[KEPT:]:
            remove(path)

    def newest(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """Return (step, tensors, meta) of the newest whole checkpoint, or None where none is.

        Raises:
            RunError: there are checkpoints, but all are damaged.
        """
        paths = self._paths()
        for path in paths:
            try:
                return _load(path)
            except DataError as error:
                self.say(f"the checkpoint is passed over: {error.what}")
        if paths:
            mend = "delete them to start this run from its beginning"
            raise RunError("every checkpoint is damaged", [str(path) for path in paths], mend)
        return None

    def _paths(self) -> list[Path]:
        """Return the files, newest step first."""
        found = [path for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
        return sorted(found, reverse=True)


def _load(path: Path) -> tuple[int, dict[str, Tensor], dict[str, Any]]:
    tensors, metadata = load_with_metadata(path)
    named = NAME.fullmatch(path.name)
    if named is None or metadata.get("step") != str(int(named[1])) or "meta" not in metadata:
        raise DataError(f"{path} does not hold the step that its name says")
    return int(named[1]), tensors, parse_json(metadata["meta"].encode(), str(path))
