"""What several test folders share: the real data, and one tiny world."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from learnaug.data.imageset import ImageSet
from learnaug.data.load import load
from learnaug.seeds import Seeds

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Nothing that the tests run may reach for the network (TRUST D10)."""
    connect = socket.socket.connect

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError(f"a test reached for the network: {args}")

    def connect_here(self: socket.socket, address: Any) -> None:
        # Workers of a DataLoader hand tensors over through sockets that are files.
        if self.family != socket.AF_UNIX:
            refuse(self, address)
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; skips where it is not, but fails in CI."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no real data at {SHARED}, and this is CI")
        pytest.skip(f"no real data at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def tiny_arrays() -> tuple[np.ndarray, np.ndarray]:
    """64 grey pictures [64, 8, 8] of noise, bright above (class 0) or below (class 1); labels."""
    gen = Seeds(0).child("tiny world").numpy()
    images = gen.integers(0, 120, (64, 8, 8)).astype(np.uint8)
    labels = np.arange(64) % 2
    for image, label in zip(images, labels, strict=True):
        half = slice(0, 4) if label == 0 else slice(4, 8)
        image[half] += 120
    return images, labels


@pytest.fixture(scope="session")
def tiny_set(tiny_arrays: tuple[np.ndarray, np.ndarray]) -> ImageSet:
    """The tiny world as an image set: 64 images 8x8, one channel, 2 classes."""
    return load(tiny_arrays)


@pytest.fixture(scope="session")
def tiny_folder(
    tiny_arrays: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny world as a folder of class folders "above" and "below" of PNG files."""
    root = tmp_path_factory.mktemp("tiny") / "world"
    for row, (image, label) in enumerate(zip(*tiny_arrays, strict=True)):
        folder = root / ("above", "below")[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{row:02d}.png")
    return root
