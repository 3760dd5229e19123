"""Tables that people write: a manifest of images (path, label), and groups of images."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from learnaug.data.choose import Choice, ordered
from learnaug.data.findings import Finding, counted
from learnaug.data.folders import read_regular
from learnaug.data.labels import number_labels
from learnaug.data.layout import PART_NAMES, Item, Plan, class_names, compare_parts, not_there
from learnaug.data.tree import READABLE, Tree, hidden, suffix
from learnaug.errors import nearest, printable

__all__ = ["GROUP_FILES", "Table", "manifest", "read_table", "with_groups"]

GROUP_FILES = ("groups.tsv", "groups.csv")
SIGNS = ("\t", ";", ",")
TABLE_LIMIT = 500 * 10**6  # bytes
BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Table:
    """Rows of a table as text.

    Args:
        columns: names in lower case.
        lines: line number of each row in the file, from 1.
        rows: cells by column name.
    """

    columns: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[Mapping[str, str], ...]


def read_table(
    data: bytes, name: str, needed: Sequence[str]
) -> tuple[Table | None, tuple[Finding, ...]]:
    """Read CSV or TSV: comma, semicolon or tab; UTF-8 or UTF-16; any line ends; quoted cells.

    Args:
        data: the file.
        name: what messages call it.
        needed: columns that must be there.
    """
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = f"{name} is not UTF-8: byte 0x{data[error.start]:02x} on line {line}"
        return None, (_bad(what, name, "save it as UTF-8"),)
    head = text.partition("\n")[0]
    sign = max(SIGNS, key=head.count)
    try:
        cells = _cells(text, sign)
    except csv.Error as error:
        return None, (_bad(f"{name} is no table ({error})", name, "save it as CSV again"),)
    if not cells:
        return None, (_bad(f"{name} is empty", name, f"give it columns {', '.join(needed)}"),)
    columns = tuple(cell.strip().lower() for cell in cells[0][1])
    if faults := tuple(_header_faults(columns, name, needed)):
        return None, faults
    wrong = [
        f"{name} line {n}: {len(row)} cells" for n, row in cells[1:] if len(row) != len(columns)
    ]
    if wrong:
        what = counted(len(wrong), f"row[|s] without the {len(columns)} cells of the header")
        mend = 'put cells that hold a separator into quotes: "a,b"'
        return None, (Finding("error", "bad-table", what, tuple(wrong), mend),)
    rows = tuple(
        dict(zip(columns, (cell.strip() for cell in row), strict=True)) for _, row in cells[1:]
    )
    return Table(columns, tuple(n for n, _ in cells[1:]), rows), ()


def manifest(path: Path, chosen: Choice) -> tuple[Tree, Plan]:
    """Return the tree and plan of a table with the columns path, label and maybe split, group.

    Paths are relative to the table. Labels that are whole numbers make classes in their order.
    """
    name = printable(path.name)
    tree = Tree(path.stem, (), (), lambda image: read_regular(path.parent / image))
    try:
        table, findings = read_table(read_regular(path, TABLE_LIMIT), name, ("path", "label"))
    except OSError as error:
        what = f"{name} cannot be read ({error.strerror or error})"
        return tree, Plan((), (), (_bad(what, name, "give a readable file"),))
    if table is None or not table.rows:
        empty = () if findings else (_bad(f"{name} lists no image", name, "add rows"),)
        return tree, Plan((), (), (*findings, *empty))
    places = [f"{name} line {line}" for line in table.lines]
    labels = [row["label"] for row in table.rows]
    codes, known, faults = number_labels(labels, places)
    parts, part_faults = _split_column(table, places)
    found = [*findings, *faults, *part_faults, *_paths(path, table, places)]
    if codes is None:
        return tree, Plan((), (), tuple(found))
    items = [
        Item(row["path"], new, part, group=row.get("group", ""))
        for row, code, part in zip(table.rows, codes.tolist(), parts, strict=True)
        if (new := chosen(known[code])) is not None
    ]
    items = [item for item in items if (path.parent / item.path).exists()]
    classes = known if chosen.new is None else ordered(item.label for item in items)
    found += [*not_there(chosen, known), *class_names(classes), *compare_parts(items)]
    return tree, Plan(tuple(items), classes, tuple(found))


def with_groups(plan: Plan, tree: Tree) -> Plan:
    """Fill in the groups from `groups.tsv` or `groups.csv` (columns file, group) in the root.

    `file` is a path, a path without extension, or only the name without folder and extension;
    where several images share that name, all of them get the group.
    """
    name = next((name for name in GROUP_FILES if name in tree.files), None)
    if name is None:
        return plan
    try:
        table, findings = read_table(tree.read(name), name, ("file", "group"))
    except OSError as error:
        findings, table = (
            (_bad(f"{name} cannot be read ({error})", name, "mend or delete it"),),
            None,
        )
    if table is None:
        return replace(plan, findings=(*plan.findings, *findings))
    group_of = {row["file"]: row["group"] for row in table.rows}
    names = [next((n for n in _names(item.path) if n in group_of), "") for item in plan.items]
    items = tuple(
        replace(item, group=group_of.get(key, ""))
        for item, key in zip(plan.items, names, strict=True)
    )
    said = _group_findings(name, items, set(group_of) - set(names))
    return replace(plan, items=items, findings=(*plan.findings, *findings, *said))


def _encoding(data: bytes) -> str:
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding
    if data[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == b"\0" else "utf-8"


def _cells(text: str, sign: str) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    rows, line = [], 1
    for row in reader:
        if any(cell.strip() for cell in row):
            rows.append((line, row))
        line = reader.line_num + 1
    return rows


def _header_faults(columns: Sequence[str], name: str, needed: Sequence[str]) -> Iterator[Finding]:
    double = [column for column, count in Counter(columns).items() if count > 1]
    if double:
        what = f"{name} line 1: columns stand twice: {', '.join(map(printable, double))}"
        yield _bad(what, f"{name} line 1", "rename one of them")
    for column in needed:
        if column not in columns:
            what = f"{name} has no column {column!r}"
            shown = [printable(c) for c in columns]
            yield _bad(what, f"{name} line 1: {', '.join(shown)}", nearest(column, shown))


def _bad(what: str, where: str, mend: str) -> Finding:
    return Finding("error", "bad-table", what, (where,), mend)


def _split_column(table: Table, places: Sequence[str]) -> tuple[list[str], list[Finding]]:
    words = [row.get("split", "").lower() for row in table.rows]
    known = {"": "", **PART_NAMES}
    wrong = tuple(
        f"{place}: {printable(word)}"
        for place, word in zip(places, words, strict=True)
        if word not in known
    )
    if not wrong:
        return [known[word] for word in words], []
    what = counted(len(wrong), "row[|s] name[s|] an unknown split")
    fault = Finding("error", "unknown-split", what, wrong, "use train, valid or test")
    return [known.get(word, "") for word in words], [fault]


def _paths(path: Path, table: Table, places: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with the column `path`: missing files, doubles, files that are not listed."""
    rows = list(zip(places, (row["path"] for row in table.rows), table.rows, strict=True))
    absent = tuple(
        f"{place}: {printable(file) or '(empty)'}"
        for place, file, _ in rows
        if not file or not (path.parent / file).exists()
    )
    if absent:
        what = counted(len(absent), "row[|s] name[s|] a file that does not exist")
        mend = f"mend the paths; they are relative to the folder of {printable(path.name)}"
        yield Finding("error", "missing-file", what, absent, mend)
    labels = defaultdict(set)
    for _, file, row in rows:
        labels[file].add(row["label"])
    for file, several in labels.items():
        if len(several) > 1:
            what = f"{printable(file)} has several labels: {', '.join(sorted(several))}"
            yield Finding(
                "error", "label-conflict", printable(what), (printable(file),), "keep one"
            )
    if len(labels) < len(rows):
        double = tuple(printable(f) for f, n in Counter(f for _, f, _ in rows).items() if n > 1)
        what = counted(len(double), "file[|s] stand[s|] in several rows")
        yield Finding("warning", "double-row", what, double, "delete the second row")
    yield from _not_listed(path, set(labels))


