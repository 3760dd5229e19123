"""How proxies and whole trainings agree: rows as data and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug import rundir, stats
from learnaug.reproduce.page import aligned, sizes
from learnaug.reproduce.proxies import RESULTS, WHOLE, name_for
from learnaug.reproduce.rows import Proxies, ProxyLine, Scale
from learnaug.seeds import Seeds
from learnaug.study import read_pairs

__all__ = ["COMMON", "UNITS", "begun", "lines_of", "picture", "told"]

UNITS = (
    "Correlations over policies, with 95 % intervals (Pearson: policies resampled); "
    "one run each: mean over all pairs of a trial and a training"
)
COMMON = (
    "a whole training is scored on the sealed test part, a proxy on the validation part",
    "both have first weights and order of their own; the parts are the same for all policies",
    "the last look is scored; nothing is chosen",
    "policies are random, no two alike: flip, padded crop and cutout in them or not",
    "one of four random elements of TrivialAugment for no picture, half or all of them",
    "shared weights are trained with all of that mixed: every picture gets a random policy",
    "Eval: the shared weights are first trained to their end with that mixture",
)
FIGURES = ("pearson", "spearman", "pearson_loglik", "spearman_loglik")
HEAD = (
    "proxy", "Pearson, paper", "ours: Pearson, one run each", "difference to the first",
    "Spearman", "log likelihood: Pearson", "log likelihood: Spearman",
    "Pearson of means over seeds", "time, of a training", "policies x seeds",
)  # fmt: skip
Floats = NDArray[np.float64]
Found = tuple[Floats, Floats]  # score and log likelihood, [S, n]


def begun(block: Proxies, where: Path) -> int:
    """Return for how many seeds a block was begun; 0: it was not."""
    names = (name.split("/") for name in _records(where / block.key))
    return max((int(seed) + 1 for _, seed, _ in names), default=0)


def picture(block: Proxies, line: ProxyLine) -> str:
    """Return the file name of the picture of a proxy."""
    return f"{rundir.slug(block.key)}-{rundir.slug(line.key)}.svg"


def told(
    block: Proxies, scale: Scale, where: Path, seeds: int, absent: str
) -> list[dict[str, Any]]:
    """Return the rows of a block as plain JSON data: one for each proxy.

    Args:
        block: policies and proxies.
        scale: "small" or "paper".
        where: the folder of the table.
        seeds: that were asked for.
        absent: why nothing can be run ("" otherwise).
    """
    records = _records(where / block.key)
    sound = [n for n in range(block.policies) if not _failed(records, n)]
    places = stats.resamples(max(1, len(sound)), Seeds(0).child("reproduce", "policies").numpy())
    places = np.concatenate([np.arange(places.shape[1])[None], places])
    whole = {part: _found(records, WHOLE, sound, f"{part}_") for part in ("test", "valid")}
    sizes = read_pairs(where / block.key).sizes if records else None
    rows, first = [], None
    for line in block.lines:
        row = _empty(block, scale, line, absent)
        part = line.weights.removeprefix("whole-") if line.whole else ""
        mine = whole[part] if part else _found(records, line.key, sound)
        if len(mine[0]) and len(whole["test"][0]) and len(sound) > 1:
            draws = _draws(mine, whole["test"][0], places, apart=line.whole)
            row |= _figures(draws, len(sound))
            row |= _difference(draws["pearson"], first, len(sound))
            row |= _means(mine[0], whole["test"][0], places, len(sound), apart=line.whole)
            row |= {"n": len(sound), "seeds": len(mine[0])}
            row["state"] = "done" if len(mine[0]) >= seeds else "running"
            row["seconds"] = _seconds(records, WHOLE if line.whole else line.key)
            first = draws["pearson"] if line is block.lines[0] else first
        row["parts"] = sizes
        rows.append(row)
    if rows:
        rows[0]["errors"] = [
            f"{name}: {record['error']}" for name, record in records.items() if "error" in record
        ]
    return rows


def lines_of(block: Proxies, scale: Scale, rows: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return heading and Markdown lines of a block: rows, errors and pictures."""
    words = f"{block.source.words}, net {block.net(scale)}, {block.policies} random policies"
    words += sizes(rows)
    whole = next((row["seconds"] for row in rows if row["whole"]), None)
    cells = [_cells(row, whole) for row in rows]
    shown = [f"![{row['name']}]({row['picture']})" for row in rows if row["n"] and not row["whole"]]
    errors = [f"- left out, {error}" for row in rows for error in row["errors"]]
    blocks = [aligned([HEAD, *cells]), errors, shown]
    return words, [line for part in blocks if part for line in ("", *part)][1:]


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    rows = rundir.read_records(folder / RESULTS)
    return {row["name"]: row for row in rows}


