"""Data sets by name; nothing is downloaded here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from PIL import Image

from learnaug.data.builtin import PUBLISHED
from learnaug.data.load import load
from learnaug.errors import DataError, UsageError


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    raw, data = load_digits(), load("digits")
    np.testing.assert_array_equal(data.images[:, 0], np.rint(raw.images * 255 / 16))
    assert (data.images.min(), data.images.max()) == (0, 255)
    np.testing.assert_array_equal(data.labels, raw.target)
    assert data.classes == tuple("0123456789")


def test_digits_with_options() -> None:
    data = load("digits", classes="even=0+2,odd=1", size=16)
    assert data.images.shape == (178 + 177 + 182, 1, 16, 16)
    assert data.classes == ("even", "odd")
    assert load(data).fingerprint() == data.fingerprint()


class Fake:
    """Stands in for torchvision's class: notes how it was made, holds four pictures."""

    classes = ("cat", "dog")
    made: list[dict[str, Any]] = []  # noqa: RUF012

    def __init__(self, **words: Any) -> None:
        self.made.append(words)
        self.shift = 0 if words["train"] else 1

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", (5, 5), (index, self.shift, 9)), index % 2


def test_torchvision_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake.made.clear()
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Fake)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = load("torchvision:CIFAR10")
    root = str(tmp_path / "learnaug" / "torchvision" / "CIFAR10")
    assert Fake.made == [{"root": root, "download": True, "train": flag} for flag in (True, False)]
    assert data.parts.tolist() == ["train"] * 4 + ["test"] * 4
    assert data.classes == ("cat", "dog")
    assert data.images[5, :, 0, 0].tolist() == [1, 1, 9]
    assert data.name == "CIFAR10"


def test_torchvision_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="did you mean CIFAR10"):
        load("torchvision:CIFAR1")

    def fails(**words: Any) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(torchvision.datasets, "SVHN", fails)
    with pytest.raises(DataError, match="could not get SVHN"):
        load("torchvision:SVHN", cache=tmp_path)


def test_published_names_exist_in_torchvision() -> None:
    assert [name for name in PUBLISHED if not hasattr(torchvision.datasets, name)] == []
