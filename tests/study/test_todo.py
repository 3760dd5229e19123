"""What the report tells its reader to run, runs, and does not contradict the verdicts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from learnaug import study
from learnaug.ops import Policy
from learnaug.report.collect import Facts, collect
from learnaug.report.words import todo

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

MODULES = [sys.modules[f"learnaug.study.{name}"] for name in ("summary", "compare")]
FOLDER = "learn/augmenter')  # in this run folder"


def compared(out: Path, method: str, patch: pytest.MonkeyPatch) -> study.Comparison:
    """Run the tiny comparison with a candidate that is known before."""
    for module in MODULES:
        patch.setattr(module, "best", lambda out, plan: method)
    return tiny.compare(out, methods=(method,))


def styles(place: Path) -> Path:
    """Write two grey pictures, and return their folder."""
    place.mkdir()
    for shade in (50, 200):
        Image.new("L", (8, 8), shade).save(place / f"{shade}.png")
    return place


@pytest.mark.parametrize(
    ("method", "source", "text"),
    [
        ("cutout", "'cutout')", "To try cutout meanwhile"),
        ("flip-crop+mixup", "'flip-crop+mixup')", "To try"),
        ("timed:begin=0.5", "'timed:begin=0.5')", "none for 50% of the updates, then autoaugment"),
        ("aws:ways=4,rounds=1", FOLDER, "To try"),
        ("class-mixup+aws:ways=4,rounds=1", FOLDER, "To try"),
        ("style-statistics:styles=STYLES", FOLDER, "To try"),
    ],
)
def test_the_code_of_the_report_runs(
    method: str, source: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name where that is all there is to it, else from the folder of what was learned."""
    if "STYLES" in method:
        method = method.replace("STYLES", str(styles(tmp_path / "styles")))
    out = tmp_path / "out"
    compared(out, method, monkeypatch)
    told = todo(collect(out))
    assert source in told["code"]
    assert text in told["text"]
    monkeypatch.chdir(out)
    data = tiny.data()
    given: dict[str, Any] = {"images": data.images, "labels": data.labels, "step": 3}
    exec(told["code"], given)
    assert given["images"].shape == data.images.shape
    assert (given["images"] != data.images).any()


def test_evidence_is_of_the_policy_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that had the policy for half of their updates say nothing of it."""
    for method, known in (("cutout", True), ("timed:begin=0.5", False)):
        found = compared(tmp_path / method[:5], method, monkeypatch)
        assert bool(Policy.load(found.policy).evidence) == known


def test_a_policy_of_a_former_candidate_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in MODULES:
        monkeypatch.setattr(module, "best", lambda out, plan: "class-mixup")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "policy.json").write_text("{}")
    found = tiny.compare(tmp_path / "out", methods=("class-mixup",))
    assert not found.policy.is_file()


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    with pytest.MonkeyPatch.context() as patch:
        out = tmp_path_factory.mktemp("todo") / "out"
        compared(out, "mixup", patch)
    return collect(out)


def judged(facts: Facts, first: str, second: str = "", failed: bool = False) -> dict[str, Any]:
    """Return what is to be done after these outcomes against none and TrivialAugment."""
    summary = facts.summary | {"verdict": facts.verdict | {"outcome": first}}
    if second:
        against = {"candidate": "mixup", "baseline": "trivialaugment", "outcome": second}
        summary |= {"against_trivialaugment": against}
    runs = facts.runs
    if failed:
        runs = (replace(runs[0], state="failed"), *runs[1:])
    return todo(replace(facts, summary=summary, runs=runs))


def test_what_to_do_follows_both_verdicts(facts: Facts) -> None:
    assert judged(facts, "helps")["text"] == "Train with mixup."
    assert judged(facts, "helps", "helps")["text"] == "Train with mixup."
    for second in ("harms", "not-settled", "no-difference"):
        assert judged(facts, "helps", second)["text"].startswith("Train with trivialaugment")
    assert judged(facts, "harms", "harms")["text"].startswith("Stay with the baseline (none)")


def test_what_failed_is_mended_first(facts: Facts) -> None:
    assert "Compare again with more pairs" in judged(facts, "too-few-runs")["text"]
    told = judged(facts, "too-few-runs", failed=True)
    assert told["text"].startswith("Mend what failed")
    assert told["code"] == ""
