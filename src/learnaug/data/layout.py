"""From paths to a plan: which file is an image, of which class, in which part."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from learnaug.data.choose import Choice, ordered, unknown
from learnaug.data.findings import Finding, counted
from learnaug.data.tree import Tree, sift
from learnaug.errors import printable

__all__ = ["PART_NAMES", "Item", "Plan", "class_names", "compare_parts", "not_there", "plan"]

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}

LAYOUT = """put one folder per class into it:
  DATA/cat/1.jpg
  DATA/dog/2.jpg
  or DATA/train/cat/1.jpg, DATA/test/cat/9.jpg
  or DATA/images/1.png with DATA/masks/1.png"""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to be read.

    Args:
        path: where `Tree.read` finds it.
        label: class name, "" for segmentation.
        part: "train", "valid", "test" or "".
        mask: path of its mask, "" for classification.
        group: name of its group, "" = of its own.
    """

    path: str
    label: str
    part: str = ""
    mask: str = ""
    group: str = ""


@dataclass(frozen=True)
class Plan:
    """What will be read, and what was found on the way; no file has been opened yet."""

    items: tuple[Item, ...]
    classes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def plan(tree: Tree, chosen: Choice) -> Plan:
    """Return the plan for a tree of class folders, of parts of class folders, or images/ + masks/.

    Args:
        tree: the listing.
        chosen: which class folders to take, and under which name.
    """
    images, notes = sift(tree)
    root, notes_root = _unwrap(tree, images)
    findings = [*tree.findings, *notes, *notes_root]
    if not images:
        if not any(f.severity == "error" for f in findings):
            findings.append(_nothing(tree))
        return Plan((), (), tuple(findings))
    parts, notes_parts = _parts(root, images)
    findings += notes_parts
    if all(_is_segmentation(tree, base) for base, _ in parts):
        return _masks(images, parts, findings)
    return _classes(tree, images, parts, chosen, findings)


def _nothing(tree: Tree) -> Finding:
    what = f"no image in {tree.name}"
    return Finding("error", "empty", what, (tree.name,), LAYOUT)


def _unwrap(tree: Tree, images: Sequence[str]) -> tuple[str, list[Finding]]:
    """Step into a lone folder that wraps the whole set, as archives often have it."""
    root = ""
    while True:
        heads = {path[len(root) :].split("/")[0] for path in images}
        below = [path[len(root) :].count("/") for path in images]
        if len(heads) != 1 or not below or min(below) < 2:
            break
        root += f"{heads.pop()}/"
        if PART_NAMES.get(root.split("/")[-2].lower()):
            root = root[: root[:-1].rfind("/") + 1]
            break
    note = Finding("info", "wrapped", f"the set lies in {printable(root)}", (printable(root),))
    return root, [note] if root else []


def _parts(root: str, images: Sequence[str]) -> tuple[list[tuple[str, str]], list[Finding]]:
    """Return (folder prefix, part) of every part; [(root, "")] where the set has none."""
    deep: dict[str, bool] = defaultdict(lambda: True)
    for path in images:
        head, _, rest = path[len(root) :].partition("/")
        deep[head] = deep[head] and "/" in rest
    splits = [head for head, inside in deep.items() if inside and head.lower() in PART_NAMES]
    if not splits:
        return [(root, "")], []
    notes = []
    others = tuple(printable(head) for head in deep if head not in splits)
    if others:
        what = counted(len(others), f"folder[|s] or file[|s] beside {'/ '.join(splits)}/ not read")
        mend = "nothing, if they hold no images of the set"
        notes.append(Finding("warning", "beside-parts", what, others, mend))
    return [(f"{root}{head}/", PART_NAMES[head.lower()]) for head in sorted(splits)], notes


def _is_segmentation(tree: Tree, base: str) -> bool:
    return {f"{base}images", f"{base}masks"} <= set(tree.folders)


def _classes(
    tree: Tree,
    images: Sequence[str],
    parts: Sequence[tuple[str, str]],
    chosen: Choice,
    findings: list[Finding],
) -> Plan:
    items, loose, upside, folders = [], [], set(), set()
    for base, part in parts:
        for path in _below(images, base):
            folder, _, rest = path[len(base) :].partition("/")
            if not rest:
                loose.append(path)
                continue
            if rest.split("/")[0].lower() in PART_NAMES and "/" in rest:
                upside.add(f"{base}{folder}/{rest.split('/')[0]}")
            folders.add(folder)
            name = chosen(folder)
            if name is not None:
                items.append(Item(path, printable(name), part))
    classes = ordered(item.label for item in items)
    if folders and {folder.lower() for folder in folders} <= PART_NAMES.keys():
        upside |= folders
    findings += _loose(loose) + _upside_down(upside)
    findings += _empty_folders(tree, images, parts, chosen)
    findings += [*_unprintable(folders), *not_there(chosen, folders)]
    findings += [*class_names(classes), *compare_parts(items)]
    return Plan(tuple(items), classes, tuple(findings))


def _below(images: Sequence[str], base: str) -> Iterator[str]:
    return (path for path in images if path.startswith(base))


