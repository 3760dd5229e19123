"""What the report tells its reader to run, run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from learnaug.report.collect import collect
from learnaug.report.words import todo

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

MODULES = [sys.modules[f"learnaug.study.{name}"] for name in ("summary", "compare")]


@pytest.mark.parametrize(
    ("method", "source"),
    [
        ("cutout", "'cutout')"),
        ("aws:ways=4,rounds=1", "learn/augmenter')  # in this run folder"),
        ("class-mixup+aws:ways=4,rounds=1", "learn/augmenter')  # in this run folder"),
    ],
)
def test_the_code_of_the_report_runs(
    method: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name where that is all there is to it, else from the folder of what was learned."""
    for module in MODULES:
        monkeypatch.setattr(module, "best", lambda out, plan: method)
    out = tmp_path / "out"
    tiny.compare(out, methods=(method,))
    code = todo(collect(out))["code"]
    assert source in code
    monkeypatch.chdir(out)
    data = tiny.data()
    given: dict[str, Any] = {"images": data.images, "labels": data.labels, "step": 3}
    exec(code, given)
    assert given["images"].shape == data.images.shape
    assert (given["images"] != data.images).any()
