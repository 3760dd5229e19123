"""A policy as a picture page: its words, its probabilities, and what it does to pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray

from learnaug import ops, rundir
from learnaug.data import ImageSet, load
from learnaug.ops import TABLE, Element, Policy, Stage
from learnaug.report import odds
from learnaug.report.figures import short
from learnaug.report.page import environment, text
from learnaug.report.pictures import Sheet, sheets
from learnaug.seeds import Seeds

__all__ = ["show_policy"]

PICTURES = 8  # that whole draws are shown on
DRAWS = 4
LINES = 200  # of the words
DIGITS = "digits"
DIGIT_SIDE = 32  # pixels; 8 would leave most operations nothing to move
LEAST = 0.005  # of a dense table, the smallest probability that is written into its cell

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class _Strip:
    """One operation at several magnitudes: captions, one for each picture of the sheet."""

    name: str
    unit: str
    about: str
    captions: tuple[str, ...]
    sheet: Sheet


def show_policy(
    policy: Policy,
    data: Any = None,
    out: str | Path | None = None,
    *,
    size: int | None = None,
    seed: int = 0,
) -> Path:
    """Write one HTML page that shows a policy on pictures, and return its path.

    Args:
        policy: any.
        data: anything that `learnaug.load` takes; the built-in digits, at 32 pixels, for None.
        out: the page; policy-NAME.html in this folder for None.
        size: side in pixels to which pictures are resized.
        seed: root of the draws that are shown.

    Raises:
        DataError, UsageError: as in `learnaug.load`.
        RunError: the page cannot be written.
    """
    path = Path(out) if out is not None else Path(f"policy-{rundir.slug(policy.name)}.html")
    side = DIGIT_SIDE if data is None and size is None else size
    images = load(DIGITS if data is None else data, size=side)
    rundir.write_text(path, _render(policy, images, Seeds(seed), built_in=data is None))
    return path


def _render(policy: Policy, images: ImageSet, seeds: Seeds, *, built_in: bool) -> str:
    page = environment()
    page.filters["address"] = lambda sheet: Markup(sheet.address)
    template = page.get_template("show.html")
    chosen = _chosen(images)
    lines = ops.describe(policy)
    return template.render(
        css=Markup(text("page.css") + text("show.css")),
        policy=policy,
        counts=_counts(policy),
        lines=lines[:LINES],
        more=max(0, len(lines) - LINES),
        heats=[_cells(heat) for heat in odds.heats(policy, images.classes)],
        strips=_strips(policy, images.images[chosen], seeds),
        draws=_draws(policy, images, chosen, seeds),
        data=images.name,
        size=" × ".join(map(str, images.size)),
        built_in=built_in,
        notes=_notes(policy, images),
        seed=seeds.root,
    )


def _counts(policy: Policy) -> list[tuple[str, str]]:
    used = {element.op for element in policy.elements()}
    branches = [str(len(stage.branches)) for stage in policy.stages]
    stages = "stage" if len(branches) == 1 else "stages, one after another"
    return [
        (str(len(branches)), stages),
        (" + ".join(branches[:6]) or "0", "branches, of which each stage takes one"),
        (str(len(used)), "different operations"),
        (f"{policy.strength:g}", "strength (1 is the policy as it was made)"),
    ]


def _notes(policy: Policy, images: ImageSet) -> list[str]:
    found = []
    if policy.does_nothing:
        found.append("This policy never changes a picture.")
    rows = {len(stage.rows) for stage in policy.stages if stage.given == "class"}
    if rows and rows != {len(images.classes)}:
        found.append(
            f"The policy has weights for {max(rows)} classes, but the pictures have "
            f"{len(images.classes)}: the pictures are shown as if their classes were its own."
        )
    return found


def _cells(heat: odds.Heat) -> dict[str, Any]:
    """Return a heat map for the template: each cell's text and shade."""
    top = float(heat.odds.max(initial=0)) or 1.0
    dense = len(heat.columns) > odds.MOST_NAMED
    least = LEAST if dense else 0.0
    rows = [
        {
            "name": name,
            "cells": [
                {"text": _percent(value) if value > least else "", "shade": f"{value / top:.3f}"}
                for value in map(float, line)
            ],
        }
        for name, line in zip(heat.rows, heat.odds, strict=True)
    ]
    columns = [short(name) for name in heat.columns]
    return {"heat": heat, "columns": columns, "rows": rows, "dense": dense, "top": _percent(top)}


