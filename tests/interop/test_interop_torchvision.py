"""The torchvision adapter: kinds, structure, one draw per sample, workers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interop_helpers import (
    FLIP,
    MOVES,
    PER_CLASS,
    H,
    Numbered,
    W,
    mirrored,
    picture,
    pixels,
    second,
)
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from learnaug import ops
from learnaug.errors import UsageError
from learnaug.interop import as_transform
from learnaug.interop.policies import as_policy
from learnaug.methods import Chain, PolicyAugmenter
from learnaug.ops import Element, Policy, Stage
from learnaug.seeds import Seeds


def test_pixels_are_those_of_apply() -> None:
    """The draw follows from torch's generator alone, and its pixels are our own."""
    image = pixels(3, H, W)
    torch.manual_seed(7)
    out = as_transform(MOVES)(image)
    torch.manual_seed(7)
    seed = int(torch.randint(2**63 - 1, ()))
    drawn = ops.draw(MOVES, 1, Seeds(seed).numpy(), (H, W))
    assert torch.equal(out, ops.apply(image[None], drawn)[0])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pil_in_pil_out(mode: str) -> None:
    image = picture(mode)
    out = as_transform(FLIP)(image)
    assert isinstance(out, Image.Image)
    assert out.mode == mode
    assert out.tobytes() == mirrored(image).tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "I", "CMYK"])
def test_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(UsageError, match=f"mode L or RGB, but got '{mode}'"):
        as_transform(FLIP)(picture().convert(mode))


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.float64, torch.float16])
def test_tensors_keep_their_kind(kind: torch.dtype) -> None:
    image = pixels(3, H, W)
    given = image if kind == torch.uint8 else (image.double() / 255).to(kind)
    for sample in (given, tv_tensors.Image(given)):
        out = as_transform(FLIP)(sample)
        assert type(out) is type(sample)
        assert out.dtype == kind
        assert torch.equal(out.as_subclass(torch.Tensor), given.flip(-1))


def test_frames_of_a_video_move_alike() -> None:
    video = tv_tensors.Video(pixels(3, H, W).expand(2, 5, 3, H, W).clone())
    for _ in range(5):
        out = as_transform(MOVES)(video)
        assert type(out) is tv_tensors.Video
        assert (out == out[:1, :1]).all()


def sample_of_all() -> dict[str, Any]:
    corners = [[2.0, 3, 6, 8], [9.0, 1, 15, 4]]
    box = {"format": "XYXY", "canvas_size": (H, W)}
    return {
        "image": tv_tensors.Image(pixels(3, H, W)),
        "parts": (
            tv_tensors.Mask(pixels(H, W, seed=1)),
            [tv_tensors.BoundingBoxes(corners, **box)],
            tv_tensors.KeyPoints([[2.0, 3.0], [15.0, 11.0]], canvas_size=(H, W)),
        ),
        "label": 3,
        "name": "one",
    }


def test_all_parts_get_the_draw_and_the_structure_stays() -> None:
    """Oracle: torchvision's own flip of the same sample."""
    sample = sample_of_all()
    ours, theirs = as_transform(FLIP)(sample), v2.RandomHorizontalFlip(p=1)(sample)
    assert list(ours) == list(theirs)
    assert ours["label"] == 3
    assert ours["name"] == "one"
    assert type(ours["parts"]) is tuple
    assert torch.equal(ours["image"], theirs["image"])
    for mine, other in zip(
        torch.utils._pytree.tree_leaves(ours["parts"]),
        torch.utils._pytree.tree_leaves(theirs["parts"]),
        strict=True,
    ):
        assert type(mine) is type(other)
        assert mine.dtype == other.dtype
        assert torch.equal(mine, other)
    boxes = ours["parts"][1][0]
    assert boxes.canvas_size == (H, W)
    assert boxes.format == tv_tensors.BoundingBoxFormat.XYXY


