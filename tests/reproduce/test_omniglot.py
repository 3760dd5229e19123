"""Omniglot as pictures: against a mean over whole pixels, and from both forms of the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from learnaug.errors import DataError
from learnaug.reproduce import omniglot
from learnaug.reproduce.rows import Size, Source
from learnaug.reproduce.sources import pictures
from learnaug.seeds import Seeds
from learnaug.training import Recipe

NAMES = np.array(["Angelic", "Braille", "Zulu"])
LABELS = np.repeat(np.arange(4), 5)
ALPHABETS = np.array([1, 1, 0, 2])  # Braille 1, Braille 2 | Angelic 1, Zulu 1


def ink(side: int = 105) -> np.ndarray:
    return Seeds(0).child("ink").numpy().random((20, side, side)) < 0.1


def packed(path: Path, bits: np.ndarray, **changed: np.ndarray) -> Path:
    content = {
        "ink_packed": np.packbits(bits, axis=2),
        "alphabet": ALPHABETS[LABELS].astype(np.uint8),
        "character": np.array([1, 2, 1, 1])[LABELS].astype(np.uint8),
        "class_id": LABELS.astype(np.uint16),
        "drawer": (np.arange(20) % 5 + 1).astype(np.uint8),
        "split": (LABELS > 1).astype(np.uint8),
        "alphabet_names": NAMES,
    }
    np.savez(path, **content | changed)  # type: ignore[arg-type]
    return path


def unpacked(folder: Path, bits: np.ndarray) -> Path:
    """The same drawings as PNG files, black on white, where torchvision leaves them."""
    for number, (label, picture) in enumerate(zip(LABELS, bits, strict=True)):
        part = "images_background" if label < 2 else "images_evaluation"
        own = folder / part / NAMES[ALPHABETS[label]] / f"character{[1, 2, 1, 1][label]:02d}"
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(~picture).save(own / f"0700_{number % 5 + 1:02d}.png")
    return folder


@pytest.mark.parametrize(("old", "new"), [(105, 28), (12, 5), (7, 7), (3, 8)])
def test_areas_are_means_over_whole_pixels(old: int, new: int) -> None:
    """Each pixel is repeated until old and new ones have common borders."""
    bits = ink(old)
    wide = bits.repeat(new, 1).repeat(new, 2).reshape(20, new, old, new, old)
    expected = 255 * wide.mean((2, 4))
    assert np.abs(omniglot.by_area(bits, new) - expected).max() <= 0.501


def test_both_forms_give_the_same_pictures(tmp_path: Path) -> None:
    bits = ink()
    one = omniglot.read(packed(tmp_path / "o.npz", bits), 28)
    other = omniglot.read(unpacked(tmp_path / "omniglot-py", bits), 28)
    assert one is not None
    assert other is not None
    assert one.images.shape == (20, 1, 28, 28)
    assert one.images.mean() == pytest.approx(25.5, rel=0.1)  # a tenth is ink, and ink is white
    for data in (one, other):
        assert data.classes == (
            "Braille/character01", "Braille/character02", "Angelic/character01",
            "Zulu/character01",
        )  # fmt: skip
        assert data.labels.tolist() == LABELS.tolist()
        assert len(set(data.ids)) == 20
    assert np.array_equal(one.images, other.images)


def test_what_is_no_omniglot_is_left_to_load(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.arange(4) % 2)
    assert omniglot.read(tmp_path / "x.npz", 8) is None
    assert omniglot.read(tmp_path, 8) is None
    source = Source("x", "x", reader=omniglot.read)
    assert len(pictures(source, tmp_path / "x.npz", Size(8, Recipe()))) == 4


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "o.npz").write_bytes(b"PK\3\4 nothing")
    with pytest.raises(DataError, match="Omniglot cannot be read"):
        omniglot.read(tmp_path / "o.npz", 28)
    (tmp_path / "folder" / "images_background").mkdir(parents=True)
    with pytest.raises(DataError, match="no pictures of Omniglot"):
        omniglot.read(tmp_path / "folder", 28)
    file = unpacked(tmp_path / "py", ink()) / "images_background/Braille/character01/0700_01.png"
    file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="Omniglot cannot be read"):
        omniglot.read(tmp_path / "py", 28)


def test_a_span_of_the_classes_evenly_thinned(tmp_path: Path) -> None:
    path = packed(tmp_path / "o.npz", ink())
    source = Source("o", "o", reader=omniglot.read, span=(1, 4))
    data = pictures(source, path, Size(7, Recipe(), classes=2))
    assert data.classes == ("Braille/character02", "Zulu/character01")
    whole = omniglot.read(path, 7)
    assert whole is not None
    assert np.array_equal(data.images, whole.images[[*range(5, 10), *range(15, 20)]])
    assert data.labels.tolist() == [0] * 5 + [1] * 5
    with pytest.raises(DataError, match="classes 2 to 9 are wanted, but there are 4"):
        pictures(Source("o", "o", reader=omniglot.read, span=(1, 9)), path, Size(7, Recipe()))


def test_the_real_one(shared_data: Path) -> None:
    data = omniglot.read(shared_data / "omniglot" / "omniglot.npz", 14)
    assert data is not None
    assert np.bincount(data.labels).tolist() == [20] * omniglot.CLASSES
    alphabets = [name.partition("/")[0] for name in data.classes]
    assert len(set(alphabets[: omniglot.BACKGROUND])) == 30
    assert len(set(alphabets[omniglot.BACKGROUND :])) == 20
    assert not set(alphabets[: omniglot.BACKGROUND]) & set(alphabets[omniglot.BACKGROUND :])
    assert 5 < data.images.mean() < 40  # a few lines of white ink
