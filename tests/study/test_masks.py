"""Images with masks through compare, train, learn and the page."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import learnaug
from learnaug import rundir, stats, study
from learnaug.errors import UsageError
from learnaug.methods import METHODS
from learnaug.report import build
from learnaug.study.plan import Plan
from learnaug.study.world import open_world

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tiny

from shapes import shapes

DATA = shapes(48, parts=True)


def compare(out: Path, methods: Any = ("flip-crop",), **changes: Any) -> study.Comparison:
    settings = {"epochs": 1, "seeds": 1, "confirm_seeds": 2, "jobs": 1} | changes
    return study.compare(DATA, methods, out=out, **settings)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> study.Comparison:
    return compare(tmp_path_factory.mktemp("masks") / "done")


def test_the_metric_is_mean_iou_in_numbers_and_words(done: study.Comparison) -> None:
    summary = done.summary
    assert summary["metric"] == "mean_iou"
    assert summary["runs"] == {"planned": 8, "done": 8, "failed": 0}
    assert "of mean IoU" in summary["verdict"]["words"]
    assert Plan.load(done.out).model == "fpn-small"
    assert Plan.load(done.out).recipe.batch_size == 16


def test_predictions_hold_areas_and_the_metrics_follow_from_them(done: study.Comparison) -> None:
    run = rundir.run_folder(done.out, "none", 1)
    arrays = rundir.read_arrays(rundir.predictions_path(run))
    assert set(arrays) == {"hits", "truth", "predicted", "ids"}
    world = open_world(done.out)
    test = world.part(1, "test")
    assert tuple(arrays["ids"]) == test.ids == tuple(f"{i}.png" for i in range(36, 48))
    counted = [[(mask == k).sum() for k in range(3)] for mask in test.masks]
    np.testing.assert_array_equal(arrays["truth"], counted)
    hits, truth, predicted = (arrays[n].sum(0) for n in ("hits", "truth", "predicted"))
    iou = hits / (truth + predicted - hits)
    metrics = rundir.read_json(rundir.metrics_path(run))
    assert list(metrics["per_class"].values()) == pytest.approx(iou.tolist())
    status = rundir.read_json(rundir.status_path(run))
    assert metrics["mean_iou"] == status["score"] == pytest.approx(iou.mean())


def test_the_image_interval_is_a_bootstrap_of_the_areas(done: study.Comparison) -> None:
    verdict = done.summary["verdict"]
    arms = []
    for method in (verdict["candidate"], verdict["baseline"]):
        runs = []
        for seed in (1, 2):
            path = rundir.predictions_path(rundir.run_folder(done.out, method, seed))
            found = rundir.read_arrays(path)
            union = found["truth"] + found["predicted"] - found["hits"]
            runs.append(np.stack([found["hits"], union], 1))
        arms.append(np.stack(runs))
    expected = stats.iou_interval(*arms, draws=8000)
    np.testing.assert_allclose(verdict["image_interval"], expected, atol=0.01)
    low, high = verdict["image_interval"]
    assert low < verdict["difference"] < high


def test_two_processes_give_the_same_bits_as_one(done: study.Comparison, tmp_path: Path) -> None:
    compare(tmp_path / "two", jobs=2)
    assert tiny.canonical(tmp_path / "two") == tiny.canonical(done.out)


def test_the_page_shows_images_and_masks_together(done: study.Comparison) -> None:
    text = build(done.out).read_text("utf-8")
    for words in ("Mean IoU of every method", "Pixels right, %", "Validation mean IoU, percent",
                  "Images in which a class occurs", "images, masks = augment.apply"):  # fmt: skip
        assert words in text
    assert "accuracy</h" not in text.lower()
    assert "ECE, %" not in text
    key = re.findall(r"fill: (#[0-9a-f]{6})\"/></svg><bdi>(\w[\w ]*)</bdi>", text)
    assert [name for _, name in key] == ["ground", "box", "disc", "not counted"]
    assert len({colour for colour, _ in key}) == 4
    sheets = re.findall(r'alt="\d+ pictures, ([\w-]+)"', text)
    assert sheets.count("original") == sheets.count("flip-crop") == 2
    effects = text[text.index('id="classes"') : text.index('id="curves"')]
    assert all(name in effects for name in DATA.classes)


def test_samples_keep_the_masks_of_their_draws(done: study.Comparison) -> None:
    plain = rundir.read_arrays(rundir.samples_path(done.out, "original"))
    assert plain["masks"].shape == (1, 8, 32, 32)
    moved = rundir.read_arrays(rundir.samples_path(done.out, "flip-crop"))
    assert moved["masks"].shape == (3, 8, 32, 32)
    assert (moved["masks"] != plain["masks"]).any()
    # what is bright is the box, in the moved ones too
    bright = moved["images"].mean(2) > 175
    assert bright[moved["masks"] == 1].mean() > 0.95
    assert bright[moved["masks"] == 0].mean() < 0.05


def test_by_default_only_what_can_move_masks_is_compared(tmp_path: Path) -> None:
    planned = compare(tmp_path / "y", None, confirm_seeds=0, model=lambda: Pixels(3))
    methods = {row["method"] for row in planned.summary["methods"]}
    fixed = {name for name, row in METHODS.items() if row.kind != "learned" and row.default}
    assert methods == fixed - {"mixup"}


class Pixels(nn.Module):
    """One convolution to `classes` scores a pixel."""

    def __init__(self, classes: int, mean: bool = False) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, classes, 3, padding=1)
        self.mean = mean

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = self.layer(images)
        return scores.mean((2, 3)) if self.mean else scores


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["mixup"], "mixup: mixup cannot be used with masks: use cutmix"),
        (["flip-crop+mixup"], "flip-crop+mixup: mixup cannot"),
        (["smart-augmentation"], "smart-augmentation merges pictures of one class"),
        (["mean-of-k", "cutout"], "mean-of-k merges"),
        (["cutout+class-mixup"], "class-mixup merges"),
    ],
)
def test_methods_that_need_classes_are_refused_by_name(
    tmp_path: Path, methods: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        compare(tmp_path / "x", methods)
    assert not (tmp_path / "x" / "plan.json").exists()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("smallnet", "net 'smallnet' is not for segmentation"),
        ("wrn-16-2", "net 'wrn-16-2' is not for segmentation"),
        (lambda: Pixels(3, mean=True), "[2, 3, 32, 32] for 2 pictures, but returned [2, 3]"),
        (lambda: Pixels(5), "gives 5 scores a pixel, but the data has 3 classes"),
        (lambda: nn.Sequential(Pixels(3), nn.AvgPool2d(2)), "but returned [2, 3, 16, 16]"),
    ],
)
def test_a_net_for_the_other_task_is_refused(tmp_path: Path, model: Any, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        compare(tmp_path / "x", model=model)


def test_a_pyramid_is_refused_for_classes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="net 'fpn-small' is not for classification"):
        tiny.compare(tmp_path / "x", model="fpn-small")
    with pytest.raises(UsageError, match=r"returned \[2, 2, 8, 8\]"):
        tiny.compare(tmp_path / "x", model=lambda: nn.Conv2d(1, 2, 1))


def test_train_with_a_net_of_ones_own_and_a_given_policy(tmp_path: Path) -> None:
    lesson = study.learn(DATA, "flip-crop", epochs=1, out=tmp_path / "learned")
    result = study.train(
        DATA, lesson.folder, model=lambda classes: Pixels(classes), epochs=2, out=tmp_path / "t"
    )
    assert 0 < result.metrics["mean_iou"] <= 1
    again = study.train(
        DATA, lesson.folder, model=lambda classes: Pixels(classes), epochs=2, out=tmp_path / "t"
    )
    assert again.metrics == result.metrics
    mixup = learnaug.load_augmenter("mixup")
    with pytest.raises(UsageError, match="the given augmenter: mixup cannot"):
        study.train(DATA, mixup, model=lambda classes: Pixels(classes), out=tmp_path / "m")


def test_without_parts_whole_groups_are_cut_at_random(tmp_path: Path) -> None:
    groups = np.arange(48) // 4
    data = replace(DATA, parts=np.full(48, ""), groups=groups)
    settings: Any = {"model": lambda classes: Pixels(classes), "epochs": 1}
    result = study.train(data, "none", out=tmp_path / "x", **settings)
    split = open_world(result.out, settings["model"]).splits[0]
    parts = [set(groups[part].tolist()) for part in (split.train, split.valid, split.test)]
    assert sum(map(len, parts)) == 12
    assert all(parts)


def test_loose_masks_move_with_their_images() -> None:
    augment = learnaug.load_augmenter("flip-crop")
    images, masks = DATA.images.transpose(0, 2, 3, 1), DATA.masks
    moved, after = augment.apply(images, masks, seed=3)
    assert after.dtype == np.uint8
    assert (after != masks).any()
    bright = moved.mean(3) > 175
    assert bright[after == 1].mean() > 0.95
    tensor, of = augment.apply(
        torch.from_numpy(DATA.images), torch.from_numpy(masks).long(), seed=3
    )
    assert of.dtype == torch.int64
    np.testing.assert_array_equal(of.numpy(), after)
    np.testing.assert_array_equal(tensor.permute(0, 2, 3, 1).numpy(), moved)
    with pytest.raises(UsageError, match="whole numbers"):
        augment.apply(images, masks[:, 1:], seed=3)
    with pytest.raises(UsageError, match="no room for 255"):
        augment.apply(images, masks > 1, seed=3)
    with pytest.raises(UsageError, match="use cutmix"):
        learnaug.load_augmenter("mixup").apply(images, masks, seed=3)
