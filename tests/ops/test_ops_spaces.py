"""Published spaces against their sources: torchvision, and figures of the papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ops_helpers import drawn_for, noise, one, run
from torch import Tensor

from learnaug.errors import UsageError
from learnaug.ops import (
    TABLE,
    Element,
    Policy,
    Stage,
    apply,
    apply_masks,
    describe,
    primitives,
    spaces,
)
from learnaug.ops.autoaugment import SUBPOLICIES

THEIRS = {  # torchvision's name of ours
    "identity": "Identity", "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX",
    "translate_y": "TranslateY", "shift_x": "TranslateX", "shift_y": "TranslateY",
    "rotate": "Rotate", "color": "Color", "contrast": "Contrast",
    "sharpness": "Sharpness", "brightness": "Brightness", "posterize": "Posterize",
    "solarize": "Solarize", "autocontrast": "AutoContrast", "equalize": "Equalize",
    "invert": "Invert",
}  # fmt: skip
SIDE = 331  # so that 150/331 of the side are 150 pixels


def theirs(op: str, magnitude: float) -> float:
    """Our physical magnitude as torchvision counts it."""
    if op.startswith("translate"):
        return magnitude * SIDE
    return magnitude - 1 if TABLE[op].unit == "factor" else magnitude


@pytest.mark.parametrize("dataset", ["cifar10", "imagenet", "svhn"])
def test_autoaugment_equals_torchvisions_table(dataset):
    from torchvision.transforms import autoaugment

    kind = autoaugment.AutoAugmentPolicy[dataset.upper()]
    source = autoaugment.AutoAugment(kind)
    space = source._augmentation_space(10, (SIDE, SIDE))
    pairs = spaces.autoaugment(dataset).stages[0].branches
    assert len(pairs) == len(source.policies) == 25
    for ours, expected in zip(pairs, source.policies, strict=True):
        for element, (name, p, level) in zip(ours, expected, strict=True):
            assert THEIRS[element.op] == name
            assert element.p == p
            magnitudes, signed = space[name]
            assert element.sign == signed
            if level is not None:
                got = theirs(element.op, element.low)
                # Solarize runs from 256 in the paper and from 255 in torchvision.
                tolerance = 1.0 if name == "Solarize" else 1e-4
                assert got == pytest.approx(float(magnitudes[level]), abs=tolerance)


def test_known_rows_of_the_paper():
    assert SUBPOLICIES["cifar10"][0] == (("invert", 0.1, 0), ("contrast", 0.2, 6))
    assert SUBPOLICIES["imagenet"][0] == (("posterize", 0.4, 8), ("rotate", 0.6, 9))
    assert SUBPOLICIES["svhn"][24] == (("shear_x", 0.7, 2), ("invert", 0.1, 0))
    rotate = spaces.autoaugment("imagenet").stages[0].branches[0][1]
    assert rotate == Element("rotate", 30.0, sign=True, p=0.6)


def test_trivialaugment_equals_torchvisions_grid():
    from torchvision.transforms.autoaugment import TrivialAugmentWide

    space = TrivialAugmentWide()._augmentation_space(31)
    elements = [branch[0] for branch in spaces.trivialaugment().stages[0].branches]
    assert sorted(THEIRS[e.op] for e in elements) == sorted(space)
    for element in elements:
        magnitudes, signed = space[THEIRS[element.op]]
        assert element.sign == signed
        if TABLE[element.op].unit:
            got = [theirs(element.op, v) for v in element.values]
            assert np.allclose(got, magnitudes.tolist(), atol=1e-4), element.op


def test_trivialaugment_translates_32_pixels_at_any_size():
    elements = [branch[0] for branch in spaces.trivialaugment().stages[0].branches]
    for name in ("shift_x", "shift_y"):
        element = next(e for e in elements if e.op == name)
        assert (max(element.values), element.sign, TABLE[name].unit) == (32, True, "pixels")


@pytest.mark.parametrize("magnitude", [0, 5, 9, 15, 30])
def test_randaugment_equals_torchvisions_grid(magnitude):
    from torchvision.transforms.autoaugment import RandAugment

    space = RandAugment()._augmentation_space(31, (SIDE, SIDE))
    policy = spaces.randaugment(3, magnitude)
    assert len(policy.stages) == 3
    elements = [branch[0] for branch in policy.stages[0].branches]
    assert sorted(THEIRS[e.op] for e in elements) == sorted(space)
    for element in elements:
        magnitudes, signed = space[THEIRS[element.op]]
        assert element.sign == signed
        if TABLE[element.op].unit:
            expected = float(magnitudes[magnitude])
            assert theirs(element.op, element.low) == pytest.approx(expected, abs=1e-3)


def test_the_36_elements_of_aws():
    elements = spaces.elements36()
    assert len(set(elements)) == 36
    by_op: dict[str, list[Element]] = {}
    for element in elements:
        by_op.setdefault(element.op, []).append(element)
    assert len(by_op) == 14
    lows = {op: [e.low for e in found] for op, found in by_op.items()}
    assert lows["shear_x"] == pytest.approx([0.1, 0.2, 0.3])
    assert lows["translate_y"] == pytest.approx([0.151, 0.302, 0.453], abs=5e-4)
    assert lows["rotate"] == pytest.approx([10, 20, 30])
    assert lows["color"] == pytest.approx([1.3, 1.6, 1.9])
    assert lows["posterize"] == [7, 5, 4]
    assert lows["solarize"] == pytest.approx([170.7, 85.3, 0], abs=0.05)
    assert all(by_op[op][0].fill == 128 for op in ("shear_x", "shear_y", "translate_x"))
    assert by_op["shear_y"][0].interpolation == "bicubic"
    assert by_op["rotate"][0].fill is None
    assert all(e.sign == TABLE[e.op].signed for e in elements)


def test_traditional_is_half_originals_and_six_even_changes():
    stage = spaces.traditional().stages[0]
    total = sum(stage.weights)
    assert stage.branches[0] == ()
    assert [w / total for w in stage.weights] == pytest.approx([0.5] + [1 / 12] * 6)


def test_dagan_standard_has_the_shares_of_the_paper():
    """A white dot on grey: each change leaves a trace that the other two cannot leave."""
    n = 4000
    images = torch.full((n, 1, 21, 21), 100, dtype=torch.uint8)
    images[:, :, 10, 10] = 255  # the centre, which no turn moves
    images[:, :, 10, 4] = 0  # what turns
    out = apply(images, drawn_for(images, spaces.dagan_standard())).numpy()[:, 0].astype(int)
    dot = np.array([np.argwhere(each > 220)[0] if (each > 220).any() else (-1, -1) for each in out])
    noisy = np.array([len(np.unique(each)) > 4 for each in out])
    assert noisy.mean() == pytest.approx(0.5, abs=0.03)
    clean = ~noisy
    moved = (dot[clean] != 10).any(1)
    # each shift is uniform in ±2.1 pixels: it rounds to none in 1 of 4.2
    assert moved.mean() == pytest.approx(0.5 * (1 - (1 / 4.2) ** 2), abs=0.04)
    assert abs(dot[clean] - 10).max() == 2
    still = out[clean][~moved]
    places = [(10, 4), (16, 10), (10, 16), (4, 10)]
    shares = [(still[:, y, x] == 0).mean() for y, x in places]
    assert shares == pytest.approx([0.25] * 4, abs=0.05)
    assert sum(shares) == pytest.approx(1)
    low, high = np.percentile(out[noisy][:, 3:18, 3:18], (15.87, 84.13))  # ± 1 deviation
    assert (high - low) / 2 == pytest.approx(25.5, rel=0.05)


def test_wrong_names_are_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean cifar10"):
        spaces.autoaugment("cifar100")
    with pytest.raises(UsageError, match="0 <= magnitude < 31"):
        spaces.randaugment(2, 31)


def test_words():
    lines = describe(spaces.flip_crop())
    assert lines == ["always: hflip, p 0.5", "always: pad_crop 0.125 fraction of the side"]
    assert describe(Policy()) == ["nothing"]
    trivial = describe(spaces.trivialaugment())
    assert len(trivial) == 15
    assert "  7.14 %  rotate ±(0 to 135) degrees" in trivial
    assert "  7.14 %  color 1 to 1.99 or 1 to 0.01 factor" in trivial
    conditional = Policy(
        (Stage(((), (Element("invert", p=0.5),)), ((1.0, 0.0), (0.0, 1.0)), "class"),)
    )
    assert describe(conditional)[0] == "one of 2, with weights for each class:"
    assert describe(one("shear_x", 0.2, fill=128, interpolation="bicubic")) == [
        "always: shear_x 0.2 tan(angle), fill 128, bicubic"
    ]


# --- the 15 of Safe Augmentation ------------------------------------------------------------------

THESIS = [
    "HorizontalFlip", "VerticalFlip", "RandomRotate90", "Transpose", "ToGray", "ShiftScaleRotate",
    "RandomCrop", "CenterCrop", "RandomSizedCrop", "RandomContrast", "RandomBrightness",
    "RandomGamma", "CLAHE", "Blur", "GaussNoise",
]  # fmt: skip


def safe(name: str, side: int = 32) -> Policy:
    return Policy((Stage((dict(spaces.safe15(side))[name],)),), name)


def photographs(side: int, count: int = 4) -> Tensor:
    coarse = torch.from_numpy(np.random.default_rng(0).normal(128, 50, (count, 3, 6, 6)))
    wide = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")
    return wide.clamp(0, 255).byte()


def test_safe15_are_the_thesis_operations_in_its_order():
    assert [name for name, _ in spaces.safe15(32)] == THESIS
    assert spaces.safe15(32) == spaces.safe15(32)
    assert all(e.p == 1 for _, branch in spaces.safe15(32) for e in branch)


@pytest.mark.parametrize("name", THESIS)
@pytest.mark.parametrize("side", [32, 64])
def test_safe15_change_most_pictures_alike_in_both_back_ends(name, side):
    images = photographs(side, 64)
    drawn = drawn_for(images, safe(name, side))
    out = apply(images, drawn)
    changed = (out != images).flatten(1).any(1).double().mean()
    assert changed >= (0.5 if name == "RandomRotate90" else 0.95)  # a quarter has no turn
    theirs = apply(images, drawn, primitives)
    assert (out.int() - theirs.int()).abs().max() <= (name == "Blur")
    moves = any(TABLE[e.op].primitive == "warp" for e in dict(spaces.safe15(side))[name])
    masks = images[:, 0] % 5
    assert torch.equal(apply_masks(masks, drawn), masks) != moves


@pytest.mark.parametrize(("side", "kept"), [(32, 25), (64, 50), (28, 22), (96, 75), (1, 1), (7, 5)])
def test_safe15_crop_whole_pixels(side, kept):
    crop, centre = (dict(spaces.safe15(side))[name][0] for name in ("RandomCrop", "CenterCrop"))
    assert crop.low * side == pytest.approx(kept)
    assert centre.low == pytest.approx(side / kept)
    sized = dict(spaces.safe15(32))["RandomSizedCrop"][0]
    assert (sized.low, sized.high) == (26 / 32, 30 / 32)
    with pytest.raises(UsageError, match="side >= 1"):
        spaces.safe15(0)


def single_of(name: str, images: Tensor, value: float) -> np.ndarray:
    """One of the 15 at that magnitude, as arrays [B, H, W, 3]."""
    (element,) = dict(spaces.safe15(images.shape[-1]))[name]
    return run(images, element.op, value).permute(0, 2, 3, 1).numpy()


def test_safe15_against_what_albumentations_calls():
    """OpenCV's own functions with the arguments of Albumentations 0.1.1."""
    cv2 = pytest.importorskip("cv2")
    images = photographs(64)
    arrays = [np.ascontiguousarray(image) for image in images.permute(0, 2, 3, 1).numpy()]

    def far(ours: np.ndarray, theirs: list[np.ndarray]) -> float:
        return float(np.abs(ours.astype(float) - np.stack(theirs)).mean())

    blurred = [cv2.blur(a, (3, 3)) for a in arrays]
    assert far(single_of("Blur", images, (2 / 3) ** 0.5), blurred) < 0.6
    centre = [cv2.resize(a[7:57, 7:57], (64, 64), interpolation=cv2.INTER_LINEAR) for a in arrays]
    ours = single_of("CenterCrop", images, 64 / 50)
    assert far(ours, centre) < 0.5
    inner = slice(1, -1)  # at the very border OpenCV repeats the crop's last pixel
    worst = ours[:, inner, inner].astype(int) - np.stack(centre)[:, inner, inner]
    assert np.abs(worst).max() <= 1
    curve = [(((a / 255.0) ** (1 / 0.8)) * 255).astype(np.uint8) for a in arrays]
    assert far(single_of("RandomGamma", images, 1 / 0.8), curve) < 0.6
    equal = []
    for array in arrays:
        lab = cv2.cvtColor(array, cv2.COLOR_RGB2LAB)
        lab[:, :, 0] = cv2.createCLAHE(3.0, (8, 8)).apply(lab[:, :, 0])
        equal.append(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    assert far(single_of("CLAHE", images, 3.0), equal) < 12
    assert far(images.permute(0, 2, 3, 1).numpy(), equal) > 15


def test_safe15_gamma_is_the_inverse_of_albumentations():
    gamma = dict(spaces.safe15(32))["RandomGamma"][0]
    assert sorted(1 / end for end in gamma.magnitudes) == pytest.approx([0.8, 1.2])


def test_safe15_noise_has_the_deviations_of_the_variances():
    noisy = dict(spaces.safe15(32))["GaussNoise"][0]
    assert [end**2 for end in noisy.magnitudes] == pytest.approx([10, 50])
    images = noise(1, 1, 8, 8)
    assert drawn_for(images, safe("GaussNoise")).value[0, 0] ** 2 > 10
