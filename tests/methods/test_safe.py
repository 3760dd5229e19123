"""The audit finds what was planted, stops and goes on, and hands its set to other methods."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from safe_worlds import BOXES, PLANTED, audit, boxes, hooks, verdicts

from learnaug.data import ImageSet, make_batch
from learnaug.errors import ConfigError, UsageError
from learnaug.methods import load_augmenter, policy_of, resolve
from learnaug.methods.safe import SafeAugmentation
from learnaug.ops import spaces
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Keep, Stopped

PLAN = SafeAugmentation(operations=PLANTED, folds=2, epochs=40)
QUICK = replace(PLAN, epochs=3)
TRUTH = {"Turn": "safe", "Mirror": "unsafe", "Nothing": "no effect", "Blur": "unsafe"}


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))]
)
def test_planted_truth(seed: int) -> None:
    learned = audit(hooks(seed), PLAN, seed)
    assert verdicts(learned) == TRUTH
    told = learned.augmenter.describe()["audit"]["findings"]
    mirror = next(finding for finding in told if finding["name"] == "Mirror")
    assert {(m["from"], m["to"]) for m in mirror["moves"]} == {("left", "right"), ("right", "left")}
    assert mirror["rank"]["high"] < 0.75  # nobody can see it: the label check alone speaks
    assert learned.operations is not None
    assert learned.operations.names == ("Turn",)


def test_by_labels_alone_what_shows_may_stay() -> None:
    learned = audit(hooks(0), replace(PLAN, rule="labels"))
    assert verdicts(learned) == TRUTH | {"Blur": "safe"}
    told = learned.augmenter.describe()["audit"]
    blur = next(finding for finding in told["findings"] if finding["name"] == "Blur")
    assert blur["why"].startswith("it shows")
    assert told["dropped"] == []


def test_a_chain_is_audited_by_labels_and_a_method_alone_by_both_rules() -> None:
    data = hooks(0, 120)
    alone = audit(data, QUICK).augmenter.describe()["audit"]
    chain = resolve("safe-augmentation:epochs=2,folds=2+trivialaugment")
    (member,) = audit(data, chain).augmenter.members  # type: ignore[attr-defined, arg-type]
    told = member.describe()["audit"]
    assert (alone["settings"]["rule"], told["settings"]["rule"]) == ("intervals", "labels")
    seen = {f["name"] for f in told["findings"] if f["rank"]["low"] > 0.75}
    kept = {f["name"] for f in told["findings"] if f["kept"]}
    assert seen & kept  # what shows is not taken away


def test_without_the_label_check_a_mirror_looks_safe() -> None:
    thesis = replace(PLAN, rule="thesis", most_hit=0.9, most_false=0.2)
    assert verdicts(audit(hooks(0), thesis))["Mirror"] == "safe"


def test_a_weak_classifier_decides_nothing_about_labels() -> None:
    data = hooks(0)
    shuffled = replace(
        data, labels=np.random.Generator(np.random.Philox(1)).permutation(data.labels)
    )
    seen = verdicts(audit(shuffled, replace(PLAN, epochs=10)))
    assert seen["Mirror"] == "undecided"


def test_what_harms_some_classes_is_kept_for_the_others() -> None:
    """A third class that a mirror leaves alone may have it."""
    data = hooks(0)
    rows = np.arange(0, 200)
    bars = np.array(data.images[rows])
    bars[:] = 30
    bars[:, 0, 3:5, 1:7] = 200
    both = ImageSet(
        "three",
        np.concatenate([data.images, bars]),
        np.concatenate([data.labels, np.full(200, 2)]),
        ("left", "right", "bar"),
        tuple(f"row {i}" for i in range(600)),
        np.full(600, -1),
        np.full(600, ""),
    )
    mirror = OperationSet("mirror", PLANTED.branches[1:2])
    learned = audit(both, replace(PLAN, operations=mirror, by_class=True, epochs=30))
    policy = policy_of(learned.augmenter)
    assert policy is not None
    assert policy.by_class
    assert learned.operations is not None
    assert learned.operations.names == ()  # others draw without looking at the class
    batch = make_batch(both, np.arange(600))
    after = learned.augmenter(batch, both, Seeds(0))
    changed = (after.images != batch.images).flatten(1).any(1).numpy()
    assert not changed[:400].any()


def test_stops_and_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    data = hooks(3, 120)
    whole = audit(data, QUICK)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked % 9 == 0

    stops = 0
    keep = Keep(tmp_path / "checkpoint", tmp_path / "log.jsonl", stop=stop, say=lambda text: None)
    for _ in range(100):
        try:
            again = audit(data, QUICK, keep=keep)
            break
        except Stopped:
            stops += 1
            if stops == 6:  # the scans have no checkpoints: let them come to their end
                keep = replace(keep, stop=lambda: False)
    assert stops == 6
    assert again.augmenter.describe() == whole.augmenter.describe()


def test_too_few_pictures_decide_nothing() -> None:
    said: list[str] = []
    learned = audit(hooks(0, 40), QUICK, keep=Keep(say=said.append))
    assert "60 independent pictures" in said[0]
    assert learned.operations == OperationSet("safe planted", (), learned.operations.made_from)
    batch = make_batch(hooks(0, 40), np.arange(8))
    assert torch.equal(learned.augmenter(batch, None, Seeds(0)).images, batch.images)


@pytest.mark.parametrize(
    ("use", "shares"), [("all-safe", [0.25, 0.75]), ("safe", [1.0]), ("all", [1.0])]
)
def test_the_curriculum_takes_all_updates(use: str, shares: list[float]) -> None:
    learned = audit(hooks(0, 120), replace(QUICK, use=use, first=0.25))
    phases = learned.phases()
    assert [phase.share for phase in phases] == shares
    everything = policy_of(phases[0].augmenter)
    assert everything is not None
    ops = {element.op for element in everything.elements()}
    assert ("blur" in ops) == (use != "safe")


def test_a_chain_asks_about_the_operations_of_its_later_members() -> None:
    data = hooks(0, 120)
    chain = resolve("safe-augmentation:epochs=2,folds=2,pairs=false+trivialaugment")
    learned = audit(data, chain)  # type: ignore[arg-type]
    (member,) = learned.augmenter.members  # type: ignore[attr-defined]
    told = member.describe()["audit"]
    asked = {finding["name"] for finding in told["findings"]}
    theirs = {element.op for element in spaces.trivialaugment().elements()}
    assert asked == theirs - {"identity"}
    kept = {finding["name"] for finding in told["findings"] if finding["kept"]}
    assert {element.op for element in member.policy.elements()} == {"identity"} | kept


def test_its_folder_holds_an_operation_set(tmp_path: Path) -> None:
    learned = audit(hooks(0, 120), QUICK)
    learned.augmenter.save(tmp_path)
    assert load_augmenter(tmp_path).describe() == learned.augmenter.describe()
    assert OperationSet.load(tmp_path / "operations.json") == learned.operations


def test_settings_that_break_their_rules_are_all_named() -> None:
    with pytest.raises(ConfigError) as error:
        SafeAugmentation(folds=1, limit=0.4, use="never", rule="eye")
    told = str(error.value)
    assert all(word in told for word in ("folds", "limit", "never", "eye"))
    with pytest.raises(UsageError, match="hflip"):
        SafeAugmentation(ops="hflipp")
    with pytest.raises(ConfigError, match="mix two"):
        resolve("safe-augmentation", ["mixup"])


def test_digits_upside_down_are_other_digits(shared_data: Path) -> None:
    """Real MNIST: 180 degrees and flips move classes; they are not only visible."""
    with np.load(shared_data / "mnist" / "mnist.npz") as file:
        x, y = file["x_train"][:1000], file["y_train"][:1000]
    n = len(x)
    data = ImageSet(
        "mnist", x[:, None], y.astype(np.int64), tuple("0123456789"),
        tuple(f"row {i}" for i in range(n)), np.full(n, -1), np.full(n, ""),
    )  # fmt: skip
    method = SafeAugmentation(ops="hflip/vflip/rot90", folds=2, epochs=15, pairs=False)
    told = {f["name"]: f for f in audit(data, method).augmenter.describe()["audit"]["findings"]}
    assert {finding["verdict"] for finding in told.values()} == {"unsafe"}
    half = next(part for part in told["rot90"]["parts"] if part["what"].startswith("2"))
    moved = {(m["from"], m["to"]) for m in half["moves"] if m["low"] > 0.07}
    assert ("9", "6") in moved
    assert any(m["low"] > 0.07 for m in told["vflip"]["moves"])


MASKED = SafeAugmentation(operations=BOXES, folds=2, epochs=6)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_planted_truth_of_masks(seed: int) -> None:
    """A negative looks like any other picture, but its bright boxes are the dark ones."""
    learned = audit(boxes(seed), MASKED, seed)
    found = {f["name"]: f for f in learned.augmenter.describe()["audit"]["findings"]}
    assert found["Flip"]["verdict"] in ("safe", "undecided")
    assert found["Negative"]["verdict"] == "unsafe"
    assert found["Negative"]["rank"]["low"] < 0.75  # it cannot be seen for sure: labels speak
    moved = {(m["from"], m["to"]) for m in found["Negative"]["moves"] if m["low"] > 0.07}
    assert moved == {("bright", "dark"), ("dark", "bright")}
    assert found["Nothing"]["verdict"] == "no effect"
    assert found["Blur"]["verdict"] in ("unsafe", "safe in part")


def test_masks_follow_the_pictures_in_the_scans() -> None:
    """A net that is always right about a flipped picture is right about its flipped mask."""
    data = boxes(0, 90)
    plain = replace(MASKED, epochs=1, operations=OperationSet("flip", BOXES.branches[:1]))
    found = audit(data, plain).augmenter.describe()["audit"]
    (flip,) = found["findings"]
    assert flip["accuracy"]["share"] == pytest.approx(found["clean_accuracy"]["share"], abs=0.05)


def test_a_detector_serves_other_pictures(tmp_path: Path) -> None:
    first = audit(hooks(0), PLAN)
    first.augmenter.save(tmp_path)
    assert load_augmenter(tmp_path).describe() == first.augmenter.describe()
    asked: list[float] = []
    keep = Keep(checkpoints=tmp_path / "c" / "x", say=lambda text: None, progress=asked.append)
    again = audit(hooks(7), replace(PLAN, operations=None, detector=str(tmp_path)), 7, keep)
    assert verdicts(again) == TRUTH
    trained = sorted(file.name for file in (tmp_path / "c").rglob("*.safetensors"))
    assert [name.partition("-")[0] for name in trained] == ["classifier", "classifier"]


def test_a_detector_must_fit_the_pictures(tmp_path: Path) -> None:
    audit(hooks(0, 120), QUICK).augmenter.save(tmp_path)
    method = replace(QUICK, operations=None, detector=str(tmp_path))
    data = hooks(1, 120)
    colour = replace(data, images=np.repeat(data.images, 3, axis=1))
    with pytest.raises(UsageError, match=r"1-channel pictures .* 3 channels"):
        audit(colour, method)
    with pytest.raises(ConfigError, match="--ops cannot be given"):
        replace(method, operations=PLANTED)
    with pytest.raises(ConfigError, match="holds no detectors"):
        replace(QUICK, operations=None, detector=str(tmp_path / "none"))


def test_with_all_operations_nothing_is_audited() -> None:
    learned = audit(hooks(0, 120), replace(QUICK, use="all", epochs=10**6))
    policy = policy_of(learned.augmenter)
    assert policy is not None
    assert {element.op for element in policy.elements()} > {"rot90", "hflip", "blur"}
    assert learned.operations == PLANTED
    assert "nothing was audited" in learned.augmenter.describe()["lines"][0]


def test_its_settings_are_read_from_text() -> None:
    method = resolve("safe-augmentation:net=wrn-10-1,epochs=5")
    assert (method.net, method.epochs) == ("wrn-10-1", 5)  # type: ignore[attr-defined]
