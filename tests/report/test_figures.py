"""Figures: drawn for every name, whole, and without matplotlib's state."""

from __future__ import annotations

import re
import sys

import matplotlib
import numpy as np
import pytest
from hostile import PAYLOADS
from page_reader import Page

from learnaug.errors import printable
from learnaug.report import figures
from learnaug.report.figures import MAX_LABEL, SIDE_LABEL, Curve, Row, short
from learnaug.report.pictures import sheets

SHOWN = [payload for payload in PAYLOADS if payload]


X = np.array([1.0, 2.0])
ROWS = [Row(name, (float(i), i + 1.0), i + 0.5, (i, i + 1.0)) for i, name in enumerate(SHOWN)]
DRAWN = {
    "accuracy": lambda: figures.accuracy(ROWS, "percent", "t"),
    "cost": lambda: figures.cost(ROWS, "points", "t"),
    "curves": lambda: figures.curves(
        [Curve(name, "candidate", X, X + i, X, X + i) for i, name in enumerate(SHOWN)], "loss", "t"
    ),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_any_name_is_drawn_as_text(kind: str) -> None:
    found = Page(DRAWN[kind]())
    assert found.live() == []
    seen = re.sub(r"\s", "", found.text)
    for name in SHOWN:
        begin = short(name, SIDE_LABEL).removesuffix("…")
        assert re.sub(r"\s", "", begin) in seen


@pytest.mark.parametrize("title", SHOWN)
def test_any_title_is_the_name_of_its_figure(title: str) -> None:
    drawn = Page(figures._for_page('<svg viewBox="0 0 1 1"><g id="a"></g></svg>', title))
    (svg,) = [attributes for tag, attributes in drawn.tags if tag == "svg"]
    assert svg["aria-label"] == printable(title)
    assert drawn.live() == []


def test_a_label_is_short_and_one_line() -> None:
    assert all("\n" not in short(name) and len(short(name)) <= MAX_LABEL for name in SHOWN)


def test_the_same_figure_twice_is_the_same_text() -> None:
    rows = [Row("a", (1.0, 2.0), 1.5, (0.5, 2.5))]
    assert figures.accuracy(rows, "x", "t") == figures.accuracy(rows, "x", "t")


def test_matplotlib_keeps_its_settings_and_pyplot_stays_out() -> None:
    before, loaded = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    figures.effects([Row("a", (), 1.0, (0.0, 2.0))], "x", "t", 1.0)
    assert dict(matplotlib.rcParams) == before
    assert loaded or "matplotlib.pyplot" not in sys.modules


def test_ids_of_different_figures_do_not_meet() -> None:
    rows = [Row("a", (1.0, 2.0), 1.5, (0.5, 2.5), "baseline")]
    one, two = (set(re.findall(r'id="([^"]+)"', figures.accuracy(rows, "x", t))) for t in "ab")
    assert one
    assert not one & two


def test_dots_stand_where_the_numbers_say() -> None:
    """Marks of one row are at places linear in their values."""
    svg = figures.effects([Row("a", (0.0, 1.0, 3.0))], "x", "t")
    xs = [
        float(x)
        for x in re.findall(r'<use href="#[^"]+" x="([\d.]+)" y="[\d.]+" style="fill:', svg)
    ]
    dots = xs[-3:]
    assert (dots[2] - dots[0]) / (dots[1] - dots[0]) == pytest.approx(3.0, rel=1e-4)


def test_labels_in_a_column_never_overlap() -> None:
    places = figures._spread([0.5] * 6 + [0.99, 1.0, 0.0, 0.01], 0.075)
    gaps = np.diff(sorted(places))
    assert (gaps > 0.0749).all()
    assert min(places) >= 0
    assert max(places) <= 1


def test_an_endless_interval_does_not_hide_the_dots() -> None:
    wide = figures.accuracy(
        [Row("a", (90.0, 91.0), 90.5, (20.0, 160.0)), Row("b", (89.0,))], "x", "t"
    )
    numbers = [int(n) for n in re.findall(r">(\d+)</text>", wide)]
    assert min(numbers) > 60


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (32, 32), (224, 100), (3, 500)])
def test_any_picture_becomes_a_strip(channels: int, size: tuple[int, int]) -> None:
    images = np.full((3, 9, channels, *size), 200, np.uint8)
    strips = sheets({"a": images})["a"]
    assert len(strips) == 2
    assert strips[0].columns == 8
    assert strips[0].address.startswith("data:image/png;base64,")
    assert strips[0].pixelated == (max(size) <= 64)


def test_what_is_no_picture_is_left_out() -> None:
    assert sheets({"a": np.zeros((1, 2, 3)), "b": np.zeros((0, 1, 1, 2, 2), np.uint8)}) == {}


def test_a_strip_shows_the_pixels_it_was_given() -> None:
    import base64
    import io

    from PIL import Image

    images = np.arange(2 * 4, dtype=np.uint8).reshape(1, 2, 1, 2, 2) * 30
    (strip,) = sheets({"a": images})["a"]
    opened = Image.open(io.BytesIO(base64.b64decode(strip.address.split(",")[1])))
    grey = np.asarray(opened.convert("LA"))
    side = (strip.width - 3) // 2
    half = side // 2
    for k, left in enumerate((0, side + 3)):
        seen = grey[half // 2 :: half, left + half // 2 : left + side : half, 0][:2, :2]
        assert (seen == images[0, k, 0]).all()
