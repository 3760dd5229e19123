"""Policies: what is refused and how it is said, and the file."""

from __future__ import annotations

import copy
import json
import pickle
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_helpers import one

from learnaug.errors import ConfigError, LearnaugError
from learnaug.ops import TABLE, Element, Policy, Stage, restrict, spaces
from learnaug.ops.describe import markdown
from learnaug.ops.policy import MAX_BRANCHES

SPACES = [
    spaces.flip_crop(), spaces.traditional(), spaces.cutout(), spaces.mixup(), spaces.cutmix(),
    spaces.randaugment(), spaces.trivialaugment(), spaces.uniform(), Policy(),
    *(spaces.autoaugment(name) for name in ("cifar10", "imagenet", "svhn")),
]  # fmt: skip


@pytest.mark.parametrize("policy", SPACES, ids=lambda policy: policy.name)
def test_a_file_gives_the_same_policy_back(policy, tmp_path):
    policy.save(tmp_path / "policy.json")
    assert Policy.load(tmp_path / "policy.json") == policy
    assert json.loads((tmp_path / "policy.json").read_text())["version"] == 2


def test_conditional_and_per_class_weights_survive_the_file():
    branches = ((Element("invert"),), ())
    policy = Policy(
        (
            Stage(branches, ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0)), "class"),
            Stage(branches, ((1.0, 0.0), (0.25, 0.75)), "previous"),
        ),
        "two",
        {"data": "digits", "images": 100},
    )
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Element("rotat", 3), "did you mean rotate"),
        (lambda: Element("rotate", 500), "-180 <= rotate <= 180"),
        (lambda: Element("rotate", float("nan")), "nan"),
        (lambda: Element("rotate"), "needs a magnitude (degrees"),
        (lambda: Element("invert", 3), "invert has no magnitude"),
        (lambda: Element("rotate", 20, 10), "`low <= high` must hold"),
        (lambda: Element("rotate", 5, values=(1.0,)), "not both"),
        (lambda: Element("posterize", 4, sign=True), "has no sign"),
        (lambda: Element("rotate", 5, p=1.5), "0 <= p <= 1"),
        (lambda: Element("rotate", 5, fill=256), "fill: an integer from 0 to 255"),
        (lambda: Element("rotate", 5, interpolation="bilinaer"), "did you mean bilinear"),
        (lambda: Stage(()), "at least one"),
        (lambda: Stage(((), ()), (1.0,)), "one weight for each of 2 branches"),
        (lambda: Stage(((), ()), (1.0, -1.0)), ">= 0"),
        (lambda: Stage(((), ()), (0.0, 0.0)), "above 0"),
        (lambda: Stage(((), ()), (1.0, float("inf"))), "finite"),
        (lambda: Stage(((),), ((1.0,),)), "belong together"),
        (lambda: Stage(((),), (), "class"), "one row"),
        (lambda: Stage(((),), (1.0,), "clas"), "given: one of"),
        (lambda: Stage(((Element("invert"),) * 17,)), "at most 16 elements"),
        (lambda: Policy((Stage(((),) * (MAX_BRANCHES + 1)),)), "at most 2,000 branches"),
        (lambda: Policy((Stage(((),)),) * 65), "at most 64"),
        (lambda: Policy((Stage(((),), ((1.0,),), "previous"),)), "0 branches before"),
        (lambda: Policy((), ""), "name: 1 to 200"),
        (lambda: Policy((), "x", {"a": float("nan")}), "made_from"),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(ConfigError) as caught:
        make()
    assert words in str(caught.value)


def test_all_faults_at_once():
    with pytest.raises(ConfigError) as caught:
        Element("rotate", 500, p=2, fill=-1, interpolation="x")
    assert len(caught.value.where) == 4


def test_all_pairs_of_36_fit():
    e = spaces.elements36()
    assert len(Policy((Stage(tuple((a, b) for a in e for b in e)),)).stages[0].branches) == 1296


