"""Pictures that a frozen generator made, put into a batch: what DAGAN and style transfer leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from learnaug import rundir
from learnaug.data import Batch, ImageSet
from learnaug.errors import ConfigError, UsageError
from learnaug.methods import use
from learnaug.methods.augmenters import require_unmixed
from learnaug.seeds import Seeds
from learnaug.training import Augmenter

__all__ = ["FILE", "FORMAT", "MOST", "Generating", "Maker", "Reader", "given", "load"]

FORMAT = "learnaug-generated"
FILE = "augmenter.json"
MOST = 100  # generated pictures for each real one
PART = 256  # pictures made at a time
KEYS = {"format", "version", "kind", "maker", "per_real", "ready", "seed", "told", "flag"}

Ints = NDArray[np.int64]


class Maker(Protocol):
    """A frozen generator of pictures, of whatever origin."""

    @property
    def kind(self) -> str:
        """Name of its reader in `MAKERS` of methods/folders.py: "dagan", "style"."""
        ...

    def make(self, images: Tensor, seeds: Seeds) -> Tensor:
        """Return a new picture of the class of each: uint8 [B, C, H, W] -> the same, same device.

        Raises:
            UsageError: it cannot make pictures of this size or of so many channels.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return what it is as plain JSON data; "line" says it in words."""
        ...

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the weights into `folder`; return what its reader needs beside, as plain JSON."""
        ...


Reader = Callable[[Path, dict[str, Any]], Maker]


@dataclass(frozen=True, eq=False)
class Made:
    """The pictures that were made of a training part once.

    Args:
        images: uint8 [N per_real, C, H, W], those of a class side by side.
        start, size: int64 [K], where those of a class begin, and how many there are.
    """

    images: Tensor
    start: Ints
    size: Ints


