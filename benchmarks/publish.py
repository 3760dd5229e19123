"""Ship a found policy with its evidence: fresh pairs against TrivialAugment that no search saw.

    python benchmarks/publish.py NAME BLOCK RUNS FOLDER [PAIRS]

RUNS is the folder of a block of `learnaug reproduce aws small-data` (BLOCK, its key) with finished
rows of `aws`; the policy that seed 0 found is taken, whatever it is. The pairs have splits, first
weights and orders of their own; FOLDER is their run folder.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from learnaug import ops, rundir
from learnaug.methods import resolve
from learnaug.methods.published import FOLDER
from learnaug.reproduce.aws import TABLES
from learnaug.reproduce.sources import data_folder, pictures, place
from learnaug.study import pairs

ROOT = 1_000  # seed of the first fresh pair
RIVAL = "trivialaugment"


def found(runs: Path) -> ops.Policy:
    """Return the policy that the search of seed 0 found."""
    content = rundir.read_json(rundir.augmenter_folder(rundir.run_folder(runs, "aws", 0))
                               / "augmenter.json")  # fmt: skip
    return ops.Policy.from_json(content["policy"])


def main() -> None:
    """Run the pairs, and write the policy file."""
    name, key, runs, out = sys.argv[1:5]
    number = int(sys.argv[5]) if len(sys.argv) > 5 else 3
    block = next(each for each in TABLES["small-data"].blocks if each.key == key)
    where = place(block.source, data_folder(None))
    if where is None:
        sys.exit(f"{block.source.words} are not there")
    policy, file = found(Path(runs)), FOLDER / f"{name}.json"
    about: dict[str, Any] = {
        "made_from": {"method": "aws", "trainings": round(resolve("aws").repeats, 2)},  # type: ignore[attr-defined]
        "trained_on": {"data": block.source.name, "net": block.model},
    }
    size, method = block.small, f"published:name={name}"
    empty = {
        "metric": "accuracy", "part": "test", "baseline": RIVAL, "difference": 0.0,
        "interval": (0.0, 0.0), "pairs": 0,
    }  # fmt: skip
    draft = about | {"evidence": empty}
    draft["made_from"] = about["made_from"] | {"commit": "", "score": 0.0, "baseline_score": 0.0}
    draft["trained_on"] = about["trained_on"] | {"pictures": 0}
    replace(policy, name=name, **draft).save(file)
    done = pairs(
        pictures(block.source, where, size), [method], baseline=RIVAL, seeds=number, seed=ROOT,
        model=block.model, recipe=size.recipe, per_class=size.per_class, jobs=1,
        drop_duplicates=True, out=out, say=lambda event: print(event.get("text", ""), flush=True),
    )  # fmt: skip
    difference = done.difference(method)
    assert difference is not None
    scores = [done.arms[arm].scores.values() for arm in (method, RIVAL)]
    ours, theirs = (round(sum(each) / len(each), 5) for each in scores)
    draft["made_from"] |= {"score": ours, "baseline_score": theirs}
    draft["made_from"]["commit"] = rundir.origin([])["source"]["commit"][:12]
    draft["trained_on"]["pictures"] = done.sizes["train"]
    draft["evidence"] = empty | {
        "difference": round(difference.mean, 5), "pairs": difference.n,
        "interval": tuple(round(end, 5) for end in difference.interval or (-1.0, 1.0)),
    }  # fmt: skip
    replace(policy, name=name, **draft).save(file)
    print(file, draft["evidence"])


if __name__ == "__main__":
    main()
