"""The tables of AWS: the paper's figures, blocks of one scale, and what rows cost."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contract
from learnaug import nets, reproduce
from learnaug.errors import UsageError
from learnaug.methods import Budget, Learning, resolve
from learnaug.reproduce import paired, runner
from learnaug.reproduce.cost import trainings
from learnaug.reproduce.rows import Block, Line, Size, Source
from learnaug.seeds import Seeds
from learnaug.study.paired import Arm, Pairs
from learnaug.training import Keep, Recipe
from learnaug.training.target import Target

AWS = reproduce.PAPERS["aws"]
SIZE = Size(8, Recipe(epochs=1))
SOURCE = Source("dots", "dots")


def errors(table: str, block: int = 0) -> list[float]:
    """Return the paper's errors in per cent, in the order of its rows."""
    lines = AWS[table].blocks[block].lines
    return [round(100 * (1 - line.paper), 2) for line in lines if line.paper is not None]


def test_the_figures_of_tian() -> None:
    """Typed from the paper's table 1, a column a net, and table 6, in per cent of errors."""
    columns = [
        [3.87, 3.08, 2.7, 2.7, 2.68, 2.58, 2.61, 1.90, 1.95, 1.57],
        [4.66, 3.62, 3.46, 3.29, 2.91, 2.38],
        [2.86, 2.56, 2.0, 2.0, 1.99, 2.03],
        [2.67, 2.31, 1.7, 1.5, 1.48, 1.46, 1.24],
    ]
    assert [errors("table-1", number) for number in range(4)] == columns
    assert errors("table-6") == [3.40, 3.45, 3.36, 3.46, 2.91, 3.10, 3.13, 3.19]


def test_the_error_reductions_of_the_paper_follow_from_its_errors() -> None:
    """So "Ours" of table 4 is that with an enlarged batch."""
    cutout, *others = errors("table-4")
    told = [round(100 * (cutout - error) / cutout, 2) for error in others]
    assert told[:3] == [12.99, 15.26, 38.31]
    assert told[3] == pytest.approx(49.02, abs=0.01)


def test_a_row_of_table_6_differs_from_the_one_above_by_what_is_left_out() -> None:
    block = AWS["table-6"].blocks[0]
    assert [line.at("paper") for line in block.lines][1:] == [
        "flip-crop+autoaugment+cutout", "flip-crop+autoaugment:without=1+cutout",
        "flip-crop+autoaugment:without=2+cutout", "flip-crop+autoaugment:without=3+cutout",
        "aws-paper", "aws-paper:without=1", "aws-paper:without=2", "aws-paper:without=3",
    ]  # fmt: skip
    assert block.lines[-1].at("small") == "aws-paper:loops=60,without=3"


def test_the_parts_of_figure_2_are_as_long_early_as_late() -> None:
    lines = AWS["fig-2"].blocks[0].lines
    spans: dict[str, list[float]] = {"first": [], "last": []}
    for line in lines[1:-1]:
        timed = resolve(line.method.partition("+")[2])
        own = [p.share for p in timed.curriculum if p.augmenter.describe()["name"] != "none"]
        spans[line.name.split()[0]] += own
        assert timed.begin == 0 or timed.end == 1
    assert spans == {"first": [0.25, 0.5, 0.75], "last": [0.25, 0.5, 0.75]}
    assert all(line.paper is None for line in lines)


def test_blocks_of_one_scale_are_of_that_scale_only() -> None:
    small = runner._table("aws", "table-1", "small")
    paper = runner._table("aws", "table-1", "paper")
    assert [block.key for block in small.blocks] == ["wrn"]
    assert [block.net("paper") for block in paper.blocks] == [
        "wrn-28-10", "resnet18", "shake-shake-26-2x96d", "pyramidnet-272",
    ]  # fmt: skip
    assert small.blocks[0].net("small") == "smallnet"
    with pytest.raises(UsageError, match="block 'pyramidnet': known: wrn"):
        reproduce.run("aws", "table-1", scale="small", only=["pyramidnet"])


def test_trainings_are_counted_with_learning_and_enlarged_batches() -> None:
    assert trainings("flip-crop+autoaugment:without=2+cutout") == 1
    assert trainings("flip-crop+timed") == 1
    assert trainings("aws-paper:loops=60") == pytest.approx(1 + 2 / 3 + 2)
    assert trainings("aws-paper:loops=60,enlarge=4") == pytest.approx(4 + 2 / 3 + 2)
    assert trainings("flip-crop+aws-paper:loops=60,enlarge=4+cutout") == pytest.approx(
        1 + 2 / 3 + 2  # a chain keeps the copies of its last member only
    )
    assert trainings("safe-augmentation+aws") is None  # an audit does not train the target


