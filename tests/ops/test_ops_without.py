"""Policies without their likeliest operations, against a count by hand and by drawing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from learnaug import ops
from learnaug.errors import ConfigError
from learnaug.ops import spaces, without
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.restrict import likeliest

ROTATE, FLIP, INVERT = Element("rotate", 30, p=0.5), Element("hflip"), Element("invert")
STILL = Element("identity")


def test_the_likeliest_are_counted_with_weights_and_probabilities() -> None:
    stage = Stage(((ROTATE,), (FLIP, INVERT), (INVERT,), (STILL,)), (4.0, 1.0, 1.5, 3.5))
    policy = Policy((stage, Stage(((Element("cutout", 0.5),),))))
    assert likeliest(policy) == pytest.approx({"invert": 0.25, "rotate": 0.2, "hflip": 0.1})
    assert list(likeliest(policy)) == ["invert", "rotate", "hflip"]


def test_the_likeliest_are_those_that_are_drawn() -> None:
    """A policy whose second stage depends on the first, drawn 20,000 times."""
    first = Stage(((FLIP,), (INVERT,)), (3.0, 1.0))
    second = Stage(((ROTATE,), (STILL,)), ((1.0, 1.0), (0.0, 1.0)), "previous")
    policy = Policy((first, second))
    drawn = ops.draw(policy, 20_000, np.random.default_rng(0), (8, 8))
    counts = Counter(map(tuple, drawn.branch.tolist()))
    rotated = sum(count for (_, second), count in counts.items() if second == 0) / 20_000
    found = likeliest(policy)
    assert found["rotate"] == pytest.approx(rotated / 2, abs=0.01)  # p = 0.5
    assert found["hflip"] == pytest.approx(0.75)


def test_classes_are_equally_likely() -> None:
    stage = Stage(((FLIP,), (INVERT,)), ((1.0, 0.0), (1.0, 3.0)), "class")
    assert likeliest(Policy((stage,))) == pytest.approx({"hflip": 0.625, "invert": 0.375})


def test_branches_that_hold_one_of_them_are_gone_and_the_others_keep_their_proportions() -> None:
    stage = Stage(((ROTATE,), (FLIP, INVERT), (INVERT,), (STILL,)), (4.0, 1.0, 1.5, 3.5))
    crop = Stage(((Element("pad_crop", 0.1),),), (1.0,))
    policy = Policy((crop, stage), "mine", evidence={"pairs": 3})
    one, two = without(policy, 1), without(policy, 2)
    assert one.stages == (crop, Stage(((ROTATE,), (STILL,)), (4.0, 3.5)))
    assert two.stages == (crop, Stage(((STILL,),), (3.5,)))
    assert (one.name, one.made_from) == ("mine without 1", {"without": 1})
    assert one.evidence == {}  # it spoke for the whole
    assert without(policy, 0) is policy


def test_rows_of_a_stage_before_are_taken_out_too() -> None:
    first = Stage(((FLIP,), (INVERT,)), (3.0, 1.0))
    second = Stage(((ROTATE,), (STILL,)), ((1.0, 1.0), (1.0, 7.0)), "previous")
    left = without(Policy((first, second)), 1)
    assert left.stages == (
        Stage(((INVERT,),), (1.0,)),
        Stage(((ROTATE,), (STILL,)), ((1.0, 7.0),), "previous"),
    )


def test_too_many_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"`0 <= without <= 13` must hold, .* got 14"):
        without(spaces.trivialaugment(), 14)
    assert without(spaces.trivialaugment(), 13).does_nothing
    with pytest.raises(ConfigError, match="`0 <= without <= 0` must hold"):
        without(spaces.cutout(), 1)
    with pytest.raises(ConfigError, match="nothing of a stage of autoaugment is left without"):
        without(spaces.autoaugment(), 13)
    with pytest.raises(ConfigError, match="but got -1"):
        without(spaces.autoaugment(), -1)
