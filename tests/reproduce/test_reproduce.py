"""`reproduce`: a small stand-in table from end to end, and the papers' tables as data."""

from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_method import Broken

import learnaug
from learnaug import reproduce, rundir
from learnaug.errors import DataError, RunError, UsageError
from learnaug.methods import METHODS, Row
from learnaug.reproduce.rows import Block, Line, Size, Source, Table
from learnaug.reproduce.sources import data_folder, pictures, place
from learnaug.seeds import Seeds
from learnaug.study import Interrupted, budget
from learnaug.training import Recipe

SIZE = Size(8, Recipe(epochs=1, batch_size=16), pool=30)
TINY = Block(
    "stripes",
    Source("stripes", "stripes", ("pack/stripes.npz",), differs="stripes are no dogs"),
    "b1",
    (
        Line("None", "none", 0.5),
        Line("Flips", "flip-crop", (0.6, 0.7)),
        Line("GANs", "", 0.9, "needs a GAN"),
        Line("Later", "no-such-method:k=3", None),
    ),
    SIZE,
    SIZE,
)
ELSEWHERE = replace(TINY, key="secret", source=Source("secret", "secret faces"))
TABLE = Table("stripes up or down", "a coin", (TINY, ELSEWHERE), ("tiny",))


def write(folder: Path, name: str = "pack/stripes.npz") -> None:
    """Write 80 pictures 10 x 10, bright above or below."""
    gen = Seeds(0).child("stripes").numpy()
    images = gen.integers(0, 120, (80, 10, 10)).astype(np.uint8)
    labels = np.arange(80) % 2
    images[labels == 0, :5] += 120
    images[labels == 1, 5:] += 120
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, x=images, y=labels)


@pytest.fixture
def stripes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., reproduce.Found]:
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"table-1": TABLE})
    write(tmp_path / "data")

    def run(out: str = "out", **more: Any) -> reproduce.Found:
        settings: dict[str, Any] = {"data": tmp_path / "data", "seeds": 3, "jobs": 1} | more
        return reproduce.run("stripes", "table-1", out=tmp_path / out, **settings)

    return run


def rows(found: reproduce.Found) -> dict[str, dict[str, Any]]:
    return {f"{row['block']} {row['name']}": row for row in found.to_json()["rows"]}


def test_the_figures_are_those_of_the_runs(stripes, tmp_path: Path) -> None:
    notes = []
    found = stripes(say=lambda e: notes.append(e.get("text", "")))
    told = rows(found)
    scores: dict[str, list[float]] = {"none": [], "flip-crop": []}
    best, gaps = [], {}
    for method, mine in scores.items():
        for seed in range(3):
            run = tmp_path / "out" / "stripes" / "runs" / method / f"seed-{seed}"
            with np.load(run / "test" / "predictions.npz") as test:
                mine.append(float((test["probabilities"].argmax(1) == test["labels"]).mean()))
                assert len(test["labels"]) == 8  # 30 of each class, 15 % of them sealed
            curve = (run / "train" / "log.jsonl").read_text()
            seen = [float(word) for word in re.findall(r'"valid_accuracy": ?([0-9.]+)', curve)]
            best.append((max(seen), seen[-1]))
            losses = re.findall(r'"valid_loss": ?([0-9.e-]+),"train_loss": ?([0-9.e-]+)', curve)
            gaps.setdefault(method, []).append(float(losses[-1][0]) - float(losses[-1][1]))
    none, flips = told["stripes None"], told["stripes Flips"]
    assert none["n"] == flips["n"] == 3
    assert none["scores"] == dict(zip("012", scores["none"], strict=True))
    assert flips["mean"] == pytest.approx(sum(scores["flip-crop"]) / 3)
    assert none["difference"] is None
    differences = np.subtract(scores["flip-crop"], scores["none"])
    # five cuts of one set: n_test / n_train is added to 1 / n; t(0.975, 2) = 4.302653
    half = 4.302653 * differences.std(ddof=1) * math.sqrt(1 / 3 + 8 / none["parts"]["train"])
    assert flips["difference"] == pytest.approx(differences.mean())
    assert flips["interval"] == pytest.approx(
        [differences.mean() - half, differences.mean() + half], rel=0.02, abs=1e-9
    )
    assert none["claimed"] == pytest.approx(np.mean([b for b, _ in best[:3]]))
    assert none["claimed_over_last"] == pytest.approx(np.mean([b - a for b, a in best[:3]]))
    for row, method in ((none, "none"), (flips, "flip-crop")):
        assert row["gap"] == pytest.approx(np.mean(gaps[method]))
        assert row["gap_sd"] == pytest.approx(np.std(gaps[method], ddof=1))
    assert any("runs take about" in note for note in notes)
    assert any("secret faces: its rows are left out, secret is not in" in note for note in notes)


