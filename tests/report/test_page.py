"""The page: safe, whole, true to the summary, the same every time."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import fake_folder
import numpy as np
import pytest
from fake_folder import World
from hostile import PAYLOADS
from page_reader import Page

from learnaug import rundir
from learnaug.errors import RunError, printable
from learnaug.report import build
from learnaug.report.charts import main_charts
from learnaug.report.collect import collect
from learnaug.report.page import PLACE, clean, command, points

CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def read(out: Path) -> Page:
    return Page(build(out).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_folder.make(tmp_path_factory.mktemp("runs") / "digits")


@pytest.fixture(scope="module")
def page(finished: Path) -> Page:
    return read(finished)


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Payloads as classes, methods, files, error, model, data name and command."""
    named = tuple(payload for payload in PAYLOADS if payload.isprintable())
    odd = tuple(p for p in PAYLOADS if p and "\udcff" not in p)
    world = World(
        methods=(
            "none",
            "trivialaugment",
            PAYLOADS[0],
            PAYLOADS[2],
            "_hidden",
            "$\\frac$",
            named[-4],
        ),
        classes=odd,
        candidate=PAYLOADS[0],
        name=PAYLOADS[4],
        command=PAYLOADS[5],
        error=" ".join(odd),
        model=PAYLOADS[8],
        places=odd,
        n_test=4 * len(odd),
        failing=PAYLOADS[2],
    )
    return fake_folder.make(tmp_path_factory.mktemp("runs") / "hostile", world)


@pytest.fixture(scope="module")
def hostile(hostile_folder: Path) -> Page:
    return read(hostile_folder)


# --- safe -------------------------------------------------------------------------------------


def test_there_are_forty_payloads() -> None:
    assert len(set(PAYLOADS)) >= 40


def test_hostile_names_stay_text(hostile: Page) -> None:
    assert hostile.live() == []
    assert "{{7*191}}" in hostile.text
    assert "1337" not in hostile.text


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if p and "\udcff" not in p])
def test_every_hostile_class_is_in_the_table(hostile: Page, payload: str) -> None:
    shown = [row[0] for row in hostile.table("Class")]
    assert any(cell == clean(payload) or cell == clean(payload).strip() for cell in shown)


def test_control_characters_are_shown_escaped(hostile: Page) -> None:
    assert "\\x1b]0;owned\\x07" in hostile.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", hostile.source)


