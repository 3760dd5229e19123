"""One tiny comparison, and what of its folder must be the same however it came about."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from learnaug import rundir, study
from learnaug.data import ImageSet
from learnaug.seeds import Seeds
from learnaug.study.plan import Plan

METHODS = ("cutout",)
SETTINGS: dict[str, Any] = {
    "methods": METHODS, "epochs": 2, "seeds": 1, "confirm_seeds": 2, "jobs": 1,
}  # fmt: skip


def data(n: int = 64) -> ImageSet:
    """Return n grey pictures 8x8, bright above (class 0) or below (class 1), with a test part."""
    gen = Seeds(0).child("tiny study").numpy()
    images = gen.integers(0, 120, (n, 1, 8, 8)).astype(np.uint8)
    labels = np.arange(n, dtype=np.int64) % 2
    images[labels == 0, :, :4] += 120
    images[labels == 1, :, 4:] += 120
    parts = np.where(np.arange(n) < 3 * n // 4, "train", "test")
    ids = tuple(f"row {i}" for i in range(n))
    none = np.full(n, -1, np.int64)
    return ImageSet("tiny", images, labels, ("above", "below"), ids, none, parts)


def compare(out: Path, **changes: Any) -> study.Comparison:
    """Run the tiny comparison into `out`."""
    images = changes.pop("data", None)
    return study.compare(data() if images is None else images, out=out, **SETTINGS | changes)


def canonical(out: Path) -> dict[str, str]:
    """Return what must be bit-identical: weights, scores, predictions, curves, the verdict."""
    found: dict[str, str] = {}
    for run in sorted((out / "runs").glob("*/seed-*")):
        status = rundir.read_json(rundir.status_path(run))
        key = f"{run.parent.name}/{run.name}"
        found[key] = json.dumps([status[k] for k in ("state", "part", "score", "weights")])
        for path in (rundir.predictions_path(run), rundir.log_path(run, "train")):
            found[f"{key} {path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    summary = rundir.read_json(rundir.summary_path(out))
    found["verdict"] = json.dumps(summary["verdict"])
    found["plan"] = Plan.load(out).digest()
    return found


if __name__ == "__main__":  # started and killed by test_kills.py
    changes = {"jobs": int(sys.argv[2])}
    if "--slow" in sys.argv:
        changes |= {"epochs": 40}
    compare(Path(sys.argv[1]), **changes)
