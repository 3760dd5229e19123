"""Write a policy as JSON for Albumentations, of those of its own transforms that equal ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from learnaug.errors import UsageError
from learnaug.interop.exports.levels import NEAR, STOCK
from learnaug.ops import Policy, Stage
from learnaug.ops.policy import Element
from learnaug.ops.table import NAMES, TABLE

__all__ = ["export_json"]

Node = dict[str, Any]
MAX_NODES = 20_000  # a stage that depends on the one before stands once in each of its branches
_JITTER = {"brightness": [1, 1], "contrast": [1, 1], "saturation": [1, 1], "hue": [0, 0]}


def export_json(policy: Policy, *, approximate: bool = False) -> str:
    """Return what `albumentations.from_dict(json.loads(text))` reads, in the form of 2.0.8.

    Raises:
        UsageError: operations that Albumentations does differently, each with the reason; weights
            per class; or a file too long to be of use.
    """
    faults = list(_faults(policy, approximate))
    if faults:
        raise UsageError(
            "the policy is more than Albumentations' own transforms can do exactly",
            faults,
            'export to "albumentations": a Python file, exact for every operation of one picture',
        )
    nodes = [node for run in _runs(policy.stages) for node in _chain(run, 0)]
    note = f"The augmentation policy {policy.name!a}, written by learnaug for albumentations.load."
    near = [f"{op}: up to {NEAR[op]} grey levels of 255 from learnaug's" for op in _near(policy)]
    whole = {
        "__version__": "2.0.8",
        "note": [note, *near],
        "transform": _group("Compose", nodes),
    }
    return json.dumps(whole, indent=1) + "\n"


def _near(policy: Policy) -> list[str]:
    return [op for op in NEAR if any(e.op == op and e.p > 0 for e in policy.elements())]


def _faults(policy: Policy, approximate: bool) -> Iterator[str]:
    elements = [e for e in policy.elements() if e.p > 0 and e.op != "identity"]
    for name in [name for name in NAMES if any(e.op == name for e in elements)]:
        if name in NEAR and not approximate:
            yield f"{name}: the nearest is up to {NEAR[name]} grey levels away (--approximate)"
        if name not in STOCK and name not in NEAR:
            yield f"{name}: no transform of Albumentations 2.0.8 means the same"
    for element in elements:
        if element.op == "posterize" and len(set(element.magnitudes)) > 1 and not element.values:
            yield "posterize: a range of bits is drawn differently; a list of values is not"
        if element.op == "solarize" and max(element.magnitudes) > 255:
            yield "solarize: Albumentations knows no threshold above 255"
    if any(stage.given == "class" for stage in policy.stages):
        yield "weights per class: a transform of Albumentations does not know the class"
    nodes = sum(_size(run) for run in _runs(policy.stages))
    if nodes > MAX_NODES:
        yield f"the file would name {nodes:,} branches; at most {MAX_NODES:,}"


def _runs(stages: tuple[Stage, ...]) -> list[list[Stage]]:
    """Cut the stages where one does not depend on the one before."""
    runs: list[list[Stage]] = []
    for stage in stages:
        runs = [*runs[:-1], [*runs[-1], stage]] if stage.given else [*runs, [stage]]
    return runs


def _size(run: list[Stage]) -> int:
    size = 1
    for stage in reversed(run):
        size = len(stage.branches) * (1 + size)
    return size


def _chain(run: list[Stage], row: int) -> list[Node]:
    """Return the first stage by that row of its weights, with the later ones in its branches."""
    if not run:
        return []
    stage, weights = run[0], run[0].rows[row]
    total = sum(weights)
    options = [
        _group("Sequential", [*map(_element, branch), *_chain(run[1:], number)], weight / total)
        for number, (branch, weight) in enumerate(zip(stage.branches, weights, strict=True))
        if weight > 0
    ]
    return [_group("OneOf", options)]


def _group(kind: str, nodes: list[Node], p: float = 1.0) -> Node:
    nodes = nodes or [{"__class_fullname__": "NoOp", "p": 1.0}]
    return {"__class_fullname__": kind, "p": float(p), "transforms": nodes}


def _element(element: Element) -> Node:
    """Return the transform; one of two for a sign, one of many for a list of magnitudes."""
    op = TABLE[element.op]
    if op.plain:
        return _transform(op.name, 0, 0, element.p)
    low, high = min(element.magnitudes), max(element.magnitudes)
    ranges = [(v, v) for v in element.values] or [(low, high)]
    if element.sign:
        mirror = 2 * (op.identity or 0.0)
        ranges += [(mirror - high, mirror - low) for low, high in ranges]
    return _group("OneOf", [_transform(op.name, *ends, 1.0) for ends in ranges], element.p)


def _transform(op: str, low: float, high: float, p: float) -> Node:
    kind, options = _STOCK[op](low, high)
    return {"__class_fullname__": kind, "p": float(p), **options}


_STOCK: dict[str, Callable[[float, float], tuple[str, Node]]] = {
    "identity": lambda low, high: ("NoOp", {}),
    "hflip": lambda low, high: ("HorizontalFlip", {}),
    "vflip": lambda low, high: ("VerticalFlip", {}),
    "invert": lambda low, high: ("InvertImg", {}),
    "to_gray": lambda low, high: ("ToGray", {"method": "weighted_average"}),
    "posterize": lambda low, high: ("Posterize", {"num_bits": [round(low), round(high)]}),
    "solarize": lambda low, high: ("Solarize", {"threshold_range": [low / 255, high / 255]}),
    "gamma": lambda low, high: ("RandomGamma", {"gamma_limit": [100 * low, 100 * high]}),
    # Not RandomBrightnessContrast, which adds to the brightness and counts limits from 1.
    "brightness": lambda low, high: ("ColorJitter", {**_JITTER, "brightness": [low, high]}),
    "contrast": lambda low, high: ("ColorJitter", {**_JITTER, "contrast": [low, high]}),
    "color": lambda low, high: ("ColorJitter", {**_JITTER, "saturation": [low, high]}),
    "hue": lambda low, high: ("ColorJitter", {**_JITTER, "hue": [low / 360, high / 360]}),
    "autocontrast": lambda low, high: ("AutoContrast", {"method": "pil"}),
}
