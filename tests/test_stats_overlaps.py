"""IoU, pixel accuracy and their interval against scikit-learn, NumPy loops and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, jaccard_score

from learnaug import stats
from learnaug.errors import UsageError
from learnaug.seeds import Seeds


def drawn(n: int = 6, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    gen = Seeds(seed).child("overlaps").numpy()
    masks = gen.integers(0, classes, (n, 9, 7))
    found = np.where(gen.random(masks.shape) < 0.6, masks, gen.integers(0, classes, masks.shape))
    masks[gen.random(masks.shape) < 0.2] = 255
    return found, masks


@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_scikit_learns_without_the_ignored_pixels(seed: int) -> None:
    found, masks = drawn(seed=seed)
    kept = masks != 255
    own = stats.overlap(found, masks, 5)
    each = jaccard_score(masks[kept], found[kept], labels=range(5), average=None)
    np.testing.assert_allclose(stats.iou_per_class(own), each, rtol=1e-12)
    assert stats.mean_iou(own) == pytest.approx(each.mean(), rel=1e-12)
    assert stats.pixel_accuracy(own) == pytest.approx(accuracy_score(masks[kept], found[kept]))


def test_counts_of_each_picture_equal_loops() -> None:
    found, masks = drawn()
    own = stats.overlap(found, masks, 5)
    for i in range(len(found)):
        for k in range(5):
            both = truth = predicted = 0
            for p, t in zip(found[i].ravel().tolist(), masks[i].ravel().tolist(), strict=True):
                both += p == k == t
                truth += t == k
                predicted += p == k and t != 255
            assert (own.hits[i, k], own.truth[i, k], own.predicted[i, k]) == (
                both,
                truth,
                predicted,
            )
            assert own.union[i, k] == truth + predicted - both


def test_only_classes_that_occur_count() -> None:
    masks = np.array([[[0, 0, 1, 255]]])
    own = stats.overlap([[[0, 2, 1, 4]]], masks, 5)
    # 3 is nowhere, 4 only where nothing is counted; 2 is predicted, and wrong
    assert stats.iou_per_class(own) == (0.5, 1.0, 0.0, None, None)
    assert stats.mean_iou(own) == 0.5


def test_parts_join_to_the_whole() -> None:
    found, masks = drawn()
    whole = stats.overlap(found, masks, 5, nll=np.arange(6))
    halves = [stats.overlap(found[s], masks[s], 5, nll=np.arange(6)[s]) for s in np.s_[:2, 2:]]
    for name in ("hits", "truth", "predicted", "nll"):
        np.testing.assert_array_equal(
            getattr(whole, name), getattr(stats.joined(halves), name), strict=True
        )


@pytest.mark.parametrize(
    ("found", "masks", "words"),
    [
        ([[[0]]], [[[0, 1]]], "two arrays"),
        ([[0]], [[0]], "two arrays"),
        ([[[7]]], [[[0]]], "reach 7"),
        ([[[0]]], [[[254]]], "reach 254"),
    ],
)
def test_what_does_not_fit_is_refused(found: object, masks: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        stats.overlap(found, masks, 3)  # type: ignore[arg-type]


def test_without_a_counted_pixel_there_is_no_mean() -> None:
    with pytest.raises(UsageError, match="no pixel"):
        stats.mean_iou(stats.overlap([[[0]]], [[[255]]], 2))


def areas(runs: int, n: int, gain: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidate and baseline of images whose IoU is near 0.5, the candidate's `gain` higher."""
    gen = Seeds(seed).child("areas").numpy()
    union = gen.integers(50, 100, (runs, n, 2)).astype(float)
    share = np.clip(0.5 + 0.1 * gen.standard_normal((runs, n, 2)), 0.1, 0.9)
    better = np.clip(share + gain + 0.05 * gen.standard_normal(share.shape), 0, 1)
    left, right = (np.stack([union * s, union], 2) for s in (better, share))
    return left, right


def test_interval_equals_a_plain_bootstrap() -> None:
    left, right = areas(2, 40, 0.05, 0)
    low, high = stats.iou_interval(left, right, draws=4000)
    gen = np.random.Generator(np.random.Philox(5))
    means = []
    for _ in range(4000):
        rows = gen.integers(0, 40, 40)
        both = [
            np.mean([(one[r, rows, 0].sum(0) / one[r, rows, 1].sum(0)).mean() for r in range(2)])
            for one in (left, right)
        ]
        means.append(both[0] - both[1])
    # t with 39 degrees of freedom in place of the normal, n / (n - 1): about 4 % wider
    expected = np.quantile(means, [0.0204, 0.9796])
    np.testing.assert_allclose([low, high], expected, atol=0.002)
    assert 0 < low < 0.05 < high


def test_interval_covers_the_truth_about_19_times_in_20() -> None:
    truth = 0.0
    hit = 0
    for seed in range(200):
        low, high = stats.iou_interval(*areas(1, 30, truth, seed), draws=400)
        hit += low <= truth <= high
    assert 180 <= hit <= 198


def test_images_of_a_group_are_drawn_together() -> None:
    left, right = areas(1, 10, 0.02, 0)
    twice = [np.repeat(one, 4, axis=1) for one in (left, right)]
    alone = stats.iou_interval(*twice)
    together = stats.iou_interval(*twice, groups=np.repeat(np.arange(10), 4))
    assert together[1] - together[0] > 1.7 * (alone[1] - alone[0])
    single = stats.iou_interval(left, right)
    np.testing.assert_allclose(together, single, atol=1e-12)
    with pytest.raises(UsageError, match="at least 2 groups"):
        stats.iou_interval(left, right, groups=np.zeros(10, int))


def test_the_words_name_the_metric() -> None:
    assert stats.metric_words("mean_iou") == "mean IoU"
    words = stats.verdict("a", "b", [0.9] * 6, [0.8] * 6, (0.05, 0.15), metric="mean IoU").words
    assert "points of mean IoU" in words