@pytest.mark.parametrize("kind", ["XYXY", "XYWH", "CXCYWH"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_boxes_of_every_format(kind: str, dtype: torch.dtype) -> None:
    xyxy = tv_tensors.BoundingBoxes([[2, 4, 6, 8]], format="XYXY", canvas_size=(H, W), dtype=dtype)
    given = v2.functional.convert_bounding_box_format(
        xyxy, new_format=tv_tensors.BoundingBoxFormat[kind]
    )
    out = as_transform(FLIP)(given)
    assert out.dtype == dtype
    assert out.format.value == kind
    back = v2.functional.convert_bounding_box_format(
        out, new_format=tv_tensors.BoundingBoxFormat.XYXY
    )
    assert back.tolist() == [[W - 6, 4, W - 2, 8]]


def test_boxes_that_leave_can_be_sanitized() -> None:
    away = Policy((Stage(((Element("shift_x", 10),),)),))
    boxes = tv_tensors.BoundingBoxes(
        [[10.0, 2, 14, 6], [1.0, 2, 5, 6]], format="XYXY", canvas_size=(H, W)
    )
    sample = {"image": picture(), "boxes": boxes, "labels": torch.tensor([7, 8])}
    out = v2.Compose([as_transform(away), v2.SanitizeBoundingBoxes()])(sample)
    assert out["labels"].tolist() == [8]
    assert out["boxes"].tolist() == [[11, 2, 15, 6]]


def test_rotated_boxes_are_refused() -> None:
    boxes = tv_tensors.BoundingBoxes([[2.0, 4, 6, 8, 30]], format="CXCYWHR", canvas_size=(H, W))
    with pytest.raises(UsageError, match="upright, but got format CXCYWHR"):
        as_transform(FLIP)(boxes)


def test_masks_of_every_kind() -> None:
    away = Policy((Stage(((Element("shift_x", 3),),)),))
    for dtype, end in ((torch.uint8, 255), (torch.int64, 255), (torch.int32, 255)):
        mask = tv_tensors.Mask(pixels(2, H, W).to(dtype))
        out = as_transform(away)(mask)
        assert out.dtype == dtype
        assert (out[..., :3] == end).all()
        assert torch.equal(out[..., 3:], mask[..., :-3])
    bools = as_transform(away)(tv_tensors.Mask(torch.ones((H, W), dtype=torch.bool)))
    assert bools.dtype == torch.bool
    assert bools.sum() == H * (W - 3)
    none = as_transform(away, ignore_index=0)(tv_tensors.Mask(pixels(H, W)))
    assert (none[:, :3] == 0).all()
    with pytest.raises(UsageError, match="ignore_index -100 does not fit"):
        as_transform(away, ignore_index=-100)(tv_tensors.Mask(pixels(H, W)))
    with pytest.raises(UsageError, match="whole numbers or bool"):
        as_transform(away)(tv_tensors.Mask(torch.zeros((H, W))))


def test_only_the_first_plain_tensor_is_the_picture() -> None:
    image, other = pixels(3, H, W), torch.arange(5)
    out = as_transform(FLIP)((image, other, 2))
    assert torch.equal(out[0], image.flip(-1))
    assert out[1] is other


def test_inputs_stay_as_they_are() -> None:
    sample = sample_of_all()
    before = [leaf.clone() for leaf in torch.utils._pytree.tree_leaves(sample)[:4]]
    as_transform(MOVES)(sample)
    after = torch.utils._pytree.tree_leaves(sample)[:4]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["mixup", "flip-crop+cutmix"])
def test_mixing_names_the_batch_transform(name: str) -> None:
    with pytest.raises(UsageError, match="as_collate or as_batch_transform"):
        as_transform(name)


def test_weights_per_class_need_a_label() -> None:
    with pytest.raises(UsageError, match="give label="):
        as_transform(PER_CLASS)
    transform = as_transform(PER_CLASS, label=second)
    image = pixels(3, H, W)
    assert torch.equal(transform(image, 0)[0], image)
    assert torch.equal(transform((image, 1))[0], image.flip(-1))
    with pytest.raises(UsageError, match="integers from 0 to 1"):
        transform(image, 2)


def test_samples_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="no picture"):
        as_transform(FLIP)({"label": 3, "array": np.zeros((3, 3))})
    with pytest.raises(UsageError, match="one size"):
        as_transform(FLIP)((picture(), tv_tensors.Mask(torch.zeros((3, 3), dtype=torch.uint8))))
    with pytest.raises(UsageError, match="1, 3 or 4 channels"):
        as_transform(FLIP)(pixels(5, H, W))
    with pytest.raises(UsageError, match=r"lie in \[0, 1\]"):
        as_transform(FLIP)(2 * torch.ones(3, H, W))


