"""Generated pictures that do not say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from learnaug import rundir
from learnaug.data import load, make_batch
from learnaug.methods import resolve
from learnaug.methods.generated import FILE, Generating
from learnaug.methods.generated import load as loaded
from learnaug.seeds import Seeds


@dataclass(frozen=True, eq=False)
class Inverted:
    """A maker whose pictures are seen at once."""

    kind: str = "inverted"

    def make(self, images: Tensor, seeds: Seeds) -> Tensor:
        return 255 - images

    def describe(self) -> dict[str, Any]:
        return {"line": "inverted"}

    def save(self, folder: Path) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("flag", [True, False])
def test_the_flag_is_a_setting_and_stays_with_the_file(
    flag: bool, ready: bool, tmp_path: Path
) -> None:
    digits = load("digits").take(range(40))
    batch = make_batch(digits, np.arange(40))
    one = Generating(Inverted(), ready=ready, flag=flag)
    one.save(tmp_path)
    content = rundir.read_json(tmp_path / FILE)
    other = loaded(tmp_path, content, {"inverted": lambda folder, words: Inverted()})
    for augmenter in (one, other):
        out = augmenter(batch, digits, Seeds(0))
        made = (out.images.float().mean((1, 2, 3)) > 128).sum()  # digits are mostly black
        assert made == 30
        assert out.generated.sum() == (30 if flag else 0)


def test_of_the_method() -> None:
    method = resolve("dagan:generator={given},flag=false")
    assert method.flag is False  # type: ignore[attr-defined]
    assert method.repeats == 0.0  # type: ignore[attr-defined]
    assert resolve("dagan").repeats is None  # type: ignore[attr-defined]