def _failed(records: Mapping[str, dict[str, Any]], policy: int) -> bool:
    return any("error" in row and name.endswith(f"/{policy}") for name, row in records.items())


def _found(
    records: Mapping[str, dict[str, Any]], key: str, policies: list[int], prefix: str = ""
) -> Found:
    """Return score and log likelihood of the seeds that are done: [S, n] each."""
    seeds = sorted({int(name.split("/")[1]) for name in records if name.startswith(f"{key}/")})
    series: list[list[dict[str, Any]]] = []
    for seed in seeds:
        row = [records.get(name_for(key, seed, n)) for n in policies]
        series += [[each for each in row if each]] if all(row) else []
    shape = (len(series), len(policies))

    def read(name: str) -> Floats:
        return np.array([[each[prefix + name] for each in row] for row in series]).reshape(shape)

    return read("score"), -read("nll")


def _draws(mine: Found, whole: Floats, places: Any, apart: bool) -> dict[str, Floats]:
    """Return each correlation on all policies, Pearson's then on each resample: [1 + D]."""
    found = {}
    for name in FIGURES:
        ranks, series = name.startswith("spearman"), mine["loglik" in name]
        drawn = places[:1] if ranks else places
        found[name] = stats.correlations(series, whole, drawn, ranks=ranks, apart=apart)
    return found


def _figures(draws: Mapping[str, Floats], n: int) -> dict[str, Any]:
    """Return each correlation and its interval."""
    found: dict[str, Any] = {}
    for name, values in draws.items():
        found[name] = _number(values[0])
        ranks = name.startswith("spearman")
        found[f"{name}_interval"] = (
            stats.rank_interval(float(values[0]), n)
            if ranks
            else stats.resampled_interval(values, n)
        )
    return found


def _difference(mine: Floats, first: Floats | None, n: int) -> dict[str, Any]:
    """Return the difference to the first proxy, resampled together; {} for the first itself."""
    if first is None:
        return {}
    apart = mine - first
    interval = stats.resampled_interval(apart, n, fisher=False)
    return {"difference": _number(apart[0]), "difference_interval": interval}


def _means(mine: Floats, whole: Floats, places: Any, n: int, apart: bool) -> dict[str, Any]:
    """Return what the means over seeds say; another training shares its noise with the first."""
    proxy, target = mine.mean(0), whole.mean(0)
    points = {"points": [[float(a), float(b)] for a, b in zip(proxy, target, strict=True)]}
    if apart:
        return points
    values = stats.correlations(proxy[None], target[None], places)
    interval = stats.resampled_interval(values, n)
    return points | {"means": _number(values[0]), "means_interval": interval}


def _empty(block: Proxies, scale: Scale, line: ProxyLine, absent: str) -> dict[str, Any]:
    """Return the row of a proxy of which nothing is known."""
    late = block.tuned(scale).late if line.late is None else line.late
    values = [*FIGURES, "difference", "means"]
    return {
        "block": block.key,
        "name": line.name,
        "key": line.key,
        "paper": line.paper,
        "note": line.note,
        "whole": line.whole,
        "late": None if line.whole else late,
        "state": absent or "planned",
        **dict.fromkeys(name for each in values for name in (each, f"{each}_interval")),
        "n": 0,
        "seeds": 0,
        "seconds": None,
        "points": [],
        "picture": None if line.whole else picture(block, line),
        "errors": [],
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _seconds(records: Mapping[str, dict[str, Any]], key: str) -> float | None:
    """Return the median time of a training or a trial, in seconds; the first one compiles."""
    found = [
        row["seconds"]
        for name, row in records.items()
        if name.startswith(f"{key}/") and "seconds" in row
    ]
    return float(np.median(found)) if found else None


def _cells(row: dict[str, Any], whole: float | None) -> tuple[str, ...]:
    name = row["name"] + (f" ({row['note']})" if row["note"] else "")
    paper = "–" if row["paper"] is None else f"{row['paper']:g}"
    if not row["n"]:
        return (name, paper, row["state"], *("",) * (len(HEAD) - 3))
    shown = [_shown(row, key) for key in (FIGURES[0], "difference", *FIGURES[1:], "means")]
    time = f"{100 * row['seconds'] / whole:.0f} %" if row["seconds"] and whole else "–"
    return (name, paper, *shown, time, f"{row['n']} x {row['seeds']}")


def _shown(row: dict[str, Any], key: str) -> str:
    value, ends = row[key], row[f"{key}_interval"]
    if value is None:
        return "–"
    sign = "+" if key == "difference" else ""
    text = f"{value:{sign}.2f}"
    return text + (f" [{ends[0]:{sign}.2f}, {ends[1]:{sign}.2f}]" if ends else "")
