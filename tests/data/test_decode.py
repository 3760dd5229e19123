"""Pixel truths: what `decode` returns is what NumPy says by hand."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from learnaug.data.decode import BadImageError, Rules, decode, decode_mask, header, resize, scaled
from learnaug.errors import UsageError
from learnaug.seeds import Seeds

PLAIN = Rules()


def noise(*shape: int, high: int = 256, dtype: Any = np.uint8) -> np.ndarray:
    return Seeds(1).child(*shape).numpy().integers(0, high, shape).astype(dtype)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1), (1, 9, 3)])
def test_lossless_formats_give_the_pixels_back(kind: str, shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    found, _ = decode(encoded(Image.fromarray(pixels), kind), PLAIN)
    np.testing.assert_array_equal(found, pixels.reshape(*shape[:2], -1))


def test_webp_lossless() -> None:
    pixels = noise(6, 5, 3)
    found, _ = decode(encoded(Image.fromarray(pixels), "WEBP", lossless=True), PLAIN)
    np.testing.assert_array_equal(found, pixels)


def test_jpeg_is_what_pillow_decodes() -> None:
    data = encoded(Image.fromarray(noise(16, 24, 3)), "JPEG")
    found, _ = decode(data, PLAIN)
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_is_scaled_not_clipped(kind: str) -> None:
    values = noise(9, 9, high=65536, dtype=np.uint16)
    values[0, :4] = (0, 256, 65535, 128)
    found, _ = decode(encoded(Image.fromarray(values), kind), PLAIN)
    np.testing.assert_array_equal(found[:, :, 0], np.floor(values / 257 + 0.5).astype(np.uint8))


def test_16_bit_pgm() -> None:
    values = noise(3, 4, high=65536, dtype=np.uint16)
    data = b"P5 4 3 65535\n" + values.astype(">u2").tobytes()
    found, _ = decode(data, PLAIN)
    np.testing.assert_array_equal(found[:, :, 0], np.floor(values / 257 + 0.5).astype(np.uint8))


def test_value_range_of_float_and_12_bit() -> None:
    values = noise(4, 4, high=4096, dtype=np.uint16)
    found, _ = decode(encoded(Image.fromarray(values)), Rules(value_range=(0, 4095)))
    np.testing.assert_array_equal(found[:, :, 0], np.rint(values / 4095 * 255))
    floats = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    found, _ = decode(encoded(Image.fromarray(floats), "TIFF"), Rules(value_range=(-1, 1)))
    np.testing.assert_array_equal(found[:, :, 0], np.arange(16).reshape(4, 4) * 17)
    with pytest.raises(BadImageError, match="values -1 to 1, declared 0 to 1"):
        decode(encoded(Image.fromarray(floats), "TIFF"), Rules(value_range=(0, 1)))


@pytest.mark.parametrize(("background", "ground"), [("black", 0), ("white", 255)])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_laid_on_the_background(background: Any, ground: int, channels: int) -> None:
    pixels = noise(6, 6, channels)
    pixels[0, :, -1], pixels[1, :, -1] = 0, 255
    image = Image.fromarray(pixels)
    found, notes = decode(encoded(image), Rules(background=background))
    alpha = pixels[:, :, -1:] / 255.0
    truth = pixels[:, :, :-1] * alpha + ground * (1 - alpha)
    assert np.abs(found - truth).max() <= 0.5 + 1e-9
    assert (found[0] == ground).all()
    np.testing.assert_array_equal(found[1], pixels[1, :, :-1])
    assert notes == (("alpha", "alpha"),)


def test_opaque_alpha_is_dropped_without_a_word() -> None:
    pixels = np.dstack([noise(4, 4, 3), np.full((4, 4), 255, np.uint8)])
    found, notes = decode(encoded(Image.fromarray(pixels)), PLAIN)
    np.testing.assert_array_equal(found, pixels[:, :, :3])
    assert notes == ()


def test_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 20, 30, 40, 50])
    image.putpixel((1, 0), 1)
    found, _ = decode(encoded(image, transparency=0), Rules(background="white"))
    assert found.tolist() == [[[255, 255, 255], [30, 40, 50]]]


@pytest.mark.parametrize("colour", [(8, 9, 10), 8])
def test_one_transparent_colour_of_rgb_or_grey(colour: Any) -> None:
    image = Image.new("L" if colour == 8 else "RGB", (2, 2), colour)
    found, notes = decode(encoded(image, transparency=colour), Rules(background="white"))
    assert (found == 255).all()
    assert notes


def test_one_bit_is_0_and_255() -> None:
    bits = noise(5, 5, high=2).astype(bool)
    found, _ = decode(encoded(Image.fromarray(bits)), PLAIN)
    np.testing.assert_array_equal(found[:, :, 0], bits * 255)


# what the eight EXIF orientations do to an array, by the standard's own drawing
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = noise(3, 5, 3)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(pixels), kind, exif=exif, **options)
    found, _ = decode(data, PLAIN)
    np.testing.assert_array_equal(found, TURNS[orientation](pixels))
    head = header(data, PLAIN)
    assert (head.height, head.width) == found.shape[:2]


def test_first_frame_of_several() -> None:
    first, second = noise(4, 4), noise(4, 4)[::-1].copy()
    more = [Image.fromarray(second)]
    data = encoded(Image.fromarray(first), "TIFF", save_all=True, append_images=more)
    found, _ = decode(data, PLAIN)
    np.testing.assert_array_equal(found[:, :, 0], first)
    assert ("frames", "first of 2 frames") in header(data, PLAIN).notes


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_resize_is_antialiased_plane_by_plane(channels: int) -> None:
    pixels = noise(37, 20, channels)
    small = resize(pixels, 8)
    for c in range(channels):
        plane = Image.fromarray(pixels[:, :, c])
        truth = plane.resize((8, 8), Image.Resampling.BILINEAR, reducing_gap=3.0)
        np.testing.assert_array_equal(small[:, :, c], np.asarray(truth))
    board = np.indices((64, 64)).sum(0)[:, :, None] % 2 * np.uint8(255)
    assert np.abs(resize(board.astype(np.uint8), 8).astype(int) - 127.5).max() < 20  # no aliasing


def test_mask_is_nearest_and_indices() -> None:
    mask = noise(16, 16, high=5)
    np.testing.assert_array_equal(decode_mask(encoded(Image.fromarray(mask)), PLAIN), mask)
    palette = Image.fromarray(mask).convert("P")
    palette.putdata(list(mask.ravel()))
    np.testing.assert_array_equal(decode_mask(encoded(palette), PLAIN), mask)
    bits = Image.fromarray(mask > 2)
    np.testing.assert_array_equal(decode_mask(encoded(bits), PLAIN), (mask > 2) * 1)
    half = decode_mask(
        encoded(Image.fromarray(np.kron(mask, np.ones((2, 2), np.uint8)))), Rules(16)
    )
    np.testing.assert_array_equal(half, mask)


@settings(max_examples=50, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]),
    edits=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=20),
    length=st.integers(0, 4000),
)
def test_mutated_files_are_read_or_refused(kind: str, edits: Any, length: int) -> None:
    """No byte edit or cut may raise anything but BadImageError (C3)."""
    data = bytearray(encoded(Image.fromarray(noise(16, 16, 3)), kind))[: max(length, 8)]
    for at, value in edits:
        data[at % len(data)] = value
    with contextlib.suppress(BadImageError):
        head = header(bytes(data), PLAIN)
        pixels, _ = decode(bytes(data), PLAIN)
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == head.channels


def test_truncated_stays_an_error_without_skip_bad() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    data = encoded(Image.fromarray(noise(64, 64, 3)))
    with pytest.raises(BadImageError, match="cut off"):
        decode(data[: len(data) // 2], PLAIN)


def test_scaled_by_hand() -> None:
    assert scaled(np.array([[0.0, 0.5, 1.0]]), 0, 1).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"max_pixels": 0}, {"background": "blak"}, {"value_range": (1, 1)}]
)
def test_rules_refuse(wrong: Any) -> None:
    with pytest.raises(UsageError):
        Rules(**wrong)
