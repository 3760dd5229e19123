"""The verdict: the one function of the package that claims anything, and its words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from learnaug.errors import UsageError
from learnaug.stats._common import LEVEL, Interval, differences, finite
from learnaug.stats.pairs import Paired, paired

__all__ = ["Outcome", "Verdict", "metric_words", "verdict"]

Outcome = Literal["helps", "harms", "no-difference", "not-settled", "too-few-runs"]

PAIRS_FOR_INTERVAL = 5  # below: too few runs to tell
PAIRS_FOR_VERDICT = 6  # the first n whose least two-sided p, 2 / 2**n, is below 0.05
FAILED_SHARE = 0.10  # of the planned runs of one side
POWER = 2.8  # 1.96 + 0.84: level 0.05 with a chance of 0.8 to see the effect
MOST_PAIRS = 200  # a larger number of further pairs is only called "more than"
MOST_TIMES = 20  # the same for the size of the test part


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said of candidate against baseline; fractions, and None where undefined."""

    candidate: str
    baseline: str
    words: str
    outcome: Outcome
    difference: float | None
    interval: Interval | None
    image_interval: Interval | None
    p: float | None
    pairs: int


def verdict(
    candidate_name: str,
    baseline_name: str,
    scores_c: Sequence[float],
    scores_b: Sequence[float],
    image: Interval | None,
    *,
    delta: float = 0.01,
    failed: tuple[int, int] = (0, 0),
    planned: tuple[int, int] | None = None,
    overlap: float = 0.0,
    metric: str = "accuracy",
) -> Verdict:
    """Return what may be said, in words; the only place where the package claims anything.

    "helps" takes all three: t interval above 0, sign-flip p <= 0.05, image interval above 0;
    "harms" is its mirror. "no-difference": both intervals inside [-delta, delta]. Else
    "not-settled" with what would settle it. "too-few-runs": under 6 pairs, or more than 10 % of
    the planned runs of one side failed. Without an image interval the words speak of these test
    images only.

    Args:
        candidate_name: the method that was chosen.
        baseline_name: the method it is held against.
        scores_c: one score in [0, 1] a seed.
        scores_b: the baseline's scores of the same seeds.
        image: what `image_interval` returned, or None.
        delta: smallest difference of interest, a fraction.
        failed: runs failed, candidate and baseline.
        planned: runs planned, candidate and baseline; by default pairs + failed.
        overlap: see `paired`.
        metric: name of the score for the words.

    Raises:
        UsageError: unequal lengths, a number that is not finite, delta <= 0.

    Example:
        >>> verdict("cutout", "none", [0.9, 0.8], [0.7, 0.7], None).outcome
        'too-few-runs'
    """
    if not (math.isfinite(delta) and delta > 0):
        raise UsageError(f"`delta > 0` must hold, but got {delta}")
    if image is not None:
        finite(image, "the image interval")
    d = differences(scores_c, scores_b)
    names = (candidate_name, baseline_name)
    if not len(d):
        words = f"Too few runs to tell: no pair of {' and '.join(names)} was finished."
        return Verdict(*names, words, "too-few-runs", None, None, image, None, 0)
    pair = paired(scores_c, scores_b, overlap=overlap)
    outcome, words = _judge(names, pair, image, delta, overlap, metric)
    if lost := _failures(names, failed, planned, pair.n):
        figures = _figures(baseline_name, pair, metric)
        outcome, words = "too-few-runs", f"{lost} The others: {candidate_name} {figures}."
    return Verdict(*names, words, outcome, pair.mean, pair.interval, image, pair.p, pair.n)


def metric_words(metric: str) -> str:
    """Return the name of a metric as words say it.

    Example:
        >>> metric_words("balanced_accuracy"), metric_words("mean_iou")
        ('balanced accuracy', 'mean IoU')
    """
    return metric.replace("_", " ").replace("iou", "IoU")


