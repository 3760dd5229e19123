"""Policies that ship with their evidence, and fixed and searched ones without some operations."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contract
from learnaug.errors import ConfigError, LearnaugError, UsageError
from learnaug.methods import load_augmenter, published, resolve, unfit_for_masks
from learnaug.ops import Policy, spaces, without

ABOUT: dict[str, dict[str, Any]] = {
    "made_from": {
        "method": "aws", "trainings": 3.0, "commit": "0123abc", "score": 0.7,
        "baseline_score": 0.69,
    },
    "trained_on": {"data": "cifar10", "pictures": 4000, "net": "wrn-16-2"},
    "evidence": {
        "metric": "accuracy", "part": "test", "baseline": "trivialaugment", "difference": 0.01,
        "interval": (0.0, 0.02), "pairs": 10,
    },
}  # fmt: skip


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    Policy(spaces.trivialaugment().stages, "found", **ABOUT).save(tmp_path / "found.json")
    return tmp_path


def test_a_shipped_policy_is_used_as_it_is(shipped: Path) -> None:
    found = contract.learn("published:name=found", contract.world()).augmenter
    assert found.describe()["name"] == "found"
    assert load_augmenter("published:name=found").policy.stages == spaces.trivialaugment().stages
    told = resolve("published:name=found").config()["policy"]
    assert told["evidence"]["interval"] == [0.0, 0.02]
    assert unfit_for_masks("published:name=found") == ""
    assert type(resolve("flip-crop+published:name=found+cutout")).__name__ == "Chained"


def test_operations_are_left_out_of_it(shipped: Path) -> None:
    left = load_augmenter("published:name=found,without=3").policy
    assert left.stages == without(spaces.trivialaugment(), 3).stages
    assert left.evidence == {}
    with pytest.raises(ConfigError, match="`0 <= without <= 13` must hold"):
        resolve("published:name=found,without=14")


def test_a_wrong_name_is_answered_with_those_there_are(shipped: Path) -> None:
    with pytest.raises(UsageError, match=r"'fuond'.*\n  did you mean found?"):
        resolve("published:name=fuond")
    for none in ("published", "flip-crop+published"):
        with pytest.raises(UsageError, match="no published policy is named\n  known: found"):
            resolve(none)
    (shipped / "found.json").unlink()
    for name in ("published:name=found", "published", "published:without=1"):
        with pytest.raises(UsageError, match="there is none in this version"):
            resolve(name)


@pytest.mark.parametrize(
    ("field", "key"), [(field, key) for field, keys in ABOUT.items() for key in keys]
)
def test_a_policy_without_its_evidence_is_refused(shipped: Path, field: str, key: str) -> None:
    content = json.loads((shipped / "found.json").read_text())
    del content[field][key]
    (shipped / "found.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=f"must tell its evidence\n  {field}.{key}$"):
        resolve("published:name=found")


def test_what_the_package_ships_can_be_used() -> None:
    for name in published.published_names():
        policy = published.published_policy(name)
        low, high = policy.evidence["interval"]
        assert low <= policy.evidence["difference"] <= high


def test_fixed_policies_without_their_likeliest_operations() -> None:
    left = load_augmenter("autoaugment:without=1").policy
    assert left.stages == without(spaces.autoaugment(), 1).stages
    used = {element.op for element in left.elements()}
    assert "autocontrast" not in used
    assert resolve("autoaugment:without=1").config()["policy"] == left.to_json()
    with pytest.raises(ConfigError, match="`0 <= without <= 0` must hold"):
        resolve("flip-crop:without=1")


@pytest.mark.parametrize("name", ["aws-paper:without=14", "aws-paper:without=-1"])
def test_a_search_refuses_before_it_begins(name: str) -> None:
    with pytest.raises(LearnaugError, match=r"`0 <= without"):
        resolve(name)


def test_a_search_leaves_out_what_it_found_likeliest() -> None:
    """Two loops leave a table nearly even: what is gone is of the pairs, not of crop and cutout."""
    settings = "loops=2,first=0.1,late=0.1,looks=1"
    found = contract.learn(f"aws-paper:{settings},without=2", contract.world()).augmenter.policy
    used = {element.op for element in found.elements()}
    whole = contract.learn(f"aws-paper:{settings}", contract.world()).augmenter.policy
    assert {"hflip", "pad_crop", "cutout"} <= used
    assert len({element.op for element in whole.elements()} - used) == 2
    assert len(found.stages) == len(whole.stages)
