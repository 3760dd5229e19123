"""Numbers of the statistics against SciPy, scikit-learn, naive loops and hand values."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as oracle

from learnaug import stats
from learnaug.errors import UsageError
from learnaug.seeds import Seeds


def generator(*names):
    return Seeds(7).child("test", *names).numpy()


def scores(n, *, shift=0.01, name="scores"):
    gen = generator(name, n)
    return gen.normal(0.8 + shift, 0.02, n), gen.normal(0.8, 0.02, n)


@pytest.mark.parametrize("n", [2, 3, 5, 6, 10, 15])
def test_paired_equals_scipy(n):
    c, b = scores(n)
    got = stats.paired(c, b)
    low, high = oracle.ttest_rel(c, b).confidence_interval(0.95)
    assert got.interval == pytest.approx((low, high), abs=1e-10)
    assert got.mean == pytest.approx(float((c - b).mean()), abs=1e-12)
    assert got.sd == pytest.approx(float(np.std(c - b, ddof=1)), abs=1e-12)
    assert (got.n, got.wins) == (n, int((c > b).sum()))


@pytest.mark.parametrize("n", [2, 4, 6, 8, 12])
def test_sign_flip_equals_scipy(n):
    c, b = scores(n)
    exact = oracle.permutation_test(
        (c, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert stats.paired(c, b).p == pytest.approx(exact.pvalue, abs=1e-10)


def test_sign_flip_counts_ties_of_rounded_scores():
    # Differences are whole images of 90: equal sums differ by rounding once they are fractions.
    gen = generator("ties")
    for _ in range(50):
        c, b = gen.integers(60, 90, (2, 6))
        signs = np.array(list(itertools.product([1, -1], repeat=6)))
        by_hand = float(np.mean(np.abs(signs @ (c - b)) >= abs((c - b).sum())))
        assert stats.paired(c / 90, b / 90).p == by_hand


def test_sign_flip_extremes():
    assert stats.paired([0.2] * 6, [0.1] * 6).p == 2 / 64
    assert stats.paired([0.1] * 6, [0.1] * 6).p == 1.0
    assert stats.paired([0.2], [0.1]).p == 1.0


def test_sign_flip_by_drawing_agrees_with_all_patterns(monkeypatch):
    c, b = scores(12, shift=0.008)
    exact = stats.paired(c, b).p
    monkeypatch.setattr(stats.pairs, "EXACT_PAIRS", 11)
    drawn = stats.paired(c, b).p
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 100_000))
    assert drawn == stats.paired(c, b).p  # its own generator: the same p twice


def test_nadeau_bengio_widens_as_written():
    c, b = scores(10)
    plain, wide = stats.paired(c, b), stats.paired(c, b, overlap=0.15 / 0.70)
    ratio = (wide.interval[1] - wide.mean) / (plain.interval[1] - plain.mean)
    assert ratio == pytest.approx(math.sqrt((1 / 10 + 0.15 / 0.70) / (1 / 10)), abs=1e-10)


def test_one_pair_has_no_interval_and_equal_scores_a_point():
    one = stats.paired([0.5], [0.4])
    assert (one.sd, one.interval, one.n) == (None, None, 1)
    same = stats.paired([0.5, 0.6], [0.5, 0.6])
    assert (same.mean, same.sd, same.interval, same.wins) == (0.0, 0.0, (0.0, 0.0), 0)


@pytest.mark.parametrize(
    ("c", "b", "words"),
    [
        ([], [], "at least one pair"),
        ([0.1, 0.2], [0.1], "2 against 1"),
        ([0.1, math.nan], [0.1, 0.2], "number 1: nan"),
        ([0.1, 0.2], [math.inf, 0.2], "number 0: inf"),
    ],
)
def test_scores_that_make_no_pairs_are_refused(c, b, words):
    with pytest.raises(UsageError, match=words):
        stats.paired(c, b)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 10), (3, 10), (5, 6), (6, 6), (77, 200)])
def test_wilson_equals_scipy(k, n):
    expected = oracle.binomtest(k, n).proportion_ci(method="wilson")
    assert stats.wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-10)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (3, 2), (-1, 4), (math.nan, 4)])
def test_wilson_refuses(k, n):
    with pytest.raises(UsageError):
        stats.wilson(k, n)


def test_share_won_counts_a_tie_as_half():
    won = stats.share_won([0.9, 0.5, 0.4, 0.7], [0.8, 0.5, 0.6, 0.6])
    assert won.share == 0.625
    assert won.interval == stats.wilson(2.5, 4)


def test_holm_hand_values_and_order():
    # Holm 1979 by hand: 4 x .005, max(.02, 3 x .01), max(.03, 2 x .03), max(.06, .04).
    assert stats.holm([0.03, 0.005, 0.04, 0.01]) == pytest.approx((0.06, 0.02, 0.06, 0.03))
    assert stats.holm([0.9, 0.8]) == (1.0, 1.0)
    assert stats.holm([]) == ()
    with pytest.raises(UsageError):
        stats.holm([1.2])


def test_holm_keeps_twenty_null_strategies_under_five_percent():
    families = generator("holm").random((2000, 20))
    claims = np.mean([min(stats.holm(p)) <= 0.05 for p in families])
    assert 0.03 < claims <= 0.06


# --- images


def naive_images(d, groups, labels, gen, draws):
    """Resample group by group with a loop; return the means."""
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    means = []
    for _ in range(draws):
        drawn = np.concatenate([members[i] for i in gen.integers(0, len(members), len(members))])
        kept = [d[drawn][labels[drawn] == k] for k in np.unique(labels)]
        means.append(np.mean([part.mean() for part in kept if len(part)]))
    return np.array(means)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("balanced", [False, True])
def test_image_interval_equals_a_naive_loop(grouped, balanced):
    gen = generator("images", int(grouped), int(balanced))
    n = 240
    c, b = gen.integers(0, 7, n) / 6, gen.integers(0, 6, n) / 6
    groups = np.arange(n) // (6 if grouped else 1)
    labels = (gen.random(n) < 0.2).astype(int) if balanced else np.zeros(n, int)
    low, high = stats.image_interval(
        c, b, groups if grouped else None, gen, 20_000, labels=labels if balanced else None
    )
    means = naive_images(c - b, groups, labels, gen, 4000)
    g = len(np.unique(groups))
    tail = oracle.norm.cdf(-oracle.t.ppf(0.975, g - 1) * math.sqrt(g / (g - 1)))
    noise = 5 * means.std() * math.sqrt(tail) / math.sqrt(4000) / oracle.norm.pdf(1.96) / 2
    assert low == pytest.approx(np.quantile(means, tail), abs=noise)
    assert high == pytest.approx(np.quantile(means, 1 - tail), abs=noise)


def test_image_interval_of_many_images_is_the_normal_one():
    gen = generator("normal images")
    d = gen.normal(0.02, 0.4, 5000)
    low, high = stats.image_interval(d, np.zeros(5000), gen=gen)
    half = 1.96 * d.std() / math.sqrt(5000)
    assert (low, high) == pytest.approx((d.mean() - half, d.mean() + half), abs=0.05 * half)


def test_a_class_that_is_not_drawn_is_left_out():
    d = np.array([1.0] * 9 + [0.0])
    low, _ = stats.image_interval(d, np.zeros(10), labels=[0] * 9 + [1])
    assert low == 0.5  # never below: without the lone image of class 1 the mean is that of class 0
    gen = generator("absent")
    means = naive_images(d, np.arange(10), np.array([0] * 9 + [1]), gen, 4000)
    high = stats.image_interval(d, np.zeros(10), labels=[0] * 9 + [1])[1]
    assert high == means.max() == 1.0


def test_groups_widen_the_interval():
    d = np.repeat(generator("groups").normal(0, 0.3, 40), 25)
    free = stats.image_interval(d, np.zeros(1000))
    tied = stats.image_interval(d, np.zeros(1000), np.repeat(np.arange(40), 25))
    assert (tied[1] - tied[0]) > 3 * (free[1] - free[0])


def test_minus_one_is_a_group_of_its_own():
    c, b = generator("own").random((2, 50))
    alone = stats.image_interval(c, b, np.full(50, -1), generator("g"))
    assert alone == stats.image_interval(c, b, None, generator("g"))


def test_same_generator_same_interval_twice():
    c, b = generator("twice").random((2, 300))
    assert stats.image_interval(c, b) == stats.image_interval(c, b)
    first = stats.image_interval(c, b, gen=generator("a"))
    assert first == stats.image_interval(c, b, gen=generator("a"))
    assert first != stats.image_interval(c, b, gen=generator("b"))


def test_chunks_change_nothing_but_memory(monkeypatch):
    c, b = generator("chunks").random((2, 200))
    whole = stats.image_interval(c, b)
    monkeypatch.setattr(stats.images, "CHUNK", 1)
    assert stats.image_interval(c, b, draws=500) == pytest.approx(whole, abs=0.02)


def test_image_interval_covers_with_few_groups():
    gen = generator("cover")
    hits = 0
    for _ in range(600):
        d = gen.normal(0.1, 1.0, 8)
        low, high = stats.image_interval(d, np.zeros(8), gen=gen, draws=2000)
        hits += low <= 0.1 <= high
    assert hits / 600 >= 0.93


@pytest.mark.parametrize(("n", "groups"), [(0, None), (1, None), (3, [4, 4, 4])])
def test_image_interval_needs_two_groups(n, groups):
    with pytest.raises(UsageError, match="at least 2 groups"):
        stats.image_interval(np.ones(n), np.ones(n), groups)


def test_image_interval_refuses_nan_and_lengths():
    with pytest.raises(UsageError, match="number 1: nan"):
        stats.image_interval([1, math.nan], [1, 1])
    with pytest.raises(UsageError, match="pairs"):
        stats.image_interval([1, 1], [1])
    with pytest.raises(UsageError, match="groups must have shape"):
        stats.image_interval([1, 1], [1, 1], [1])


# --- metrics


@pytest.fixture
def predicted():
    gen = generator("predictions")
    p = gen.dirichlet(np.full(4, 0.6), 300)
    return p, gen.integers(0, 3, 300)


def test_metrics_equal_sklearn(predicted):
    from sklearn import metrics as sk

    p, labels = predicted
    guess = p.argmax(1)
    assert stats.accuracy(p, labels) == pytest.approx(sk.accuracy_score(labels, guess), abs=1e-12)
    assert stats.accuracy(guess, labels) == stats.accuracy(p, labels)
    balanced = sk.recall_score(labels, guess, labels=[0, 1, 2], average="macro")
    assert stats.balanced_accuracy(p, labels) == pytest.approx(balanced, abs=1e-10)
    expected = sk.log_loss(labels, p, labels=[0, 1, 2, 3])
    assert stats.nll(p, labels) == pytest.approx(expected, abs=1e-10)
    recalls = sk.recall_score(labels, guess, labels=[0, 1, 2], average=None)
    got = stats.per_class_accuracy(p, labels)
    assert got[:3] == pytest.approx(tuple(recalls), abs=1e-12)
    assert got[3] is None


def test_ece_equals_a_naive_loop(predicted):
    p, labels = predicted
    sure, hit = p.max(1), p.argmax(1) == labels
    total = 0.0
    for i in range(15):
        inside = (sure > i / 15) & (sure <= (i + 1) / 15)
        if inside.any():
            total += inside.sum() / len(p) * abs(hit[inside].mean() - sure[inside].mean())
    assert stats.ece(p, labels) == pytest.approx(total, abs=1e-10)
    assert stats.ece([[1.0, 0.0], [0.0, 1.0]], [0, 1]) == 0.0
    assert stats.ece([[1.0, 0.0]], [1]) == 1.0


def test_ece_bins_are_closed_above():
    # (8/15, 9/15] holds both 0.59 (right) and 0.6 (wrong): |1 - 0.59 - 0.6| / 2
    assert stats.ece([[0.59, 0.41], [0.6, 0.4]], [0, 1]) == pytest.approx(0.095)


def test_balanced_accuracy_leaves_out_classes_without_images():
    assert stats.balanced_accuracy([0, 1], [0, 2]) == 0.5


def test_nll_stays_finite():
    assert stats.nll([[1.0, 0.0]], [1]) == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize(
    ("p", "labels"),
    [
        ([[0.5, 0.5]], [2]),
        ([[0.5, 0.5]], [-1]),
        ([[0.5, math.nan]], [0]),
        (np.zeros((0, 2)), []),
        ([[0.5, 0.5]], [0, 1]),
    ],
)
@pytest.mark.parametrize("metric", [stats.accuracy, stats.nll, stats.ece])
def test_metrics_refuse(metric, p, labels):
    with pytest.raises(UsageError):
        metric(p, labels)
