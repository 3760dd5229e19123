"""The recipe: rules, number of updates, the schedule."""

from __future__ import annotations

import math

import pytest
import torch

from learnaug.errors import ConfigError
from learnaug.training.recipe import Recipe, default_epochs, learning_rate


def test_all_broken_rules_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Recipe(epochs=0, lr=math.nan, warmup=1.0, optimiser="adamv")  # type: ignore[arg-type]
    text = str(caught.value)
    for part in ("epochs >= 1", "0 < lr < inf", "0 <= warmup < 1", "did you mean adamw?"):
        assert part in text


@pytest.mark.parametrize(
    ("epochs", "batch", "n", "expected"), [(1, 64, 64, 1), (10, 64, 100, 16), (3, 64, 10, 3)]
)
def test_updates_show_every_image_once_an_epoch(
    epochs: int, batch: int, n: int, expected: int
) -> None:
    assert Recipe(epochs=epochs, batch_size=batch).updates(n) == expected


def test_schedule_equals_pytorchs_own() -> None:
    """Warm-up and cosine against LinearLR and CosineAnnealingLR, which share no code with ours."""
    recipe = Recipe(lr=0.5, warmup=0.25)
    updates, warm = 40, 10
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=0.5)
    linear = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / warm, 1.0, warm - 1)
    expected = []
    for _ in range(warm):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        linear.step()
    optimiser = torch.optim.SGD([weight], lr=0.5)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates - warm)
    for _ in range(updates - warm):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        cosine.step()
    ours = [learning_rate(recipe, u, updates) for u in range(updates)]
    assert ours == pytest.approx(expected, rel=1e-6)


def test_default_epochs_never_rise_with_more_images() -> None:
    numbers = [default_epochs(n) for n in (1, 50, 200, 500, 1000, 4000, 50_000, 10**7)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == 150
    assert numbers[-1] == 15
