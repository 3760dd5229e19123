"""What a generator learned, to look at: over the training, over z, beside its training pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug.methods.dagan.watch import SIDE, Generate, distance, made
from learnaug.methods.gallery import SHOWN, Gallery, reduced
from learnaug.methods.near import nearest
from learnaug.seeds import Seeds

__all__ = ["grids_over_training", "interpolation", "neighbours", "several", "slerp"]

ROWS = 8  # pictures of a gallery
SNAPSHOTS = 10  # columns of a training
DRAWS = 8  # z for one input
ANCHORS, STEP = 4, 3  # the sphere has 4 x 4 z of its own, every third cell
FLAT = 1e-4  # radians: below it a great circle is a line

Ints = NDArray[np.int64]
Pictures = NDArray[np.uint8]
ABOUT = "Distances are the root of the mean squared difference of pictures averaged to at most "
ABOUT += f"{SIDE} pixels a side, pixels in 0 … 1."


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Return the point between two that a great circle leads through.

    sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between them: between two
    points of a sphere it stays on the sphere, where normal z of many numbers lie. Where they point
    the same way, or to opposite ones, it is the line between them.

    Args:
        a: float [..., z].
        b: float [..., z].
        share: t, 0 … 1.

    Example:
        >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.5)
        tensor([0.7071, 0.7071])
    """
    one, other = a.double(), b.double()
    unit = [point / point.norm(dim=-1, keepdim=True) for point in (one, other)]
    angle = (unit[0] * unit[1]).sum(-1, keepdim=True).clamp(-1, 1).acos()
    curved = angle.sin() > FLAT
    below = torch.where(curved, angle.sin(), torch.ones_like(angle))
    left = torch.where(curved, ((1 - share) * angle).sin() / below, 1 - share)
    right = torch.where(curved, (share * angle).sin() / below, share)
    return (left * one + right * other).to(a.dtype)


def sphere(anchors: Tensor) -> Tensor:
    """Return a grid of z whose every third cell is given; between them lie great circles.

    Args:
        anchors: float [A, A, z].

    Returns:
        float [3A - 2, 3A - 2, z].
    """
    return _between(_between(anchors).transpose(0, 1)).transpose(0, 1)


def _between(rows: Tensor) -> Tensor:
    """Return rows [A, ...] with two more between each two of them: [3A - 2, ...]."""
    steps = [slerp(a, b, step / STEP) for a, b in pairwise(rows) for step in range(STEP)]
    return torch.stack([*steps, rows[-1]])


def grids_over_training(
    names: Sequence[str], real: Tensor, snapshots: Mapping[int, Tensor]
) -> Gallery:
    """Return what was made of the same pictures with the same z, from update to update.

    Args:
        names: classes of the pictures; at most 8 rows are shown.
        real: uint8 [R, C, H, W], pictures of classes that the generator does not learn from.
        snapshots: updates of the generator -> uint8 [R, C, H, W]; at most 10, evenly chosen, the
            first and the last among them.
    """
    updates = sorted(snapshots)
    even = np.linspace(0, len(updates) - 1, min(SNAPSHOTS, len(updates))).round().astype(int)
    chosen = [updates[place] for place in even]
    shots = {at: _numpy(snapshots[at][:ROWS]) for at in chosen}
    given = _numpy(real[:ROWS])
    words = (
        "The first column is real: a picture of a class that the generator never learned from. The "
        "others are what it made of that picture with the same z after so many of its updates "
        f"({chosen[-1]:,} in all)."
    )
    if len(chosen) > 2:
        first, last = (
            float(distance(shots[a], shots[b]).mean()) for a, b in (chosen[:2], chosen[-2:])
        )
        words += (
            f" Between the first two of them the pictures moved by {first:.3g}, between the last "
            f"two by {last:.3g}; where the last is small, more updates change little. {ABOUT}"
        )
    columns = {"real": given, **{_counted(at): shot for at, shot in shots.items()}}
    return _grid("Generated, over the training", words, names[:ROWS], columns)


def several(
    generate: Generate, names: Sequence[str], real: Tensor, seeds: Seeds, *, z: int = 100
) -> Gallery:
    """Return what the generator makes of each picture with several z, and where these differ.

    Args:
        generate: the generator.
        names: classes of the pictures; at most 8 rows are shown.
        real: uint8 [R, C, H, W].
        seeds: keys z.
        z: size of the noise.
    """
    given = _numpy(real[:ROWS])
    outputs = made(generate, given, _noise(seeds, (len(given), DRAWS, z)))
    spread = outputs.astype(np.float64).std(1)
    most = float(spread.max())
    bright = (spread * (255 / most) if most else spread).round().astype(np.uint8)
    far = float(
        np.mean([distance(outputs[:, 0], other) for other in outputs[:, 1:].swapaxes(0, 1)])
    )
    moved = float(distance(outputs[:, 0], given).mean())
    words = (
        "Each row: a real picture of an unseen class, and what the generator makes of it with "
        f"{DRAWS} different z. The first of them is {moved:.3g} away from the real picture on "
        f"average, and {far:.3g} from the others. The last column shows where they differ: the "
        f"standard deviation of each pixel, brightest for {most:.0f} of 255. A row of equal "
        f"pictures says that z is ignored. {ABOUT}"
    )
    columns = {"real": given, **{f"z {k + 1}": outputs[:, k] for k in range(DRAWS)}}
    return _grid("Several z for one picture", words, names[:ROWS], {**columns, "differ": bright})


