"""Boxes and points: oracles are filled rectangles and single pixels moved by `apply` itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ops_helpers import drawn_for, one
from torch import Tensor

from learnaug.errors import UsageError
from learnaug.ops import Drawn, Element, Policy, Stage, apply, apply_boxes, apply_points

H, W = 48, 60
N = 24
WARPS = [
    ("shear_x", (0.3,), True),
    ("shear_y", (0.3,), True),
    ("translate_x", (0.21,), True),
    ("translate_y", (0.21,), True),
    ("shift_x", (7.4,), True),
    ("shift_y", (7.6,), True),
    ("rotate", (0.0, 180.0), True),
    ("hflip", (), False),
    ("vflip", (), False),
    ("rot90", (1.0,), False),
    ("rot90", (3.0,), False),
    ("transpose", (), False),
    ("pad_crop", (0.2,), False),
    ("resized_crop", (0.2, 1.0), False),
    ("random_crop", (0.4, 1.0), False),
    ("zoom", (0.5, 2.0), False),
    ("distort", (0.3,), False),
]


def some_boxes(count: int, seed: int = 0) -> Tensor:
    """Whole pixels, one box for each picture."""
    gen = np.random.default_rng(seed)
    left, top = gen.integers(0, W - 8, count), gen.integers(0, H - 8, count)
    right = np.minimum(left + gen.integers(6, 30, count), W)
    bottom = np.minimum(top + gen.integers(6, 30, count), H)
    return torch.from_numpy(np.stack([left, top, right, bottom], 1))


def filled(boxes: Tensor) -> Tensor:
    pictures = torch.zeros((len(boxes), 1, H, W), dtype=torch.uint8)
    for picture, (left, top, right, bottom) in zip(pictures, boxes.tolist(), strict=True):
        picture[0, top:bottom, left:right] = 255
    return pictures


def seen(picture: Tensor) -> list[int] | None:
    """The hull of what is not black, in pixel edges."""
    rows, columns = torch.nonzero(picture[0], as_tuple=True)
    if not len(rows):
        return None
    return [int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def at_border(box: Tensor) -> bool:
    return bool((box[:2] <= 0).any() or box[2] >= W or box[3] >= H)


def check_against_pixels(boxes: Tensor, drawn: Drawn, upright: bool) -> int:
    """Compare within a pixel; a turned box that the border cuts only has to hold what is seen."""
    moved, keep = apply_boxes(boxes.float(), torch.arange(len(boxes)), drawn)
    compared = 0
    for picture, box, kept in zip(apply(filled(boxes), drawn), moved, keep, strict=True):
        hull = seen(picture)
        if hull is None:
            assert not kept or not upright or float((box[2:] - box[:2]).min()) <= 1
            continue
        assert kept
        outside = (box - torch.tensor(hull)) * torch.tensor([-1, -1, 1, 1])
        assert outside.min() >= -1, (box, hull)
        if upright or not at_border(box):
            compared += 1
            assert outside.max() <= (1 if upright else 1.5), (box, hull)
    return compared


@pytest.mark.parametrize(("op", "magnitude", "sign"), WARPS)
def test_boxes_follow_the_pixels(op: str, magnitude: tuple[float, ...], sign: bool) -> None:
    policy = one(op, *magnitude, sign=sign, fill=0, interpolation="nearest")
    boxes = some_boxes(N)
    drawn = drawn_for(filled(boxes), policy)
    if sign:
        assert (drawn.value < 0).any()
        assert (drawn.value > 0).any()
    # Seen is a pixel whose centre lies inside; at a corner sharper than 90 degrees that is later.
    upright = op not in ("shear_x", "shear_y", "distort", "rotate")
    assert check_against_pixels(boxes, drawn, upright) >= N // 4


def test_nearest_neighbour_moves_by_whole_pixels() -> None:
    boxes = torch.tensor([[20, 10, 31, 22]])
    for kind, left in (("nearest", 27.0), ("bilinear", 27.4)):
        drawn = drawn_for(filled(boxes), one("shift_x", 7.4, fill=0, interpolation=kind))
        moved, _ = apply_boxes(boxes.double(), torch.tensor([0]), drawn)
        assert moved[0].tolist() == pytest.approx([left, 10, left + 11, 22])
        if kind == "nearest":
            assert seen(apply(filled(boxes), drawn)[0]) == moved[0].tolist()


def test_a_chain_stays_around_what_can_be_seen() -> None:
    """Hulls of hulls are wider than the object, never narrower by more than a pixel."""
    branches = [Element("rotate", 35, sign=True), Element("shear_x", 0.2), Element("hflip")]
    policy = Policy(tuple(Stage(((element,),)) for element in branches))
    boxes = some_boxes(N, seed=3)
    drawn = drawn_for(filled(boxes), policy)
    moved, keep = apply_boxes(boxes.double(), torch.arange(N), drawn)
    for picture, box in zip(apply(filled(boxes), drawn)[keep], moved[keep], strict=True):
        hull = seen(picture)
        if hull is not None:
            assert box[0] <= hull[0] + 1.5
            assert box[1] <= hull[1] + 1.5
            assert box[2] >= hull[2] - 1.5
            assert box[3] >= hull[3] - 1.5


def test_what_left_the_picture_does_not_come_back() -> None:
    there_and_back = Policy(
        (Stage(((Element("shift_x", 30),),)), Stage(((Element("rotate", 45),),)),
         Stage(((Element("shift_x", -30),),)))
    )  # fmt: skip
    boxes = torch.tensor([[40.0, 5, 55, 20], [5.0, 5, 20, 20]])
    drawn = drawn_for(torch.zeros((1, 1, H, W)), there_and_back)
    moved, keep = apply_boxes(boxes, torch.zeros(2, dtype=torch.int64), drawn)
    assert keep.tolist() == [False, True]
    assert (moved[0, 2:] == moved[0, :2]).all()


@pytest.mark.parametrize(("op", "magnitude", "sign"), WARPS)
def test_points_follow_the_pixels(op: str, magnitude: tuple[float, ...], sign: bool) -> None:
    """A 3x3 blob's mean is where its centre went."""
    gen = np.random.default_rng(5)
    x, y = gen.integers(20, W - 20, N), gen.integers(18, H - 18, N)
    boxes = torch.from_numpy(np.stack([x - 3, y - 3, x + 4, y + 4], 1))
    policy = one(op, *magnitude, sign=sign, fill=0, interpolation="nearest")
    drawn = drawn_for(filled(boxes), policy)
    points = torch.from_numpy(np.stack([x, y], 1) + 0.5)
    moved = apply_points(points, torch.arange(N), drawn)
    compared = 0
    for picture, point in zip(apply(filled(boxes), drawn), moved, strict=True):
        hull = seen(picture)
        if hull is None or hull[0] == 0 or hull[1] == 0 or hull[2] == W or hull[3] == H:
            continue
        rows, columns = torch.nonzero(picture[0], as_tuple=True)
        centre = torch.stack([columns.double().mean(), rows.double().mean()]) + 0.5
        compared += 1
        assert (centre - point).abs().max() <= 0.75
    assert compared > N // 3


