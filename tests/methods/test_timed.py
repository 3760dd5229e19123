"""A policy in a part of the training only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contract
from learnaug import nets
from learnaug.errors import ConfigError, UsageError
from learnaug.methods import METHODS, Budget, Chain, Learned, Learning, load_augmenter, resolve
from learnaug.ops import spaces
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, fit


def learned(name: str) -> Learned:
    return contract.learn(name, contract.world())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("begin=0,end=0.25", [("autoaugment", 0.25), ("none", 0.75)]),
        ("begin=0.75", [("none", 0.75), ("autoaugment", 0.25)]),
        (
            "policy=cutout,begin=0.25,end=0.75",
            [("none", 0.25), ("cutout", 0.5), ("none", 0.25)],
        ),
        ("begin=0,end=1", [("autoaugment", 1.0)]),
    ],
)
def test_the_policy_acts_at_its_time_only(settings: str, expected: list[tuple[str, float]]) -> None:
    found = learned(f"timed:{settings}")
    phases = [(phase.augmenter.describe()["name"], phase.share) for phase in found.phases()]
    assert phases == expected
    assert "none" not in found.augmenter.describe()["name"]  # what is kept acts always


def test_what_stands_in_front_acts_all_the_time() -> None:
    found = learned("flip-crop+timed:policy=cutout,begin=0.5")
    whole = [phase.augmenter for phase in found.phases()]
    assert all(isinstance(each, Chain) and len(each.members) == 2 for each in whole)
    names = [[member.describe()["name"] for member in each.members] for each in whole]
    assert names == [["flip-crop", "none"], ["flip-crop", "cutout"]]


def test_a_training_sees_the_policy_in_its_last_updates_only() -> None:
    """The batches of a training, counted: 4 of 8 updates have blanked boxes."""
    data = contract.world((8, 8), n=16)
    data.images[:] = 255
    seen: list[bool] = []

    class Watching(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nets.build("smallnet", channels=3, size=(8, 8), classes=3, seeds=Seeds(0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(bool(x.min() < x.max()))
            return self.net(x)

    method = resolve("timed:policy=cutout,begin=0.5")
    recipe = Recipe(epochs=4, batch_size=8)
    learning = Learning(data, data, lambda seeds: Watching(), recipe)
    found = method.learn(
        learning, seeds=Seeds(0), device=contract.CPU, budget=Budget(), keep=Keep()
    )
    fit(
        Watching(), data, None, found.phases(), recipe, seeds=Seeds(0), device=contract.CPU,
        precision="fp32", keep=Keep(),
    )  # fmt: skip
    assert seen[-8:] == [False] * 4 + [True] * 4


def test_all_wrong_settings_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("timed:policy=cutot,begin=0.6,end=0.2")
    assert "policy 'cutot' is no fixed policy; did you mean cutout?" in str(caught.value)
    words = "`0 <= begin < end <= 1` must hold, but got begin = 0.6 and end = 0.2"
    assert words in str(caught.value)
    for wrong in ("end=1.5", "begin=-0.5", "begin=1", "policy=aws", "policy=timed"):
        with pytest.raises(ConfigError):
            resolve(f"timed:{wrong}")


def test_nothing_may_stand_behind_it() -> None:
    """A chain keeps the curriculum of its last member: the times of another would be lost."""
    with pytest.raises(UsageError, match="must be the last of a chain") as caught:
        resolve("flip-crop+timed:begin=0.25+cutout")
    assert "flip-crop+cutout+timed:begin=0.25 has it last" in str(caught.value)


def test_every_plain_policy_can_be_timed() -> None:
    plain = [name for name, row in METHODS.items() if type(row.make(None)).__name__ == "Fixed"]
    assert len(plain) > 10
    for name in plain:
        assert resolve(f"timed:policy={name}").augmenter == resolve(name).augmenter


def test_the_augmenter_of_its_name_is_the_policy() -> None:
    assert load_augmenter("timed:policy=cutout").describe()["name"] == "cutout"
    assert Phase(load_augmenter("timed")).augmenter.policy == spaces.autoaugment()
