"""The page of a policy: its numbers are right, its pictures are there, nothing on it is live."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile import PAYLOADS
from page_reader import Page
from PIL import Image

from learnaug.data import ImageSet
from learnaug.ops import TABLE, Element, Policy, Stage, draw, spaces
from learnaug.report.odds import branch_odds, heats
from learnaug.report.show import show_policy
from learnaug.seeds import Seeds

NAMES = tuple(TABLE)
PER_CLASS = Policy(
    (
        Stage(
            ((Element("rotate", 10, 90, sign=True),), (Element("hflip", p=0.5),), ()),
            ((1.0, 2.0, 1.0), (5.0, 0.0, 0.0)),
            "class",
        ),
        Stage(
            ((Element("invert"), Element("invert", p=0.5)), (Element("cutmix", 1.0),)),
            ((1.0, 3.0), (0.5, 0.5), (0.0, 1.0)),
            "previous",
        ),
    ),
    "per-class",
)


def pictures(channels: int = 3, side: int = 20, classes: tuple[str, ...] = ("a", "b")) -> ImageSet:
    images = Seeds(2).numpy().integers(0, 256, (12, channels, side, side)).astype(np.uint8)
    ids, none = tuple(map(str, range(12))), np.full(12, -1, np.int64)
    labels = np.arange(12, dtype=np.int64) % len(classes)
    return ImageSet("noise", images, labels, classes, ids, none, np.full(12, ""))


def shown(tmp_path: Path, policy: Policy, data: ImageSet | None = None) -> Page:
    path = show_policy(policy, pictures() if data is None else data, tmp_path / "p.html")
    return Page(path.read_text())


def sheets(page: Page) -> dict[str, Image.Image]:
    """Each picture of the page by its words."""
    found = {}
    for tag, attributes in page.tags:
        if tag == "img":
            data = base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,"))
            found[attributes["alt"]] = Image.open(io.BytesIO(data))
    return found


# --- numbers


@pytest.mark.parametrize(
    "policy", [spaces.trivialaugment(), spaces.autoaugment("svhn"), spaces.traditional()],
    ids=lambda policy: policy.name,
)  # fmt: skip
def test_odds_are_the_shares_of_many_draws(policy):
    (heat, *_) = heats(policy)
    drawn = draw(policy, 40_000, Seeds(1).numpy(), (8, 8))
    for row, name in enumerate(heat.rows):
        happens = (drawn.ops < 0).all(1)
        if name in NAMES:
            happens = (drawn.ops == NAMES.index(name)).any(1)
        assert abs(happens.mean() - heat.odds[row, 0]) < 0.012, name


@pytest.mark.parametrize("label", [0, 1])
def test_odds_of_a_class_go_through_the_conditions(label):
    drawn = draw(PER_CLASS, 40_000, Seeds(1).numpy(), (8, 8), labels=np.full(40_000, label))
    for stage, odds in enumerate(branch_odds(PER_CLASS)):
        for branch in range(odds.shape[1]):
            share = (drawn.branch[:, stage] == branch).mean()
            assert abs(share - odds[label, branch]) < 0.012
    second = heats(PER_CLASS, ("cat", "dog"))[1]
    assert second.columns == ("cat", "dog")
    happens = (drawn.ops[:, 1:] == NAMES.index("invert")).any(1).mean()
    assert abs(second.odds[second.rows.index("invert"), label] - happens) < 0.012


def test_a_pair_table_and_a_conditional_table():
    pairs = heats(spaces.autoaugment("svhn"))[1]
    assert pairs.odds.sum() == pytest.approx(1)
    at = pairs.rows.index
    assert pairs.odds[at("shear_x"), at("invert")] == pytest.approx(3 / 25)
    elements = spaces.elements36()
    table = Seeds(0).numpy().random((36, 36))
    both = tuple((e,) for e in elements)
    rows = tuple(tuple(map(float, row)) for row in table)
    policy = Policy((Stage(both), Stage(both, rows, "previous")))
    conditional = heats(policy)[1]
    assert conditional.numbered
    np.testing.assert_allclose(conditional.odds, table / table.sum(1, keepdims=True))
    all_pairs = Policy((Stage(tuple((a, b) for a in elements for b in elements)),))
    assert heats(all_pairs)[1].odds.shape == (36, 36)


# --- the page


def test_the_page_tells_and_shows_everything(tmp_path):
    policy = replace(
        spaces.trivialaugment(), strength=0.5, trained_on={"data": "cells", "classes": 3},
        evidence={"metric": "accuracy", "interval": (0.004, 0.022)},
    )  # fmt: skip
    page = shown(tmp_path, policy)
    for words in ("trivialaugment", "rotate", "degrees", "cells", "0.004 to 0.022", "noise",
                  "20 × 20 pixels", "at strength 0.5", "±(0 to 67.5)"):  # fmt: skip
        assert words in page.text, words
    found = sheets(page)
    used = {element.op for element in policy.elements()} - {"identity"}
    assert set(found) == used | {"original", *(f"draw {n}" for n in range(1, 5))}
    assert re.search(r"−67\.5.*−33\.8.*0.*33\.8.*67\.5", page.text.replace("\n", " "))
    whole = np.asarray(found["original"].convert("RGB"))
    assert whole.max() > whole.min()
    assert not page.live()


def test_built_in_digits_are_named(tmp_path):
    page = Page(show_policy(spaces.flip_crop(), None, tmp_path / "p.html").read_text())
    assert "digits, 32 × 32 pixels, built in because no data were named" in page.text


def test_every_operation_has_its_pictures(tmp_path):
    measured = [
        Element(name, *(() if op.plain else (op.high,)), sign=op.signed)
        for name, op in TABLE.items()
    ]
    page = shown(tmp_path, Policy((Stage(tuple((e,) for e in measured)),), "all"))
    assert set(TABLE) - {"identity"} <= set(sheets(page))
    assert (tmp_path / "p.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_pictures_and_policies_will_do(tmp_path, channels):
    for policy in (Policy(), PER_CLASS, spaces.mixup(), Policy((Stage(((),)),))):
        page = shown(tmp_path, policy, pictures(channels, 1))
        assert not page.live()
    page = shown(tmp_path, PER_CLASS, pictures(classes=("a", "b", "c")))
    assert "weights for 2 classes, but the pictures have 3" in page.text
    page = shown(tmp_path, Policy())
    assert "This policy never changes a picture." in page.text


def test_the_same_call_writes_the_same_bytes(tmp_path):
    first = show_policy(spaces.uniform(), pictures(), tmp_path / "a.html", seed=4).read_bytes()
    assert show_policy(spaces.uniform(), pictures(), tmp_path / "b.html", seed=4).read_bytes() == (
        first
    )
    assert show_policy(spaces.uniform(), pictures(), tmp_path / "c.html").read_bytes() != first


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if p and len(p) <= 200])
def test_nothing_of_a_hostile_policy_is_live(tmp_path, payload):
    policy = Policy(
        PER_CLASS.stages, payload, {payload: payload}, 1.0, {"data": payload}, {"metric": payload}
    )
    data = replace(pictures(1, 6, (payload, "b")), name=payload)
    path = show_policy(policy, data, tmp_path / "p.html")
    page = Page(path.read_text())
    assert not page.live()
    assert "default-src 'none'" in path.read_text()
    assert payload != "{{7*7}}" or payload in page.text


def test_a_name_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = show_policy(Policy((), "../../etc/x"), pictures())
    assert path.resolve().parent == tmp_path.resolve()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium")
def test_nothing_is_wider_than_a_phone(tmp_path):
    shown(tmp_path, spaces.autoaugment("imagenet"))
    command = [
        shutil.which("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu",
        "--hide-scrollbars", f"--user-data-dir={tmp_path / 'home'}", "--window-size=500,2500",
        f"--screenshot={tmp_path / 's.png'}", (tmp_path / "p.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    shot = np.asarray(Image.open(tmp_path / "s.png").convert("L"))
    assert (shot[:, -12:] > 245).all()  # the margin stays free
    assert (shot < 100).any()
