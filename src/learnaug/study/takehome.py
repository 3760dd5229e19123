"""The policy of the method that won the screening, as a file with its evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from learnaug import rundir
from learnaug.methods import policy_of
from learnaug.methods.folders import load_folder
from learnaug.study.job import newest_augmenter, read_status
from learnaug.study.world import World

__all__ = ["write_policy"]

CONFIDENCE = 0.95  # of the verdict's interval


def write_policy(world: World, summary: dict[str, Any]) -> None:
    """Write OUT/policy.json for the candidate, if there is one and it is a policy.

    It says on which data it was chosen and, when the confirm stage has pairs, how it did there;
    also when that is bad: what it did is for the reader to judge. Runs that were trained with it in
    a part of the updates only, or otherwise, say nothing of it.

    Args:
        world: of the comparison.
        summary: the content of summary.json.
    """
    verdict = summary["verdict"]
    if verdict is None:
        return
    policy = policy_of(load_folder(newest_augmenter(world.out, verdict["candidate"])))
    if policy is None:
        rundir.remove(rundir.policy_path(world.out))  # of a candidate before this one
        return
    data = summary["data"]
    about = {
        "data": data["name"],
        "fingerprint": data["fingerprint"],
        "classes": len(data["classes"]),
        "pictures": data["train"],
        "size": max(world.data.size),
        "net": world.plan.model,
    }
    told = replace(policy, trained_on=about, evidence=_evidence(world, summary, verdict))
    rundir.write_json(rundir.policy_path(world.out), told.to_json())


def _evidence(world: World, summary: dict[str, Any], verdict: dict[str, Any]) -> dict[str, Any]:
    runs = summary["runs"]
    if not verdict["interval"] or runs["done"] + runs["failed"] < runs["planned"]:
        return {}  # what is seen at a moment of one's choice is no evidence
    if read_status(newest_augmenter(world.out, verdict["candidate"]).parents[1]).get("taught"):
        return {}  # the runs were not trained with this policy alone
    found = {
        "metric": summary["metric"],
        "part": "test",
        "baseline": verdict["baseline"],
        "difference": verdict["difference"],
        "interval": tuple(verdict["interval"]),
        "confidence": CONFIDENCE,
        "pairs": verdict["pairs"],
    }
    return found if verdict["p"] is None else found | {"p": verdict["p"]}
