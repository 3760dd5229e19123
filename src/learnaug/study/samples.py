"""Sample pictures: every augmentation on the user's own images, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug import rundir
from learnaug.data import Batch, make_batch
from learnaug.data.batch import evenly
from learnaug.methods.table import augmenter, is_fixed
from learnaug.seeds import Seeds
from learnaug.study.world import World

__all__ = ["write_samples"]

PICTURES = 8  # a row
ROWS = 3  # draws of each augmentation
ORIGINAL = "original"


def write_samples(world: World) -> None:
    """Write the same few training images under every fixed method; uint8 [rows, n, C, H, W].

    Masks stand beside them, uint8 [rows, n, H, W].
    """
    done = rundir.samples_path(world.out, ORIGINAL)
    if done.is_file():
        return
    train = world.part(0, "train")
    masked = train.masks is not None
    chosen = evenly(len(train), PICTURES) if masked else _one_of_each_class(train.labels)
    batch = make_batch(train, chosen)
    for method in world.plan.methods:
        if not is_fixed(method):
            continue
        augment = augmenter(method, world.plan.allowed())
        seeds = Seeds(world.plan.seed).child("samples", method)
        rows = [augment(batch, train, seeds.child(row)) for row in range(ROWS)]
        rundir.write_arrays(rundir.samples_path(world.out, method), **_arrays(rows, masked))
    # Written last: its presence says that the others are whole.
    labels = {} if masked else {"labels": train.labels[chosen].astype(np.int64)}
    rundir.write_arrays(done, **_arrays([batch], masked), **labels)


def _arrays(rows: Sequence[Batch], masked: bool) -> dict[str, NDArray[Any]]:
    """Return the pictures of some batches, and their masks as uint8 [rows, n, H, W]."""
    found: dict[str, NDArray[Any]] = {"images": np.stack([row.images.numpy() for row in rows])}
    if masked:
        found["masks"] = np.stack([row.targets.numpy().astype(np.uint8) for row in rows])
    return found


def _one_of_each_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return PICTURES positions that show as many classes as fit, classes in order."""
    places = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    turns = max(len(p) for p in places)
    mixed = [p[turn] for turn in range(turns) for p in places if turn < len(p)]
    return np.array(mixed[: min(PICTURES, len(labels))])
