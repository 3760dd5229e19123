"""How far each method overfits: the loss on validation pictures minus that on training ones."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from learnaug.report.collect import Facts, Run
from learnaug.report.tables import Interval, interval_of_mean
from learnaug.report.values import number
from learnaug.stats import paired

__all__ = ["Overfit", "overfits"]

Losses = tuple[float, float]  # on training and validation pictures, nats


@dataclass(frozen=True)
class Overfit:
    """One method after its last epoch; losses in nats, means over `n` runs of one stage.

    Args:
        train, valid: of the model in use, on pictures as they are.
        gap: valid - train.
        interval: 95 % t interval of the gap over runs; None for a single run.
        difference: the gap minus that of the baseline, over `pairs` seeds that both have; None for
            the baseline itself.
        difference_interval: its 95 % t interval.
    """

    method: str
    stage: str
    n: int
    train: float
    valid: float
    gap: float
    interval: Interval | None
    difference: float | None
    difference_interval: Interval | None
    pairs: int


def overfits(facts: Facts) -> list[Overfit]:
    """Return a row for each method whose runs logged both losses, the smallest gap first.

    Runs of the screen stage count where there are any, else those of the confirm stage.
    """
    found = []
    for method in dict.fromkeys(run.method for run in facts.runs):
        stages = ((stage, _last(facts, method, stage)) for stage in ("screen", "confirm"))
        stage, mine = next(((name, last) for name, last in stages if last), ("", {}))
        if mine:
            base = {} if method == facts.baseline else _last(facts, facts.baseline, stage)
            found.append(_row(method, stage, mine, base))
    return sorted(found, key=lambda row: (row.gap, row.method))


def _row(method: str, stage: str, mine: dict[int, Losses], base: dict[int, Losses]) -> Overfit:
    gaps = {seed: valid - train for seed, (train, valid) in mine.items()}
    shared = sorted(gaps.keys() & base.keys())
    change = None
    if shared:
        theirs = [base[seed][1] - base[seed][0] for seed in shared]
        change = paired([gaps[seed] for seed in shared], theirs)
    return Overfit(
        method, stage, len(gaps),
        fmean(train for train, _ in mine.values()), fmean(valid for _, valid in mine.values()),
        fmean(gaps.values()), interval_of_mean(list(gaps.values())),
        change.mean if change else None, change.interval if change else None, len(shared),
    )  # fmt: skip


def _last(facts: Facts, method: str, stage: str) -> dict[int, Losses]:
    """Return both losses of each run that is done: seed -> (train, valid)."""
    runs = [run for run in facts.of(method, stage) if run.state == "done" and run.log]
    found = {run.seed: _losses(run) for run in runs}
    return {seed: losses for seed, losses in found.items() if losses}


def _losses(run: Run) -> Losses | None:
    row = run.log[-1]
    train, valid = number(row.get("train_loss")), number(row.get("valid_loss"))
    return None if train is None or valid is None else (train, valid)
