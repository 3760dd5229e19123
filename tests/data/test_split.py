"""Splits: disjoint, whole groups, every class in every part, the same for any order of the rows."""

from __future__ import annotations

import csv
import json
import zipfile
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug.data.split import Split, repeats_needed, split
from learnaug.errors import DataError, UsageError
from learnaug.seeds import Seeds

PARTS = ("train", "valid", "test")


def make(labels, groups=None, parts=None, ids=None) -> Any:
    labels = np.asarray(labels, np.int64)
    n = len(labels)
    return SimpleNamespace(
        labels=labels,
        classes=tuple(f"class{k}" for k in range(int(labels.max()) + 1)),
        ids=tuple(ids if ids is not None else (f"{i}.png" for i in range(n))),
        groups=np.full(n, -1, np.int64) if groups is None else np.asarray(groups, np.int64),
        parts=np.full(n, "", "<U5") if parts is None else np.asarray(parts, "<U5"),
    )


def counts(data, part) -> list[int]:
    return np.bincount(data.labels[part], minlength=len(data.classes)).tolist()


@st.composite
def grouped(draw):
    """2-4 classes with 3-12 groups of 1-5 images of one class, shuffled; some groups are -1."""
    labels, groups = [], []
    for k in range(draw(st.integers(2, 4))):
        for size in draw(st.lists(st.integers(1, 5), min_size=3, max_size=12)):
            labels += [k] * size
            groups += [-1 if size == 1 else len(groups)] * size
    shuffle = np.random.Generator(np.random.Philox(draw(st.integers(0, 99)))).permutation(
        len(labels)
    )
    return make(np.array(labels)[shuffle], np.array(groups)[shuffle])


@given(grouped(), st.integers(0, 3), st.sampled_from([None, 5, 9]))
@settings(max_examples=50, deadline=None)
def test_parts_are_disjoint_and_groups_whole(data, seed, per_class):
    got = split(data, Seeds(seed), per_class=per_class)
    every = np.concatenate([got.train, got.valid, got.test])
    assert len(every) == len(set(every.tolist())) == len(data.labels)
    owner = {i: name for name in PARTS for i in getattr(got, name).tolist()}
    for group in set(data.groups.tolist()) - {-1}:
        assert len({owner[i] for i in np.flatnonzero(data.groups == group)}) == 1
    for name in PARTS:
        part = getattr(got, name)
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        assert min(counts(data, part)) >= 1
    if per_class:
        assert max(counts(data, got.train)) <= per_class


