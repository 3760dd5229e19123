"""What an audit found, in pictures: every operation with its verdict, and labels that change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learnaug.data import ImageSet
from learnaug.data.batch import evenly
from learnaug.methods.gallery import MOST_CELLS, SHOWN, Gallery, drawn, present, reduced
from learnaug.methods.safe.audit import Finding
from learnaug.methods.safe.candidates import Branch, policy_of
from learnaug.methods.safe.labels import Move
from learnaug.methods.safe.together import Clash
from learnaug.methods.safe.verdicts import Look, Rules, flagged, span
from learnaug.methods.safe.words import ORDER, ordered
from learnaug.ops.describe import describe_branch
from learnaug.seeds import Seeds

__all__ = ["audit_galleries", "label_grid", "verdict_grid"]

SOURCES, DRAWS = 3, 2  # pictures in every row, and how often each is drawn
MASKED = 2, 1  # the same where every picture has its mask beside it
MOVED, REAL = 3, 2  # pictures of the class that changes, and real ones of the other class
MOST_MOVES = 8  # rows

Pictures = NDArray[np.uint8]
Ints = NDArray[np.int64]


def audit_galleries(
    data: ImageSet,
    findings: Sequence[Finding],
    dropped: Sequence[Clash],
    rules: Rules,
    seeds: Seeds,
) -> tuple[Gallery, ...]:
    """Return what an audit shows: a grid of all operations, and one of the labels that change.

    Args:
        data: the pictures of the audit, with labels or with masks.
        findings: one an operation; () gives no gallery.
        dropped: what the test of pairs left out.
        rules: what decided.
        seeds: keys the draws, which are apart from those of the audit.
    """
    if not findings:
        return ()
    labels = label_grid(data, findings, rules, seeds) if data.masks is None else None
    return (verdict_grid(data, findings, dropped, rules, seeds), *([labels] if labels else []))


def verdict_grid(
    data: ImageSet,
    findings: Sequence[Finding],
    dropped: Sequence[Clash],
    rules: Rules,
    seeds: Seeds,
) -> Gallery:
    """Return a grid with a row for each operation, the safest first, and the same pictures in all.

    The draws of the operation `name` are keyed by `seeds.child("shown", name)`: one draw of
    SOURCES x DRAWS pictures, each source DRAWS times in a row. What is safe in part is shown in
    what is kept of it.

    Args:
        data, findings, dropped, rules, seeds: as in `audit_galleries`.
    """
    sources, draws = (SOURCES, DRAWS) if data.masks is None else MASKED
    rows = _sources(data, sources)
    columns = _columns(data, rows, draws)
    shown = ordered(findings)[: MOST_CELLS // len(columns)]
    names = tuple(_row_name(finding, dropped, rules) for finding in shown)
    images = [_row(data, rows, draws, f.name, f.kept or f.look.branch, seeds) for f in shown]
    words = _words(data, findings, len(shown), rules)
    return Gallery("Every operation and its verdict", words, names, columns, np.stack(images))


def label_grid(
    data: ImageSet, findings: Sequence[Finding], rules: Rules, seeds: Seeds
) -> Gallery | None:
    """Return a grid with a row for each move of a class onto another; None where none is flagged.

    The draws of a row are keyed by `seeds.child("moved", name, source, target)`.

    Args:
        data: pictures with labels.
        findings, rules, seeds: as in `audit_galleries`.
    """
    if rules.rule == "thesis":  # it has no label check
        return None
    told = [entry for finding in findings for entry in _moves(finding, rules)]
    told = sorted(told, key=lambda entry: -entry[2].low)
    if not told:
        return None
    shown = told[:MOST_MOVES]
    members = {k: np.flatnonzero(data.labels == k) for k in {m.source for _, _, m in shown}}
    sources = min(MOVED, *(len(rows) for rows in members.values()))
    reals = min(REAL, *(int((data.labels == m.target).sum()) for _, _, m in shown))
    images = []
    for name, look, move in shown:
        rows = members[move.source][:sources]
        keyed = seeds.child("moved", name, move.source, move.target)
        pairs = drawn(data, rows, 1, policy_of(look.branch), keyed)
        real = data.images[np.flatnonzero(data.labels == move.target)[:reals]]
        images.append(np.concatenate([reduced(pairs, SHOWN), reduced(real, SHOWN)]))
    names = tuple(_move_name(name, move, data.classes) for name, _, move in shown)
    columns = ("as it is", "after") * sources + ("real other",) * reals
    words = _move_words(len(told), len(shown), rules)
    return Gallery("Labels that change", words, names, columns, np.stack(images))


def _sources(data: ImageSet, most: int) -> Ints:
    """Return the pictures of every row: the first of each class, or evenly taken ones of masks."""
    return present(data.labels, most) if data.masks is None else evenly(len(data), most)


def _columns(data: ImageSet, rows: Ints, draws: int) -> tuple[str, ...]:
    after = [f"draw {i + 1}" for i in range(draws)] if draws > 1 else ["after"]
    if data.masks is None:
        heads = [f"{data.classes[label]}, as it is" for label in data.labels[rows]]
        return tuple(name for head in heads for name in (head, *after))
    pairs = [(name, "its mask") for name in ("as it is", *after)]
    return tuple(name for _ in rows for pair in pairs for name in pair)


def _row(
    data: ImageSet, rows: Ints, draws: int, name: str, branch: Branch, seeds: Seeds
) -> Pictures:
    """Return the pictures of one operation, with its masks beside: uint8 [columns, C, H, W]."""
    return reduced(drawn(data, rows, draws, policy_of(branch), seeds.child("shown", name)), SHOWN)


def _row_name(finding: Finding, dropped: Sequence[Clash], rules: Rules) -> str:
    words = f"{finding.name}: {finding.verdict}"
    look: Look | None = finding.look
    if finding.verdict == "safe in part" and finding.kept is not None:
        look = _look_of(finding, finding.kept)
        kept = f"kept: {describe_branch(finding.kept)}"
        what = "not for some classes" if finding.spared else kept
        words += f" ({what})"
    if any(clash.dropped == finding.name for clash in dropped):
        words += ", left out of the set"
    if look is None:
        return words
    if rules.rule == "thesis":
        return f"{words}; found {100 * look.hit.share:.0f} %"
    return f"{words}; told apart {100 * look.rank.share:.0f} %"


def _look_of(finding: Finding, kept: Branch) -> Look | None:
    """Return the figures of what is kept; None where it was only looked at in its parts."""
    looks = (finding.look, *(part.look for part in finding.parts))
    return next((look for look in looks if look.branch == kept), None)


def _words(data: ImageSet, findings: Sequence[Finding], shown: int, rules: Rules) -> str:
    counts = Counter(finding.verdict for finding in findings)
    verdicts = ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
    pictures = "pictures, as they are and after the operation"
    if data.masks is not None:
        pictures += ", with their masks beside: a colour for each class, black is not counted"
    by = (
        f"Told apart: in so many of a hundred pairs the detector gives a picture with the "
        f"operation a higher score than another one without it. 50 % is chance, from "
        f"{100 * rules.limit:.0f} % on the operation counts as visible."
    )
    if rules.rule == "thesis":
        by = (
            "Found: how often the detector reports the operation where it was applied; below "
            f"{100 * rules.most_hit:.0f} % it counts as safe, if false alarms are rare."
        )
    cut = "" if shown == len(findings) else f" The first {shown} are shown."
    return (
        f"Each row is an operation, the safest first ({verdicts}); every row has the same "
        f"{pictures}. {by} What is safe in part is shown as far as it is kept.{cut}"
    )


def _moves(finding: Finding, rules: Rules) -> list[tuple[str, Look, Move]]:
    """Return the flagged moves of an operation, each from where it is clearest."""
    looks = [(finding.name, finding.look)]
    looks += [(f"{finding.name}, {part.words}", part.look) for part in finding.parts]
    found: dict[tuple[int, int], tuple[str, Look, Move]] = {}
    for name, look in looks:
        for move in flagged(look, rules):
            key = (move.source, move.target)
            if key not in found or found[key][2].low < move.low:
                found[key] = (name, look, move)
    return list(found.values())


def _move_name(name: str, move: Move, classes: tuple[str, ...]) -> str:
    share = span(move.share, move.low, move.high)
    return f"{classes[move.source]} into {classes[move.target]}: {share}, by {name}"


def _move_words(told: int, shown: int, rules: Rules) -> str:
    cut = "" if told == shown else f" Of {told} such moves the clearest {shown} are shown."
    return (
        "Each row: the first pictures of a class, as they are and after the operation, and real "
        "pictures of the class that it turns them into. The figure says how many pictures of the "
        "class pass for a real one of the other class only after the operation (95 % interval); "
        f"a move counts where its lower end is above {100 * rules.moved:.0f} %. The pictures are "
        "not chosen: some of them pass, some do not. Where they do not look like the "
        f"other class to you, doubt the classifier, not your eyes.{cut}"
    )