def test_sources(tmp_path: Path) -> None:
    MOVES.save(tmp_path / "policy.json")
    both = Chain((PolicyAugmenter(MOVES), Chain((PolicyAugmenter(FLIP),))))
    both.save(tmp_path)
    assert as_policy(tmp_path / "policy.json") == as_policy(str(tmp_path / "policy.json")) == MOVES
    assert as_policy(PolicyAugmenter(FLIP)) is FLIP
    assert as_policy(both).stages == as_policy(tmp_path).stages == MOVES.stages + FLIP.stages
    assert as_policy("flip-crop+cutout").name == "flip-crop+cutout"
    with pytest.raises(UsageError, match="did you mean cutout"):
        as_policy("cutot")


class Weights:
    """An augmenter that is no policy."""

    mixes = False
    by_class = False


def test_an_augmenter_with_weights_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Weights is none.*\n.*as_batch_transform"):
        as_transform(Weights())  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(0, 3, H, W), (3, 0, W), (2, 3, 1, 1), (1, 1, 7)])
def test_sizes_at_the_edge(shape: tuple[int, ...]) -> None:
    image = pixels(*shape)
    mask = tv_tensors.Mask(pixels(*shape[:-3], *shape[-2:]))
    boxes = tv_tensors.BoundingBoxes(
        torch.zeros((0, 4)), format="XYWH", canvas_size=(shape[-2], shape[-1])
    )
    out = as_transform(FLIP)(tv_tensors.Image(image), mask, boxes)
    assert torch.equal(out[0].as_subclass(torch.Tensor), image.flip(-1))
    assert torch.equal(out[1].as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor).flip(-1))
    assert out[2].shape == (0, 4)


def test_words() -> None:
    assert "PolicyTransform(flip)" in repr(v2.Compose([as_transform(FLIP), v2.ToImage()]))


def first_pixels(loader: Any) -> list[bytes]:
    return [image.numpy().tobytes() for images, _ in loader for image in images]


def loaded(workers: int, start: str | None, seed: int, transform: Any) -> list[bytes]:
    torch.manual_seed(seed)
    loader = DataLoader(
        Numbered(transform), batch_size=4, num_workers=workers, multiprocessing_context=start
    )
    return first_pixels(loader)


TURN = Policy((Stage(((Element("rotate", 0, 170, sign=True),),)),), "turn")


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_draw_their_own(workers: int) -> None:
    """One picture 32 times: draws repeat with the seed, differ between workers and with it."""
    transform = v2.Compose([as_transform(TURN), v2.ToDtype(torch.float32, scale=True)])
    start = "fork" if workers else None
    once = loaded(workers, start, 1, transform)
    assert len(set(once)) > 28  # a worker that repeats the other would leave 16
    assert loaded(workers, start, 1, transform) == once
    assert loaded(workers, start, 2, transform) != once


@pytest.mark.slow
def test_spawned_workers_draw_as_forked_ones() -> None:
    transform = as_transform(TURN)
    assert loaded(2, "spawn", 1, transform) == loaded(2, "fork", 1, transform)


def test_it_pickles() -> None:
    transform = pickle.loads(pickle.dumps(as_transform(PER_CLASS, label=second)))
    image = pixels(3, H, W)
    assert torch.equal(transform(image, 1)[0], image.flip(-1))
