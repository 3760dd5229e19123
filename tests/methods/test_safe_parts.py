"""The parts of the audit, against plain loops."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from learnaug.data import ImageSet
from learnaug.data.folds import fold_of, sample
from learnaug.methods.safe.candidates import chosen, shrunk, values_of
from learnaug.methods.safe.detector import Subsets, asked, augmentation_loss
from learnaug.methods.safe.figures import Effect, Rate, rank_rate
from learnaug.methods.safe.labels import PictureCheck, moves_of
from learnaug.methods.safe.scan import Scan
from learnaug.methods.safe.verdicts import Look, Rules, judged
from learnaug.ops.policy import Element
from learnaug.ops.sets import OperationSet
from learnaug.ops.table import NAMES
from learnaug.seeds import Seeds

THREE = OperationSet(
    "three",
    (
        ("Flip", (Element("hflip"),)),
        ("Move", (Element("translate_x", 0.1), Element("rotate", 10.0))),
        ("Grey", (Element("to_gray"),)),
    ),
)


def gen(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def test_rank_rate_is_the_share_of_pairs_that_a_loop_counts() -> None:
    after, clean = gen(1).integers(0, 5, (2, 30)).astype(np.float32)
    folds = np.repeat([0, 1], [12, 18])
    won, pairs = 0.0, 0
    for i in range(30):
        for j in range(30):
            if i != j and folds[i] == folds[j]:
                won += 1.0 if after[i] > clean[j] else 0.5 * (after[i] == clean[j])
                pairs += 1
    rate = rank_rate(after, clean, folds)
    assert rate.share == pytest.approx(won / pairs)
    assert rate.low < rate.share < rate.high
    wider = rank_rate(after, clean, folds, independent=10)
    assert wider.high - wider.low > rate.high - rate.low


def test_interval_of_the_rank_rate_holds_the_truth() -> None:
    """Scores of two normal distributions: the truth is 0.6381…; 95 % intervals, 400 draws."""
    held = 0
    truth = float(torch.special.ndtr(torch.tensor(0.5 / np.sqrt(2))))
    draws = gen(2)
    for _ in range(400):
        after = draws.normal(0.5, 1, 100).astype(np.float32)
        clean = draws.normal(0.0, 1, 100).astype(np.float32)
        rate = rank_rate(after, clean, np.zeros(100, np.int64))
        held += rate.low <= truth <= rate.high
    assert held >= 0.95 * 400


@pytest.mark.parametrize("per", ["picture", "batch"])
@pytest.mark.parametrize("order", ["random", "table"])
def test_subsets(per: str, order: str) -> None:
    subsets = Subsets(THREE, 2, order, per)
    sizes: Counter[int] = Counter()
    seen: set[tuple[str, ...]] = set()
    for update in range(60):
        drawn, present = subsets.draw(50, (8, 8), Seeds(3).child(update))
        assert not (per == "batch" and len(np.unique(present, axis=0)) > 1)
        for row, which in zip(drawn.ops, present, strict=True):
            happened = tuple(NAMES[op] for op in row if op >= 0)
            expected = [[e.op for e in b] for (_, b), p in
                        zip(THREE.branches, which, strict=True) if p]  # fmt: skip
            assert sorted(happened) == sorted(op for branch in expected for op in branch)
            if "rotate" in happened:  # the elements of one operation stay together, in order
                assert happened.index("rotate") == happened.index("translate_x") + 1
            if order == "table":
                assert happened == tuple(op for branch in expected for op in branch)
            sizes[int(which.sum())] += 1
            seen.add(happened)
    assert set(sizes) == {0, 1, 2}
    if per == "picture":
        assert max(sizes.values()) / min(sizes.values()) < 1.2  # sizes are drawn evenly
    assert (("to_gray", "hflip") in seen) == (order == "random")


def test_augmentation_loss_is_equation_3_1() -> None:
    scores, present = gen(3).normal(size=(5, 7)), gen(4).random((5, 4)) < 0.5
    total = 0.0
    for x, y in zip(scores, present, strict=True):
        for i in range(4):
            p = 1 / (1 + np.exp(-x[i]))
            total -= y[i] * np.log(p) + (1 - y[i]) * np.log(1 - p)
    loss = augmentation_loss(asked(torch.tensor(scores), 4), torch.tensor(present))
    assert float(loss) == pytest.approx(total / 5)


def pictures(groups: Any, labels: Any) -> ImageSet:
    n = len(labels)
    return ImageSet(
        "p", np.zeros((n, 1, 2, 2), np.uint8), np.asarray(labels), ("a", "b", "c"),
        tuple(map(str, range(n))), np.asarray(groups), np.full(n, ""),
    )  # fmt: skip


def test_folds_keep_groups_whole_and_classes_even() -> None:
    groups, labels = np.arange(240) // 4, (np.arange(240) // 4) % 3
    fold = fold_of(pictures(groups, labels), 3, Seeds(0))
    for group in range(60):
        assert len(set(fold[groups == group])) == 1
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=3)
        assert counts.max() - counts.min() <= 8
    few = sample(pictures(groups, labels), 60, Seeds(0))
    assert np.bincount(labels[few]).tolist() == [20, 20, 20]
    assert set(np.bincount(groups[few])) == {0, 4}


def scan_of(labels: np.ndarray[Any, Any], seed: int) -> Scan:
    """Return a sure classifier that sees these labels; features cluster by class."""
    n = len(labels)
    sure = np.full((n, 3), 0.01)
    sure[np.arange(n), labels] = 0.98
    features = np.eye(3)[labels] * 10 + gen(seed).normal(0, 0.1, (n, 3))
    zero = np.zeros(n, np.float32)
    return Scan(np.zeros((n, 1), np.float32), sure.astype(np.float32),
                features.astype(np.float32), zero, zero)  # fmt: skip


def test_label_check_tells_moves_from_sinks_and_from_strange_pictures() -> None:
    labels = np.repeat([0, 1, 2], 100)
    folds = np.tile([0, 1], 150)
    clean = scan_of(labels, 0)
    check = PictureCheck(clean, labels, folds, 3)
    assert check.sight > 0.7
    onto = np.where((labels == 0) & (np.arange(300) % 2 == 0), 1, labels)  # half of 0 onto 1
    (first, *_) = check.moves(scan_of(onto, 1))
    assert (first.source, first.target) == (0, 1)
    assert first.low > 0.25
    sink = np.full(300, 1)  # everything looks like 1: no class moves more than the others
    assert all(move.low <= 0 for move in check.moves(scan_of(sink, 1)))
    strange = scan_of(onto, 1)
    strange = replace(strange, features=strange.features + 50)  # sure, but near no real picture
    assert check.moves(strange) == ()
    unsure = replace(scan_of(onto, 1), told=np.full((300, 3), 1 / 3, np.float32))
    assert check.moves(unsure) == ()


def test_what_a_weak_net_takes_for_a_class_anyway_is_no_move() -> None:
    """Dogs pass for cats in 30 %: ships that do so in 30 % after an operation are no cats."""
    n = np.array([100, 100, 100])
    before = np.array([[0.9, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, 0.3, 0.9]])  # ship, cat, dog
    change = np.array([[0.0, 30.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    (ship,) = moves_of(before, n, change, np.abs(change))
    assert (ship.source, ship.target) == (0, 1)
    assert ship.share == pytest.approx(0.0)
    before[2, 1] = 0.5  # now more of what passes for cats is dogs: nothing is said of cats
    assert moves_of(before, n, 3 * change, 3 * np.abs(change)) == ()
    (told,) = moves_of(np.diag([0.9, 0.4, 0.9]), n, change, np.abs(change))
    assert told.share == pytest.approx(0.3)
    assert told.low > 0.15
    # Agresti and Min's interval for three classes, step by step
    middle, total = 30 / 102, 102
    half = 2.393980 * np.sqrt(30 + 1 - 30**2 / total) / total
    assert (told.low, told.high) == pytest.approx((middle - half, middle + half))


def look(rank: float, low: float, high: float, **other: Any) -> Look:
    some = Rate(0.5, 0.4, 0.6, 500)
    values: dict[str, Any] = {
        "false": some, "hit": some, "accuracy": some, "effect": Effect(20.0, 0.5), "moves": (),
    }  # fmt: skip
    return Look((Element("hflip"),), Rate(rank, low, high, 500), **values | other)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (look(0.5, 0.45, 0.55), "safe"),
        (look(0.9, 0.88, 0.92), "unsafe"),
        (look(0.75, 0.7, 0.8), "undecided"),
        (look(0.5, 0.45, 0.55, effect=Effect(0.1, 0.001)), "no effect"),
        (look(0.5, 0.45, 0.55, effect=Effect(0.1, 0.3)), "safe"),  # few pixels, but they matter
        (look(0.5, 0.45, 0.55, sight=0.05), "undecided"),
        (replace(look(0.5, 0.3, 0.7), rank=Rate(0.5, 0.3, 0.7, 40)), "undecided"),
    ],
)
def test_verdicts(seen: Look, verdict: str) -> None:
    assert judged(seen, Rules()) == verdict


def test_the_rule_of_the_thesis_has_two_thresholds() -> None:
    def of(hit: Rate, false: Rate) -> str:
        return judged(look(0.5, 0.4, 0.6, hit=hit, false=false), Rules(rule="thesis"))

    low, high = Rate(0.01, 0.0, 0.02, 500), Rate(0.9, 0.88, 0.92, 500)
    assert of(low, low) == "safe"
    assert of(high, low) == "unsafe"
    assert of(low, high) == "unsafe"
    assert of(Rate(0.5, 0.4, 0.6, 500), low) == "undecided"


def test_candidates() -> None:
    assert [name for name, _ in chosen("hflip/rotate cutout", None).branches] == [
        "hflip", "rotate", "cutout",
    ]  # fmt: skip
    turn = (Element("rot90", values=(0.0, 1.0, 2.0)),)
    (kept,) = chosen("", OperationSet("t", (("Turn", turn),))).branches
    assert kept[1][0].values == (1.0, 2.0)  # no turn is no operation
    assert [b[0].values for _, b in values_of(kept[1])] == [(1.0,), (2.0,)]
    assert shrunk(kept[1], 0.5) is None
    assert shrunk((Element("hflip"),), 0.5) is None
    smaller = shrunk((Element("brightness", 0.6, 1.4),), 0.5)
    assert smaller is not None
    assert smaller[0].magnitudes == pytest.approx((0.8, 1.2))
