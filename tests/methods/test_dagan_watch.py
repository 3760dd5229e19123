"""Planted faults of a generator are found, honest ones are not accused, pictures show what is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import stroke_worlds as worlds
import torch
from scipy.spatial import geometric_slerp
from scipy.spatial.distance import cdist
from stroke_worlds import Z
from torch import Tensor

from learnaug.methods import Gallery
from learnaug.methods.dagan import pictures
from learnaug.methods.dagan.watch import (
    CHUNK,
    DRAWS,
    PROBED,
    SHARED,
    Generate,
    made,
    warnings,
    watched,
)
from learnaug.seeds import Seeds

TRAIN, TRAIN_LABELS = worlds.drawings(60, 8, 1)
UNSEEN, LABELS = worlds.drawings(12, 8, 2)
OTHER = worlds.drawings(1, 1, 3)[0][0]
ENOUGH = (1200, 24_000)
KINDS = ("collapse: pictures generated from one", "identity", "collapse: pictures generated from d")
COLLAPSE, IDENTITY, HEED = KINDS
MEMORISATION, CRITIC = "memorisation", "the critic scores"


def figures(generate: Generate, **options: Any) -> dict[str, Any]:
    return watched(generate, UNSEEN, LABELS, TRAIN, Seeds(0), z=Z, **options)


def said(generate: Generate) -> list[str]:
    found = warnings(figures(generate), *ENOUGH)
    return [k for k in (*KINDS, MEMORISATION, CRITIC) for words in found if words.startswith(k)]


def column(gallery: Gallery, name: str) -> np.ndarray[Any, Any]:
    return gallery.images[:, gallery.columns.index(name)]


# --- what is watched ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generate", "wanted"),
    [
        (worlds.honest(), []),
        (worlds.honest(8, 1), []),
        (worlds.honest(15, 2, blur=0.7), []),
        (worlds.noisy_copy(), [COLLAPSE, IDENTITY]),
        (lambda images, z: images, [COLLAPSE, IDENTITY]),
        (worlds.without_z(), [COLLAPSE]),
        (worlds.without_input(OTHER), [HEED]),
        (worlds.from_memory(TRAIN), [HEED, MEMORISATION]),
        (worlds.from_memory(TRAIN, 0.2), [MEMORISATION]),
    ],
    ids=["honest", "less", "blurred", "noisy", "copy", "no-z", "no-input", "memory", "some-memory"],
)
def test_each_planted_fault_is_named_and_no_other(generate: Generate, wanted: list[str]) -> None:
    assert said(generate) == wanted


def test_the_figures_are_those_of_plain_loops() -> None:
    """All 96 pictures, one at a time, with SciPy's distances; the probe is found by its pixels."""
    asked: list[tuple[Tensor, Tensor, Tensor]] = []
    inner = worlds.honest()

    def generate(images: Tensor, z: Tensor) -> Tensor:
        asked.append((images, z, inner(images, z)))
        assert len(images) <= CHUNK
        return asked[-1][2]

    found = watched(generate, UNSEEN, LABELS, TRAIN, Seeds(0), z=Z)
    inputs, noise, outputs = (torch.cat(part) for part in zip(*asked, strict=True))
    many = PROBED * DRAWS
    assert len(inputs) == many + SHARED * PROBED
    assert torch.equal(noise[many:], noise[:SHARED].repeat(PROBED, 1))

    def seen(images: Tensor) -> Any:  # means of 2 x 2, rounded
        blocks = images.numpy().astype(float).reshape(-1, 14, 2, 14, 2)
        return np.floor(blocks.mean((2, 4)) + 0.5).reshape(len(images), -1) / 255 / 14

    train, unseen, probe, drawn = map(seen, (TRAIN, UNSEEN, inputs[:many:DRAWS], outputs))
    shared = drawn[many:].reshape(PROBED, SHARED, -1)
    drawn = drawn[:many].reshape(PROBED, DRAWS, -1)
    known = {image.tobytes(): int(label) for image, label in zip(unseen, LABELS, strict=True)}
    own = np.array([known[image.tobytes()] for image in probe])
    assert np.bincount(own).min() == PROBED // 12  # no class is left out, none is favoured

    def pairs(rows: Any) -> float:
        far = [np.linalg.norm(a - b) for i, a in enumerate(rows) for b in rows[:i]]
        return float(np.mean(far))

    spread = np.mean([pairs(one) for one in drawn])
    moved = np.mean(
        [np.linalg.norm(o - i) for i, one in zip(probe, drawn, strict=True) for o in one]
    )
    assert found["diversity"] == pytest.approx(spread / found["class_distance"], abs=2e-5)
    assert found["identity"] == pytest.approx(moved / found["class_distance"], abs=2e-5)
    other = own[:, None] != own
    heed = np.mean([cdist(shared[:, k], shared[:, k])[other].mean() for k in range(SHARED)])
    assert found["input_heeded"] == pytest.approx(
        heed / cdist(probe, probe)[other].mean(), abs=2e-6
    )
    real, generated = (
        np.array([min(np.linalg.norm(row - t) for t in train) for row in rows])
        for rows in (probe, drawn.reshape(-1, 196)[::16])
    )
    assert np.allclose(generated, cdist(drawn.reshape(-1, 196)[::16], train).min(1), rtol=1e-12)
    far = cdist(drawn.reshape(-1, 196), train).min(1)
    assert found["memory"] == pytest.approx(np.median(far) / np.median(real), abs=2e-6)
    assert found["copied"] == pytest.approx((far < np.median(real) / 2).mean(), abs=2e-6)
    assert found["real_copied"] == pytest.approx((real < np.median(real) / 2).mean(), abs=2e-6)
    # Six of eight drawings of a class stand for it.
    whole = np.mean([pairs(unseen[LABELS.numpy() == label]) for label in range(12)])
    assert found["class_distance"] == pytest.approx(whole, rel=0.1)


