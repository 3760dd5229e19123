"""Captioned grids: their shape is checked, they are kept whole, what is damaged is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learnaug import rundir
from learnaug.errors import DataError, UsageError
from learnaug.methods import Gallery, Learned, resolve
from learnaug.methods.fixed import Chained
from learnaug.methods.gallery import present, read, reduced, write
from learnaug.seeds import Seeds

HOSTILE = ("<script>alert(1)</script>", "a\x1b[2J", "猫")


def some(title: str = "Merged", channels: int = 1) -> Gallery:
    gen = Seeds(1).child(title).numpy()
    images = gen.integers(0, 256, (3, 2, channels, 5, 4), dtype=np.uint8)
    return Gallery(title, "Read it so: 3 of 4.", HOSTILE, ("input", "merged"), images)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 2, 1, 4, 4), np.uint8), np.zeros((3, 1, 1, 4, 4), np.uint8),
        np.zeros((3, 2, 4, 4), np.uint8), np.zeros((3, 2, 1, 4, 4), np.float32),
        np.zeros((3, 2, 1, 0, 4), np.uint8),
    ],
    ids=lambda images: f"{images.dtype}{images.shape}",
)  # fmt: skip
def test_wrong_shapes_are_refused(images: Any) -> None:
    with pytest.raises(UsageError, match=r"uint8 \[3, 2, C, H, W\]"):
        Gallery("x", "", ("a", "b", "c"), ("d", "e"), images)


def test_names_of_any_length_are_read_again(tmp_path: Path) -> None:
    pictures = np.zeros((1, 1, 1, 2, 2), np.uint8)
    write(tmp_path, [Gallery("t" * 9000, "", ("r" * 9000,), ("c",), pictures)])
    (found,) = read(tmp_path)
    assert found.rows == ("r" * 6000,)


def test_none_and_too_many_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 400"):
        Gallery("x", "", ("a",) * 401, ("d",), np.zeros((401, 1, 1, 4, 4), np.uint8))
    with pytest.raises(UsageError, match="uint8"):
        Gallery("x", "", (), ("d",), np.zeros((0, 1, 1, 4, 4), np.uint8))


@pytest.mark.parametrize(("shape", "side"), [((9, 7), 4), ((10, 4), 5), ((3, 31), 8), ((6, 6), 6)])
def test_reduced_is_the_mean_of_blocks(shape: tuple[int, int], side: int) -> None:
    pictures = Seeds(2).numpy().integers(0, 256, (2, 3, *shape), dtype=np.uint8)
    found = reduced(pictures, side)
    factor = -(-max(shape) // side)
    assert max(found.shape[2:]) <= side
    for at in np.ndindex(found.shape):
        down, right = (at[2] * factor, at[3] * factor)
        block = pictures[at[0], at[1], down : down + factor, right : right + factor]
        assert found[at] == int(np.floor(block.astype(float).mean() + 0.5))


def test_present_takes_the_first_of_each_class_evenly() -> None:
    labels = np.array([9, 3, 3, 0, 9, 7, 1])
    assert labels[present(labels)].tolist() == [0, 1, 3, 7, 9]
    assert present(labels, 3).tolist() == [3, 1, 0]
    assert present(np.arange(100)).tolist() == [0, 20, 40, 59, 79, 99]


def test_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, [some(), some("Second", 3)])
    for one, again in zip([some(), some("Second", 3)], read(tmp_path), strict=True):
        assert (one.title, one.words, one.rows, one.columns) == (
            again.title, again.words, again.rows, again.columns,
        )  # fmt: skip
        assert np.array_equal(one.images, again.images)
    write(tmp_path, [])
    assert read(tmp_path) == ()
    assert not rundir.galleries_path(tmp_path, ".npz").exists()


def test_equal_galleries_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, [some()])
    for suffix in (".json", ".npz"):
        one, other = (rundir.galleries_path(tmp_path / n, suffix) for n in ("a", "b"))  # type: ignore[arg-type]
        assert one.read_bytes() == other.read_bytes()


ENTRY = {"title": "t", "words": "w", "rows": list("abc"), "columns": ["d", "e"]}
DAMAGED: list[Any] = [
    [], {}, {"galleries": 3}, {"galleries": [3]}, {"galleries": [ENTRY] * 2},
    {"galleries": [ENTRY] * 101}, {"galleries": [ENTRY | {"rows": ["a"]}]},
    {"galleries": [ENTRY | {"rows": None}]}, {"galleries": [ENTRY | {"rows": [1, 2, 3]}]},
    {"galleries": [ENTRY | {"words": "w" * 7000}]}, {"galleries": [ENTRY | {"more": 1}]},
    {"galleries": [ENTRY | {"rows": ["a"] * 500}]}, {"version": 2}, {"format": "x"},
]  # fmt: skip


@pytest.mark.parametrize("change", DAMAGED, ids=lambda change: str(change)[:60])
def test_words_that_do_not_fit_are_told(tmp_path: Path, change: Any) -> None:
    write(tmp_path, [some()])
    path = rundir.galleries_path(tmp_path)
    good = {"format": "learnaug-galleries", "version": 1, "galleries": [ENTRY]}
    rundir.write_json(path, good)
    assert len(read(tmp_path)) == 1
    rundir.write_json(path, good | change if change else change)
    with pytest.raises(DataError):
        read(tmp_path)


def test_damaged_pictures_are_told(tmp_path: Path) -> None:
    write(tmp_path, [some()])
    path = rundir.galleries_path(tmp_path, ".npz")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="galleries"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="galleries"):
        read(tmp_path)


@dataclass(frozen=True)
class Showing:
    """Learn nothing, and show a picture."""

    title: str

    def learn(self, data: Any, **named: Any) -> Learned:
        return Learned(resolve("none").augmenter, galleries=(some(self.title),))  # type: ignore[attr-defined]

    def config(self) -> dict[str, Any]:
        return {}


def test_a_chain_keeps_the_pictures_of_all_members() -> None:
    from learnaug.methods import Learning
    from learnaug.training import Keep, Recipe

    world = Learning(None, None, None, Recipe())  # type: ignore[arg-type]
    chain = Chained((Showing("first"), resolve("cutout"), Showing("last")))
    learned = chain.learn(world, seeds=Seeds(0), device=None, budget=None, keep=Keep())  # type: ignore[arg-type]
    assert [one.title for one in learned.galleries] == ["first", "last"]
