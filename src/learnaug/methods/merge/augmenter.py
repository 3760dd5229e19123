"""What is left when the target is done: an augmenter that puts merged pictures into a batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from learnaug import rundir
from learnaug.data import Batch, ImageSet, make_batch
from learnaug.errors import ConfigError, UsageError
from learnaug.methods import use
from learnaug.methods.augmenters import require_unmixed
from learnaug.methods.merge.networks import NETWORKS, Factory, Merger, painted, to_bytes
from learnaug.methods.merge.partners import Pool, digest_of, pool_of
from learnaug.seeds import Seeds
from learnaug.training import Augmenter

__all__ = ["FORMAT", "MAX_K", "How", "Merging", "load"]

FORMAT = "learnaug-merge"
FILE, WEIGHTS = "augmenter.json", "merger.safetensors"
MAX_K = 8
How = Literal["network", "mean", "mixup"]
GIVEN = "given in Python"
KEYS = {
    "format", "version", "how", "k", "share", "same", "network", "channels", "classes", "cells_of",
    "told",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Merging:
    """Replaces a share of a batch by pictures merged from k distinct pictures of the class.

    The k inputs are drawn from `source`, the training part, and never from elsewhere: a merged
    picture crosses no split, no fold and no group that the split keeps together. The picture that
    is replaced gives its class. Half of a batch is merged by default: in joint training the target
    sees one merged picture for each real one.

    Without a source (`apply` on loose arrays) the inputs come from the batch itself, by its labels.
    A class with fewer than k pictures takes some again; one without any stays as it is.

    Args:
        how: "network" (`merger`), "mean" (of the k), or "mixup" (u x1 + (1 - u) x2, u uniform).
        k: pictures merged into one, 1 … 8.
        share: fraction of a batch that is merged, in (0, 1].
        merger: the network, where `how` says so.
        network: its name in NETWORKS, or "given in Python".
        same: all k inputs are the picture itself (a control).
        cells: int64 [N], clusters or groups that partners have in common; None: the class alone.
        cells_of: digest of the part that `cells` belongs to; other parts are not cut.
        told: what the method says of itself, as plain JSON data.
        before: what augments the inputs first, as the batch was; a chain sets it.
    """

    how: How
    k: int = 2
    share: float = 0.5
    merger: Merger | None = None
    network: str = ""
    same: bool = False
    cells: NDArray[np.int64] | None = None
    cells_of: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    before: Augmenter | None = None
    pools: WeakKeyDictionary[ImageSet, Pool] = field(default_factory=WeakKeyDictionary, repr=False)

    @property
    def mixes(self) -> bool:
        """Whether classes are mixed: never."""
        return False

    @property
    def by_class(self) -> bool:
        """Whether the class decides: the partners are of it, unless a picture is its own."""
        return not self.same

    def behind(self, before: Augmenter) -> Merging:
        """Return the same, whose inputs are augmented by `before` when they are drawn.

        Raises:
            UsageError: what stands before mixes classes.
        """
        require_unmixed(before, "a merge")
        return replace(self, before=before)

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the batch with a share of its pictures merged; these say `generated`.

        Raises:
            UsageError: the batch has no labels, or masks in their place.
        """
        gen = seeds.numpy()
        number = int(self.share * len(batch.images) + gen.random())
        rows = np.sort(gen.permutation(len(batch.images))[:number])
        labels = self._labels(batch)
        if self.same:
            inputs = batch.images[rows][:, None].expand(-1, self.k, -1, -1, -1)
        else:
            pool = pool_of(labels) if source is None else self._pool(source)
            rows = rows[pool.has(labels[rows])]
            inputs = self._inputs(pool, labels[rows], batch, source, seeds, gen)
        if not len(rows):
            return batch
        at = torch.from_numpy(rows).to(batch.images.device)
        of = torch.from_numpy(labels[rows]).to(batch.images.device)
        images, targets = batch.images.clone(), batch.targets.clone()
        images[at] = self._merge(inputs.float() / 255, of, gen)
        if targets.shape[1] > 1:
            targets[at] = one_hot(of, targets.shape[1]).to(targets.dtype)
        generated = batch.generated.clone()
        generated[at] = True
        return replace(batch, images=images, targets=targets, generated=generated)

    def _labels(self, batch: Batch) -> NDArray[np.int64]:
        targets = batch.targets
        if targets.ndim != 2 or (not self.same and not bool((targets.sum(1) > 0).all())):
            raise UsageError(
                "pictures are merged within a class, so each must have a label, but this batch has "
                + ("masks" if targets.ndim != 2 else "none"),
                mend="give labels, or class probabilities [B, K]",
            )
        labels: NDArray[np.int64] = targets.argmax(1).cpu().numpy()
        return labels

    def _pool(self, source: ImageSet) -> Pool:
        if source not in self.pools:
            known = self.cells is not None and digest_of(source) == self.cells_of
            self.pools[source] = pool_of(source.labels, self.cells if known else None)
        return self.pools[source]

    def _inputs(
        self,
        pool: Pool,
        labels: NDArray[np.int64],
        batch: Batch,
        source: ImageSet | None,
        seeds: Seeds,
        gen: np.random.Generator,
    ) -> Tensor:
        """Return k distinct pictures of each label: uint8 [B, k, C, H, W]."""
        chosen = pool.of_labels(labels, self.k, gen).reshape(-1)
        if source is None:
            pictures = batch.images[torch.from_numpy(chosen).to(batch.images.device)]
        else:
            drawn = make_batch(source, chosen, batch.images.device)
            if self.before and len(chosen):
                drawn = self.before(drawn, source, seeds.child("before"))
            pictures = drawn.images
        return pictures.view(-1, self.k, *pictures.shape[1:])

    @torch.no_grad()
    def _merge(self, inputs: Tensor, labels: Tensor, gen: np.random.Generator) -> Tensor:
        """Return merged pictures: float [B, k, C, H, W] in [0, 1] -> uint8 [B, C, H, W]."""
        if self.how == "mean":
            merged = inputs.mean(1)
        elif self.how == "mixup":
            part = torch.from_numpy(gen.random(len(inputs))).to(inputs)[:, None, None, None]
            merged = part * inputs[:, 0] + (1 - part) * inputs[:, 1]
        else:
            return painted(cast(Merger, self.merger).to(inputs.device), inputs, labels)
        return to_bytes(merged)

    def shown(
        self, source: ImageSet, rows: NDArray[np.int64], seeds: Seeds
    ) -> tuple[Tensor, Tensor]:
        """Return inputs of the classes of some pictures, and what they are merged into.

        Args:
            source: the training part.
            rows: int64 [R], of its pictures.
            seeds: keys the inputs.

        Returns:
            uint8 [R, k, C, H, W] and uint8 [R, C, H, W].
        """
        gen, labels = seeds.numpy(), source.labels[rows]
        batch = make_batch(source, rows)
        inputs = self._inputs(self._pool(source), labels, batch, source, seeds, gen)
        return inputs, self._merge(inputs.float() / 255, torch.from_numpy(labels), gen)

    def describe(self) -> dict[str, Any]:
        """Return what is merged and how, the settings it was learned with, and what was watched."""
        inputs = "the picture itself" if self.same else "pictures of its class"
        made = {"network": f"by a network ({self.network})", "mean": "to their mean"}
        words = made.get(self.how, "two by two, u x1 + (1 - u) x2 with u uniform")
        line = f"{self.share:.0%} of a batch: {self.k} x {inputs}, merged {words}"
        told = {key: value for key, value in self.told.items() if key != "name"}
        return {"kind": "merge", "name": self.told.get("name", self.how), "lines": [line], **told}

    def save(self, folder: Path) -> None:
        """Write augmenter.json, and the weights as merger.safetensors."""
        merger = self.merger
        channels = None if merger is None else merger.channels
        rundir.write_json(folder / FILE, {
            "format": FORMAT, "version": 1, "how": self.how, "k": self.k, "share": self.share,
            "same": self.same, "network": self.network, "channels": channels,
            "classes": None if merger is None else merger.classes, "cells_of": self.cells_of,
            "told": self.told,
        })  # fmt: skip
        tensors = {} if merger is None else {f"net.{k}": v for k, v in merger.state_dict().items()}
        if self.cells is not None:
            tensors["cells"] = torch.from_numpy(self.cells)
        if tensors:
            rundir.save_tensors(folder / WEIGHTS, tensors)

    def apply(
        self, images: Any, labels: Any = None, *, seed: int, classes: int | None = None
    ) -> Any:
        """Augment loose images and labels; see `learnaug.methods.use.apply`."""
        return use.apply(self, images, labels, seed=seed, classes=classes)


