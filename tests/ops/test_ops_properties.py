"""Properties of every operation, generated from TABLE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_helpers import NAMES, drawn_for, magnitude, noise, one, run
from torch import Tensor

from learnaug.errors import UsageError
from learnaug.ops import TABLE, Drawn, Element, Policy, Stage, apply, apply_masks, draw, spaces
from learnaug.ops import primitives as torch_primitives
from learnaug.seeds import Seeds

ALONE = [name for name in NAMES if not TABLE[name].partner]
MEASURED = [name for name in NAMES if TABLE[name].unit and TABLE[name].identity is not None]
EASY = settings(max_examples=40, deadline=None)


def picture(op: Drawn, rows: list[int]) -> Drawn:
    """The drawn numbers of these pictures alone; only right without partners."""
    fields = ("ops", "value", "extra", "fill", "interpolation", "mix", "branch")
    own = np.repeat(np.arange(len(rows))[:, None], op.ops.shape[1], 1)
    return replace(op, partner=own, **{name: getattr(op, name)[rows] for name in fields})


@st.composite
def worlds(draw_from, names=ALONE):
    size = (draw_from(st.integers(1, 40)), draw_from(st.integers(1, 40)))
    channels = draw_from(st.sampled_from([1, 3, 4]))
    name = draw_from(st.sampled_from(names))
    seed = draw_from(st.integers(0, 10_000))
    images = noise(draw_from(st.integers(0, 4)), channels, *size, seed=seed)
    return images, name, magnitude(name, draw_from(st.floats(0, 1, width=16))), seed


@settings(max_examples=200, deadline=None)
@given(worlds(NAMES))
def test_shape_dtype_and_input_unchanged(world):
    images, name, v, seed = world
    before, version = images.clone(), images._version
    out = apply(images, drawn_for(images, one(name, *v), seed))
    assert out.shape == images.shape
    assert out.dtype == torch.uint8
    assert out.is_contiguous()
    assert torch.equal(images, before)
    assert images._version == version
    assert out.data_ptr() != images.data_ptr() or images.numel() == 0


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_a_batch_is_the_loop_over_its_pictures(world):
    images, name, v, seed = world
    drawn = drawn_for(images, one(name, *v), seed)
    whole = apply(images, drawn)
    for row in range(len(images)):
        assert torch.equal(
            apply(images[row : row + 1], picture(drawn, [row])), whole[row : row + 1]
        )


@pytest.mark.parametrize("space", ["trivialaugment", "uniform", "traditional", "autoaugment"])
def test_a_mixed_batch_is_the_loop_over_its_pictures(space):
    images = noise(64, 3, 19, 23)
    drawn = drawn_for(images, getattr(spaces, space)())
    whole = apply(images, drawn)
    loop = [apply(images[r : r + 1], picture(drawn, [r])) for r in range(64)]
    assert torch.equal(torch.cat(loop), whole)


@EASY
@given(worlds(NAMES))
def test_same_key_same_output_and_any_strides(world):
    images, name, v, seed = world
    first = apply(images, drawn_for(images, one(name, *v), seed))
    again = apply(images, drawn_for(images, one(name, *v), seed))
    last = images.contiguous(memory_format=torch.channels_last)
    strided = torch.stack([images, images], -1)[..., 0]
    assert torch.equal(first, again)
    for other in (last, strided):
        assert torch.equal(first, apply(other, drawn_for(images, one(name, *v), seed)))


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("kind", [None, "nearest", "bilinear", "bicubic"])
def test_identity_magnitude_changes_nothing(name, kind):
    for shape in ((3, 1, 9, 12), (3, 3, 8, 8), (2, 3, 1, 1)):
        images = noise(*shape)
        assert torch.equal(run(images, name, TABLE[name].identity, interpolation=kind), images)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("identity", "rot90")])
def test_the_other_end_of_the_range_changes_something(name):
    images = noise(8, 3, 24, 24) // 2 + 20  # equalize needs more than 255 pixels
    op = TABLE[name]
    v = () if not op.unit else (op.high if op.identity == op.low else op.low,)
    assert not torch.equal(run(images, name, *v), images)


@pytest.mark.parametrize(
    ("name", "mirror"),
    [("rotate", 3), ("shear_x", None), ("translate_x", 3), ("translate_y", 2)],
)
def test_sign_symmetry(name, mirror):
    """f(-v) on the mirrored picture is the mirror of f(v)."""
    images = noise(6, 3, 16, 16)
    v = {"rotate": 20.0, "shear_x": 0.3, "translate_x": 0.25, "translate_y": 0.25}[name]
    plus, minus = run(images, name, v), run(images, name, -v)
    assert not torch.equal(plus, minus)
    if mirror is not None:
        assert torch.equal(run(images.flip(mirror), name, -v).flip(mirror), plus)


@pytest.mark.parametrize("name", ["hflip", "vflip", "invert", "transpose"])
def test_twice_is_nothing(name):
    images = noise(4, 3, 10, 10)
    assert torch.equal(run(run(images, name), name), images)


@pytest.mark.parametrize("name", ["color", "hue", "saturation", "to_gray"])
def test_a_grey_picture_has_no_colour(name):
    images = noise(4, 1, 6, 6)
    v = () if name == "to_gray" else (0.3,)
    assert torch.equal(run(images, name, *v), images)


def test_luminance_of_other_channel_counts_is_the_mean():
    images = noise(3, 5, 6, 6)
    mean = np.floor(images.double().mean(1, keepdim=True).numpy() + 0.5)
    assert np.array_equal(run(images, "to_gray").numpy(), np.broadcast_to(mean, images.shape))


def test_wrong_batches_are_refused():
    images = noise(4, 3, 8, 8)
    drawn = drawn_for(images, one("hflip"))
    with pytest.raises(UsageError, match="batch of 4, but got 3"):
        apply(images[:3], drawn)
    with pytest.raises(UsageError, match="uint8"):
        apply(images.float(), drawn)
    with pytest.raises(UsageError, match=r"\(8, 8\)"):
        apply(images[..., :7], drawn)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_empty_pictures(size):
    images = torch.zeros((2, 3, *size), dtype=torch.uint8)
    assert apply(images, drawn_for(images, spaces.trivialaugment())).shape == images.shape


def test_the_back_end_is_the_one_given():
    calls: list[str] = []

    class Counting:
        def __getattr__(self, name: str):
            calls.append(name)
            return getattr(torch_primitives, name)

    images = noise(64, 3, 8, 8)
    drawn = drawn_for(images, spaces.uniform().then(one("blur", 1.0)))
    out = apply(images, drawn, Counting())
    assert set(calls) == {"warp", "lookup", "blend", "convolve"}
    assert torch.equal(out, apply(images, drawn))


# --- warp against a naive loop --------------------------------------------------------------------


def naive_nearest(image: np.ndarray, matrix: np.ndarray, fill: int) -> np.ndarray:
    out = np.full_like(image, fill)
    H, W = image.shape[-2:]
    for y in range(H):
        for x in range(W):
            u, v, _ = matrix @ [x + 0.5, y + 0.5, 1]
            if 0 <= u < W and 0 <= v < H:
                out[:, y, x] = image[:, int(v), int(u)]
    return out


@EASY
@given(st.integers(0, 10_000), st.sampled_from([torch.uint8, torch.int64]))
def test_warp_equals_a_naive_loop(seed, dtype):
    gen = np.random.default_rng(seed)
    images: Tensor = noise(2, 2, 7, 9, seed=seed).to(dtype)
    matrix = np.tile(np.eye(3), (2, 1, 1))
    matrix[:, :2] += gen.normal(0, [0.4, 0.4, 3.0], (2, 2, 3))
    got = torch_primitives.warp(images, matrix, np.array([3, 250]), np.zeros(2, np.int8)).numpy()
    for b, fill in enumerate((3, 250)):
        expected = naive_nearest(images[b].numpy(), matrix[b], fill)
        assert (got[b] != expected).mean() < 0.02  # a brink may fall to either side


def test_there_and_back_again():
    """warp(M⁻¹) after warp(M) gives the inner part of a smooth picture back."""
    y, x = np.mgrid[:40, :40]
    smooth = torch.from_numpy((120 + 60 * np.sin(x / 6) * np.cos(y / 7)).astype(np.uint8))[
        None, None
    ]
    turn = np.array([[[0.9, -0.2, 5.0], [0.25, 1.1, -6.0], [0, 0, 1]]])
    zero, bilinear = np.zeros(1, np.int64), np.ones(1, np.int8)
    there = torch_primitives.warp(smooth, turn, zero, bilinear)
    back = torch_primitives.warp(there, np.linalg.inv(turn), zero, bilinear)
    inner = (slice(None), slice(None), slice(14, 26), slice(14, 26))
    assert (back[inner].int() - smooth[inner].int()).abs().max() <= 3


# --- masks ----------------------------------------------------------------------------------------

WARPS = [name for name in NAMES if TABLE[name].primitive == "warp"]


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_masks_go_where_the_pictures_go(name, dtype):
    masks = noise(12, 14, 14, seed=5) % 7
    drawn = drawn_for(masks[:, None], one(name, *magnitude(name, 0.8), interpolation="nearest"))
    drawn.fill[:] = 200
    as_pictures = apply(masks[:, None], drawn)[:, 0]
    before = masks.clone()
    got = apply_masks(masks.to(dtype), drawn, ignore_index=200)
    assert got.dtype == dtype
    assert torch.equal(got, as_pictures.to(dtype))
    assert torch.equal(masks, before)


def test_masks_stay_hard_where_pictures_are_interpolated():
    masks = (noise(20, 16, 16) % 2) * 9
    drawn = drawn_for(masks[:, None], one("rotate", 30, interpolation="bilinear"))
    assert set(apply_masks(masks, drawn).unique().tolist()) == {0, 9, 255}


def test_masks_ignore_what_does_not_move():
    masks = noise(20, 16, 16) % 3
    policy = Policy((Stage(((Element("invert"), Element("cutout", 0.5), Element("blur", 1)),)),))
    assert torch.equal(apply_masks(masks, drawn_for(masks[:, None], policy)), masks)


def test_masks_follow_cutmix_and_refuse_mixup():
    images = noise(16, 1, 12, 12, seed=3)
    drawn = drawn_for(images, one("hflip", p=0.5).then(one("cutmix", 1.0)))
    assert torch.equal(apply_masks(images[:, 0], drawn, 0), apply(images, drawn)[:, 0])
    with pytest.raises(UsageError, match="mixup"):
        apply_masks(images[:, 0], drawn_for(images, one("mixup", 1.0)))


def test_draw_does_not_touch_any_global_state():
    state = np.random.get_state()[1].copy()
    torch_state = torch.get_rng_state()
    images = noise(4, 3, 8, 8)
    apply(images, draw(spaces.cutmix(), 4, Seeds(1).numpy(), (8, 8)))
    assert (np.random.get_state()[1] == state).all()
    assert torch.equal(torch.get_rng_state(), torch_state)
