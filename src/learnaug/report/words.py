"""Facts to sentences and short lists: what to do, the protocol, splits, versions.

Nothing here claims anything: words of judgement come from `stats.verdict` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from learnaug.methods import METHODS, rows_of
from learnaug.report.collect import Facts, Predictions
from learnaug.report.tables import Arm, Pair, counts, pairs, peak_and_last
from learnaug.report.values import Json, integers, mapping, names, number

__all__ = [
    "balance",
    "controls",
    "error_change",
    "gaps",
    "headline_numbers",
    "protocol",
    "splits",
    "todo",
    "versions",
]

Lines = list[tuple[str, str]]
SEVERAL = (
    "it is cut several times, and no choice was made on it in the same cut: in another one its "
    "images may train or validate"
)
PARTS = ("train", "valid", "test")
PART_NAMES = {"train": "training", "valid": "validation", "test": "test (sealed)"}


def controls(facts: Facts, table: Sequence[Arm]) -> list[str]:
    """Return how what was learned stands beside what does the same with nothing learned.

    That is the control that its row of METHODS names, for each such method that was screened, and
    the random policy for any other learned candidate.
    """
    means = {arm.method: arm for arm in table if arm.stage == "screen" and arm.mean is not None}
    held = [(mine, other) for mine in means for other in means if other != mine]
    found = [
        _beside(means[mine], means[other])
        for mine, other in held
        if rows_of(other) == _unlearned(mine)
    ]
    if _unlearned(facts.candidate):
        named = any(rows_of(other) == _unlearned(facts.candidate) for other in means)
        lacking = "+".join(_unlearned(facts.candidate))
        missing = f"Control: {lacking} has no finished run, so learning is unchecked."
        return found if named else [*found, missing]
    random = _random(facts, table)
    return [*found, random] if random else found


def _unlearned(method: str) -> list[str]:
    """Return the rows of the (chained) control that a method's row names; [] where none does."""
    rows = rows_of(method) if method else []
    known = [METHODS[row].control if row in METHODS else "" for row in rows]
    return [other or row for row, other in zip(rows, known, strict=True)] if any(known) else []


def _beside(mine: Arm, other: Arm) -> str:
    gap = 100 * ((mine.mean or 0.0) - (other.mean or 0.0))
    where = f"(validation part, n = {len(mine.scores)} and {len(other.scores)} runs)"
    if gap <= 0:
        return (
            f"Control: {other.method}, which learns nothing, does as well as {mine.method}: it is "
            f"{abs(gap):.1f} points above it {where}. What was learned added nothing that these "
            "runs can show."
        )
    return (
        f"Control: {mine.method} is {gap:.1f} points above {other.method}, which does the same "
        f"with nothing learned {where}; this comparison is no claim."
    )


def _random(facts: Facts, table: Sequence[Arm]) -> str:
    """Return how a learned candidate stands beside the random policy; "" for a fixed one."""
    if not (facts.candidate and (facts.learned(facts.candidate) or facts.second)):
        return ""
    means = {arm.method: arm for arm in table if arm.stage == "screen" and arm.mean is not None}
    mine, random = means.get(facts.candidate), means.get("uniform")
    if mine is None or random is None:
        return "Control: the uniform random policy has no finished run, so learning is unchecked."
    gap = 100 * ((mine.mean or 0.0) - (random.mean or 0.0))
    where = f"(validation part, n = {len(mine.scores)} and {len(random.scores)} runs)"
    if gap <= 0:
        return (
            f"Control: what was learned added nothing that these runs can show: {facts.candidate} "
            f"is {abs(gap):.1f} points below the uniform random policy {where}."
        )
    return (
        f"Control: {facts.candidate} is {gap:.1f} points above the uniform random policy {where}; "
        "this comparison is no claim."
    )


def todo(facts: Facts) -> Json:
    """Return what to do now: a sentence or two, and the Python that uses what was learned."""
    outcome, candidate, base = facts.verdict.get("outcome"), facts.candidate, facts.baseline
    if not facts.verdict or counts(facts)["missing"]:
        text = "The comparison is not finished. To go on: learnaug resume, and this folder's name."
        return {"text": text, "code": ""}
    if outcome == "too-few-runs" and counts(facts)["failed"]:
        text = "Mend what failed (it is said below), then: learnaug resume, and this folder's name."
        return {"text": text, "code": ""}
    if outcome == "helps" and (rival := _rival(facts)):
        return rival
    text = {
        "helps": f"Train with {candidate}.",
        "harms": f"Stay with the baseline ({base}); leave {candidate} out.",
        "no-difference": f"Stay with the baseline ({base}): {candidate} makes no difference of "
        "the size that you asked about.",
        "not-settled": f"Stay with the baseline ({base}) until the question is settled; the "
        "verdict says what would settle it.",
        "too-few-runs": "Compare again with more pairs (--confirm-seeds), in a new folder (--out), "
        "before you decide.",
    }.get(str(outcome), "")
    code = "" if outcome in ("harms", "no-difference") else _code(facts, candidate)
    meanwhile = f" To try {candidate} meanwhile:" if code and outcome != "helps" else ""
    return {"text": text + _otherwise(facts, code) + meanwhile, "code": code}


