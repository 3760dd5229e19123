"""Captioned grids of pictures: what a method learned, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from learnaug import ops, rundir
from learnaug.data import ImageSet
from learnaug.data.overlay import overlaid
from learnaug.errors import DataError, UsageError
from learnaug.rundir.files import Place
from learnaug.seeds import Seeds

__all__ = ["SHOWN", "Gallery", "drawn", "present", "read", "reduced", "write"]

SHOWN = 128  # pixels: larger pictures are reduced before they are kept
MOST_CLASSES = 6  # rows of a grid that has a row for each class
MOST_CELLS = 400  # pictures of one gallery
MOST = 100  # galleries of one run that are read
LONG = 6_000  # letters of a text that are kept

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """A grid of pictures with names at the left and above, and the sentence that explains it.

    Args:
        title: a few words.
        words: how to read it, with figures.
        rows: R names.
        columns: N names.
        images: uint8 [R, N, C, H, W].

    Raises:
        UsageError: the images are not uint8 of this shape, or there is none, or more than 400.

    Example:
        >>> pictures = np.zeros((1, 2, 3, 8, 8), np.uint8)
        >>> Gallery("Merged", "Read it so.", ("cat",), ("input", "merged"), pictures).title
        'Merged'
    """

    title: str
    words: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    images: Pictures

    def __post_init__(self) -> None:
        shape, grid = self.images.shape, (len(self.rows), len(self.columns))
        if grid[0] * grid[1] > MOST_CELLS:
            words = (
                f"a gallery must have at most {MOST_CELLS} pictures, but got {grid[0]} x {grid[1]}"
            )
            raise UsageError(words, [self.title])
        if self.images.dtype != np.uint8 or len(shape) != 5 or shape[:2] != grid or 0 in shape:
            raise UsageError(
                f"the images of a gallery must be uint8 [{grid[0]}, {grid[1]}, C, H, W] with at "
                f"least one pixel, but got {self.images.dtype} {list(shape)}",
                [self.title],
            )


def present(labels: NDArray[np.int64], most: int = MOST_CLASSES) -> NDArray[np.int64]:
    """Return the first picture of each class, of evenly chosen ones where there are many.

    Args:
        labels: int64 [N].
        most: classes, at most.

    Returns:
        int64 [R], positions.

    Example:
        >>> present(np.array([4, 0, 2, 2]), 2).tolist()
        [1, 0]
    """
    first = np.unique(labels, return_index=True)[1]
    places = np.linspace(0, len(first) - 1, min(most, len(first))).round().astype(np.int64)
    return first[places].astype(np.int64)


def reduced(pictures: Pictures, side: int) -> Pictures:
    """Return pictures averaged by a whole factor, so that no edge is longer than `side`.

    Small pictures stay as they are. What a whole factor leaves over at an edge is cut off.

    Args:
        pictures: uint8 [..., C, H, W].
        side: pixels.

    Example:
        >>> reduced(np.zeros((5, 3, 97, 64), np.uint8), 48).shape
        (5, 3, 32, 21)
    """
    factor = -(-max(pictures.shape[-2:]) // side)
    if factor < 2:
        return pictures
    high, wide = (max(1, edge // factor) for edge in pictures.shape[-2:])
    cut = pictures[..., : high * factor, : wide * factor]
    down, right = cut.shape[-2] // high, cut.shape[-1] // wide
    parts = cut.reshape(*cut.shape[:-2], high, down, wide, right)
    small: Pictures = (parts.mean((-3, -1)) + 0.5).astype(np.uint8)
    return small


def drawn(
    data: ImageSet, rows: NDArray[np.int64], draws: int, policy: ops.Policy, seeds: Seeds
) -> Pictures:
    """Return pictures as they are, each followed by its draws of a policy.

    With masks twice as many: the picture, then the picture under the colours of its mask.

    Args:
        data: pictures with labels, or with masks.
        rows: int64 [R], positions in it.
        draws: D, of each picture.
        policy: looks at no class.
        seeds: key the draw of the R D pictures.

    Returns:
        uint8 [R * (1 + D), C, H, W], or [2 * R * (1 + D), max(C, 3), H, W] with masks.
    """
    many = np.repeat(rows, draws)
    made = ops.draw(policy, len(many), seeds.numpy(), data.size)
    after = ops.apply(_tensor(data.images[many]), made).numpy()
    images = _beside(data.images[rows], after)
    if data.masks is None:
        return images
    moved = ops.apply_masks(_tensor(data.masks[many]), made).numpy()
    plain = images[:, [0, 0, 0] if images.shape[1] < 3 else [0, 1, 2]]
    under = overlaid(plain, _beside(data.masks[rows], moved), len(data.classes))
    return np.stack([plain, under], 1).reshape(-1, *plain.shape[1:])


def _tensor(pictures: Pictures) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures))


def _beside(before: Pictures, after: Pictures) -> Pictures:
    """Return every picture followed by what became of it: [n, ...], [n * draws, ...]."""
    apart = after.reshape(len(before), -1, *before.shape[1:])
    found: Pictures = np.concatenate([before[:, None], apart], 1)
    return found.reshape(-1, *before.shape[1:])


def write(run: Place, galleries: Sequence[Gallery]) -> None:
    """Write the galleries of a run, words and pictures apart; none leaves no file.

    Raises:
        RunError: the disk fails.
    """
    told, pictures = rundir.galleries_path(run), rundir.galleries_path(run, ".npz")
    if not galleries:
        for path in (told, pictures):
            if path.exists():
                rundir.remove(path)
        return
    rundir.write_arrays(pictures, **{str(i): g.images for i, g in enumerate(galleries)})
    lines = [
        {
            "title": g.title[:LONG],
            "words": g.words[:LONG],
            "rows": [row[:LONG] for row in g.rows],
            "columns": [column[:LONG] for column in g.columns],
        }
        for g in galleries
    ]
    # Written last: its presence says that the pictures are there.
    rundir.write_json(told, {"format": "learnaug-galleries", "version": 1, "galleries": lines})


def read(run: Place) -> tuple[Gallery, ...]:
    """Return the galleries that `write` left in the folder of a run; () where it left none.

    Raises:
        DataError: they are damaged, or words and pictures do not belong together.
    """
    path = rundir.galleries_path(run)
    if not path.is_file():
        return ()
    content = rundir.read_json(path)
    known = isinstance(content, dict) and content.get("format") == "learnaug-galleries"
    lines = content.get("galleries") if known and content.get("version") == 1 else None
    if not isinstance(lines, list) or len(lines) > MOST:
        raise DataError(f"{path.name} holds no galleries of version 1", [str(path)])
    pictures = rundir.read_arrays(rundir.galleries_path(run, ".npz"))
    try:
        return tuple(_gallery(line, pictures[str(i)]) for i, line in enumerate(lines))
    except (KeyError, TypeError, ValueError, UsageError) as error:
        words = f"{path.name} does not fit its pictures: {str(error).splitlines()[0]}"
        raise DataError(words, [str(path)]) from error


def _gallery(line: object, images: Pictures) -> Gallery:
    """Return the gallery of one entry; KeyError, TypeError or ValueError where it is none."""
    if not isinstance(line, dict) or line.keys() != {"title", "words", "rows", "columns"}:
        raise ValueError("an entry must have title, words, rows and columns")
    rows, columns = line["rows"], line["columns"]
    texts = [line["title"], line["words"], *rows, *columns]
    if not all(isinstance(text, str) and len(text) <= LONG for text in texts):
        raise ValueError(f"names and words must be texts of at most {LONG} letters")
    return Gallery(line["title"], line["words"], tuple(rows), tuple(columns), images)
