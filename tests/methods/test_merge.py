"""Joint training, the frozen augmenter and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import learnaug
from learnaug import nets, rundir
from learnaug.data import Batch, ImageSet, make_batch
from learnaug.errors import ConfigError, DataError, LearnaugError, RunError, UsageError
from learnaug.methods import METHODS, Budget, Chain, Learned, Learning, load_augmenter, resolve
from learnaug.methods.merge import Merging, SmartAugmentation, export_onnx
from learnaug.methods.merge.joint import Joint
from learnaug.methods.merge.networks import build
from learnaug.methods.merge.partners import pool_of
from learnaug.methods.merge.watch import warnings, watch
from learnaug.seeds import Seeds
from learnaug.training import Keep, Recipe, Stopped
from learnaug.training.forward import Normalise

CPU = torch.device("cpu")
DATA = learnaug.load("digits", classes=["0", "8", "1"]).take(np.arange(60))


def net(seeds: Seeds) -> nn.Module:
    return nets.build("b1", channels=1, size=(8, 8), classes=3, seeds=seeds)


def world(train: ImageSet = DATA, epochs: int = 2) -> Learning:
    return Learning(train, train.take(np.arange(9)), net, Recipe(epochs=epochs, batch_size=12))


def learn(method: Any, data: Learning | None = None, keep: Keep | None = None) -> Learned:
    if isinstance(method, str):
        method = resolve(method)
    quiet = replace(keep or Keep(), say=lambda words: None)
    learned: Learned = method.learn(
        data or world(), seeds=Seeds(0), device=CPU, budget=Budget(), keep=quiet
    )
    return learned


def task(method: SmartAugmentation, width: str = "fp32") -> Joint:
    model = nn.Sequential(Normalise.of(DATA), net(Seeds(0)))
    merger = build(method.network, method.k, 1, None, Seeds(1))
    return Joint(model, merger, method, world(), pool_of(DATA.labels), Seeds(2), CPU, width)


def still(joint: Joint) -> None:
    """Hold the target in evaluation mode, so that dropout draws nothing."""
    model = joint.model.eval()
    model.train = lambda mode=True: model  # type: ignore[method-assign]


def gradients(method: SmartAugmentation) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return A's and B's gradients of update 0, dropout off, before any step."""
    joint = task(method)
    still(joint)
    chosen = joint.chosen(0, Seeds(5))
    batch, inputs = joint.draw(chosen, 0, Seeds(5))
    alpha, beta = joint.weights(0)
    losses = joint.losses(batch, inputs, chosen, beta)
    joint._backward(*losses, alpha, beta)
    return tuple(
        [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in part.parameters()]
        for part in (joint.merger, joint.model)
    )  # type: ignore[return-value]


# --- joint training -------------------------------------------------------------------------------


