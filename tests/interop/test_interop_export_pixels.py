"""Every operation of every exported file against our own `apply`, pixel by pixel."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from types import ModuleType

import numpy as np
import pytest
import torch
from export_helpers import (
    SINGLE,
    TARGETS,
    difference,
    everything,
    exported,
    magnitudes,
    pictures,
    steps_of,
)

from learnaug.interop.exports.levels import CLOSE, SMOOTH
from learnaug.ops import Element, Policy, Stage, apply, draw, mix_targets
from learnaug.ops.apply import apply_masks
from learnaug.ops.table import TABLE
from learnaug.seeds import Seeds

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module", params=TARGETS)
def target(request):
    if request.param != "torchvision":
        pytest.importorskip(request.param)
    return request.param


@pytest.fixture(scope="module")
def module(target, tmp_path_factory) -> ModuleType:
    return exported(everything(target), target, tmp_path_factory.mktemp("all"))


@pytest.mark.parametrize("op", SINGLE)
def test_the_file_does_what_ours_does(module, target, op):
    for size in ((33, 17, 3), (9, 24, 1)):
        for magnitude in magnitudes(op, 2):
            far = difference(
                module, pictures(*size), op, magnitude, interpolation="nearest", fill=40
            )
            assert far <= CLOSE[target].get(op, 0), (size, magnitude)


WARPS = [name for name in SINGLE if TABLE[name].primitive == "warp"]


@pytest.mark.parametrize("op", WARPS)
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_smooth_warps_are_within_one_level(module, op, kind):
    for magnitude in magnitudes(op, 2):
        images = pictures(17, 20, 3)
        far = difference(module, images, op, magnitude, interpolation=kind, fill=7)
        assert far <= SMOOTH, magnitude


def test_pure_scalings_pick_the_pixels_of_fixed_point(module):
    """Pillow's own path for them reckons in floating point and differs here by 250 levels."""
    images = pictures(32, 32, 3)
    assert difference(module, images, "zoom", (1.625,), interpolation="nearest") == 0


@pytest.mark.slow
@pytest.mark.parametrize("op", SINGLE)
def test_the_table_of_distances_is_what_is_measured(module, target, op):
    """The largest difference is the literal one, not only below it."""
    sizes = [(h, w, c) for h, w in ((8, 8), (32, 32), (33, 17), (9, 24)) for c in (1, 3)]
    far = max(
        difference(module, pictures(*size, 10), op, magnitude, interpolation="nearest")
        for size in sizes
        for magnitude in magnitudes(op, 13)
    )
    assert far == CLOSE[target].get(op, 0)


@pytest.mark.parametrize("op", WARPS)
def test_masks_move_with_their_pictures(module, target, op):
    from torchvision import tv_tensors

    masks = torch.from_numpy(np.random.default_rng(0).integers(0, 9, (4, 13, 18), dtype=np.uint8))
    element = Element(op, *magnitudes(op, 4)[-1], interpolation="bilinear")
    drawn = draw(Policy((Stage(((element,),)),)), 4, Seeds(2).numpy(), (13, 18))
    steps = steps_of(module, drawn)
    if target == "kornia":
        hard = [step._replace(fill=255, interpolation="nearest") for step in steps]
        found = module.warp(masks.unsqueeze(1), hard).squeeze(1)
    elif target == "torchvision":
        pairs = zip(masks, steps, strict=True)
        found = torch.stack([module.apply_mask(tv_tensors.Mask(m), step) for m, step in pairs])
    else:
        pairs = zip(masks.numpy(), steps, strict=True)
        found = torch.from_numpy(np.stack([module.apply_mask(m, step) for m, step in pairs]))
    assert torch.equal(torch.as_tensor(found), apply_masks(masks, drawn))


def test_kornia_mixes_pictures_targets_and_masks_as_ours(tmp_path):
    pytest.importorskip("kornia")
    for op in ("mixup", "cutmix"):
        policy = Policy((Stage(((Element(op, 1.0),),)),))
        module = exported(policy, "kornia", tmp_path)
        images = pictures(16, 20, 3, 8)
        drawn = draw(policy, 8, Seeds(3).numpy(), (16, 20))
        share = drawn.mix[:, 0] if op == "mixup" else drawn.value[:, 0]
        steps = [
            step._replace(value=float(value))
            for step, value in zip(steps_of(module, drawn), share, strict=True)
        ]
        targets = torch.eye(8)
        own = {"images": images.float(), "targets": targets}
        if op == "cutmix":
            own["masks"] = images[:, 0]
        order = torch.from_numpy(drawn.partner[:, 0])
        found = module.MIXES[op](own, {name: t[order] for name, t in own.items()}, steps)
        assert torch.equal(found["images"].to(torch.uint8), apply(images, drawn))
        assert (found["targets"] - mix_targets(targets, drawn)).abs().max() < 1e-6
        if op == "cutmix":
            assert torch.equal(found["masks"], apply_masks(images[:, 0], drawn))
