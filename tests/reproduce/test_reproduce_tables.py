"""The papers' tables as data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from learnaug import reproduce
from learnaug.methods import METHODS, resolve, rows_of
from learnaug.nets import NETS
from learnaug.ops.spaces import safe15
from learnaug.reproduce import runner
from learnaug.reproduce.rows import AnyTable, Audit, Proxies
from learnaug.reproduce.runner import SCALES
from learnaug.reproduce.sources import place

TABLES = [
    (paper, name, table)
    for paper, tables in reproduce.PAPERS.items()
    for name, table in tables.items()
]


@pytest.mark.parametrize(("paper", "name", "table"), TABLES)
def test_a_table_is_whole(paper: str, name: str, table: AnyTable) -> None:
    assert len({block.key for block in table.blocks}) == len(table.blocks)
    for block in table.blocks:
        task = "segmentation" if block.source.name == "camvid" else "classification"
        for scale in SCALES:
            if isinstance(block, Audit):
                resolve(block.at(scale))
            else:
                assert NETS[block.net(scale)].task == task
        if isinstance(block, Audit):
            assert set(block.safe) < set(block.looked) <= {name for name, _ in safe15(32)}
            continue
        if isinstance(block, Proxies):
            assert len({line.key for line in block.lines}) == len(block.lines)
            assert block.policies >= 20
            continue
        methods = [line.at(scale) for line in block.lines if line.method]
        again = [line for line in block.lines if line.note.startswith("the same training as")]
        assert len(set(methods)) == len(methods) - len(again)
        built = [m for m in methods if all(row in METHODS for row in rows_of(m))]
        assert runner.methods_of(block, scale) == list(dict.fromkeys(built))  # each is run once
        assert {block.baseline, block.rival or block.baseline} <= set(methods)
        assert len({line.name for line in block.lines}) == len(block.lines)
        for line in block.lines:
            ends = line.paper if isinstance(line.paper, tuple) else (line.paper,)
            assert all(end is None or 0.04 < end < 1 for end in ends)
            assert line.method or line.paper  # else the row says nothing
        for method in {*methods, *(line.method for line in block.lines if line.method)}:
            if all(row in METHODS for row in rows_of(method)):
                resolve(method)


def test_the_figures_of_perez_and_wang() -> None:
    """Typed from the tables at the end of the paper, in their order."""
    expected = {
        "table-1": [0.855, 0.890, 0.865, 0.915, 0.900, 0.890, 0.840],
        "table-2": [0.705, 0.775, 0.720, 0.765, 0.770, 0.740, 0.710],
        "table-3": [0.972, 0.975, 0.968],
    }
    for name, figures in expected.items():
        lines = reproduce.PAPERS["neural-augmentation"][name].blocks[0].lines
        assert [line.paper for line in lines if line.paper is not None] == figures


def test_the_figures_of_baran() -> None:
    """Typed from the thesis's tables in per cent, in their order; the rows are named as there."""
    expected = {
        "table-5.3": [79.551, 85.224, 88.252, 88.681, 88.388, 88.798],
        "table-5.4": [53.418, 63.125, 65.488, 65.839, 65.937, 66.015],
        "table-5.5": [95.032, 95.004, 95.620, 95.501, 96.229],
        "table-5.6": [49.609, 57.148, 58.925, 58.896, 58.867, 59.160],
        "table-5.8": [45.340, 51.112, 51.584, 59.413, 60.373, 62.091],
    }
    tables = reproduce.PAPERS["safe-augmentation"]
    for name, figures in expected.items():
        lines = tables[name].blocks[0].lines
        known = [100 * line.paper for line in lines if line.paper is not None]
        assert known == pytest.approx(figures, abs=1e-9)
        words = [line.name for line in lines if line.paper is not None]
        assert words[-1].split()[-1] == ("V2" if len(figures) == 6 and name != "table-5.8" else
                                         "Augmentations")  # fmt: skip
    sets = {block.key: block.safe for block in tables["table-5.2"].blocks}
    assert {key: len(names) for key, names in sets.items()} == {
        "cifar10": 7, "cifar100": 8, "tiny_imagenet": 7, "svhn": 4,
    }  # fmt: skip
    assert set(sets["cifar100"]) - set(sets["cifar10"]) == {"RandomContrast"}
    assert (
        tables["table-5.7"].blocks[0].looked
        == tables["table-5.2"].blocks[0].looked[:8] + (tables["table-5.2"].blocks[0].looked[9:])
    )


def test_the_figures_of_lemley() -> None:
    """The means and medians that the paper's text gives of its own rows (k = 1 left out)."""
    lines = reproduce.PAPERS["smart-augmentation"]["table-2"].blocks[0].lines
    each = [ln.paper for ln in lines if "A for each class, k = " in ln.name][:8]
    assert len(each) == 8
    assert np.mean(each[1:]) == pytest.approx(0.9319, abs=1e-4)
    assert np.median(each[1:]) == pytest.approx(0.9335, abs=1e-4)
    one = [ln.paper for ln in lines if "one network A" in ln.name]
    known = [p for p in one if isinstance(p, float)]
    ends = next(p for p in one if isinstance(p, tuple))
    assert np.mean([*known, *ends]) == pytest.approx(0.9294, abs=1e-4)
    assert np.median([*known, *ends]) == pytest.approx(0.9249, abs=1e-4)


@pytest.mark.parametrize(("paper", "name", "table"), TABLES)
def test_the_data_are_there(paper: str, name: str, table: AnyTable, shared_data: Path) -> None:
    for block in table.blocks:
        if block.source.places:
            assert place(block.source, shared_data) is not None


def test_the_figures_of_tian() -> None:
    """Typed from table 5, in its order."""
    lines = reproduce.PAPERS["aws"]["table-5"].blocks[0].lines
    assert [line.paper for line in lines if line.paper is not None] == [0.85, 0.55, 0.36, 0.045]
    assert [line.weights for line in lines[:4]] == ["augmented", "plain", "random", "augmented"]
