"""Duplicates: all planted ones found, few others named, on real pictures and on hard cases."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from learnaug.data.duplicates import Duplicates, duplicate_groups


def noise(n, size=16, seed=0, channels=3):
    rng = np.random.Generator(np.random.Philox(seed))
    return rng.integers(0, 256, (n, channels, size, size), np.uint8)


@pytest.fixture(scope="module")
def cifar(shared_data):
    """600 real pictures of ten classes, uint8 [600, 3, 32, 32]."""
    with zipfile.ZipFile(shared_data / "cifar10" / "cifar10.zip") as pack:
        names = sorted(n for n in pack.namelist() if n.endswith(".png") and "train/" in n)
        opened = [Image.open(io.BytesIO(pack.read(n))) for n in names[::16][:600]]
        return np.stack([np.asarray(im.convert("RGB")).transpose(2, 0, 1) for im in opened])


def through_pillow(image, change):
    return np.asarray(change(Image.fromarray(image.transpose(1, 2, 0)))).transpose(2, 0, 1)


def jpeg(im, quality=50):
    buffer = io.BytesIO()
    im.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def resized(im, factor):
    small = im.resize((round(im.width * factor), round(im.height * factor)), Image.BILINEAR)
    return small.resize(im.size, Image.BILINEAR)


CHANGES = {
    "jpeg 50": jpeg,
    "smaller": lambda im: resized(im, 0.8),
    "larger": lambda im: resized(im, 1.2),
    "flip": lambda im: im.transpose(Image.FLIP_LEFT_RIGHT),
    "darker": lambda im: ImageEnhance.Brightness(im).enhance(0.9),
    "lighter": lambda im: ImageEnhance.Brightness(im).enhance(1.1),
    "all at once": lambda im: jpeg(
        resized(ImageEnhance.Brightness(im.transpose(Image.FLIP_LEFT_RIGHT)).enhance(1.1), 0.8)
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_planted_near_duplicates_of_real_pictures_are_found(cifar, change):  # TRUST.md C9
    copies = np.stack([through_pillow(image, CHANGES[change]) for image in cifar[:200]])
    group = duplicate_groups(np.concatenate([cifar, copies])).groups(800)
    found = (group[:200] >= 0) & (group[:200] == group[600:])
    assert found.mean() >= 0.95


def test_few_real_pictures_are_called_duplicates_without_cause(cifar):
    found = duplicate_groups(cifar)
    assert sum(len(cluster) for cluster in found.near) <= 0.01 * len(cifar)
    assert found.exact == ()


def test_few_handwritten_signs_are_called_duplicates_without_cause(shared_data):
    signs = np.load(shared_data / "emnist" / "emnist.npz")["x"][::7, None]
    found = duplicate_groups(signs)
    assert sum(len(cluster) for cluster in found.near) <= 0.01 * len(signs)


def test_all_planted_exact_duplicates_are_found():  # 50 of 50
    images = noise(200)
    rows = np.arange(0, 100, 2)
    found = duplicate_groups(np.concatenate([images, images[rows]]))
    assert found.exact == tuple((int(i), 200 + k) for k, i in enumerate(rows))
    assert found.near == ()


def test_one_changed_pixel_is_near_and_not_exact():
    images = noise(30)
    images[7] = images[3]
    images[7, 0, 0, 0] ^= 8
    assert duplicate_groups(images) == Duplicates((), ((3, 7),))
    assert duplicate_groups(images, near=False) == Duplicates((), ())


def test_near_clusters_contain_the_exact_copies_of_their_members():
    images = noise(30)
    images[[4, 9]] = images[2]
    images[20] = images[2, :, :, ::-1]
    found = duplicate_groups(images)
    assert found == Duplicates(((2, 4, 9),), ((2, 4, 9, 20),))
    assert found.groups(30)[[2, 4, 9, 20]].tolist() == [1] * 4
    assert found.groups(30, near=False)[[2, 4, 9, 20]].tolist() == [0, 0, 0, -1]


def test_many_exact_copies_do_not_hide_a_near_one():
    images = noise(40)
    images[:10] = images[0]
    images[20] = images[0, :, :, ::-1]
    assert duplicate_groups(images).near == ((*range(10), 20),)


def test_faint_pictures_have_no_near_duplicates():
    images = noise(30)
    step = np.arange(16) // 8  # one grey level: what is left of two pictures that show nothing
    images[3], images[9] = 100 + step, 120 + step
    assert duplicate_groups(images).near == ()
    images[3], images[9] = 100 + 20 * step, 110 + 20 * step
    assert duplicate_groups(images).near == ((3, 9),)


def test_few_flat_and_smooth_pictures_are_called_duplicates():
    levels = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 16, 16), np.uint8)
    faint = levels + noise(40, channels=1) // 64
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    shapes = np.stack([x, y, x * y, x * x, y * y, x * x * y])
    weights = np.random.Generator(np.random.Philox(1)).normal(0, 25, (300, 6))
    smooth = np.clip(128 + np.tensordot(weights, shapes, 1), 0, 255).astype(np.uint8)[:, None]
    for pictures in (levels, faint, smooth):
        found = duplicate_groups(pictures).near
        assert sum(map(len, found)) <= 0.05 * len(pictures)  # some are very much alike


def test_two_brightnesses_beyond_the_range_are_two_pictures():
    images = noise(30) // 4
    images[9] = images[3] * 2
    images[12] = images[5] + images[5] // 10
    assert duplicate_groups(images).near == ((5, 12),)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_very_few_pictures(n):
    assert duplicate_groups(noise(n)) == Duplicates((), ())


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 3)])
def test_sizes_below_the_thumbnails(shape):
    images = noise(12, 40)[:, :, : shape[0], : shape[1]].copy()
    images[5] = images[1]
    assert (1, 5) in duplicate_groups(images).exact


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=12))
@settings(max_examples=30, deadline=None)
def test_clusters_are_those_of_a_naive_search(copies):
    images = noise(20, 4)
    for source, target in copies:
        images[target] = images[source]
    naive = {tuple(j for j in range(20) if np.array_equal(images[i], images[j])) for i in range(20)}
    assert set(duplicate_groups(images).exact) == {c for c in naive if len(c) > 1}
