"""The check of a data set: every planted fault is told, all at once, in plain words."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from learnaug.data.check import Report, check, metric_for
from learnaug.data.findings import Finding
from learnaug.data.imageset import ImageSet
from learnaug.data.render import render
from learnaug.data.split import split
from learnaug.errors import DataError
from learnaug.rundir import seconds
from learnaug.seeds import Seeds


def make(labels, parts=None, *, images=None, names=None, size=12, masks=None, ids=None) -> ImageSet:
    labels = np.asarray(labels, np.int64)
    n = len(labels)
    rng = np.random.Generator(np.random.Philox(0))
    return ImageSet(
        name="made",
        images=rng.integers(0, 256, (n, 3, size, size), np.uint8) if images is None else images,
        labels=labels if masks is None else np.zeros(0, np.int64),
        classes=names or tuple("abcdefghij"[: int(labels.max()) + 1]),
        ids=ids or tuple(f"{i}.png" for i in range(n)),
        groups=np.full(n, -1, np.int64),
        parts=np.full(n, "", "<U5") if parts is None else np.asarray(parts, "<U5"),
        masks=masks,
    )


def found(report) -> dict[str, Finding]:
    return {finding.code: finding for finding in report.findings}


def test_a_clean_set_has_no_findings():
    report = check(make(np.arange(60) % 2))
    assert (report.findings, report.ok, report.balance) == ((), True, 1.0)
    assert (report.counts, report.size, report.channels) == ({"": (30, 30)}, (12, 12), 3)


def test_counts_are_per_part():
    report = check(make(np.arange(60) % 2, ["train"] * 41 + ["test"] * 19))
    assert report.counts == {"train": (21, 20), "test": (9, 10)}
    assert report.totals() == (30, 30)


def test_same_picture_in_two_classes_is_an_error():  # row 29
    data = make(np.arange(60) % 2)
    data.images[7] = data.images[4]
    report = check(data)
    assert found(report)["label-conflict"].where == ("4.png (a) = 7.png (b)",)
    assert not report.ok
    data.images[7, :, 0, 0] ^= 4
    report = check(data)
    assert found(report)["near-label-conflict"].severity == "warning"
    assert report.ok


def test_same_picture_in_two_parts_is_an_error_and_near_a_warning():  # row 30
    data = make(np.arange(60) % 2, ["train"] * 40 + ["test"] * 20)
    data.images[46] = data.images[4]
    data.images[51] = data.images[3, :, :, ::-1]
    report = check(data)
    leak, near = found(report)["leak"], found(report)["near-leak"]
    assert (leak.severity, leak.where) == ("error", ("4.png (train) = 46.png (test)",))
    assert (near.severity, near.where) == ("warning", ("3.png (train) = 51.png (test)",))
    dropped = check(data, drop_duplicates=True)
    assert dropped.ok
    assert "left out of the earlier part" in found(dropped)["leak"].what


def test_copies_within_a_part_are_only_noted():
    data = make(np.arange(60) % 2)
    data.images[[6, 8]] = data.images[4]
    (note,) = check(data).findings
    assert (note.severity, note.code) == ("info", "exact-copies")
    assert note.where == ("4.png = 6.png = 8.png",)


def test_groups_of_copies_keep_a_split_free_of_leaks():
    data = make(np.arange(60) % 2)
    data.images[[6, 8, 10, 12]] = data.images[4]
    copies = check(data).duplicates.groups(len(data))
    for seed in range(5):
        parts = split(data, Seeds(seed), extra_groups=copies)
        assert sum(bool({4, 6, 8, 10, 12} & set(p)) for p in (parts.train, parts.valid)) <= 1


def test_constant_images():  # row 31
    data = make(np.arange(60) % 2)
    data.images[5] = 9
    assert found(check(data))["constant"].where == ("5.png  every pixel 9",)
    levels = np.arange(60, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 8, 8), np.uint8)
    assert not check(make(np.arange(60) % 2, images=levels)).ok
    same = np.repeat(data.images[:1], 60, 0)
    assert found(check(make(np.arange(60) % 2, images=same)))["all-same"].severity == "error"


def test_one_class_and_classes_too_small_to_split():  # rows 40, 41
    assert found(check(make([0] * 9)))["one-class"].severity == "error"
    report = check(make([0] * 20 + [1] + [2] * 2, names=("dog", "cat", "cow")))
    assert found(report)["cannot-split"].where == (
        "cat has 1 image; train + validation + test need 3",
        "cow has 2 images; train + validation + test need 3",
    )
    assert found(report)["few-images"].where == ("cat: 1 image", "cow: 2 images")


def test_uneven_classes_are_measured_by_balanced_accuracy():  # row 42
    report = check(make([0] * 61 + [1] * 20))
    assert report.metric == "balanced_accuracy"
    assert "unbalanced" in found(report)
    assert check(make([0] * 60 + [1] * 20)).metric == "accuracy"
    assert metric_for([5, 0]) == "balanced_accuracy"


def test_parts_with_other_classes():  # row 61
    report = check(make([0, 1] * 20 + [0] * 9, ["train"] * 40 + ["test"] * 9))
    assert found(report)["cannot-split"].where == ("test lacks b",)


def test_own_validation_part_that_will_be_sealed_is_said():
    report = check(make(np.arange(60) % 2, ["train"] * 40 + ["valid"] * 20))
    assert "sealed as test" in found(report)["split"].what


def test_tiny_images():
    assert "tiny" in found(check(make(np.arange(60) % 2, size=5)))


def test_segmentation_counts_the_images_in_which_a_class_occurs():
    masks = np.zeros((30, 12, 12), np.uint8)
    masks[:10, 3] = 1
    masks[:, 0] = 255
    report = check(make(np.arange(30) % 2, masks=masks))
    assert (report.kind, report.metric, report.counts) == (
        "segmentation",
        "mean_iou",
        {"": (30, 10)},
    )
    assert "b" in render(report)


def test_all_faults_of_a_folder_are_told_at_once(tmp_path):
    rng = np.random.Generator(np.random.Philox(0))
    for name, n in (("cat", 12), ("dog", 2)):
        (tmp_path / name).mkdir()
        for i in range(n):
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    (tmp_path / "cat" / "copy.png").write_bytes((tmp_path / "dog" / "0.png").read_bytes())
    (tmp_path / "cat" / "empty.png").write_bytes(b"")
    report = check(tmp_path)
    assert {"unreadable", "label-conflict", "cannot-split"} <= found(report).keys()
    text = render(report)
    for words in ("cat/empty.png", "cat/copy.png (cat) = dog/0.png (dog)", "dog has 2 images"):
        assert words in text
    assert "cannot be used as it is: 3 errors" in text


def test_nothing_readable_is_a_report_and_no_traceback(tmp_path):
    for source in (tmp_path / "nowhere", tmp_path):
        report = check(source)
        assert (report.images, report.kind, report.ok) == (0, "unknown", False)
        assert "nothing could be read" in render(report)
        json.dumps(report.to_json())


def test_an_error_of_the_reader_is_a_finding(monkeypatch):
    def fail(*_, **__):
        raise DataError("bad", ["here"], "mend it")

    monkeypatch.setattr(sys.modules[Report.__module__], "scan", fail)
    (finding,) = check("x").findings
    assert (finding.severity, finding.what, finding.where) == ("error", "bad", ("here",))


# ---------------------------------------------------------------- plain text


def test_text_puts_errors_first_and_counts_what_it_leaves_out():
    data = make(np.arange(60) % 2, ["train"] * 40 + ["test"] * 20)
    data.images[40:48] = data.images[:8]
    data.images[20] = 7
    report = check(data)
    assert [f.severity for f in report.findings] == ["error", "warning"]
    lines = render(report).splitlines()
    assert lines[0] == "made: 60 images, 2 classes, 12x12 pixels, 3 channels"
    assert lines[1] == "cannot be used as it is: 1 error, 1 warning"
    assert "error: 8 pictures have exact copies in another part" in lines
    assert "  … and 3 more" in lines
    assert "all         40       20" in lines


def test_text_shortens_long_tables():
    names = tuple(f"class {k:03d}" for k in range(50))
    lines = render(check(make(np.arange(500) % 50, names=names))).splitlines()
    assert sum(line.startswith("class 0") for line in lines) == 20
    assert "… 30 more classes between" in lines


def test_text_is_safe_against_hostile_names():  # rows 88, 89, 91
    names = ("\x1b]0;owned\x07", "two\nlines", "long" * 99)
    text = render(check(make(np.arange(60) % 3, names=names)))
    assert "\x1b" not in text
    assert "two\\nlines" in text
    assert max(map(len, text.splitlines())) < 100


def test_json_is_plain_and_finite():
    report = check(make([0] * 60 + [1] * 2, names=("a", "b", "c")))
    stored = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert stored["balance"] is None
    assert stored["counts"] == {"": [60, 2, 0]}
    assert stored["ok"] is False


# ---------------------------------------------------------------- real pictures


def test_magnetic_tiles_are_seen_to_repeat_across_parts(shared_data):
    report = check(shared_data / "magnetic_tile" / "magnetic_tile.zip", size=48)
    assert report.totals() == (115, 85, 57, 32, 120, 103)
    assert report.metric == "balanced_accuracy"
    assert len(report.duplicates.near) > 30  # a tile was photographed up to six times


@pytest.mark.slow
def test_ten_thousand_small_images_take_under_a_minute(shared_data):  # TRUST.md C2
    start = seconds()
    assert check(shared_data / "cifar10" / "cifar10.zip").images == 15000
    assert seconds() - start < 60


def test_values_of_masks_that_mean_no_class_are_errors():
    masks = np.zeros((30, 12, 12), np.uint8)
    masks[3, 0, 0], masks[:, 1] = 9, 255
    codes = {f.code: f for f in check(make(np.arange(30) % 2, masks=masks)).findings}
    assert codes["mask-values"].severity == "error"
    assert codes["mask-values"].what.endswith("0..1: 9")
    assert len(codes["unseen-class"].where) == 1
    masks[:] = 255
    report = check(make(np.arange(30) % 2, masks=masks))
    assert not report.ok
    assert "mask-empty" in {f.code for f in report.findings}