def test_six_drawings_of_a_class_are_all_of_it() -> None:
    rows = torch.arange(len(UNSEEN)) % 8 < 6
    found = watched(worlds.honest(), UNSEEN[rows], LABELS[rows], TRAIN, Seeds(0), z=Z)
    blocks = UNSEEN[rows].numpy().astype(float).reshape(12, 6, 14, 2, 14, 2).mean((3, 5))
    seen = np.floor(blocks + 0.5).reshape(12, 6, -1) / 255 / 14
    far = [cdist(own, own)[np.triu_indices(6, 1)].mean() for own in seen]
    assert found["class_distance"] == pytest.approx(np.mean(far), abs=2e-6)


def test_the_same_seeds_give_the_same_figures_and_others_do_not() -> None:
    first = figures(worlds.honest())
    assert first == figures(worlds.honest())
    assert first != watched(worlds.honest(), UNSEEN, LABELS, TRAIN, Seeds(1), z=Z)
    assert all(type(value) is float for value in first.values())


def test_what_cannot_be_measured_is_absent() -> None:
    alone = torch.arange(0, 96, 8)
    singles = watched(worlds.honest(), UNSEEN[alone], LABELS[alone], TRAIN, Seeds(0), z=Z)
    assert set(singles) == {"input_heeded", "memory", "copied", "real_copied"}
    one = watched(worlds.honest(), UNSEEN[:8], LABELS[:8], TRAIN[:0], Seeds(0), z=Z)
    assert set(one) == {"class_distance", "diversity", "identity"}
    trained = watched(worlds.honest(), TRAIN, TRAIN_LABELS, TRAIN, Seeds(0), z=Z)
    assert not {"memory", "copied"} & set(trained)
    assert warnings(singles, *ENOUGH) == warnings(one, *ENOUGH) == []


