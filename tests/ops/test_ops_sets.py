"""Operation sets: a strict file, and policies over them, against enumeration and plain loops."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest

from learnaug.errors import ConfigError
from learnaug.ops import spaces
from learnaug.ops.over import (
    randaugment_over,
    subsets_over,
    trivialaugment_over,
    uniform_over,
)
from learnaug.ops.policy import Element
from learnaug.ops.sets import OperationSet, operations_of

SET = OperationSet(
    "four",
    (
        ("Flip", (Element("hflip"),)),
        ("Move", (Element("translate_x", -0.2, 0.2), Element("rotate", -45, 45))),
        ("Light", (Element("brightness", 1.0, 1.5, sign=True),)),
        ("Turn", (Element("rot90", values=(1.0, 3.0)),)),
    ),
    {"data": "mine", "pictures": 10},
)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_subsets_happen_as_often_as_in_the_thesis(size: int) -> None:
    """All subsets of that size, then a coin for each of its operations."""
    chance: Counter[tuple[str, ...]] = Counter()
    subsets = list(combinations(SET.names, size))
    for subset in subsets:
        for coins in product((False, True), repeat=size):
            happening = tuple(name for name, coin in zip(subset, coins, strict=True) if coin)
            chance[happening] += 1 / len(subsets) / 2**size
    (stage,) = subsets_over(SET, size).stages
    branches = dict(SET.branches)
    told = dict(zip(stage.branches, stage.weights, strict=True))
    expected = {tuple(e for name in T for e in branches[name]): p for T, p in chance.items()}
    assert told == pytest.approx(expected)


def test_classes_have_only_their_own_operations() -> None:
    policy = subsets_over(SET, 3, (("Flip", "Light"), SET.names, ()))
    (stage,) = policy.stages
    assert stage.given == "class"
    for allowed, row in zip((("hflip", "brightness"), None, ()), stage.rows, strict=True):
        used = {e.op for b, w in zip(stage.branches, row, strict=True) if w > 0 for e in b}
        assert allowed is None or used == set(allowed)
        assert sum(row) == pytest.approx(1)


def test_an_empty_set_does_nothing() -> None:
    nothing = OperationSet("nothing", ())
    for over in (subsets_over, trivialaugment_over, randaugment_over, uniform_over):
        assert over(nothing).does_nothing
        assert over(nothing).name


def test_the_rules_of_others_over_a_set() -> None:
    (stage,) = trivialaugment_over(SET).stages
    assert stage.branches == ((Element("identity"),), *(branch for _, branch in SET.branches))
    first, second = randaugment_over(SET).stages
    assert first == second
    assert first.branches[2][1].magnitudes == pytest.approx((-13.5, 13.5))  # 9 of 30 of 45 degrees
    assert first.branches[3][0].magnitudes == pytest.approx((1.15,))
    assert first.branches[3][0].sign
    assert first.branches[4][0].magnitudes == (1.0, 3.0)  # a turn has no strength
    branches = uniform_over(SET).stages[0].branches
    assert len(branches) == 1 + 3 + 3 + 1  # what has no strength is there once


def test_what_a_policy_draws_from() -> None:
    known = dict(operations_of(spaces.uniform()).branches)
    assert len(known) == 14
    assert known["rotate"][0].magnitudes == pytest.approx((10, 20, 30))
    assert known["rotate"][0].sign
    one = dict(operations_of(spaces.randaugment()).branches)["rotate"][0]
    assert (one.low, one.high) == pytest.approx((0, 9))


def test_the_file_comes_back(tmp_path: Path) -> None:
    SET.save(tmp_path / "set.json")
    assert OperationSet.load(tmp_path / "set.json") == SET


def test_what_could_run_programs_is_not_read(tmp_path):
    for start in (b"\x80\x04", b"PK\x03\x04"):
        (tmp_path / "set.json").write_bytes(start + b"rest")
        with pytest.raises(ConfigError, match="could run programs") as told:
            OperationSet.load(tmp_path / "set.json")
        assert "OperationSet.save" in str(told.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "learnaug-policy"}, "learnaug-operations"),
        ({"version": 2}, "version"),
        ({"more": 1}, "unknown key"),
        ({"operations": {}}, "a list must stand here"),
        ({"operations": [{"name": "a"}]}, "'elements' is missing"),
        ({"operations": [{"name": "a", "elements": []}]}, "1 to 16"),
        ({"operations": [{"name": 3, "elements": [{"op": "hflip"}]}]}, "operations[0].name"),
        ({"operations": [{"name": "a", "elements": [{"op": "hflop"}]}]}, "hflip"),
        ({"operations": [{"name": "a", "elements": [{"op": "rotate", "low": 999}]}]}, "999"),
        ({"operations": [{"name": "a", "elements": [{"op": "hflip"}]}] * 2}, "twice"),
        ({"made_from": {"data": []}}, "made_from"),
        ({"name": ""}, "name"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        OperationSet.from_json(SET.to_json() | change)
    assert words in str(error.value)
