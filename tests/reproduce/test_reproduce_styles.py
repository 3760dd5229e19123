"""The row of Perez & Wang that takes styles from a folder beside the pictures of its block."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from learnaug.methods import resolve
from learnaug.reproduce import paired, runner
from learnaug.reproduce.rows import Block, Scale
from learnaug.study import Pairs


def block(table: str) -> Block:
    return cast(Block, runner.PAPERS["neural-augmentation"][table].blocks[0])


@pytest.mark.parametrize("table", ["table-1", "table-2"])
@pytest.mark.parametrize("scale", ["small", "paper"])
def test_the_gan_row_takes_its_styles_from_the_data_folder(
    table: str, scale: Scale, tmp_path: Path
) -> None:
    without = runner.methods_of(block(table), scale, tmp_path)
    assert not any("style" in method for method in without if "loss=style" not in method)
    (tmp_path / "paintings").mkdir()
    packed = tmp_path / "paintings" / "paintings.zip"
    packed.touch()
    both = [m for m in runner.methods_of(block(table), scale, tmp_path) if m not in without]
    assert [method.partition(":")[0] for method in both] == ["style-transfer", "style-statistics"]
    for method in map(resolve, both):
        assert cast(Any, method).styles == str(packed)
        assert cast(Any, method).which == "cezanne/monet/vangogh"


def test_the_row_is_found_wherever_its_styles_lay() -> None:
    gan = next(line for line in block("table-1").lines if line.name == "GANs")
    assert gan.paper == 0.865
    run = gan.at("small").replace("{styles}", "/some/where.zip")
    pairs = cast(Pairs, SimpleNamespace(arms={"none": 1, run: 2}))
    assert paired._arm(pairs, gan, gan.at("small")) == run
    assert paired._arm(pairs, gan, gan.at("paper")) == ""
    assert paired._arm(None, gan, gan.at("small")) == ""
