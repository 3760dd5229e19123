"""Searches on the page: the policy over time, rewards, chance, words, several runs."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import PAYLOADS
from page_reader import Page

import learnaug
from learnaug import rundir
from learnaug.report import build, course, search_in, write_pictures
from learnaug.report.course import Layer, Marks
from learnaug.report.searches import search_of

ROWS = [
    ("turn weak", "turn", "draw", 0.2, 0.3, 0.012, 0.004),
    ("turn strong", "turn", "draw", 0.2, 0.5, 0.03, 0.02),
    ("mirror", "mirror", "draw", 0.4, 0.1, -0.025, 0.005),
    ("grey", "grey", "draw", 0.2, 0.1, 0.0, 0.0),
    ("crop", "crop", "crop", 0.5, 0.9, 0.002, 0.001),
]
COURSE = [
    (5, [0.2, 0.3, 0.3, 0.2, 0.6], 0.5, 3.9, (2.0, 4.0)),
    (10, [0.3, 0.5, 0.1, 0.1, 0.9], 0.002, 3.2, (3.0, 4.0)),
]
KEYS = ("name", "group", "stage", "before", "probability", "effect", "sd")


def search(**changes: Any) -> dict[str, Any]:
    trials = [[f"subset-{i}", -1.0 - 0.01 * i, 0.5] for i in range(10)]
    trials += [[f"found-{i}", -0.9 - 0.01 * i, 0.5] for i in (1, 2)]
    trials += [[f"prior-{i}", -1.1 - 0.01 * i, 0.5] for i in (1, 2)]
    steps = [
        dict(zip(("trials", "probability", "permuted_reward_p", "effective"), step, strict=False))
        | {"effective_shuffled": list(step[4]), "signal_to_noise": 1.0}
        for step in COURSE
    ]
    history = {
        "reward": "validation log likelihood, nats", "counted": "elements",
        "effective_before": 3.79, "steps": steps,
        "rows": [dict(zip(KEYS, row, strict=True)) for row in ROWS],
    }  # fmt: skip
    return {
        "learned": True, "permuted_reward_p": 0.002, "signal_to_noise": 1.25, "noise": 0.02,
        "check": {"nats": 0.2, "interval": [0.1, 0.3], "pairs": 2}, "trials": trials,
        "history": history, "lines": ["14 trials"],
    } | changes  # fmt: skip


def nothing() -> dict[str, Any]:
    found = search(learned=False, permuted_reward_p=0.4, check=None)
    for row in found["history"]["rows"]:
        row["probability"] = row["before"]
    return found


def paper(after: float) -> dict[str, Any]:
    found = search()
    for key in ("learned", "permuted_reward_p", "noise", "check", "trials", "signal_to_noise"):
        del found[key]
    for step in found["history"]["steps"]:
        step |= {"mean_reward": 50.0 + step["trials"]}
        del step["permuted_reward_p"]
    for row in found["history"]["rows"]:
        del row["effect"], row["sd"]
    found["history"] |= {"counted": "pairs", "chosen": 5}
    found |= {"rewards": [50.0, 55.0, 60.0] * 3}
    return found | {"effective_pairs": after, "effective_pairs_shuffled": [900, 1000]}


def keep(out: Path, method: str, seed: int, content: object, *members: str) -> Path:
    folder = rundir.augmenter_folder(rundir.run_folder(out, method, seed))
    for member in members:
        chain = {"format": "learnaug-chain", "version": 1, "members": [member]}
        rundir.write_json(folder / "augmenter.json", chain)
        folder = folder / member
    file = {"format": "learnaug-search", "version": 1, "search": content}
    rundir.write_json(folder / "augmenter.json", file)
    return folder / "augmenter.json"


def read(out: Path) -> Page:
    return Page(build(out).read_text(encoding="utf-8"))


# --- figures --------------------------------------------------------------------------------------


def areas(svg: str) -> list[np.ndarray]:
    """Return the filled areas in the order in which they were drawn: [points, 2]."""
    paths = re.findall(r'<path id="m[^"]*" d="([^"]*)"', svg)
    found = [re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path) for path in paths]
    return [np.array(points, float) for points in found if len(points) > 6]


def heights(area: np.ndarray) -> np.ndarray:
    """Return the height of an area at each of its x, in pixels."""
    xs = np.unique(area[:, 0])
    return np.array([np.ptp(area[area[:, 0] == x, 1]) for x in xs])


def test_the_stack_is_as_high_as_the_probabilities_say() -> None:
    rows = [[[20, 20, 30], [20, 30, 50]], [[20, 20, 10]], [[40, 30, 10]]]
    layers = [Layer(f"op {i}", np.array(row, float)) for i, row in enumerate(rows)]
    svg = course.shares([0, 5, 10], layers, None, "t")
    drawn = areas(svg)
    assert len(drawn) == 4
    whole = np.ptp(np.concatenate(drawn)[:, 1])
    flat = [row for layer in rows for row in layer]
    for area, row in zip(drawn, flat, strict=True):
        assert 100 * heights(area) / whole == pytest.approx(row, abs=0.01)
    tops = [area[:, 1].min() for area in drawn]
    assert tops == sorted(tops)  # the first on top
    for label in ("80 % op 0", "10 % op 1", "10 % op 2"):
        assert f">{label}</text>" in svg


def test_the_most_raised_operation_stands_on_top_and_switches_stand_apart() -> None:
    found = search_of("m", [(0, search())])
    assert found is not None
    by_name = {chart.heading: chart for chart in found.charts}
    assert list(by_name) == [
        "The policy over time", "How often a part acts, over time", "The rewards of all trials",
        "Could chance have given these rewards?", "How sharp the policy became",
    ]  # fmt: skip
    labels = re.findall(r">([\d.]+ % \w+)</text>", by_name["The policy over time"].svg)
    assert labels == ["80 % turn", "10 % grey", "10 % mirror"]
    assert ">90 % crop</text>" in by_name["How often a part acts, over time"].svg


def marks(svg: str) -> list[tuple[float, float, str]]:
    use = r'<use href="#\w+" x="([\d.]+)" y="([\d.]+)" style="fill: (var\([-\w]+\))'
    found = re.findall(use, svg)
    return [(float(x), float(y), colour) for x, y, colour in found if "grid" not in colour]


def test_the_rewards_stand_where_they_are_and_checks_face_each_other() -> None:
    drawn = marks(
        course.rewards(Marks([(1, -1.0), (2, -1.2), (3, -1.1)], [(5, -0.9)], [(5, -1.3)]), "r", "t")
    )
    assert [colour for _, _, colour in drawn] == [
        *["var(--other)"] * 3, "var(--trivialaugment)", "var(--candidate)",
    ]  # fmt: skip
    (x1, y1, _), (x2, y2, _), (x3, y3, _), prior, found = drawn
    assert (x3 - x2) == pytest.approx(x2 - x1)
    assert (y3 - y1) / (y2 - y1) == pytest.approx(0.5, abs=1e-3)
    assert found[0] == prior[0]
    assert (prior[1] - found[1]) / (y2 - y1) == pytest.approx(2.0, abs=1e-3)


def test_the_band_of_noise_is_one_standard_deviation_to_either_side() -> None:
    svg = course.rewards(Marks([(1, -1.0), (2, -1.2)], noise=(-1.1, 0.1)), "r", "t")
    (_, y1, _), (_, y2, _) = marks(svg)
    (band,) = re.findall(r'<path d="([^"]*)"[^>]*style="fill: var\(--band\)', svg)
    ys = np.array(re.findall(r"[ML] [-\d.]+ ([-\d.]+)", band), float)
    assert (ys.min(), ys.max()) == pytest.approx((y1, y2), abs=0.01)


def test_sharpness_runs_beside_that_of_chance() -> None:
    svg = course.spread([0, 5, 10], [4, 3.9, 3.2], [(4, 4), (2, 4), (3, 4)], 4.0, "elements", "t")
    (band,) = areas(svg)
    assert heights(band) / heights(band).max() == pytest.approx([0, 1, 0.5], abs=1e-3)
    assert ">shuffled rewards</text>" in svg


# --- words ----------------------------------------------------------------------------------------

TOLD = {
    "learned": (search(), "learned", "only 0.2 % of shuffled rewards fit as well", "agrees"),
    "unsettled": (
        search(check={"nats": 0.1, "interval": [-0.1, 0.3], "pairs": 2}),
        "learned, gain not settled", "10 trials (p = 0.002)", "zero lies inside",
    ),
    "against": (
        search(check={"nats": -0.2, "interval": [-0.3, -0.1], "pairs": 2}),
        "learned, check against it", "learned something", "speaks against it",
    ),
    "unchecked": (search(check=None), "learned", "learned something", "was not held against"),
    "nothing": (nothing(), "nothing learned", "40.0 % of shuffled rewards", "no different from"),
    "dull": (paper(950), "no sharper than chance", "950 effective pairs", "nothing shows that"),
    "sharp": (paper(800), "sharper than chance", "900 to 1,000", "one of 3 searches"),
    "empty": ({"lines": ["there is nothing"], "learned": False}, "nothing learned", "there is", ""),
    "mute": ({"lines": ["x"]}, "no verdict", "does not say", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_the_verdict_in_words(case: str) -> None:
    content, badge, first, last = TOLD[case]
    found = search_of("m", [(None, content)])
    assert found is not None
    assert found.badge == badge
    assert first in found.words[0]
    assert last in " ".join(found.words)
    assert (found.kind == "helps") == (case == "learned")


# --- tables and the section -----------------------------------------------------------------------


def test_the_table_names_what_the_policy_draws() -> None:
    found = search_of("m", [(0, search())])
    assert found is not None
    assert [line.name for line in found.lines] == [
        "turn strong", "turn weak", "crop", "grey", "mirror",
    ]  # fmt: skip
    strong = found.lines[0]
    assert (strong.before, strong.after, strong.times) == ("20.0", "50.0", "× 2.50")
    assert strong.effect == "+0.0300 (−0.0029 to +0.0629)"  # 1.645 sd to either side
    assert found.lines[3].effect == "–"


def test_one_search_is_shown_and_the_others_are_counted(out: Path) -> None:
    keep(out, "cutout", 0, nothing())
    keep(out, "cutout", 1, search())
    keep(out, "cutout", 2, search())
    found = read(out)
    assert found.live() == []
    ids = [a["id"] for tag, a in found.tags if tag == "section"]
    assert ids[ids.index("searches") - 1] == "curves"
    assert [a["href"] for tag, a in found.tags if tag == "a"].count("#searches") == 1
    assert "2 of 3 searches learned something" in found.text
    assert "The run with seed 0, the first of 3." in found.text
    rows = found.table("Seed", "Search")
    assert [row[:2] for row in rows] == [
        ["0", "nothing learned"], ["1", "learned"], ["2", "learned"],
    ]  # fmt: skip
    assert rows[0][2:] == ["10", "0.400", "1.25", "3.8", "–"]
    assert rows[1][2:] == ["10", "0.002", "1.25", "3.2", "+0.2000 (+0.1000 to +0.3000)"]
    raised = {row[0]: row[1:] for row in found.table("Operation", "Raised in")}
    assert raised["turn"] == ["2 of 3", "0 of 3", "× 1.67"]
    assert raised["mirror"] == ["0 of 3", "2 of 3", "× 0.50"]
    assert raised["crop"] == ["2 of 3", "0 of 3", "× 1.53"]
    assert "Nothing was learned, so none of it is used" in found.text


def test_a_folder_without_searches_has_no_section(plain: Path) -> None:
    assert "What the searches found" not in read(plain).text


def test_the_search_behind_an_audit_is_found(out: Path) -> None:
    path = keep(out, "cutout", 0, search(), "1")
    folder = path.parents[1]
    chain = {"format": "learnaug-chain", "version": 1, "members": ["0", "1"]}
    rundir.write_json(folder / "augmenter.json", chain)
    rundir.write_json(folder / "0" / "augmenter.json", {"format": "learnaug-safe", "audit": {}})
    assert search_in(folder)["permuted_reward_p"] == 0.002
    assert "What the searches found" in read(out).text


def test_a_search_of_before_has_its_table_without_a_course() -> None:
    rows = [{"does": "turn", "operation": "turn", "before": 0.5, "probability": 0.25}]
    old = search(elements=rows)
    del old["history"]
    found = search_of("m", [(0, old)])
    assert found is not None
    assert [(line.name, line.times) for line in found.lines] == [("turn", "× 0.50")]
    assert [chart.heading for chart in found.charts] == ["The rewards of all trials"]


def spoilt() -> list[Any]:
    """Return searches that lack something, or have something else in its place."""
    found: list[Any] = [[], 7, {}, {"history": 1}, {"trials": "x", "learned": True}]
    for key in search():
        for value in (None, "x", [1], {"a": []}, -1e400, True):
            found.append(search(**{key: value}))
    for key in search()["history"]:
        for value in (None, "x", [1], [{}], [{"trials": 1, "probability": [1]}]):
            one = copy.deepcopy(search())
            one["history"][key] = value
            found.append(one)
    for key in KEYS:
        one = copy.deepcopy(search())
        one["history"]["rows"][1][key] = "x"
        found.append(one)
    for key in search()["history"]["steps"][0]:
        one = copy.deepcopy(search())
        one["history"]["steps"][1][key] = [None, "x"]
        found.append(one)
    return found


def test_a_damaged_search_never_breaks_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "svg_of", lambda figure, title: "")  # drawn, but not written
    told = [search_of("m", [(0, one if isinstance(one, dict) else {})]) for one in spoilt()]
    assert sum(one is not None for one in told) >= len(told) - 3
    several = [(i, one) for i, one in enumerate(spoilt()) if isinstance(one, dict) and one]
    assert search_of("m", several) is not None


def test_files_of_another_kind_are_gaps(out: Path) -> None:
    keep(out, "cutout", 0, search()).write_bytes(b"\xff")
    keep(out, "cutout", 1, [7])
    keep(out, "uniform", 0, search())
    found = read(out)
    assert "turn strong" in found.text
    assert "augmenter cannot be read" in found.text


def test_hostile_searches_are_escaped(out: Path, tmp_path: Path) -> None:
    odd = [p for p in PAYLOADS if p and "\udcff" not in p]
    content = search(lines=odd)
    rows, steps = content["history"]["rows"], content["history"]["steps"]
    for i, text in enumerate(odd):
        rows.append(dict(zip(KEYS, (text, text, odd[i - 1], 0.1, 0.2, 0.1, 0.1), strict=True)))
        for step in steps:
            step["probability"] = [*step["probability"], 0.1]
    content["history"] |= {"reward": odd[0], "counted": odd[1]}
    keep(out, "cutout", 0, content)
    keep(out, "cutout", 1, content)
    write_pictures(tmp_path / "pictures.html", odd[1], odd[2], [], None, content)
    for page in (read(out), Page((tmp_path / "pictures.html").read_text("utf-8"))):
        assert page.live() == []
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page.source)


# --- the page of what was learned -----------------------------------------------------------------


def test_learning_shows_the_search_and_its_pictures(tmp_path: Path) -> None:
    lesson = learnaug.learn(
        "digits", "aws:ways=6,rounds=1", epochs=2, per_class=20, out=tmp_path / "out",
        device="cpu",
    )  # fmt: skip
    found = Page(lesson.pictures.read_text("utf-8"))
    assert found.live() == []
    told = lesson.description["search"]
    assert [step["trials"] for step in told["history"]["steps"]] == [4, 5, 6, 9]  # 3 repeats
    rows = found.table("Element", "Before", "After")
    assert len(rows) == len(told["history"]["rows"])
    badge = "learned" if told["learned"] else "nothing learned"
    assert badge in found.text
    assert [tag for tag, _ in found.tags].count("svg") == 4
    alts = [a["alt"] for tag, a in found.tags if tag == "img"]
    assert alts
    assert all(alt.startswith("What the policy does: ") for alt in alts)


RACE = {
    "rounds": [[["a", 0.1], ["b", 0.0], ["c", -0.1], ["d", -0.2]], [["a", 0.2], ["b", 0.1]]],
    "repeats": [0.0, 0.01, 0.02],
}


def raced(**changes: Any) -> tuple[str, ...]:
    """Return the words of a search by a race."""
    one = search(race=RACE, check=None, way="b", before="b", **changes)
    found = search_of("aws", [(0, one)])
    assert found is not None
    return found.words


def test_the_control_of_a_race_read_its_first_round_and_the_repeats() -> None:
    assert "those of the 7 trials" in raced()[0]


def test_a_search_that_stays_says_why() -> None:
    why = "but its score there is lower by 2.0 points: it stays as it began"
    words = raced(learned=False, lines=["16 trials", why])
    assert words[1:] == (f"B{why[1:]}.", "The policy stays what it was.")


def test_where_the_subsets_alone_learned_their_control_speaks() -> None:
    trials = [[f"subset-{number}", 0.1 * number, 0.5] for number in range(5)]
    words = raced(
        permuted_reward_p=0.62, trials=trials,
        screen={"permuted_reward_p": 0.01, "signal_to_noise": 2.0},
    )  # fmt: skip
    assert words[0].startswith("It learned something: only 1.0 % of shuffled rewards fit")
    assert "those of the 5 trials" in words[0]
    assert any("2.00 times the noise" in each for each in words)
