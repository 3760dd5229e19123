"""What a merging network learned, in pictures: true to the data, blind to the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_merge import DATA, learn, world
from torch import nn

from learnaug.data import ImageSet
from learnaug.methods import Gallery
from learnaug.methods.merge import SmartAugmentation
from learnaug.methods.merge.joint import LOOKS, Joint
from learnaug.methods.merge.pictures import near
from learnaug.methods.near import nearest
from learnaug.seeds import Seeds
from learnaug.training import Keep, Stopped


class Copy(nn.Module):
    """Paint the first input; the one weight is there to be learned and does nothing."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.channels, self.nothing = channels, nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, : self.channels] + 0 * self.nothing


def same(a: tuple[Gallery, ...], b: tuple[Gallery, ...]) -> bool:
    plain = [(g.title, g.words, g.rows, g.columns, g.images.tobytes()) for g in a]
    return plain == [(g.title, g.words, g.rows, g.columns, g.images.tobytes()) for g in b]


def column(gallery: Gallery, name: str) -> np.ndarray[Any, Any]:
    return gallery.images[:, gallery.columns.index(name)]


def rows_of(pictures: np.ndarray[Any, Any], data: ImageSet = DATA) -> list[int]:
    """Return which pictures of the data these are."""
    known = {image.tobytes(): i for i, image in enumerate(data.images)}
    return [known[picture.tobytes()] for picture in pictures]


# --- what lies nearest ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 70, 33)])
def test_nearest_is_that_of_a_plain_loop(shape: tuple[int, int, int]) -> None:
    """More than one chunk; pictures that are left out; above 64 px means of 2 x 2 are compared."""
    gen = Seeds(3).numpy()
    pictures = gen.integers(0, 256, (300, *shape), dtype=np.uint8)
    queries = gen.integers(0, 256, (7, *shape), dtype=np.uint8)
    queries[2], queries[5] = pictures[270], pictures[4]
    without = gen.integers(0, 300, (7, 3))
    without[5, 1] = 4
    found, distance = nearest(queries, pictures, without)

    def seen(picture: Any) -> Any:
        if shape[1] <= 64:
            return picture.astype(float)
        blocks = picture[:, :70, :32].reshape(3, 35, 2, 16, 2).astype(float)
        return np.floor(blocks.mean((2, 4)) + 0.5)

    for query, out, row, far in zip(queries, without, found, distance, strict=True):
        apart = [np.mean((seen(query) - seen(p)) ** 2) / 255**2 for p in pictures]
        left = [np.inf if i in out else value for i, value in enumerate(apart)]
        assert row == int(np.argmin(left))
        assert far == pytest.approx(min(left), rel=1e-12, abs=0)
    assert (found[2], distance[2]) == (270, 0)


def test_a_net_that_copies_is_found_out() -> None:
    learned = learn(SmartAugmentation(network=Copy), world(epochs=1))
    figures = learned.augmenter.describe()["watch"]["nearest"]
    assert figures["of"] == 60
    assert figures["own_input"] == 60
    assert figures["other_class"] == 0
    assert figures["distance"] == 0
    assert figures["real_distance"] > 0
    grid = learned.galleries[2]
    assert np.array_equal(column(grid, "merged"), column(grid, "nearest of all"))
    assert np.array_equal(column(grid, "merged"), column(grid, "nearest of its inputs"))
    assert all(row.endswith("own input") for row in grid.rows)
    assert "Of 60 merged pictures 60 are" in grid.words


def test_pictures_of_another_class_are_counted_as_such() -> None:
    """Each merged picture is, to a pixel, a picture of the next class."""
    rows = np.arange(30)
    by_class = [np.flatnonzero(DATA.labels == label) for label in range(3)]
    inputs = np.array([by_class[DATA.labels[row]][:2] for row in rows])
    aims = np.array([by_class[(DATA.labels[row] + 1) % 3][5] for row in rows])
    merged = DATA.images[aims].copy()
    merged[:, 0, 0, 0] += 1
    found = near(merged, inputs, rows, DATA)
    assert found is not None
    assert found.row.tolist() == aims.tolist()
    assert found.other.all()
    assert not found.own.any()
    assert found.figures()["distance"] == pytest.approx(1 / 255**2 / 64, abs=1e-6)


def test_the_real_distance_leaves_the_picture_itself_out() -> None:
    rows = np.array([3, 40])
    found = near(DATA.images[rows], np.array([[5, 6], [7, 8]]), rows, DATA)
    assert found is not None
    everything = DATA.images.reshape(60, -1).astype(float)
    for row, far in zip(rows, found.real, strict=True):
        apart = np.mean((everything[row] - everything) ** 2, 1) / 255**2
        assert far == pytest.approx(np.sort(apart)[1], rel=1e-12)
    assert not found.distance.any()


def test_too_few_pictures_are_not_compared() -> None:
    few = DATA.take(np.arange(3))
    assert near(few.images, np.zeros((3, 2), np.int64), np.arange(3), few) is None
    learned = learn("smart-augmentation", replace(world(epochs=1), train=few))
    assert "nearest" not in learned.augmenter.describe()["watch"]
    assert len(learned.galleries) == 2


