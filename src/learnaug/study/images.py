"""How sure a difference is for new images: from the predictions of both arms on the test parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug import rundir, stats
from learnaug.seeds import Seeds
from learnaug.study.world import World

__all__ = ["image_interval"]


def image_interval(
    world: World, seeds: list[int], candidate: str, baseline: str
) -> tuple[float, float] | None:
    """Return the interval of the difference for new images; None where one group is all there is.

    Args:
        world: of the comparison.
        seeds: the pairs that are done in both arms.
        candidate, baseline: names of the arms.
    """
    tests = [world.splits[seed % len(world.splits)].test for seed in seeds]
    seen = np.unique(np.concatenate(tests))
    clusters = np.asarray(world.clusters)[seen]
    if len(np.unique(clusters)) < 2:
        return None  # one group says nothing about new groups; the words speak of these images
    gen = Seeds(world.plan.seed).child("image-interval", candidate, baseline).numpy()
    arms = [
        [_predictions(world, method, seed) for seed in seeds] for method in (candidate, baseline)
    ]
    places = [np.searchsorted(seen, test) for test in tests]
    if world.plan.metric == "mean_iou":
        areas = [_areas(runs, places, len(seen)) for runs in arms]
        return stats.iou_interval(areas[0], areas[1], clusters, gen)
    right = [_correct(runs, places, len(seen)) for runs in arms]
    balanced = world.plan.metric == "balanced_accuracy"
    labels = world.data.labels[seen] if balanced else None
    return stats.image_interval(right[0], right[1], clusters, gen, labels=labels)


Arrays = dict[str, NDArray[Any]]


def _predictions(world: World, method: str, seed: int) -> Arrays:
    run: Path = rundir.run_folder(world.out, method, seed)
    return rundir.read_arrays(rundir.predictions_path(run))


def _correct(runs: list[Arrays], places: list[NDArray[Any]], n: int) -> NDArray[np.float64]:
    """Return how often each image was right, over the runs that saw it: [n] in [0, 1]."""
    right, times = np.zeros(n), np.zeros(n)
    for found, at in zip(runs, places, strict=True):
        times[at] += 1
        right[at] += found["probabilities"].argmax(1) == found["labels"]
    return right / times


def _areas(runs: list[Arrays], places: list[NDArray[Any]], n: int) -> NDArray[np.int64]:
    """Return intersection and union of each run, image and class: [runs, n, 2, K]; 0 if unseen."""
    areas = np.zeros((len(runs), n, 2, runs[0]["hits"].shape[1]), np.int64)
    for run, (found, at) in enumerate(zip(runs, places, strict=True)):
        areas[run, at, 0] = found["hits"]
        areas[run, at, 1] = found["truth"] + found["predicted"] - found["hits"]
    return areas
