"""The audit of operations on the page: the plane of two rates, the table, several runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import PAYLOADS
from page_reader import Page

import learnaug
from learnaug import rundir
from learnaug.methods.safe.words import ORDER
from learnaug.report import audit_in, build, write_pictures
from learnaug.report.audits import audit_of
from learnaug.report.plane import VERDICTS

SHAPES = ("safe", "safe in part", "undecided", "no effect", "unsafe")


def rate(share: float, half: float = 0.05) -> dict[str, float]:
    return {"share": share, "low": max(0, share - half), "high": min(1, share + half), "n": 90}


def finding(name: str, verdict: str, hit: float, false: float, rank: float) -> dict[str, Any]:
    return {
        "name": name, "does": f"{name} whole", "verdict": verdict, "why": f"why of {name}",
        "kept": f"{name} less" if "safe" in verdict[:4] else None, "not_for": [],
        "rank": rate(rank), "false": rate(false), "hit": rate(hit), "accuracy": rate(0.9),
        "effect": {"grey_levels": 12.25, "features": 0.5}, "moves": [], "parts": [],
    }  # fmt: skip


FOUND = [
    finding("blur", "unsafe", 0.93, 0.02, 0.99),
    finding("hflip", "safe", 0.11, 0.08, 0.52),
    finding("rotate", "safe in part", 0.41, 0.13, 0.8),
    finding("noise", "safe", 0.3, 0.21, 0.51),
    finding("grey", "no effect", 0.05, 0.055, 0.5),
    finding("crop", "undecided", 0.62, 0.31, 0.74),
]
ORDERED = ["noise", "hflip", "rotate", "crop", "grey", "blur"]


def audit(findings: list[dict[str, Any]] | None = None, **settings: Any) -> dict[str, Any]:
    rules = {"rule": "intervals", "limit": 0.75, "most_hit": 0.5, "most_false": 0.05}
    clash = {"pair": ["noise", "grey"], "why": "noise already does it", "dropped": "grey"}
    return {
        "settings": rules | settings, "pictures": 1234, "classes": ["a", "b"],
        "clean_accuracy": rate(0.95), "findings": FOUND if findings is None else findings,
        "dropped": [clash], "lines": [],
    }  # fmt: skip


def keep(out: Path, method: str, seed: int, content: dict[str, Any], *members: str) -> Path:
    """Write an augmenter with this audit into a run, below chains as deep as there are members."""
    folder = rundir.augmenter_folder(rundir.run_folder(out, method, seed))
    for member in members:
        several = [str(i) for i in range(int(member) + 1)]
        for i in several[:-1]:
            rundir.write_json(folder / i / "augmenter.json", {"format": "learnaug-policy"})
        chain = {"format": "learnaug-chain", "version": 1, "members": several}
        rundir.write_json(folder / "augmenter.json", chain)
        folder = folder / member
    file = {"format": "learnaug-safe", "version": 1, "audit": content}
    rundir.write_json(folder / "augmenter.json", file)
    return folder / "augmenter.json"


def read(out: Path) -> Page:
    return Page(build(out).read_text(encoding="utf-8"))


# --- the plane of two rates -----------------------------------------------------------------------


def ends(svg: str) -> tuple[Any, Any]:
    """Return functions from places in the drawing to percent, by the numbers at the ticks."""
    text = r'text-anchor: (middle|end)[^>]*? x="([\d.]+)" y="([\d.]+)"[^>]*>(\d+)</text>'
    xs, ys = [], []
    for anchor, x, y, number in re.findall(text, svg):
        (xs if anchor == "middle" else ys).append(
            (float(x if anchor == "middle" else y), int(number))
        )
    # A tick's number stands some pixels below its tick; its grid line does not.
    lines = re.findall(r"M [\d.]+ ([\d.]+) \nL [\d.]+ ([\d.]+) \n\" clip-path", svg)
    level = sorted({float(y) for y, again in lines if y == again}, reverse=True)
    to_x = np.polyfit(*np.array(xs).T, 1)
    to_y = np.polyfit(level, sorted(number for _, number in ys), 1)
    return (lambda x: np.polyval(to_x, x)), (lambda y: np.polyval(to_y, y))


def test_the_points_stand_where_the_audit_says() -> None:
    found = audit_of("m", [(0, audit())])
    assert found is not None
    assert found.chart is not None
    svg = found.chart.svg
    to_x, to_y = ends(svg)
    use = r'<use href="#(\w+)" x="([\d.]+)" y="([\d.]+)" style="fill: (var\([-\w]+\))"/>'
    marks = re.findall(use, svg)
    told = {finding["name"]: finding for finding in FOUND}
    shapes: dict[str, set[tuple[str, str]]] = {}
    for name, (shape, x, y, colour) in zip(ORDERED, marks, strict=False):
        one = told[name]
        assert to_x(float(x)) == pytest.approx(100 * one["false"]["share"], abs=0.02)
        assert to_y(float(y)) == pytest.approx(100 * one["hit"]["share"], abs=0.1)
        shapes.setdefault(one["verdict"], set()).add((shape, colour))
    assert all(len(kinds) == 1 for kinds in shapes.values())
    assert len({shape for kinds in shapes.values() for shape, _ in kinds}) == 5
    assert len({colour for kinds in shapes.values() for _, colour in kinds}) == 5
    assert len(marks) == len(FOUND) + 5  # and a mark for each verdict in the key
    line = r"M ([\d.]+) ([\d.]+) \nL ([\d.]+) ([\d.]+) \n"
    line += r"\" style=\"fill: none; stroke: var\(--\w+\); stroke-linecap"
    lines = np.array(re.findall(line, svg), float)[: 2 * len(FOUND)]
    for name, (across, up) in zip(ORDERED, lines.reshape(-1, 2, 4), strict=True):
        one = told[name]
        for key, found_ends in (("false", to_x(across[[0, 2]])), ("hit", to_y(up[[1, 3]]))):
            expected = [100 * one[key][end] for end in ("low", "high")]
            assert found_ends == pytest.approx(expected, abs=0.1)
    for word in (*ORDERED, *SHAPES):
        assert f">{word}</text>" in svg


def test_the_thesis_rule_has_its_limits_drawn() -> None:
    by = {rule: audit_of("m", [(0, audit(rule=rule))]) for rule in ("intervals", "thesis")}
    dotted = {rule: one.chart.svg.count("stroke-dasharray: 1,") for rule, one in by.items()}  # type: ignore[union-attr]
    assert dotted == {"intervals": 0, "thesis": 2}
    assert "Dotted" in by["thesis"].chart.caption  # type: ignore[union-attr]


def test_the_page_and_the_audit_have_one_order_of_verdicts() -> None:
    assert tuple(VERDICTS) == ORDER


# --- the section ----------------------------------------------------------------------------------


def test_a_folder_without_audits_has_no_section(plain: Path) -> None:
    assert "Which operations leave" not in read(plain).text


def test_one_audit_is_shown_and_the_others_are_counted(out: Path) -> None:
    keep(out, "cutout", 1, audit())
    other = [
        one | {"verdict": "unsafe"} if one["name"] in ("hflip", "crop") else one for one in FOUND
    ]
    keep(out, "cutout", 2, audit([one | {"why": "of the later run"} for one in other]))
    found = read(out)
    assert found.live() == []
    ids = [a["id"] for tag, a in found.tags if tag == "section"]
    assert ids[ids.index("audits") - 1] == "curves"
    assert [a["href"] for tag, a in found.tags if tag == "a"].count("#audits") == 1
    assert "1,234 pictures" in found.text
    assert "the run with seed 1, the first of 2" in found.text
    assert "of the later run" not in found.text
    assert (
        "Left out of the set: grey, because noise already does it (noise and grey)." in found.text
    )
    rows = found.table("Operation", "Verdict", "Safe in runs")
    assert [row[0].split()[0] for row in rows] == [
        f"{name}{name if name != 'rotate' else 'kept:'}" for name in ORDERED
    ]
    assert [row[2] for row in rows] == ["2 of 2", "1 of 2", "2 of 2", "0 of 2", "0 of 2", "0 of 2"]
    assert rows[2] == [
        "rotatekept: rotate less", "safe in part", "2 of 2", "80 (75–85)", "41 (36–46)",
        "13 (8–18)", "90 (85–95)", "12.2 · 0.50", "why of rotate",
    ]  # fmt: skip


def test_the_audit_of_a_member_of_a_chain_is_found(out: Path) -> None:
    keep(out, "cutout", 0, audit(), "1", "0")
    found = read(out)
    assert "the run with seed 0." in found.text
    assert len(found.table("Operation", "Verdict", "Told apart")) == len(FOUND)
    deep = keep(out, "uniform", 0, audit(), "0", "0", "0")
    assert audit_in(deep.parents[3]) == {}


def test_members_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    secret = {"format": "learnaug-safe", "audit": audit()}
    rundir.write_json(tmp_path / "other" / "augmenter.json", secret)
    chain = {"format": "learnaug-chain", "version": 1, "members": ["../other"]}
    rundir.write_json(tmp_path / "mine" / "augmenter.json", chain)
    assert audit_in(tmp_path / "mine") == {}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"\xff", b'{"format": "learnaug-safe"}',
        b'{"format": "learnaug-safe", "audit": {"findings": [1, {}, {"name": null}]}}',
        b'{"format": "learnaug-safe", "audit": {"findings": [{"hit": [1], "verdict": []}]}}',
        b'{"format": "learnaug-chain", "members": 7}',
    ],
)  # fmt: skip
def test_a_damaged_audit_never_breaks_the_page(out: Path, content: bytes) -> None:
    keep(out, "cutout", 0, audit()).write_bytes(content)
    keep(out, "uniform", 0, audit())
    found = read(out)
    assert "why of noise" in found.text
    if content in (b"", b"\xff"):
        assert "augmenter cannot be read" in found.text


def test_hostile_audits_are_escaped(out: Path, tmp_path: Path) -> None:
    odd = [p for p in PAYLOADS if p and "\udcff" not in p]
    found = [finding(text, "safe", 0.2, 0.1, 0.5) | {"why": text, "does": text} for text in odd]
    found += [finding("x", text, 0.2, 0.1, 0.5) for text in odd]
    content = audit(found) | {"dropped": [{"pair": odd[:2], "why": odd[2], "dropped": odd[3]}]}
    keep(out, "cutout", 0, content)
    write_pictures(tmp_path / "pictures.html", odd[1], odd[2], [], content)
    for page in (read(out), Page((tmp_path / "pictures.html").read_text("utf-8"))):
        assert page.live() == []
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page.source)


# --- the page of what was learned -----------------------------------------------------------------


def test_learning_shows_the_audit_and_its_pictures(tmp_path: Path) -> None:
    lesson = learnaug.learn(
        "digits", "safe-augmentation:ops=hflip/blur,epochs=1,folds=2,pairs=false,smaller=false",
        per_class=20, out=tmp_path / "out", device="cpu",
    )  # fmt: skip
    found = Page(lesson.pictures.read_text("utf-8"))
    assert found.live() == []
    told = lesson.description["audit"]["findings"]
    rows = found.table("Operation", "Verdict", "Told apart")
    assert {(row[0][:4], row[1]) for row in rows} == {(f["name"][:4], f["verdict"]) for f in told}
    assert [tag for tag, _ in found.tags].count("svg") == 1
    alts = [a["alt"] for tag, a in found.tags if tag == "img"]
    assert len(alts) == 2
    assert all(alt.startswith("Every operation and its verdict: ") for alt in alts)
