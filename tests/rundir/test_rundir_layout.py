import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug import rundir
from learnaug.errors import UsageError

OUT = Path("/out")
EVIL = [
    "",
    ".",
    "..",
    "../x",
    "../../etc/cron.d/x",
    "/etc/x",
    "C:\\x",
    "a\0b",
    "a\nb",
    "CON",
    "con",
    "con.txt",
    "aux",
    "com1",
    "x" * 81,
    "x" * 300,
    "x.",
    "x ",
    " x",
    ".hidden",
    "-rf",
    "a/b",
    "a_b~0123456789ab",
    "ü",
    "u\u0308",
    "\ud800",
    "A",
    "a",
    "_",
    "__",
]
NAMES = st.text(max_size=100) | st.text(string.ascii_letters + "./\\~_+- ", max_size=6)


@pytest.mark.parametrize(
    "name", ["none", "flip-crop", "traditional+mixup", "smart-augmentation", "aws_2.1", "x" * 80]
)
def test_readable_names_stay(name: str) -> None:
    assert rundir.slug(name) == name


def check(name: str) -> str:
    slug = rundir.slug(name)
    assert 0 < len(slug) <= 80
    assert set(slug) <= set(string.ascii_letters + string.digits + "-_.+~")
    assert slug[0] not in ".-"
    assert slug[-1] != "."
    assert slug.split(".")[0].lower() not in {"con", "aux", "nul", "prn", "com1", "lpt1"}
    assert rundir.run_folder(OUT, name, 0).parents[2] == OUT
    assert rundir.samples_path(OUT, name).parent == OUT / "samples"
    return slug.lower()  # as a disk sees it that does not know capitals


def test_evil_names_stay_inside_and_apart() -> None:
    assert len({check(name) for name in EVIL}) == len(EVIL)


@settings(max_examples=100, deadline=None)
@given(first=NAMES, second=NAMES)
def test_different_names_never_share_a_folder(first: str, second: str) -> None:
    assert (check(first) == check(second)) == (first == second)
    assert check(rundir.slug(first)) == rundir.slug(first).lower() or "~" in rundir.slug(first)


def test_every_name_of_the_run_folder() -> None:
    """The tree of DESIGN.md §4, spelled by hand."""
    run = rundir.run_folder(OUT, "traditional+mixup", 3)
    found = {
        rundir.plan_path(OUT): "plan.json",
        rundir.summary_path(OUT): "summary.json",
        rundir.report_path(OUT): "report.html",
        rundir.split_path(OUT): "split.json",
        rundir.split_path(OUT, 2): "split-2.json",
        rundir.check_path(OUT): "check.json",
        rundir.lock_path(OUT): "lock",
        rundir.samples_path(OUT, "original"): "samples/original.npz",
        rundir.cache_path(OUT, "images.npy"): "cache/images.npy",
        run: "runs/traditional+mixup/seed-3",
        rundir.config_path(run): "runs/traditional+mixup/seed-3/config.json",
        rundir.origin_path(run): "runs/traditional+mixup/seed-3/origin.json",
        rundir.status_path(run): "runs/traditional+mixup/seed-3/status.json",
        rundir.learn_folder(run): "runs/traditional+mixup/seed-3/learn",
        rundir.augmenter_folder(run): "runs/traditional+mixup/seed-3/learn/augmenter",
        rundir.log_path(run, "learn"): "runs/traditional+mixup/seed-3/learn/log.jsonl",
        rundir.log_path(run, "train"): "runs/traditional+mixup/seed-3/train/log.jsonl",
        rundir.checkpoint_folder(run): "runs/traditional+mixup/seed-3/train/checkpoint",
        rundir.checkpoint_folder(run, "learn"): "runs/traditional+mixup/seed-3/learn/checkpoint",
        rundir.model_path(run): "runs/traditional+mixup/seed-3/train/model.safetensors",
        rundir.predictions_path(run): "runs/traditional+mixup/seed-3/test/predictions.npz",
        rundir.metrics_path(run): "runs/traditional+mixup/seed-3/test/metrics.json",
    }
    assert [path.relative_to(OUT).as_posix() for path in found] == list(found.values())


@pytest.mark.parametrize("seed", [-1, True, 1.5, "../x"])
def test_only_integers_are_seeds(seed: object) -> None:
    with pytest.raises(UsageError, match="a seed must be"):
        rundir.run_folder(OUT, "none", seed)  # type: ignore[arg-type]