def _not_listed(path: Path, listed: set[str]) -> Iterator[Finding]:
    """Images in the folders that the table names, but not in the table."""
    real = {os.path.normpath(path.parent / file) for file in listed}
    folders = sorted({os.path.dirname(file) for file in real})
    idle = [
        os.path.relpath(os.path.join(folder, name), path.parent)
        for folder in folders
        if os.path.isdir(folder)
        for name in sorted(os.listdir(folder))
        if suffix(name) in READABLE and not hidden(name)
        if os.path.join(folder, name) not in real
    ]
    if idle:
        what = counted(len(idle), f"image[|s] beside the listed ones not in {printable(path.name)}")
        yield Finding(
            "warning", "not-listed", what, tuple(map(printable, idle)), "add rows for them"
        )


def _names(path: str) -> tuple[str, str, str]:
    bare = path.rsplit(".", 1)[0] if suffix(path) else path
    return path, bare, bare.rsplit("/", 1)[-1]


def _group_findings(name: str, items: Sequence[Item], idle: set[str]) -> Iterator[Finding]:
    groups = {item.group for item in items if item.group}
    alone = tuple(printable(item.path) for item in items if not item.group)
    what = f"{len(groups)} groups of images from {name}: whole groups stay in one part"
    yield Finding("info", "groups", what, (name,), "", len(items) - len(alone))
    if alone:
        what = counted(len(alone), f"image[|s] without a group in {name}: each is taken as its own")
        yield Finding("warning", "no-group", what, alone, f"add them to {name}")
    if idle:
        what = counted(len(idle), f"row[|s] of {name} name[s|] no image of the set")
        yield Finding(
            "warning", "idle-group", what, tuple(sorted(map(printable, idle))), "delete them"
        )
