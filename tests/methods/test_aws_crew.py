"""A search does not depend on who makes its trials, nor on the order in which they are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from safe_worlds import QUIET
from test_aws import QUICK, search

from learnaug.errors import RunError
from learnaug.methods.aws import AWS
from learnaug.study.crew import Serving

Json = dict[str, Any]


class Backwards:
    """A crew of this process, which takes the last order first."""

    def __init__(self) -> None:
        self.made: dict[str, Callable[[Json], Json]] = {}
        self.names: list[str] = []

    def enter(self, place: str, make: Callable[[Json], Json]) -> None:
        self.made[place] = make

    def share(self, place: str, orders: Sequence[Json], take: Callable[[Json, Json], None]) -> None:
        for order in reversed(orders):
            self.names.append(order["name"])
            take(order, self.made[place](order))


@pytest.mark.parametrize("method", [QUICK, replace(QUICK, folds=2)])
def test_trials_in_another_order_find_the_same(method: AWS) -> None:
    crew = Backwards()
    again = search(method, 5, replace(QUIET, crew=crew), epochs=20)
    assert again.augmenter.describe() == search(method, 5, epochs=20).augmenter.describe()
    subsets = [name for name in crew.names if name.startswith("subset")]
    assert subsets == [f"subset-{number}" for number in reversed(range(method.trials))]


class Enough(Exception):
    """No more orders."""


def test_a_worker_stays_at_its_place_and_at_no_other() -> None:
    """On its way it makes what comes before; at its place, what it is asked for."""
    asked: list[Json] = []
    search(QUICK, 5, replace(QUIET, crew=(crew := Backwards())), epochs=20)
    (make,) = crew.made.values()
    policy = search(QUICK, 5, epochs=20).augmenter.policy.to_json()  # type: ignore[attr-defined]
    order = {"order": {"name": "x", "policy": policy, "lap": 2, "length": 1}}

    def orders() -> Json:
        if asked:
            raise Enough
        return order

    here = Serving("None", orders, lambda **answer: asked.append(answer))
    with pytest.raises(Enough):
        search(QUICK, 5, replace(QUIET, crew=here), epochs=20)
    assert asked == [{"row": make(order["order"])}]
    elsewhere = Serving("elsewhere", orders, lambda **answer: None)
    with pytest.raises(RunError, match="on its way to elsewhere"):
        search(QUICK, 5, replace(QUIET, crew=elsewhere), epochs=20)
