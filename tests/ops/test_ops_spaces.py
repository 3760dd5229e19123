"""Published spaces against their sources: torchvision, and figures of the papers."""

from __future__ import annotations

import numpy as np
import pytest
from ops_helpers import one

from learnaug.errors import UsageError
from learnaug.ops import TABLE, Element, Policy, Stage, describe, spaces
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
