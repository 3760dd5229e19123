"""Searches for a policy to tables and plain words: what was found, and whether by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from learnaug.report.charts import Chart
from learnaug.report.trials import LEVEL, charts, ends_of, rows_of, steps_of, trials_of
from learnaug.report.values import Json, mapping, names, number

__all__ = ["Line", "Search", "Seen", "Summary", "search_of"]

NORMAL = 1.645  # standard deviations to either end of a 90 % interval
MOST_LINES = 120
RAISED = 1.5  # times as often as before, from which on an operation counts as raised
SILENT = "The search does not say whether it learned anything."
ONLY_A_PROXY = (
    "Rewards are those of short trials with shared weights, on validation pictures; whether a "
    "whole training gains is for a comparison to say."
)


@dataclass(frozen=True)
class Line:
    """One row of the policy in the table, as texts."""

    name: str
    group: str
    before: str
    after: str
    times: str
    effect: str


@dataclass(frozen=True)
class Seen:
    """One of several searches, as texts."""

    seed: str
    badge: str
    kind: str
    trials: str
    p: str
    ratio: str
    effective: str
    check: str


@dataclass(frozen=True)
class Summary:
    """An operation over several searches: in how many it was raised, and in how many lowered."""

    name: str
    raised: int
    lowered: int
    times: str


@dataclass(frozen=True)
class Search:
    """One search as the page shows it.

    Args:
        method: whose search it is.
        lead: which of several runs it is.
        badge, kind: the verdict in two words, and the class of its badge.
        words: the verdict in sentences.
        charts: policy over time, rewards, effective number; those that have data.
        lines: one a row of the policy.
        more: rows that are not shown.
        effects: whether the rows have effects.
        about: what the rows are, in words.
        runs: all searches of the method, where there are several.
        learned: how many of them learned something.
        judged: whether they say so.
        operations: what they did to each operation, where several ended with another policy.
    """

    method: str
    lead: str
    badge: str
    kind: str
    words: tuple[str, ...]
    charts: tuple[Chart, ...]
    lines: tuple[Line, ...]
    more: int
    effects: bool
    about: str
    runs: tuple[Seen, ...]
    learned: int
    judged: bool
    operations: tuple[Summary, ...]


def search_of(method: str, searches: Sequence[tuple[int | None, Json]]) -> Search | None:
    """Return the first search of a method, with what the others found; None where it is empty.

    Args:
        method: its name.
        searches: seed (None: not said) and search of each run, in the order of the runs.
    """
    if not searches or not searches[0][1]:
        return None
    seed, first = searches[0]
    several = len(searches) > 1
    lead = "" if seed is None else f"The run with seed {seed}"
    if several:
        lead += f", the first of {len(searches)}"
    badge, kind, words = _verdict(first)
    rows = rows_of(first)
    lines = tuple(_line(row) for row in sorted(rows, key=_rank))
    verdicts = [search.get("learned") for _, search in searches]
    moved = any(verdict is not False for verdict in verdicts)
    seen = tuple(_seen(seed, search) for seed, search in searches) if several else ()
    return Search(
        method, lead and f"{lead}.", badge, kind, words, charts(method, first), lines[:MOST_LINES],
        max(0, len(lines) - MOST_LINES), any("effect" in row for row in rows),
        _about(first, rows), seen,
        verdicts.count(True), isinstance(first.get("learned"), bool),
        _operations([search for _, search in searches]) if several and moved else (),
    )  # fmt: skip


# --- in words -------------------------------------------------------------------------------------


def _verdict(search: Json) -> tuple[str, str, tuple[str, ...]]:
    """Return the badge, its class, and the sentences of a verdict."""
    if isinstance(search.get("learned"), bool):
        return _judged(search)
    return _by_sharpness(search)


def _judged(search: Json) -> tuple[str, str, tuple[str, ...]]:
    """Return the verdict of a search with a control of shuffled rewards for its effects."""
    stage, trials = _controlled(search)
    p, ratio = number(stage.get("permuted_reward_p")), number(stage.get("signal_to_noise"))
    if p is None:
        return "nothing learned", "", tuple(names(search.get("lines"))[:1]) or (SILENT,)
    control = f"{100 * p:.1f} % of shuffled rewards fit as well as those of the {trials} trials"
    if not search.get("learned") and p < LEVEL:
        why = _stayed(search)
        return "kept what it began with", "", (f"Only {control} (p = {_p(p)}).", *why)
    if not search.get("learned"):
        rest = "The rewards are no different from chance, and the policy stays what it was."
        return "nothing learned", "", (f"It learned nothing: {control} (p = {_p(p)}).", rest)
    words = [f"It learned something: only {control} (p = {_p(p)}).", *_raced(search)]
    if ratio is not None:
        words.append(f"The effects are {ratio:.2f} times the noise of one trial.")
    check = mapping(search.get("check"))
    gain, ends = number(check.get("nats")), ends_of(check.get("interval"))
    if gain is None and search.get("race"):
        return "learned", "", (*words, ONLY_A_PROXY)
    if gain is None:
        return "learned", "", (*words, "What it found was not held against what it began with.")
    told = (
        f"Held against the policy that it began with in {_count(check.get('pairs'))} pairs of "
        f"trials: {_signed(gain)} nats of validation log likelihood"
    )
    if ends is None:
        return "learned", "", (*words, f"{told}.", ONLY_A_PROXY)
    told += f" (95 % interval {_signed(ends[0])} to {_signed(ends[1])}): "
    if ends[0] > 0:
        badge, kind, end = "learned", "helps", "the check agrees."
    elif ends[1] < 0:
        badge, kind, end = "learned, check against it", "harms", "the check speaks against it."
    else:
        badge, kind = "learned, gain not settled", ""
        end = "zero lies inside, so the check does not settle whether anything was gained."
    return badge, kind, (*words, told + end, ONLY_A_PROXY)


def _controlled(search: Json) -> tuple[Json, int]:
    """Return the stage whose control speaks for the search, and how many trials the control read.

    That of the subsets where it alone learned; of a race its first round and the repeats.
    """
    race, screen = mapping(search.get("race")), mapping(search.get("screen"))
    rounds = race.get("rounds")
    if not isinstance(rounds, list) or not rounds:
        return search, len(trials_of(search))
    raced = number(search.get("permuted_reward_p"))
    told = number(screen.get("permuted_reward_p"))
    if search.get("learned") and raced is not None and told is not None and told < LEVEL <= raced:
        subsets = [name for name, *_ in trials_of(search) if str(name).startswith("subset")]
        return screen, len(subsets)
    repeats = race.get("repeats")
    return search, len(rounds[0]) + (len(repeats) if isinstance(repeats, list) else 0)


def _stayed(search: Json) -> list[str]:
    """Return why a search that told its trials apart stays with what it began with."""
    told = names(search.get("lines"))
    why = [line for line in told if "it stays as it began" in line or "came first among" in line]
    return [f"{_sentence(line)}." for line in why] + ["The policy stays what it was."]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _raced(search: Json) -> list[str]:
    """Return what a race chose, and by how much in its last round."""
    way, before = search.get("way"), search.get("before")
    rounds = mapping(search.get("race")).get("rounds")
    last = rounds[-1] if isinstance(rounds, list) and rounds else None
    if not isinstance(way, str) or not isinstance(before, str) or not isinstance(last, list):
        return []
    told = f"Of the ways to augment it chose: {way}."
    found = {str(row[0]): number(row[1]) for row in last if isinstance(row, list) and len(row) > 1}
    ours, theirs = found.get(way), found.get(before)
    if way == before or ours is None or theirs is None:
        return [told]
    gain = f"{_signed(ours - theirs, 3)} nats over what it began with ({before})"
    return [told, f"In the last round it was {gain}, one trial each."]


def _by_sharpness(search: Json) -> tuple[str, str, tuple[str, ...]]:
    """Return the verdict of a search that has nothing but the sharpness of its table."""
    after = number(search.get("effective_pairs"))
    found = search.get("effective_pairs_shuffled")
    dealt = [one for one in map(number, found if isinstance(found, list) else []) if one]
    if after is None or not dealt:
        return "no verdict", "", (SILENT,)
    words = (
        f"The table ends at {after:,.0f} effective pairs; {len(dealt)} searches that learned from "
        f"shuffled rewards end at {min(dealt):,.0f} to {max(dealt):,.0f}."
    )
    if after >= min(dealt):
        rest = "It is no sharper than theirs: nothing shows that the rewards taught it anything."
        return "no sharper than chance", "", (words, rest)
    rest = (
        f"It is sharper than each of them, which by chance alone happens in one of "
        f"{len(dealt) + 1} searches. That is all this search can say of itself."
    )
    return "sharper than chance", "", (words, rest)


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.0005 else f"{p:.1g}"


def _signed(value: float, digits: int = 4) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _count(value: object) -> str:
    found = number(value)
    return "some" if found is None else f"{found:.0f}"


# --- the table ------------------------------------------------------------------------------------


def _rank(row: Json) -> tuple[float, float]:
    effect = number(row.get("effect"))
    return -(effect or 0.0), -_times(row)


def _times(row: Json) -> float:
    before = row["before"]
    return float(row["probability"] / before) if before > 0 else 1.0


def _line(row: Json) -> Line:
    effect, sd = number(row.get("effect")), number(row.get("sd"))
    told = "–"
    if effect is not None and sd:  # without spread nothing is known of it
        ends = [_signed(effect + side * NORMAL * sd) for side in (-1, 1)]
        told = f"{_signed(effect)} ({ends[0]} to {ends[1]})"
    group, name = str(row.get("group") or ""), str(row.get("name") or "")
    group = "" if name.startswith(group) else group
    shares = [f"{100 * row[key]:.1f}" for key in ("before", "probability")]
    return Line(name, group, shares[0], shares[1], f"× {_times(row):.2f}", told)


def _about(search: Json, rows: Sequence[Json]) -> str:
    """Return what the rows of the table are."""
    given = mapping(search.get("history")).get("about")
    if isinstance(given, str):
        return f"{given}, with a 90 % interval."
    told = (
        "Each row is something that the policy draws: its probability in percent before the search "
        "and in the policy that is used"
    )
    if not any("effect" in row for row in rows):
        return f"{told}."
    effect = "nats of reward that a trial with it alone would gain over the average"
    return f"{told}, and its effect: {effect}, with a 90 % interval."


def _groups(search: Json) -> dict[str, tuple[float, float]]:
    """Return the probability of each operation before and after."""
    found: dict[str, tuple[float, float]] = {}
    for row in rows_of(search):
        name = str(row.get("group") or row.get("name") or "")
        before, after = found.get(name, (0.0, 0.0))
        found[name] = before + row["before"], after + row["probability"]
    return found


def _operations(searches: Sequence[Json]) -> tuple[Summary, ...]:
    """Return what several searches did to each operation, the most often raised first."""
    times: dict[str, list[float]] = {}
    for search in searches:
        for name, (before, after) in _groups(search).items():
            if before > 0:
                times.setdefault(name, []).append(after / before)
    found = [
        Summary(
            name,
            sum(one >= RAISED for one in several),
            sum(one <= 1 / RAISED for one in several),
            f"× {fmean(several):.2f}",
        )
        for name, several in times.items()
    ]
    return tuple(sorted(found, key=lambda one: (one.lowered - one.raised, -fmean(times[one.name]))))


def _seen(seed: int | None, search: Json) -> Seen:
    badge, kind, _ = _verdict(search)
    p, ratio = number(search.get("permuted_reward_p")), number(search.get("signal_to_noise"))
    steps = steps_of(search)
    after = number(steps[-1].get("effective")) if steps else None
    if search.get("learned") is False:
        after = number(mapping(search.get("history")).get("effective_before"))
    check = mapping(search.get("check"))
    gain, ends = number(check.get("nats")), ends_of(check.get("interval"))
    told = "–" if gain is None else _signed(gain)
    told += f" ({_signed(ends[0])} to {_signed(ends[1])})" if ends else ""
    return Seen(
        "–" if seed is None else str(seed), badge, kind, str(len(trials_of(search))),
        "–" if p is None else _p(p), "–" if ratio is None else f"{ratio:.2f}",
        "–" if after is None else f"{after:,.1f}", told,
    )  # fmt: skip