def test_gradients_of_both_losses_reach_a_and_add_up() -> None:
    """alpha dL_A + beta dL_B: linear in both weights, and B's part is not nothing."""
    only_a, only_b = (gradients(SmartAugmentation(alpha=a, beta=b))[0] for a, b in ((1, 0), (0, 1)))
    both, _ = gradients(SmartAugmentation(alpha=0.7, beta=0.3))
    assert max(float(g.abs().max()) for g in only_b) > 1e-8
    for a, b, mixed in zip(only_a, only_b, both, strict=True):
        torch.testing.assert_close(mixed, 0.7 * a + 0.3 * b, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("compare_in", ["pixels", "features"])
def test_normalised_apart_the_target_remembers_real_pictures_alone(compare_in: str) -> None:
    remembered = {}
    for norm in ("together", "apart"):
        joint = task(SmartAugmentation(batch_norm=norm, compare_in=compare_in))
        chosen = joint.chosen(0, Seeds(5))
        batch, inputs = joint.draw(chosen, 0, Seeds(5))
        normalise, b1 = joint.model
        with torch.no_grad():
            seen = b1[1](b1[0](normalise(batch.images))).mean((0, 2, 3))  # before the first norm
        expected = 0.9 * b1[2].running_mean + 0.1 * seen  # PyTorch's momentum of 0.1
        joint.losses(batch, inputs, chosen, 0.3)
        remembered[norm] = torch.allclose(b1[2].running_mean, expected, atol=1e-6)
        assert all(part.momentum == 0.1 for part in b1 if isinstance(part, nn.BatchNorm2d))
    assert remembered == {"together": False, "apart": True}


def test_a_negative_beta_lets_a_climb_what_b_descends() -> None:
    down, up = (gradients(SmartAugmentation(alpha=0.0, beta=beta)) for beta in (1.0, -1.0))
    assert any(slope.abs().max() > 0 for slope in down[0])
    for one, other in zip(down[0], up[0], strict=True):
        torch.testing.assert_close(one, -other)
    for one, other in zip(down[1], up[1], strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("compare_in", ["pixels", "features"])
def test_the_target_descends_along_its_own_loss_alone(compare_in: str) -> None:
    plain = gradients(SmartAugmentation(alpha=0.0, beta=1.0))[1]
    heavy = gradients(SmartAugmentation(alpha=5.0, beta=0.2, compare_in=compare_in))[1]
    for a, b in zip(plain, heavy, strict=True):
        torch.testing.assert_close(a, b)


def test_the_gradient_of_l_b_in_a_is_that_of_finite_differences() -> None:
    """Move one weight of A a little, and look at L_B alone (target in evaluation mode, float64)."""
    joint = task(SmartAugmentation(alpha=0.0, beta=1.0))
    joint.model.double()
    still(joint)
    joint.merger.double()
    chosen = joint.chosen(0, Seeds(5))
    batch, inputs = joint.draw(chosen, 0, Seeds(5))

    def loss_b() -> torch.Tensor:
        # The task computes in float32 between the nets, so the step is large and the bound loose.
        merged = joint.merger(inputs.double(), joint.labels[chosen])
        both = torch.cat([batch.images.double(), 255 * merged])
        normal, rest = joint.model[0], joint.model[1]
        scores = rest(both * normal.scale + normal.shift).log_softmax(1)
        return -(scores * batch.targets.repeat(2, 1)).sum(1).mean()

    weight = joint.merger.net[8].bias
    loss_b().backward()
    with torch.no_grad():
        weight += 1e-5
        above = float(loss_b())
        weight -= 2e-5
        below = float(loss_b())
    assert float(weight.grad[0]) == pytest.approx((above - below) / 2e-5, rel=1e-4)
    ours = gradients(SmartAugmentation(alpha=0.0, beta=1.0))[0][9]
    assert float(ours[0]) == pytest.approx(float(weight.grad[0]), rel=1e-2)


def test_a_picture_and_its_partners_are_what_a_and_b_see() -> None:
    joint = task(SmartAugmentation(k=3))
    chosen = joint.chosen(4, Seeds(5))
    batch, inputs = joint.draw(chosen, 4, Seeds(5))
    assert torch.equal(batch.images, make_batch(DATA, chosen).images)
    assert inputs.shape == (12, 3, 1, 8, 8)
    pictures = {image.tobytes(): i for i, image in enumerate(DATA.images)}
    for own, row in zip(chosen, inputs, strict=True):
        given = [pictures[(255 * p).round().to(torch.uint8).numpy().tobytes()] for p in row]
        assert len({own, *given}) == 4
        assert set(DATA.labels[given]) == {DATA.labels[own]}


def test_the_joint_target_is_trained_and_makes_the_recipes_updates(tmp_path: Path) -> None:
    keep = Keep(log=tmp_path / "log.jsonl")
    learned = learn("smart-augmentation", keep=keep)
    rows = rundir.read_records(tmp_path / "log.jsonl")
    assert rows[-1]["update"] == Recipe(epochs=2, batch_size=12).updates(len(DATA))
    assert {"loss", "loss_a", "loss_b", "alpha", "beta", "valid_accuracy"} <= set(rows[0])
    for row in rows:
        total = row["alpha"] * row["loss_a"] + row["beta"] * row["loss_b"]
        assert row["loss"] == pytest.approx(total, rel=1e-6)
    assert learned.target is not None
    assert learned.target(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 3)
    assert learn("smart-augmentation-frozen").target is None


@pytest.mark.parametrize("settings", ["", ":per_class=true", ":optimiser=adam,lr=0.001"])
def test_a_stopped_learning_goes_on_with_the_same_bits(tmp_path: Path, settings: str) -> None:
    name, data = f"smart-augmentation{settings}", world(epochs=5)
    whole = learn(name, data, Keep(log=tmp_path / "whole.jsonl"))
    asked = iter([False, False, True])  # 25 updates, 20 rows: update 3 is in the middle of a row
    stop: Callable[[], bool] = lambda: next(asked)  # noqa: E731
    keep = Keep(tmp_path / "checkpoints", tmp_path / "log.jsonl", stop=stop)
    with pytest.raises(Stopped):
        learn(name, data, keep)
    again = learn(name, data, replace(keep, stop=lambda: False))
    assert (tmp_path / "log.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    for a, b in ((whole.target, again.target), (whole.augmenter.merger, again.augmenter.merger)):  # type: ignore[attr-defined]
        assert a is not None
        assert b is not None
        for one, other in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
            assert torch.equal(one, other)


def test_a_loss_that_is_not_finite_stops_and_says_where() -> None:
    with pytest.raises(RunError, match="not finite"):
        learn(SmartAugmentation(lr=1e30, network="augnet", alpha=1e30))


def test_the_chain_augments_inputs_and_targets_before_a() -> None:
    """Behind a member that blacks all out, A sees and aims at black alone."""

    class Black:
        mixes = False

        def __call__(self, batch: Batch, source: Any, seeds: Seeds) -> Batch:
            return replace(batch, images=torch.zeros_like(batch.images))

    joint = task(SmartAugmentation())
    joint.before = Black()  # type: ignore[assignment]
    batch, inputs = joint.draw(joint.chosen(0, Seeds(0)), 0, Seeds(0))
    assert int(batch.images.max()) == 0
    assert float(inputs.max()) == 0
    mean = Merging("mean", share=1.0)
    full = make_batch(DATA, np.arange(10))
    black = Chain((Black(), mean))(full, DATA, Seeds(0))  # type: ignore[arg-type]
    assert int(black.images.max()) == 0
    assert int(mean(full, DATA, Seeds(0)).images.max()) > 0


@pytest.mark.parametrize("partners", ["clusters", "features", "groups"])
def test_partners_are_connected(partners: str) -> None:
    """Each changes what is learned; see test_connected for all other settings."""
    first, second = (
        learn(name, world(epochs=1)).augmenter.merger.state_dict()  # type: ignore[attr-defined]
        for name in ("smart-augmentation", f"smart-augmentation:partners={partners}")
    )
    same = first.keys() == second.keys() and all(
        first[n].shape == second[n].shape and torch.equal(first[n], second[n]) for n in first
    )
    # digits have no groups, so all pictures are of one; see test_merge_parts for those that do
    assert same == (partners == "groups")


def test_masks_and_mixed_classes_are_refused() -> None:
    with pytest.raises(UsageError, match="must not mix"):
        learn("mixup+smart-augmentation")
    masks = replace(DATA, masks=np.zeros((60, 8, 8), np.uint8))
    with pytest.raises(DataError, match="masks"):
        learn("smart-augmentation", world(masks))


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        SmartAugmentation(k=9, loss="mze", lr=-1.0, network="smrt", partners="far", alpha=-1.0)
    for word in ("k <= 8", "did you mean mse", "lr", "did you mean smart", "far", "alpha >= 0"):
        assert word in str(told.value)


def test_small_classes_are_told_and_learned() -> None:
    rows = np.concatenate([np.flatnonzero(DATA.labels == 0), np.flatnonzero(DATA.labels == 1)[:1]])
    learned = learn("smart-augmentation", world(DATA.take(rows), epochs=1))
    assert "merged with itself" in learned.augmenter.describe()["notes"][0]


# --- the frozen augmenter -------------------------------------------------------------------------


def test_the_mean_is_a_mean_of_distinct_pictures_of_the_class() -> None:
    """Each generated picture is found among all means of two pictures of its class."""
    augment = resolve("mean-of-k").augmenter  # type: ignore[attr-defined]
    batch = augment(make_batch(DATA, np.arange(20)), DATA, Seeds(1))
    assert int(batch.generated.sum()) == 10
    for image, target, made in zip(batch.images, batch.targets, batch.generated, strict=True):
        of = torch.from_numpy(DATA.images[DATA.labels == int(target.argmax())]).float()
        pairs = [(a, b) for a in range(len(of)) for b in range(a)]
        means = torch.stack([((of[a] + of[b]) / 2) for a, b in pairs])
        near = (means - image.float()).abs().amax((1, 2, 3)).min()
        assert (float(near) <= 0.5) == bool(made)


def test_class_mixup_lies_between_two_pictures() -> None:
    images = np.stack([np.full((1, 4, 4), v, np.uint8) for v in (0, 200)] * 3)
    data = replace(DATA.take(np.arange(6)), images=images, labels=np.zeros(6, np.int64))
    augment = resolve("class-mixup").augmenter  # type: ignore[attr-defined]
    many = torch.cat(
        [augment(make_batch(data, np.arange(6)), data, Seeds(s)).images for s in range(40)]
    )
    grey = many[:, 0, 0, 0].unique()
    assert len(grey) > 20
    assert int(grey.max()) <= 200


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_the_share_is_held_on_average_and_within_one(share: float) -> None:
    augment = Merging("mean", share=share)
    for n in (1, 7, 12):
        made = [
            int(augment(make_batch(DATA, np.arange(n)), DATA, Seeds(s)).generated.sum())
            for s in range(60)
        ]
        assert max(made) - min(made) <= 1
        assert abs(np.mean(made) - share * n) < 0.2


def test_loose_pictures_are_merged_within_the_batch_and_need_labels() -> None:
    augment = Merging("mean", share=1.0)
    white_and_black = np.repeat([0, 255], 4).astype(np.uint8)[:, None, None, None]
    pictures = np.tile(white_and_black, (1, 1, 8, 8))
    images, labels = augment.apply(pictures, np.repeat([0, 1], 4), seed=0)
    assert np.array_equal(images, pictures)
    assert list(labels) == [0] * 4 + [1] * 4
    with pytest.raises(UsageError, match="must know the labels"):
        augment.apply(pictures, seed=0)


def test_pictures_of_unknown_classes_stay() -> None:
    batch = make_batch(DATA, np.arange(20))
    zeros = DATA.take(np.flatnonzero(DATA.labels == 0))
    after = Merging("mean", share=1.0)(batch, zeros, Seeds(0))
    assert torch.equal(after.generated, batch.targets.argmax(1) == 0)
    assert torch.equal(after.images[~after.generated], batch.images[~after.generated])


@pytest.mark.parametrize(
    "settings", ["", ":per_class=true", ":partners=clusters", ":partners=same"]
)
def test_saved_is_loaded(tmp_path: Path, settings: str) -> None:
    augment = learn(f"smart-augmentation{settings}", world(epochs=1)).augmenter
    augment.save(tmp_path)
    loaded = load_augmenter(tmp_path)
    batch = make_batch(DATA, np.arange(20))
    assert loaded.describe() == augment.describe()
    assert torch.equal(augment(batch, DATA, Seeds(3)).images, loaded(batch, DATA, Seeds(3)).images)
    assert (tmp_path / "merger.safetensors").is_file()


HOSTILE: list[dict[str, Any]] = [
    {"k": 9}, {"k": True}, {"k": 10**9}, {"share": 0}, {"share": "1"}, {"how": "exec"},
    {"network": "os:system"}, {"network": "given in Python"}, {"classes": 10**12}, {"classes": 2},
    {"channels": 3}, {"channels": 10**6}, {"version": 2}, {"extra": 1}, {"told": []},
    {"cells_of": "x"}, {"same": 1}, {"network": []},
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_hostile_files_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    Merging("network", merger=build("augnet", 2, 1, None, Seeds(0)), network="augnet").save(
        tmp_path
    )
    content = rundir.read_json(tmp_path / "augmenter.json")
    assert load_augmenter(tmp_path)
    rundir.write_json(tmp_path / "augmenter.json", content | change)
    with pytest.raises(LearnaugError):
        load_augmenter(tmp_path)


def test_a_module_of_ones_own_is_loaded_by_its_function(tmp_path: Path) -> None:
    def own(inputs: int, channels: int) -> nn.Module:
        return nn.Conv2d(inputs, channels, 1)

    method = SmartAugmentation(network=own)
    json.dumps(method.config())
    augment = learn(method, world(epochs=1)).augmenter
    augment.save(tmp_path)
    with pytest.raises(ConfigError, match="cannot bring code"):
        load_augmenter(tmp_path)
    content = rundir.read_json(tmp_path / "augmenter.json")
    loaded = learnaug.methods.merge.load(tmp_path, content, network=own)
    batch = make_batch(DATA, np.arange(6))
    assert torch.equal(loaded(batch, DATA, Seeds(0)).images, augment(batch, DATA, Seeds(0)).images)


def test_onnx_is_written_or_what_is_missing_is_said(tmp_path: Path) -> None:
    """What onnx's own evaluator computes from the file is what the net computes, at any size."""
    merger = build("smart", 2, 1, 3, Seeds(0)).eval()
    augment = Merging("network", merger=merger, network="smart")
    path = tmp_path / "merger.onnx"
    if not find_spec("onnx"):
        with pytest.raises(UsageError, match=r"learnaug\[onnx\]"):
            export_onnx(augment, path, size=(8, 8), label=1)
        return
    from onnx.reference import ReferenceEvaluator

    inputs = torch.rand(3, 2, 1, 9, 6, generator=torch.Generator().manual_seed(0))
    for given in (augment, Chain((resolve("cutout").augmenter, augment))):  # type: ignore[attr-defined]
        export_onnx(given, path, size=(8, 8), label=1)
        (found,) = ReferenceEvaluator(str(path)).run(None, {"inputs": inputs.numpy()})
        with torch.no_grad():
            wanted = merger(inputs, torch.ones(3, dtype=torch.int64)).numpy()
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_what_has_no_network_is_not_exported(tmp_path: Path) -> None:
    augment = Merging("network", merger=build("smart", 2, 1, 3, Seeds(0)), network="smart")
    path = tmp_path / "merger.onnx"
    for given in (Merging("mean"), resolve("cutout").augmenter, Chain((augment, augment))):  # type: ignore[attr-defined]
        with pytest.raises(UsageError, match="no one network"):
            export_onnx(given, path, size=(8, 8))
    with pytest.raises(UsageError, match=r"label must be one of 0 … 2, but got 3"):
        export_onnx(augment, path, size=(8, 8), label=3)
    with pytest.raises(UsageError, match="at least 1 pixel"):
        export_onnx(augment, path, size=(0, 8))
    assert not path.exists()


# --- rows and warnings ----------------------------------------------------------------------------


def test_rows_are_learned_or_controls_and_none_by_default() -> None:
    rows = ("smart-augmentation", "neural-augmentation", "same-image", "mean-of-k", "class-mixup")
    assert not any(METHODS[name].default for name in rows)
    assert resolve("neural-augmentation") == SmartAugmentation(
        network="augnet", loss="content", alpha=0.25, beta=0.75, optimiser="adam", lr=1e-4
    )
    assert resolve("same-image") == SmartAugmentation(partners="same")


def test_failures_are_seen() -> None:
    """A net that copies its first input, one that is constant, one whose units are dead."""

    class Copy(nn.Module):
        def __init__(self, inputs: int, channels: int, mode: str) -> None:
            super().__init__()
            self.scale, self.mode, self.relu = nn.Parameter(torch.ones(1)), mode, nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.mode == "mean":
                return self.scale * x.mean(1, keepdim=True)
            if self.mode == "dead":
                return x[:, :1] + x[:, 1:2] + self.relu(-self.scale * x - 1).sum(1, keepdim=True)
            return self.scale * (x[:, :1] if self.mode == "first" else 0 * x[:, :1] + 0.5)

    def said(mode: str) -> str:
        merger = build(lambda i, c: Copy(i, c, mode), 2, 1, None, Seeds(0))
        inputs = torch.from_numpy(DATA.images[:40]).float().view(20, 2, 1, 8, 8) / 255
        found = watch(merger, inputs, inputs[:, 0], torch.zeros(20, dtype=torch.long))
        json.dumps(found)
        return " ".join(warnings(found, same=False))

    assert "as blurred as the mean" in said("mean")
    assert "input 2 is ignored" in said("first")
    assert "as blurred" not in said("first")
    assert "all alike" in said("constant")
    assert "optimiser=adam,lr=0.001" in said("constant")
    assert "100% of the ReLU units are dead" in said("dead")