# --- the galleries --------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", ["", ":k=3,per_class=true", ":joint=false"])
def test_inputs_are_of_the_class_and_the_target_is_another(settings: str) -> None:
    learned = learn(f"smart-augmentation{settings}")
    k = 3 if "k=3" in settings else 2
    grid, training, nearest_grid = learned.galleries
    inputs = tuple(f"input {j + 1}" for j in range(k))
    assert grid.columns == (*inputs, "merged", "mean of inputs", "target")
    assert grid.rows == DATA.classes
    targets = rows_of(column(grid, "target"))
    assert DATA.labels[targets].tolist() == [0, 1, 2]
    given = np.stack([column(grid, name) for name in inputs], 1)
    for place, own in enumerate(given):
        rows = rows_of(own)
        assert len({targets[place], *rows}) == k + 1
        assert set(DATA.labels[rows]) == {DATA.labels[targets[place]]}
    assert np.abs(given.mean(1) - column(grid, "mean of inputs")).max() <= 0.5
    assert training.columns[0] == "epoch 0"
    assert training.columns[-1] == "epoch 2"
    assert len(training.columns) == LOOKS
    assert np.array_equal(training.images[:, -1], column(grid, "merged"))
    assert not np.array_equal(training.images[:, 0], training.images[:, -1])
    assert np.array_equal(column(nearest_grid, "merged"), column(grid, "merged"))
    assert DATA.labels[rows_of(column(nearest_grid, "nearest of its inputs"))].tolist() == [0, 1, 2]
    assert f"{learned.augmenter.describe()['watch']['to_target']:.3g}" in grid.words


def test_the_merged_picture_is_what_the_frozen_net_makes() -> None:
    learned = learn("smart-augmentation")
    grid = learned.galleries[0]
    inputs = torch.from_numpy(grid.images[:, :2]).float() / 255
    with torch.no_grad():
        made = learned.augmenter.merger(inputs, torch.arange(3))  # type: ignore[attr-defined]
    assert np.array_equal((made * 255).round().byte().numpy(), column(grid, "merged"))


def test_one_picture_for_all_inputs_is_shown_once() -> None:
    grid, training, nearest_grid = learn("same-image").galleries
    assert grid.columns == ("input and target", "merged")
    assert DATA.labels[rows_of(column(grid, "input and target"))].tolist() == [0, 1, 2]
    assert len(training.columns) == LOOKS
    assert len(nearest_grid.columns) == 3


def test_what_stands_in_front_in_a_chain_is_seen() -> None:
    grids = learn("cutout+smart-augmentation").galleries
    assert len(grids) == 3
    with pytest.raises(KeyError):
        rows_of(column(grids[0], "input 1"))


@pytest.mark.parametrize(("name", "most"), [("mean-of-k:k=3", 3), ("class-mixup", 2)])
def test_controls_show_inputs_and_what_became_of_them(name: str, most: int) -> None:
    (grid,) = learn(name).galleries
    given, merged = grid.images[:, :most].astype(float), column(grid, "merged")
    for place, own in enumerate(grid.images[:, :most]):
        assert set(DATA.labels[rows_of(own)]) == {place}
    if most == 3:
        assert np.abs(given.mean(1) - merged).max() <= 0.5
    assert (merged >= given.min(1) - 0.5).all()
    assert (merged <= given.max(1) + 0.5).all()


def test_a_control_on_masks_shows_nothing() -> None:
    masks = replace(DATA, masks=np.zeros((60, 8, 8), np.uint8))
    assert learn("mean-of-k", world(masks)).galleries == ()


def test_large_pictures_are_kept_small() -> None:
    large = replace(DATA, images=DATA.images.repeat(17, 2).repeat(17, 3))
    grid = learn("mean-of-k", world(large)).galleries[0]
    assert grid.images.shape[2:] == (1, 68, 68)


# --- the training does not notice -----------------------------------------------------------------


def test_looking_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = learn("smart-augmentation", world(epochs=2))
    true = Joint.look

    def only_last(self: Joint, update: int) -> None:
        if update == self.updates:
            true(self, update)

    monkeypatch.setattr(Joint, "look", only_last)
    blind = learn("smart-augmentation", world(epochs=2))
    assert len(blind.galleries[1].columns) == 1
    for a, b in ((seen.target, blind.target), (seen.augmenter.merger, blind.augmenter.merger)):  # type: ignore[attr-defined]
        assert a is not None
        assert b is not None
        for one, other in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("after", [1, 3, 9, 17])
def test_a_stopped_learning_shows_the_same_pictures(tmp_path: Path, after: int) -> None:
    data = world(epochs=4)
    whole = learn("smart-augmentation", data)
    count = iter(range(1, 100))
    stop: Callable[[], bool] = lambda: next(count) == after  # noqa: E731
    keep = Keep(tmp_path / "checkpoints", None, stop=stop)
    with pytest.raises(Stopped):
        learn("smart-augmentation", data, keep)
    again = learn("smart-augmentation", data, replace(keep, stop=lambda: False))
    assert same(whole.galleries, again.galleries)
    assert len(whole.galleries[1].columns) == LOOKS


def test_fewer_updates_than_looks() -> None:
    few = replace(world(epochs=1), recipe=replace(world().recipe, epochs=1, batch_size=30))
    grid = learn("smart-augmentation", few).galleries[1]
    assert grid.columns == ("epoch 0", "epoch 0.5", "epoch 1")
