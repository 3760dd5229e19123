"""Settings behind a method's name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from learnaug.errors import UsageError
from learnaug.methods import is_learned, resolve
from learnaug.methods.settings import configured, parted


@dataclass(frozen=True)
class Merge:
    k: int = 2
    alpha: float = 0.7
    loss: str = "mse"
    per_class: bool = False
    rate: float | None = None
    inner: tuple[int, ...] = (1, 2)


def test_values_take_the_type_of_the_default():
    found = configured(Merge(), "m:k=3, alpha=1,loss=none,per_class=true,rate=0.5")
    assert found == Merge(3, 1.0, "none", True, 0.5)
    assert type(found.alpha) is float
    assert configured(Merge(), "m") == Merge()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("k=2.5", "k=2.5, but a value like 2"),
        ("k=true", "k=true, but a value like 2"),
        ("per_class=1", "value like False"),
        ("alhpa=0.1", "did you mean alpha?"),
        ("inner=3", "'inner' is not known"),
        ("k=3,k=4", "'k' is given twice"),
        ("", "not of the form setting=value"),
        ("k", "not of the form setting=value"),
        ("rate=[1]", "value like None"),
    ],
)
def test_wrong_settings_are_named(text, words):
    with pytest.raises(UsageError) as caught:
        configured(Merge(), f"m:{text}")
    assert words in str(caught.value)


def test_all_faults_at_once():
    with pytest.raises(UsageError) as caught:
        configured(Merge(), "m:k=x,alhpa=1,loss")
    assert len(caught.value.where) == 3


def test_a_fixed_policy_has_no_settings():
    with pytest.raises(UsageError, match="this method has no settings"):
        resolve("flip-crop+cutout:size=3")


def test_the_row_is_found_behind_settings():
    assert parted("a:b=1:2") == ("a", "b=1:2")
    assert not is_learned("cutout:x=1")
    with pytest.raises(UsageError, match="did you mean cutout"):
        resolve("cutot:x=1")
