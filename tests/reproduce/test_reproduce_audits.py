"""Tables of safe operations, and pictures in torchvision's own layout."""

from __future__ import annotations

import hashlib
import json
import pickle
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_method import Broken
from scipy.io import savemat
from torchvision import datasets

from learnaug import reproduce, rundir
from learnaug.errors import DataError, RunError, UsageError
from learnaug.methods import METHODS, Row
from learnaug.reproduce.rows import Audit, AuditTable, Size, Source
from learnaug.reproduce.sources import absence, pictures, place
from learnaug.seeds import Seeds
from learnaug.study import Interrupted
from learnaug.training import Recipe

OPS = "safe-augmentation:ops=hflip/invert,folds=2,epochs=1,pictures=120,judged=120"
SIZE = Size(8, Recipe(epochs=1, batch_size=16))
SOURCE = Source("stripes", "stripes")
BLOCK = Audit("stripes", SOURCE, OPS, ("hflip",), ("hflip", "blur"), SIZE, SIZE)
ELSEWHERE = replace(BLOCK, key="secret", source=Source("secret", "secret faces"))
TABLE = AuditTable("stripes", "by eye", (BLOCK, ELSEWHERE), ("tiny",))


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., reproduce.Found]:
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"sets": TABLE})
    gen = Seeds(0).child("stripes").numpy()
    images = gen.integers(0, 256, (160, 8, 8)).astype(np.uint8)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "stripes.npz", x=images, y=np.arange(160) % 2)

    def run(out: str = "out", **more: Any) -> reproduce.Found:
        settings: dict[str, Any] = {"data": tmp_path / "data", "seeds": 2, "device": "cpu"} | more
        return reproduce.run("stripes", "sets", out=tmp_path / out, **settings)

    return run


def test_verdicts_are_counted_over_the_audits(audited, tmp_path: Path) -> None:
    notes: list[str] = []
    found = audited(say=lambda e: notes.append(e.get("text", "")))
    told = {row["name"]: row for row in found.rows if row["block"] == "stripes"}
    assert list(told) == ["hflip", "blur", "invert"]
    for name in ("hflip", "invert"):
        seen: Counter[str] = Counter()
        for seed in range(2):
            file = tmp_path / "out" / "stripes" / f"seed-{seed}" / "augmenter" / "augmenter.json"
            findings = json.loads(file.read_text("utf-8"))["audit"]["findings"]
            seen.update(each["verdict"] for each in findings if each["name"] == name)
        assert {k: v for k, v in told[name]["verdicts"].items() if v} == dict(seen)
        assert told[name]["n"] == seen.total() == 2
        assert told[name]["state"] == "done"
    assert [told[name]["paper"] for name in told] == ["safe", "not safe", None]
    assert (told["blur"]["n"], sum(told["blur"]["verdicts"].values())) == (0, 0)
    plans = [
        json.loads((tmp_path / "out" / "stripes" / f"seed-{seed}" / "plan.json").read_text())
        for seed in range(2)
    ]
    assert [plan["seed"] for plan in plans] == [0, 1]
    assert any("secret faces: its rows are left out" in note for note in notes)
    page = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert page == found.to_markdown()
    for words in ("## stripes, 2 audits", "| invert    | –        |", "no data: secret", "- tiny"):
        assert words in page
    assert rundir.read_json(tmp_path / "out" / "table.json")["rows"] == found.rows


def test_audits_that_are_done_are_not_run_again(audited, tmp_path: Path) -> None:
    done = audited(seeds=1)
    file = tmp_path / "out" / "stripes" / "seed-0" / "augmenter" / "augmenter.json"
    before = file.stat().st_mtime_ns
    log = (tmp_path / "out" / "stripes" / "seed-0").rglob("log.jsonl")
    lines = {path: path.read_text() for path in log}
    more = audited(seeds=2)
    assert {path: path.read_text() for path in lines} == lines
    assert before <= file.stat().st_mtime_ns
    assert [row["n"] for row in more.rows[:3]] == [2, 0, 2]
    again = reproduce.read("stripes", "sets", tmp_path / "out")
    assert (again.rows, again.seeds) == (
        [row | {"state": row["state"].replace("no data: secret", "not run")} for row in more.rows],
        2,
    )
    assert done.rows != more.rows
    with pytest.raises(RunError, match="nothing of stripes sets was begun"):
        reproduce.read("stripes", "sets", tmp_path / "elsewhere")


def test_a_stop_writes_the_table_so_far(audited, tmp_path: Path) -> None:
    def stop(event: dict[str, Any]) -> None:
        if event.get("text", "").startswith("stripes, seed 0"):
            stopping.append(True)
        if stopping and event["event"] == "run-start":
            signal.raise_signal(signal.SIGINT)

    stopping: list[bool] = []
    with pytest.raises(Interrupted):
        audited(say=stop)
    told = rundir.read_json(tmp_path / "out" / "table.json")["rows"]
    assert (told[0]["n"], told[0]["state"]) == (1, "running")
    assert audited().rows[0]["n"] == 2