@pytest.mark.parametrize(
    ("classes", "pictures", "told"),
    [(100, 1_000, False), (99, 1_000, True), (100, 999, True), (2, 40_000, True)],
)
def test_too_few_classes_or_pictures_are_said_with_the_evidence(
    classes: int, pictures: int, told: bool
) -> None:
    found = warnings({}, classes, pictures)
    assert len(found) == told
    if told:
        for part in (f"{classes} classes with {pictures:,} pictures", "10 classes of 28", "1,200"):
            assert part in found[0]


def test_a_critic_that_prefers_generated_pictures_is_said() -> None:
    found = figures(worlds.honest(), critic_distance=-0.25)
    assert found["critic_distance"] == -0.25
    assert [w[:17] for w in warnings(found, *ENOUGH)] == [CRITIC]
    assert "0.25 above" in warnings(found, *ENOUGH)[0]
    assert warnings(found | {"critic_distance": 0.25}, *ENOUGH) == []


def test_the_words_carry_the_figures() -> None:
    found = figures(worlds.from_memory(TRAIN, 0.2))
    (words,) = warnings(found, *ENOUGH)
    assert f"{found['memory']:.3g} times as far" in words
    assert f"{found['copied']:.0%} are near copies" in words
    assert 0.1 < found["copied"] < 0.4


# --- the pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.9, 1.0])
def test_slerp_is_that_of_scipy_on_the_sphere(share: float) -> None:
    gen = Seeds(5).numpy()
    for _ in range(20):
        a, b = gen.standard_normal((2, 7))
        unit = [a / np.linalg.norm(a), b / np.linalg.norm(b)]
        wanted = geometric_slerp(*unit, np.array([share]))[0]
        found = pictures.slerp(*map(torch.from_numpy, unit), share).numpy()
        assert np.allclose(found, wanted, atol=1e-9)
        # Off the sphere: the same weights on the points as they are.
        angle = np.arccos(np.dot(*unit))
        off = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
        assert np.allclose(pictures.slerp(*map(torch.from_numpy, (a, b)), share), off)


def test_slerp_between_equal_and_opposite_points_is_a_line() -> None:
    a = torch.tensor([3.0, 4.0])
    assert torch.allclose(pictures.slerp(a, a, 0.3), a)
    assert torch.allclose(pictures.slerp(a, 2 * a, 0.5), 1.5 * a)
    assert torch.allclose(pictures.slerp(a, -a, 0.25), 0.5 * a)


def test_the_grid_of_the_sphere() -> None:
    """One real picture, in the corner; the z of every third cell are drawn, the others between."""
    seen: list[Tensor] = []

    def generate(images: Tensor, z: Tensor) -> Tensor:
        assert torch.equal(images, UNSEEN[3].expand_as(images))
        seen.append(z)
        return worlds.honest()(images, z)

    grid = pictures.interpolation(generate, UNSEEN[3], "a", Seeds(4), z=Z)
    assert grid.images.shape == (10, 10, 1, 28, 28)
    z = torch.cat(seen).reshape(10, 10, Z).numpy().astype(float)
    anchors = Seeds(4).numpy().standard_normal((4, 4, Z), np.float32)
    assert np.array_equal(z[::3, ::3], anchors)

    def between(a: Any, b: Any, share: float) -> Any:
        angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)

    assert np.allclose(z[1, 0], between(anchors[0, 0], anchors[1, 0], 1 / 3), atol=1e-5)
    assert np.allclose(z[6, 8], between(anchors[2, 2], anchors[2, 3], 2 / 3), atol=1e-5)
    inner = [between(anchors[1, k], anchors[2, k], 1 / 3) for k in (0, 1)]
    assert np.allclose(z[4, 2], between(*inner, 2 / 3), atol=1e-5)
    made_again = worlds.honest()(UNSEEN[3].expand(100, -1, -1, -1), torch.cat(seen)).numpy()
    cells = grid.images.reshape(100, 1, 28, 28)
    assert np.array_equal(cells[0], UNSEEN[3].numpy())
    assert np.array_equal(cells[1:], made_again[1:])
    apart = [float(x) for x in re.findall(r"(?:are|apart|is) (\d\.\d+)", grid.words)]
    seen_again = made_again.astype(float).reshape(10, 10, 14, 2, 14, 2).mean((3, 5))
    rows = np.floor(seen_again + 0.5).reshape(10, 10, -1) / 255 / 14
    sides = [np.linalg.norm(rows[:, step:] - rows[:, :-step], axis=2).mean() for step in (1, 3)]
    assert apart[:2] == pytest.approx(sides, rel=0.05)
    assert apart[0] < apart[1] < 3 * apart[0]


