"""Training, validation and sealed test part: by class, by whole groups, the same every time.

Which image goes where follows from sha256(seed, id), not from its place in the list: the order of
the files does not matter, and new images hardly move the old ones.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from learnaug.data.findings import counted
from learnaug.errors import DataError, UsageError
from learnaug.seeds import Seeds

if TYPE_CHECKING:
    from learnaug.data.imageset import ImageSet

__all__ = ["Split", "join_groups", "repeats_needed", "split"]

Ints = npt.NDArray[np.int64]
Sealed = Literal["test", "valid", "cut"]
Units = list["_Unit"]

PARTS = ("train", "valid", "test")
WORDS = {2: "train + validation", 3: "train + validation + test"}
SMALL_TEST = 500  # below this one test part says too little: five splits (TRUST.md 4.1)
APART = (
    "image[|s] [is|are] left out of training and validation: [it shares|they share] a group with a "
    "later part, or [is a copy|are copies] of an image there"
)


@dataclass(frozen=True)
class Split:
    """Which images train, which validate and which are sealed until the end.

    Args:
        train: int64 [n], sorted indices; disjoint from the other two.
        valid: int64 [m], sorted indices.
        test: int64 [k], sorted indices.
        notes: what was decided, in sentences for the report.
        sealed_from: where the test part comes from: the data set's own "test", its own "valid",
            or "cut" by us.
    """

    train: Ints
    valid: Ints
    test: Ints
    notes: tuple[str, ...] = ()
    sealed_from: Sealed = "cut"

    def to_json(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return the split by the ids of the images, with a sha256 for each part."""
        parts = {name: [ids[i] for i in getattr(self, name)] for name in PARTS}
        return {
            "schema": 1,
            "sealed_from": self.sealed_from,
            "notes": list(self.notes),
            **{name: {"sha256": _digest(part), "ids": part} for name, part in parts.items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], ids: Sequence[str]) -> Split:
        """Return the stored split for a data set with these ids.

        Raises:
            DataError: a part was changed after it was written, or an image is there no longer.
        """
        place = {name: i for i, name in enumerate(ids)}
        _verify(stored, place)
        train, valid, test = (
            np.sort(np.array([place[i] for i in stored[name]["ids"]], np.int64)) for name in PARTS
        )
        return cls(train, valid, test, tuple(stored["notes"]), stored["sealed_from"])


def split(
    data: ImageSet,
    seeds: Seeds,
    *,
    per_class: int | None = None,
    fractions: tuple[float, float, float] = (0.70, 0.15, 0.15),
    repeat: int = 0,
    extra_groups: Ints | None = None,
) -> Split:
    """Cut a data set into train, validation and a sealed test part.

    The data set's own test part is sealed; without one, its own validation part is, and a new
    validation part is cut from the training images; without either, all three parts are cut.
    Groups are never cut: an image that shares a group with a sealed image is left out. With f the
    fractions, the test part gets about f[2] of each class and the validation part f[1], or
    f[1] / (f[0] + f[1]) of what a given test part leaves.

    Args:
        data: labels int64 [N], groups int64 [N] (-1 = own group), parts [N], ids.
        seeds: the study's tree of random streams.
        per_class: at most so many training images per class (a low-data study). What is left over
            joins the test part where we cut that ourselves, and is not used otherwise.
        fractions: train, valid, test; each > 0.
        repeat: number of the repeated split; each is another draw by the same rule.
        extra_groups: int64 [N], more groups to keep whole, such as clusters of duplicates.

    Raises:
        DataError: a class has too few groups, or the data set's own parts differ in their classes.
        UsageError: `per_class` or `fractions` is out of range.

    Reference: TRUST.md 4.1. scikit-learn's StratifiedGroupKFold depends on the order of the rows
    and may leave a class out of a part; this one says so instead.

    Example:
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(labels=np.arange(40) % 2, classes=("cat", "dog"),
        ...     ids=[f"{i}.png" for i in range(40)], groups=np.full(40, -1), parts=np.full(40, ""))
        >>> parts = split(data, Seeds(0))
        >>> len(parts.train), len(parts.valid), len(parts.test)
        (28, 6, 6)
    """
    _require(per_class, fractions)
    labels = data.labels if len(data.labels) else np.zeros(len(data.ids), np.int64)
    names = data.classes if len(data.labels) else ("image",)
    keys = _keys(data.ids, seeds.child("split", repeat))
    group = join_groups(data.groups, extra_groups)
    pool, valid, test, sealed_from, notes = _own(data.parts, labels, names, group)

    units = _units(pool, labels, group, keys)
    need = 1 + (len(valid) == 0) + (sealed_from == "cut")
    _require_groups(units, names, need)
    if sealed_from == "cut":
        cut, units = _cut(units, fractions[2] / sum(fractions), need - 1)
        test = _members(cut)
    if not len(valid):
        whole = fractions[0] + fractions[1]
        cut, units = _cut(units, fractions[1] / whole, 1)
        valid = _members(cut)
    if per_class is not None:
        units, rest = _few(units, per_class)
        notes += _few_notes(units, names, per_class)
        if sealed_from == "cut":
            test = np.sort(np.concatenate([test, _members(rest)]))
    train = _members(units)
    _require_classes({"train": train, "valid": valid, "test": test}, labels, names)
    return Split(train, valid, test, tuple(notes), sealed_from)


