"""The page in a real browser: nothing runs, nothing is blank, nothing sticks out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import fake_folder
import numpy as np
import pytest
from fake_folder import World
from hostile import PAYLOADS
from page_reader import Page
from PIL import Image

from learnaug.report import build

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        words = "no Chromium: apt-get install -y --no-install-recommends chromium"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose classes, methods and texts would run if anything did."""
    odd = tuple(p for p in PAYLOADS if p and "\udcff" not in p)
    world = World(
        methods=("none", "trivialaugment", "uniform", PAYLOADS[1], "cutmix"),
        candidate=PAYLOADS[1], classes=odd, error=PAYLOADS[3], places=odd, command=PAYLOADS[5],
        n_test=3 * len(odd), failing="cutmix",
    )  # fmt: skip
    return build(fake_folder.make(tmp_path_factory.mktemp("browser") / "run", world))


def run(browser: str, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={home}", *options],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


def test_nothing_runs_in_the_browser(browser: str, page: Path, tmp_path: Path) -> None:
    dom = Page(run(browser, tmp_path / "home", "--dump-dom", page.as_uri()).stdout)
    assert dom.live() == []
    assert "<title>learnaug: digits</title>" in dom.source
    assert [h for tag, h in dom.tags if tag == "h2"]
    assert len(dom.table("Method", "Seed")) == 5 * 3 + 3 * 6
    assert len(dom.table("Class")) > 40


@pytest.mark.parametrize("width", [1200, 500])
def test_the_screenshot_shows_the_page(
    browser: str, page: Path, tmp_path: Path, width: int
) -> None:
    shot = tmp_path / "shot.png"
    size = f"--window-size={width},4000"
    run(browser, tmp_path / "home", size, f"--screenshot={shot}", page.as_uri())
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape == (4000, width, 3)
    paper = pixels[5, 5]
    inked = (np.abs(pixels - paper).sum(2) > 60).mean(1)
    assert (inked[:1000] > 0).mean() > 0.3  # words in the first screen
    blue = (np.abs(pixels - (0x00, 0x72, 0xB2)).sum(2) < 12).sum()
    assert blue > 300  # the candidate's marks
    assert (np.abs(pixels[:, -4:] - paper).sum(2) < 30).all()  # nothing sticks out at the right


def test_it_prints(browser: str, page: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.pdf"
    run(
        browser,
        tmp_path / "home",
        "--no-pdf-header-footer",
        f"--print-to-pdf={target}",
        page.as_uri(),
    )
    content = target.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 3
