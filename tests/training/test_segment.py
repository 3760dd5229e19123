"""The segmentation task: its loss, masks that follow the geometry, resumption, memory."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score
from torch import Tensor, nn

from learnaug import nets, ops, rundir
from learnaug.data import Batch, ImageSet
from learnaug.errors import UsageError
from learnaug.methods import PolicyAugmenter
from learnaug.methods.table import augmenter
from learnaug.ops import Policy
from learnaug.ops.policy import Element, Stage
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, Stopped, fit, goal_of, measure, predict, segment
from learnaug.training.segment import pixel_cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from shapes import shapes, sides

CPU = torch.device("cpu")


def tiny_net(data: ImageSet, seed: int = 0) -> nn.Module:
    """Three convolutions: enough for bright and dark."""

    def make(channels: int, classes: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, classes, 1),
        )  # fmt: skip

    return nets.build(
        make, channels=data.channels, size=data.size, classes=len(data.classes),
        seeds=Seeds(seed), task="segmentation",
    )  # fmt: skip


def trained(
    data: ImageSet,
    augment: object = None,
    *,
    keep: Keep | None = None,
    recipe: Recipe | None = None,
    net: nn.Module | None = None,
) -> nn.Module:
    phases = (Phase(augment or augmenter("none")),)  # type: ignore[arg-type]
    return fit(
        net or tiny_net(data), data, data, phases, recipe or Recipe(epochs=4, batch_size=16),
        seeds=Seeds(0), device=CPU, precision="fp32", keep=keep or Keep(),
    )  # fmt: skip


def test_loss_is_the_mean_over_counted_pixels() -> None:
    gen = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, 6, generator=gen)
    masks = torch.randint(0, 4, (3, 5, 6), generator=gen)
    masks[0, :2], masks[1, :, 3] = 255, 255
    total, counted, p = 0.0, 0, logits.double().softmax(1).numpy()
    for b, y, x in np.ndindex(3, 5, 6):
        k = int(masks[b, y, x])
        if k != 255:
            total -= np.log(p[b, k, y, x])
            counted += 1
    found = pixel_cross_entropy(logits, masks, torch.ones(3))
    assert float(found) == pytest.approx(total / counted, rel=1e-5)
    usual = nn.functional.cross_entropy(logits, masks, ignore_index=255, label_smoothing=0.1)
    own = pixel_cross_entropy(logits, masks, torch.ones(3), 0.1)
    assert float(own) == pytest.approx(float(usual), rel=1e-5)


def test_weights_are_of_pictures() -> None:
    gen = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, generator=gen)
    masks = torch.randint(0, 3, (2, 4, 4), generator=gen)
    first = nn.functional.cross_entropy(logits[:1], masks[:1])
    found = pixel_cross_entropy(logits, masks, torch.tensor([2.0, 0.0]))
    assert float(found) == pytest.approx(float(first), rel=1e-5)


def test_nothing_counted_is_loss_0_and_gradient_0() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True, generator=torch.Generator())
    loss = pixel_cross_entropy(logits, torch.full((2, 4, 4), 255), torch.ones(2))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_batch_without_a_counted_pixel_does_not_stop_the_training() -> None:
    data = shapes(32)
    assert data.masks is not None
    masks = data.masks.copy()
    masks[:20] = 255
    model = trained(replace(data, masks=masks), recipe=Recipe(epochs=3, batch_size=4))
    assert all(p.isfinite().all() for p in model.parameters())


def test_the_small_pyramid_finds_the_shapes() -> None:
    data, new = shapes(96), shapes(40, seed=1)
    net = nets.build(
        "fpn-small", channels=3, size=(32, 32), classes=3, seeds=Seeds(0), task="segmentation"
    )
    model = trained(data, net=net, recipe=Recipe(epochs=8, batch_size=16))
    figures = measure(predict(model, new, CPU, "fp32"), new)
    assert set(figures) == {"n", "mean_iou", "pixel_accuracy", "nll", "per_class"}
    assert figures["mean_iou"] > 0.8
    assert list(figures["per_class"]) == ["ground", "box", "disc"]


class Still:
    """An augmenter whose masks stay where they were: what must not happen."""

    mixes = by_class = False

    def __init__(self, policy: Policy) -> None:
        self.inner = PolicyAugmenter(policy)

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        return replace(self.inner(batch, source, seeds), targets=batch.targets)


FLIPS = Policy(
    (Stage(((Element("hflip", p=0.5),),)), Stage(((Element("vflip", p=0.5),),))), "flips"
)


def test_masks_follow_the_geometry() -> None:
    """Bright is class 1 wherever it lies; masks that stay behind a flip say otherwise."""
    data, new = sides(64), sides(32, seed=1)
    recipe = Recipe(epochs=8, batch_size=16)
    scores = [
        measure(predict(trained(data, how, recipe=recipe), new, CPU, "fp32"), new)["mean_iou"]
        for how in (PolicyAugmenter(FLIPS), Still(FLIPS))
    ]
    assert scores[0] > 0.95
    assert scores[1] < 0.8


def test_int64_and_uint8_masks_move_alike() -> None:
    masks = torch.from_numpy(shapes(8).masks)
    for policy in (FLIPS, ops.spaces.trivialaugment(), ops.spaces.cutmix()):
        drawn = ops.draw(policy, 8, Seeds(1).numpy(), size=(32, 32))
        slow = ops.apply_masks(masks.long() + 1000, drawn, 1255) - 1000  # beyond uint8: PyTorch's
        for given in (masks, masks.long()):
            found = ops.apply_masks(given, drawn)
            assert found.dtype == given.dtype
            assert torch.equal(found.long(), slow)


class Says(nn.Module):
    """Gives the scores that it is asked to, whatever it is shown."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores, self.at, self.most = scores, 0, 0

    def forward(self, images: Tensor) -> Tensor:
        part = self.scores[self.at : self.at + len(images)]
        self.at, self.most = self.at + len(images), max(self.most, len(images))
        return part


