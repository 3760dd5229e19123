"""Print the committed results as Markdown tables: `.venv/bin/python benchmarks/tables.py`."""

from __future__ import annotations

import json
from pathlib import Path

import ops_docs

from learnaug.stats import paired

RESULTS = Path(__file__).parent / "results"


def findings(path: Path) -> str:
    """Return the table of one comparison: screening, then the confirmed pair and the verdict."""
    found = json.loads(path.read_text())
    screen = [row for row in found["methods"] if row["stage"] == "screen"]
    baseline = next(row for row in screen if row["method"] == found["verdict"]["baseline"])
    metric = found["metric"].replace("_", " ")
    data = found["data"]
    sizes = f"{data['train']} train, {data['valid']} valid, {data['test']} test"
    against = f"difference to {baseline['method']}, points (95 %)"
    lines = [
        f"**{path.stem.removeprefix('findings-')}** ({len(data['classes'])} classes; {sizes})",
        "",
        f"| method | {metric} on valid, % | {against} | n |",
        "|---|---|---|---|",
    ]
    for row in sorted(screen, key=lambda row: -row["mean"]):
        if row is baseline:
            gain = "–"
        else:
            pair = paired(row["scores"], baseline["scores"])
            gain = f"{100 * pair.mean:+.1f} ({span(pair.interval)})"
        lines.append(
            f"| {row['method']} | {100 * row['mean']:.1f} | {gain} | {len(row['seeds'])} |"
        )
    verdict = found["verdict"]
    lines += ["", f"Confirmed on the test part: {verdict['words']}"]
    if verdict["image_interval"]:
        lines[-1] += f" Interval over new images: {span(verdict['image_interval'])}."
    return "\n".join(lines)


def span(interval: list[float]) -> str:
    """Return an interval in points."""
    return " to ".join(f"{100 * end:+.1f}" for end in interval)


def recipe(path: Path) -> str:
    """Return the grid of the recipe, one row a setting, one column a data set."""
    rows = json.loads(path.read_text())["rows"]
    names = list(dict.fromkeys(row["data"] for row in rows))
    lines = [
        "| optimiser | learning rate | weight decay | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    settings = dict.fromkeys((r["optimiser"], r["lr"], r["weight_decay"]) for r in rows)
    for setting in settings:
        cells = []
        for name in names:
            row = next(
                r for r in rows
                if (r["data"], r["optimiser"], r["lr"], r["weight_decay"]) == (name, *setting)
            )  # fmt: skip
            cells.append(f"{100 * row['mean']:.1f} ± {100 * row['sd']:.1f}")
        bold = "**" if setting == ("sgd", 0.03, 5e-4) else ""
        words = " | ".join(f"{bold}{word}{bold}" for word in (*map(str, setting), *cells))
        lines.append(f"| {words} |")
    return "\n".join(lines)


def flips(path: Path) -> str:
    """Return the table of flips and crops."""
    lines = [
        "| data | policy | difference to none, points (95 %) | p | n |",
        "|---|---|---|---|---|",
    ]
    for row in json.loads(path.read_text())["rows"]:
        if row["policy"] != "none":
            gain = f"{100 * row['difference']:+.1f} ({span(row['interval'])})"
            lines.append(
                f"| {row['data']} | {row['policy']} | {gain} | {row['p']:.3f} | {row['n']} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Print every table that there is."""
    for path in sorted(RESULTS.glob("findings-*.json")):
        print(findings(path), end="\n\n")
    for name, table in (("recipe", recipe), ("flips", flips)):
        if (path := RESULTS / f"{name}.json").is_file():
            print(table(path), end="\n\n")
    if (path := RESULTS / "ops.json").is_file():
        for block in ops_docs.blocks(json.loads(path.read_text())).values():
            print(block, end="\n\n")


if __name__ == "__main__":
    main()
