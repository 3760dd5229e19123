"""What was learned is held against what does the same with nothing learned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from learnaug.report.collect import Facts
from learnaug.report.tables import Arm
from learnaug.report.words import controls

PAINTED, MOVED = "flip-crop+style-transfer:styles=a", "flip-crop+style-statistics:styles=a"


def arm(method: str, *scores: float, stage: str = "screen") -> Arm:
    mean = sum(scores) / len(scores) if scores else None
    return Arm(method, stage, "valid", scores, mean, 3, 0, None, None, None, None, None)


def facts(candidate: str, *learned: str) -> Facts:
    told = SimpleNamespace(candidate=candidate, learned=learned.__contains__, second={})
    return cast(Facts, told)


def said(candidate: str, *table: Arm) -> list[str]:
    return controls(facts(candidate, PAINTED, "aws"), table)


@pytest.mark.parametrize("candidate", [PAINTED, MOVED, "mixup"])
def test_a_control_that_does_as_well_is_said(candidate: str) -> None:
    """Whatever was chosen: also where the control itself was."""
    (line,) = said(candidate, arm(PAINTED, 0.70, 0.72), arm(MOVED, 0.71, 0.73), arm("mixup", 0.8))
    assert f"{MOVED}, which learns nothing, does as well as {PAINTED}: it is 1.0 points" in line
    assert "n = 2 and 2 runs" in line


def test_a_control_that_does_not_is_said() -> None:
    (line,) = said(PAINTED, arm(PAINTED, 0.8), arm(MOVED, 0.75), arm("uniform", 0.9))
    assert f"{PAINTED} is 5.0 points above {MOVED}" in line
    assert "no claim" in line


def test_only_the_same_chain_is_a_control() -> None:
    other = "style-statistics:styles=a"
    (line,) = said(PAINTED, arm(PAINTED, 0.8), arm(other, 0.9), arm(MOVED, 0.9, stage="confirm"))
    assert line.endswith(
        "flip-crop+style-statistics has no finished run, so learning is unchecked."
    )


def test_other_learned_candidates_keep_the_random_policy() -> None:
    assert "random policy" in said("aws", arm("aws", 0.8), arm("uniform", 0.7))[0]
    assert said("mixup", arm("mixup", 0.8), arm("uniform", 0.7)) == []


def test_names_of_a_strange_folder_are_only_words() -> None:
    found: Any = said("", arm("no-such", 0.8), arm("a+b:c=d", 0.7))
    assert found == []