def test_predictions_are_counted_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shapes(10)
    gen = torch.Generator().manual_seed(0)
    scores = torch.randn(10, 3, 32, 32, generator=gen)
    whole = predict(Says(scores), data, CPU, "fp32")
    monkeypatch.setattr(segment, "SCORES", 3 * 3 * 32 * 32)
    model = Says(scores)
    found = predict(model, data, CPU, "fp32")
    assert model.most == 3
    for name in ("hits", "truth", "predicted", "nll"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-6)
    assert data.masks is not None
    kept = data.masks != 255
    classes = scores.argmax(1).numpy()
    figures = measure(found, data)
    each = jaccard_score(data.masks[kept], classes[kept], labels=range(3), average=None)
    np.testing.assert_allclose(list(figures["per_class"].values()), each)
    masks = torch.from_numpy(data.masks).long()
    nll = nn.functional.cross_entropy(scores, masks, ignore_index=255)
    assert figures["nll"] == pytest.approx(float(nll), rel=1e-5)


def test_the_goal_follows_the_data(tiny_set: ImageSet) -> None:
    assert goal_of(tiny_set).name == "classification"
    assert goal_of(shapes(2)).name == "segmentation"


@pytest.mark.parametrize("at", [1, 6])
def test_stopped_and_resumed_gives_the_same_bits(tmp_path: Path, at: int) -> None:
    data, how = shapes(32), augmenter("trivialaugment")
    whole = tmp_path / "whole.jsonl"
    expected = trained(data, how, keep=Keep(log=whole))
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == at

    log, folder = tmp_path / "log.jsonl", tmp_path / "checkpoint"
    with pytest.raises(Stopped):
        trained(data, how, keep=Keep(folder, log, stop=stop))
    resumed = trained(data, how, keep=Keep(folder, log))
    pairs = zip(expected.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    rows = rundir.read_records(log)
    assert rows == rundir.read_records(whole)
    assert {"valid_mean_iou", "valid_loss", "train_loss"} <= set(rows[-1])


def test_weights_a_class_and_mixup_are_refused_for_masks() -> None:
    data = shapes(4)
    with pytest.raises(UsageError, match="use cutmix"):
        trained(data, augmenter("mixup"))
    by_class = Stage(((Element("invert"),), ()), ((1.0, 0.0),) * 3, given="class")
    with pytest.raises(UsageError, match="depends on the class"):
        trained(data, PolicyAugmenter(Policy((by_class,), "by class")))
