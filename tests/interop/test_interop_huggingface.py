"""The transform for Hugging Face datasets, on data sets in memory."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interop_helpers import FLIP, PER_CLASS, H, W, mirrored, picture, pixels
from PIL import Image
from torch.utils.data import DataLoader

with warnings.catch_warnings():  # what its own imports warn of
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("datasets")

from learnaug.errors import UsageError
from learnaug.interop import as_hf_transform
from learnaug.ops import Element, Policy, Stage

AWAY = Policy((Stage(((Element("shift_x", 3),),)),))


def pictures(count: int = 4, mode: str = "RGB") -> Any:
    return datasets.Dataset.from_dict(
        {
            "image": [picture(mode, seed=i) for i in range(count)],
            "mask": [Image.fromarray(pixels(H, W, seed=i).numpy() // 9) for i in range(count)],
            "label": [i % 2 for i in range(count)],
        },
        features=datasets.Features(
            {"image": datasets.Image(), "mask": datasets.Image(), "label": datasets.Value("int64")}
        ),
    )


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_of_a_data_set(mode: str) -> None:
    plain = pictures(mode=mode)
    changed = plain.with_transform(as_hf_transform(FLIP))
    for before, after in zip(plain, changed, strict=True):
        assert after["image"].mode == mode
        assert after["image"].tobytes() == mirrored(before["image"]).tobytes()
        assert after["mask"].tobytes() == before["mask"].tobytes()  # not named, so not touched
        assert after["label"] == before["label"]
    assert len(changed[1:3]["image"]) == 2


def test_masks_move_with_their_pictures() -> None:
    plain = pictures()
    changed = plain.with_transform(as_hf_transform(AWAY, mask_key="mask", ignore_index=200))
    for before, after in zip(plain, changed, strict=True):
        mask, was = np.array(after["mask"]), np.array(before["mask"])
        assert after["mask"].mode == before["mask"].mode
        assert (mask[:, :3] == 200).all()
        assert (mask[:, 3:] == was[:, :-3]).all()
        assert (np.array(after["image"])[:, 3:] == np.array(before["image"])[:, :-3]).all()


def test_a_palette_stays() -> None:
    mask = Image.fromarray(pixels(H, W).numpy() // 9).convert("P")
    augment = as_hf_transform(FLIP, mask_key="mask")
    out = augment({"image": [picture()], "mask": [mask]})["mask"][0]
    assert out.mode == "P"
    assert out.getpalette() == mask.getpalette()
    assert np.array_equal(np.array(out), np.array(mask)[:, ::-1])


def test_arrays_and_tensors_as_masks() -> None:
    mask = pixels(H, W)
    augment = as_hf_transform(FLIP, mask_key="mask")
    out = augment({"image": [pixels(3, H, W)] * 2, "mask": [mask, mask.numpy()]})
    assert type(out["image"][0]) is torch.Tensor
    assert type(out["mask"][0]) is torch.Tensor
    assert torch.equal(out["mask"][0], mask.flip(-1))
    assert np.array_equal(out["mask"][1], mask.numpy()[:, ::-1])


def test_weights_per_class_take_the_label_column() -> None:
    plain = pictures()
    changed = plain.with_transform(as_hf_transform(PER_CLASS, label_key="label"))
    same = [
        after["image"].tobytes() == before["image"].tobytes()
        for before, after in zip(plain, changed, strict=True)
    ]
    assert same == [True, False, True, False]
    with pytest.raises(UsageError, match="weights per class"):
        as_hf_transform(PER_CLASS)


def to_rows(rows: list[dict[str, Any]]) -> list[bytes]:
    return [row["image"].tobytes() for row in rows]


def test_workers_draw_their_own(tmp_path: Path) -> None:
    turn = Policy((Stage(((Element("rotate", 0, 170, sign=True),),)),))
    one = pictures(1)
    many = datasets.concatenate_datasets([one] * 16).with_transform(as_hf_transform(turn))
    torch.manual_seed(0)
    loader = DataLoader(
        many, batch_size=2, num_workers=2, collate_fn=to_rows, multiprocessing_context="fork"
    )
    assert len({image for batch in loader for image in batch}) > 13


def test_columns_that_are_not_there() -> None:
    with pytest.raises(UsageError, match=r"no column 'image', only \['img'\]"):
        as_hf_transform(FLIP)({"img": [picture()]})
    with pytest.raises(UsageError, match="PIL image or a tensor, but got ndarray"):
        as_hf_transform(FLIP)({"image": [np.zeros((3, 3))]})


def test_masks_in_colour_are_refused_by_name() -> None:
    transform = as_hf_transform("flip-crop", mask_key="mask")
    picture = Image.new("RGB", (8, 8))
    with pytest.raises(UsageError, match=r"mode 'RGB'"):
        transform({"image": [picture], "mask": [Image.new("RGB", (8, 8))]})
