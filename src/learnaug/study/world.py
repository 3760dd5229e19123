"""What every run of a study shares: the plan, the data, the splits and the net."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from learnaug import nets, rundir
from learnaug.data import ImageSet, Split, split
from learnaug.errors import RunError
from learnaug.methods import Given, Method, load_augmenter, resolve
from learnaug.nets import Spec
from learnaug.seeds import Seeds
from learnaug.study.plan import FRACTIONS, Plan

__all__ = ["GIVEN", "World", "open_world", "overlap", "store_data", "store_splits"]

GIVEN = "given"  # the name of an augmenter that came from a folder or file
ARRAYS = ("images", "labels", "groups", "parts")


@dataclass(frozen=True, slots=True)
class World:
    """The shared part of all runs; the splits are those of the plan, in order.

    Args:
        out: the run folder of the study.
        plan: what is run.
        data: all images.
        splits: one, or as many as the plan has repeats.
        model: the net: a name, or a module or function given in Python.
    """

    out: Path
    plan: Plan
    data: ImageSet
    splits: tuple[Split, ...]
    model: Spec

    def pair(self, seed: int) -> Seeds:
        """Return the random streams that all methods share in the pair with this seed."""
        return Seeds(self.plan.seed).child("pair", seed)

    def parts(self, seed: int) -> tuple[ImageSet, ImageSet, ImageSet]:
        """Return the train, valid and test part of the pair with this seed."""
        chosen = self.splits[seed % len(self.splits)]
        train, valid, test = (self.data.take(i) for i in (chosen.train, chosen.valid, chosen.test))
        return train, valid, test

    def method(self, name: str) -> Method:
        """Return the method of this name; GIVEN is the augmenter that lies in the run folder."""
        if name == GIVEN:
            return Given(load_augmenter(rundir.given_folder(self.out)))
        return resolve(name, self.plan.operations)

    def net(self, seeds: Seeds) -> nn.Module:
        """Return a fresh net with weights drawn from `seeds`."""
        make = partial(nets.build, channels=self.data.channels, size=self.data.size)
        return make(self.model, classes=len(self.data.classes), seeds=seeds)


def store_data(out: Path, data: ImageSet) -> None:
    """Write the decoded data into the run folder, so that every run and resumption reads it."""
    for name in ARRAYS:
        rundir.write_map(rundir.cache_path(out, f"{name}.npy"), getattr(data, name))
    names = {"name": data.name, "classes": data.classes, "ids": data.ids}
    rundir.write_json(rundir.cache_path(out, "names.json"), names)


def store_splits(
    out: Path, plan: Plan, data: ImageSet, groups: NDArray[np.int64]
) -> tuple[Split, ...]:
    """Cut the splits of the plan, write each with the sha256 of its parts, and return them."""
    made = []
    for k in range(plan.repeats):
        cut = split(
            data,
            Seeds(plan.seed).child("split"),
            per_class=plan.per_class,
            fractions=FRACTIONS,
            repeat=k,
            extra_groups=groups,
        )
        rundir.write_json(rundir.split_path(out, k), cut.to_json(data.ids))
        made.append(cut)
    return tuple(made)


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
    return World(out, plan, data, splits, plan.model if model is None else model)


def overlap(splits: tuple[Split, ...]) -> float:
    """Return n_test / n_train where splits overlap (Nadeau and Bengio), else 0."""
    if len(splits) == 1:
        return 0.0
    return float(np.mean([len(s.test) / len(s.train) for s in splits]))
