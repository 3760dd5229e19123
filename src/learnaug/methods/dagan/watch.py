"""What goes wrong with a generator of pictures, measured on classes it has not seen, in words.

Distances are the root of the mean squared difference of pictures averaged to at most 16 pixels a
side, in 0 … 1: noise of single pixels then counts for little. Relative ones are in units of the
mean distance of two real pictures of a class, so that they read alike on all data. The limits lie
between planted generators (tests/methods/test_dagan_watch.py): copies with noise of 10 of 255 on
one side, turns of up to 8 degrees with shifts of up to a pixel on the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pdist

from learnaug.methods.near import apart, flat, nearest
from learnaug.seeds import Seeds

__all__ = ["LEAST_CLASSES", "LEAST_PICTURES", "Generate", "distance", "made", "warnings", "watched"]

Generate = Callable[[Tensor, Tensor], Tensor]  # uint8 [B, C, H, W], float [B, z] -> uint8 like it
Ints = NDArray[np.int64]
Pictures = NDArray[np.uint8]

SIDE = 16  # pixels at which pictures are compared
PROBED = 64  # pictures that are generated from
DRAWS = 8  # z for each
SHARED = 4  # z that all of them get
OF_CLASS = 6  # real pictures of a class that are held against one another
CHUNK = 64  # pictures generated at once
ALIKE, COPY, MEMORISED = 0.15, 0.2, 0.6
NEAR_COPY = 0.5  # of the usual distance of real pictures to their nearest training picture
COPIES = 0.05  # share of generated pictures
LEAST_CLASSES, LEAST_PICTURES = 100, 1_000
KEPT = 0.5  # of generated pictures that a net which knows their classes names by these


def made(generate: Generate, images: Pictures, z: Tensor) -> Pictures:
    """Return what becomes of each picture with each of its z, a few at a time.

    Args:
        generate: the generator.
        images: uint8 [B, C, H, W].
        z: float [B, D, Z], D draws for each picture.

    Returns:
        uint8 [B, D, C, H, W].
    """
    many = torch.from_numpy(images).repeat_interleave(z.shape[1], 0)
    noise, starts = z.flatten(0, 1), range(0, len(many), CHUNK)
    parts = [generate(many[at : at + CHUNK], noise[at : at + CHUNK]).cpu() for at in starts]
    drawn = torch.cat(parts).numpy()
    found: Pictures = drawn.reshape(*z.shape[:2], *drawn.shape[1:])
    return found


def distance(a: Pictures, b: Pictures) -> NDArray[np.float64]:
    """Return how far each picture is from its fellow, root mean square in 0 … 1: float64 [N]."""
    root: NDArray[np.float64] = np.sqrt(apart(a, b, SIDE))
    return root


def watched(
    generate: Generate,
    images: Tensor,
    labels: Tensor,
    train: Tensor,
    seeds: Seeds,
    *,
    z: int = 100,
    critic_distance: float | None = None,
) -> dict[str, Any]:
    """Return figures of what is known to go wrong; all are plain numbers.

    - class_distance: distance of two real pictures of a class, the unit of the three that follow;
    - diversity: distance of two outputs for one input; 0: z is ignored;
    - identity: distance of an output to its input; 0: the output is the input;
    - input_heeded: distance of outputs for inputs of different classes with one z, relative to that
      of the inputs; 0: the input is ignored;
    - memory: median distance of outputs to the nearest training picture, over that of the real
      inputs to theirs; 0: training pictures are given back;
    - copied, real_copied: share of outputs and of inputs that are less than half as far from the
      nearest training picture as inputs usually are;
    - critic_distance: what was given.

    What cannot be measured is absent: without a class of two pictures the first three, with one
    class `input_heeded`, without training pictures or where the median input is one of them the
    next three.

    Args:
        generate: the generator: uint8 [B, C, H, W] and float [B, z] -> uint8 [B, C, H, W].
        images: uint8 [N, C, H, W], real pictures that it was not trained on.
        labels: int64 [N], their classes.
        train: uint8 [M, C, H, W], what it was trained on.
        seeds: keys the choice of pictures and z.
        z: size of the noise.
        critic_distance: mean score of real pictures of unseen classes less that of generated ones.
    """
    pictures, known = images.cpu().numpy(), labels.cpu().numpy()
    order = _by_turns(known, seeds.child("order"))
    rows = order[:PROBED]
    inputs, gen = pictures[rows], seeds.child("z").numpy()
    noise = torch.from_numpy(gen.standard_normal((len(rows), DRAWS, z), np.float32))
    outputs = made(generate, inputs, noise)
    shared = made(generate, inputs, noise[:1, :SHARED].expand(len(rows), -1, -1))
    found = _against_pairs(inputs, outputs, pictures, known, order)
    found |= _heed(inputs, shared, known[rows])
    found |= _memory(inputs, outputs.reshape(-1, *inputs.shape[1:]), train.cpu().numpy())
    if critic_distance is not None:
        found["critic_distance"] = critic_distance
    return {name: round(float(value), 6) for name, value in found.items()}


def warnings(figures: dict[str, Any], classes: int, pictures: int) -> list[str]:
    """Return a sentence for each figure that says that something went wrong.

    Args:
        figures: what `watched` returned, and "class_kept" where a net was asked.
        classes: that the generator was trained on.
        pictures: of these classes.

    Example:
        >>> warnings({"diversity": 0.5, "identity": 0.7}, 1200, 24000)
        []
    """
    said, get = _few(classes, pictures), figures.get
    if get("diversity", 1) < ALIKE:
        said.append(
            f"collapse: pictures generated from one input are {figures['diversity']:.3g} times as "
            "far apart as two real pictures of a class: z hardly changes them, so more of them "
            "add little; more updates may mend it"
        )
    if get("identity", 1) < COPY:
        said.append(
            f"identity: a generated picture is {figures['identity']:.3g} times as far from its "
            "input as two real pictures of a class are from each other: it gives the input back, "
            "and training on it is training on the input again"
        )
    if get("input_heeded", 1) < ALIKE:
        said.append(
            "collapse: pictures generated from different classes with one z are "
            f"{figures['input_heeded']:.3g} times as far apart as their inputs: the input is "
            "hardly looked at, so the class is not kept"
        )
    if get("class_kept", 1) < KEPT:
        said.append(
            "the class is lost: a net that knows the held classes names "
            f"{figures['class_kept']:.0%} of the pictures generated of them by their class, so "
            "training on these is training on wrong labels; more updates may mend it, and until "
            "then do not use it"
        )
    if _memorised(figures):
        said.append(
            f"memorisation: generated pictures are {figures['memory']:.3g} times as far from the "
            "nearest training picture as real unseen ones are, and "
            f"{figures['copied']:.0%} are near copies of one (real: {figures['real_copied']:.0%}): "
            "the generator gives training pictures back; fewer updates or more classes mend it"
        )
    if get("critic_distance", 1) <= 0:
        said.append(
            "the critic scores generated pictures of unseen classes "
            f"{-figures['critic_distance']:.3g} above real ones: it cannot tell them apart there, "
            "so choose no generator by it (select=classifier)"
        )
    return said


def _few(classes: int, pictures: int) -> list[str]:
    """Return the warning that there is too little to learn from, with the evidence."""
    if classes >= LEAST_CLASSES and pictures >= LEAST_PICTURES:
        return []
    words = (
        f"the generator learns from {classes} classes with {pictures:,} pictures; below about "
        f"{LEAST_CLASSES} classes or {LEAST_PICTURES:,} pictures it is known to fail: with 10 "
        "classes of 28 faces it collapsed, with 2 nobody showed it to work, and the published runs "
        "had 1,200 and 1,802 classes; learn it on a set with more classes and use it here "
        "(dagan:generator=FOLDER)"
    )
    return [words]


def _memorised(figures: dict[str, Any]) -> bool:
    if "memory" not in figures:
        return False
    return bool(
        figures["memory"] < MEMORISED or figures["copied"] - figures["real_copied"] > COPIES
    )


def _by_turns(labels: Ints, seeds: Seeds) -> Ints:
    """Return all positions at random: one picture of each class, then another of each."""
    shuffled = seeds.numpy().permutation(len(labels))
    place = np.unique(labels[shuffled], return_inverse=True)[1].reshape(-1)
    turn = np.empty(len(labels), np.int64)
    for label in range(place.max(initial=-1) + 1):
        of = place == label
        turn[of] = np.arange(of.sum())
    order: Ints = shuffled[np.argsort(turn, kind="stable")]
    return order


def _mean_pair(pictures: Pictures) -> float:
    """Return the mean distance of two of these pictures."""
    rows = flat(pictures, SIDE)
    mean = float(pdist(rows).mean())
    return mean / (255 * math.sqrt(rows.shape[1]))


def _against_pairs(
    inputs: Pictures, outputs: Pictures, pictures: Pictures, labels: Ints, order: Ints
) -> dict[str, float]:
    groups = [order[labels[order] == label][:OF_CLASS] for label in np.unique(labels)]
    real = [_mean_pair(pictures[group]) for group in groups if len(group) > 1]
    unit = float(np.mean(real)) if real else 0.0
    if not unit:
        return {}
    many = np.repeat(inputs, outputs.shape[1], 0)
    return {
        "class_distance": unit,
        "diversity": float(np.mean([_mean_pair(own) for own in outputs])) / unit,
        "identity": float(distance(outputs.reshape(many.shape), many).mean()) / unit,
    }


def _heed(inputs: Pictures, outputs: Pictures, labels: Ints) -> dict[str, float]:
    """Return how far outputs [P, S, ...] of different classes with one z of S are apart."""
    other = torch.from_numpy(labels[:, None] != labels[None])
    if not other.any():
        return {}
    given, *far = (
        float(torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")[other].mean())
        for rows in (flat(part, SIDE) for part in (inputs, *outputs.swapaxes(0, 1)))
    )
    return {"input_heeded": float(np.mean(far)) / given} if given else {}


def _memory(inputs: Pictures, outputs: Pictures, train: Pictures) -> dict[str, float]:
    if not len(train):
        return {}
    squares = nearest(np.concatenate([inputs, outputs]), train, side=SIDE)[1]
    real, generated = np.split(np.sqrt(squares.clip(0)), [len(inputs)])
    usual = float(np.median(real))
    if not usual:
        return {}
    return {
        "memory": float(np.median(generated)) / usual,
        "copied": float((generated < NEAR_COPY * usual).mean()),
        "real_copied": float((real < NEAR_COPY * usual).mean()),
    }
