# ruff: noqa: E501  (one row of the catalogue, one line)
"""The catalogue of bad inputs (TRUST.md §3.1-3.3): each row says what, where and how to mend."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from learnaug.data.load import load, scan
from learnaug.errors import DataError
from learnaug.seeds import Seeds


def noise(*shape: int, dtype: type = np.uint8, high: int = 256, seed: int = 0) -> np.ndarray:
    return Seeds(seed).child("noise", *shape).numpy().integers(0, high, shape).astype(dtype)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def rgb(seed: int = 0, size: int = 8) -> Image.Image:
    return Image.fromarray(noise(size, size, 3, seed=seed))


def world(root: Path, *more: tuple[str, bytes]) -> Path:
    """Two classes of three good images, and what a row adds."""
    files = [
        (f"{name}/{i}.png", encoded(rgb(i + 10 * k)))
        for k, name in enumerate("ab")
        for i in range(3)
    ]
    for path, data in (*files, *more):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    chunks = [png_chunk(b"IHDR", head), png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def text_bomb() -> bytes:
    good = encoded(rgb())
    bomb = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * (80 * 2**20)))
    return good[:33] + bomb + good[33:]


def frames(kind: str) -> bytes:
    return encoded(rgb(1), kind, save_all=True, append_images=[rgb(i) for i in range(2, 6)])


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(rgb(), "JPEG", exif=exif)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def large_jpeg() -> bytes:
    return encoded(rgb(size=64), "JPEG")


def palette() -> bytes:
    return encoded(rgb().quantize(8), transparency=0)


def rgba() -> bytes:
    pixels = np.dstack([noise(8, 8, 3), np.zeros((8, 8), np.uint8)])
    return encoded(Image.fromarray(pixels))


def tiff(values: np.ndarray) -> bytes:
    return encoded(Image.fromarray(values), "TIFF")


def deep_png(colour: int, channels: int) -> bytes:
    """Write 8x8 random pixels of 16 bits a channel as PNG, which Pillow itself cannot."""
    head = struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0)
    lines = noise(8, 8 * channels, dtype=np.uint16, high=65536).astype(">u2")
    pixels = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
    chunks = ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@dataclass(frozen=True)
class Row:
    name: str
    build: Callable[[Path], Any]
    severity: str
    code: str
    what: str
    where: str = ""
    mend: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def file_row(
    name: str,
    path: str,
    data: Callable[[], bytes],
    severity: str,
    code: str,
    what: str,
    mend: str = "",
    where: str = "",
    **options: Any,
) -> Row:
    """A row whose fault is one file in a good world."""
    place = where or re.escape(path)
    return Row(
        name, lambda root: world(root, (path, data())), severity, code, what, place, mend, options
    )


def eps() -> bytes:
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(/tmp/owned) (w) file\n"


UNREADABLE = ("error", "unreadable", r"^1 image cannot be read$", "--skip-bad")
GREY16 = noise(8, 8, dtype=np.uint16, high=65536)

IMAGE_ROWS = [
    file_row("1-empty", "a/x.png", lambda: b"", *UNREADABLE, where=r"a/x\.png  file is empty \(0 bytes\)"),
    file_row("2-jpeg-cut", "a/x.jpg", lambda: cut(large_jpeg()), *UNREADABLE, where=r"a/x\.jpg  cut off"),
    file_row("2-skip", "a/x.jpg", lambda: cut(large_jpeg()), "warning", "unreadable", "1 image cannot be read: skipped", "delete", skip_bad=True, size=8),
    file_row("3-png-cut", "a/x.png", lambda: cut(encoded(rgb(size=64))), *UNREADABLE, where=r"a/x\.png  cut off"),
    file_row("4-html", "a/x.jpg", lambda: b"<html>\n<body>", *UNREADABLE, where=r'x\.jpg  not an image: starts with "<html>"'),
    file_row("5-cmyk", "a/x.jpg", lambda: encoded(rgb().convert("CMYK"), "JPEG"), "warning", "cmyk", "1 CMYK .* colours may shift", "sRGB"),
    file_row("6-16-bit-png", "a/x.png", lambda: encoded(Image.fromarray(GREY16)), "warning", "deep", "16-bit .* 257", "value-range"),
    file_row("7-16-bit-tiff", "a/x.tif", lambda: tiff(GREY16), "warning", "deep", "16-bit .* 257", "value-range"),
    file_row("6-16-bit-rgb", "a/x.png", lambda: deep_png(2, 3), "warning", "deep-colour", "1 16-bit colour image read as 8 bits", "npz"),
    file_row("6-16-bit-rgba", "a/x.png", lambda: deep_png(6, 4), "warning", "deep-colour", "low byte", "npz"),
    file_row("8-float-tiff", "a/x.tif", lambda: tiff(noise(8, 8, high=2).astype(np.float32)), "error", "range-unknown", "unknown range", "--value-range 0 1", r"x\.tif  float values 0 to 1"),
    file_row("9-nan", "a/x.tif", lambda: tiff(np.full((8, 8), np.nan, np.float32)), "error", "not-finite", "not finite", "skip-bad", "64 pixels"),
    file_row("10-palette", "a/x.png", palette, "info", "palette", "1 palette"),
    file_row("10-palette-alpha", "a/x.png", palette, "warning", "alpha", "1 image with transparency", "--background"),
    file_row("11-hidden-colour", "a/x.png", rgba, "warning", "alpha", "1 image with transparency", "--background"),
    file_row("12-mixed", "a/x.png", lambda: encoded(rgb().convert("L")), "warning", "mixed-channels", "mixed: 6 RGB, 1 grey; grey repeated to 3", "convert"),
    file_row("12-one-bit", "a/x.png", lambda: encoded(rgb().convert("1")), "warning", "mixed-channels", "6 RGB, 1 grey", "convert"),
    file_row("13-gif", "a/x.gif", lambda: frames("GIF"), "warning", "frames", "several frames: the first", "singly", r"x\.gif  first of 5 frames"),
    file_row("14-webp", "a/x.webp", lambda: frames("WEBP"), "warning", "frames", "the first", "singly", "first of 5"),
    file_row("15-apng", "a/x.png", lambda: frames("PNG"), "warning", "frames", "the first", "singly", "first of 5"),
    file_row("15-tiff", "a/x.tiff", lambda: frames("TIFF"), "warning", "frames", "the first", "singly", "first of 5"),
    file_row("15-mpo", "a/x.jpg", lambda: frames("MPO"), "warning", "frames", "the first", "singly", "first of 5"),
    file_row("16-exif", "a/x.jpg", turned, "info", "orientation", "1 image turned upright"),
    file_row("17-bomb", "a/x.png", lambda: png_header(14500, 14500), "error", "too-many-pixels", "too many pixels", "--max-pixels", "14500x14500 = 210 Mpx, limit 64"),
    file_row("18-100-Mpx", "a/x.png", lambda: png_header(10000, 10000), "error", "too-many-pixels", "too many pixels", "--max-pixels", "10000x10000 = 100 Mpx"),
    file_row("19-text-bomb", "a/x.png", text_bomb, *UNREADABLE),
    file_row("20-one-pixel", "a/x.png", lambda: encoded(rgb(size=1)), "warning", "one-pixel", "1x1", "leave them out", size=8),
    file_row("21-strip", "a/x.png", lambda: encoded(Image.fromarray(noise(1, 3000))), "warning", "strip", "1 image is a thin strip", "leave", "3000x1", size=8),
    file_row("22-misnamed", "a/x.png", lambda: encoded(rgb(), "JPEG"), "info", "misnamed", "read by content", "", r"JPEG, but named \.png"),
    file_row("23-eps", "a/x.png", eps, *UNREADABLE, where=r"x\.png  EPS is not accepted"),
    file_row("24-heic", "a/x.heic", lambda: b"....ftypheic", "warning", "foreign-format", r"1 \.heic file not read", "convert with", r"^$"),
    file_row("24-heic-named-jpg", "a/x.jpg", lambda: b"\0\0\0\x18ftypheic", *UNREADABLE, where="HEIC is not accepted"),
    file_row("25-other", "a/x.txt", lambda: b"hello", "info", "other-files", r"1 \.txt file passed over", "", "^$"),
    file_row("26-apple", "a/._0.png", lambda: b"\0\5\x16\7", "info", "hidden", "1 hidden"),
    file_row("26-thumbs", "a/Thumbs.db", lambda: b"x", "info", "hidden", "1 hidden"),
    file_row("27-sizes", "a/x.png", lambda: encoded(rgb(size=16)), "ask", "sizes-differ", "2 sizes found", "--size 8", r"8x8 .*: 6 images"),
    file_row("28-icc", "a/x.png", lambda: encoded(rgb(), icc_profile=b"x" * 200), "info", "icc", "1 image carries a colour profile"),
]  # fmt: skip


def empty_folder(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    return root


def with_link(root: Path, name: str, target: str) -> Path:
    world(root)
    (root / name).symlink_to(target)
    return root


def with_pipe(root: Path) -> Path:
    os.mkfifo(world(root) / "a" / "z.png")
    return root


def with_socket(root: Path) -> Path:
    world(root)
    here = os.getcwd()
    os.chdir(root / "a")  # the name of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("z.png")
    finally:
        os.chdir(here)
    return root


def only_class(root: Path) -> Path:
    shutil.rmtree(world(root) / "b")
    return root


def moved(root: Path, *pairs: tuple[str, str]) -> Path:
    """The good world with files moved: (from, to)."""
    world(root)
    for old, new in pairs:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)
    return root


def in_parts(root: Path, *, lacking: bool = False) -> Path:
    pairs = [
        (f"{k}/{i}.png", f"{'test' if i == 2 else 'train'}/{k}/{i}.png")
        for k in "ab"
        for i in range(3)
    ]
    moved(root, *pairs)
    shutil.rmtree(root / "a")
    shutil.rmtree(root / "b")
    if lacking:
        shutil.rmtree(root / "test" / "b")
    return root


def upside_down(root: Path) -> Path:
    pairs = [
        (f"{k}/{i}.png", f"{k}/{'test' if i == 2 else 'train'}/{i}.png")
        for k in "ab"
        for i in range(3)
    ]
    return moved(root, *pairs)


def root_of_parts(root: Path) -> Path:
    pairs = [
        (f"{k}/{i}.png", f"{new}/{i}.png")
        for k, new in (("a", "train"), ("b", "test"))
        for i in range(3)
    ]
    return moved(root, *pairs)


def tree_row(name: str, build: Callable[[Path], Any], *rest: Any, **options: Any) -> Row:
    return Row(name, build, *rest, options=options)


PNG = encoded(rgb(99))
FOLDER_ROWS = [
    tree_row("33-missing", lambda r: world(r).parent / "wrold", "error", "missing-input", "does not exist", "wrold", "did you mean world"),
    tree_row("34-empty", empty_folder, "error", "empty", "no image in", "world", r"DATA/cat/1\.jpg\n.*\n.*train.*\n.*masks"),
    tree_row("35-empty-class", lambda r: world(r, ("c/d/note.txt", b"")), "error", "empty-class", "1 class folder holds no image", "^c$", "delete"),
    tree_row("36-only-text", lambda r: world(r, ("c/note.txt", b"x")), "error", "empty-class", "holds no image", "^c$", "add images"),
    tree_row("37-hidden", lambda r: world(r, (".ipynb_checkpoints/0.png", PNG)), "info", "hidden", "1 hidden", "ipynb"),
    tree_row("37-macosx", lambda r: world(r, ("__MACOSX/0.png", PNG)), "info", "hidden", "1 hidden", "MACOSX"),
    tree_row("38-loose", lambda r: world(r, ("0.png", PNG)), "error", "outside-class", "1 image outside any class folder", r"0\.png", "class folder"),
    tree_row("39-upside-down", upside_down, "error", "splits-inside-classes", "splits inside classes", "a/train", "turn them round"),
    tree_row("39-root-of-parts", root_of_parts, "error", "splits-inside-classes", "splits inside", "train", "train/CLASS"),
    tree_row("40-one-class", only_class, "error", "one-class", "1 class found, 2 needed", "^a$", "folder per class"),
    tree_row("43-case", lambda r: world(r, ("A/0.png", PNG)), "warning", "case", "differ only by case: A, a", "A", "macOS"),
    tree_row("44-nfc", lambda r: world(r, ("\u00e9/0.png", PNG), ("e\u0301/0.png", encoded(rgb(98)))), "error", "same-name", "same visible name", r"\\u0301|\\xe9", "merge"),
    tree_row("46-no-utf8", lambda r: world(r, (os.fsdecode(b"c\xff") + "/0.png", PNG)), "warning", "odd-name", "cannot be shown", r"^c\\xff$", "rename"),
    tree_row("47-link-out", lambda r: with_link(r, "c", str(world(r.parent / "other") / "a")), "warning", "outside-link", "out of the data folder", "^c -> ", "--follow-links"),
    tree_row("48-loop", lambda r: with_link(r, "a/loop", ".."), "error", "loop", "loop", r"^a/loop -> \.\.$", "delete"),
    tree_row("48-self-loop", lambda r: with_link(r, "a/self", "self"), "error", "loop", "loop", "a/self", "delete"),
    tree_row("49-broken-link", lambda r: with_link(r, "a/x.png", "gone.png"), "error", "broken-link", "1 broken link", r"x\.png -> gone", "delete"),
    tree_row("51-pipe", with_pipe, "error", "not-regular", "not a regular file", r"z\.png  pipe", "move"),
    tree_row("51-socket", with_socket, "error", "not-regular", "not a regular file", r"z\.png  socket", "move"),
    tree_row("51-pipe-as-source", lambda r: os.mkfifo(r) or r, "error", "no-source", "not a regular file", "world", "folder"),
    tree_row("61-class-sets", lambda r: in_parts(r, lacking=True), "error", "class-sets", "do not have the same classes", "test lacks b", "--classes"),
]  # fmt: skip


def table(root: Path, text: str, name: str = "data.csv", encoding: str = "utf-8") -> Path:
    world(root)
    (root / name).write_bytes(text.encode(encoding))
    return root / name


def lines(*rows: str, sign: str = ",", head: str = "path,label") -> str:
    good = [f"{k}/{i}.png,{k}" for k in "ab" for i in range(3)]
    return "\n".join([head, *good, *rows]).replace(",", sign) + "\n"


def numbered(*last: Any) -> dict[str, np.ndarray]:
    labels = np.array([*([0, 1, 2] * 3)[: 9 - len(last)], *last])
    return {"x": noise(9, 8, 8), "y": labels, "classes": np.array(["p", "q", "r"])}


def arrays(images: np.ndarray, labels: Any = None) -> tuple[np.ndarray, Any]:
    return images, np.arange(len(images)) % 2 if labels is None else labels


TABLE_ROWS = [
    tree_row("62-label-is-n", lambda r: numbered(3), "error", "label-range", "1 label outside 0-2", "row 8: label 3, allowed 0-2", "start at 1"),
    tree_row("62-negative", lambda r: numbered(-1), "error", "label-range", "outside 0-2", "row 8: label -1", "start at 1"),
    tree_row("62-one-based", lambda r: {**numbered(), "y": np.array([1, 2, 3] * 3)}, "error", "label-range", "3 labels", "row 2: label 3", "subtract 1"),
    tree_row("62-negative-no-names", lambda r: arrays(noise(4, 8, 8), [0, 1, -1, 1]), "error", "label-range", "below 0", "row 2: -1", "class"),
    tree_row("63-missing", lambda r: table(r, lines("a/1.png,")), "error", "label-missing", "1 label missing", r"data\.csv line 8", "class"),
    tree_row("63-nan", lambda r: arrays(noise(4, 8, 8), [0, 1, np.nan, 1]), "error", "label-missing", "missing", "row 2", "class"),
    tree_row("63-fraction", lambda r: arrays(noise(4, 8, 8), [0, 1, 1.5, 1]), "error", "label-kind", "1 label is no whole", r"row 2: 1\.5", "class"),
    tree_row("63-text", lambda r: table(r, "path,label\na/0.png,1\na/1.png,2\nb/0.png,dog\n"), "error", "label-kind", "no whole", "line 4: dog", "class"),
    tree_row("64-double-header", lambda r: table(r, lines(head="path,label,label")), "error", "bad-table", "columns stand twice: label", "line 1", "rename"),
    tree_row("64-cells", lambda r: table(r, lines("a/0.png,a,b")), "error", "bad-table", "without the 2 cells", "line 8: 3 cells", "quotes"),
    tree_row("64-latin-1", lambda r: table(r, lines("a/0.png,\u00e9"), encoding="latin-1"), "error", "bad-table", "not UTF-8: byte 0xe9 on line 8", "data", "UTF-8"),
    tree_row("64-no-column", lambda r: table(r, lines(head="paht,label")), "error", "bad-table", "no column 'path'", "paht", "did you mean paht"),
    tree_row("64-split", lambda r: table(r, "path,label,split\na/0.png,a,tset\nb/0.png,b,train\n"), "error", "unknown-split", "unknown split", "line 2: tset", "train, valid or test"),
    tree_row("65-missing-file", lambda r: table(r, lines("a/9.png,a")), "error", "missing-file", "1 row names a file", r"line 8: a/9\.png", "relative"),
    tree_row("65-not-listed", lambda r: table(r, "path,label\na/0.png,a\nb/0.png,b\n"), "warning", "not-listed", "4 images beside", r"a/1\.png", "add rows"),
    tree_row("65-two-labels", lambda r: table(r, lines("a/0.png,b")), "error", "label-conflict", "several labels: a, b", r"a/0\.png", "keep one"),
    tree_row("66-axes", lambda r: arrays(noise(4, 3, 8, 3)), "error", "axes-unknown", r"shape \(4, 3, 8, 3\), dtype uint8", "x", "axes="),
    tree_row("66-13-channels", lambda r: arrays(noise(4, 8, 8, 13)), "error", "axes-unknown", "which axis", "x", "axes="),
    tree_row("66-float", lambda r: arrays(noise(4, 8, 8) - 99.5), "error", "range-unknown", r"dtype float64, values -99\.5 to", "x", "value_range"),
    tree_row("66-nan", lambda r: arrays(np.full((4, 8, 8), np.nan)), "error", "not-finite", "256 pixels", "x", "replace"),
    tree_row("66-flat", lambda r: arrays(noise(4, 64)), "error", "flat", r"shape \(4, 64\)", "x", "reshape"),
    tree_row("66-none", lambda r: arrays(noise(0, 8, 8)), "error", "no-images", r"shape \(0, 8, 8\)", "x", "at least one"),
    tree_row("66-objects", lambda r: arrays(np.array([None, "x"], object)), "error", "object-array", "must be numbers", "x", "stack"),
    tree_row("66-no-labels", lambda r: (noise(4, 8, 8), None), "error", "lengths", "4 images, but 1 label$", "x", "one label per image"),
    tree_row("66-lengths", lambda r: arrays(noise(4, 8, 8), [0, 1]), "error", "lengths", "4 images, but 2 labels", "x", "one label per image"),
]  # fmt: skip


@pytest.mark.parametrize("row", [*IMAGE_ROWS, *FOLDER_ROWS, *TABLE_ROWS], ids=lambda row: row.name)
def test_row(row: Row, tmp_path: Path) -> None:
    source = row.build(tmp_path / "world")
    _, findings = scan(source, **row.options)
    found = [finding for finding in findings if finding.code == row.code]
    assert len(found) == 1, [(f.severity, f.code, f.what) for f in findings]
    assert found[0].severity == row.severity
    assert re.search(row.what, found[0].what), found[0].what
    assert re.search(row.where, "\n".join(found[0].where), re.MULTILINE), found[0].where
    assert re.search(row.mend, found[0].mend), found[0].mend
    json.dumps(found[0].to_json()).encode("ascii")
    stops = [f for f in findings if f.severity in ("error", "ask")]
    assert all(f.mend for f in findings if f.severity != "info")
    if row.severity in ("error", "ask"):
        with pytest.raises(DataError) as raised:
            load(source, **row.options)
        assert raised.value.code == (66 if row.code == "missing-input" else 65)
        assert all(f.what in str(raised.value) for f in stops)
    else:
        assert not stops, stops
        assert row.code in [f.code for f in load(source, **row.options).findings]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    root = world(
        tmp_path,
        ("a/x.png", b""),
        ("a/y.png", png_header(14500, 14500)),
        ("c/t.txt", b""),
        ("0.png", PNG),
    )
    with pytest.raises(DataError) as raised:
        load(root)
    text = str(raised.value)
    for piece in (
        "4 kinds of faults",
        "x.png  file is empty",
        "210 Mpx",
        "holds no image: c",
        "outside any class",
    ):
        assert piece in text