def _rival(facts: Facts) -> Json | None:
    """Return what to do where the candidate helps, but TrivialAugment stands against it."""
    outcome, rival = facts.second.get("outcome"), str(facts.second.get("baseline"))
    if not facts.second or outcome == "helps":
        return None
    if outcome == "harms":
        text = f"Train with {rival}, which learns nothing and scores above {facts.candidate} here."
    else:
        text = (
            f"Train with {rival}, which learns nothing: these runs do not show that "
            f"{facts.candidate} adds anything to it."
        )
    return {"text": text, "code": _code(facts, rival)}


def _otherwise(facts: Facts, code: str) -> str:
    """Return how the runs of the candidate differ from what the code does; "" where not."""
    taught = next((run.taught for run in facts.of(facts.candidate, "confirm") if run.taught), "")
    return f" Its runs did more than the code below does: {taught}." if taught and code else ""


def _code(facts: Facts, method: str) -> str:
    """Return the Python that uses a method of the confirm stage; "" where no run of it is done."""
    kept = sorted((run.seed, run.augmenter) for run in facts.of(method, "confirm") if run.augmenter)
    if not kept:
        return ""
    fixed = not facts.learned(method) and facts.plan.get("operations") is None
    given = "masks" if facts.masked else "labels"
    source = f"{method!r})" if fixed else f"{kept[-1][1]!r})  # in this run folder"
    classes = _classes(_data(facts))
    known = f"classes={classes}, " if classes and not facts.masked else ""
    return (
        "import learnaug\n\n"
        f"augment = learnaug.load_augmenter({source}\n"
        f"images, {given} = augment.apply(images, {given}, {known}seed=step)  "
        "# in your training loop"
    )


def headline_numbers(facts: Facts) -> Lines:
    """Return the few figures below the verdict: value and what it counts."""
    data, runs = _data(facts), counts(facts)
    sizes = [_count(data.get(part)) for part in PARTS]
    methods = {run.method for run in facts.runs if run.stage == "screen"}
    found = [
        (" / ".join(sizes), "training / validation / test images") if any(sizes) else ("", ""),
        (_classes(data), "classes"),
        (str(len(methods)), "methods screened"),
        (f"{runs['done']} of {runs['planned']}", "runs done"),
        (str(runs["failed"]), "failed") if runs["failed"] else ("", ""),
        (_hours(number(facts.summary.get("seconds"))), "in all"),
    ]
    return [(value, words) for value, words in found if value]


def gaps(facts: Facts) -> list[str]:
    """Return what is missing from the folder, in sentences."""
    found, runs = list(facts.gaps), counts(facts)
    if runs["missing"]:
        found.append(f"{runs['missing']} of {runs['planned']} planned runs are not finished")
    if not facts.runs:
        found.append("no run is planned here: is this the folder of a comparison?")
    if facts.runs and not facts.candidate:
        found.append("the confirm stage has not begun: its candidate is chosen after the screen")
    return found


def error_change(found: Sequence[Pair]) -> float | None:
    """Return (error of the candidate - error of the baseline) / error of the baseline."""
    if not found:
        return None
    before = 1 - fmean(pair.baseline for pair in found)
    after = 1 - fmean(pair.candidate for pair in found)
    return (after - before) / before if before > 0 else None


def protocol(facts: Facts, table: Sequence[Arm]) -> Lines:
    """Return the facts that are always printed (TRUST.md 4.7)."""
    plan, runs = facts.plan, counts(facts)
    screened = [arm for arm in table if arm.stage == "screen"]
    n = len(pairs(facts, facts.candidate, facts.baseline))
    lines = [
        ("Question", str(plan.get("question") or "")),
        ("Metric", str(plan.get("metric") or facts.summary.get("metric") or "accuracy")),
        ("Methods screened (K)", str(len(screened))),
        ("Pairs in the confirm stage (n)", str(n)),
        ("Seeds", _seeds(plan)),
        ("Failed runs", f"{runs['failed']} of {runs['planned']}"),
        (
            "Smallest difference of interest",
            f"±{100 * (number(plan.get('delta')) or 0.01):.1f} points",
        ),
        ("Epoch rule", f"last epoch{_of_epochs(plan)}; never the highest of several"),
        ("Highest minus last epoch, validation", _peak(facts)),
        ("Test part", _test_reads(facts)),
        ("Duplicates removed", _removed(facts)),
        ("Model", str(plan.get("model") or "")),
        ("Recipe", _flat(mapping(plan.get("recipe")))),
        ("Device", _flat({k: plan.get(k) for k in ("device", "threads", "precision")})),
        ("Cost", _hours(number(facts.summary.get("seconds")))),
        ("Plan", str(plan.get("hash") or "")),
        *(("Decided for you", note) for note in names(plan.get("notes"))),
    ]
    return [(name, value) for name, value in lines if value]


