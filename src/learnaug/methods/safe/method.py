"""Safe Augmentation (Baran 2019): find the operations that leave the data what it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from learnaug.data import ImageSet
from learnaug.data.folds import sample
from learnaug.data.split import join_groups
from learnaug.errors import ConfigError, nearest
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.base import UNNAMED, Budget, Learned, Learning
from learnaug.methods.safe.audit import Auditor, Finding
from learnaug.methods.safe.augmenter import Audited, load_detectors
from learnaug.methods.safe.candidates import DEFAULT, chosen
from learnaug.methods.safe.detector import Subsets
from learnaug.methods.safe.detectors import Detectors
from learnaug.methods.safe.figures import Rate, rate_of
from learnaug.methods.safe.judging import Course, court, kept
from learnaug.methods.safe.pictures import audit_galleries
from learnaug.methods.safe.scan import Bench, bench_of
from learnaug.methods.safe.together import Clash, clashes, repeats, weakest
from learnaug.methods.safe.verdicts import LEAST_PICTURES, Rules
from learnaug.methods.safe.words import table
from learnaug.ops.over import subsets_over
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, goal_of

__all__ = ["USES", "SafeAugmentation"]

USES = ("all-safe", "safe", "all")
RULES = ("auto", "intervals", "labels", "thesis")
SEEN = {"classification": 40_000, "segmentation": 12_000}  # pictures of a training of a judge
EPOCHS = (12, 60)  # bounds of the passes that follow from it
NETS = {"classification": "smallnet", "segmentation": "fpn-small"}  # of the judges
PAIRED = 400  # pictures that pairs of operations are looked at with
GIVEN = "given in Python"


@dataclass(frozen=True, slots=True)
class SafeAugmentation:
    """Audit operations: which can be seen in a picture, which change its label, which do nothing.

    Args:
        ops: "safe15" (the thesis's), "autoaugment14", or names of operations with `/` between them.
        operations: an operation set that goes before `ops` (`--ops FILE`); None: none.
        net: of the judges: anything that `learnaug.nets.build` takes; None: smallnet, or fpn-small
            for masks.
        joint: whether the detector learns the class, or the mask, too (L_augm + L_task).
        detector: folder of an augmenter that this method learned on similar pictures: its detectors
            and operations are taken and no detector is trained; None: no such folder.
        max_ops: largest random subset of operations that a detector is trained with.
        order: operations of a subset act in "random" order or in that of the "table".
        per: a random subset for each "picture", or one for a whole "batch" (the thesis).
        folds: every picture is judged by nets that were trained without its fold.
        pictures: of the training part that are looked at, at most.
        judged: held-out pictures that the figures rest on, at most.
        epochs: of the judges; None: as many as show them about 40,000 pictures (12,000 with masks),
            12 … 60.
        rule: "intervals": what can neither be seen nor changes labels is safe; "labels": what
            changes no labels, seen or not, each operation by itself; "thesis": two thresholds on
            hit rate and false positives; "auto": "labels" where other methods of a chain take the
            operations, else "intervals".
        limit: rank rate in (0.5, 1) from which on an operation counts as visible.
        moved: share of a class that may pass for another class after an operation.
        most_false, most_hit: the two thresholds of the thesis's rule.
        smaller: whether smaller ranges are tried where the whole one is not safe.
        pairs: whether the found set is tested together (not by the rule "labels").
        by_class: whether an operation that harms the labels of some classes is kept for the others.
        subset: operations that are drawn for a picture, each with p = 0.5.
        use: how the target is trained: "all-safe": first with all operations, then with the safe
            ones; "safe"; "all", for which nothing is audited.
        first: share of the updates of the first part.

    Raises:
        ConfigError: one or more settings are out of range (all are named).
    """

    ops: str = DEFAULT
    operations: OperationSet | None = field(default=None, metadata=UNNAMED)
    net: str | nn.Module | Callable[..., Any] | None = None  # settings know it by these words
    joint: bool = True
    detector: str | None = None
    max_ops: int = 5
    order: str = "random"
    per: str = "picture"
    folds: int = 3
    pictures: int = 2000
    judged: int = 1000
    epochs: int | None = None
    rule: str = "auto"
    limit: float = 0.75
    moved: float = 0.07
    most_false: float = 0.05
    most_hit: float = 0.5
    smaller: bool = True
    pairs: bool = True
    by_class: bool = False
    subset: int = 3
    use: str = "all-safe"
    first: float = 0.5

    def __post_init__(self) -> None:
        shares = ("moved", "most_false", "most_hit")
        rules = {
            "1 <= max_ops": self.max_ops >= 1,
            "2 <= folds <= 20": 2 <= self.folds <= 20,
            "pictures >= 1": self.pictures >= 1,
            "judged >= 1": self.judged >= 1,
            "epochs >= 1": self.epochs is None or (type(self.epochs) is int and self.epochs >= 1),
            "0.5 < limit < 1": 0.5 < self.limit < 1,
            "1 <= subset <= 4": 1 <= self.subset <= 4,
            "0 < first < 1": 0 < self.first < 1,
            **{f"0 < {name} < 1": 0 < getattr(self, name) < 1 for name in shares},
        }
        faults = [f"`{rule}` must hold" for rule, holds in rules.items() if not holds]
        words: dict[str, tuple[str, ...]] = {
            "order": ("random", "table"), "per": ("picture", "batch"),
            "rule": RULES, "use": USES,
        }  # fmt: skip
        for name, known in words.items():
            if (word := getattr(self, name)) not in known:
                faults.append(f"{name} {word!r} is not known; {nearest(str(word), known)}")
        if faults:
            raise ConfigError("the settings of safe-augmentation break their rules", faults)
        if self.detector is None:
            chosen(self.ops, self.operations)
        elif self.operations:
            why = "the operations are those of the detector: --ops cannot be given with it"
            raise ConfigError(why, [self.detector])
        elif not Path(self.detector).is_dir():
            why = "`detector` must be a folder that this method wrote; it holds no detectors"
            raise ConfigError(why, [self.detector])

    @property
    def rules(self) -> Rules:
        """What decides."""
        return Rules(self.rule, self.limit, self.moved, self.most_false, self.most_hit)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain JSON data; a net that is no name is only said to be one."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        detectors = self._given()
        return values | {
            "operations": self.operations and self.operations.to_json(),
            "net": self.net if isinstance(self.net, str | None) else GIVEN,
            "detector": detectors and f"{self.detector}, SHA-256 {detectors.digest()}",
        }

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Audit the operations on the training part; return those found safe and how to use them.

        Raises:
            ConfigError: `by_class` for masks, in which a picture has several classes.
            RunError: a loss or gradient is not finite.
            Stopped: `keep.stop` asked for it; what is trained is kept.
        """
        if self.rule == "auto":
            own = replace(self, rule="intervals" if data.wanted is None else "labels")
            return own.learn(data, seeds=seeds, device=device, budget=budget, keep=keep)
        if data.train.masks is not None and self.by_class:
            raise ConfigError("`by_class` needs one class a picture, but the data has masks")
        given = self._given()
        wanted = self.operations or data.wanted
        operations = given.operations if given else chosen(self.ops, wanted, min(data.train.size))
        if self.use == "all":
            return self._unaudited(operations, data.train)
        pictures = data.train.take(sample(data.train, self.pictures, seeds.child("sample")))
        independent = len(np.unique(join_groups(pictures.groups, None)))
        if independent < LEAST_PICTURES:
            keep.say(
                f"an audit needs {LEAST_PICTURES} independent pictures, but here are "
                f"{independent}: nothing is decided, and no operation is used"
            )
            return self._learned(_Outcome(operations, pictures))
        course = self._course(pictures, operations, given, device, budget)
        judges = court(pictures, self.folds, self.judged, course, seeds.child("judges"), keep)
        detectors = given or kept(judges, course, operations, pictures)
        bench = bench_of(
            pictures, judges, len(operations.branches), seeds.child("scan"), device,
            budget.precision,
        )  # fmt: skip
        auditor = Auditor(bench, operations, self.rules, keep)
        hits, _ = auditor.hits(self._subsets(operations))
        findings = [
            auditor.finding(number, hit, self.by_class, self.smaller)
            for number, hit in enumerate(hits)
        ]
        tested = self.pairs and self.rule != "labels"
        gone = self._together(auditor, findings, bench, seeds) if tested else []
        rate = rate_of(auditor.clean.right, auditor.independent)
        learned = self._learned(
            _Outcome(operations, pictures, tuple(findings), tuple(gone), rate, detectors)
        )
        shown = audit_galleries(pictures, findings, gone, self.rules, seeds.child("pictures"))
        return replace(learned, galleries=shown)

    def _subsets(self, operations: OperationSet) -> Subsets:
        return Subsets(operations, self.max_ops, self.order, self.per)

    def _given(self) -> Detectors | None:
        return None if self.detector is None else load_detectors(Path(self.detector))

    def _course(
        self,
        pictures: ImageSet,
        operations: OperationSet,
        given: Detectors | None,
        device: torch.device,
        budget: Budget,
    ) -> Course:
        trained = len(pictures) * (self.folds - 1) // self.folds
        goal = goal_of(pictures)
        seen = math.ceil(SEEN[goal.name] / trained)
        epochs = self.epochs or min(EPOCHS[1], max(EPOCHS[0], seen))
        return Course(
            self.net or NETS[goal.name], self._subsets(operations), self.joint,
            Recipe(epochs=epochs, batch_size=goal.batch), device, budget.precision, given,
        )  # fmt: skip

    def _together(
        self, auditor: Auditor, findings: list[Finding], bench: Bench, seeds: Seeds
    ) -> list[Clash]:
        """Return what is dropped because of another operation of the set."""
        kept = {f.name: f.kept for f in findings if f.kept is not None}
        weight = {f.name: f.look.effect.pixels for f in findings}
        gone = repeats(auditor, kept, weight, seeds.child("repeats"))
        kept = {n: b for n, b in kept.items() if n not in {clash.dropped for clash in gone}}
        few = Auditor(bench.thinned(PAIRED), auditor.operations, auditor.rules, auditor.keep)
        shows = {f.name: f.look.rank.share for f in findings}
        return gone + weakest(clashes(few, kept), shows)

    def _learned(self, outcome: _Outcome) -> Learned:
        found, classes = outcome.found, None
        if any(f.spared for f in found):
            classes = tuple(
                tuple(f.name for f in found if k not in f.spared)
                for k in range(len(outcome.pictures.classes))
            )
        every = PolicyAugmenter(subsets_over(outcome.operations, self.subset))
        safe = outcome.safe
        policy = subsets_over(safe, self.subset, classes)
        # Others draw without looking at the class: what harms one class is not for them.
        spared = {f.name for f in found if f.spared}
        shared = replace(safe, branches=tuple(b for b in safe.branches if b[0] not in spared))
        best = Audited(policy, shared, self._told(outcome), outcome.detectors)
        phases = (Phase(every, self.first), Phase(best, 1 - self.first))
        return Learned(best, () if self.use == "safe" else phases, operations=shared)

    def _unaudited(self, operations: OperationSet, data: ImageSet) -> Learned:
        """Return training with all operations, for which nothing has to be known."""
        told = {
            "lines": [f"nothing was audited: all {len(operations.branches)} operations are used"],
            "settings": self.config(), "looked_at": operations.to_json(), "pictures": 0,
            "classes": list(data.classes), "clean_accuracy": None, "findings": [], "dropped": [],
        }  # fmt: skip
        policy = subsets_over(operations, self.subset)
        return Learned(Audited(policy, operations, told), operations=operations)

    def _told(self, outcome: _Outcome) -> dict[str, Any]:
        """Return the audit as plain JSON data."""
        findings, gone, clean = outcome.findings, outcome.gone, outcome.clean
        operations, pictures = outcome.operations, outcome.pictures
        lines = table(findings, gone, clean, self.rules) if clean else ["nothing was decided"]
        used = ", ".join(outcome.safe.names) or "none"
        verdicts = [f.verdict for f in findings] or ["undecided"] * len(operations.branches)
        decided = len(verdicts) - verdicts.count("undecided")
        head = f"{len(pictures):,} pictures, {decided} of {len(verdicts)} operations decided"
        return {
            "lines": [head, *lines, f"the set: {used}"],
            "settings": self.config(),
            "looked_at": operations.to_json(),
            "pictures": len(pictures),
            "classes": list(pictures.classes),
            "clean_accuracy": clean and clean.to_json(),
            "findings": [finding.to_json(pictures.classes) for finding in findings],
            "dropped": [clash.to_json() for clash in gone],
        }


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an audit came to.

    Args:
        operations: that were looked at.
        pictures: that they were looked at on.
        findings: one an operation; () where nothing could be decided.
        gone: what the test of pairs dropped.
        clean: accuracy of the plain net on pictures as they are.
        detectors: for audits of similar pictures; None: they are not kept.
    """

    operations: OperationSet
    pictures: ImageSet
    findings: tuple[Finding, ...] = ()
    gone: tuple[Clash, ...] = ()
    clean: Rate | None = None
    detectors: Detectors | None = None

    @property
    def found(self) -> list[Finding]:
        """The findings of what may be used."""
        dropped = {clash.dropped for clash in self.gone}
        return [f for f in self.findings if f.kept is not None and f.name not in dropped]

    @property
    def safe(self) -> OperationSet:
        """What may be used, by some class at least."""
        branches = tuple((f.name, f.kept) for f in self.found if f.kept is not None)
        about: dict[str, str | float] = {
            "method": "safe-augmentation", "data": self.pictures.name,
            "pictures": len(self.pictures),
        }  # fmt: skip
        return OperationSet(f"safe {self.operations.name}", branches, about)