def _loose(loose: Sequence[str]) -> list[Finding]:
    if not loose:
        return []
    places = tuple(map(printable, loose))
    what = counted(len(loose), "image[|s] outside any class folder")
    return [Finding("error", "outside-class", what, places, "move them into a class folder")]


def _upside_down(folders: Iterable[str]) -> list[Finding]:
    places = tuple(sorted(map(printable, folders)))
    if not places:
        return []
    what = "folders look like splits inside classes"
    mend = "turn them round: train/CLASS/ in place of CLASS/train/"
    return [Finding("error", "splits-inside-classes", what, places, mend)]


def _empty_folders(
    tree: Tree, images: Sequence[str], parts: Sequence[tuple[str, str]], chosen: Choice
) -> list[Finding]:
    empty = []
    for base, _ in parts:
        full = {path[len(base) :].split("/")[0] for path in _below(images, base)}
        for folder in tree.folders:
            name = folder[len(base) :]
            if folder.startswith(base) and name and "/" not in name and name not in full:
                empty += [folder] if chosen(name) is not None else []
    if not empty:
        return []
    places = tuple(map(printable, empty))
    what = counted(len(empty), "class folder[|s] hold[s|] no image")
    return [Finding("error", "empty-class", what, places, "add images or delete the folder")]


def _unprintable(folders: Iterable[str]) -> list[Finding]:
    odd = tuple(sorted(printable(folder) for folder in folders if printable(folder) != folder))
    if not odd:
        return []
    what = counted(len(odd), "class name[|s] hold[s|] signs that cannot be shown: written with \\x")
    return [Finding("warning", "odd-name", what, odd, "rename the folders")]


def not_there(chosen: Choice, known: Iterable[str]) -> list[Finding]:
    """Return an error that lists the classes which were asked for and are not there."""
    lacking = tuple(unknown(chosen, sorted(known)))
    if not lacking:
        return []
    what = counted(len(lacking), "class[|es] asked for [is|are] not in the set")
    return [Finding("error", "unknown-class", what, lacking, "name classes that are there")]


def class_names(classes: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with the class names alone: too few, or hard to tell apart."""
    if len(classes) == 1:
        what = "1 class found, 2 needed"
        yield Finding("error", "one-class", what, tuple(classes), "add a folder per class")
    for code, fold in (("same-name", _composed), ("case", str.casefold)):
        twins = defaultdict(list)
        for name in classes:
            twins[fold(name)].append(name)
        for names in (names for names in twins.values() if len(names) > 1):
            yield _twins(code, tuple(names))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _twins(code: str, names: tuple[str, ...]) -> Finding:
    if code == "same-name":
        what = f"{len(names)} folders with the same visible name, written with different signs"
        shown = tuple(f"{name}  {name!a}" for name in names)
        return Finding("error", code, what, shown, "merge them into one folder")
    what = f"class names that differ only by case: {', '.join(names)}"
    return Finding("warning", code, what, names, "rename: macOS and Windows take them for one")


def compare_parts(items: Sequence[Item]) -> list[Finding]:
    """Return an error where the parts of a set do not have the same classes."""
    found: dict[str, set[str]] = defaultdict(set)
    for item in items:
        found[item.part].add(item.label)
    every = set().union(*found.values())
    lacking = [
        f"{part or 'no part'} lacks {', '.join(sorted(every - names))}"
        for part, names in sorted(found.items())
        if names != every
    ]
    if not lacking:
        return []
    what = "the parts do not have the same classes"
    mend = "add images of these classes, or leave the classes out with --classes"
    return [Finding("error", "class-sets", what, tuple(lacking), mend)]


def _masks(
    images: Sequence[str], parts: Sequence[tuple[str, str]], findings: list[Finding]
) -> Plan:
    items: list[Item] = []
    for base, part in parts:
        pictures = {_stem(p, f"{base}images/"): p for p in _below(images, f"{base}images/")}
        masks = {_stem(p, f"{base}masks/"): p for p in _below(images, f"{base}masks/")}
        shared = sorted(pictures.keys() & masks.keys(), key=pictures.__getitem__)
        items += [Item(pictures[stem], "", part, masks[stem]) for stem in shared]
        findings += _unpaired(pictures, masks)
    return Plan(tuple(items), (), tuple(findings))


def _unpaired(pictures: dict[str, str], masks: dict[str, str]) -> Iterator[Finding]:
    if alone := tuple(printable(pictures[s]) for s in sorted(pictures.keys() - masks.keys())):
        what = counted(len(alone), "image[|s] [has|have] no mask of the same name")
        yield Finding("error", "no-mask", what, alone, "add masks/NAME.png or move the image away")
    if idle := tuple(printable(masks[s]) for s in sorted(masks.keys() - pictures.keys())):
        what = counted(len(idle), "mask[|s] [has|have] no image of the same name")
        yield Finding("warning", "no-image", what, idle, "add the image or delete the mask")


def _stem(path: str, base: str) -> str:
    name = path[len(base) :]
    return name.rsplit(".", 1)[0] if "." in name.rsplit("/", 1)[-1] else name
