"""What a merging network learned, in pictures: merged ones, how they became so, what they copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from learnaug.data import ImageSet, make_batch
from learnaug.methods.base import Learning
from learnaug.methods.gallery import SHOWN, Gallery, present, reduced
from learnaug.methods.near import apart, nearest
from learnaug.seeds import Seeds

if TYPE_CHECKING:
    from learnaug.methods.merge.augmenter import Merging
    from learnaug.methods.merge.joint import Joint

__all__ = ["Near", "merged_grid", "near", "of_control", "of_task"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Near:
    """The training pictures nearest to merged ones; distances are mean squares in [0, 1].

    Args:
        row: int64 [Q], the nearest training picture.
        own: bool [Q], whether it is one of the picture's own inputs.
        closest: int64 [Q], which of them is nearest.
        other: bool [Q], whether it is of another class.
        distance: float64 [Q], to it.
        real: float64 [Q], of a real picture to the nearest other real one.
    """

    row: Ints
    own: NDArray[np.bool_]
    closest: Ints
    other: NDArray[np.bool_]
    distance: Floats
    real: Floats

    def cut(self, part: slice) -> Near:
        """Return the same of some of the pictures."""
        return Near(*(getattr(self, field.name)[part] for field in fields(self)))

    def figures(self) -> dict[str, Any]:
        """Return counts and median distances as plain numbers."""
        return {
            "of": len(self.row),
            "own_input": int(self.own.sum()),
            "other_class": int(self.other.sum()),
            "distance": round(float(np.median(self.distance)), 6),
            "real_distance": round(float(np.median(self.real)), 6),
        }


def near(merged: Pictures, inputs: Ints, rows: Ints, train: ImageSet) -> Near | None:
    """Return what lies nearest to merged pictures; None where there is too little to compare.

    Args:
        merged: uint8 [Q, C, H, W].
        inputs: int64 [Q, k], the training pictures that each is made of.
        rows: int64 [Q], the training picture in whose class each was made.
        train: the training part.
    """
    if len(train) < inputs.shape[1] + 2:
        return None
    alone = np.repeat(rows[:, None], inputs.shape[1], 1)
    both = np.concatenate([merged, train.images[rows]])
    row, distance = nearest(both, train.images, np.concatenate([inputs, alone]))
    gaps = np.stack([apart(merged, train.images[own]) for own in inputs.T])
    closest, least, q = gaps.argmin(0), gaps.min(0), len(rows)
    own = least <= distance[:q]
    chosen = np.where(own, inputs[np.arange(q), closest], row[:q])
    other = train.labels[chosen] != train.labels[rows]
    return Near(chosen, own, closest, other, np.minimum(least, distance[:q]), distance[q:])


def of_task(
    task: Joint, rows: Ints, watched: dict[str, Any]
) -> tuple[Near | None, tuple[Gallery, ...]]:
    """Return what is near to what was merged of `rows`, and the galleries of a training.

    Args:
        task: the training, done, with its last look taken.
        rows: int64 [Q], training pictures that figures are taken of.
        watched: what `watch` returned for them.
    """
    names = [task.train.classes[label] for label in task.train.labels[task.shown]]
    batch, inputs, merged = task.drawn(task.shown)
    parts = [(task.shown, merged), (rows, task.drawn(rows)[2])]
    found = near(
        np.concatenate([pictures.cpu().numpy() for _, pictures in parts]),
        np.concatenate([task.partners(at, task.updates) for at, _ in parts]),
        np.concatenate([at for at, _ in parts]),
        task.train,
    )
    words = _merged_words(task, watched, len(rows))
    same = task.method.partners == "same"
    galleries = (
        merged_grid(words, names, inputs.mul(255).round().byte(), merged, batch.images, same),
        _over_training(task, names),
    )
    if found is None:
        return None, galleries
    shown, probed = found.cut(slice(0, len(names))), found.cut(slice(len(names), None))
    return probed, (*galleries, _nearest_grid(task, names, merged, shown, probed))


def of_control(augmenter: Merging, data: Learning, words: str, seeds: Seeds) -> tuple[Gallery, ...]:
    """Return the grid inputs -> merged of an augmenter that learned nothing; () for masks."""
    train = data.train
    if train.masks is not None:
        return ()
    rows = present(train.labels)
    acting = augmenter.behind(data.before) if data.before else augmenter
    inputs, merged = acting.shown(train, rows, seeds)
    names = [train.classes[label] for label in train.labels[rows]]
    return (merged_grid(words, names, inputs, merged, None, False),)


def merged_grid(
    words: str, names: list[str], inputs: Tensor, merged: Tensor, target: Tensor | None, same: bool
) -> Gallery:
    """Return the grid inputs -> merged, with their mean and the target where there is one.

    Args:
        words: how to read it.
        names: of the rows.
        inputs: uint8 [R, k, C, H, W].
        merged: uint8 [R, C, H, W].
        target: uint8 [R, C, H, W]; None: there is none.
        same: all inputs, and the target, are one picture.
    """
    if same:
        columns = {"input and target": inputs[:, 0], "merged": merged}
        return _grid("Input and what it became", words, names, columns)
    columns = {f"input {j + 1}": inputs[:, j] for j in range(inputs.shape[1])}
    columns["merged"] = merged
    if target is None:
        return _grid("Inputs and merged", words, names, columns)
    columns["mean of inputs"] = inputs.float().mean(1).round().byte()
    columns["target"] = target
    return _grid("Inputs, merged, target", words, names, columns)


def _grid(title: str, words: str, names: list[str], columns: Mapping[str, Tensor]) -> Gallery:
    pictures = [reduced(column.cpu().numpy(), SHOWN) for column in columns.values()]
    return Gallery(title, words, tuple(names), tuple(columns), np.stack(pictures, 1))


def _merged_words(task: Joint, watched: dict[str, Any], number: int) -> str:
    to_target = f"{watched['to_target']:.3g}"
    squared = f"(mean squared distance over {number} pictures, pixels in 0 … 1)"
    if task.method.partners == "same":
        return (
            "Each row: a picture that network A was given for all its inputs and aimed at, and "
            f"what A made of it. The two are {to_target} apart {squared}."
        )
    return (
        f"Each row: {task.method.k} pictures of a class, what network A made of them, their mean, "
        "and the target, another picture of the class, which A's picture was held against while "
        f"it learned. Merged pictures are {to_target} from their target and "
        f"{watched['to_mean']:.3g} from the mean of their inputs {squared}: A that only averages "
        "has the second near zero."
    )


def _over_training(task: Joint, names: list[str]) -> Gallery:
    size = min(task.recipe.batch_size, len(task.train))
    looks = dict(sorted(task.looks.items()))
    epochs = {update: update * size / len(task.train) for update in looks}
    columns = {f"epoch {round(epochs[u], int(epochs[u] < 10)):g}": at for u, at in looks.items()}
    words = (
        "What network A made of the same inputs before the first update, on the way, and at the "
        f"end ({task.updates} updates). Columns that hardly differ say that A learned little."
    )
    return _grid("Merged, over the training", words, names, columns)


def _nearest_grid(
    task: Joint, names: list[str], merged: Tensor, shown: Near, probed: Near
) -> Gallery:
    train, told = task.train, probed.figures()
    inputs = task.partners(task.shown, task.updates)
    own = inputs[np.arange(len(inputs)), shown.closest]
    nearest_of = np.where(shown.own, "own input", np.array(train.classes)[train.labels[shown.row]])
    captions = [f"{name}, nearest: {of}" for name, of in zip(names, nearest_of, strict=True)]
    words = (
        f"Of {told['of']} merged pictures {told['own_input']} are at least as near to one of "
        f"their own inputs as to any other training picture, and {told['other_class']} have one "
        "of another class as their nearest. Median of the mean squared distance to the nearest: "
        f"{told['distance']:.3g} for merged pictures, {told['real_distance']:.3g} for real ones "
        "to the nearest other. Far below it they are copies; but a blurred picture is near to many."
    )
    columns = {
        "merged": merged,
        "nearest of its inputs": make_batch(train, own).images,
        "nearest of all": make_batch(train, shown.row).images,
    }
    return _grid("Nearest real picture", words, captions, columns)
