"""Augmented pictures on disk: right, told, loadable, and the same after any stop."""

from __future__ import annotations

import csv
import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import learnaug
from learnaug import ops, rundir
from learnaug.data import ImageSet
from learnaug.errors import UsageError
from learnaug.ops import Element, Policy, Stage, spaces
from learnaug.seeds import Seeds
from learnaug.study import write_augmented

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

MIX = spaces.flip_crop().then(spaces.mixup())


def masked(n: int = 70) -> ImageSet:
    """Pictures with a mask of three classes, 255 in a corner."""
    images = tiny.data(n).images
    masks = (images[:, 0] // 90).astype(np.uint8)
    masks[:, 0, 0] = 255
    ids, none = tuple(f"p{i}" for i in range(n)), np.full(n, -1, np.int64)
    classes = ("0", "1", "2")
    return ImageSet(
        "m", images, np.zeros(0, np.int64), classes, ids, none, np.full(n, ""), masks=masks
    )


def content(folder: Path) -> dict[str, str]:
    """Digest of every file that must be the same; the journal too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def policy_of(*elements: Element) -> learnaug.methods.PolicyAugmenter:
    return learnaug.methods.PolicyAugmenter(Policy(tuple(Stage(((e,),)) for e in elements), "p"))


# --- what is written


def test_pictures_are_those_of_the_draws(tmp_path):
    data, policy = tiny.data(70), spaces.trivialaugment()
    told = write_augmented("trivialaugment", data, tmp_path, copies=2, seed=5)
    assert told == {
        "out": str(tmp_path), "pictures": 140, "copies": 2, "seed": 5, "kept": 0,
    }  # fmt: skip
    rows = manifest(tmp_path)
    for copy in (0, 1):
        for start in (0, 64):
            part = data.images[start : start + 64]
            seeds = Seeds(5).child("apply", copy, start)
            drawn = ops.draw(policy, len(part), seeds.numpy(), size=(8, 8))
            expected = ops.apply(torch.from_numpy(part), drawn).numpy()[:, 0]
            for at, row in enumerate(rows[copy * 70 + start : copy * 70 + start + len(part)]):
                assert (np.asarray(Image.open(tmp_path / row["path"])) == expected[at]).all()
                assert row["source"] == f"row {start + at}"
                name = tuple(ops.TABLE)[drawn.ops[at, 0]]
                assert row["operations"].split(" ")[0] == ("" if name == "identity" else name)
                if ops.TABLE[name].unit:
                    value = row["operations"].split(" ")[1]
                    assert np.float32(value) == drawn.value[at, 0]
                    assert row["operations"].endswith(" " + ops.TABLE[name].unit)


@pytest.mark.parametrize("name", ["manifest.csv", "."])
def test_folder_and_table_can_be_loaded(tmp_path, name):
    data = tiny.data(20)
    write_augmented("none", data, tmp_path / "o", copies=2)
    back = learnaug.load(tmp_path / "o" / name)
    assert len(back) == 40
    assert back.classes == data.classes
    assert sorted(map(bytes, back.images)) == sorted(map(bytes, [*data.images, *data.images]))


def test_masks_follow_their_pictures(tmp_path):
    data = masked()
    augment = policy_of(Element("rotate", 40, sign=True), Element("invert", p=0.5))
    write_augmented(augment, data, tmp_path / "o", copies=2, seed=3)
    rows = manifest(tmp_path / "o")
    assert list(rows[0]) == ["path", "mask", "source", "copy", "seed", "operations"]
    for copy, start in ((0, 0), (0, 64), (1, 0), (1, 64)):
        part = slice(start, min(start + 64, 70))
        seeds = Seeds(3).child("apply", copy, start)
        drawn = ops.draw(augment.policy, part.stop - start, seeds.numpy(), size=(8, 8))
        masks = torch.from_numpy(data.masks[part].astype(np.int64))
        expected = ops.apply_masks(masks, drawn).numpy()
        for at in range(part.stop - start):
            row = rows[copy * 70 + start + at]
            assert (np.asarray(Image.open(tmp_path / "o" / row["mask"])) == expected[at]).all()
            assert row["operations"].startswith("rotate ")
    back = learnaug.load(tmp_path / "o")
    assert back.masks is not None
    assert len(back) == 140
    assert 255 in back.masks


def test_partners_are_named(tmp_path):
    write_augmented(learnaug.methods.PolicyAugmenter(MIX), tiny.data(12), tmp_path)
    told = [row["operations"].split("; ")[-1].split(" ") for row in manifest(tmp_path)]
    assert {words[0] for words in told} == {"mixup"}
    assert all(0 <= float(words[1]) <= 1 and words[-2] == "row" for words in told)


def test_a_chain_tells_all_its_draws(tmp_path):
    write_augmented("cutout+cutout", tiny.data(6), tmp_path)
    cut = "cutout 0.5 fraction of the side"
    assert all(row["operations"] == f"{cut}; {cut}" for row in manifest(tmp_path))


def test_no_cell_is_a_formula(tmp_path):
    data = replace(
        tiny.data(4), ids=("=1+1", "@x", "-1", "+2"), classes=("=cmd|' /C calc'!A0", "b")
    )
    write_augmented("none", data, tmp_path)
    cells = [cell for row in manifest(tmp_path) for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@")]
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*.png"))


def test_time_left_is_told(tmp_path):
    events: list[dict] = []
    write_augmented("none", tiny.data(150), tmp_path, say=events.append)
    steps = [event for event in events if event["event"] == "step"]
    assert [event["done_runs"] for event in steps] == [64, 128, 150]
    assert steps[0]["eta_seconds"] > 0
    assert (steps[-1]["eta_seconds"], steps[-1]["text"]) == (None, "150 of 150 pictures")


# --- stops


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


def written(out: Path, stop: int = 0) -> int:
    """Write tiny copies, and stop at disk call number `stop` without a clean-up; count calls."""
    count = 0

    def hook(kind: str, path: Path) -> None:
        nonlocal count
        count += 1
        if stop and count >= stop:
            raise Killed

    with rundir.injected(hook):
        write_augmented("trivialaugment", tiny.data(70), out, copies=2, seed=1)
    return count


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("apply") / "whole"
    return written(out), content(out)


def killed(stop: int, out: Path) -> dict[str, str]:
    with pytest.raises(Killed):
        written(out, stop)
    written(out)
    return content(out)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.45, 0.5, 0.77, 0.99, 1.0])
def test_killed_at_a_disk_call(whole, tmp_path, share):
    assert killed(max(1, round(share * whole[0])), tmp_path / "o") == whole[1]


@pytest.mark.slow
def test_killed_at_every_fifth_disk_call(whole, tmp_path):
    for stop in range(1, whole[0], 5):
        assert killed(stop, tmp_path / f"{stop}") == whole[1], stop


def test_kill_9_of_a_process(tmp_path):
    line = [sys.executable, "-m", "learnaug", "apply", "cutout", "digits", "--classes=0,1,2"]
    process = subprocess.Popen([*line, str(tmp_path / "o")], stderr=subprocess.DEVNULL)
    while not (tmp_path / "o" / "apply.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    told = write_augmented("cutout", "digits", tmp_path / "o", classes="0,1,2")
    assert 0 < told["kept"] < told["pictures"] == 537
    write_augmented("cutout", "digits", tmp_path / "whole", classes="0,1,2")
    assert content(tmp_path / "o") == content(tmp_path / "whole")


def test_a_finished_folder_is_left_alone_and_a_lost_picture_is_made_again(tmp_path):
    write_augmented("cutout", tiny.data(), tmp_path)
    before = content(tmp_path)
    files = {path: path.stat().st_ino for path in tmp_path.rglob("*.png")}
    assert write_augmented("cutout", tiny.data(), tmp_path)["kept"] == 64
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*.png")} == files
    next(tmp_path.rglob("*.png")).unlink()
    assert write_augmented("cutout", tiny.data(), tmp_path)["kept"] == 0
    after = content(tmp_path)
    assert {k: v for k, v in after.items() if k != "apply.jsonl"} == {
        k: v for k, v in before.items() if k != "apply.jsonl"
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"copies": 2}, "copies: 1 in the folder, 2 now"),
        ({"seed": 1}, "seed: 0 in the folder, 1 now"),
        ({"augmenter": "mixup"}, "augmenter.name: 'cutout' in the folder, 'mixup' now"),
        ({"augmenter": policy_of(Element("cutout", 0.4))}, "augmenter.sha256"),
        ({"data": tiny.data(32)}, "data.pictures: 64 in the folder, 32 now"),
    ],
)
def test_another_call_is_refused_and_the_difference_named(tmp_path, change, words):
    call = {"augmenter": "cutout", "data": tiny.data(), "out": tmp_path}
    write_augmented(**call)
    before = content(tmp_path)
    with pytest.raises(UsageError) as caught:
        write_augmented(**call | change)
    assert words in str(caught.value)
    assert caught.value.code == 73
    assert content(tmp_path) == before


def test_a_folder_of_others_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        write_augmented("cutout", tiny.data(), tmp_path)


def test_what_cannot_be_done_is_refused_before_anything_is_written(tmp_path):
    mixup = learnaug.load_augmenter("mixup")
    with pytest.raises(UsageError, match="use cutmix"):
        write_augmented(mixup, masked(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    rarely = policy_of(Element("mixup", 1.0, p=0.01))
    with pytest.raises(UsageError, match="use cutmix"):
        write_augmented(rarely, masked(4), tmp_path / "out")
    stage = Stage(((Element("invert"),), ()), ((1.0, 0.0),), given="class")
    few = learnaug.methods.PolicyAugmenter(Policy((stage,), "one class"))
    with pytest.raises(UsageError, match="labels must be"):
        write_augmented(few, tiny.data(20), tmp_path / "out")
    assert not (tmp_path / "out").exists()