def test_the_grid_over_the_training_is_in_the_order_of_updates() -> None:
    real, names = UNSEEN[::8], [f"c{k}" for k in range(12)]
    shots = {at: (real // (k + 1)) for k, at in enumerate(range(0, 24_000, 1000))}
    shots = dict(reversed(shots.items()))
    grid = pictures.grids_over_training(names, real, shots)
    assert grid.images.shape == (8, 11, 1, 28, 28)
    assert grid.columns[:2] == ("real", "before")
    assert grid.columns[-1] == "23,000 updates"
    assert grid.rows == tuple(names[:8])
    for name, cells in zip(grid.columns[2:], grid.images.swapaxes(0, 1)[2:], strict=True):
        assert np.array_equal(cells, shots[int(name.split()[0].replace(",", ""))][:8])
    one = pictures.grids_over_training(names, real, {7: real})
    assert one.columns == ("real", "7 updates")


def test_several_z_and_where_they_differ() -> None:
    real, names = UNSEEN[::8][:3], ["a", "b", "c"]

    def corner(images: Tensor, z: Tensor) -> Tensor:
        changed = images.clone()
        changed[:, :, 0, 0] = torch.where(z[:, 0] > 0, 255, 0).byte()[:, None]
        return changed

    grid = pictures.several(corner, names, real, Seeds(0), z=Z)
    differ = column(grid, "differ")
    assert np.argwhere(differ.any((0, 1))).tolist() == [[0, 0]]
    assert differ.max() == 255
    assert np.array_equal(column(grid, "real"), real)
    again = made(corner, real.numpy(), torch.from_numpy(
        Seeds(0).numpy().standard_normal((3, DRAWS, Z), np.float32)
    ))  # fmt: skip
    assert np.array_equal(grid.images[:, 1:-1], again)
    still = pictures.several(lambda images, z: images, names, real, Seeds(0), z=Z)
    assert not column(still, "differ").any()


def test_neighbours_are_those_of_scipy() -> None:
    real = UNSEEN[::8]
    drawn = worlds.from_memory(TRAIN)(real, torch.randn(12, Z, generator=Seeds(1).torch()))
    grid = pictures.neighbours([f"c{k}" for k in range(12)], real, drawn, TRAIN)
    assert len(grid.rows) == 8
    assert np.array_equal(column(grid, "generated"), column(grid, "nearest to generated"))

    def seen(images: Tensor) -> Any:
        blocks = images.numpy().astype(float).reshape(-1, 14, 2, 14, 2)
        return np.floor(blocks.mean((2, 4)) + 0.5).reshape(len(images), -1) / 255 / 14

    far = cdist(seen(real), seen(TRAIN))
    near = far.argmin(1)
    assert np.array_equal(column(grid, "nearest to real"), TRAIN[near][:8])
    assert grid.rows == tuple(f"c{k} ({far[k].min():.3f}, 0.000)" for k in range(8))
    assert f"{np.median(far.min(1)):.3g} for real ones, 0 for generated" in grid.words
    assert f"{len(set(near))} different training pictures for real ones" in grid.words
    assert f"{len({image.numpy().tobytes() for image in drawn})} for generated" in grid.words


def test_a_lost_class_is_said() -> None:
    (words,) = warnings({"class_kept": 0.18}, *ENOUGH)
    assert words.startswith("the class is lost")
    assert "18%" in words
    assert warnings({"class_kept": 0.6}, *ENOUGH) == []