@pytest.mark.parametrize("name", ["aws-paper:loops=2,looks=1", "aws:ways=0,trials=4"])
def test_a_search_makes_as_many_updates_as_are_counted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name += ",first=0.5,late=0.25"
    data, updates = contract.world(), [0]

    true = Target.step

    def step(target: Target, update: int, seeds: Seeds) -> float:
        updates[0] += 1
        return true(target, update, seeds)

    monkeypatch.setattr(Target, "step", step)

    def net(seeds: Seeds) -> Any:
        return nets.build("smallnet", channels=3, size=data.size, classes=3, seeds=seeds)

    recipe = Recipe(epochs=4, batch_size=6)
    resolve(name).learn(
        Learning(data, data, net, recipe), seeds=Seeds(0), device=contract.CPU,
        budget=Budget(), keep=Keep(say=lambda text: None),
    )  # fmt: skip
    assert updates[0] == round((trainings(name) - 1) * recipe.updates(len(data)))


def arm(seconds: float | None, **scores: float) -> Arm:
    told = {int(seed[1:]): score for seed, score in scores.items()}
    return Arm(told, {}, {}, {}, seconds, ())


BLOCK = Block(
    "dots", SOURCE, "smallnet",
    (
        Line("Cutout", "cutout"), Line("Search", "aws-paper:loops=60"), Line("Whole", "mixup"),
        Line("GAN", "", None, "not built"),
    ),
    SIZE, SIZE, "cutout", costs=True,
)  # fmt: skip


def begun() -> Pairs:
    arms = {
        "cutout": arm(20.0, s0=0.90, s1=0.70, s2=0.10),
        "aws-paper:loops=60": arm(50.0, s0=0.95, s1=0.75),
        "mixup": arm(None),
    }
    plan: Any = SimpleNamespace(metric="accuracy", seeds=3, baseline="cutout")
    return Pairs(Path(), plan, arms, {"train": 8, "valid": 2, "test": 2}, 0.0)


def test_what_a_row_costs_and_brings_is_held_against_the_baseline() -> None:
    cutout, search, whole, gan = paired.told(BLOCK, "small", begun(), "")
    assert [row["trainings"] for row in (cutout, whole, gan)] == [1, 1, None]
    assert search["trainings"] == pytest.approx(3.67, abs=0.01)
    assert (search["seconds_ratio"], cutout["seconds_ratio"]) == (2.5, 1.0)
    # errors of the seeds that both have: 10 % and 30 %, against 5 % and 25 %
    assert search["error_reduction"] == pytest.approx(1 - 30 / 40)
    assert cutout["error_reduction"] == pytest.approx(0.0)
    assert whole["seconds_ratio"] is whole["error_reduction"] is gan["error_reduction"] is None


def test_costs_are_columns_where_a_block_asks_for_them() -> None:
    rows = paired.told(BLOCK, "small", begun(), "")
    lines = paired.lines_of(BLOCK, "small", rows)[1]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0][-3:] == [
        "cost in trainings, at most", "seconds of a run over those of cutout",
        "errors less than with cutout",
    ]  # fmt: skip
    assert [row[-3:] for row in cells[2:]] == [
        ["1.0", "1.0", "+0.0 %"], ["3.7", "2.5", "+25.0 %"], ["1.0", "–", "–"], ["–", "–", "–"],
    ]  # fmt: skip
    plain = paired.lines_of(replace(BLOCK, costs=False), "small", rows)[1]
    assert "trainings" not in plain[0]
    assert [len(line) for line in plain] == [len(plain[0])] * len(plain)


def test_figures_of_the_paper_keep_their_second_decimal() -> None:
    figures = (0.9697, 0.855, 0.97, (0.9875, 0.99), None)
    words = [paired._paper(figure) for figure in figures]
    assert words == ["96.97", "85.5", "97.0", "98.75 to 99.0", "–"]


def test_without_errors_of_the_baseline_nothing_can_be_fewer() -> None:
    pairs = begun()
    pairs.arms["cutout"] = arm(20.0, s0=1.0, s1=1.0)
    search = paired.told(BLOCK, "small", pairs, "")[1]
    assert search["error_reduction"] is None