@given(st.lists(st.integers(3, 80), min_size=2, max_size=5), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_class_fractions_are_exact_without_groups(sizes, seed):
    data = make(np.repeat(np.arange(len(sizes)), sizes))
    got = split(data, Seeds(seed))
    test = [max(1, round(0.15 * n)) for n in sizes]
    assert counts(data, got.test) == test
    valid = [max(1, round(0.15 / 0.85 * (n - t))) for n, t in zip(sizes, test, strict=True)]
    assert counts(data, got.valid) == valid


@given(grouped(), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_order_of_rows_does_not_matter(data, shuffle):
    other = np.random.Generator(np.random.Philox(shuffle)).permutation(len(data.labels))
    moved = make(data.labels[other], data.groups[other], ids=[data.ids[i] for i in other.tolist()])
    a, b = split(data, Seeds(1)), split(moved, Seeds(1))
    for name in PARTS:
        ids_a = {data.ids[i] for i in getattr(a, name)}
        assert ids_a == {moved.ids[i] for i in getattr(b, name)}


def test_seed_and_repeat_change_the_draw_and_nothing_else_does():
    data = make(np.arange(200) % 4)
    first = split(data, Seeds(0))
    assert np.array_equal(first.test, split(data, Seeds(0)).test)
    for other in (split(data, Seeds(1)), split(data, Seeds(0), repeat=1)):
        assert not np.array_equal(first.test, other.test)
        assert counts(data, other.test) == counts(data, first.test)


def test_one_more_image_hardly_moves_the_others():
    labels = np.arange(400) % 4
    less, more = split(make(labels), Seeds(0)), split(make([*labels, 0]), Seeds(0))
    for name in PARTS:
        moved = set(getattr(less, name).tolist()) ^ (set(getattr(more, name).tolist()) - {400})
        assert len(moved) <= 2


def test_extra_groups_tie_together_what_groups_leave_apart():
    data = make(np.arange(60) % 2, groups=np.arange(60) // 4)
    extra = np.full(60, -1)
    extra[[0, 5, 30]] = 7  # groups 0, 1 and 7 become one
    for seed in range(5):
        got = split(data, Seeds(seed), extra_groups=extra)
        tied = {0, 1, 2, 3, 4, 5, 6, 7, 28, 29, 30, 31}
        assert sum(bool(tied & set(getattr(got, name).tolist())) for name in PARTS) == 1


def test_groups_of_two_classes_stay_whole():
    data = make(np.arange(120) % 2, groups=np.arange(120) // 2)
    got = split(data, Seeds(0))
    assert counts(data, got.test) == [9, 9]
    for name in PARTS:
        part = getattr(got, name)
        assert len(set(data.groups[part].tolist())) * 2 == len(part)


def test_small_groups_are_left_for_the_later_parts():
    data = make([0] * 12 + [1] * 12, groups=([0, 1] + [2] * 10 + [3, 4] + [5] * 10))
    got = split(data, Seeds(0))  # 15 % are two images: both small groups, but for the rule
    assert [counts(data, getattr(got, name)) for name in PARTS] == [[10, 10], [1, 1], [1, 1]]


# ---------------------------------------------------------------- the data set's own parts


def test_own_test_part_is_sealed_and_valid_is_cut_from_train():
    data = make(np.arange(100) % 2, parts=["train"] * 60 + ["test"] * 40)
    got = split(data, Seeds(0))
    assert got.sealed_from == "test"
    assert got.test.tolist() == list(range(60, 100))
    assert len(got.valid) == round(30 * 0.15 / 0.85) * 2
    assert repeats_needed(got) == 1


def test_own_three_parts_stay_as_they_are():
    data = make(np.arange(30) % 2, parts=["train"] * 20 + ["valid"] * 4 + ["test"] * 6)
    got = split(data, Seeds(0))
    assert [len(got.train), len(got.valid), len(got.test)] == [20, 4, 6]


def test_own_valid_without_test_is_sealed_and_said():
    data = make(np.arange(60) % 2, parts=["train"] * 40 + ["valid"] * 20)
    got = split(data, Seeds(0))
    assert got.sealed_from == "valid"
    assert got.test.tolist() == list(range(40, 60))
    assert len(got.valid) == 8
    assert max(got.valid) < 40
    assert any("val/ is sealed as test" in note for note in got.notes)


def test_image_that_shares_a_group_with_the_sealed_part_is_left_out():
    groups = np.full(60, -1)
    groups[[3, 50]] = 0
    data = make(np.arange(60) % 2, groups, ["train"] * 40 + ["test"] * 20)
    got = split(data, Seeds(0))
    assert 50 in got.test
    assert 3 not in np.concatenate([got.train, got.valid])
    assert any("1 image is left out" in note for note in got.notes)


def test_own_parts_with_other_classes_are_refused():  # row 61
    data = make([0, 1, 0, 1, 2, 0, 0], parts=["train"] * 5 + ["test"] * 2)
    with pytest.raises(DataError, match="test lacks class1, class2"):
        split(data, Seeds(0))


def test_own_parts_without_training_images_are_refused():
    with pytest.raises(DataError, match="no training images"):
        split(make([0, 1], parts=["test", "test"]), Seeds(0))


# ---------------------------------------------------------------- few images


def test_every_class_that_is_too_small_is_named():  # row 41
    data = make([0] * 9 + [1] + [2] * 4, groups=[-1] * 10 + [0, 0, 1, 1])
    with pytest.raises(DataError) as caught:
        split(data, Seeds(0))
    assert "class1 has 1 image; train + validation + test need 3" in str(caught.value)
    assert "class2 has 4 images in 2 groups; train + validation + test need 3" in str(caught.value)
    assert len(caught.value.where) == 2


def test_per_class_gives_the_left_over_to_the_test_part():
    data = make(np.arange(500) % 5)
    whole, few = split(data, Seeds(0)), split(data, Seeds(0), per_class=20)
    assert counts(data, few.train) == [20] * 5
    assert np.array_equal(few.valid, whole.valid)
    assert len(few.test) == 500 - 100 - len(few.valid)
    assert set(whole.test.tolist()) <= set(few.test.tolist())
    assert set(few.train.tolist()) <= set(whole.train.tolist())


def test_per_class_leaves_an_own_test_part_alone():
    data = make(np.arange(500) % 5, parts=["train"] * 300 + ["test"] * 200)
    few = split(data, Seeds(0), per_class=20)
    assert counts(data, few.train) == [20] * 5
    assert few.test.tolist() == list(range(300, 500))


def test_per_class_beyond_the_data_is_said():
    few = split(make([0] * 100 + [1] * 10), Seeds(0), per_class=20)
    assert few.notes == ("fewer than 20 training images: class1 7",)  # 10 = 2 test + 1 valid + 7


@pytest.mark.parametrize("wrong", [{"per_class": 0}, {"fractions": (0.8, 0.2, 0.0)}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="but got"):
        split(make(np.arange(30) % 2), Seeds(0), **wrong)


def test_small_cut_test_parts_need_five_repeats():
    rows = np.arange(500)
    assert repeats_needed(Split(rows, rows, rows[:499])) == 5
    assert repeats_needed(Split(rows, rows, rows)) == 1
    assert repeats_needed(Split(rows, rows, rows[:9], (), "valid")) == 1


# ---------------------------------------------------------------- the stored split


def test_json_round_trip_by_id_in_another_order():
    data = make(np.arange(40) % 2)
    got = split(data, Seeds(0))
    stored = json.loads(json.dumps(got.to_json(data.ids)))
    back = Split.from_json(stored, data.ids[::-1])
    assert [len(data.ids) - 1 - i for i in back.test.tolist()[::-1]] == got.test.tolist()
    assert (back.notes, back.sealed_from) == (got.notes, got.sealed_from)


def test_changed_or_missing_images_of_a_stored_split_are_refused():
    data = make(np.arange(40) % 2)
    stored = split(data, Seeds(0)).to_json(data.ids)
    with pytest.raises(DataError, match="1 images of the stored split are not in the data"):
        Split.from_json(stored, data.ids[1:])
    stored["test"]["ids"][0], stored["valid"]["ids"][0] = "a", "b"
    with pytest.raises(DataError, match="changed after it was written") as caught:
        Split.from_json(stored, data.ids)
    assert len(caught.value.where) == 2


# ---------------------------------------------------------------- real groups


@pytest.mark.parametrize("per_class", [None, 10])
def test_look_alike_tiles_stay_in_one_part(shared_data, per_class):
    with zipfile.ZipFile(shared_data / "magnetic_tile" / "magnetic_tile.zip") as pack:
        rows = pack.read("groups.tsv").decode().splitlines()
    table = list(csv.DictReader(rows, delimiter="\t"))
    kinds = sorted({row["class"] for row in table})
    names = sorted({row["group"] for row in table})
    data = make(
        [kinds.index(row["class"]) for row in table],
        [names.index(row["group"]) for row in table],
        ids=[row["file"] for row in table],
    )
    got = split(data, Seeds(0), per_class=per_class)
    owners = [set(data.groups[getattr(got, name)].tolist()) for name in PARTS]
    assert sum(map(len, owners)) == len(names)
    assert len(got.train) + len(got.valid) + len(got.test) == len(table)
    if per_class:
        assert all(8 <= n <= 10 for n in counts(data, got.train))
    else:
        share = np.array(counts(data, got.test)) / np.bincount(data.labels)
        assert ((share > 0.1) & (share < 0.2)).all()