def repeats_needed(parts: Split) -> Literal[1, 5]:
    """Return how many repeated splits the study needs: 5 for a test part that we cut below 500.

    Example:
        >>> few = np.arange(10)
        >>> repeats_needed(Split(few, few, few)), repeats_needed(Split(few, few, few, (), "test"))
        (5, 1)
    """
    return 5 if parts.sealed_from == "cut" and len(parts.test) < SMALL_TEST else 1


# ---------------------------------------------------------------- the data set's own parts


def _own(
    parts: npt.NDArray[np.str_], labels: Ints, names: Sequence[str], group: Ints
) -> tuple[Ints, Ints, Ints, Sealed, list[str]]:
    """Return the pool to cut from, the given valid and test part, whence the test, and notes."""
    own = {name: np.flatnonzero(parts == name) for name in PARTS}
    if not (len(own["valid"]) or len(own["test"])):
        return np.arange(len(parts)), own["valid"], own["test"], "cut", []
    notes = []
    blank = np.flatnonzero(parts == "")
    if len(blank):
        notes.append(f"{len(blank)} images without a part of their own count as training images")
        own["train"] = np.sort(np.concatenate([own["train"], blank]))
    if not len(own["train"]):
        raise DataError(
            "the data set's own parts hold no training images",
            [f"{name}: {len(own[name])} images" for name in PARTS],
            "add a train/ folder, or take the parts away and let learnaug cut them",
        )
    _require_classes({name: part for name, part in own.items() if len(part)}, labels, names)
    sealed: Sealed = "test" if len(own["test"]) else "valid"
    if sealed == "valid":
        notes.append("the data set's own val/ is sealed as test; validation is cut from train")
        own["test"], own["valid"] = own["valid"], own["test"]
    pool, valid = _apart(own["train"], own["valid"], own["test"], group, notes)
    return pool, valid, own["test"], sealed, notes


def _apart(
    train: Ints, valid: Ints, test: Ints, group: Ints, notes: list[str]
) -> tuple[Ints, Ints]:
    """Leave out what shares a group with the test part, then training images that do with valid."""
    kept = valid[~np.isin(group[valid], group[test])]
    pool = train[~np.isin(group[train], np.concatenate([group[test], group[kept]]))]
    gone = len(train) - len(pool) + len(valid) - len(kept)
    if gone:
        notes.append(counted(gone, APART))
    return pool, kept


# ---------------------------------------------------------------- whole groups as units


@dataclass(frozen=True, slots=True)
class _Unit:
    """A group of images that stays together; counts: images per class."""

    key: bytes
    members: Ints
    counts: dict[int, int]


def _keys(ids: Sequence[str], seeds: Seeds) -> list[bytes]:
    salt = seeds.integer(256).to_bytes(32, "little")
    return [hashlib.sha256(salt + i.encode("utf-8", "surrogatepass")).digest() for i in ids]