def _percent(share: float) -> str:
    given = 100 * share
    return f"{given:.1f}" if given < 10 else f"{given:.0f}"


def _chosen(images: ImageSet) -> NDArray[np.int64]:
    """Return up to eight pictures, of as many classes as there are, each class in its turn."""
    if images.masks is not None:
        return np.arange(min(PICTURES, len(images)))
    ranks = np.zeros(len(images), np.int64)
    for label in range(len(images.classes)):
        mine = images.labels == label
        ranks[mine] = np.arange(mine.sum())
    return np.lexsort((images.labels, ranks))[:PICTURES]


def _strips(policy: Policy, pictures: Pixels, seeds: Seeds) -> list[_Strip]:
    """Return each operation of the policy at low, middle and high magnitude, both signs."""
    grouped: dict[str, list[Element]] = {}
    for element in policy.folded().elements():
        grouped.setdefault(element.op, []).append(element)
    grouped.pop("identity", None)
    rows = {name: _row(name, found, pictures, seeds) for name, found in grouped.items()}
    original = np.ascontiguousarray(pictures[None, :1])
    shown = sheets({"original": original} | {name: row[1] for name, row in rows.items()})
    strips = [_Strip("original", "", "the picture as it is", ("",), shown["original"][0])]
    for name, (captions, _) in rows.items():
        op = TABLE[name]
        strips.append(_Strip(name, op.unit, op.about, captions, shown[name][0]))
    return strips


def _row(
    name: str, found: Sequence[Element], pictures: Pixels, seeds: Seeds
) -> tuple[tuple[str, ...], Pixels]:
    values = _magnitudes(name, found)
    made = [_at(found[0], value, pictures, seeds) for value in values]
    captions = tuple("" if value is None else f"{value:.3g}".replace("-", "−") for value in values)
    return captions, np.stack(made)[None]


def _magnitudes(name: str, found: Sequence[Element]) -> Sequence[float | None]:
    """Return the lowest, the middle and the highest magnitude, mirrored where signs are drawn."""
    given = sorted({value for element in found for value in element.magnitudes})
    if not given:
        return [None]
    middle = given[len(given) // 2] if len(given) > 2 else (given[0] + given[-1]) / 2
    if TABLE[name].unit == "quarter turns":
        middle = given[-1]
    some = {given[0], middle, given[-1]}
    if any(element.sign for element in found):
        some |= {2 * (TABLE[name].identity or 0.0) - value for value in some}
    return sorted({round(value, 6) for value in some})


def _at(element: Element, value: float | None, pictures: Pixels, seeds: Seeds) -> Pixels:
    """Return the first picture after one operation of that magnitude, which then always happens."""
    fixed = replace(element, low=value, high=None, values=(), sign=False, p=1.0)
    policy = Policy((Stage(((fixed,),)),))
    size = (pictures.shape[2], pictures.shape[3])
    for attempt in range(16):  # until a mixing operation has another picture for the first
        gen = seeds.child("show", element.op, attempt).numpy()
        drawn = ops.draw(policy, len(pictures), gen, size=size)
        if not TABLE[element.op].partner or drawn.partner[0, 0] != 0:
            break
    after: Pixels = ops.apply(torch.from_numpy(pictures), drawn)[0].numpy()
    return after


def _draws(
    policy: Policy, images: ImageSet, chosen: NDArray[np.int64], seeds: Seeds
) -> list[tuple[str, Sheet]]:
    """Return the pictures as they are, and a few whole draws of the policy."""
    pictures = images.images[chosen]
    rows = [len(stage.rows) for stage in policy.stages if stage.given == "class"]
    labels = None
    if rows:
        labels = images.labels[chosen] if len(images.labels) else np.zeros(len(chosen), np.int64)
        labels = labels % min(rows)
    found = {"original": pictures[None]}
    for number in range(DRAWS):
        gen = seeds.child("show whole", number).numpy()
        drawn = ops.draw(policy, len(pictures), gen, size=images.size, labels=labels)
        found[f"draw {number + 1}"] = ops.apply(torch.from_numpy(pictures), drawn).numpy()[None]
    return [(name, strips[0]) for name, strips in sheets(found).items()]