def load(folder: Path, content: dict[str, Any], network: Factory | None = None) -> Merging:
    """Return the augmenter that `save` wrote.

    Args:
        folder: where it lies.
        content: what its augmenter.json says.
        network: the function that made the network, where it was given in Python.

    Raises:
        ConfigError: the file breaks the schema, or does not fit the weights.
        DataError: the weights are damaged.
    """
    faults = _faults(content)
    if faults:
        raise ConfigError(f"{FILE} is no merging augmenter of version 1", faults)
    if content["network"] == GIVEN and network is None:
        raise ConfigError(
            "this network was given in Python, and a file cannot bring code with it",
            mend="learnaug.methods.merge.load(folder, content, network=YOUR_FUNCTION)",
        )
    with_cells, learned = bool(content["cells_of"]), content["how"] == "network"
    tensors = rundir.load_tensors(folder / WEIGHTS) if learned or with_cells else {}
    cells = tensors.pop("cells", None)
    if with_cells != (cells is not None and cells.ndim == 1 and cells.dtype == torch.int64):
        raise ConfigError(f"{WEIGHTS} and {FILE} disagree about `cells`")
    return Merging(
        content["how"], content["k"], float(content["share"]),
        _loaded(content, tensors, network) if learned else None, content["network"],
        content["same"], None if cells is None else cells.numpy(), content["cells_of"],
        content["told"],
    )  # fmt: skip