def broken(**changes):
    """A file with one value replaced; keys are paths such as stages.0.branches.1.0.op."""
    value = copy.deepcopy(spaces.traditional().to_json())
    for path, new in changes.items():
        *way, last = path.split("__")
        at = value
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        if new is KeyError:
            del at[int(last) if last.isdigit() else last]
        else:
            at[int(last) if last.isdigit() else last] = new
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "an object (policy)"),
        (broken(format="other"), "learnaug-policy"),
        (broken(version=9), "this learnaug reads 1 and 2"),
        (broken(extra=1), "unknown key 'extra'"),
        (broken(stages=KeyError), "'stages' is missing"),
        (broken(stages={}), "a list must stand here"),
        (broken(stages__0=3), "stages[0]: an object"),
        (broken(stages__0__wieghts=[1]), "did you mean weights"),
        (broken(stages__0__weights="x"), "stages[0].weights: a list"),
        (broken(stages__0__weights=["a"] * 7), "finite numbers"),
        (broken(stages__0__branches__2__0__op="zom"), "stages[0].branches[2][0].op"),
        (broken(stages__0__branches__2__0__low=0.1), "0.5 <= zoom <= 2"),
        (broken(stages__0__branches__2__0__low="0.8"), "'0.8'"),
        (broken(stages__0__branches__2__0__p=True), "p: `0 <= p <= 1`"),
        (broken(stages__0__branches__2__0__values=[[1]]), "zoom"),
        (broken(stages__0__branches__2__0__code="rm"), "unknown key 'code'"),
        (broken(made_from=[]), "made_from: an object"),
        (broken(made_from={"a": {}}), "made_from"),
        (broken(name=5), "name"),
    ],
)
def test_files_that_are_refused(value, words):
    with pytest.raises(ConfigError) as caught:
        Policy.from_json(value)
    assert words in str(caught.value)


def test_a_file_with_many_faults_says_them_all():
    value = broken(stages__0__branches__2__0__op="zom", stages__0__branches__4__0__op="hfilp")
    with pytest.raises(ConfigError) as caught:
        Policy.from_json(value)
    assert len(caught.value.where) == 2


def test_programs_are_refused_unread(tmp_path):
    path = tmp_path / "policy.json"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ConfigError, match="a pickle"):
        Policy.load(path)
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("data.pkl", b"")
    with pytest.raises(ConfigError, match="a zip"):
        Policy.load(path)


@pytest.mark.parametrize(
    "text", ["{", '{"format": NaN}', '{"a": 1, "a": 2}', "[" * 40 + "]" * 40, "\x00\x01", ""]
)
def test_bad_json_is_refused_in_words(text, tmp_path):
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(LearnaugError):
        Policy.load(tmp_path / "policy.json")
    with pytest.raises(LearnaugError):
        Policy.load(tmp_path / "missing.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = [
    "format", "version", "name", "stages", "made_from", "strength", "trained_on", "evidence",
    "stages__0__branches__1__0__unit", "stages__0", "stages__0__branches",
    "stages__0__weights", "stages__0__given", "stages__0__branches__1", "stages__0__branches__1__0",
    "stages__0__branches__1__0__op", "stages__0__branches__1__0__low",
    "stages__0__branches__1__0__high", "stages__0__branches__1__0__values",
    "stages__0__branches__1__0__sign", "stages__0__branches__1__0__p",
    "stages__0__branches__1__0__fill", "stages__0__branches__1__0__interpolation",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_a_file_is_either_a_policy_or_refused_in_words(place, value):
    try:
        policy = Policy.from_json(broken(**{place: value}))
    except ConfigError:
        return
    assert Policy.from_json(policy.to_json()) == policy
    policy.compiled  # noqa: B018 - what was accepted must also draw


def test_does_nothing():
    still = [
        Policy(),
        one("identity"),
        one("rotate", 0),
        one("rotate", 30, p=0),
        Policy((Stage(((), (Element("invert"),)), (1.0, 0.0)),)),
    ]
    assert all(policy.does_nothing for policy in still)
    assert not any(policy.does_nothing for policy in SPACES if policy.stages)
    assert not one("rotate", 0, 5).does_nothing


def test_mixes_and_chains():
    chain = spaces.flip_crop().then(spaces.mixup())
    assert chain.name == "flip-crop+mixup"
    assert len(chain.stages) == 3
    assert chain.mixes
    assert not spaces.uniform().mixes


def test_the_table_is_sound():
    for name, op in TABLE.items():
        assert op.name == name
        assert op.low <= op.high
        assert op.identity is None or op.low <= op.identity <= op.high
        assert op.about
        assert op.source
        if op.signed:
            assert op.identity is not None
            assert op.high - op.identity == op.identity - op.low


def test_the_page_shows_the_table():
    page = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
    assert markdown() in page.read_text("utf-8")


def test_restricting_keeps_the_branches_whose_every_operation_is_allowed():
    small = restrict(spaces.autoaugment("svhn"), ["invert", "shear_x"])
    used = [tuple(e.op for e in branch) for branch in small.stages[0].branches]
    assert used == [("shear_x", "invert"), ("shear_x", "invert"), ("shear_x", "invert")]
    with pytest.raises(ConfigError, match="did you mean rotate"):
        restrict(spaces.uniform(), ["rotat"])


def test_restricting_keeps_conditional_rows_beside_their_branches():
    three = tuple((Element(name),) for name in ("invert", "hflip", "equalize"))
    rows = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0))
    policy = Policy((Stage(three), Stage(three, rows, "previous")))
    small = restrict(policy, ["invert", "equalize"])
    assert small.stages[1].weights == ((1.0, 3.0), (7.0, 9.0))