def test_a_failed_audit_is_shown(audited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "flip-crop", Row(lambda names: Broken(), ""))
    broken = replace(BLOCK, method="flip-crop")
    table = replace(TABLE, blocks=(broken, replace(BLOCK, key="good")))
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"sets": table})
    found = audited(seeds=1)
    assert "- the audit of seed 0 failed: TypeError: a fault" in found.to_markdown()
    assert found.rows[0]["state"] == "failed"
    assert [row["n"] for row in found.rows] == [0, 0, 1, 0, 1]
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"sets": replace(TABLE, blocks=(broken,))})
    with pytest.raises(RunError, match="all 1 runs failed"):
        audited("all", seeds=1)
    with pytest.raises(UsageError, match="block 'goo'"):
        audited("none", only=["goo"])


# --- torchvision's layouts


def files_of(kind: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell torchvision the checksums of the files that lie there."""
    for name in ("train_list", "test_list"):
        if hasattr(kind, name):
            sums = [[file, digest(root / kind.base_folder / file)] for file, _ in lists(kind, name)]
            monkeypatch.setattr(kind, name, sums)


def lists(kind: Any, name: str) -> list[list[str]]:
    return list(getattr(kind, name))


def digest(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def cifar100(root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write 40 training and 20 test pictures as torchvision lays CIFAR-100 out."""
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    pixels = Seeds(3).numpy().integers(0, 256, (60, 3072)).astype(np.uint8)
    for name, rows in (("train", slice(0, 40)), ("test", slice(40, 60))):
        labels = (np.arange(60)[rows] % 2).tolist()
        content = {"data": pixels[rows], "fine_labels": labels}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": ["apple", "bear"]}))
    files_of(datasets.CIFAR100, root, monkeypatch)
    meta = datasets.CIFAR100.meta | {"md5": digest(folder / "meta")}
    monkeypatch.setattr(datasets.CIFAR100, "meta", meta)
    return pixels.reshape(60, 3, 32, 32)


def svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write 40 training and 20 test digits as torchvision lays SVHN out; 0 is 10 there."""
    root.mkdir(parents=True, exist_ok=True)
    pixels = Seeds(4).numpy().integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    sums = {}
    for part, rows in (("train", slice(0, 40)), ("test", slice(40, 60))):
        labels = np.where(np.arange(60)[rows] % 2, 1, 10)[:, None]
        file = root / f"{part}_32x32.mat"
        savemat(file, {"X": pixels[rows].transpose(1, 2, 3, 0), "y": labels})
        sums[part] = ["", file.name, digest(file)]
    monkeypatch.setattr(datasets.SVHN, "split_list", sums)
    return pixels.transpose(0, 3, 1, 2)


def source_of(table: str) -> Source:
    return reproduce.PAPERS["safe-augmentation"][table].blocks[0].source


@pytest.mark.parametrize(
    ("table", "write", "inside"),
    [("table-5.4", cifar100, ""), ("table-5.4", cifar100, "cifar100"), ("table-5.5", svhn, "")],
)
def test_torchvisions_files_are_read(
    table: str, write: Any, inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = write(tmp_path / inside, monkeypatch)
    source = source_of(table)
    path = place(source, tmp_path)
    assert path == tmp_path / inside / source.layout
    data = pictures(source, path, replace(SIZE, side=32))
    assert (data.images == pixels).all()
    assert (data.labels == np.arange(60) % 2).all()
    assert data.parts.tolist() == ["train"] * 40 + ["test"] * 20
    if write is cifar100:
        assert data.classes == ("apple", "bear")
    drawn = pictures(source, path, replace(SIZE, pool=5))
    assert (drawn.size, Counter(drawn.parts.tolist())) == ((8, 8), {"train": 10, "test": 20})


@pytest.mark.parametrize("folder", ["plain", "it's $HOME"])
def test_a_damaged_or_missing_set_says_how_to_get_it(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is downloaded; the line that is said is Python that would."""
    tmp_path /= folder
    tmp_path.mkdir()
    with pytest.raises(DataError) as caught:
        reproduce.run("safe-augmentation", "table-5.5", data=tmp_path, out=tmp_path / "out")
    assert caught.value.code == 66
    line = absence(source_of("table-5.5"), tmp_path)
    assert line in str(caught.value)
    asked = subprocess.run(
        ["bash", "-c", "python() { printf '%s' \"$2\"; }; " + line.split(": ", 1)[1]],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(datasets, "SVHN", lambda root, **k: calls.append({"root": root} | k))
    exec(compile(asked, "line", "exec"), {})
    assert calls == [
        {"root": str(tmp_path), "download": True, "split": part} for part in ("train", "test")
    ]
    monkeypatch.undo()
    svhn(tmp_path, monkeypatch)
    (tmp_path / "test_32x32.mat").unlink()
    monkeypatch.setattr(datasets.svhn, "download_url", lambda *a, **k: pytest.fail("a download"))
    source = source_of("table-5.5")
    with pytest.raises(DataError, match="torchvision cannot read SVHN"):
        pictures(source, tmp_path / source.layout, SIZE)
