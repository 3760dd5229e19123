"""Folders as they are found in the wild: odd names, unsteady drives, parts, masks, groups."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from learnaug.data.folders import walk
from learnaug.data.load import load, scan
from learnaug.errors import DataError, UsageError
from learnaug.seeds import Seeds


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return Seeds(seed).child("noise").numpy().integers(0, 256, shape).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def world(root: Path, *names: str) -> Path:
    """Two classes of three good grey images, and one image in each folder of `names`."""
    for k, name in enumerate(["a", "b"]):
        for i in range(3):
            save(root / name / f"{i}.png", noise(8, 8, seed=i + 10 * k))
    for k, name in enumerate(names):
        save(root / name / "0.png", noise(8, 8, seed=90 + k))
    return root


def test_tiny_folder_holds_the_tiny_arrays(tiny_folder: Path, tiny_arrays: Any) -> None:
    images, labels = tiny_arrays
    data = load(tiny_folder)
    assert data.classes == ("above", "below")
    assert data.ids == tuple(sorted(data.ids))
    rows = [int(Path(name).stem) for name in data.ids]
    np.testing.assert_array_equal(data.images[:, 0], images[rows])
    np.testing.assert_array_equal(data.labels, labels[rows])
    assert set(data.parts.tolist()) == {""}
    assert set(data.groups.tolist()) == {-1}


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "testing")])
def test_parts(names: tuple[str, str, str], tmp_path: Path) -> None:
    for part in names:
        world(tmp_path / part)
    data = load(tmp_path)
    for part, name in zip(("train", "valid", "test"), names, strict=True):
        assert [i for i in data.ids if i.startswith(name + "/")] == [
            data.ids[i] for i in np.flatnonzero(data.parts == part)
        ]
    assert data.classes == ("a", "b")


def test_a_class_called_train_is_a_class(tmp_path: Path) -> None:
    assert load(world(tmp_path, "train")).classes == ("a", "b", "train")


def test_wrapped_folder_is_entered(tmp_path: Path) -> None:
    world(tmp_path / "photos")
    data = load(tmp_path)
    assert data.classes == ("a", "b")
    assert "wrapped" in [f.code for f in data.findings]


def test_folders_beside_parts_are_told(tmp_path: Path) -> None:
    world(tmp_path / "train")
    world(tmp_path / "train_masks")
    data = load(tmp_path)
    assert len(data) == 6
    assert [f.where for f in data.findings if f.code == "beside-parts"] == [("train_masks",)]


def test_classes_that_are_numbers_are_in_order_of_number(tmp_path: Path) -> None:
    for k in (10, 9, 2):
        save(tmp_path / str(k) / "x.png", noise(8, 8, seed=k))
    assert load(tmp_path).classes == ("2", "9", "10")


@pytest.mark.parametrize(
    "wish", [{"pet": ["a", "c"], "b": ["b"]}, "pet=a+c,b", {"pet": ("a", "c"), "b": "b"}]
)
def test_classes_are_chosen_and_merged(wish: Any, tmp_path: Path) -> None:
    data = load(world(tmp_path, "c", "d"), classes=wish)
    assert data.classes == ("b", "pet")
    assert data.labels.tolist() == [1, 1, 1, 0, 0, 0, 1]


def test_unknown_class_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean cats"):
        load(world(tmp_path, "cats"), classes=["cast", "a"])
    with pytest.raises(UsageError, match="once"):
        load(tmp_path, classes="x=a,y=a")


def test_images_and_masks(tmp_path: Path) -> None:
    masks = noise(3, 8, 6) % 4
    masks[0, 0, 0] = 3
    for i in range(3):
        save(tmp_path / "images" / f"{i}.jpg", noise(8, 6, 3, seed=i))
        save(tmp_path / "masks" / f"{i}.png", masks[i])
    data = load(tmp_path)
    assert data.masks is not None
    np.testing.assert_array_equal(data.masks, masks)
    assert data.classes == ("0", "1", "2", "3")
    assert len(data.labels) == 0
    small = load(tmp_path, size=4, classes=["sky", "tree", "road", "car"])
    assert small.masks is not None
    assert small.masks.shape == (3, 4, 4)
    assert set(np.unique(small.masks)) <= {0, 1, 2, 3}  # nearest: no new values
    assert small.classes == ("sky", "tree", "road", "car")


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "images" / f"{i}.png", noise(8, 8, seed=i))
    save(tmp_path / "masks" / "0.png", noise(8, 8) % 2)
    save(tmp_path / "masks" / "1.png", noise(8, 7) % 2)
    save(tmp_path / "masks" / "2.png", noise(8, 8, 3))
    save(tmp_path / "masks" / "9.png", noise(8, 8) % 2)
    _, findings = scan(tmp_path)
    told = {f.code: f.where for f in findings}
    assert told["mask-size"] == ("images/1.png  mask 8x7, image 8x8",)
    assert "mode RGB" in told["mask-mode"][0]
    assert told["no-mask"] == ("images/3.png",)
    assert told["no-image"] == ("masks/9.png",)


def test_masks_of_0_and_255_are_two_classes(tmp_path: Path) -> None:
    mask = (noise(8, 8) % 2) * 255
    save(tmp_path / "images" / "0.png", noise(8, 8))
    save(tmp_path / "masks" / "0.png", mask.astype(np.uint8))
    data = load(tmp_path)
    assert data.masks is not None
    np.testing.assert_array_equal(data.masks[0], mask // 255)
    assert "mask-255" in [f.code for f in data.findings]


def test_groups_file(tmp_path: Path) -> None:
    root = world(tmp_path, "c")
    text = "file\tgroup\na/0.png\tx\na/1\tx\n2\ty\nghost\tz\n"
    (root / "groups.tsv").write_text(text)
    data = load(root)
    group = dict(zip(data.ids, data.groups.tolist(), strict=True))
    assert group["a/0.png"] == group["a/1.png"] == 0
    assert group["a/2.png"] == group["b/2.png"] == 1  # a bare name: all that bear it
    assert group["b/0.png"] == group["b/1.png"] == group["c/0.png"] == -1
    told = {f.code: f.where for f in data.findings}
    assert told["idle-group"] == ("ghost",)
    assert len(told["no-group"]) == 3


def test_links_inside_are_followed_once(tmp_path: Path) -> None:
    root = world(tmp_path)
    (root / "c").mkdir()
    (root / "c" / "0.png").symlink_to("../a/0.png")
    assert len(load(root)) == 7
    (root / "d").symlink_to("/")
    assert "d" not in load(root).classes


def test_folders_nested_deep_do_not_recurse(tmp_path: Path) -> None:
    tmp_path.joinpath(*["d"] * 300).mkdir(parents=True)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert len(walk(tmp_path).folders) == 300
    finally:
        sys.setrecursionlimit(limit)
        for depth in range(300, 0, -1):  # pytest's own clean-up recurses
            tmp_path.joinpath(*["d"] * depth).rmdir()


def test_cache_is_a_memory_map_with_the_same_pixels(tmp_path: Path) -> None:
    root = world(tmp_path / "world")
    (root / "a" / "1.png").write_bytes(b"")
    plain = load(root, skip_bad=True)
    mapped = load(root, skip_bad=True, cache=tmp_path / "cache")
    assert isinstance(mapped.images, np.memmap)
    assert mapped.fingerprint() == plain.fingerprint()
    assert os.listdir(tmp_path / "cache") == ["images.npy"]
    with pytest.raises(UsageError, match="inside the data folder"):
        load(root, cache=root / "cache")


def test_cut_off_files_do_not_shift_the_others(tmp_path: Path) -> None:
    root = world(tmp_path)
    for name, pixels in (("x", noise(64, 64, seed=7)), ("y", noise(64, 64, seed=8))):
        save(root / "b" / f"{name}.png", pixels)
    path = root / "b" / "x.png"
    path.write_bytes(path.read_bytes()[:-500])
    for cache in (None, tmp_path.parent / "cache"):
        data = load(root, skip_bad=True, size=8, cache=cache)
        assert data.ids[-1] == "b/y.png"
        assert len(data) == 7
        np.testing.assert_array_equal(data.images[5, 0], noise(8, 8, seed=12))
        small = Image.fromarray(noise(64, 64, seed=8)).resize((8, 8), 2, reducing_gap=3.0)
        np.testing.assert_array_equal(data.images[6, 0], np.asarray(small))


def test_row_52_no_right_to_read(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    world(tmp_path)
    (tmp_path / "a").chmod(0)
    _, findings = scan(tmp_path)
    (tmp_path / "a").chmod(0o755)
    assert [f for f in findings if f.code == "no-permission" and "d---" in f.where[0]]


def test_row_53_data_folder_is_never_written(tmp_path: Path) -> None:
    root = world(tmp_path / "world")
    before = sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))
    load(root, cache=tmp_path / "cache")
    assert sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*")) == before


def test_row_60_drive_that_fails_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = world(tmp_path)
    real, calls = os.open, []

    def failing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith("a/0.png"):
            calls.append(path)
            if len(calls) <= limit:
                raise OSError(5, "Input/output error")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    limit = 2
    assert len(load(root)) == 6
    limit, calls = 10**9, []
    with pytest.raises(DataError, match="failed 3 times") as raised:
        load(root)
    assert raised.value.code == 75


@pytest.mark.parametrize(
    "name", ["🐈", "кошка", "a b", "$x", "it's", "a\nb", "x" * 255, "<img src=x>", "%s", "{0}"]
)
def test_rows_45_58_odd_names_are_fine(name: str, tmp_path: Path) -> None:
    data = load(world(tmp_path, name))
    assert name in data.classes
    assert len(data) == 7


def masked_folder(root: Path) -> np.ndarray:
    masks = np.arange(4 * 8 * 6).reshape(4, 8, 6) % 5
    for i, mask in enumerate(masks.astype(np.uint8)):
        save(root / "images" / f"{i}.png", noise(8, 6, 3))
        save(root / "masks" / f"{i}.png", mask)
    return masks


def test_values_of_masks_are_chosen_and_merged_by_number(tmp_path: Path) -> None:
    masks = masked_folder(tmp_path)
    data = load(tmp_path, classes="road=3+1,sky=0")
    assert data.classes == ("road", "sky")
    expected = np.full(masks.shape, 255)
    expected[(masks == 3) | (masks == 1)] = 0
    expected[masks == 0] = 1
    np.testing.assert_array_equal(data.masks, expected)
    assert load(tmp_path, classes="0,1,2").classes == ("0", "1", "2")


def test_values_of_masks_are_named_all_at_once(tmp_path: Path) -> None:
    masks = masked_folder(tmp_path)
    data = load(tmp_path, classes=["a", "b", "c", "d", "e"])
    assert data.classes == ("a", "b", "c", "d", "e")
    np.testing.assert_array_equal(data.masks, masks)
    with pytest.raises(DataError, match=r"(?s)3 class names.*sky=0"):
        load(tmp_path, classes="a,b,c")