@dataclass(frozen=True, eq=False)
class Generating:
    """Replaces a share per_real / (per_real + 1) of a batch by pictures that a generator made.

    So a batch holds `per_real` generated pictures for each real one, as in the training sets of the
    papers; they say `generated`. The number of updates is that of any other method: real pictures
    are met less often than without.

    With `ready`, `per_real` pictures are made of each picture of `source` once, when it is first
    seen, and a place is given a random one of its class. Else, and where there is no source (loose
    arrays), a place is given what the generator makes of its own picture, anew each time; no label
    is needed then.

    Args:
        maker: the generator.
        per_real: generated pictures for each real one, 1 … 100.
        ready: whether they are made once, before they are needed.
        before: what augments ready pictures when they are taken, as the batch was; a chain sets it.
        seed: keys the ready pictures, 0 <= seed < 2**63.
        told: what the method says of itself, as plain JSON data; "name" is its name.
        flag: whether generated pictures say so; else they pass for real ones.

    Raises:
        ConfigError: per_real is out of range.
    """

    maker: Maker
    per_real: int = 3
    ready: bool = True
    before: Augmenter | None = None
    seed: int = 0
    told: dict[str, Any] = field(default_factory=dict)
    flag: bool = True
    made: WeakKeyDictionary[ImageSet, Made] = field(default_factory=WeakKeyDictionary, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.per_real <= MOST:
            raise ConfigError(f"`1 <= per_real <= {MOST}` must hold, but got {self.per_real}")

    @property
    def mixes(self) -> bool:
        """Whether classes are mixed: never."""
        return False

    @property
    def by_class(self) -> bool:
        """Whether labels must be given: no; where they decide, with a source, they are there."""
        return False

    @property
    def share(self) -> float:
        """The fraction of a batch that is replaced."""
        return self.per_real / (self.per_real + 1)

    def behind(self, before: Augmenter) -> Generating:
        """Return the same, whose ready pictures are augmented by `before` when they are taken.

        Raises:
            UsageError: what stands before mixes classes.
        """
        require_unmixed(before, "a generator")
        return replace(self, before=before)

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the batch with a share of its pictures replaced; these say `generated`.

        Raises:
            UsageError: the batch has masks, or pictures that the generator cannot make.
        """
        if batch.targets.ndim != 2:
            raise UsageError("generated pictures are of one class each, but this batch has masks")
        gen, number = seeds.numpy(), len(batch.images)
        rows = np.sort(gen.permutation(number)[: int(self.share * number + gen.random())])
        if not len(rows):
            return batch
        at = torch.from_numpy(rows).to(batch.images.device)
        parts = (batch.images, batch.targets, batch.weights, batch.generated)
        taken = Batch(*(part[at] for part in parts))
        if self.ready and source is not None:
            taken = self._ready(taken, source, seeds, gen)
        else:
            made = self._make(taken.images, seeds.child("make"))
            taken = replace(taken, images=made, generated=torch.ones_like(taken.generated))
        if not self.flag:
            taken = replace(taken, generated=batch.generated[at])
        whole = {
            name: getattr(batch, name).index_copy(0, at, getattr(taken, name))
            for name in ("images", "targets", "weights", "generated")
        }
        return replace(batch, **whole)

    def _ready(
        self, taken: Batch, source: ImageSet, seeds: Seeds, gen: np.random.Generator
    ) -> Batch:
        """Return a ready picture of the class of each place, augmented as the batch was."""
        labels = taken.targets.argmax(1)
        made, of = self._made(source), labels.cpu().numpy()
        count = made.size[of]
        place = made.start[of] + (gen.random(len(of)) * np.maximum(count, 1)).astype(np.int64)
        kept = count == 0  # a class that the source does not have stays as it is
        images = made.images[np.where(kept, 0, place)].to(taken.images.device)
        stays = torch.from_numpy(kept).to(images.device)
        targets = taken.targets
        if targets.shape[1] > 1:
            targets = one_hot(labels, targets.shape[1]).to(targets.dtype)
            targets[stays] = taken.targets[stays]
        found = replace(taken, images=images, targets=targets, generated=~stays)
        if self.before:
            found = self.before(found, source, seeds.child("before"))
        found.images[stays] = taken.images[stays]
        return found

    def _made(self, source: ImageSet) -> Made:
        """Return the ready pictures of a training part; the first call makes them."""
        if source not in self.made:
            order = np.argsort(source.labels, kind="stable")
            rows = np.repeat(order, self.per_real)
            images = torch.empty((len(rows), *source.images.shape[1:]), dtype=torch.uint8)
            seeds = Seeds(self.seed).child("ready")
            for start in range(0, len(rows), PART):
                part = torch.from_numpy(source.images[rows[start : start + PART]])
                images[start : start + len(part)] = self._make(part, seeds.child(start))
            size = np.bincount(source.labels, minlength=len(source.classes)) * self.per_real
            self.made[source] = Made(images, np.cumsum(size) - size, size)
        return self.made[source]

    @torch.no_grad()
    def _make(self, images: Tensor, seeds: Seeds) -> Tensor:
        made = self.maker.make(images, seeds)
        if made.dtype != torch.uint8 or made.shape != images.shape:
            raise UsageError(
                f"a generator must make uint8 {list(images.shape)}, but it made {made.dtype} "
                f"{list(made.shape)}",
                [self.maker.kind],
            )
        return made

    def describe(self) -> dict[str, Any]:
        """Return what is generated by what, and what the method told of it."""
        made = self.maker.describe()
        how = "made once for the training part" if self.ready else "made anew for each batch"
        line = f"{self.share:.0%} of a batch are generated pictures, {how}: {made['line']}"
        told = {key: value for key, value in self.told.items() if key != "name"}
        name = self.told.get("name", self.maker.kind)
        return {"kind": "generated", "name": name, "lines": [line], "maker": made, **told}

    def save(self, folder: Path) -> None:
        """Write augmenter.json, and the weights of the generator beside it."""
        rundir.write_json(folder / FILE, {
            "format": FORMAT, "version": 1, "kind": self.maker.kind,
            "maker": self.maker.save(folder), "per_real": self.per_real, "ready": self.ready,
            "seed": self.seed, "told": self.told, "flag": self.flag,
        })  # fmt: skip

    def apply(
        self, images: Any, labels: Any = None, *, seed: int, classes: int | None = None
    ) -> Any:
        """Augment loose images and labels; see `learnaug.methods.use.apply`."""
        return use.apply(self, images, labels, seed=seed, classes=classes)


def load(folder: Path, content: dict[str, Any], readers: Mapping[str, Reader]) -> Generating:
    """Return the augmenter that `save` wrote.

    Args:
        folder: where it lies.
        content: what its augmenter.json says.
        readers: how each kind of generator is read.

    Raises:
        ConfigError: the file breaks the schema, or does not fit the weights.
        DataError: the weights are missing or damaged.
    """
    if content.keys() != KEYS:
        odd = ", ".join(map(repr, sorted(map(str, content.keys() ^ KEYS))))
        raise ConfigError(
            f"{FILE} holds no generator: missing or unknown {odd[:200]}", [str(folder)]
        )
    per_real, seed = content["per_real"], content["seed"]
    rules = {
        "version: 1": content["version"] == 1 and type(content["version"]) is int,
        f"kind: {', '.join(readers)}": str(content["kind"]) in readers,
        "maker: an object": isinstance(content["maker"], dict),
        f"per_real: an integer, 1 … {MOST}": type(per_real) is int and 1 <= per_real <= MOST,
        "ready: true or false": type(content["ready"]) is bool,
        "seed: an integer, 0 … 2^63 - 1": type(seed) is int and 0 <= seed < 2**63,
        "flag: true or false": type(content["flag"]) is bool,
        "told: an object": isinstance(content["told"], dict),
    }
    if faults := [rule for rule, holds in rules.items() if not holds]:
        raise ConfigError(f"{FILE} is no generator of version 1", faults)
    maker = readers[content["kind"]](folder, content["maker"])
    ready, told, flag = (content[name] for name in ("ready", "told", "flag"))
    return Generating(maker, per_real, ready, None, seed, told, flag)


def given(path: str | Path, method: str, kind: str, reader: Reader) -> tuple[Maker, dict[str, Any]]:
    """Return the generator of a learned folder, and what its method told of it.

    Args:
        path: the folder of the augmenter, its parent, or the folder of the run that learned it.
        method: that learned it, for the words.
        kind, reader: of the generator.

    Raises:
        UsageError: there is no such folder (status 66), or it holds another augmenter.
        ConfigError, DataError: the files are damaged, or the generator is of another kind.
    """
    mend = f"give the folder that `learnaug learn {method} DATA --out FOLDER` wrote"
    top = Path(path)
    looked = (rundir.augmenter_folder(top), rundir.learned_folder(top), top)
    folder = next((each for each in looked if (each / FILE).is_file()), None)
    if folder is None:
        raise UsageError(f"there is no generator in {str(path)!r}", mend=mend, code=66)
    content = rundir.read_json(folder / FILE)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UsageError(
            f"{str(folder)!r} holds an augmenter, but no generator of pictures", mend=mend
        )
    found = load(folder, content, {kind: reader})
    return found.maker, found.told
