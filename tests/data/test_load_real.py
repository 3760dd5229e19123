"""The real data of the project, with the counts their README files give."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from learnaug.data.imageset import ImageSet
from learnaug.data.load import load
from learnaug.errors import DataError


def some_of(archive: Path, to: Path, every: int, *also: str) -> Path:
    """Copy each n-th member of a zip into a smaller one."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(to, "w") as target:
        names = [name for name in source.namelist() if not name.endswith("/")]
        for name in [*names[::every], *(name for name in also if name not in names[::every])]:
            target.writestr(name, source.read(name))
    return to


def truth(archive: Path, name: str) -> np.ndarray:
    with zipfile.ZipFile(archive) as source:
        return np.asarray(Image.open(io.BytesIO(source.read(name))))


def count(data: ImageSet, part: str) -> dict[str, int]:
    found = np.bincount(data.labels[data.parts == part], minlength=len(data.classes))
    return dict(zip(data.classes, found.tolist(), strict=True))


def test_cifar10(shared_data: Path, tmp_path: Path) -> None:
    archive = shared_data / "cifar10" / "cifar10.zip"
    data = load(some_of(archive, tmp_path / "c.zip", 25))
    assert data.images.shape == (600, 3, 32, 32)
    assert len(data.classes) == 10
    assert (data.parts == "train").sum() == 400
    for i in (0, 300, 599):
        np.testing.assert_array_equal(
            data.images[i].transpose(1, 2, 0), truth(archive, data.ids[i])
        )
        assert f"/{data.classes[data.labels[i]]}/" in data.ids[i]
    assert data.findings == ()


@pytest.mark.slow
def test_cifar10_whole(shared_data: Path) -> None:
    data = load(shared_data / "cifar10" / "cifar10.zip")
    assert set(count(data, "train").values()) == {1000}
    assert set(count(data, "test").values()) == {500}


def test_emnist(shared_data: Path) -> None:
    path = shared_data / "emnist" / "emnist.npz"
    data = load(path)
    raw = np.load(path)
    np.testing.assert_array_equal(data.images[:, 0], raw["x"])
    assert data.classes == tuple(raw["mapping"].tolist())
    assert set(np.bincount(data.labels).tolist()) == {300}


def test_mnist(shared_data: Path) -> None:
    data = load(shared_data / "mnist" / "mnist.npz")
    assert data.images.shape == (70000, 1, 28, 28)
    assert (data.parts == "test").sum() == 10000


def test_magnetic_tile(shared_data: Path) -> None:
    path = shared_data / "magnetic_tile" / "magnetic_tile.zip"
    data = load(path, size=64)
    names = ("blowhole", "break", "crack", "fray", "free", "uneven")
    assert count(data, "train") == dict(zip(names, (85, 63, 42, 23, 89, 76), strict=True))
    assert count(data, "valid") == dict(zip(names, (30, 22, 15, 9, 31, 27), strict=True))
    with zipfile.ZipFile(path) as archive:
        rows = [
            row.split("\t") for row in archive.read("groups.tsv").decode().split("\n")[1:] if row
        ]
    group = {row[0]: row[3] for row in rows}
    named = [group[Path(name).stem] for name in data.ids]
    pairs = set(zip(named, data.groups.tolist(), strict=True))
    assert len(pairs) == len(set(named)) == len(set(data.groups.tolist()))
    told = {finding.code: finding for finding in data.findings}
    assert told["beside-parts"].where == ("train_masks", "val_masks")
    assert told["groups"].count == 512
    with pytest.raises(DataError, match="differ in size"):
        load(path)


def test_tiny_imagenet_dogs_against_goldfish(shared_data: Path, tmp_path: Path) -> None:
    archive = shared_data / "tiny_imagenet" / "tiny_imagenet.zip"
    grey = "train/n02085620/n02085620_147.JPEG"
    small = some_of(archive, tmp_path / "t.zip", 5, grey)
    data = load(small, classes="dog=n02085620+n02094433,goldfish=n01443537")
    assert data.classes == ("dog", "goldfish")
    assert count(data, "train") == {"dog": 201, "goldfish": 100}
    assert count(data, "valid") == {"dog": 20, "goldfish": 10}
    assert (grey,) in [f.where for f in data.findings if f.code == "mixed-channels"]
    pixels = data.images[data.ids.index(grey)]
    np.testing.assert_array_equal(pixels, np.broadcast_to(truth(archive, grey), pixels.shape))


def test_att_faces(shared_data: Path) -> None:
    path = shared_data / "att_faces" / "att_faces.zip"
    data = load(path)
    assert data.images.shape == (400, 1, 112, 92)
    assert set(np.bincount(data.labels).tolist()) == {10}
    np.testing.assert_array_equal(data.images[17, 0], truth(path, data.ids[17]))


def test_blood_cells(shared_data: Path) -> None:
    data = load(shared_data / "blood_cells" / "blood_cells.zip")
    assert count(data, "train") == {"platelets": 304, "rbc": 400, "wbc": 307}
    assert count(data, "valid") == {"platelets": 55, "rbc": 150, "wbc": 61}


def test_nuclei_images_and_masks(shared_data: Path, tmp_path: Path) -> None:
    archive = shared_data / "nuclei" / "nuclei.zip"
    data = load(archive, size=128)
    assert data.images.shape == (250, 3, 128, 128)
    assert data.masks is not None
    assert data.masks.shape == (250, 128, 128)
    assert np.unique(data.masks).tolist() == [0, 1]
    assert ((data.parts == "train").sum(), (data.parts == "valid").sum()) == (200, 50)
    mask = truth(archive, data.ids[3].replace("images", "masks"))
    rows, columns = ((np.arange(128) + 0.5) * side / 128 for side in mask.shape)
    near = mask[np.ix_(rows.astype(int), columns.astype(int))]
    np.testing.assert_array_equal(data.masks[3], near)


def test_omniglot_is_refused_in_words(shared_data: Path) -> None:
    with pytest.raises(DataError, match="ink_packed"):
        load(shared_data / "omniglot" / "omniglot.npz")
