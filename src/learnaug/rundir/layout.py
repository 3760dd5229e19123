"""Every file name of a run folder, spelled once.

OUT/plan.json summary.json report.html pictures.html split.json check.json lock
OUT/samples/ cache/ augmenter/
OUT/runs/<method>/seed-<n>/config.json origin.json status.json learn/ train/ test/
"""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path
from typing import Literal

from learnaug.errors import UsageError
from learnaug.rundir.files import Place

__all__ = [
    "augmenter_folder",
    "cache_path",
    "check_path",
    "checkpoint_folder",
    "config_path",
    "curve_path",
    "galleries_path",
    "given_folder",
    "learn_folder",
    "learned_folder",
    "lock_path",
    "log_path",
    "metrics_path",
    "model_path",
    "origin_path",
    "pictures_path",
    "plan_path",
    "policy_path",
    "predictions_path",
    "report_path",
    "resuming",
    "run_folder",
    "samples_path",
    "slug",
    "split_path",
    "status_path",
    "summary_path",
]

SAFE = re.compile(r"[a-z0-9_+][a-z0-9_+.-]{0,79}")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")  # of Windows


def slug(name: str) -> str:
    """Return a name for one file or folder; different names never share one.

    A name of small letters, digits and `-_.+` stays as it is. Any other is cleaned and marked by
    `~` and 12 signs of its SHA-256; capitals too, because some disks do not tell them apart.

    Example:
        >>> slug("traditional+mixup"), slug("../x")
        ('traditional+mixup', '_x~d6b96a97d147')
    """
    if SAFE.fullmatch(name) and not name.endswith(".") and not RESERVED.fullmatch(name):
        return name
    clean = re.sub(r"[^A-Za-z0-9_+-]+", "_", name).lstrip("-")[:60]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{clean or '_'}~{digest[:12]}"


def plan_path(out: Place) -> Path:
    """Return the plan: question, metric, methods, seeds, budget."""
    return Path(out) / "plan.json"


def summary_path(out: Place) -> Path:
    """Return the answer for programs."""
    return Path(out) / "summary.json"


def policy_path(out: Place) -> Path:
    """Return the policy of the method that won the screening, to be taken home."""
    return Path(out) / "policy.json"


def report_path(out: Place) -> Path:
    """Return the answer for people."""
    return Path(out) / "report.html"


def pictures_path(out: Place) -> Path:
    """Return the page that `learn` writes: what was learned, in pictures."""
    return Path(out) / "pictures.html"


def split_path(out: Place, k: int = 0) -> Path:
    """Return the ids of train, valid and test of split number k."""
    return Path(out) / (f"split-{k}.json" if k else "split.json")


def check_path(out: Place) -> Path:
    """Return the findings about the data."""
    return Path(out) / "check.json"


def lock_path(out: Place) -> Path:
    """Return the file that the owner of the run folder locks."""
    return Path(out) / "lock"


def samples_path(out: Place, name: str) -> Path:
    """Return the sample pictures of a method, or of "original"."""
    return Path(out) / "samples" / f"{slug(name)}.npz"


def cache_path(out: Place, name: str) -> Path:
    """Return a file that can be made again at any time, such as "images.npy"."""
    return Path(out) / "cache" / slug(name)


def run_folder(out: Place, method: str, seed: int) -> Path:
    """Return the folder of one run: one method with one seed."""
    if type(seed) is not int or seed < 0:  # no bool, and no text that could be a path
        raise UsageError(f"a seed must be an integer >= 0, but got {seed!r}")
    return Path(out) / "runs" / slug(method) / f"seed-{seed}"


def config_path(run: Place) -> Path:
    """Return the settings of a run."""
    return Path(run) / "config.json"


def origin_path(run: Place) -> Path:
    """Return where a run came from: versions, machine, command."""
    return Path(run) / "origin.json"


def status_path(run: Place) -> Path:
    """Return the state of a run: state, error, seconds, stage, part."""
    return Path(run) / "status.json"


def resuming(out: Place) -> str:
    """Return the command that goes on with a job, as a shell takes it.

    Example:
        >>> resuming("my runs/a")
        "learnaug resume 'my runs/a'"
    """
    return f"learnaug resume {shlex.quote(str(out))}"


def learn_folder(run: Place) -> Path:
    """Return the folder of the learning of an augmenter."""
    return Path(run) / "learn"


def augmenter_folder(run: Place) -> Path:
    """Return the folder of the learned augmenter."""
    return learn_folder(run) / "augmenter"


def galleries_path(run: Place, suffix: Literal[".json", ".npz"] = ".json") -> Path:
    """Return the words (.json) or the pictures (.npz) of what was learned."""
    return learn_folder(run) / f"galleries{suffix}"


def learned_folder(out: Place) -> Path:
    """Return the augmenter that `learn` leaves behind."""
    return Path(out) / "augmenter"


def given_folder(out: Place) -> Path:
    """Return the augmenter that the user gave to train with."""
    return Path(out) / "given"


def log_path(run: Place, phase: Literal["learn", "train"]) -> Path:
    """Return the journal of the learning of the augmenter, or of the training of the target."""
    return Path(run) / phase / "log.jsonl"


def curve_path(run: Place) -> Path | None:
    """Return the journal with the learning curve of the target; None while there is none.

    A target that was trained along with its augmentation has its curve in the journal of the
    learning; of a chain it is the last member's.
    """
    train = log_path(run, "train")
    if train.is_file():
        return train
    logs = learn_folder(run).glob("*.jsonl")
    return max(logs, key=lambda log: (len(log.name), log.name), default=None)


def checkpoint_folder(run: Place, phase: Literal["learn", "train"] = "train") -> Path:
    """Return the folder of the checkpoints."""
    return Path(run) / phase / "checkpoint"


def model_path(run: Place) -> Path:
    """Return the trained weights."""
    return Path(run) / "train" / "model.safetensors"


def predictions_path(run: Place) -> Path:
    """Return the probabilities, labels and ids of the part that was judged."""
    return Path(run) / "test" / "predictions.npz"


def metrics_path(run: Place) -> Path:
    """Return the figures of the part that was judged."""
    return Path(run) / "test" / "metrics.json"
