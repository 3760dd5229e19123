"""Run a table: every row of a block with the same seeds, then the paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.data.findings import counted
from learnaug.errors import RunError, UsageError, nearest
from learnaug.reproduce import (
    audits,
    aws,
    aws_proxies,
    correlated,
    dagan,
    generators,
    neural,
    proxies,
    safe,
    smart,
)
from learnaug.reproduce.found import Found
from learnaug.reproduce.paired import built, told
from learnaug.reproduce.rows import (
    STYLES,
    AnyBlock,
    AnyTable,
    Audit,
    AuditTable,
    Block,
    Proxies,
    ProxyTable,
    Scale,
)
from learnaug.reproduce.sources import absence, data_folder, missing, pictures, place
from learnaug.study import Forecast, Say, foresee, pairs, read_pairs, words_of
from learnaug.training import Augmenter, choose_device

__all__ = ["PAPERS", "listed", "methods_of", "read", "run"]

PAPERS: dict[str, Mapping[str, AnyTable]] = {
    "smart-augmentation": smart.TABLES,
    "neural-augmentation": neural.TABLES,
    "safe-augmentation": safe.TABLES,
    "aws": {**aws.TABLES, **aws_proxies.TABLES},
    "dagan": dagan.TABLES,
}
SCALES = ("small", "paper")
NO_GPU = "no GPU is used: what --scale paper costs here is said next; --scale small takes hours"


def listed(paper: str | None = None) -> list[dict[str, str]]:
    """Return every table as {paper, table, title, blocks}; those of one paper where it is named.

    The keys of the blocks stand in one text, with commas between them.

    Raises:
        UsageError: the paper is unknown.
    """
    if paper is not None and paper not in PAPERS:
        raise UsageError(f"paper {paper!r} is not known", [nearest(paper, tuple(PAPERS))])
    return [
        {
            "paper": each,
            "table": name,
            "title": table.title,
            "blocks": ",".join(block.key for block in table.blocks),
        }
        for each, tables in PAPERS.items()
        for name, table in tables.items()
        if paper in (None, each)
    ]


def run(
    paper: str,
    table: str,
    *,
    scale: Scale = "small",
    only: Sequence[str] = (),
    data: str | Path | None = None,
    seeds: int = 10,
    seed: int = 0,
    jobs: int | None = None,
    accept_change: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    say: Say | None = None,
) -> Found:
    """Run a table of a paper, and write table.md and table.json into its folder.

    Rows that share pictures and net are paired by seed. Called again with the same settings it
    goes on where it stopped. Rows whose method is not built, or whose pictures are not there, are
    shown as such.

    Args:
        paper: "smart-augmentation", "neural-augmentation", "safe-augmentation", "aws" or "dagan".
        table: "table-1", ….
        scale: "small" for a CPU; "paper": its sizes and epochs.
        only: blocks of the table to run, by their keys; (): all. What is done of the others is
            in the table all the same.
        data: folder of the data; None: $LEARNAUG_DATA or ../shared/data.
        seeds: runs of each row.
        seed, jobs, accept_change, device, say: as in `compare`.
        out: None: learnaug-runs/PAPER-TABLE-SCALE in the working directory.

    Raises:
        UsageError: an unknown paper, table, scale or block.
        DataError: none of the data are there (status 66).
        RunError: every run failed.
        Interrupted: the user asked to stop; the table of what is done is written.
    """
    chosen = _table(paper, table, scale, only)
    folder = data_folder(data)
    asked = [block for block in chosen.blocks if not only or block.key in only]
    where = Path(out) if out else Path("learnaug-runs") / f"{paper}-{table}-{scale}"
    without = {block.key for block in asked if generators.wanting(block, scale, where, folder)}
    places = {b.key: None if b.key in without else place(b.source, folder) for b in asked}
    if not any(places.values()):
        raise missing(asked, folder)
    tell = say or (lambda event: None)
    if scale == "paper" and choose_device(device).type == "cpu":
        tell({"event": "note", "text": NO_GPU})
    for block in asked:
        if places[block.key] is None:
            text = f"{block.source.words}: its rows are left out, {_why(block, scale, folder)}"
            tell({"event": "note", "text": text})
    settings: dict[str, Any] = {
        "seeds": seeds, "seed": seed, "accept_change": accept_change, "device": device,
        "drop_duplicates": True,
    }  # fmt: skip
    here = [(block, path) for block in asked if (path := places[block.key]) is not None]
    try:
        if isinstance(chosen, AuditTable | ProxyTable):
            _each(here, scale, where, tell, settings)
        else:
            _pair(here, scale, where, folder, tell, settings | {"jobs": jobs})
    finally:
        rows = _rows(chosen, scale, where, seeds, places)
        found = Found(where, paper, table, scale, seeds, chosen, rows)
        if any(row["parts"] for row in rows):
            rundir.write_json(where / "table.json", found.to_json())
            rundir.write_text(where / "table.md", found.to_markdown())
            _draw(where, chosen, rows)
    _require_some(rows)
    return found


def _why(block: AnyBlock, scale: Scale, folder: Path) -> str:
    """Return what of a block is not in the folder: its pictures, or those of its generator."""
    generator = block.generator if isinstance(block, Block) else None
    if generator and place(block.source, folder):
        return f"its generator cannot be learned: {absence(generator.drawn_from(scale), folder)}"
    return absence(block.source, folder)


def _draw(where: Path, chosen: AnyTable, rows: list[dict[str, Any]]) -> None:
    """Write the pictures of a table that has some."""
    if isinstance(chosen, ProxyTable):
        from learnaug.reproduce import scatter  # matplotlib takes seconds to import

        scatter.write(where, rows)


def _each(
    here: list[tuple[Any, Path]], scale: Scale, where: Path, tell: Say, settings: dict[str, Any]
) -> None:
    """Run the audits or the proxies of the blocks whose pictures are there."""
    for block, path in here:
        data = pictures(block.source, path, block.size(scale))
        engine = audits.run if isinstance(block, Audit) else proxies.run
        engine(block, scale, data, where, tell=tell, **settings)


def _pair(
    here: list[tuple[Any, Path]],
    scale: Scale,
    where: Path,
    folder: Path,
    tell: Say,
    settings: dict[str, Any],
) -> None:
    """Run the rows of the blocks whose pictures are there; say first what all of them cost.

    What they use is learned before: what it costs to use it cannot be said without it.
    """
    for line in (line for block, _ in here for line in block.lines if line.styles):
        if not place(line.styles, folder):
            text = f"row {line.name} is left out: {absence(line.styles, folder)}"
            tell({"event": "note", "text": text})
    givens = _givens([block for block, _ in here], scale, where, folder, tell, settings)
    calls = {
        block.key: _call(block, path, scale, folder)
        | settings
        | {"out": where / block.key, "given": givens.get(block.key)}
        for block, path in here
    }
    costs = _foreseen(calls, tell)
    for key, call in calls.items():
        pairs(**_loaded(call), forecast=costs[key], say=tell)


def _givens(
    blocks: list[Any],
    scale: Scale,
    where: Path,
    folder: Path,
    tell: Say,
    settings: dict[str, Any],
) -> dict[str, Augmenter]:
    """Return what the blocks use, learned once for all that share it: key of a block -> it."""
    learning = {name: value for name, value in settings.items() if name != "seeds"}
    made: dict[str, Augmenter] = {}
    found: dict[str, Augmenter] = {}
    for block in blocks:
        generator = generators.needed(block, scale)
        if generator is None:
            continue
        key = generator.named(scale)
        if key not in made:
            made[key] = generators.ready(generator, scale, where, folder, tell, **learning)
        found[block.key] = made[key]
    return found


def _call(block: Block, path: Path, scale: Scale, data: Path) -> dict[str, Any]:
    """Return what a block asks of `pairs`; its pictures are read when they are needed."""
    size = block.size(scale)
    return {
        "data": lambda: pictures(block.source, path, size),
        "methods": methods_of(block, scale, data), "baseline": block.baseline,
        "model": block.net(scale), "recipe": size.recipe, "per_class": size.per_class,
    }  # fmt: skip


def _loaded(call: dict[str, Any]) -> dict[str, Any]:
    return call | {"data": call["data"]()}


def _foreseen(calls: dict[str, dict[str, Any]], tell: Say) -> dict[str, Forecast]:
    """Return what each block costs, and tell what all of them cost, before the first run."""
    tell({"event": "note", "text": "measuring what the runs will cost"})
    costs = {key: foresee(**_loaded(call)) for key, call in calls.items()}
    left = [cost for cost in costs.values() if cost.runs]
    if left:
        rows = sum(len(call["methods"]) for call in calls.values())
        seeds = next(iter(calls.values()))["seeds"]
        blocks, each = counted(len(calls), "block[|s]"), counted(seeds, "seed[|s]")
        runs = counted(sum(cost.runs for cost in left), "run[|s] not done yet")
        total = words_of(sum(cost.seconds for cost in left))
        text = f"about {total} in all: {blocks}, {rows} rows x {each}, {runs} ({left[0].where})"
        tell({"event": "note", "text": text})
    return costs


def read(paper: str, table: str, out: str | Path, *, scale: Scale = "small") -> Found:
    """Return what the runs of a table's folder found so far; nothing is run.

    Raises:
        UsageError: an unknown paper, table or scale.
        RunError: nothing of the table was begun there.
    """
    chosen, where = _table(paper, table, scale), Path(out)
    begun = [number for b in chosen.blocks if (number := _begun(b, where))]
    if not begun:
        raise RunError(
            f"nothing of {paper} {table} was begun in this folder", [str(where)],
            "give the folder that `learnaug reproduce` wrote",
        )  # fmt: skip
    seeds = max(begun)
    rows = _rows(chosen, scale, where, seeds, {})
    return Found(where, paper, table, scale, seeds, chosen, rows)


def _require_some(rows: list[dict[str, Any]]) -> None:
    """Refuse to end as if nothing had happened where every run failed."""
    errors = [f"{row['name']}, {error}" for row in rows for error in row["errors"]]
    if errors and not any(row["n"] for row in rows):
        raise RunError(f"all {len(errors)} runs failed", errors, "mend the cause, then run again")


def methods_of(block: Block, scale: Scale, data: Path | None = None) -> list[str]:
    """Return what the rows of a block run at a scale, each method once.

    Args:
        block: the paper's rows.
        scale: "small" or "paper".
        data: folder of the data, where the styles of a row lie; rows whose styles are not there are
            left out. None: their names say "{styles}".
    """
    methods = []
    for line in block.lines:
        found = place(line.styles, data) if line.styles and data else None
        if not (line.styles and data) or found:
            methods.append(line.at(scale).replace(STYLES, str(found)) if found else line.at(scale))
    return list(dict.fromkeys(method for method in methods if built(method)))


def _begun(block: AnyBlock, where: Path) -> int:
    """Return for how many seeds a block was begun; 0: it was not."""
    if isinstance(block, Audit):
        return len(audits.begun(block, where))
    if isinstance(block, Proxies):
        return correlated.begun(block, where)
    folder = where / block.key
    return read_pairs(folder).plan.seeds if rundir.plan_path(folder).is_file() else 0


def _rows(
    table: AnyTable, scale: Scale, where: Path, seeds: int, places: dict[str, Path | None]
) -> list[dict[str, Any]]:
    """Return the rows of all blocks with what their run folders hold so far.

    Args:
        table: the paper's rows.
        scale: "small" or "paper".
        where: the folder of the table.
        seeds: that were asked for.
        places: key -> path of the pictures, of the blocks that were asked for.
    """
    rows = []
    for block in table.blocks:
        begun, absent = _begun(block, where), "not run"
        if block.key in places:
            absent = "" if places[block.key] else f"no data: {block.source.name}"
        absent = "" if begun else absent
        if isinstance(block, Audit):
            rows += audits.told(block, scale, where, seeds, absent)
        elif isinstance(block, Proxies):
            rows += correlated.told(block, scale, where, seeds, absent)
        else:
            mine = told(block, scale, read_pairs(where / block.key) if begun else None, absent)
            if block.generator:
                used = generators.told(block.generator, scale, where)
                mine = [row | {"generator": used} for row in mine]
            rows += mine
    return rows


def _table(paper: str, table: str, scale: str, only: Sequence[str] = ()) -> AnyTable:
    """Return the table of these names; all faults at once."""
    faults = []
    if paper not in PAPERS:
        faults.append(f"paper {paper!r}: {nearest(paper, tuple(PAPERS))}")
    elif table not in PAPERS[paper]:
        faults.append(f"table {table!r}: {nearest(table, tuple(PAPERS[paper]))}")
    else:
        keys = tuple(block.key for block in _at(PAPERS[paper][table], scale).blocks)
        faults += [f"block {key!r}: {nearest(key, keys)}" for key in only if key not in keys]
    if scale not in SCALES:
        faults.append(f"scale {scale!r}: {nearest(scale, SCALES)}")
    if faults:
        raise UsageError("no such table or block", faults, "`learnaug reproduce` lists all tables")
    return _at(PAPERS[paper][table], scale)


def _at(table: AnyTable, scale: str) -> AnyTable:
    """Return the table with the blocks that it has at a scale; all at one that is not known."""
    if isinstance(table, AuditTable | ProxyTable) or scale not in SCALES:
        return table
    return replace(table, blocks=tuple(block for block in table.blocks if scale in block.scales))
