"""The audit: every operation looked at whole, one magnitude at a time, smaller, and in pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug import ops
from learnaug.data.split import join_groups
from learnaug.methods.safe.candidates import Branch, policy_of, shrunk, values_of
from learnaug.methods.safe.detector import Subsets
from learnaug.methods.safe.figures import Rate, effect_of, rank_rate, rate_of
from learnaug.methods.safe.labels import Check, PictureCheck
from learnaug.methods.safe.pixels import PixelCheck
from learnaug.methods.safe.scan import Bench, Scan
from learnaug.methods.safe.verdicts import Look, Rules, Verdict, damaging, flagged, judged, why
from learnaug.ops.describe import describe_branch
from learnaug.ops.sets import OperationSet
from learnaug.training import Keep, Stopped

__all__ = ["Auditor", "Finding", "Part"]

HALF, MORE, LESS = 0.5, 0.75, (0.25, 0.125)  # of a range: the half first, then above or below it


@dataclass(frozen=True, slots=True)
class Part:
    """One magnitude, or one smaller range, of an operation."""

    words: str
    look: Look
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one operation.

    Args:
        name: of the operation.
        look: the figures of the operation as it was given.
        verdict: on the operation as it was given, or "safe in part".
        why: in plain words.
        kept: what of it may be used; None: nothing.
        spared: classes that must not have it, while the others may.
        parts: what was looked at besides.
    """

    name: str
    look: Look
    verdict: Verdict
    why: str
    kept: Branch | None
    spared: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()

    def to_json(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "name": self.name,
            "does": describe_branch(self.look.branch),
            "verdict": self.verdict,
            "why": self.why,
            "kept": None if self.kept is None else describe_branch(self.kept),
            "not_for": [classes[k] for k in self.spared],
            **_figures(self.look, classes),
            "parts": [
                {"what": part.words, "verdict": part.verdict, **_figures(part.look, classes)}
                for part in self.parts
            ],
        }


def _figures(look: Look, classes: tuple[str, ...]) -> dict[str, Any]:
    rates = {k: getattr(look, k).to_json() for k in ("rank", "false", "hit", "accuracy")}
    effect = {
        "grey_levels": round(look.effect.pixels, 3),
        "features": round(look.effect.features, 4),
    }
    told = [move.to_json(classes) for move in look.moves[:5]]
    return {**rates, "effect": effect, "moves": told}


