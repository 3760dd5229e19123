"""Loose pictures in anybody's loop: what is refused, what labels become."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from learnaug.errors import UsageError
from learnaug.methods import Chain, PolicyAugmenter, load_augmenter
from learnaug.ops import Element, Policy, Stage

PICTURES = np.full((4, 8, 8, 3), 100, np.uint8)
BRIGHT = np.arange(4, dtype=np.uint8)[:, None, None, None] * 60 + np.zeros_like(PICTURES)


def test_labels_stay_what_they_are_where_nothing_is_mixed() -> None:
    labels = [3, 1, 2, 0]
    _, after = load_augmenter("cutout").apply(PICTURES, labels, seed=0)
    assert after is labels


def test_mixed_labels_say_how_much_of_each_picture_there_is() -> None:
    """Constant pictures: the brightness of the result tells the true share of each class."""
    images, targets = load_augmenter("mixup").apply(BRIGHT, [0, 1, 2, 3], seed=1, classes=4)
    expected = targets @ (np.arange(4) * 60)
    np.testing.assert_allclose(images.reshape(4, -1).mean(1), expected, atol=1.0)
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-6)


def test_mixing_needs_the_number_of_classes() -> None:
    with pytest.raises(UsageError, match="it must know K"):
        load_augmenter("mixup").apply(BRIGHT, [0, 1, 2, 3], seed=1)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 8, 8), np.uint8), r"shape \(2, 8, 8\)"),
        (np.zeros((2, 8, 8, 7), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((2, 3, 8, 8), np.int64), "uint8 or float"),
        (np.full((2, 3, 8, 8), 7.0), "from 7 to 7"),
        (np.full((2, 3, 8, 8), -0.5), "before you normalise"),
        (np.full((2, 3, 8, 8), np.nan), "from nan"),
    ],
)
def test_images_that_are_not_pictures_are_refused(images: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_augmenter("none").apply(images, seed=0)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2, -1], [0, 1, 2, 9]])
def test_labels_that_do_not_fit_are_refused(labels: list[int]) -> None:
    with pytest.raises(UsageError, match="labels must"):
        load_augmenter("mixup").apply(PICTURES, labels, seed=0, classes=4)


def test_each_seed_draws_its_own() -> None:
    augment = load_augmenter("cutout")
    a, b = (augment.apply(torch.from_numpy(PICTURES), seed=seed) for seed in (0, 1))
    assert not torch.equal(a, b)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cutot", "did you mean cutout?"),
        ("cutout+mixip", "did you mean mixup?"),
        ("x.json", "exist"),
    ],
)
def test_unknown_names_answer_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        load_augmenter(name)


def test_weights_per_class_need_labels():
    stage = Stage(((Element("invert"),), ()), ((1.0, 0.0), (0.0, 1.0)), given="class")
    augment = PolicyAugmenter(Policy((stage,), "by class"))
    images = np.zeros((4, 3, 8, 8), np.uint8)
    with pytest.raises(UsageError, match="labels"):
        augment.apply(images, seed=0)
    with pytest.raises(UsageError, match="labels"):
        Chain((augment,)).apply(images, seed=0)
    changed, labels = augment.apply(images, [0, 1, 0, 1], seed=0)
    assert changed.reshape(4, -1).max(1).tolist() == [255, 0, 255, 0]
    assert labels == [0, 1, 0, 1]


@pytest.mark.parametrize("name", ["trivialaugment", "flip-crop+mixup", "uniform"])
def test_a_device_is_not_waited_for(name):
    """Meta tensors hold no values: whatever is read back from the device fails here."""
    images = torch.empty((6, 3, 8, 8), device="meta")
    labels = torch.empty(6, dtype=torch.int64, device="meta")
    for pictures in (images, images.to(torch.uint8)):
        after, targets = load_augmenter(name).apply(pictures, labels, seed=0, classes=4)
        assert (after.shape, after.dtype, after.device.type) == (*_kind(pictures), "meta")
        assert targets.shape == ((6, 4) if "mixup" in name else (6,))


def _kind(tensor):
    return tensor.shape, tensor.dtype
