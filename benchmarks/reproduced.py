"""Runs of `learnaug reproduce` as results, and the marked blocks of the pages that show them.

    .venv/bin/python benchmarks/reproduced.py [PAPER TABLE FOLDER]

With a run folder, finished or not, benchmarks/results/reproduce-PAPER-TABLE.json is written anew;
then the pages in docs/findings are, from all results. A block lies between `<!-- PAPER TABLE -->`
and `<!-- end -->`; one without a result stays as it is.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from learnaug import rundir
from learnaug.reproduce import PAPERS, Found, read

HERE = Path(__file__).resolve().parent
PAGES = [
    HERE.parent / "docs" / "findings" / f"{n}.md"
    for n in ("merging", "safe-operations", "policy-search", "generated-pictures")
]
BLOCK = re.compile(r"<!-- (\S+) (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def result(paper: str, table: str) -> Path:
    """Return where the result of a table lies."""
    return HERE / "results" / f"reproduce-{paper}-{table}.json"


def store(paper: str, table: str, folder: str) -> None:
    """Write what a run folder found, with its origin, as a result; pictures stay in its folder."""
    runs = sorted(Path(folder).glob("**/origin.json"))
    told = read(paper, table, folder).to_json()
    told.pop("out")
    origin = {k: v for k, v in rundir.read_json(runs[0]).items() if k not in ("command", "started")}
    rundir.write_text(
        result(paper, table), json.dumps(told | {"origin": origin}, indent=1, ensure_ascii=False)
    )


def tables(found: re.Match[str]) -> str:
    """Return a block of the page with the tables of its result."""
    paper, name = found.groups()
    if not result(paper, name).is_file():
        return found.group()
    told = json.loads(result(paper, name).read_text("utf-8"))
    parts = Found(
        Path(), paper, name, told["scale"], told["seeds"], PAPERS[paper][name], told["rows"]
    ).blocks()
    keys = [block.key for block in PAPERS[paper][name].blocks]
    run = {row["block"] for row in told["rows"] if row["parts"]}
    begun = [part for key, part in zip(keys, parts, strict=True) if key in run]
    shown = [(head, [row for row in rows if not row.startswith("![")]) for head, rows in begun]
    lines = [line for head, rows in shown for line in ("", f"**{head}**", "", *rows)]
    return "\n".join([f"<!-- {paper} {name} -->", *lines, "", "<!-- end -->"])


def main() -> None:
    """Write one result where its runs are named, and the pages."""
    if len(sys.argv) > 1:
        store(*sys.argv[1:])
    for page in PAGES:
        rundir.write_text(page, BLOCK.sub(tables, page.read_text("utf-8")))


if __name__ == "__main__":
    main()
