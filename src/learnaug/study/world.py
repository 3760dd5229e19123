"""What every run of a study shares: the plan, the data, the splits and the net."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from learnaug import nets, rundir
from learnaug.data import ImageSet, Split, split
from learnaug.data.split import join_groups
from learnaug.errors import RunError
from learnaug.methods import Given, Method, filled, load_augmenter, resolve
from learnaug.nets import Spec
from learnaug.seeds import Seeds
from learnaug.study.plan import FRACTIONS, Plan
from learnaug.training import Augmenter, goal_of

__all__ = [
    "GIVEN",
    "World",
    "cut",
    "digest_of",
    "net_digest",
    "open_world",
    "overlap",
    "store_data",
    "store_splits",
]

GIVEN = "given"  # the name of an augmenter that came from a folder or file
CLUSTERS = "clusters.npy"
ARRAYS = ("images", "labels", "groups", "parts")
MASKS = "masks.npy"


@dataclass(frozen=True, slots=True)
class World:
    """The shared part of all runs; the splits are those of the plan, in order.

    Args:
        out: the run folder of the study.
        plan: what is run.
        data: all images.
        splits: one, or as many as the plan has repeats.
        model: the net: a name, or a module or function given in Python.
        clusters: int64 [N], images of one number stay together: the user's groups and copies of
            one picture.
    """

    out: Path
    plan: Plan
    data: ImageSet
    splits: tuple[Split, ...]
    model: Spec
    clusters: NDArray[np.int64]

    def pair(self, seed: int) -> Seeds:
        """Return the random streams that all methods share in the pair with this seed."""
        return Seeds(self.plan.seed).child("pair", seed)

    def part(self, seed: int, name: Literal["train", "valid", "test"]) -> ImageSet:
        """Return one part of the pair with this seed."""
        return self.data.take(getattr(self.splits[seed % len(self.splits)], name))

    def method(self, name: str) -> Method:
        """Return the method of this name; GIVEN is the augmenter that lies in the run folder.

        Its path is filled in here and not before: the folder may move, its plan does not know it.
        """
        given = rundir.given_folder(self.out)
        if name == GIVEN:
            return Given(load_augmenter(given))
        return filled(resolve(name, self.plan.allowed()), given)

    def net(self, seeds: Seeds) -> nn.Module:
        """Return a fresh net with weights drawn from `seeds`."""
        return self.builder()(seeds)

    def builder(self) -> Callable[[Seeds], nn.Module]:
        """Return what builds a fresh net from keyed seeds, and knows nothing of the data."""
        channels, size, classes = self.data.channels, self.data.size, len(self.data.classes)
        model, task = self.model, goal_of(self.data).name
        return lambda seeds: nets.build(
            model, channels=channels, size=size, classes=classes, seeds=seeds, task=task
        )


def store_data(out: Path, data: ImageSet) -> None:
    """Write the decoded data into the run folder, so that every run and resumption reads it."""
    for name in ARRAYS:
        rundir.write_map(rundir.cache_path(out, f"{name}.npy"), getattr(data, name))
    if data.masks is not None:
        rundir.write_map(rundir.cache_path(out, MASKS), data.masks)
    names = {"name": data.name, "classes": data.classes, "ids": data.ids}
    rundir.write_json(rundir.cache_path(out, "names.json"), names)


def cut(
    data: ImageSet, seed: int, per_class: int | None, groups: NDArray[np.int64], k: int = 0
) -> Split:
    """Return the k-th split of a study: one call for the plan and for the runs."""
    return split(
        data,
        Seeds(seed).child("split"),
        per_class=per_class,
        fractions=FRACTIONS,
        repeat=k,
        extra_groups=groups,
    )


def store_splits(out: Path, plan: Plan, data: ImageSet, groups: NDArray[np.int64]) -> None:
    """Write the splits of the plan, each with the sha256 of its parts, and the clusters."""
    clusters = join_groups(data.groups, groups)
    rundir.write_map(rundir.cache_path(out, CLUSTERS), clusters)
    for k in range(plan.repeats):
        parts = cut(data, plan.seed, plan.per_class, groups, k)
        rundir.write_json(rundir.split_path(out, k), parts.to_json(data.ids))


def open_world(out: Path, model: Spec = None) -> World:
    """Open a run folder that `store_data` and `store_splits` filled.

    Args:
        out: the run folder.
        model: the net given in Python; by default the one that the plan names.

    Raises:
        RunError: the plan needs a net that was given in Python, or the stored data is not that
            of the plan.
    """
    plan = Plan.load(out)
    arrays: dict[str, Any] = {
        n: rundir.read_map(rundir.cache_path(out, f"{n}.npy")) for n in ARRAYS
    }
    if plan.metric == "mean_iou":
        arrays["masks"] = rundir.read_map(rundir.cache_path(out, MASKS))
    names = rundir.read_json(rundir.cache_path(out, "names.json"), limit=1 << 30)
    data = ImageSet(
        name=names["name"], classes=tuple(names["classes"]), ids=tuple(names["ids"]), **arrays
    )
    if data.fingerprint() != plan.data["fingerprint"]:
        raise RunError(
            "the stored data is not that of the plan",
            [f"plan {plan.data['fingerprint'][:12]}…, folder {data.fingerprint()[:12]}…"],
            "start again in another folder",
        )
    stored = [rundir.read_json(rundir.split_path(out, k), limit=1 << 30)
              for k in range(plan.repeats)]  # fmt: skip
    splits = tuple(Split.from_json(each, data.ids) for each in stored)
    if model is None and plan.model.startswith("given in Python"):
        raise RunError(
            f"this comparison trains a net {plan.model}",
            mend="go on from Python: learnaug.resume(out, model=…)",
        )
    clusters = rundir.read_map(rundir.cache_path(out, CLUSTERS))
    world = World(out, plan, data, splits, plan.model if model is None else model, clusters)
    if plan.net != net_digest(world.net(Seeds(plan.seed))):
        raise RunError(
            f"the net {plan.model} is not the one that this run folder was made with",
            mend="give the same net, or start in another folder",
        )
    return world


def net_digest(net: nn.Module) -> str:
    """Return the SHA-256 (hex) of the net's layers: their words, names, shapes and types."""
    state = [f"{k} {tuple(v.shape)} {v.dtype}" for k, v in net.state_dict().items()]
    return hashlib.sha256("\n".join([repr(net), *state]).encode()).hexdigest()


def overlap(splits: tuple[Split, ...]) -> float:
    """Return n_test / n_train where splits overlap (Nadeau and Bengio), else 0."""
    if len(splits) == 1:
        return 0.0
    return float(np.mean([len(s.test) / len(s.train) for s in splits]))


def digest_of(given: Augmenter | None, near: Path) -> str:
    """Return the SHA-256 (hex) of all that an augmenter saves; "" for None.

    It is saved in a folder inside `near` that is removed again.
    """
    if given is None:
        return ""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(dir=near) as folder:
        given.save(Path(folder))
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