def interpolation(
    generate: Generate, image: Tensor, name: str, seeds: Seeds, *, z: int = 100
) -> Gallery:
    """Return what becomes of one picture over a piece of the sphere of z (the paper's figure 2).

    Args:
        generate: the generator.
        image: uint8 [C, H, W], of an unseen class.
        name: of its class.
        seeds: keys the 16 z that lie in every third cell of every third row.
        z: size of the noise.
    """
    grid = sphere(_noise(seeds, (ANCHORS, ANCHORS, z)))
    side = len(grid)
    cells = made(generate, _numpy(image[None]), grid.flatten(0, 1)[None])[0]
    shown = cells.reshape(side, side, *cells.shape[1:])
    near, wide = (_apart_by(shown, step) for step in (1, STEP))
    shown[0, 0] = image.cpu().numpy()
    words = (
        f"Only the picture in the top left corner is real ({name}); all others were made of it. "
        f"Every {STEP}rd row and column from the first on has z of its own, the cells between lie "
        f"on great circles between these. Cells side by side are {near:.3g} apart on average, "
        f"cells {STEP} apart {wide:.3g}: neighbours should differ little, and the corners clearly. "
        f"{ABOUT}"
    )
    numbers = tuple(str(place + 1) for place in range(side))
    images = reduced(shown, SHOWN)
    return Gallery("From z to z on the sphere", words, numbers, numbers, images)


def neighbours(
    names: Sequence[str],
    real: Tensor,
    generated: Tensor,
    train: Tensor,
    classes: Sequence[str],
) -> Gallery:
    """Return real and generated pictures beside the training pictures that are nearest to them.

    Args:
        names: classes of the pictures; figures are of all, at most 8 rows are shown.
        real: uint8 [R, C, H, W], of unseen classes.
        generated: uint8 [R, C, H, W], what was made of them.
        train: uint8 [M, C, H, W], what the generator was trained on, M >= 1.
        classes: M names, the class of each of these.
    """
    given, drawn, known = (_numpy(pictures) for pictures in (real, generated, train))
    rows, squares = nearest(np.concatenate([given, drawn]), known, side=SIDE)
    (near_given, near_drawn) = np.split(rows, [len(given)])
    far_given, far_drawn = np.split(np.sqrt(squares.clip(0)), [len(given)])
    captions = [
        f"{name}: real {a:.3f} from {classes[i]}, generated {b:.3f} from {classes[j]}"
        for name, a, b, i, j in zip(
            names[:ROWS], far_given, far_drawn, near_given, near_drawn, strict=False
        )
    ]
    words = (
        "Each row: a real picture of an unseen class and the training picture nearest to it, a "
        "picture generated from it and the training picture nearest to that. Median distance to "
        f"the nearest over {len(given)} pictures: {np.median(far_given):.3g} for real ones, "
        f"{np.median(far_drawn):.3g} for generated ones; far below the first, the generator gives "
        f"training pictures back. {ABOUT}"
    )
    columns = {
        "real": given[:ROWS],
        "nearest to real": known[near_given[:ROWS]],
        "generated": drawn[:ROWS],
        "nearest to generated": known[near_drawn[:ROWS]],
    }
    return _grid("Nearest training pictures", words, captions, columns)


def _apart_by(grid: Pictures, step: int) -> float:
    """Return the mean distance of cells of a row that are `step` columns apart."""
    left, right = (part.reshape(-1, *grid.shape[2:]) for part in (grid[:, :-step], grid[:, step:]))
    return float(distance(left, right).mean())


def _noise(seeds: Seeds, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(seeds.numpy().standard_normal(shape, np.float32))


def _numpy(pictures: Tensor) -> Pictures:
    found: Pictures = pictures.cpu().numpy()
    return found


def _counted(updates: int) -> str:
    return f"{updates:,} updates" if updates else "before"


def _grid(title: str, words: str, names: Sequence[str], columns: Mapping[str, Pictures]) -> Gallery:
    pictures = [reduced(column, SHOWN) for column in columns.values()]
    return Gallery(title, words, tuple(names), tuple(columns), np.stack(pictures, 1))