def test_a_finished_page_is_safe_and_whole(page: Page) -> None:
    assert page.live() == []
    metas = [a for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert [m["content"] for m in metas] == [CSP]
    assert not re.search(r"https?://|file://|//[a-z]", re.sub(r"base64,[^\"]*", "", page.source))


def test_the_page_names_no_place_person_or_host(finished: Path, page: Page) -> None:
    assert str(finished) not in page.source
    assert not PLACE.search(page.text.replace("…/", ""))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /home/ann/x/a.png (0 bytes)", "cannot read …/a.png (0 bytes)"),
        ("'/home/ann lee/my data/a.png': broken", "'…/a.png': broken"),
        ("C:\\Users\\ann\\a.png", "…/a.png"),
        ("~/photos/cats", "…/cats"),
        ("file:///home/ann/a.png", "…/a.png"),
        ("cat/1.jpg and 3/4 and </style>", "cat/1.jpg and 3/4 and </style>"),
    ],
)
def test_absolute_places_lose_their_folders(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_the_command_keeps_only_last_names_of_places(finished: Path) -> None:
    from learnaug.report.collect import collect

    facts = collect(finished)
    given = 'learnaug compare "/home/ann lee/my photos/" --out=/tmp/run --seed 3'
    facts = replace(facts, plan=facts.plan | {"command": given})
    assert command(facts) == "learnaug compare 'my photos' --out=run --seed 3"


# --- true -------------------------------------------------------------------------------------


def test_every_planned_run_is_listed(finished: Path, page: Page) -> None:
    summary = rundir.read_json(rundir.summary_path(finished))
    rows = page.table("Method", "Seed")
    assert len(rows) == summary["runs"]["planned"] == 12 * 3 + 3 * 6
    assert sum(row[3] == "failed" for row in rows) == summary["runs"]["failed"] == 1
    (failed,) = [row for row in rows if row[3] == "failed"]
    assert failed[0] == "mixup"
    assert failed[6] == World().error
    assert "54 planned: 53 done, 1 failed, 0 missing" in page.text


def _seconds(out: Path, method: str, seed: int) -> float | None:
    status = rundir.read_json(rundir.status_path(rundir.run_folder(out, method, seed)))
    return sum(status["seconds"].values()) if status["state"] == "done" else None


def test_numbers_are_those_of_the_summary(finished: Path, page: Page) -> None:
    summary = rundir.read_json(rundir.summary_path(finished))
    rows = {(row[0], row[1].split(",")[0]): row for row in page.table("Method", "Stage, part")}
    assert len(rows) == len(summary["methods"])
    for arm in summary["methods"]:
        row = rows[arm["method"], arm["stage"]]
        assert row[2:4] == [str(len(arm["scores"])), f"{100 * arm['mean']:.1f}"]
        took = [_seconds(finished, arm["method"], seed) for seed in arm["seeds"]]
        assert row[7] == f"{median(one for one in took if one is not None):.1f} s"
        assert row[8] == (str(arm["failed"]) if arm["failed"] else "–")


def test_only_the_folder_of_a_comparison_has_a_page(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder") as missing:
        build(tmp_path)
    kinds = {"train": "one training", "learn": "one method learned", "pairs": "paper's table"}
    for kind, words in kinds.items():
        rundir.write_json(rundir.plan_path(tmp_path), {"kind": kind})
        with pytest.raises(RunError, match=words) as other:
            build(tmp_path)
        assert (missing.value.code, other.value.code) == (66, 66)
    assert not rundir.report_path(tmp_path).exists()


@pytest.mark.parametrize(("place", "field"), [(0, "verdict"), (1, "against_trivialaugment")])
def test_verdicts_are_those_of_the_summary(
    finished: Path, page: Page, place: int, field: str
) -> None:
    verdict = rundir.read_json(rundir.summary_path(finished))[field]
    row = page.table("Comparison")[place]
    assert row[:3] == [
        f"{verdict['candidate']} minus {verdict['baseline']}",
        str(verdict["pairs"]),
        points(verdict["difference"]),
    ]
    for cell, ends in zip(row[3:5], (verdict["interval"], verdict["image_interval"]), strict=True):
        assert cell == f"{points(ends[0])} to {points(ends[1])}"
    assert row[5] == f"{verdict['p']:.3f}"
    assert on_page(verdict["words"]) in page.text


def on_page(words: str) -> str:
    """Return words with the minus sign that the page's figures have."""
    return words.replace("-0.", "−0.").replace("-1.", "−1.").replace("-2.", "−2.")


def test_pairs_in_the_figure_are_score_differences(finished: Path, page: Page) -> None:
    for seed in World().confirm_seeds:
        one, other = (
            rundir.read_json(rundir.metrics_path(rundir.run_folder(finished, name, seed)))[
                "accuracy"
            ]
            for name in ("aws", "none")
        )
        assert points(one - other) in page.text


def test_class_changes_equal_the_mean_of_the_runs(finished: Path, page: Page) -> None:
    by_class = {
        name: np.mean(
            [
                [
                    rundir.read_json(rundir.metrics_path(rundir.run_folder(finished, m, s)))
                    ["per_class"][name]
                    for s in World().confirm_seeds
                ]
                for m in ("none", "aws")
            ],
            axis=1,
        )
        for name in World().classes
    }  # fmt: skip
    rows = page.table("Class")
    assert len(rows) == len(by_class)
    for row in rows:
        base, mine = by_class[row[0]]
        assert row[1:5] == ["36", f"{100 * base:.1f}", f"{100 * mine:.1f}", points(mine - base)]


def test_claims_stand_in_the_verdict_only(finished: Path, page: Page) -> None:
    summary = rundir.read_json(rundir.summary_path(finished))
    rest = page.text
    for field in ("verdict", "against_trivialaugment"):
        rest = rest.replace(on_page(summary[field]["words"]), "")
    assert not re.search(r"\b(significan\w+|prov(e[ns]?|ed)|better|superior|best)\b", rest, re.I)


def test_the_facts_that_are_always_printed(page: Page) -> None:
    for fact in (
        "Methods screened (K)12", "Pairs in the confirm stage (n)6", "Failed runs1 of 54",
        "screen 0, 1, 2; confirm (fresh) 3, 4, 5, 6, 7, 8", "last epoch of 30",
        "Highest minus last epoch, validation", "c0ffee", "360 / 360 / 360", "5f5f",
        "learnaug compare digits aws cutmix", "torch", "near",
    ):  # fmt: skip
        assert fact in page.text


def test_a_learned_candidate_is_held_against_the_random_policy(page: Page) -> None:
    assert "uniform random policy" in page.text


def test_a_fixed_candidate_is_not(small: Path) -> None:
    found = read(small)
    assert "uniform random policy" not in found.text
    assert len(found.table("Comparison")) == 1


def test_figures_have_names(page: Page) -> None:
    figures = [a for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert len(figures) >= 8
    assert all(figure["aria-label"] for figure in figures)
    images = [a for tag, a in page.tags if tag == "img"]
    assert len(images) == 2 * (1 + len(World().methods))
    assert all(image["alt"] for image in images)


# --- unfinished and damaged -------------------------------------------------------------------


def test_a_plan_alone_lists_every_run_as_missing(finished: Path, tmp_path: Path) -> None:
    shutil.copy(rundir.plan_path(finished), rundir.plan_path(tmp_path))
    found = read(tmp_path)
    rows = found.table("Method", "Seed")
    assert len(rows) == 36
    assert {row[3] for row in rows} == {"missing"}
    assert "36 of 36 planned runs are not finished" in found.text
    assert "no verdict yet" in found.text


def test_a_comparison_with_missing_runs_is_to_be_resumed(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "out")
    rundir.status_path(rundir.run_folder(tmp_path / "out", "none", 8)).unlink()
    assert "learnaug resume" in read(tmp_path / "out").text
    assert "learnaug resume" not in read(finished).text


def test_curves_end_where_the_screen_stage_compared(finished: Path) -> None:
    facts = collect(finished)
    runs = tuple(replace(run, log=()) if run.stage == "confirm" else run for run in facts.runs)
    screened = main_charts(replace(facts, runs=runs))
    assert main_charts(facts)["curves"] == screened["curves"]


def test_an_interrupted_confirm_stage(finished: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "half")
    rundir.summary_path(out).unlink()
    for seed in (6, 7, 8):
        shutil.rmtree(rundir.run_folder(out, "aws", seed))
    found = read(out)
    rows = found.table("Method", "Seed")
    assert "summary.json is not there yet" in found.text
    assert len([row for row in rows if row[2].startswith("confirm")]) == 15
    assert found.live() == []


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"\xff"])
def test_damaged_files_are_gaps(small: Path, tmp_path: Path, content: bytes) -> None:
    out = shutil.copytree(small, tmp_path / "damaged")
    for path in (rundir.summary_path, rundir.plan_path, rundir.check_path):
        path(out).write_bytes(content)
    assert "no verdict yet" in read(out).text


@pytest.mark.parametrize(
    "place", [rundir.summary_path, rundir.plan_path, rundir.check_path, rundir.split_path]
)
@pytest.mark.parametrize("junk", [3, "x", [], [[1]], {"a": [None]}])
def test_fields_of_the_wrong_kind_are_left_out(
    small: Path, tmp_path: Path, place: Callable[[Path], Path], junk: object
) -> None:
    out = tmp_path / "plain"
    for path in (rundir.summary_path, rundir.plan_path, rundir.check_path, rundir.split_path):
        content = rundir.read_json(path(small))
        if path is place:
            content = dict.fromkeys(content, junk)
        rundir.write_json(path(out), content)
    assert read(out).live() == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One method against the baseline."""
    world = World(
        methods=("none", "uniform", "cutout"), candidate="cutout", seeds=(0,), n_test=60, failing=""
    )
    return fake_folder.make(tmp_path_factory.mktemp("runs") / "small", world, learned=False)


def test_damaged_runs_are_gaps(small: Path, tmp_path: Path) -> None:
    out = shutil.copytree(small, tmp_path / "damaged")
    run = rundir.run_folder(out, "cutout", 3)
    for path in (
        rundir.metrics_path(run),
        rundir.predictions_path(run),
        rundir.samples_path(out, "none"),
    ):
        path.write_bytes(path.read_bytes()[:-7])
    rundir.status_path(rundir.run_folder(out, "none", 0)).write_text("{")
    found = read(out)
    assert "cannot be read" in found.text
    assert len(found.table("Method", "Seed")) == 3 + 12


# --- the same every time, small and quick -----------------------------------------------------


def test_the_same_folder_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    first = build(small).read_bytes()
    elsewhere = shutil.copytree(small, tmp_path / "another name")
    assert build(elsewhere).read_bytes() == first


def test_a_page_of_many_noisy_pictures_stays_small(small: Path, tmp_path: Path) -> None:
    out = shutil.copytree(small, tmp_path / "large")
    gen = np.random.default_rng(0)
    noise = gen.integers(0, 256, (3, 8, 3, 224, 224), dtype=np.uint8)
    methods = ["none", "cutout", *(f"method-{i}" for i in range(10))]
    for name in ("original", *methods):
        rundir.write_arrays(rundir.samples_path(out, name), images=noise)
    plan = rundir.read_json(rundir.plan_path(out)) | {"methods": methods}
    rundir.write_json(rundir.plan_path(out), plan)
    assert build(out).stat().st_size < 3_000_000


def test_printable_is_what_the_page_uses() -> None:
    assert clean("\x1b") == printable("\x1b") == "\\x1b"
