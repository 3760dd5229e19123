"""The contenders of benchmarks/ops.py do what ours does: nobody is timed on nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from learnaug.ops import TABLE, apply

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EXACT = {
    "shear_x", "shear_y", "translate_x", "translate_y", "shift_x", "shift_y", "posterize",
    "solarize", "invert", "hflip", "vflip", "rot90", "transpose", "pad_crop", "cutout", "cutmix",
}  # fmt: skip
OTHER_RULE = {
    ("albumentations", "equalize"): 20,  # OpenCV's table
    ("albumentations", "autocontrast"): 5,  # its histogram leaves out the value 255
    ("torchvision", "saturation"): 30,  # these two blend with grey, we scale HSV's saturation
    ("albumentations", "saturation"): 30,
    ("torchvision", "resized_crop"): 8,  # whole pixels
    ("albumentations", "resized_crop"): 8,
    ("torchvision", "random_crop"): 8,
    ("albumentations", "random_crop"): 8,
    ("albumentations", "clahe"): 25,  # on the L of LAB
    ("kornia", "clahe"): 60,  # each channel by itself, and one limit for all
    **{(library, "gauss_noise"): 8 for library in ("torchvision", "albumentations", "kornia")},
    # Black runs into a smooth edge, where ours repeats it as Pillow does; other cubic weights.
    **{
        (library, op): 6
        for library in ("torchvision-tensor", "albumentations", "kornia")
        for op in ("rotate bilinear", "shear_x bilinear", "distort",
                   "rotate bicubic", "shear_x bicubic")
    },
}  # fmt: skip
TIMM = {"timm", "timm-arrays"}  # has only AutoAugment's operations
NOT_THERE = {
    ("kornia", "cutout"), ("kornia", "mixup"), ("kornia", "cutmix"),
    ("torchvision-pil", "clahe"), ("torchvision-tensor", "clahe"),
    ("torchvision-pil", "gauss_noise"),
    ("torchvision-tensor", "rotate bicubic"), ("torchvision-tensor", "shear_x bicubic"),
}  # fmt: skip
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


def limit(name: str, op: str) -> float:
    names = (name, name.removesuffix("-arrays"), name.split("-")[0])
    other = [OTHER_RULE[key, op] for key in names if (key, op) in OTHER_RULE]
    return other[0] if other else 0.01 if op in EXACT else 1.5


def test_every_library_does_the_same(peers: Any) -> None:
    cases = sys.modules["op_cases"]
    images = cases.pictures(SIDE, NUMBER)
    missing = set()
    for op in cases.ALL:
        drawn = cases.drawn_for(SIDE, NUMBER, op)
        ours = apply(images, drawn)
        assert mean_difference(images, ours) > 1, f"{op} does nothing"
        for name in peers.PEERS:
            call = peers.contender(name, images, cases.plan(drawn))
            if call is None:
                missing.add((name, op))
                continue
            theirs = peers.as_batch(call())
            assert mean_difference(theirs, ours) < limit(name, op), (name, op)
            assert mean_difference(theirs, images) > 0.5, (name, op)
    assert {pair for pair in missing if pair[0] not in TIMM and "-arrays" not in pair[0]} == (
        NOT_THERE
    )


def test_every_operation_has_its_case(peers: Any) -> None:
    cases = sys.modules["op_cases"]
    assert {name.split()[0] for name in cases.ALL} == set(TABLE) - {"identity"}
    assert cases.ALL[:14] == cases.OPERATIONS


def test_no_result_is_a_view_of_the_input(peers: Any) -> None:
    """A view would be timed on nothing, and paid for by whoever reads it."""
    cases = sys.modules["op_cases"]
    images = cases.pictures(SIDE, NUMBER)
    for op in cases.ALL:
        steps = cases.plan(cases.drawn_for(SIDE, NUMBER, op))
        for name in ("torchvision-tensor", "albumentations", "kornia"):
            if call := peers.contender(name, images, steps):
                for one in call():
                    assert torch.as_tensor(one).is_contiguous(), (name, op)


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
