"""The classification task and the loop: losses, resumption, faults, purity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from learnaug import nets, rundir
from learnaug.data import Batch, ImageSet
from learnaug.errors import RunError
from learnaug.methods.table import augmenter
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, Stopped, fit, predict
from learnaug.training.augmenter import phase_at
from learnaug.training.classify import soft_cross_entropy
from learnaug.training.forward import Normalise
from learnaug.training.target import make_optimiser

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=4, batch_size=16)


def trained(
    data: ImageSet,
    *,
    method: str = "trivialaugment",
    keep: Keep | None = None,
    recipe: Recipe = RECIPE,
    net: nn.Module | None = None,
    seed: int = 0,
) -> nn.Module:
    made = net or nets.build("smallnet", channels=1, size=(8, 8), classes=2, seeds=Seeds(seed))
    return fit(
        made, data, data, (Phase(augmenter(method)),), recipe,
        seeds=Seeds(seed), device=CPU, precision="fp32", keep=keep or Keep(),
    )  # fmt: skip


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_soft_cross_entropy_equals_pytorchs() -> None:
    gen = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 3, generator=gen)
    targets = torch.rand(5, 3, generator=gen)
    targets /= targets.sum(1, keepdim=True)
    expected = nn.functional.cross_entropy(logits, targets, label_smoothing=0.1)
    assert float(soft_cross_entropy(logits, targets, torch.ones(5), 0.1)) == pytest.approx(
        float(expected), rel=1e-6
    )
    weights = torch.tensor([5.0, 0, 0, 0, 0])
    first = nn.functional.cross_entropy(logits[:1], targets[:1])
    weighted = soft_cross_entropy(logits, targets, weights)
    assert float(weighted) == pytest.approx(float(first), rel=1e-6)


def test_normalise_gives_mean_0_and_deviation_1_of_the_training_part() -> None:
    images = Seeds(0).numpy().integers(0, 200, (50, 3, 6, 7)).astype(np.uint8)
    images[:, 2] = 9  # a constant channel must not divide by zero
    zeros = np.zeros(50, np.int64)
    data = ImageSet(
        "x", images, zeros, ("a",), tuple(map(str, range(50))), zeros - 1, np.full(50, "")
    )
    out = Normalise.of(data)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(out[:, :2].mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out[:, :2].std((0, 2, 3)), 1, atol=1e-5)
    np.testing.assert_allclose(out[:, 2], 0, atol=1e-5)


def test_it_learns_the_tiny_world(tiny_set: ImageSet) -> None:
    model = trained(tiny_set, method="none", recipe=Recipe(epochs=20, batch_size=16))
    probabilities = predict(model, tiny_set, CPU, "fp32")
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (probabilities.argmax(1) == tiny_set.labels).mean() == 1.0


def test_same_seed_same_bits_other_seed_other_bits(tiny_set: ImageSet) -> None:
    assert same(trained(tiny_set), trained(tiny_set))
    assert not same(trained(tiny_set), trained(tiny_set, seed=1))


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("at", [1, 7, 15])
def test_stopped_anywhere_and_resumed_gives_the_same_bits(
    tiny_set: ImageSet, tmp_path: Path, at: int, optimiser: str
) -> None:
    recipe = Recipe(epochs=4, batch_size=16, optimiser=optimiser)  # type: ignore[arg-type]
    whole = tmp_path / "whole.jsonl"
    expected = trained(tiny_set, recipe=recipe, keep=Keep(log=whole))
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == at

    log, folder = tmp_path / "log.jsonl", tmp_path / "checkpoint"
    with pytest.raises(Stopped):
        trained(tiny_set, recipe=recipe, keep=Keep(folder, log, stop=stop))
    resumed = trained(tiny_set, recipe=recipe, keep=Keep(folder, log))
    assert same(expected, resumed)
    assert rundir.read_records(log) == rundir.read_records(whole)


def test_log_rows_behind_the_checkpoint_are_written_once(
    tiny_set: ImageSet, tmp_path: Path
) -> None:
    """A killed run may have logged more than its newest checkpoint knows."""
    log, folder = tmp_path / "log.jsonl", tmp_path / "checkpoint"
    trained(tiny_set, keep=Keep(folder, log, every=0.0))
    rows = rundir.read_records(log)
    newest = sorted(folder.iterdir())[-1]
    for path in folder.iterdir():
        if path.stem == newest.stem:
            path.unlink()
    trained(tiny_set, keep=Keep(folder, log, every=0.0))
    assert rundir.read_records(log) == rows
    updates = [row["update"] for row in rows]
    assert updates == sorted(set(updates))


def test_a_loss_that_is_not_finite_stops_before_the_step(tiny_set: ImageSet) -> None:
    class Bad(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 2)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            scale = float("inf") if self.calls == 3 else 1.0
            return self.linear(x.flatten(1)) * scale

    net = Bad()
    with pytest.raises(RunError, match="update 2: loss or gradient is not finite") as caught:
        trained(tiny_set, method="none", net=net)
    assert "row" in str(caught.value)  # the ids of the batch
    assert all(p.isfinite().all() for p in net.parameters())


def test_global_generators_are_as_before(tiny_set: ImageSet) -> None:
    before = torch.get_rng_state()
    state = np.random.get_state()[1].copy()
    trained(tiny_set)
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(state, np.random.get_state()[1])


def test_dropout_is_keyed_by_the_update(tiny_set: ImageSet) -> None:
    """With dropout as the only randomness, two runs of the same seed agree and differ by seed."""

    def net() -> nn.Module:
        flat = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 2))
        for parameter in flat.parameters():
            nn.init.constant_(parameter, 0.01)
        return flat

    one = Recipe(epochs=1, batch_size=64)  # a whole epoch a batch: the order cannot matter
    a, b = (trained(tiny_set, method="none", recipe=one, net=net()) for _ in range(2))
    c = trained(tiny_set, method="none", recipe=one, net=net(), seed=5)
    assert same(a, b)
    assert not same(a, c)


def test_phases_follow_their_shares() -> None:
    first, second = augmenter("none"), augmenter("cutout")
    curriculum = (Phase(first, 0.25), Phase(second, 0.75))
    chosen = [phase_at(curriculum, u, 8).augmenter is second for u in range(8)]
    assert chosen == [False] * 2 + [True] * 6


def test_each_update_draws_its_own_augmentation(tiny_set: ImageSet) -> None:
    seen: list[np.ndarray] = []

    class Spy:
        def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
            seen.append(seeds.numpy().random(4))
            return batch

    fit(
        nets.build("smallnet", channels=1, size=(8, 8), classes=2, seeds=Seeds(0)),
        tiny_set, None, (Phase(Spy()),), RECIPE,  # type: ignore[arg-type]
        seeds=Seeds(0), device=CPU, precision="fp32", keep=Keep(),
    )  # fmt: skip
    assert len({tuple(row) for row in seen}) == RECIPE.updates(len(tiny_set)) == len(seen)


def test_weight_decay_spares_biases_and_norms() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    groups = make_optimiser(net, Recipe(weight_decay=0.3)).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    expected = {id(p): 0.3 if p.ndim > 1 else 0.0 for p in net.parameters()}
    assert decays == expected