def _loaded(content: dict[str, Any], tensors: dict[str, Tensor], network: Factory | None) -> Merger:
    """Return the net with these weights; nothing is built before the shapes are known to fit."""
    k, channels, classes = content["k"], content["channels"], content["classes"]
    factory = network or NETWORKS[content["network"]]
    one = Merger(factory, k, channels, None if classes is None else 1, Seeds(0))
    wanted = {
        f"net.{name}": (
            value.shape if classes is None else (classes, *value.shape[1:]),
            value.dtype,
        )
        for name, value in one.state_dict().items()
    }
    found = {name: (value.shape, value.dtype) for name, value in tensors.items()}
    if {n: (tuple(s), d) for n, (s, d) in wanted.items()} != {
        n: (tuple(s), d) for n, (s, d) in found.items()
    }:
        raise ConfigError(
            f"the weights do not fit the network {content['network']!r} with k = {k}, "
            f"{channels} channels and {classes or 'no'} classes of their own",
            sorted(set(wanted) ^ set(found)) or ["shapes or types differ"],
        )
    merger = one if classes is None else Merger(factory, k, channels, classes, Seeds(0))
    merger.load_state_dict({name[4:]: value for name, value in tensors.items()})
    return merger.eval()


def _faults(content: dict[str, Any]) -> list[str]:
    """Return every rule of the schema that the content breaks."""
    if content.keys() != KEYS or type(content["version"]) is not int or content["version"] != 1:
        odd = sorted(content.keys() ^ KEYS)
        return [f"missing or unknown: {', '.join(map(repr, odd))[:200] or 'another version'}"]
    how, k, share = content["how"], content["k"], content["share"]
    learned = how == "network"
    count = content["classes"]
    networks = (*NETWORKS, GIVEN) if learned else ("",)
    rules = {
        "how: network, mean or mixup": how in ("network", "mean", "mixup"),
        f"k: an integer, 1 … {MAX_K}": type(k) is int and 1 <= k <= MAX_K,
        "k = 2 for mixup": how != "mixup" or k == 2,
        "share: a number in (0, 1]": type(share) in (int, float) and 0 < share <= 1,
        "same: true or false": type(content["same"]) is bool,
        f"network: {', '.join(networks) or 'empty'}": content["network"] in networks,
        "channels: 1 … 4 with a network, else null": content["channels"]
        in ((1, 2, 3, 4) if learned else (None,)),
        "classes: null or an integer >= 1": count is None or (type(count) is int and count >= 1),
        "cells_of: text": isinstance(content["cells_of"], str),
        "told: an object": isinstance(content["told"], dict),
    }
    return [rule for rule, holds in rules.items() if not holds]