def test_several_boxes_of_one_picture_and_none_of_another() -> None:
    boxes = torch.tensor([[1.0, 2, 4, 5], [10.0, 11, 20, 20]], dtype=torch.float64)
    drawn = drawn_for(torch.zeros((3, 1, H, W)), one("hflip"))
    moved, keep = apply_boxes(boxes, torch.tensor([2, 2]), drawn)
    assert moved.tolist() == [[W - 4, 2, W - 1, 5], [W - 20, 11, W - 10, 20]]
    assert moved.dtype == torch.float64
    assert keep.all()
    none, keep = apply_boxes(boxes[:0], torch.zeros(0, dtype=torch.int64), drawn)
    assert none.shape == (0, 4)
    assert keep.shape == (0,)


def test_an_empty_picture_shows_no_box() -> None:
    drawn = drawn_for(torch.zeros((1, 1, 0, 5)), one("resized_crop", 0.5))
    _, keep = apply_boxes(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([0]), drawn)
    assert not keep.any()


@pytest.mark.parametrize("mixer", ["mixup", "cutmix"])
def test_mixed_pictures_have_no_boxes(mixer: str) -> None:
    drawn = drawn_for(torch.zeros((2, 1, H, W)), one(mixer, 1.0))
    with pytest.raises(UsageError, match=f"{mixer} puts a second picture in"):
        apply_boxes(torch.zeros((1, 4)), torch.tensor([0]), drawn)


@pytest.mark.parametrize(
    ("boxes", "image", "words"),
    [
        (torch.zeros((1, 5)), torch.tensor([0]), r"\[N, 4\]"),
        (torch.zeros((1, 4), dtype=torch.int64), torch.tensor([0]), "float32 or float64"),
        (torch.zeros((1, 4)), torch.tensor([1]), "from 0 to 0"),
        (torch.zeros((1, 4)), torch.tensor([0, 0]), "one for each"),
        (torch.zeros((1, 4)), torch.tensor([0.0]), "int64"),
    ],
)
def test_wrong_boxes_are_refused(boxes: Tensor, image: Tensor, words: str) -> None:
    drawn = drawn_for(torch.zeros((1, 1, H, W)), one("hflip"))
    with pytest.raises(UsageError, match=words):
        apply_boxes(boxes, image, drawn)
