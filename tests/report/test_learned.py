"""What was learned, on the page: pictures, overfitting, curves of jointly trained targets."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import PAYLOADS
from page_reader import Page
from scipy import stats

from learnaug import rundir
from learnaug.methods import Gallery
from learnaug.methods.gallery import write
from learnaug.report import build, write_pictures
from learnaug.report.charts import main_charts
from learnaug.report.collect import collect
from learnaug.report.learned import grids
from learnaug.report.page import clean
from learnaug.seeds import Seeds

ODD = tuple(p for p in PAYLOADS if p and "\udcff" not in p)


def gallery(title: str = "Merged", side: int = 8, channels: int = 1, **more: Any) -> Gallery:
    rows = more.pop("rows", ("cat", "dog"))
    columns = more.pop("columns", ("input", "merged", "target"))
    shape = (len(rows), len(columns), channels, side, side)
    images = Seeds(1).child(title).numpy().integers(0, 256, shape, dtype=np.uint8)
    return Gallery(title, more.pop("words", "Read it so: 3 of 4."), rows, columns, images)


def read(out: Path) -> Page:
    return Page(build(out).read_text(encoding="utf-8"))


# --- galleries ------------------------------------------------------------------------------------


def test_a_folder_without_galleries_has_no_section(plain: Path) -> None:
    found = read(plain)
    assert "What was learned" not in found.text
    assert "Overfitting" not in found.text
    assert collect(plain).galleries == {}


def test_galleries_are_shown_between_curves_and_samples(out: Path) -> None:
    shown = [gallery(), gallery("Nearest real picture", words="Of 64 merged pictures 12.")]
    write(rundir.run_folder(out, "cutout", 1), shown)
    write(rundir.run_folder(out, "cutout", 2), [gallery("of a later run")])
    write(rundir.run_folder(out, "uniform", 0), [gallery("of another method")])
    found = read(out)
    assert found.live() == []
    ids = [a["id"] for tag, a in found.tags if tag == "section"]
    assert ids[ids.index("learned") - 1 : ids.index("learned") + 2] == [
        "curves", "learned", "pictures",
    ]  # fmt: skip
    assert [a["href"] for tag, a in found.tags if tag == "a"].count("#learned") == 1
    for words in ("Merged", "Nearest real picture", "Of 64 merged pictures 12.", "cat", "target"):
        assert words in found.text
    assert "of a later run" not in found.text
    assert found.text.index("Of 64") < found.text.index("of another method")  # candidate first
    images = [a for tag, a in found.tags if tag == "img" and a["alt"].startswith("Merged")]
    assert [a["alt"] for a in images] == ["Merged: cat", "Merged: dog"]
    assert all(a["src"].startswith("data:image/png") for a in images)
    assert all((a["width"], a["class"]) == ("30", "pixelated") for a in images)


def test_pictures_on_the_page_are_those_of_the_gallery() -> None:
    import base64
    import io

    from PIL import Image

    one = gallery(side=9, channels=3)
    (_, (grid,)) = grids({"m": [one]}).shown[0]
    for row, (name, sheet) in enumerate(grid.strips):
        assert name == one.rows[row]
        data = base64.b64decode(sheet.address.partition(",")[2])
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        for column in range(3):
            cell = pixels[:, 12 * column : 12 * column + 9]
            assert np.array_equal(cell, one.images[row, column].transpose(1, 2, 0))


def test_hostile_names_are_escaped(out: Path, tmp_path: Path) -> None:
    odd = gallery("".join(ODD[2:5]), rows=ODD, columns=ODD[:7], words=" ".join(ODD[:30]))
    write(rundir.run_folder(out, "cutout", 0), [odd])
    write_pictures(tmp_path / "pictures.html", ODD[1], ODD[2], [odd])
    for found in (read(out), Page((tmp_path / "pictures.html").read_text("utf-8"))):
        assert found.live() == []
        assert "1337" not in found.text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", found.source)
        alts = [a["alt"] for tag, a in found.tags if tag == "img" and a["alt"].count(": ")]
        assert len([a for a in alts if a.startswith(str(clean(odd.title)))]) == len(ODD)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe"])
def test_a_damaged_gallery_is_a_gap(out: Path, suffix: Any, content: bytes | None) -> None:
    write(rundir.run_folder(out, "cutout", 0), [gallery()])
    write(rundir.run_folder(out, "uniform", 0), [gallery("whole")])
    path = rundir.galleries_path(rundir.run_folder(out, "cutout", 0), suffix)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    found = read(out)
    assert "whole" in found.text
    if (suffix, content) != (".json", None):  # without its words nothing was ever kept
        assert re.search(r"galleries\.(json|npz) .*", found.text)
        assert "What is missing from this folder" in found.text


def test_the_page_is_a_function_of_the_folder(out: Path, tmp_path: Path) -> None:
    write(rundir.run_folder(out, "cutout", 0), [gallery(side=70, channels=3)])
    first = build(out).read_bytes()
    assert build(shutil.copytree(out, tmp_path / "again")).read_bytes() == first


def test_many_noisy_galleries_stay_small_and_what_is_left_out_is_said(out: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 8, 3, 224, 224), dtype=np.uint8)
    methods = ["none", "cutout", "uniform", *(f"method-{i}" for i in range(9))]
    for name in ("original", *methods):
        rundir.write_arrays(rundir.samples_path(out, name), images=noise)
    plan = rundir.read_json(rundir.plan_path(out)) | {"methods": methods}
    rundir.write_json(rundir.plan_path(out), plan)
    names = tuple("abcdef")
    for method in methods[:3]:
        large = [
            gallery(f"{method} {i}", 128, 3, rows=names, columns=(*names, "g")) for i in range(3)
        ]
        write(rundir.run_folder(out, method, 0), large)
    page = build(out)
    assert page.stat().st_size < 3_000_000
    found = Page(page.read_text("utf-8"))
    assert found.text.count("Left out to keep the page small") == 1
    said = found.text[found.text.index("Left out to keep") :][:400]
    kept = [f"{m} {i}" for m in methods[:3] for i in range(3) if f"({m} {i})" not in said]
    shown = {a["alt"].partition(":")[0] for tag, a in found.tags if tag == "img"}
    assert set(kept) <= shown
    assert 1 <= len(kept) < 9


def test_a_page_of_pictures_alone(tmp_path: Path) -> None:
    path = tmp_path / "pictures.html"
    assert write_pictures(path, "merge", "digits", []) is None
    assert not path.exists()
    assert write_pictures(path, "merge", "digits", [gallery(), gallery("Second")]) == path
    found = Page(path.read_text("utf-8"))
    assert found.source.startswith("<!doctype html>")
    assert found.live() == []
    assert "merge on digits" in found.text
    assert len([1 for tag, _ in found.tags if tag == "img"]) == 4


# --- overfitting and curves -----------------------------------------------------------------------


def log_losses(out: Path) -> dict[str, np.ndarray]:
    """Give every run of the screen stage both losses; return method -> [seeds, (train, valid)]."""
    gen, given = Seeds(5).numpy(), {}
    for method in ("none", "uniform", "cutout"):
        given[method] = gen.random((3, 2)) + np.array([0, 0.5])
        for seed in range(3):
            path = rundir.log_path(rundir.run_folder(out, method, seed), "train")
            rows = rundir.read_records(path)
            for row in rows:
                row |= {"train_loss": 9.0, "valid_loss": 1.0}
            train, valid = given[method][seed]
            rows[-1] |= {"train_loss": train, "valid_loss": valid}
            rundir.write_records(path, rows)
    return given


def t_interval(values: np.ndarray) -> str:
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return f"{low:+.3f} to {high:+.3f}".replace("-", "−")


def test_the_overfitting_gap_is_that_of_the_last_row(out: Path) -> None:
    given = log_losses(out)
    rows = {row[0]: row for row in read(out).table("Method", "n", "Training loss")}
    assert rows.keys() == given.keys()
    gaps = {method: losses[:, 1] - losses[:, 0] for method, losses in given.items()}
    for method, losses in given.items():
        mean = f"{gaps[method].mean():+.3f}".replace("-", "−")
        expected = ["3", f"{losses[:, 0].mean():.3f}", f"{losses[:, 1].mean():.3f}", mean]
        assert rows[method][1:6] == [*expected, t_interval(gaps[method])]
        if method != "none":
            change = gaps[method] - gaps["none"]
            shown = f"{change.mean():+.3f}".replace("-", "−")
            assert rows[method][6:] == [shown, t_interval(change)]
    assert rows["none"][6:] == ["–", "–"]
    order = list(rows)
    assert order == sorted(order, key=lambda method: gaps[method].mean())


def test_runs_without_both_losses_do_not_count(out: Path) -> None:
    log_losses(out)
    path = rundir.log_path(rundir.run_folder(out, "cutout", 1), "train")
    rundir.write_records(path, [{**row, "train_loss": None} for row in rundir.read_records(path)])
    status = rundir.status_path(rundir.run_folder(out, "uniform", 0))
    rundir.write_json(status, rundir.read_json(status) | {"state": "failed"})
    rows = {row[0]: row[1] for row in read(out).table("Method", "n", "Training loss")}
    assert rows == {"none": "3", "uniform": "2", "cutout": "2"}


def test_a_jointly_trained_target_has_its_curve(out: Path) -> None:
    """Its rows lie in the log of the learning; what the target descends along is `loss_b`."""
    before = main_charts(collect(out))["curves"]
    for seed in range(3):
        run = rundir.run_folder(out, "cutout", seed)
        rows = rundir.read_records(rundir.log_path(run, "train"))
        told = [{**row, "loss_b": row["loss"], "loss": 77.0} for row in rows]
        rundir.log_path(run, "train").unlink()
        rundir.write_records(run / "learn" / "member-1.jsonl", told)
        rundir.write_records(run / "learn" / "member-0.jsonl", [{"update": 1, "reward": 0.5}])
    facts = collect(out)
    assert all(len(run.log) == 12 for run in facts.of("cutout", "screen"))
    assert main_charts(facts)["curves"] == before
    unfinished = rundir.status_path(rundir.run_folder(out, "cutout", 0))
    rundir.write_json(unfinished, rundir.read_json(unfinished) | {"state": "running"})
    assert collect(out).of("cutout", "screen")[0].log == ()


def test_losses_of_one_run_have_no_interval(out: Path) -> None:
    log_losses(out)
    facts = collect(out)
    alone = replace(facts, runs=tuple(r for r in facts.runs if r.seed == 0))
    from learnaug.report.overfit import overfits

    rows = overfits(alone)
    assert [row.n for row in rows] == [1, 1, 1]
    assert all(row.interval is None and row.difference_interval is None for row in rows)