def _judge(
    names: tuple[str, str],
    pair: Paired,
    image: Interval | None,
    delta: float,
    overlap: float,
    metric: str,
) -> tuple[Outcome, str]:
    figures = _figures(names[1], pair, metric)
    named = f"{names[0]} {figures}"
    if pair.n < PAIRS_FOR_INTERVAL:
        return "too-few-runs", f"Too few runs to tell: {named}. {_needed(pair.n)}"
    if pair.n < PAIRS_FOR_VERDICT:
        hint = {1: "suggest help", -1: "suggest harm", 0: "point nowhere yet"}[_side(pair.interval)]
        return "too-few-runs", f"{pair.n} pairs {hint}: {named}. {_needed(pair.n)}"
    on = "on these test images" if image is None else "on new images like these"
    images = image or pair.interval
    by_runs = _claims(pair.interval, delta, pair.p <= 1 - LEVEL)
    by_images = _claims(images, delta)
    for outcome in ("helps", "harms"):
        if outcome in by_runs & by_images:
            return outcome, f"{names[0]} {outcome}: {figures} {on}."
    if "no-difference" in by_runs & by_images:
        least = f"{100 * delta:.1f} {_unit(delta)} of {metric}"
        return "no-difference", f"No difference larger than {least}: {named} {on}."
    effect = max(abs(pair.mean), delta)
    runs_short = not by_runs or (bool(by_images) and by_runs == {"no-difference"})
    cures = [_more_pairs(pair, effect, overlap)] if runs_short else []
    cures += [] if runs_short and by_images else [_more_images(images, effect)]
    return "not-settled", f"Not settled: {named}. To settle it: {' and '.join(cures)}."


def _claims(interval: Interval | None, delta: float, sure: bool = True) -> set[Outcome]:
    """Return what an interval supports; a side only where the test agrees (`sure`)."""
    claims: set[Outcome] = set()
    if _side(interval) and sure:
        claims.add("helps" if _side(interval) > 0 else "harms")
    if interval is not None and -delta <= interval[0] and interval[1] <= delta:
        claims.add("no-difference")
    return claims


def _failures(
    names: tuple[str, str], failed: tuple[int, int], planned: tuple[int, int] | None, pairs: int
) -> str:
    planned = planned or (pairs + failed[0], pairs + failed[1])
    lost = [
        f"{bad} of {plan} runs of {name} failed"
        for name, bad, plan in zip(names, failed, planned, strict=True)
        if bad > FAILED_SHARE * plan
    ]
    return f"No verdict: {' and '.join(lost)}; mend them and resume." if lost else ""


def _figures(baseline: str, pair: Paired, metric: str) -> str:
    given = []
    if pair.interval is not None and pair.n >= PAIRS_FOR_INTERVAL:
        given.append(f"95 % interval {_span(pair.interval)}")
    given.append(f"{pair.n} pair{'' if pair.n == 1 else 's'}")
    if pair.n >= PAIRS_FOR_VERDICT:
        given.append("p < 0.001" if pair.p < 0.001 else f"p = {pair.p:.3f}")
    word = "against" if pair.mean < 0 else "over"
    gain = f"{_points(pair.mean)} {_unit(pair.mean)} of {metric} {word} {baseline}"
    return f"{gain} ({', '.join(given)})"


def _span(interval: Interval) -> str:
    return f"{_points(interval[0])} to {_points(interval[1])}"


def _points(fraction: float) -> str:
    """Write a fraction as signed points; a second decimal where one would hide the sign."""
    points = 100 * fraction
    if abs(points) < 5e-3:
        return "0.0"
    return f"{points:+.2f}" if abs(points) < 0.05 else f"{points:+.1f}"


def _unit(fraction: float) -> str:
    return "point" if f"{abs(100 * fraction):.1f}" == "1.0" else "points"


def _needed(pairs: int) -> str:
    more = PAIRS_FOR_VERDICT - pairs
    return f"A verdict takes {PAIRS_FOR_VERDICT} pairs: {more} more."


def _side(interval: Interval | None) -> int:
    return 0 if interval is None else int(interval[0] > 0) - int(interval[1] < 0)


def _more_pairs(pair: Paired, effect: float, overlap: float) -> str:
    """Say how many pairs would show an effect of the observed size, or of delta if larger.

    n = 2 + (2.8 sd / effect)^2; with overlap, 1/n + overlap takes the place of 1/n.
    """
    room = (effect / (POWER * pair.sd)) ** 2 - overlap if pair.sd else math.inf
    if room <= 0:
        return "more images are needed, for repeated splits of these cannot"
    more = max(1, math.ceil(2 + 1 / room) - pair.n)
    if more > MOST_PAIRS:
        return f"more than {MOST_PAIRS} more pairs are needed"
    return f"about {more} more pair{'' if more == 1 else 's'} {'is' if more == 1 else 'are'} needed"


def _more_images(image: Interval | None, effect: float) -> str:
    """Say how much larger the test part must be; the interval shrinks as its square root."""
    if image is None:
        return "a larger test part is needed"
    half = (image[1] - image[0]) / 2
    times = max(2, math.ceil((POWER / 1.96 * half / effect) ** 2))
    size = f"more than {MOST_TIMES}" if times > MOST_TIMES else f"about {times}"
    return (
        f"a larger test part is needed, {size} times as many images"
        f" (for new images the interval is {_span(image)})"
    )
