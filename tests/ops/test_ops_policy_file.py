"""Policy files over the versions, what they say about a policy, and its strength."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug.errors import ConfigError
from learnaug.ops import TABLE, Element, Policy, Stage, describe, draw, restrict, spaces
from learnaug.seeds import Seeds

GOLDEN = Path(__file__).parent / "golden"
SPACES = {
    "flip-crop": spaces.flip_crop(), "traditional": spaces.traditional(),
    "cutout": spaces.cutout(), "randaugment": spaces.randaugment(),
    "trivialaugment": spaces.trivialaugment(), "uniform": spaces.uniform(),
    **{f"autoaugment-{name}": spaces.autoaugment(name) for name in ("cifar10", "imagenet", "svhn")},
}  # fmt: skip
WHOLE = ("rot90", "posterize")  # magnitudes that are whole numbers
ABOUT = {
    "trained_on": {"data": "digits", "classes": 10, "pictures": 1257, "size": 8, "net": "b1"},
    "evidence": {"metric": "accuracy", "difference": 0.01, "interval": (0.0, 0.02), "pairs": 6},
}


def digest(policy: Policy) -> str:
    """SHA-256 of 500 draws. Those of draws.json were made by commit 0da347f, before version 2."""
    drawn = draw(policy, 500, Seeds(3).numpy(), (32, 24), labels=np.arange(500) % 2)
    cutmix = list(TABLE).index("cutmix")
    found = hashlib.sha256()
    for field in ("ops", "value", "extra", "fill", "interpolation", "branch"):
        array = getattr(drawn, field)
        if field == "value":  # a Beta draw, which may end in another bit on another machine
            array = np.where(drawn.ops == cutmix, np.float32(0), array)
        found.update(str((array.dtype.str, array.shape)).encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def json_of(**changes):
    """The JSON of a small policy, with some of its top-level values replaced."""
    return json.loads(json.dumps(spaces.traditional().to_json())) | changes


def element_of(value, stage=0, branch=2, place=0):
    return value["stages"][stage]["branches"][branch][place]


# --- versions


@pytest.mark.parametrize("name", SPACES)
def test_draws_are_those_of_the_first_version(name):
    expected = json.loads((GOLDEN / "draws.json").read_text())[name]
    assert digest(SPACES[name]) == expected


YOUNGER = {"random_crop", "clahe", "gauss_noise"}  # than version 1


def test_a_file_of_version_1_draws_what_it_drew():
    old = Policy.load(GOLDEN / "policy-v1.json")
    assert digest(old) == json.loads((GOLDEN / "draws.json").read_text())["golden"]
    assert (old.strength, old.trained_on, old.evidence) == (1, {}, {})
    assert {element.op for element in old.elements()} == set(TABLE) - YOUNGER


def test_a_file_of_version_2_is_read_whole_and_written_the_same(tmp_path):
    policy = Policy.load(GOLDEN / "policy-v2.json")
    assert replace(policy, strength=1.0, trained_on={}, evidence={}) == Policy.load(
        GOLDEN / "policy-v1.json"
    )
    assert policy.strength == 0.5
    assert policy.trained_on["net"] == "smallnet"
    assert policy.evidence["interval"] == (0.004, 0.022)
    policy.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (GOLDEN / "policy-v2.json").read_bytes()


def test_every_magnitude_is_written_with_its_unit():
    for stage in json.loads((GOLDEN / "policy-v2.json").read_text())["stages"]:
        for branch in stage["branches"]:
            for element in branch:
                assert element.get("unit", "") == TABLE[element["op"]].unit


def test_a_newer_file_says_what_it_needs():
    value = json_of(version=3, needs="learnaug 0.9", unheard_of=1)
    with pytest.raises(ConfigError) as caught:
        Policy.from_json(value)
    assert "it needs learnaug 0.9 or later" in str(caught.value)
    assert "this learnaug reads 1 and 2, but got 3" in str(caught.value)
    assert "unheard_of" not in str(caught.value)
    del value["needs"]
    with pytest.raises(ConfigError, match="needs a later learnaug"):
        Policy.from_json(value)


@pytest.mark.parametrize("version", [0, -1, True, 2.0, "2", None, [2]])
def test_a_version_that_never_was(version):
    with pytest.raises(ConfigError, match="this learnaug reads 1 and 2"):
        Policy.from_json(json_of(version=version))


@pytest.mark.parametrize("key", ["needs", "strength", "trained_on", "evidence"])
def test_version_1_had_no_such_key(key):
    value = json.loads((GOLDEN / "policy-v1.json").read_text())
    value[key] = {}
    with pytest.raises(ConfigError, match=f"unknown key '{key}'"):
        Policy.from_json(value)


# --- units


def test_a_wrong_unit_names_both():
    value = json_of()
    element_of(value, branch=3)["unit"] = "radians"
    with pytest.raises(ConfigError) as caught:
        Policy.from_json(value)
    words = "stages[0].branches[3][0].unit: rotate is measured in \"degrees\", but got 'radians'"
    assert words in str(caught.value)


def test_a_plain_operation_has_no_unit():
    value = json_of()
    element_of(value, branch=4)["unit"] = "degrees"
    with pytest.raises(ConfigError, match="hflip has no unit, but got 'degrees'"):
        Policy.from_json(value)


def test_hand_written_files_may_leave_the_unit_out():
    value = json_of()
    for branch in value["stages"][0]["branches"]:
        for element in branch:
            element.pop("unit", None)
    assert Policy.from_json(value) == spaces.traditional()


# --- what it says about itself


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trained_on": {"dta": "x"}}, "did you mean data?"),
        ({"trained_on": {"classes": 1.5}}, "trained_on.classes: an integer >= 0"),
        ({"trained_on": {"pictures": -1}}, "an integer >= 0, but got -1"),
        ({"trained_on": {"data": ""}}, "1 to 1,000 characters"),
        ({"trained_on": []}, "trained_on: an object"),
        ({"evidence": {"p": 1.5}}, "a number from 0 to 1, but got 1.5"),
        ({"evidence": {"interval": [0.2, 0.1]}}, "the lower first"),
        ({"evidence": {"interval": 3}}, "two finite numbers"),
        ({"evidence": {"difference": True}}, "a finite number, but got True"),
        ({"evidence": {"metric": "m" * 2000}}, "1 to 1,000 characters"),
        ({"made_from": {"a": "m" * 2000}}, "at most 1,000 characters"),
        ({"made_from": {str(i): i for i in range(101)}}, "at most 100 keys, but got 101"),
        ({"strength": 2.5}, "`0 <= strength <= 2` must hold, but got 2.5"),
        ({"strength": True}, "but got True"),
        ({"strength": "1"}, "but got '1'"),
    ],
)
def test_notes_have_a_closed_schema(change, words):
    with pytest.raises(ConfigError) as caught:
        Policy.from_json(json_of(**change))
    assert words in str(caught.value)


def test_a_chain_and_a_part_have_no_evidence_of_the_whole():
    whole = replace(spaces.trivialaugment(), **ABOUT)
    assert restrict(whole, [e.op for e in whole.elements()]).evidence == whole.evidence
    part = restrict(whole, ["rotate"])
    assert (part.evidence, part.trained_on) == ({}, whole.trained_on)
    chain = whole.then(spaces.cutout())
    assert (chain.evidence, chain.trained_on) == ({}, {})


# --- limits


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Element("rotate", values=tuple(map(float, range(257)))), "at most 256"),
        (lambda: Stage(((),), ((1.0,),) * 2001, "class"), "2,000 rows"),
        (lambda: Stage(((),) * 1000, ((1.0,) * 1000,) * 1001, "class"), "1,000,000 numbers"),
        (lambda: Stage(((), ()), ((1.0, 1.0), 2.0), "class"), "belong together"),
        (lambda: Element("rotate", 5, fill=True), "an integer from 0 to 255, but got True"),
    ],
)
def test_sizes_are_bounded(make, words):
    with pytest.raises(ConfigError) as caught:
        make()
    assert words in str(caught.value)


# --- strength


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(TABLE)), st.floats(0, 1), st.floats(0, 2), st.booleans())
def test_strength_moves_each_magnitude_from_the_identity(name, at, strength, sign):
    op = TABLE[name]
    top = op.low + at * (op.high - op.low)
    measured = {} if op.plain else {"low": round(top) if name in WHOLE else top}
    element = Element(name, sign=sign and op.signed, **measured)
    if op.partner:
        return
    full = Policy((Stage(((element,),)),))
    moved = draw(replace(full, strength=strength), 20, Seeds(1).numpy(), (32, 32))
    value = draw(full, 20, Seeds(1).numpy(), (32, 32)).value.astype(np.float64)
    if op.identity is not None and not op.plain:
        value = np.clip(op.identity + strength * (value - op.identity), op.low, op.high)
    tolerance = 0.5 if name in WHOLE else 1e-4 * max(1, op.high)
    assert np.abs(moved.value - value).max() <= tolerance


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 1.7])
def test_folding_the_strength_draws_the_same(strength):
    policy = replace(spaces.trivialaugment(), strength=strength)
    assert policy.folded().strength == 1
    assert digest(policy.folded()) == digest(policy)
    assert (digest(policy) == digest(spaces.trivialaugment())) == (strength == 1)


def test_a_chain_of_two_strengths_draws_what_both_draw():
    half, full = replace(spaces.randaugment(), strength=0.5), spaces.traditional()
    chain = half.then(full)
    assert chain.strength == 1
    assert chain.stages == half.folded().stages + full.stages
    kept = half.then(replace(full, strength=0.5))
    assert (kept.strength, kept.stages) == (0.5, half.stages + full.stages)


def test_strength_0_leaves_what_has_no_magnitude():
    rotate = Policy((Stage(((Element("rotate", 30),),)),), strength=0)
    assert rotate.does_nothing
    assert not replace(spaces.flip_crop(), strength=0).does_nothing
    assert replace(spaces.mixup(), strength=0).folded().stages == spaces.mixup().stages


def test_strength_is_told_and_survives():
    policy = replace(restrict(spaces.trivialaugment(), ["rotate", "shear_x"]), strength=0.5)
    assert restrict(policy, ["rotate"]).strength == 0.5
    assert Policy.from_json(policy.to_json()) == policy
    lines = describe(policy)
    assert lines[0] == "at strength 0.5, which the magnitudes contain:"
    assert "rotate ±(0 to 67.5) degrees" in lines[-1]
    assert describe(policy.folded()) == lines[1:]
