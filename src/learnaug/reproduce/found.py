"""The paper's rows beside ours: as data, and as a page of Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learnaug import rundir
from learnaug.data.findings import counted
from learnaug.reproduce import audits, correlated, paired
from learnaug.reproduce.rows import AnyTable, AuditTable, ProxyTable, Scale, Table

__all__ = ["Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """A table of a paper with what our runs found so far.

    Args:
        out: the folder of the table.
        paper, name: which table.
        scale: "small" or "paper".
        seeds: runs that were asked for.
        table: what the paper says.
        rows: one dict for each row, in the paper's order; see `paired.told`, `audits.told` and
            `correlated.told`.
    """

    out: Path
    paper: str
    name: str
    scale: Scale
    seeds: int
    table: AnyTable
    rows: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON data; fractions, and seconds of one run."""
        differs = [*self._words()[1], *self.table.differs]
        sources = {b.source.name: b.source for b in self.table.blocks}
        differs += [f"{s.words}: {s.differs}" for s in sources.values() if s.differs]
        return {
            "schema": 1,
            "paper": self.paper,
            "table": self.name,
            "title": self.table.title,
            "scale": self.scale,
            "seeds": self.seeds,
            "paper_scored": self.table.scored,
            "differs": differs,
            "rows": self.rows,
            "out": str(self.out),
            "versions": rundir.versions(),
        }

    def to_markdown(self) -> str:
        """Return the table as Markdown, its columns aligned."""
        told = self.to_json()
        ours = f"scale {self.scale}, {counted(self.seeds, 'seed[|s]')} planned"
        lines = [
            f"# {self.paper}, {self.name}: {self.table.title}",
            "",
            f"Paper: {self.table.scored}. Ours: {ours}. {self._words()[0]}.",
        ]
        for heading, rows in self.blocks():
            lines += ["", f"## {heading}", "", *rows]
        lines += ["", "What differs from the paper:", ""]
        return "\n".join([*lines, *(f"- {each}" for each in told["differs"])]) + "\n"

    def blocks(self) -> list[tuple[str, list[str]]]:
        """Return heading and Markdown lines of each block, errors below its rows."""

        def mine(key: str) -> list[dict[str, Any]]:
            return [row for row in self.rows if row["block"] == key]

        if isinstance(self.table, AuditTable):
            return [audits.lines_of(each, mine(each.key)) for each in self.table.blocks]
        if isinstance(self.table, ProxyTable):
            blocks = self.table.blocks
            return [correlated.lines_of(each, self.scale, mine(each.key)) for each in blocks]
        return [paired.lines_of(each, self.scale, mine(each.key)) for each in self.table.blocks]

    def _words(self) -> tuple[str, tuple[str, ...]]:
        """Return the units of a kind of table, and what always differs from the paper."""
        told = {AuditTable: audits, ProxyTable: correlated, Table: paired}[type(self.table)]
        return told.UNITS, told.COMMON
