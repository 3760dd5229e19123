"""Batches: every epoch shows each image once, and a batch follows from its number alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug.data.batch import batches, make_batch, order
from learnaug.errors import UsageError
from learnaug.seeds import Seeds


@given(st.integers(1, 30), st.data())
@settings(max_examples=50, deadline=None)
def test_each_epoch_shows_each_image_exactly_once(n, data):
    size = data.draw(st.integers(1, n))
    stream = np.concatenate([batches(n, size, u, Seeds(5)) for u in range(3 * n // size + 1)])
    for epoch in range(3):
        assert sorted(stream[epoch * n : (epoch + 1) * n].tolist()) == list(range(n))


def test_stream_is_the_orders_one_behind_the_other():
    naive = np.concatenate([order(10, epoch, Seeds(3)) for epoch in range(4)])
    for update in range(10):
        got = batches(10, 4, update, Seeds(3))
        assert got.tolist() == naive[4 * update : 4 * update + 4].tolist()
        assert got.dtype == np.int64


def test_orders_differ_by_epoch_and_seed():
    assert not np.array_equal(order(50, 0, Seeds(0)), order(50, 1, Seeds(0)))
    assert not np.array_equal(order(50, 0, Seeds(0)), order(50, 0, Seeds(1)))


@pytest.mark.parametrize(("n", "size", "update"), [(3, 4, 0), (3, 0, 0), (0, 1, 0), (3, 2, -1)])
def test_numbers_out_of_range_are_refused(n, size, update):
    with pytest.raises(UsageError, match="must hold, but got"):
        batches(n, size, update, Seeds(0))


def make(masks=None):
    rng = np.random.Generator(np.random.Philox(0))
    return SimpleNamespace(
        images=rng.integers(0, 256, (5, 3, 4, 6), np.uint8),
        labels=np.array([2, 0, 1, 1, 0]),
        classes=("a", "b", "c"),
        masks=masks,
    )


def test_batch_copies_pixels_and_writes_one_hot_targets():
    data = make()
    batch = make_batch(data, np.array([4, 0, 0]), torch.device("cpu"))
    assert np.array_equal(batch.images.numpy(), data.images[[4, 0, 0]])
    assert batch.images.dtype == torch.uint8
    assert batch.targets.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert batch.targets.dtype == batch.weights.dtype == torch.float32
    assert batch.weights.tolist() == [1, 1, 1]
    assert batch.generated.tolist() == [False] * 3
    batch.images.zero_()
    assert data.images.any()


def test_empty_batch_keeps_its_shape():
    batch = make_batch(make(), np.zeros(0, np.int64), "cpu")
    assert (batch.images.shape, batch.targets.shape) == ((0, 3, 4, 6), (0, 3))


def test_masks_are_the_targets_of_segmentation():
    masks = np.arange(5 * 4 * 6, dtype=np.uint8).reshape(5, 4, 6)
    batch = make_batch(make(masks), np.array([3]), "cpu")
    assert batch.targets.dtype == torch.int64
    assert np.array_equal(batch.targets.numpy(), masks[[3]])
