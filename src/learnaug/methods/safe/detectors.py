"""Trained detectors as a file, for audits of other, similar pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from learnaug import nets, rundir
from learnaug.data import ImageSet
from learnaug.errors import ConfigError, UsageError
from learnaug.methods.safe.detector import asked
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import goal_of
from learnaug.training.forward import Normalise
from learnaug.training.target import below

__all__ = ["Detectors"]

FILE = "detectors.safetensors"  # beside augmenter.json
UNUSED = Seeds(0)  # first weights, which the loaded ones replace


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """The detectors of all folds of an audit.

    Args:
        net: the name of their network; its first scores are those of the operations.
        operations: that they were asked about, in the order of the scores.
        channels: of the pictures.
        scores: of the network.
        task: "classification" or "segmentation".
        data: name of the pictures that they were trained on.
        tensors: weights and buffers, "FOLD.NAME".
    """

    net: str
    operations: OperationSet
    channels: int
    scores: int
    task: str
    data: str
    tensors: Mapping[str, Tensor]

    def about(self) -> dict[str, Any]:
        """Return everything but the weights as plain JSON data."""
        return {
            "net": self.net, "operations": self.operations.to_json(), "channels": self.channels,
            "scores": self.scores, "task": self.task, "data": self.data,
        }  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write the weights as detectors.safetensors."""
        rundir.save_tensors(folder / FILE, dict(self.tensors))

    @staticmethod
    def load(folder: Path, about: object) -> Detectors:
        """Return the detectors of a folder whose augmenter.json says this about them.

        Raises:
            ConfigError: there are none, or the entry is damaged.
            RunError: the file of the weights is damaged.
        """
        wanted = {"net": str, "channels": int, "scores": int, "task": str, "data": str}
        if not isinstance(about, dict) or not (folder / FILE).is_file():
            raise ConfigError(
                "this folder holds no detectors",
                [str(folder)],
                "give the augmenter folder that `learnaug learn safe-augmentation` wrote",
            )
        bad = [key for key, kind in wanted.items() if type(about.get(key)) is not kind]
        if bad:
            raise ConfigError("the entry on the detectors is damaged", bad, "learn it again")
        values = {key: about[key] for key in wanted}
        operations = OperationSet.from_json(about.get("operations"))
        tensors = rundir.load_tensors(folder / FILE)
        return Detectors(operations=operations, tensors=tensors, **values)

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the weights, by which two files are told apart."""
        return rundir.tensor_digest(self.tensors)

    def model(self, data: ImageSet, device: torch.device) -> nn.Module:
        """Return the model from uint8 pictures to scores [B, n_ops], the mean over the folds.

        Raises:
            UsageError: the pictures have other channels, or another task.
        """
        task = goal_of(data).name
        if (data.channels, task) != (self.channels, self.task):
            raise UsageError(
                f"the detectors were trained on {self.channels}-channel pictures for {self.task}, "
                f"but {data.name} has {data.channels} channels and is for {task}",
                mend="give detectors of like data, or leave `detector` out",
            )
        parts = [self._one(fold, data) for fold in self._folds()]
        return _Mean(parts, len(self.operations.branches)).to(device).eval()

    def _folds(self) -> list[str]:
        return sorted({name.partition(".")[0] for name in self.tensors})

    def _one(self, fold: str, data: ImageSet) -> nn.Module:
        net = nets.build(
            self.net, channels=self.channels, size=data.size, classes=self.scores, seeds=UNUSED,
            task=goal_of(data).name,
        )  # fmt: skip
        blank = torch.zeros(self.channels)
        model = nn.Sequential(Normalise(blank, blank + 1), net)
        try:
            model.load_state_dict(below(self.tensors, str(fold)))
        except RuntimeError as error:
            words = str(error).splitlines()[-1].strip()[:200]
            raise ConfigError(f"the detectors do not fit {self.net}", [words]) from error
        return model.to(memory_format=torch.channels_last)


class _Mean(nn.Module):
    """The mean of the scores of several detectors."""

    def __init__(self, parts: list[nn.Module], number: int) -> None:
        super().__init__()
        self.parts, self.number = nn.ModuleList(parts), number

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([asked(part(images), self.number) for part in self.parts]).mean(0)