def splits(facts: Facts) -> Json:
    """Return size and fingerprint of each part, and how they were made."""
    found = []
    for part in PARTS:
        stored = facts.split.get(part)
        ids = stored.get("ids") if isinstance(stored, dict) else stored
        sha = mapping(stored).get("sha256")
        size = len(ids) if isinstance(ids, list) else _data(facts).get(part)
        if size is not None:
            found.append({"name": PART_NAMES[part], "size": size, "sha256": str(sha or "")})
    plan = mapping(facts.plan.get("split"))
    notes = names(facts.split.get("notes"))
    if plan.get("per_class"):
        each = "in all" if facts.masked else "of each class"
        notes.append(f"{plan['per_class']} training images {each} were kept.")
    if facts.cuts > 1:
        notes.append(f"{facts.cuts} repeated splits; the first is shown, pairs take turns.")
    sealed = str(facts.split.get("sealed_from") or "")
    if sealed:
        own = "cut from the data" if sealed == "cut" else f'the data\'s own "{sealed}" part'
        notes.append(f"The test part is {own}.")
    return {"parts": found, "notes": notes}


def versions(facts: Facts) -> Lines:
    """Return versions and machine; nothing that names a person, a host or a place."""
    packages = mapping(facts.summary.get("versions")) or mapping(facts.origin.get("versions"))
    lines = [(name, str(value)) for name, value in packages.items()]
    lines += [("platform", str(facts.origin.get("platform") or ""))]
    lines += [("processor", str(mapping(facts.origin.get("processor")).get("model") or ""))]
    lines += [("threads", _flat(mapping(facts.origin.get("threads"))))]
    lines += [("source", _flat(mapping(facts.origin.get("source"))))]
    fingerprint = _data(facts).get("fingerprint")
    lines += [("data fingerprint", str(fingerprint or ""))]
    return [(name, value) for name, value in lines if value]


def balance(facts: Facts) -> Json:
    """Return the images of each class as (name, count, share of the largest), and other counts."""
    given = mapping(facts.check.get("counts"))  # part -> images of each class
    parts = [integers(row) for row in given.values()]
    classes = names(facts.check.get("classes"))
    fitting = [row for row in parts if len(row) == len(classes)]
    tally = dict(zip(classes, map(sum, zip(*fitting, strict=True)), strict=False))
    tally = tally or dict(Counter(_labels(facts)))
    most = max(tally.values(), default=0) or 1
    rows = [(name, n, n / most) for name, n in tally.items()]
    size = " × ".join(map(str, integers(facts.check.get("size"))))
    ratio = number(facts.check.get("balance"))
    lines = [
        ("images", _count(facts.check.get("images"))),
        ("size (height × width)", f"{size} pixels" if size else ""),
        ("channels", _count(facts.check.get("channels"))),
        ("largest to smallest class", f"{ratio:.1f} to 1" if ratio and not facts.masked else ""),
    ]
    return {"classes": rows, "lines": [(key, value) for key, value in lines if value]}


def _labels(facts: Facts) -> list[str]:
    """Return the class name of each test image, where nothing else counts them."""
    run = next((run for run in facts.runs if run.predictions is not None), None)
    if run is None or not isinstance(run.predictions, Predictions):
        return []
    known = list(mapping(run.metrics.get("per_class")))
    return [known[i] for i in run.predictions.labels if 0 <= i < len(known)]


def _data(facts: Facts) -> Json:
    return mapping(facts.plan.get("data")) | mapping(facts.summary.get("data"))


def _classes(data: Json) -> str:
    given = data.get("classes")
    return str(len(given)) if isinstance(given, (list, dict)) else _count(given)


def _count(value: object) -> str:
    found = number(value)
    return "" if found is None else f"{int(found):,}".replace(",", " ")


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _seeds(plan: Json) -> str:
    named = (("screen", "seeds"), ("confirm (fresh)", "confirm_seeds"))
    found = [(stage, integers(plan.get(key))) for stage, key in named]
    words = [f"{stage} {', '.join(map(str, seeds))}" for stage, seeds in found if seeds]
    root = plan.get("seed")
    return "; ".join([*words, *([f"root {root}"] if isinstance(root, int) else [])])


def _of_epochs(plan: Json) -> str:
    found = number(plan.get("epochs"))
    return f" of {found:g}" if found else ""


def _peak(facts: Facts) -> str:
    words = []
    for method in dict.fromkeys((facts.candidate, facts.baseline)):
        found = peak_and_last(run for run in facts.runs if run.method == method)
        if found:
            words.append(f"{method} {100 * found[0]:.1f} points (n = {found[1]})")
    return "; ".join(words)


def _test_reads(facts: Facts) -> str:
    reads = sum(run.part == "test" and bool(run.metrics) for run in facts.runs)
    choice = f"; {SEVERAL if facts.cuts > 1 else 'no choice was made on it'}" if facts.plan else ""
    return f"read once by each of {reads} finished confirm runs{choice}"


def _removed(facts: Facts) -> str:
    """Return what was left out as a copy, or in a group, of images of a later part."""
    left = [note for note in names(facts.split.get("notes")) if "left out" in note]
    return "; ".join(left) or "none"


def _flat(values: Json) -> str:
    """Write a small object as "name value, name value"."""
    shown = {k: v for k, v in values.items() if v is not None and not isinstance(v, (dict, list))}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())
