"""Settings behind a method's name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from torch import nn

from learnaug.errors import ConfigError, LearnaugError, UsageError
from learnaug.methods import Chain, is_learned, resolve
from learnaug.methods.merge import SmartAugmentation
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
    assert configured(Merge(rate=0.5), "m:rate=null") == Merge()
    assert configured(Merge(rate=0.5), "m:rate=1").rate == 1.0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smart-augmentation:k=0", "`1 <= k <= 8` must hold, but got 0"),
        ("smart-augmentation:alpha=-1", "`alpha >= 0` must hold, but got -1.0"),
        ("smart-augmentation:alpha_end=-2", "`alpha_end >= 0` must hold, but got -2.0"),
        ("smart-augmentation:lr=0", "`lr > 0` must hold, but got 0"),
        ("smart-augmentation:share=2", "`0 < share <= 1` must hold, but got 2.0"),
        ("smart-augmentation:lr=fast", "a number or null is needed"),
        ("mean-of-k:k=9", "must hold, but got k = 9 and share = 0.5"),
        ("class-mixup:share=0", "must hold, but got 0.0"),
    ],
)
def test_values_out_of_range_are_said_with_what_came(name, words):
    with pytest.raises(LearnaugError) as caught:
        resolve(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "mixup+smart-augmentation", "cutmix+flip-crop+smart-augmentation-frozen+cutout",
        "mixup+mean-of-k", "mixup+class-mixup", "mixup+same-image",
    ],
)  # fmt: skip
def test_classes_are_not_mixed_in_front_of_a_merge(name):
    """Refused by name; and where such a chain is put together otherwise, when it is used."""
    with pytest.raises(UsageError, match="must not mix pictures of different classes"):
        resolve(name)
    members = (resolve("mixup").augmenter, resolve("mean-of-k").augmenter)
    with pytest.raises(UsageError, match="must not mix pictures of different classes"):
        Chain(members).apply(np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 0, 1], seed=0, classes=2)
    resolve("flip-crop+mean-of-k+mixup")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("k=2.5", "k=2.5, but a value like 2"),
        ("k=true", "k=true, but a value like 2"),
        ("per_class=1", "per_class=1, but true or false is needed"),
        ("alhpa=0.1", "did you mean alpha?"),
        ("inner=3", "'inner' is not known"),
        ("k=3,k=4", "'k' is given twice"),
        ("", "not of the form setting=value"),
        ("k", "not of the form setting=value"),
        ("rate=[1]", "a number or null is needed"),
        ("rate=fast", "rate=fast, but a number or null is needed"),
        ("rate=true", "a number or null is needed"),
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


def test_a_fixed_policy_has_one_setting():
    with pytest.raises(UsageError, match="known: without"):
        resolve("flip-crop+cutout:size=3")


def test_the_row_is_found_behind_settings():
    assert parted("a:b=1:2") == ("a", "b=1:2")
    assert not is_learned("cutout:x=1")
    with pytest.raises(UsageError, match="did you mean cutout"):
        resolve("cutot:x=1")


def test_a_module_is_no_function_that_makes_one():
    with pytest.raises(ConfigError, match="function"):
        SmartAugmentation(network=nn.Conv2d(2, 1, 1))
