"""A run folder without pictures of what was learned, shared by the tests of the page's parts."""

from __future__ import annotations

import shutil
from pathlib import Path

import fake_folder
import pytest
from fake_folder import World


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without any gallery or audit, as an old version left it."""
    world = World(
        methods=("none", "uniform", "cutout"), candidate="cutout", seeds=(0, 1, 2), n_test=60,
        failing="",
    )  # fmt: skip
    return fake_folder.make(tmp_path_factory.mktemp("runs") / "plain", world, learned=False)


@pytest.fixture
def out(plain: Path, tmp_path: Path) -> Path:
    return shutil.copytree(plain, tmp_path / "out")