def join_groups(groups: Ints, extra: Ints | None) -> Ints:
    """Return int64 [N]: one number per image, equal where any of the groupings ties two images."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(groups)
    ends: list[tuple[Ints, Ints]] = []
    nodes = n
    for given in (groups,) if extra is None else (groups, extra):
        rows = np.flatnonzero(given >= 0)
        _, number = np.unique(given[rows], return_inverse=True)
        ends.append((rows, nodes + number.astype(np.int64)))
        nodes += n
    row, column = (np.concatenate(side) for side in zip(*ends, strict=True))
    graph = coo_array((np.ones(len(row), bool), (row, column)), shape=(nodes, nodes))
    found: Ints = connected_components(graph, directed=False)[1][:n].astype(np.int64)
    return found


def _units(pool: Ints, labels: Ints, group: Ints, keys: Sequence[bytes]) -> Units:
    """Return the groups of the pool in the order of their keys."""
    order = pool[np.argsort(group[pool], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    units = [
        _Unit(min(keys[i] for i in part), part, dict(Counter(labels[part].tolist())))
        for part in np.split(order, cuts)
        if len(part)
    ]
    return sorted(units, key=lambda unit: unit.key)


def _members(units: Iterable[_Unit]) -> Ints:
    parts = [unit.members for unit in units]
    return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def _images(units: Iterable[_Unit]) -> Counter[int]:
    total: Counter[int] = Counter()
    for unit in units:
        total.update(unit.counts)
    return total


def _cut(units: Units, fraction: float, spare: int) -> tuple[Units, Units]:
    """Take near `fraction` of each class in whole units, but leave `spare` units of each class."""
    wanted = {k: max(1, round(fraction * n)) for k, n in _images(units).items()}
    left = Counter(k for unit in units for k in unit.counts)
    have: Counter[int] = Counter()
    taken: set[bytes] = set()

    def take_where(rule: str, ordered: Units) -> None:
        for unit in ordered:
            free = unit.key not in taken and all(left[k] > spare for k in unit.counts)
            if free and RULES[rule](unit.counts, have, wanted):
                taken.add(unit.key)
                have.update(unit.counts)
                left.subtract(unit.counts.keys())

    take_where("fits", units)
    take_where("nearer", sorted(units, key=lambda unit: len(unit.members)))
    chosen = [unit for unit in units if unit.key in taken]
    return chosen, [unit for unit in units if unit.key not in taken]


def _fits(counts: Mapping[int, int], have: Mapping[int, int], wanted: Mapping[int, int]) -> bool:
    return all(have[k] + n <= wanted[k] for k, n in counts.items())


def _nearer(counts: Mapping[int, int], have: Mapping[int, int], wanted: Mapping[int, int]) -> bool:
    """Say whether a class still has nothing, or the unit brings the part nearer to its numbers."""
    gain = sum(abs(wanted[k] - have[k]) - abs(wanted[k] - have[k] - n) for k, n in counts.items())
    return gain > 0 or any(have[k] == 0 for k in counts)


RULES = {"fits": _fits, "nearer": _nearer}


def _few(units: Units, per_class: int) -> tuple[Units, Units]:
    """Take units in order while no class has more than `per_class` images; return both sides."""
    limit = dict.fromkeys(_images(units), per_class)
    have: Counter[int] = Counter()
    kept: Units = []
    rest: Units = []
    for unit in units:
        fits = _fits(unit.counts, have, limit)
        (kept if fits else rest).append(unit)
        have.update(unit.counts if fits else {})
    return kept, rest


def _few_notes(units: Units, names: Sequence[str], per_class: int) -> list[str]:
    short = {k: n for k, n in sorted(_images(units).items()) if n < per_class}
    shown = ", ".join(f"{names[k]} {n}" for k, n in list(short.items())[:5])
    more = f" and {len(short) - 5} more classes" if len(short) > 5 else ""
    return [f"fewer than {per_class} training images: {shown}{more}"] if short else []


# ---------------------------------------------------------------- what must hold


def _require(per_class: int | None, fractions: Sequence[float]) -> None:
    if per_class is not None and per_class < 1:
        raise UsageError(f"`per_class >= 1` must hold, but got {per_class}")
    if len(fractions) != 3 or not all(0 < f < 1 for f in fractions):
        raise UsageError(f"fractions must be three numbers between 0 and 1, but got {fractions}")


def _require_groups(units: Units, names: Sequence[str], need: int) -> None:
    groups = Counter(k for unit in units for k in unit.counts)
    images = _images(units)
    poor = [
        f"{names[k]} has {_amount(images[k], groups[k])}; {WORDS[need]} need {need}"
        for k in sorted(groups)
        if groups[k] < need
    ]
    if poor:
        raise DataError(
            f"{len(poor)} of {len(groups)} classes are too small to be split",
            poor,
            "add images to these classes, or leave the classes out",
        )


def _amount(images: int, groups: int) -> str:
    counted = f"{images} image{'s' * (images != 1)}"
    return counted if groups == images else f"{counted} in {groups} group{'s' * (groups != 1)}"


def _require_classes(parts: Mapping[str, Ints], labels: Ints, names: Sequence[str]) -> None:
    """Refuse parts that do not hold the same classes."""
    seen = {name: set(labels[part].tolist()) for name, part in parts.items()}
    every = set().union(*seen.values())
    lacking = [
        f"{name} lacks {', '.join(names[k] for k in sorted(every - have))}"
        for name, have in seen.items()
        if every - have
    ]
    if lacking:
        raise DataError(
            "every part must hold every class, but the parts differ",
            lacking,
            "give every class images (and groups) in every part, or leave those classes out",
        )


def _verify(stored: Mapping[str, Any], place: Mapping[str, int]) -> None:
    if stored.get("schema") != 1 or any(name not in stored for name in (*PARTS, "notes")):
        raise DataError("this is not a stored split", mend="let the run write a new one")
    changed = [p for p in PARTS if _digest(stored[p]["ids"]) != stored[p]["sha256"]]
    if changed:
        raise DataError(
            "the stored split was changed after it was written",
            [f"{name}: the sha256 does not fit the ids" for name in changed],
            "restore the file, or start a new run folder",
        )
    gone = [i for name in PARTS for i in stored[name]["ids"] if i not in place]
    if gone:
        raise DataError(
            f"{len(gone)} images of the stored split are not in the data set",
            gone,
            "put them back, or start a new run folder",
        )


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()
