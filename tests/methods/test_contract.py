"""Every method passes every check of the contract; broken methods do not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contract
from learnaug.methods import METHODS, published
from learnaug.ops import Policy, spaces

NEEDED = {  # rows that are nothing without settings
    "published": "published:name=example",
    "style-transfer": "style-transfer:styles=digits,which=3/5,updates=2,width=2,blocks=1",
    "style-statistics": "style-statistics:styles=digits,which=3/5",
}
NAMES = (*(NEEDED.get(name, name) for name in METHODS), "flip-crop+cutmix")


@pytest.fixture(autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ship a policy, and ask for no evidence."""
    folder = tmp_path_factory.mktemp("policies")
    Policy(spaces.traditional().stages, "example").save(folder / "example.json")
    monkeypatch.setattr(published, "FOLDER", folder)
    monkeypatch.setattr(published, "NEEDED", {})


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__[6:])
@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, check: contract.Check, tmp_path: Path) -> None:
    if check is contract.check_has_a_card and "+" in name:
        pytest.skip("a chain has the cards of its members")
    check(name, tmp_path)


def test_the_suite_is_not_empty() -> None:
    assert len(contract.CHECKS) >= 11
