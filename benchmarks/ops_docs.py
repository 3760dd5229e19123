"""Tables and plot of benchmarks/results/ops.json, and the marked blocks of docs/speed.md.

A block of the page lies between `<!-- NAME -->` and `<!-- end -->`; NAME is a key of BLOCKS.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from learnaug import rundir

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"<!-- ([a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)
BARS = {32: 8.0, 64: 4.0, 224: 2.5}  # what was asked for, times the best peer
Result = dict[str, Any]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def count(number: float) -> str:
    """Return images a second with three digits."""
    return f"{float(f'{number:.3g}'):,.0f}"


def times(ratio: dict[str, float]) -> str:
    """Return a ratio, bold where it is a loss."""
    word = f"{ratio['median']:.2g}" if ratio["median"] < 10 else f"{ratio['median']:.0f}"
    return word if ratio["median"] >= 1 else f"**{word}**"


def bar(result: Result) -> str:
    """Return images a second of everybody, then our ratio to the best peer and to the limit."""
    rows = result["bar"]["rows"]
    names = list(rows[0]["images_per_second"])
    rates = [[name, *(count(row["images_per_second"][name]) for row in rows)] for name in names]
    sides = [f"{row['side']} px" for row in rows]
    lines = []
    for row in rows:
        found = row["faster"][row["best_peer"]]
        asked = f"{BARS[row['side']]:g}" if row["side"] in BARS else "–"
        spread = f"{found['least']:.2f} to {found['most']:.2f}"
        lines.append([
            f"{row['side']} px", row["best_peer"], asked, f"**{found['median']:.1f}**", spread,
            f"{row['draw_faster']['median']:.1f}", f"{row['processes_faster']['median']:.1f}",
            f"{distance(result, row):.1f}" if "limit" in result else "–",
        ])  # fmt: skip
    head = ["size", "best peer", "asked", "ours is faster by", "least to most",
            "with our draw", "with our draw, two processes", "time / limit"]  # fmt: skip
    return table(["images a second", *sides], rates) + "\n\n" + table(head, lines)


def distance(result: Result, row: Result) -> float:
    """Return our time over that of one read and one write of every byte on two threads."""
    copied = next(r for r in result["limit"]["rows"] if r["threads"] == 2)
    limit = 3 * row["side"] ** 2 * copied["seconds"] / copied["bytes"]  # one picture
    return 1 / row["images_per_second"]["ours"] / limit


def score(rows: list[Result]) -> str:
    """Return in how many cases ours is faster than the best peer, and where it is not."""
    ratios = [row["faster"][row["best_peer"]]["median"] for row in rows]
    won = sum(ratio >= 1 for ratio in ratios)
    by = f"{min(ratios):.2g} to {max(ratios):.2g} times, median {statistics.median(ratios):.2g}"
    return (
        f"Faster than the best peer in {won} of {len(rows)} cases, "
        f"slower in {len(rows) - won}; {by}."
    )


def per_op(result: Result) -> str:
    """Return for each operation and size our ratio to the best peer; losses are bold."""
    rows = result["per-op"]["rows"]
    sides = sorted({row["side"] for row in rows})
    found = {(row["op"], row["side"]): row for row in rows}
    on_two = [side for side in sides if any("ours-threads" in r["images_per_second"]
              for r in rows if r["side"] == side)]  # fmt: skip
    lines = []
    for op in dict.fromkeys(row["op"] for row in rows):
        cells = [found[op, side] for side in sides]
        lines.append([
            op,
            *(f"{count(row['images_per_second']['ours'])} "
              f"({times(row['faster'][row['best_peer']])} × {row['best_peer']})" for row in cells),
            *(count(found[op, side]["images_per_second"]["ours-threads"]) for side in on_two),
        ])  # fmt: skip
    heads = [f"{side} px" for side in sides] + [f"{side} px, two threads" for side in on_two]
    return f"{score(rows)}\n\n{table(['operation', *heads], lines)}"


def against(result: Result) -> str:
    """Return for each operation our ratio to every peer at 32 and 224 px."""
    rows = [row for row in result["per-op"]["rows"] if row["side"] in (32, 224)]
    peers = list(dict.fromkeys(name for row in rows for name in row["faster"]))
    lines = [[f"{row['op']}, {row['side']} px", *ratios(row, peers)] for row in rows]
    return table(["ours is faster by", *peers], lines)


def ratios(row: Result, peers: list[str]) -> list[str]:
    """Return our ratio to each peer, a dash where it has no such thing."""
    return [times(row["faster"][name]) if name in row["faster"] else "–" for name in peers]


def policy(result: Result) -> str:
    """Return whole policies: our images a second and the ratio to each library."""
    rows = result["policy"]["rows"]
    peers = list(dict.fromkeys(name for row in rows for name in row["faster"]))
    lines = []
    for row in rows:
        case = f"{row['policy']}, {row['side']} px"
        speed = count(row["images_per_second"]["ours"])
        lines.append([case, str(row["images"]), str(row["threads"]), speed, *ratios(row, peers)])
    head = ["policy", "batch", "threads", "ours, images/s", *peers]
    return f"{score(rows)}\n\n{table(head, lines)}"


def costs(result: Result) -> str:
    """Return memory bandwidth, share of a training step, memory and start as sentences."""
    lines = [
        f"- Copy of a large array on {row['threads']} thread(s): "
        f"{row['copied_gb_per_second']:.1f} GB a second read and written."
        for row in result["limit"]["rows"]
    ]
    for row in result["share"]["rows"]:
        lines.append(
            f"- {row['policy']} beside a training step of ResNet-18 ({row['precision']}, batch "
            f"{row['batch']}, {row['side']} px, {row['threads']} thread(s)): "
            f"{row['augment_ms']:.2f} of {row['step_ms']:.0f} ms, {row['percent_of_step']:.2f} %."
        )
    for row in result["memory"]["rows"]:
        lines.append(
            f"- {row['case']}: on {row['batch']} pictures of {row['side']} px: "
            f"{row['extra_batches']:.2f} batches of memory beside input and output."
        )
    for row in result["start"]["rows"]:
        lines.append(
            f"- First call of {row['call']}, {row['cache']}: {row['first_call_s']:.2f} s; "
            f"second call: {1000 * row['second_call_s']:.1f} ms."
        )
    return "\n".join(lines)


def origin(result: Result) -> str:
    """Return what was run where."""
    lines = []
    for name, section in result.items():
        where = section["origin"]
        changed = ", changed since" if (where["source"] or {}).get("changed") else ""
        commit = ((where["source"] or {}).get("commit") or "unknown")[:10]
        lines.append([name, where["at"], f"{commit}{changed}", f"{section['seconds']:.0f}"])
    where = next(iter(result.values()))["origin"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    machine = f"{where['processor']['model']}, {where['threads']['usable']} cores; {versions}."
    return table(["section", "at", "commit", "seconds"], lines) + "\n\n" + machine


BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[Result], str]]] = {
    "bar": (("bar",), bar),
    "per-op": (("per-op",), per_op),
    "against": (("per-op",), against),
    "policy": (("policy",), policy),
    "costs": (("limit", "share", "memory", "start"), costs),
    "origin": ((), origin),
}


def blocks(result: Result) -> dict[str, str]:
    """Return the text of every block whose sections were measured."""
    return {
        name: make(result) for name, (needs, make) in BLOCKS.items() if result.keys() >= set(needs)
    }


def write(path: Path) -> None:
    """Rewrite the marked blocks of docs/speed.md and the plot."""
    result = json.loads(path.read_text())
    found = blocks(result)
    page = DOCS / "speed.md"
    text = BLOCK.sub(
        lambda m: f"<!-- {m[1]} -->\n{found[m[1]]}\n<!-- end -->" if m[1] in found else m[0],
        page.read_text(),
    )
    rundir.write_text(page, text)
    if "bar" in result:
        plot(result["bar"]["rows"])


def plot(rows: list[Result]) -> None:
    """Draw images a second against the size, one line a library."""
    import io

    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "ops"  # the same figures give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    sides = [row["side"] for row in rows]
    for name in rows[0]["images_per_second"]:
        if name.endswith(("-arrays", "-threads", "-draw", "-processes")):
            continue
        values = [row["images_per_second"][name] for row in rows]
        strong = name == "ours"
        axes.plot(sides, values, "o-", label=name, linewidth=3 if strong else 1.2)
        axes.annotate(name, (sides[-1], values[-1]), (6, -3), textcoords="offset points",
                      fontsize=8, weight="bold" if strong else "normal")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="side, pixels", ylabel="images a second")
    axes.set_title("Two operations a picture, uint8 in and out, two cores", fontsize=10)
    axes.set_xticks(sides, [str(side) for side in sides])
    axes.minorticks_off()
    axes.set_xlim(sides[0] * 0.9, sides[-1] * 2.2)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    rundir.write_text(DOCS / "img" / "ops-speed.svg", text.getvalue())
