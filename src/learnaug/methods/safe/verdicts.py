"""From figures to a verdict, and from a verdict to words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from learnaug.methods.safe.candidates import Branch
from learnaug.methods.safe.figures import Effect, Rate
from learnaug.methods.safe.labels import Move

__all__ = [
    "Look",
    "Rules",
    "Verdict",
    "damaging",
    "flagged",
    "judged",
    "percent",
    "span",
    "visible",
]

Verdict = Literal["safe", "safe in part", "unsafe", "undecided", "no effect"]
FAINT_PIXELS = 0.5  # grey levels
FAINT_FEATURES = 0.02  # of the distance between two pictures of a class
LEAST_PICTURES = 60  # independent ones; fewer decide nothing
SIGHT = 2.0  # times the share that may move: what a label check must be able to see
TOLD = 3  # moves that are named


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides.

    Args:
        rule: "intervals", "labels": only the label check, or "thesis": two thresholds on hit rate
            and false positives.
        limit: rank rate from which on an operation counts as visible.
        moved: share of a class that may move onto another one.
        most_false, most_hit: the two thresholds of the thesis's rule.
    """

    rule: str = "intervals"
    limit: float = 0.75
    moved: float = 0.07
    most_false: float = 0.05
    most_hit: float = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """The figures of one branch of elements.

    Args:
        branch: what the pictures underwent.
        rank: how often it is ranked above another picture without it.
        false: how often the detector reports it on pictures as they are (thesis, step 2).
        hit: how often the detector reports it where it was applied (thesis, step 3).
        accuracy: of the plain net after it.
        effect: how far the pictures moved.
        moves: of classes onto others, the largest lower end first.
        sight: lower end of the share of pictures that would be seen to move if all did.
    """

    branch: Branch
    rank: Rate
    false: Rate
    hit: Rate
    accuracy: Rate
    effect: Effect
    moves: tuple[Move, ...]
    sight: float = 1.0


def flagged(look: Look, rules: Rules) -> tuple[Move, ...]:
    """Return the moves whose lower end is above what is allowed."""
    return tuple(move for move in look.moves if move.low > rules.moved)


def visible(rank: Rate, rules: Rules) -> bool | None:
    """Return whether the detector sees an operation; None where the interval holds the limit."""
    if rank.low > rules.limit:
        return True
    return False if rank.high < rules.limit else None


def judged(look: Look, rules: Rules) -> Verdict:
    """Return the verdict of one branch."""
    if look.rank.n < LEAST_PICTURES:
        return "undecided"
    if look.effect.pixels < FAINT_PIXELS and look.effect.features < FAINT_FEATURES:
        return "no effect"
    if rules.rule == "thesis":
        return _thesis(look, rules)
    if rules.rule == "labels":
        # Who takes the operations would draw from all of them: the burden of proof is the audit's.
        return "unsafe" if flagged(look, rules) else "safe"
    seen = visible(look.rank, rules)
    if seen or flagged(look, rules):
        return "unsafe"
    return "undecided" if seen is None or blind(look, rules) else "safe"


def blind(look: Look, rules: Rules) -> bool:
    """Return whether the plain net is too weak to see labels change."""
    return look.sight < SIGHT * rules.moved


def _thesis(look: Look, rules: Rules) -> Verdict:
    limits = ((look.hit, rules.most_hit), (look.false, rules.most_false))
    if any(rate.low > most for rate, most in limits):
        return "unsafe"
    return "safe" if all(rate.high < most for rate, most in limits) else "undecided"


def damaging(look: Look, rules: Rules) -> bool:
    """Return whether only the labels speak against it, so that other classes may have it."""
    if rules.rule == "thesis" or not flagged(look, rules):
        return False
    return rules.rule == "labels" or not visible(look.rank, rules)


def why(look: Look, rules: Rules, classes: tuple[str, ...]) -> str:
    """Return why this is the verdict, in plain words."""
    verdict = judged(look, rules)
    if look.rank.n < LEAST_PICTURES:
        return f"{look.rank.n} independent pictures; at least {LEAST_PICTURES} are needed"
    if verdict == "no effect":
        return f"it changes nothing that matters ({look.effect.pixels:.2f} of 255 grey levels)"
    if rules.rule == "thesis":
        return f"found in {percent(look.hit)}, false alarms in {percent(look.false)}"
    words = [_seen(look.rank, rules)]
    moves = flagged(look, rules)
    if moves:
        named = [
            f"{classes[m.source]} into {classes[m.target]} ({span(m.share, m.low, m.high)})"
            for m in moves[:TOLD]
        ]
        more = f" and {len(moves) - TOLD} more" if len(moves) > TOLD else ""
        words.insert(0, f"it turns {', '.join(named)}{more}")
    elif blind(look, rules) and (rules.rule == "labels" or not visible(look.rank, rules)):
        words.append("the net is too weak to see whether labels change")
    elif verdict == "safe":
        words.append("no class turns into another")
    return "; ".join(words)


def _seen(rank: Rate, rules: Rules) -> str:
    seen = visible(rank, rules)
    told = {True: "it shows", False: "it does not show", None: "it may show"}[seen]
    return f"{told}: told from another picture in {percent(rank)} of pairs"


def percent(rate: Rate) -> str:
    """Return a share with its interval in per cent.

    Example:
        >>> percent(Rate(0.5, 0.45, 0.55, 400))
        '50 % (45 to 55)'
    """
    return span(rate.share, rate.low, rate.high)


def span(share: float, low: float, high: float) -> str:
    """Return a share with its interval, in words: "12 % (3 to 25)"."""
    return f"{100 * share:.0f} % ({100 * max(low, 0):.0f} to {100 * high:.0f})"
