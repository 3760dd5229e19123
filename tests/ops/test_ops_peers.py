"""The contenders of benchmarks/ops.py do what ours does: nobody is timed on nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from learnaug.ops import apply

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EXACT = {"shear_x", "shear_y", "translate_x", "translate_y", "posterize", "solarize", "invert"}
OTHER_RULE = {
    ("albumentations", "equalize"): 20,  # OpenCV's table
    ("albumentations", "autocontrast"): 5,  # its histogram leaves out the value 255
}
SIDE, NUMBER = 24, 6


@pytest.fixture(scope="module")
def peers() -> Any:
    for library in ("albumentations", "kornia", "timm"):
        pytest.importorskip(library)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import peers
    finally:
        sys.path.remove(str(BENCHMARKS))
    return peers


def mean_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a.int() - b.int()).abs().float().mean().item()


def test_every_library_does_the_same(peers: Any) -> None:
    cases = sys.modules["op_cases"]
    images = cases.pictures(SIDE, NUMBER)
    for op in cases.OPERATIONS:
        drawn = cases.drawn_for(SIDE, NUMBER, op)
        ours = apply(images, drawn)
        assert mean_difference(images, ours) > 1, f"{op} does nothing"
        for name in peers.PEERS:
            theirs = peers.as_batch(peers.contender(name, images, cases.plan(drawn))())
            limit = 0.01 if op in EXACT else OTHER_RULE.get((name, op), 1.5)
            assert mean_difference(theirs, ours) < limit, (name, op)
            assert mean_difference(theirs, images) > 0.5, (name, op)


def test_two_operations_run_in_their_order(peers: Any) -> None:
    cases = sys.modules["op_cases"]
    images = cases.pictures(SIDE, 40)
    drawn = cases.drawn_for(SIDE, 40)
    ours = apply(images, drawn)
    plan = cases.plan(drawn)
    for name in ("torchvision-pil", "timm"):
        theirs = peers.as_batch(peers.contender(name, images, plan)())
        assert mean_difference(theirs, ours) < 0.5, name
    batched = peers.as_batch(peers.contender("kornia", images, plan)())
    assert mean_difference(batched, ours) < 3
    backwards = [row[::-1] for row in plan]
    other = peers.as_batch(peers.contender("timm", images, backwards)())
    assert mean_difference(other, ours) > 3