def test_a_folder_is_read_again_without_a_run(stripes, tmp_path: Path) -> None:
    found = stripes(seeds=2)
    again = reproduce.read("stripes", "table-1", tmp_path / "out")
    assert again.to_json()["rows"][:2] == found.to_json()["rows"][:2]
    assert again.seeds == 2
    with pytest.raises(RunError, match="nothing of stripes table-1 was begun"):
        reproduce.read("stripes", "table-1", tmp_path / "elsewhere")


def test_one_total_is_said_before_the_first_run(
    stripes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both blocks are measured first, once; each says its share as it begins."""
    write(tmp_path / "data", "secret.npz")
    measured = []
    monkeypatch.setattr(
        budget, "estimate", lambda w, runs, *more: measured.append(len(runs)) or 3600.0 * len(runs)
    )
    events: list[dict[str, Any]] = []
    stripes(seeds=2, say=events.append)
    said = [e["text"] for e in events if e["event"] == "note" and "about" in e["text"]]
    assert measured == [4, 4]
    assert said[0].startswith("about 8.0 h in all: 2 blocks, 4 rows x 2 seeds, 8 runs not done yet")
    assert [text.partition(" (")[0] for text in said[1:]] == ["4 runs take about 4.0 h"] * 2
    kinds = [e["event"] if e["event"] != "note" else e["text"][:5] for e in events]
    assert kinds.index("about") < kinds.index("run-start")
    events.clear()
    stripes(seeds=2, say=events.append)
    assert not [e for e in events if "about" in e.get("text", "")]


def test_blocks_are_run_one_at_a_time(stripes, tmp_path: Path) -> None:
    """The others are shown as not run, and with their figures once they have some."""
    write(tmp_path / "data", "secret.npz")
    told = rows(stripes(seeds=1, only=["secret"]))
    assert told["secret Flips"]["n"] == 1
    assert told["stripes Flips"]["state"] == told["stripes GANs"]["state"] == "not run"
    assert not (tmp_path / "out" / "stripes").exists()
    both = rows(stripes(seeds=1, only=["stripes"]))
    assert both["stripes Flips"]["n"] == both["secret Flips"]["n"] == 1
    (tmp_path / "data" / "secret.npz").unlink()
    with pytest.raises(DataError, match="named secret into"):
        stripes("elsewhere", only=["secret"])
    with pytest.raises(UsageError) as caught:
        stripes(only=["stripe", "secret", "x"], scale="smal")
    for words in ("'stripe': did you mean stripes", "'x': known: stripes, secret", "scale 'smal'"):
        assert words in str(caught.value)


def test_a_second_method_has_differences_of_its_own(
    stripes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (*TINY.lines[:3], Line("Noise", "cutout"), Line("Later", "no-such-method"))
    block = replace(TINY, lines=lines, rival="flip-crop")
    without = replace(ELSEWHERE, lines=(Line("None", "none"),))
    table = replace(TABLE, blocks=(block, without))
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"table-1": table})
    found = stripes(seeds=3, only=["stripes"])
    told = {row["name"]: row for row in found.rows if row["block"] == "stripes"}
    scores = {name: np.array(list(told[name]["scores"].values())) for name in ("Flips", "Noise")}
    differences = scores["Noise"] - scores["Flips"]
    sizes = told["Noise"]["parts"]
    assert differences.any()
    half = 4.302653 * differences.std(ddof=1) * math.sqrt(1 / 3 + sizes["test"] / sizes["train"])
    mine = told["Noise"]["rival"]
    assert mine["method"] == "flip-crop"
    assert mine["difference"] == pytest.approx(differences.mean())
    assert mine["interval"][1] - mine["interval"][0] == pytest.approx(2 * half, rel=0.02)
    assert told["Flips"]["rival"] is None
    against = told["None"]["rival"]["difference"]
    assert against == pytest.approx(-told["Flips"]["difference"])
    page = found.to_markdown()
    assert "| difference to none, 95 % t interval | difference to flip-crop, 95 % t" in page
    assert f"| {100 * mine['difference']:+.1f} [" in page
    assert "## secret faces, net b1\n\nNot run: `--only secret`.\n" in page
    assert len({line.count("|") for line in page.splitlines() if line.startswith("|")}) == 1


def test_what_cannot_run_is_shown(stripes) -> None:
    found = stripes(seeds=1)
    told = rows(found)
    assert told["stripes GANs"]["state"] == told["stripes Later"]["state"] == "not built here"
    assert told["secret None"]["state"] == "no data: secret"
    assert told["stripes Flips"]["interval"] is None
    page = found.to_markdown()
    for words in (
        "| GANs (needs a GAN) | 90.0 ", "| 60.0 to 70.0 |", "not built here", "no data: secret",
        "stripes are no dogs", "- tiny", "Paper: a coin",
    ):  # fmt: skip
        assert words in page
    assert len({line.count("|") for line in page.splitlines() if line.startswith("|")}) == 1
    assert rundir.read_json(found.out / "table.json") == json.loads(json.dumps(found.to_json()))
    assert (found.out / "table.md").read_text("utf-8") == page


def test_a_stop_leaves_the_table_so_far_and_the_same_call_goes_on(stripes, tmp_path: Path) -> None:
    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "run-end":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        stripes("stopped", say=stop)
    told = rundir.read_json(tmp_path / "stopped" / "table.json")["rows"]
    assert [row["n"] for row in told[:2]] == [1, 0]
    assert told[0]["state"] == "running"
    again = stripes("stopped")
    timed = ("seconds", "seconds_ratio")
    assert again.to_json()["rows"] == [
        row | {key: again.rows[i][key] for key in timed}
        for i, row in enumerate(stripes("whole").to_json()["rows"])
    ]
    done = []
    stripes("stopped", say=lambda e: done.append(e["event"]))
    assert "run-start" not in done


def test_failed_runs_are_shown(stripes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "flip-crop", Row(lambda names: Broken(), ""))
    block = replace(TINY, lines=TINY.lines[:3])
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"table-1": replace(TABLE, blocks=(block,))})
    found = stripes(seeds=1)
    assert rows(found)["stripes Flips"]["errors"] == ["seed 0: TypeError: a fault"]
    assert "- Flips failed, seed 0: TypeError: a fault" in found.to_markdown()
    monkeypatch.setitem(METHODS, "none", METHODS["flip-crop"])
    with pytest.raises(RunError, match="all 2 runs failed"):
        stripes("all", seeds=1)


def test_a_joint_target_has_its_curve_in_the_log_of_the_learning(
    stripes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (Line("None", "none"), Line("Both", "flip-crop+smart-augmentation:k=3"))
    block = replace(TINY, lines=lines)
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"table-1": replace(TABLE, blocks=(block,))})
    row = rows(stripes(seeds=1))["stripes Both"]
    assert row["state"] == "done"
    assert 0 <= row["claimed"] <= 1
    assert row["claimed_over_last"] >= 0


def test_a_part_of_a_table_is_not_resumed_alone(stripes, tmp_path: Path) -> None:
    stripes(seeds=1)
    with pytest.raises(RunError, match="a part of a table"):
        learnaug.resume(tmp_path / "out" / "stripes")


def test_the_users_own_pictures_go_first(tmp_path: Path) -> None:
    source = TINY.source
    write(tmp_path)
    assert place(source, tmp_path) == tmp_path / "pack" / "stripes.npz"
    write(tmp_path, "stripes.npz")
    assert place(source, tmp_path) == tmp_path / "stripes.npz"
    holding = replace(source, name="pack", places=("pack/stripes.npz",))
    assert place(holding, tmp_path) == tmp_path / "pack" / "stripes.npz"
    drawn = pictures(source, tmp_path / "stripes.npz", replace(SIZE, side=6))
    assert drawn.size == (6, 6)
    assert np.bincount(drawn.labels).tolist() == [30, 30]
    assert set(drawn.parts) == {""}


def test_an_own_test_part_stays_whole(tmp_path: Path) -> None:
    x = Seeds(1).numpy().integers(0, 256, (60, 8, 8)).astype(np.uint8)
    y = np.arange(60) % 2
    np.savez(tmp_path / "s.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    source = Source("s", "s", own_test=True)
    drawn = pictures(source, tmp_path / "s.npz", replace(SIZE, pool=5))
    assert (drawn.parts == "test").sum() == 20
    assert (drawn.parts == "train").sum() == 10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("stripe", "table-1"), "did you mean stripes"),
        (("stripes", "table-2"), "did you mean table-1"),
        (("stripes", "table-1", "large"), "scale 'large'"),
    ],
)
def test_wrong_names(stripes, call: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        reproduce.run(*call[:2], scale="".join(call[2:]) or "small")  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_without_the_data(stripes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEARNAUG_DATA", raising=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        stripes(data=tmp_path / "empty")
    assert caught.value.code == 66
    for words in ("stripes: pack/stripes.npz is not in", "named stripes, secret", "LEARNAUG_DATA"):
        assert words in str(caught.value)
    with pytest.raises(UsageError, match="no folder"):
        stripes(data=tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("LEARNAUG_DATA", str(tmp_path / "data"))
    assert data_folder(None) == tmp_path / "data"
    monkeypatch.delenv("LEARNAUG_DATA")
    assert data_folder(None) == Path("../shared/data")


def test_no_gpu_is_said(stripes) -> None:
    notes: list[str] = []
    stripes("paper", scale="paper", seeds=1, device="cpu",
            say=lambda e: notes.append(e.get("text", "")))  # fmt: skip
    said = [note for note in notes if "no GPU" in note or "runs take about" in note]
    assert "no GPU is used" in said[0]
    assert said[1].startswith("2 runs take about")