class Auditor:
    """Looks at operations with the judges of a bench.

    Args:
        bench: judges and pictures.
        operations: what the detectors were asked about, in the order of their scores.
        rules: what decides.
        keep: asked whether to stop between two scans.
    """

    def __init__(self, bench: Bench, operations: OperationSet, rules: Rules, keep: Keep) -> None:
        self.bench, self.operations, self.rules, self.keep = bench, operations, rules, keep
        self.folds = bench.folds
        group = join_groups(bench.data.groups, None)
        self.independent = len(np.unique(group[bench.rows]))
        self.clean = self.scan(ops.Policy((), "none"), "clean")
        self.labels, self.check = self._check()

    def _check(self) -> tuple[NDArray[np.int64], Check]:
        """Return the class of each picture (0 for masks), and the label check."""
        data, rows = self.bench.data, self.bench.rows
        if data.masks is not None:
            return np.zeros(len(rows), np.int64), PixelCheck(self.clean)
        labels = data.labels[rows]
        return labels, PictureCheck(self.clean, labels, self.folds, len(data.classes))

    def scan(self, policy: ops.Policy, *name: str | int) -> Scan:
        """Return what the judges see; Stopped where a stop was asked for."""
        if self.keep.stop():
            raise Stopped
        return self.bench.scan(policy, *name)

    def hits(self, subsets: Subsets) -> tuple[tuple[Rate, ...], tuple[float, ...]]:
        """Return the hit rate and the accuracy of each label after random subsets (step 3)."""
        seeds = self.bench.seeds.child("subsets")
        sizes = [len(judge.rows) for judge in self.bench.judges]
        drawn = [subsets.draw(n, self.bench.data.size, seeds.child(k)) for k, n in enumerate(sizes)]
        seen = self.bench.drawn([each for each, _ in drawn]).scores > 0
        present = np.concatenate([which for _, which in drawn])
        rates = tuple(rate_of(seen[present[:, j], j]) for j in range(present.shape[1]))
        return rates, tuple(float(share) for share in (seen == present).mean(0))

    def look(self, number: int, branch: Branch, *name: str | int, hit: Rate | None = None) -> Look:
        """Return the figures of a branch, by the detector's score of operation `number`."""
        after = self.scan(policy_of(branch), *name)
        return self._look(branch, after, after.scores[:, number], self.clean.scores[:, number], hit)

    def _look(
        self,
        branch: Branch,
        after: Scan,
        with_it: NDArray[np.float32],
        without: NDArray[np.float32],
        hit: Rate | None,
    ) -> Look:
        return Look(
            branch,
            rank_rate(with_it, without, self.folds, self.independent),
            rate_of(without > 0, self.independent),
            hit or rate_of(with_it > 0, self.independent),
            rate_of(after.right, self.independent),
            effect_of(after, self.clean, self.labels, self.folds),
            self.check.moves(after),
            self.check.sight,
        )

    def pair(self, one: str, other: str, branches: dict[str, Branch]) -> Look:
        """Return the figures of two operations one after the other, by the larger of two scores."""
        names = self.operations.names
        both = [names.index(one), names.index(other)]
        branch = (*branches[one], *branches[other])
        after = self.scan(policy_of(branch), "pair", one, other)
        with_it, without = (scan.scores[:, both].max(1) for scan in (after, self.clean))
        return self._look(branch, after, with_it, without, None)

    def finding(self, number: int, hit: Rate, by_class: bool, smaller: bool) -> Finding:
        """Return what was found about operation `number`.

        Args:
            number: place in the operations.
            hit: of step 3.
            by_class: whether an operation that harms some classes is kept for the others.
            smaller: whether smaller ranges are tried where the whole one is not safe.
        """
        name, branch = self.operations.branches[number]
        whole = self.look(number, branch, name, hit=hit)
        verdict = judged(whole, self.rules)
        classes = self.bench.data.classes
        plain = Finding(name, whole, verdict, why(whole, self.rules, classes), None)
        turns = values_of(branch)
        if turns and verdict != "no effect":
            return self._by_value(plain, number, turns)
        if verdict == "safe":
            return replace(plain, kept=branch)
        if by_class and damaging(whole, self.rules):
            spared = tuple(sorted({move.source for move in flagged(whole, self.rules)}))
            words = f"{plain.why}; the other classes may have it"
            return replace(plain, verdict="safe in part", kept=branch, spared=spared, why=words)
        return self._smaller(plain, number) if smaller and verdict != "no effect" else plain

    def _by_value(
        self, plain: Finding, number: int, turns: tuple[tuple[str, Branch], ...]
    ) -> Finding:
        """Judge each number of quarter turns by itself; the safe ones are kept."""
        parts = tuple(self._part(words, number, branch, plain.name) for words, branch in turns)
        verdicts = [part.verdict for part in parts]
        classes = self.bench.data.classes
        safe = [p.look.branch[0].values[0] for p in parts if p.verdict == "safe"]
        told = "; ".join(
            f"{words}: {verdict}, {why(first.look, self.rules, classes)}"
            for verdict in dict.fromkeys(verdicts)
            for first, words in [_alike(parts, verdict)]
        )
        verdict: Verdict = "safe in part"
        if not safe:
            verdict = "unsafe" if set(verdicts) == {"unsafe"} else "undecided"
        elif len(safe) == len(parts):
            verdict = "safe"
        element = plain.look.branch[0]
        kept = (replace(element, values=tuple(safe)),) if safe else None
        return replace(plain, verdict=verdict, kept=kept, parts=parts, why=told)

    def _smaller(self, plain: Finding, number: int) -> Finding:
        """Look for the largest share of the range that is safe: 3/4, 1/2, 1/4 or 1/8."""
        tried: list[Part] = []

        def safe(share: float) -> bool:
            branch = shrunk(plain.look.branch, share)
            if branch is None:
                return False
            tried.append(self._part(f"{100 * share:g} % of the range", number, branch, plain.name))
            return tried[-1].verdict == "safe"

        if safe(HALF):
            good = MORE if safe(MORE) else HALF
        else:
            good = next((share for share in LESS if tried and safe(share)), 0.0)
        kept = shrunk(plain.look.branch, good) if good else None
        if kept is None:
            return replace(plain, parts=tuple(tried))
        words = f"safe up to {100 * good:g} % of its range ({describe_branch(kept)}); whole: "
        return replace(
            plain, verdict="safe in part", kept=kept, parts=tuple(tried), why=words + plain.why
        )

    def _part(self, words: str, number: int, branch: Branch, name: str) -> Part:
        look = self.look(number, branch, name, words)
        return Part(words, look, judged(look, self.rules))


def _alike(parts: tuple[Part, ...], verdict: Verdict) -> tuple[Part, str]:
    """Return the clearest of the magnitudes with this verdict, and the words for all of them."""
    alike = [part for part in parts if part.verdict == verdict]
    clearest = max(alike, key=_clarity)
    numbers = ", ".join(part.words.split()[0] for part in alike)
    return clearest, f"{numbers} {' '.join(alike[0].words.split()[1:])}"


def _clarity(part: Part) -> tuple[float, float]:
    return max((move.low for move in part.look.moves), default=0.0), part.look.rank.share
