"""Bytes of one image file to uint8 pixels, by content and never by name.

Pillow's readers are called one by one from an allow-list instead of through `Image.open`: a file
that claims to be PNG can then never reach Ghostscript or another reader, and the size is known
before a pixel is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from learnaug.errors import UsageError, nearest, printable

__all__ = [
    "ALLOWED",
    "BACKGROUNDS",
    "FILE_LIMIT",
    "MAX_PIXELS",
    "BadImageError",
    "Header",
    "Rules",
    "decode",
    "decode_mask",
    "from_pil",
    "header",
    "recognised",
    "resize",
    "scaled",
]

Pixels = npt.NDArray[np.uint8]  # [H, W, C]

BACKGROUNDS = {"black": 0, "white": 255}
MAX_PIXELS = 64_000_000  # of one file
FILE_LIMIT = 100 * 2**20  # bytes of one file
ORIENTATION = 0x0112  # EXIF tag
TURNED = (5, 6, 7, 8)  # orientations that swap height and width
STRIP = 100  # sides of which one is this many times the other are remarked on

ALLOWED = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")

# (offset, first bytes, format); the allowed formats, then those that are refused by name
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    *((0, b"P%d" % kind + space, "PPM") for kind in range(1, 7) for space in (b"\n", b" ", b"\r")),
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "PSD"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (0, b"<svg", "SVG"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
)

GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
WIDE = (";16B", ";16L", ";16N")  # ends of the names of Pillow's 16-bit raw modes
DEEP = ("I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class Rules:
    """How pixels are read; the same for every file of a set.

    Args:
        size: side of the square every image is resized to, in pixels; None = as they are.
        value_range: the numbers that become 0 and 255, for float and 16-bit images.
        max_pixels: largest width x height of one file.
        background: what transparent pixels are laid on, "black" or "white".

    Raises:
        UsageError: a value is out of its range.
    """

    size: int | None = None
    value_range: tuple[float, float] | None = None
    max_pixels: int = MAX_PIXELS
    background: Literal["black", "white"] = "black"

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= 4096:
            raise UsageError(f"`1 <= size <= 4096` must hold, but got {self.size}")
        if self.max_pixels < 1:
            raise UsageError(f"`max_pixels >= 1` must hold, but got {self.max_pixels}")
        if self.background not in BACKGROUNDS:
            hint = nearest(self.background, list(BACKGROUNDS))
            raise UsageError(f"unknown background {self.background!r}", mend=hint)
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise UsageError(f"`low < high` must hold for value_range, but got {self.value_range}")


@dataclass(frozen=True)
class Header:
    """What a file says about itself before its pixels are read.

    Args:
        height: pixels, after EXIF rotation.
        width: pixels, after EXIF rotation.
        channels: 1 or 3, as `decode` returns them.
        notes: (code, detail) of what a reader should know, such as ("frames", "first of 5").
    """

    height: int
    width: int
    channels: int
    notes: tuple[tuple[str, str], ...] = ()


class BadImageError(Exception):
    """One file cannot be used: `code` names the kind of fault, `detail` says what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def header(data: bytes, rules: Rules, name: str = "") -> Header:
    """Return size, channels and notes of an image file without decoding its pixels.

    Raises:
        BadImageError: empty, no image, a format that is not accepted, or too large.
    """
    image = _open(data, rules)
    height, width = image.height, image.width
    try:
        if _orientation(image) in TURNED and image.format != "TIFF":  # Pillow did it for TIFF
            height, width = width, height
        notes = tuple(_notes(image, name, rules))
    except Exception as error:  # hostile EXIF or frame tables
        raise _broken(error) from error
    return Header(height, width, 1 if _is_grey(image) else 3, notes)


def decode(data: bytes, rules: Rules) -> tuple[Pixels, tuple[tuple[str, str], ...]]:
    """Return the first frame as uint8 [H, W, C], C = 1 or 3, upright, resized if asked, and notes.

    16-bit grey is divided by 257 (65535 becomes 255), never clipped; with `value_range` the given
    numbers become 0 and 255 and what lies outside is an error. Alpha is laid on the background.

    Raises:
        BadImageError: as `header`, and where the pixels are cut off, NaN or of undeclared range.
    """
    image = _open(data, rules)
    try:
        image.load()
        image = _upright(image)
        flat, notes = _flatten(image, rules)
    except BadImageError:
        raise
    except Exception as error:  # hostile bytes can raise anything from a reader
        raise _broken(error) from error
    return (flat if rules.size is None else resize(flat, rules.size)), notes


