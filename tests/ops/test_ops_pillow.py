"""Every operation against Pillow, whose answer is computed while the test runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from ops_helpers import (
    Picture,
    batches,
    by_pillow,
    drawn_for,
    from_pillow,
    noise,
    one,
    run,
    to_pillow,
    worst,
)
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.stats import kstest

from learnaug.ops import apply

NEAREST, BILINEAR, BICUBIC = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
)


def affine(picture: Picture, matrix: tuple[float, ...], kind: int, fill: int) -> Picture:
    colour = fill if picture.mode == "L" else (fill,) * 3
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, kind, fillcolor=colour)


def single(value: float) -> float:
    return float(np.float32(value))  # what a drawn magnitude is held in


EXACT: list[tuple[str, tuple[float, ...], Callable[[Picture], Picture]]] = [
    ("invert", (), ImageOps.invert),
    ("equalize", (), ImageOps.equalize),
    ("hflip", (), ImageOps.mirror),
    ("vflip", (), ImageOps.flip),
    *(("posterize", (b,), lambda p, b=b: ImageOps.posterize(p, b)) for b in range(1, 9)),
    *(("solarize", (t,), lambda p, t=t: ImageOps.solarize(p, t)) for t in (0, 85.3, 128, 256)),
]
FACTORS = (0.0, 0.1, 0.37, 0.7, 1.0, 1.3, 1.6, 1.9, 1.99)
ENHANCE = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "sharpness": ImageEnhance.Sharpness,
}
EXACT += [
    (name, (factor,), lambda p, k=kind, f=factor: k(p).enhance(single(f)))
    for factor in FACTORS
    for name, kind in ENHANCE.items()
]


@pytest.mark.parametrize(("op", "magnitude", "change"), EXACT)
def test_equals_pillow_to_the_last_bit(op, magnitude, change):
    for images in batches():
        assert worst(run(images, op, *magnitude), by_pillow(images, change)) == 0, images.shape


CLOSE = [("autocontrast", (), ImageOps.autocontrast)] + [
    ("color", (factor,), lambda p, f=factor: ImageEnhance.Color(p).enhance(f)) for factor in FACTORS
]


@pytest.mark.parametrize(("op", "magnitude", "change"), CLOSE)
def test_within_one_level_of_pillow(op, magnitude, change):
    for images in batches():
        assert worst(run(images, op, *magnitude), by_pillow(images, change)) <= 1, images.shape


@pytest.mark.parametrize("shift", [-0.9, -0.453, -0.25, 0.0, 0.1, 0.15, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("fill", [0, 128])
def test_translate(shift, fill):
    v = single(shift)

    def right(picture: Picture) -> Picture:
        return affine(picture, (1, 0, -v * picture.width, 0, 1, 0), NEAREST, fill)

    def down(picture: Picture) -> Picture:
        return affine(picture, (1, 0, 0, 0, 1, -v * picture.height), NEAREST, fill)

    for images in batches(8):
        assert worst(run(images, "translate_x", shift, fill=fill), by_pillow(images, right)) == 0
        assert worst(run(images, "translate_y", shift, fill=fill), by_pillow(images, down)) == 0


@pytest.mark.parametrize("shift", [-32.0, -7.47, -1.0, 0.0, 0.4, 2.0, 5.33, 32.0])
def test_shift(shift):
    def right(picture: Picture) -> Picture:
        return affine(picture, (1, 0, -shift, 0, 1, 0), NEAREST, 0)

    def down(picture: Picture) -> Picture:
        return affine(picture, (1, 0, 0, 0, 1, -shift), NEAREST, 0)

    for images in batches(8):
        assert worst(run(images, "shift_x", shift), by_pillow(images, right)) == 0
        assert worst(run(images, "shift_y", shift), by_pillow(images, down)) == 0


SHEARS = [-0.99, -0.3, -0.1, 0.0, 0.07, 0.2, 0.3, 0.5, 0.99]


@pytest.mark.parametrize("shear", SHEARS)
def test_shear_nearest(shear):
    v = single(shear)
    for images in batches(8):
        x = by_pillow(images, lambda p: affine(p, (1, v, 0, 0, 1, 0), NEAREST, 128))
        y = by_pillow(images, lambda p: affine(p, (1, 0, 0, v, 1, 0), NEAREST, 128))
        assert worst(run(images, "shear_x", shear, fill=128), x) == 0
        assert worst(run(images, "shear_y", shear, fill=128), y) == 0


@pytest.mark.parametrize(("kind", "name"), [(BILINEAR, "bilinear"), (BICUBIC, "bicubic")])
@pytest.mark.parametrize("shear", SHEARS)
def test_shear_smooth(shear, kind, name):
    v = single(shear)
    for images in batches(8):
        x = by_pillow(images, lambda p: affine(p, (1, v, 0, 0, 1, 0), kind, 7))
        assert worst(run(images, "shear_x", shear, fill=7, interpolation=name), x) <= 1


@pytest.mark.parametrize("angle", [-135, -90, -30, -1, 0, 10, 20, 30, 45, 90, 180])
def test_rotate_nearest(angle):
    for shape in ((12, 3, 32, 32), (12, 1, 48, 33), (12, 1, 33, 48)):
        images = noise(*shape)
        expected = by_pillow(images, lambda p: p.rotate(angle, NEAREST))
        off = (run(images, "rotate", angle) != expected).float().mean().item()
        assert off <= 0.015, (shape, off)


@pytest.mark.parametrize("angle", [-30, -7, 13, 30, 60])
def test_rotate_bilinear(angle):
    images = noise(12, 3, 32, 40)
    expected = by_pillow(images, lambda p: p.rotate(angle, BILINEAR))
    assert worst(run(images, "rotate", angle, interpolation="bilinear"), expected) <= 1


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25, 2.0])
def test_zoom_is_pillows_affine_about_the_centre(factor):
    s = 1 / single(factor)
    images = noise(8, 3, 20, 30)
    matrix = (s, 0, 15 - 15 * s, 0, s, 10 - 10 * s)
    expected = by_pillow(images, lambda p: affine(p, matrix, BILINEAR, 0))
    assert worst(run(images, "zoom", factor), expected) <= 1


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns(turns):
    images = noise(5, 3, 9, 9)
    assert worst(run(images, "rot90", turns), images.rot90(turns, (2, 3))) == 0


def test_transpose():
    images = noise(5, 3, 8, 8)
    assert worst(run(images, "transpose"), images.transpose(2, 3)) == 0


def test_to_gray():
    images = noise(5, 3, 8, 8)
    expected = by_pillow(images, lambda p: p.convert("L").convert("RGB"))
    assert worst(run(images, "to_gray"), expected) == 0


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.7])
def test_blur_is_a_gaussian(sigma):
    from scipy.ndimage import gaussian_filter

    images = noise(3, 2, 24, 31)
    expected = gaussian_filter(
        images.double().numpy(), (0, 0, sigma, sigma), mode="nearest", radius=math.ceil(3 * sigma)
    )
    got = run(images, "blur", sigma).double().numpy()
    assert np.abs(got - expected).max() <= 0.51


def test_blur_direction_agrees_with_pillow():
    images = noise(4, 1, 24, 24)
    expected = by_pillow(images, lambda p: p.filter(ImageFilter.GaussianBlur(1.0)))
    assert (run(images, "blur", 1.0).int() - expected.int()).abs().float().mean() < 3


@pytest.mark.parametrize("turn", [-170.0, -60.0, 0.0, 45.0, 120.0])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.8])
def test_hue_and_saturation_against_colorsys(turn, factor):
    import colorsys

    images = noise(2, 3, 5, 6)
    got = run(run(images, "hue", turn), "saturation", factor)
    between = run(images, "hue", turn)
    for before, after, change in (
        (images, between, lambda h, s, v: ((h + turn / 360) % 1, s, v)),
        (between, got, lambda h, s, v: (h, min(1.0, s * factor), v)),
    ):
        for b in range(2):
            for y in range(5):
                for x in range(6):
                    rgb = (before[b, :, y, x].double() / 255).tolist()
                    expected = colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*rgb)))
                    off = np.abs(after[b, :, y, x].numpy() - 255 * np.array(expected)).max()
                    assert off <= 0.51


@pytest.mark.parametrize("exponent", [0.2, 0.7, 1.0, 2.2])
def test_gamma(exponent):
    images = noise(2, 3, 8, 8)
    expected = np.rint(255 * (images.numpy() / 255.0) ** single(exponent))
    assert np.abs(run(images, "gamma", exponent).numpy() - expected).max() == 0


@pytest.mark.parametrize("side", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_cutout_is_one_rectangle_of_that_side(side):
    from PIL import ImageDraw

    images = noise(60, 3, 32, 24)
    out = run(images, "cutout", side, fill=9)
    high, wide = round(32 * side), round(24 * side)
    heights, widths = set(), set()
    for before, after in zip(images, out, strict=True):
        inside = (after == 9).all(0).numpy()
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        if not len(rows):
            assert high == 0 or wide == 0
            continue
        box = (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))

        def paint(p: Picture, box: tuple[int, int, int, int] = box) -> Picture:
            ImageDraw.Draw(p).rectangle(box, (9, 9, 9))
            return p

        expected = by_pillow(before[None], paint)[0]
        assert worst(after, expected) == 0
        heights.add(box[3] - box[1] + 1)
        widths.add(box[2] - box[0] + 1)
    if heights:
        assert max(heights) == high
        assert max(widths) == wide
        assert min(heights) >= high // 2  # only the border may cut it


def test_pad_crop_is_a_shift_into_black_by_up_to_the_padding():
    images = noise(400, 1, 16, 16).clamp(min=1)
    out = run(images, "pad_crop", 0.125)
    shifts = set()
    for before, after in zip(images[:, 0].numpy(), out[:, 0].numpy(), strict=True):
        padded = np.pad(before, 2)
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if (padded[y : y + 16, x : x + 16] == after).all()
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) == 25


def test_resized_crop_has_that_area_and_the_papers_aspects():
    ramp = np.tile(np.arange(0, 160, 5, dtype=np.uint8), (32, 1))
    images = torch.from_numpy(np.stack([ramp, ramp.T]))[None].repeat(300, 1, 1, 1)
    out = run(images, "resized_crop", 0.3).double()
    across = (out[:, 0, 16, 30] - out[:, 0, 16, 1]) / 29 / 5  # width of the crop / 32
    down = (out[:, 1, 30, 16] - out[:, 1, 1, 16]) / 29 / 5
    area, aspect = (across * down).numpy(), (across / down).numpy()
    assert np.abs(area - 0.3).max() < 0.02
    assert 0.72 < aspect.min() < 0.80  # 3/4, within what whole grey levels tell
    assert 1.25 < aspect.max() < 1.36


def test_translate_on_the_brink_between_two_pixels():
    v = single(0.1)  # 25·v is 2.5 and a few billionths
    images = noise(4, 3, 25, 25)
    expected = by_pillow(images, lambda p: affine(p, (1, 0, -25 * v, 0, 1, 0), NEAREST, 0))
    assert worst(run(images, "translate_x", 0.1), expected) == 0


@pytest.mark.parametrize("share", [0.3, 25 / 32, 1.0])
def test_random_crop_is_pillows_crop_resized(share):
    images = noise(12, 3, 40, 30)
    drawn = drawn_for(images, one("random_crop", share))
    places = drawn.extra[:, 0, :2].astype(float) * (1 - share) * np.array([30, 40])
    out = apply(images, drawn)
    for image, (left, top), got in zip(images, places, out, strict=True):
        box = (left, top, min(left + share * 30, 30), min(top + share * 40, 40))
        theirs = from_pillow(to_pillow(image).resize((30, 40), BILINEAR, box))
        # At its border Pillow repeats the crop's last pixel, where ours sees the one beyond.
        edge = int(np.ceil(0.5 / share))
        inner = (slice(None), slice(edge, -edge), slice(edge, -edge))
        assert worst(got[inner], theirs[inner]) <= 1


def test_random_crop_takes_every_place_and_keeps_the_aspect():
    ramp = np.tile(np.arange(0, 160, 5, dtype=np.uint8), (32, 1))
    images = torch.from_numpy(np.stack([ramp, ramp.T]))[None].repeat(400, 1, 1, 1)
    out = run(images, "random_crop", 0.5).double()
    across = (out[:, 0, 16, 30] - out[:, 0, 16, 1]) / 29 / 5
    down = (out[:, 1, 30, 16] - out[:, 1, 1, 16]) / 29 / 5
    assert (across - 0.5).abs().max() < 0.02
    assert (down - 0.5).abs().max() < 0.02
    left, top = out[:, 0, 16, 16] / 5 - 7.75, out[:, 1, 16, 16] / 5 - 7.75
    for place in (left, top):
        assert kstest(place / 16, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(left, top)[0, 1]) < 0.2
