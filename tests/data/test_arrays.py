"""Arrays, `.npz` files and data sets: the same pixels whatever the order of their axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from learnaug.data.load import load, scan
from learnaug.errors import DataError, UsageError
from learnaug.seeds import Seeds

LABELS = np.array([0, 1, 2, 0, 1, 2])


def noise(*shape: int, high: int = 256) -> np.ndarray:
    return Seeds(2).child(*shape).numpy().integers(0, high, shape).astype(np.uint8)


NCHW = noise(6, 3, 9, 7)


@pytest.mark.parametrize(
    "images",
    [
        NCHW,
        NCHW.transpose(0, 2, 3, 1),
        np.ascontiguousarray(NCHW.transpose(0, 2, 3, 1)),
        NCHW.astype(np.int64),
        NCHW.astype(np.float32),
        (NCHW / 255).astype(np.float32),
        NCHW.astype(np.uint16) * 257,
        torch.from_numpy(NCHW),
    ],
    ids=["nchw", "nhwc", "nhwc-copy", "int64", "float-255", "float-1", "uint16", "tensor"],
)
def test_every_form_gives_the_same_pixels(images: Any) -> None:
    data = load((images, LABELS))
    np.testing.assert_array_equal(data.images, NCHW)
    assert data.images.flags.c_contiguous
    np.testing.assert_array_equal(data.labels, LABELS)
    assert data.classes == ("0", "1", "2")
    assert data.ids[5] == "row 5"


def test_the_caller_keeps_his_own_array() -> None:
    mine = NCHW.copy()
    data = load((mine, LABELS))
    mine[:] = 0
    np.testing.assert_array_equal(data.images, NCHW)


def test_read_only_and_bool() -> None:
    bits = noise(6, 5, 5, high=2).astype(bool)
    bits.flags.writeable = False
    np.testing.assert_array_equal(load((bits, LABELS)).images[:, 0], bits * 255)


@pytest.mark.parametrize(("axes", "shape"), [("NCHW", (4, 3, 3, 3)), ("NHWC", (4, 3, 3, 3))])
def test_axes_settle_what_the_shape_does_not(axes: str, shape: tuple[int, ...]) -> None:
    images = noise(*shape)
    truth = images if axes == "NCHW" else np.moveaxis(images, -1, 1)
    np.testing.assert_array_equal(load((images, [0, 1, 0, 1]), axes=axes).images, truth)


def test_many_channels_with_axes() -> None:
    assert load((noise(4, 8, 8, 13), [0, 1, 0, 1]), axes="NHWC", size=4).images.shape == (
        4,
        13,
        4,
        4,
    )
    with pytest.raises(UsageError, match="did you mean NHW"):
        load((NCHW, LABELS), axes="NHCW")


def test_value_range() -> None:
    images = np.linspace(-1, 1, 6 * 4 * 4).reshape(6, 4, 4)
    found = load((images, LABELS), value_range=(-1, 1)).images[:, 0]
    np.testing.assert_array_equal(found, np.rint((images + 1) * 127.5))


@pytest.mark.parametrize("keys", [("x", "y"), ("images", "labels")])
def test_npz(keys: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    arrays = {keys[0]: NCHW, keys[1]: LABELS, "classes": np.array(["p", "q", "r"]), "z": LABELS}
    np.savez(path, groups=np.array([5, 5, 9, -1, -1, 9]), **arrays)
    data = load(path)
    np.testing.assert_array_equal(data.images, NCHW)
    assert data.classes == ("p", "q", "r")
    assert data.groups.tolist()[:3] == [0, 0, 1]
    assert data.groups.tolist()[3:5] == [-1, -1]
    assert [f.where for f in data.findings] == [("z",)]


def test_npz_with_parts(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez_compressed(
        path, x_train=NCHW, y_train=LABELS, x_test=NCHW[:3], y_test=LABELS[:3], mapping=[65, 66, 97]
    )
    data = load(path)
    assert data.parts.tolist() == ["train"] * 6 + ["test"] * 3
    assert data.classes == ("A", "B", "a")
    assert data.ids[6] == "test row 0"
    np.savez(path, x_train=NCHW, y_train=LABELS, x_test=NCHW[:2], y_test=LABELS[:2])
    with pytest.raises(DataError, match="test lacks 2"):
        load(path)


def test_npz_that_must_not_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.array([{"a": 1}], object), y=np.array([0]))
    with pytest.raises(DataError, match="allow_pickle"):
        load(path)
    path.write_bytes(b"PK\x03\x04rubbish")
    with pytest.raises(DataError, match="cannot be read as"):
        load(path)
    np.savez(path, a=NCHW)
    with pytest.raises(DataError, match="among the keys: a"):
        load(path)


class Pictures(Dataset[Any]):
    classes = ("p", "q", "r")

    def __init__(self, images: list[Any], fails: int = -1) -> None:
        self.images, self.fails = images, fails

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if index == self.fails:
            raise RuntimeError("broken row")
        return self.images[index], int(LABELS[index])


@pytest.mark.parametrize(
    "form",
    [
        lambda a: Image.fromarray(np.moveaxis(a, 0, -1)),
        torch.from_numpy,
        lambda a: torch.from_numpy(a).float() / 255,
        lambda a: np.moveaxis(a, 0, -1),
    ],
    ids=["pillow", "tensor", "float-tensor", "array"],
)
def test_data_set(form: Any) -> None:
    data = load(Pictures([form(image) for image in NCHW]))
    np.testing.assert_array_equal(data.images, NCHW)
    assert data.classes == ("p", "q", "r")
    np.testing.assert_array_equal(
        load([(form(i), k) for i, k in zip(NCHW, LABELS, strict=True)]).images, NCHW
    )


def test_row_80_item_that_raises_is_named() -> None:
    pictures = Pictures([Image.fromarray(image[0]) for image in NCHW], fails=4)
    with pytest.raises(DataError, match="item 4: RuntimeError: broken row"):
        load(pictures)
    assert load(pictures, skip_bad=True).ids == tuple(f"item {i}" for i in (0, 1, 2, 3, 5))


def test_random_transform_is_told() -> None:
    class Random(Pictures):
        draws = 0

        def __getitem__(self, index: int) -> tuple[Any, int]:
            self.draws += 1
            return np.full((8, 8), self.draws, np.uint8), index % 2

    assert "random-transform" in [f.code for f in load(Random(list(NCHW))).findings]


def test_mixed_items() -> None:
    grey, colour = Image.fromarray(NCHW[0, 0]), Image.fromarray(NCHW[1].transpose(1, 2, 0))
    data = load(([grey, colour], ["b", "a"]))
    np.testing.assert_array_equal(data.images[0], np.repeat(NCHW[0, :1], 3, axis=0))
    assert data.classes == ("a", "b")
    _, findings = scan(([grey, colour.resize((4, 4))], [0, 1]))
    assert "sizes-differ" in [f.code for f in findings]


@pytest.mark.parametrize("source", [3, NCHW, iter([]), {"x": NCHW}, []])
def test_what_is_no_source(source: Any) -> None:
    with pytest.raises((UsageError, DataError)) as raised:
        load(source)
    assert raised.value.mend


def test_unknown_option() -> None:
    with pytest.raises(UsageError, match="did you mean skip_bad"):
        load("digits", skip_bda=True)  # type: ignore[call-arg]