def decode_mask(data: bytes, rules: Rules) -> Pixels:
    """Return a mask file as uint8 [H, W] of class indices; 1-bit becomes 0 and 1; never smoothed.

    Raises:
        BadImageError: as `decode`, and where the file is no index picture (RGB, 16 bit, float).
    """
    image = _open(data, rules)
    if image.mode not in ("1", "L", "P"):
        raise BadImageError("mask-mode", f"mode {image.mode}, but a mask must be 1-bit, L or P")
    try:
        image.load()
        values = np.array(image, dtype=np.uint8)
    except Exception as error:
        raise _broken(error) from error
    if rules.size is not None:
        side = (rules.size, rules.size)
        values = np.asarray(Image.fromarray(values).resize(side, Image.Resampling.NEAREST))
    return values


def from_pil(image: Image.Image, rules: Rules) -> Pixels:
    """Return an open Pillow image as uint8 [H, W, 1 or 3], upright, by the rules of `decode`.

    Raises:
        BadImageError: as `decode`.
    """
    try:
        image.load()
        return _flatten(_upright(image), rules)[0]
    except BadImageError:
        raise
    except Exception as error:
        raise _broken(error) from error


def recognised(data: bytes) -> bool:
    """Tell whether the first bytes are those of an accepted format."""
    try:
        return bool(_kind(data))
    except BadImageError:
        return False


def resize(pixels: Pixels, size: int) -> Pixels:
    """Return uint8 [H, W, C] resized to [size, size, C]: Pillow's antialiased bilinear filter.

    Channels beyond three, which Pillow does not know, are resized one by one.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    if pixels.shape[2] == 3:
        return np.asarray(_resize(Image.fromarray(pixels), size))
    planes = [Image.fromarray(pixels[:, :, c]) for c in range(pixels.shape[2])]
    return np.stack([np.asarray(_resize(plane, size)) for plane in planes], axis=2)


def scaled(values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    """Return round(255 (v - low) / (high - low)) as uint8.

    Raises:
        BadImageError: a value is not finite or lies outside low..high.
    """
    wide = np.asarray(values, np.float64)
    if unfinite := int(np.size(wide) - np.isfinite(wide).sum()):
        raise BadImageError("not-finite", f"{unfinite} pixels are NaN or infinite")
    if wide.size and not low <= wide.min() <= wide.max() <= high:
        found = f"values {wide.min():g} to {wide.max():g}"
        raise BadImageError("outside-range", f"{found}, declared {low:g} to {high:g}")
    return np.rint((wide - low) * (255.0 / (high - low))).astype(np.uint8)


def _open(data: bytes, rules: Rules) -> Image.Image:
    if not data:
        raise BadImageError("unreadable", "file is empty (0 bytes)")
    if len(data) > FILE_LIMIT:
        raise BadImageError("file-too-large", "over 100 MB, limit 100 MB")
    kind = _kind(data)
    Image.preinit()
    if kind not in Image.OPEN:
        Image.init()
    factory, _ = Image.OPEN[kind]
    try:
        image: Image.Image = factory(io.BytesIO(data), "")
    except Exception as error:
        raise _broken(error) from error
    pixels = image.width * image.height
    if pixels > rules.max_pixels:
        found = f"{image.width}x{image.height} = {pixels / 1e6:.0f} Mpx"
        raise BadImageError("too-many-pixels", f"{found}, limit {rules.max_pixels / 1e6:g} Mpx")
    return image


def _kind(data: bytes) -> str:
    for offset, start, kind in MAGIC:
        if data[offset : offset + len(start)] == start:
            if kind in ALLOWED:
                return kind
            raise BadImageError("unreadable", f"{kind} is not accepted")
    start_shown = printable(data[:12].decode("latin-1").split("\n")[0])
    raise BadImageError("unreadable", f'not an image: starts with "{start_shown}"')


def _broken(error: Exception) -> BadImageError:
    text = str(error).split("\n")[0][:200]
    cut = any(word in text.lower() for word in ("truncated", "unexpected end", "broken data"))
    start = "cut off: the file ends too early" if cut else "cannot be decoded"
    return BadImageError("unreadable", f"{start} ({type(error).__name__}: {text})")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; PNG and others keep EXIF behind the pixels at times, so ask only `info`."""
    if image.format in ("JPEG", "MPO", "TIFF") or "exif" in image.info:
        value = image.getexif().get(ORIENTATION, 1)
        return value if isinstance(value, int) else 1
    return 1


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if _orientation(image) != 1 else image


