"""Batches: the collate function and the module."""

from __future__ import annotations

import pickle
import warnings
from typing import Any, NamedTuple

import pytest
import torch
from interop_helpers import FLIP, MOVES, PER_CLASS, H, Numbered, W, pixels
from torch import Tensor, nn
from torch.utils.data import DataLoader

from learnaug.errors import UsageError
from learnaug.interop import as_batch_transform, as_collate
from learnaug.methods import load_augmenter
from learnaug.ops import Element, Policy, Stage

TURN = Policy((Stage(((Element("rotate", 0, 170, sign=True),),)),), "turn")


def loaded(collate: Any, workers: int = 0, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(seed)
    start = "fork" if workers else None
    loader = DataLoader(
        Numbered(), 8, collate_fn=collate, num_workers=workers, multiprocessing_context=start
    )
    return [(images, labels) for images, labels in loader]


@pytest.mark.parametrize("workers", [0, 2])
def test_collate_in_workers(workers: int) -> None:
    once = loaded(as_collate(TURN), workers)
    different = {image.numpy().tobytes() for images, _ in once for image in images}
    assert len(different) > 28
    again, other = loaded(as_collate(TURN), workers), loaded(as_collate(TURN), workers, seed=1)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(once, again, strict=True))
    assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(once, other, strict=True))
    for images, labels in once:
        assert images.dtype == torch.uint8
        assert labels.tolist() == [0, 1] * 4


def test_pixels_and_labels_are_those_of_the_augmenter() -> None:
    """Oracle: the augmenter's own apply, with the seed that torch's generator gives next."""
    samples = [Numbered()[i] for i in range(6)]
    torch.manual_seed(3)
    images, labels = as_collate("cutmix", classes=2)(samples)
    torch.manual_seed(3)
    seed = int(torch.randint(2**63 - 1, ()))
    raw, classes = torch.stack([s[0] for s in samples]), torch.tensor([s[1] for s in samples])
    want = load_augmenter("cutmix").apply(raw, classes, seed=seed, classes=2)
    assert torch.equal(images, want[0])
    assert torch.equal(labels, want[1])
    assert labels.shape == (6, 2)


class Pair(NamedTuple):
    image: Tensor
    label: int
    name: str


def test_batches_keep_their_structure() -> None:
    image = pixels(3, H, W)
    flipped = image.flip(-1)
    rows = [{"x": image, "y": k, "name": str(k)} for k in range(2)]
    out = as_collate(FLIP, keys=("x", "y"))(rows)
    assert list(out) == ["x", "y", "name"]
    assert torch.equal(out["x"][1], flipped)
    assert out["name"] == ["0", "1"]
    named = as_collate(FLIP)([Pair(image, k, str(k)) for k in range(2)])
    assert type(named) is Pair
    assert torch.equal(named.image[0], flipped)
    alone = as_collate(FLIP)([image, image])
    assert torch.equal(alone[0], flipped)
    listed = as_collate(FLIP)([(image,), (image,)])
    assert type(listed) is list
    assert torch.equal(listed[0][0], flipped)
    unlabelled = as_collate(FLIP, keys=("x", None))(rows)
    assert torch.equal(unlabelled["x"][0], flipped)


def test_labels_choose_rows_of_weights() -> None:
    images, _ = as_collate(PER_CLASS)([Numbered()[i] for i in range(4)])
    plain = Numbered().picture
    assert [torch.equal(i, plain) for i in images] == [True, False, True, False]


@pytest.mark.parametrize(
    ("collate", "samples", "words"),
    [
        (as_collate(PER_CLASS), [pixels(3, H, W)] * 2, "weights per class, so it needs labels"),
        (as_collate("mixup", 2), [pixels(3, H, W)] * 2, "mixes pictures and their labels"),
        (as_collate("mixup"), [(pixels(3, H, W), 1)] * 2, "it must know K"),
        (as_collate(FLIP, keys=("x", "y")), [{"z": pixels(3, H, W)}], "no 'x', only"),
        (as_collate(FLIP), ["word"], "must be a tensor, but got str"),
        (as_collate(FLIP, collate=str), [(pixels(3, H, W), 1)], "tuple, list or dict, but got str"),
        (as_collate(FLIP), [(torch.randn(3, H, W), 1)], r"lie in \[0, 1\]"),
    ],
)
def test_batches_that_make_no_sense(collate: Any, samples: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        collate(samples)


def test_collate_pickles() -> None:
    collate = pickle.loads(pickle.dumps(as_collate("flip-crop+mixup", classes=2)))
    assert collate([Numbered()[i] for i in range(4)])[1].shape == (4, 2)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.float16])
def test_module_keeps_the_kind(kind: torch.dtype) -> None:
    images = pixels(4, 3, H, W)
    given = images if kind == torch.uint8 else (images.double() / 255).to(kind)
    out = as_batch_transform(FLIP)(given)
    assert out.dtype == kind
    assert torch.equal(out, given.flip(-1))


def test_module_in_training_and_evaluation() -> None:
    images, labels = pixels(4, 3, H, W), torch.arange(4) % 2
    module = as_batch_transform("mixup", classes=2)
    mixed, soft = module(images, labels)
    assert soft.shape == (4, 2)
    assert not torch.equal(mixed, images)
    with pytest.raises(UsageError, match="needs labels"):
        module(images)
    kept, hard = module.eval()(images, labels)
    assert kept is images
    assert hard is labels
    assert "PolicyAugmenter('mixup')" in repr(module)
    assert module.state_dict() == {}


def test_module_repeats_with_the_seed() -> None:
    images, module = pixels(4, 3, H, W), as_batch_transform(MOVES)
    torch.manual_seed(0)
    a, b = module(images), module(images)
    torch.manual_seed(0)
    assert torch.equal(module(images), a)
    assert not torch.equal(a, b)


def test_module_beside_kornia() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kornia = pytest.importorskip("kornia.augmentation")
    images = pixels(4, 3, H, W).float() / 255
    both = nn.Sequential(as_batch_transform(FLIP), kornia.RandomHorizontalFlip(p=1.0))
    assert torch.allclose(both(images), images, atol=1e-6)
    chained = kornia.AugmentationSequential(
        kornia.RandomHorizontalFlip(p=1.0), as_batch_transform(FLIP), data_keys=["input"]
    )
    assert torch.allclose(chained(images), images, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_module_on_a_gpu_draws_what_the_cpu_draws() -> None:
    images, labels = pixels(16, 3, H, W), torch.arange(16) % 2
    module = as_batch_transform("flip-crop+trivialaugment+mixup", classes=2)
    torch.manual_seed(0)
    here = module(images, labels)
    torch.manual_seed(0)
    there = module(images.cuda(), labels.cuda())
    assert there[0].is_cuda
    assert there[1].is_cuda
    assert (here[0].int() - there[0].cpu().int()).abs().max() <= 1
    assert torch.allclose(here[1], there[1].cpu())
