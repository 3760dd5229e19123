"""The answer for programs: summary.json as a pure function of the run folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from learnaug import rundir, stats
from learnaug.methods import is_learned
from learnaug.study.images import image_interval
from learnaug.study.job import read_status
from learnaug.study.plan import Job, Plan
from learnaug.study.world import World, overlap

__all__ = ["arms", "best", "summarise"]

RIVAL = "trivialaugment"  # the bar that a learned method has to clear


def best(out: Path, plan: Plan) -> str | None:
    """Return the method with the highest mean on the validation part, the baseline left out.

    None until every screening run is done or failed: the best of those that happen to be done
    first is not the best. A method with a failed run takes no part; of equal means the first in
    the plan is taken.
    """
    means = {}
    for method in plan.methods:
        jobs = [job for job in plan.screen() if job.method == method]
        found = _statuses(out, jobs)
        if not all(status["state"] in ("done", "failed") for status in found):
            return None
        scores = [status["score"] for status in found if status["state"] == "done"]
        if method != plan.baseline and len(scores) == len(jobs):
            means[method] = float(np.mean(scores))
    return max(means, key=lambda name: means[name]) if means else None


def arms(plan: Plan, candidate: str) -> tuple[str, ...]:
    """Return the arms of the confirm stage: baseline, candidate, and the rival of a learned one."""
    rival = (RIVAL,) if is_learned(candidate) and plan.baseline != RIVAL else ()
    return (plan.baseline, candidate, *rival)


def summarise(world: World, seconds: float) -> dict[str, Any]:
    """Return the summary of what is done so far; see docs/summary-schema.md."""
    out, plan = world.out, world.plan
    candidate = best(out, plan)
    confirm = plan.confirm(arms(plan, candidate)) if candidate else []
    jobs = [*plan.screen(), *confirm]
    planned = len(jobs) if candidate else len(jobs) + 2 * plan.confirm_seeds
    states = [status["state"] for status in _statuses(out, jobs)]
    sizes = world.splits[0]
    verdict = against = None
    if candidate:
        verdict = _verdict(world, confirm, candidate, plan.baseline)
        if RIVAL in arms(plan, candidate)[2:]:
            against = _verdict(world, confirm, candidate, RIVAL)
    return {
        "schema": 1,
        "data": {
            "name": world.data.name,
            "classes": list(world.data.classes),
            "train": len(sizes.train),
            "valid": len(sizes.valid),
            "test": len(sizes.test),
            "fingerprint": plan.data["fingerprint"],
        },
        "metric": plan.metric,
        "methods": _rows(out, plan, jobs),
        "verdict": verdict,
        "against_trivialaugment": against,
        "runs": {
            "planned": planned,
            "done": states.count("done"),
            "failed": states.count("failed"),
        },
        "seconds": round(seconds, 1),
        "command": plan.command,
        "versions": rundir.versions(),
    }


def _statuses(out: Path, jobs: Iterable[Job]) -> list[dict[str, Any]]:
    return [read_status(rundir.run_folder(out, job.method, job.seed)) for job in jobs]


def _rows(out: Path, plan: Plan, jobs: list[Job]) -> list[dict[str, Any]]:
    rows = []
    keys = dict.fromkeys((job.stage, job.part, job.method) for job in jobs)
    order = {method: i for i, method in enumerate(plan.methods)}
    for stage, part, method in sorted(keys, key=lambda k: (k[0] != "screen", order[k[2]])):
        mine = [job for job in jobs if (job.stage, job.method) == (stage, method)]
        found = list(zip(mine, _statuses(out, mine), strict=True))
        done = [(job, status) for job, status in found if status["state"] == "done"]
        scores = [status["score"] for _, status in done]
        rows.append(
            {
                "method": method,
                "stage": stage,
                "part": part,
                "seeds": [job.seed for job, _ in done],
                "scores": scores,
                "mean": float(np.mean(scores)) if scores else None,
                "learn_seconds": round(sum(s["seconds"]["learn"] for _, s in done), 3),
                "train_seconds": round(sum(s["seconds"]["train"] for _, s in done), 3),
                "failed": sum(status["state"] == "failed" for _, status in found),
            }
        )
    return rows


def _verdict(world: World, jobs: list[Job], candidate: str, baseline: str) -> dict[str, Any]:
    plan = world.plan
    scores: dict[str, dict[int, float]] = {candidate: {}, baseline: {}}
    failed = {candidate: 0, baseline: 0}
    for job in jobs:
        if job.method in scores:
            status = read_status(rundir.run_folder(world.out, job.method, job.seed))
            if status["state"] == "done":
                scores[job.method][job.seed] = status["score"]
            failed[job.method] += status["state"] == "failed"
    seeds = sorted(scores[candidate].keys() & scores[baseline].keys())
    found = stats.verdict(
        candidate,
        baseline,
        [scores[candidate][seed] for seed in seeds],
        [scores[baseline][seed] for seed in seeds],
        image_interval(world, seeds, candidate, baseline) if seeds else None,
        delta=plan.delta,
        failed=(failed[candidate], failed[baseline]),
        planned=(plan.confirm_seeds, plan.confirm_seeds),
        overlap=overlap(world.splits),
        metric=stats.metric_words(plan.metric),
    )
    waiting = 2 * plan.confirm_seeds - sum(len(s) for s in scores.values()) - sum(failed.values())
    if waiting:
        # A verdict at a moment that somebody chose would claim too often (5 % becomes 10 %).
        words = (
            f"No verdict yet: {len(seeds)} of {plan.confirm_seeds} pairs are done, and "
            f"{waiting} runs are still to come. Resume the comparison."
        )
        found = replace(found, outcome="too-few-runs", words=words)
    return asdict(found)