def _is_deep(image: Image.Image) -> bool:
    """16 bits, 0..65535; Pillow brings any PGM of more than 255 greys to that range, in mode I."""
    return image.mode in DEEP or (image.mode == "I" and image.format == "PPM")


def _loses_bits(image: Image.Image) -> bool:
    """Whether the file holds 16 bits a value but Pillow's mode 8: its reader drops the low byte."""
    given = [tile[3] for tile in getattr(image, "tile", ())]
    raw = [args if isinstance(args, str) else str(args[0]) for args in given if args]
    return image.mode not in DEEP and any(mode.endswith(WIDE) for mode in raw)


def _is_grey(image: Image.Image) -> bool:
    return image.mode in GREY


def _notes(image: Image.Image, name: str, rules: Rules) -> Iterator[tuple[str, str]]:
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1:
        yield "frames", f"first of {frames} frames"
    if _orientation(image) != 1:
        yield "orientation", f"EXIF orientation {_orientation(image)}"
    if image.info.get("icc_profile"):
        yield "icc", "ICC profile"
    if image.mode == "CMYK":
        yield "cmyk", "CMYK"
    if _is_deep(image) and rules.value_range is None:
        yield "deep", "16 bit"
    if _loses_bits(image):
        yield "deep-colour", "16 bit a channel"
    if image.mode in ("P", "PA"):
        yield "palette", "palette"
    small, large = sorted((image.width, image.height))
    if large == 1:
        yield "one-pixel", "1x1"
    elif large >= STRIP * small:
        yield "strip", f"{image.width}x{image.height}"
    if (suffix := _contradicted(image, name)) is not None:
        yield "misnamed", f"{image.format}, but named .{suffix}"


EXTENSIONS = {
    "JPEG": ("jpg", "jpeg", "jfif", "jpe", "mpo"),
    "MPO": ("jpg", "jpeg", "jfif", "jpe", "mpo"),
    "PNG": ("png", "apng"),
    "WEBP": ("webp",),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "GIF": ("gif",),
    "PPM": ("ppm", "pgm", "pbm", "pnm"),
}


def _contradicted(image: Image.Image, name: str) -> str | None:
    base = name.rsplit("/", 1)[-1]
    suffix = base.rsplit(".", 1)[-1].lower() if "." in base else ""
    known = EXTENSIONS.get(image.format or "", ())
    return suffix if suffix and known and suffix not in known else None


def _flatten(image: Image.Image, rules: Rules) -> tuple[Pixels, tuple[tuple[str, str], ...]]:
    """Any mode to uint8 [H, W, 1 or 3]."""
    if image.mode in ("F", "I", *DEEP):
        return _numbers(image, rules)[:, :, None], ()
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if _transparent(image) else "RGB")
    elif _transparent(image):  # one colour of a grey or RGB PNG or GIF declared transparent
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in ("LA", "RGBA", "La", "RGBa"):
        return _composite(image, BACKGROUNDS[rules.background])
    flat = np.asarray(image.convert("L" if _is_grey(image) else "RGB"))
    return (flat[:, :, None] if flat.ndim == 2 else flat), ()


def _transparent(image: Image.Image) -> bool:
    return "transparency" in image.info or image.mode == "PA"


def _composite(image: Image.Image, ground: int) -> tuple[Pixels, tuple[tuple[str, str], ...]]:
    """round((c a + ground (255 - a)) / 255), in integers."""
    both = np.asarray(image.convert("LA" if _is_grey(image) else "RGBA")).astype(np.uint32)
    colour, alpha = both[:, :, :-1], both[:, :, -1:]
    flat = (colour * alpha + ground * (255 - alpha) + 127) // 255
    notes = (("alpha", "alpha"),) if alpha.min() < 255 else ()
    return flat.astype(np.uint8), notes


def _numbers(image: Image.Image, rules: Rules) -> npt.NDArray[np.uint8]:
    """Numbers wider than a byte [H, W] to uint8 [H, W]."""
    values = np.asarray(image)
    if rules.value_range is not None:
        return scaled(values, *rules.value_range)
    if _is_deep(image):
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if unfinite := int(values.size - np.isfinite(values).sum()):
        raise BadImageError("not-finite", f"{unfinite} pixels are NaN or infinite")
    kind = "float" if image.mode == "F" else "32-bit"
    raise BadImageError("range-unknown", f"{kind} values {values.min():g} to {values.max():g}")


def _resize(image: Image.Image, size: int) -> Image.Image:
    return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
