"""Write a policy as one small Python file for another library: header, table, functions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from learnaug.errors import UsageError, nearest
from learnaug.interop.exports.levels import REFUSED, TARGETS, distance
from learnaug.interop.exports.source import assemble
from learnaug.interop.exports.stock import export_json
from learnaug.interop.policies import as_policy
from learnaug.ops import Policy
from learnaug.ops.describe import describe_element
from learnaug.ops.policy import Element
from learnaug.ops.table import NAMES, TABLE
from learnaug.training import Augmenter

__all__ = ["export"]

_WIDTH = 100
_JSON = "albumentations-json"

# What the tests ran with, and how the file is used; {module} is the file's name without .py.
_NEEDS = {
    "torchvision": "torchvision 0.29.2, Pillow 13.0.0 and NumPy 2.4.6",
    "albumentations": "Albumentations 2.0.8 and NumPy 2.4.6",
    "kornia": "Kornia 0.9.0 and PyTorch 2.15",
}
_USE = {
    "torchvision": """\
from policy import LearnedPolicy  # this file, saved as policy.py
dataset = ImageFolder("train", transform=v2.Compose([LearnedPolicy(), v2.ToImage()]))
image, mask = LearnedPolicy()(image, mask)  # the mask a tv_tensors.Mask""",
    "albumentations": """\
from policy import LearnedPolicy  # this file, saved as policy.py
augment = A.Compose([LearnedPolicy()])
out = augment(image=image, mask=mask)  # and label=3, where weights are per class
Albumentations 2.0.8 repeats its random numbers in every worker and every epoch (a bug). Give
DataLoader a worker_init_fn that calls augment.set_random_seed(torch.initial_seed() % 2**32).""",
    "kornia": """\
from policy import LearnedPolicy  # this file, saved as policy.py
augment = LearnedPolicy()
images = augment(images)  # or: images, masks, targets = augment(images, masks, targets)""",
}


def export(policy: Policy | Augmenter | str | Path, to: str, *, approximate: bool = False) -> str:
    """Return the text of a file that does what the policy does, without learnaug.

    Args:
        policy: a policy, an augmenter that is one, a method's name, or a policy file.
        to: "torchvision", "albumentations" or "kornia" for Python; "albumentations-json" for what
            `albumentations.from_dict` reads.
        approximate: leave out mixup and cutmix where single pictures are augmented, with a note
            that names the library's own; in JSON, take the library's nearest transforms.

    Returns:
        Python source, or JSON.

    Raises:
        UsageError: no such target; or operations that cannot be exported exactly, all named.

    Example:
        >>> text = export("cutout", "torchvision")
        >>> "def cutout(" in text, "def rotate(" in text
        (True, False)
    """
    policy = as_policy(policy).folded()
    if to == _JSON:
        return export_json(policy, approximate=approximate)
    if to not in TARGETS:
        raise UsageError(f"unknown target {to!r}: {nearest(to, (*TARGETS, _JSON))}")
    left_out = [op for op in _used(policy) if op in REFUSED[to]]
    if left_out and not approximate:
        raise UsageError(
            f"{len(left_out)} of the policy's operations cannot be exported to {to} exactly",
            [f"{op}: {REFUSED[to][op]}" for op in left_out],
            "export to kornia, or add --approximate to leave them out with a note",
        )
    kept = [op for op in _used(policy) if op not in left_out]
    code = assemble(f"for_{to}", _stages(policy, left_out), kept)
    return _header(policy, to, kept, left_out) + code


def _used(policy: Policy) -> list[str]:
    """Return the operations that may happen, in the table's order."""
    found = {e.op for e in policy.elements() if e.p > 0} - {"identity"}
    return [name for name in NAMES if name in found]


def _header(policy: Policy, to: str, kept: list[str], left_out: list[str]) -> str:
    # !a: a name with line breaks must stay inside its comment.
    title = f"The augmentation policy {policy.name!a}, written by learnaug for {to}."
    lines = [*textwrap.wrap(title, _WIDTH - 2), ""]
    lines += ["Use:", *(f"    {line}" for line in _USE[to].splitlines()), ""]
    needs = f"Needs, and was tested with: {_NEEDS[to]}. It does not need learnaug."
    lines += [*textwrap.wrap(needs, _WIDTH - 2), ""]
    lines += ["Against learnaug's own result, pixel by pixel:"]
    far = {op: _farthest(policy, op, to) for op in kept}
    for levels, words in ((0, "Equal"), (1, "At most 1 grey level of 255 away")):
        lines += _listed(words, [op for op in kept if far[op] == levels])
    for element in policy.elements():
        if element.op in left_out:
            why = f"LEFT OUT, {describe_element(element)}: {REFUSED[to][element.op]}."
            lines += textwrap.wrap(why, _WIDTH - 2)
    units = [f"{op} {TABLE[op].unit}" for op in kept if TABLE[op].unit]
    lines += ["", *_listed("Units", units)] if units else []
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + "\n"


def _farthest(policy: Policy, op: str, to: str) -> int:
    kinds = [e.interpolation or TABLE[op].interpolation for e in policy.elements() if e.op == op]
    return max(distance(op, to, kind) or 0 for kind in kinds)


def _listed(words: str, names: list[str]) -> list[str]:
    if not names:
        return []
    return textwrap.wrap(f"{words}: {', '.join(names)}.", _WIDTH - 2)


def _stages(policy: Policy, left_out: list[str]) -> str:
    lines = ["STAGES: tuple[Stage, ...] = ("]
    for stage in policy.stages:
        lines += ["    Stage("]
        lines += ["        branches=("]
        for branch in stage.branches:
            lines += _branch([_element(e) for e in branch if _kept(e, left_out)])
        lines += ["        ),", "        weights=("]
        for row in stage.rows:
            lines += _numbers(row)
        lines += ["        ),"]
        lines += [f'        given="{stage.given}",'] if stage.given else []
        lines += ["    ),"]
    return "\n".join([*lines, ")"]) if policy.stages else "STAGES: tuple[Stage, ...] = ()"


def _kept(element: Element, left_out: list[str]) -> bool:
    return element.op != "identity" and element.p > 0 and element.op not in left_out


def _branch(elements: list[str]) -> list[str]:
    line = "(" + ", ".join(elements) + ("," if len(elements) == 1 else "") + "),"
    if len(line) + 12 <= _WIDTH:
        return [" " * 12 + line]
    inner = [line for e in elements for line in _wrapped(f"{e},", 16)]
    return [" " * 12 + "(", *inner, " " * 12 + "),"]


def _numbers(row: tuple[float, ...]) -> list[str]:
    comma = "," if len(row) == 1 else ""
    return _wrapped("(" + ", ".join(_number(weight) for weight in row) + comma + "),", 12)


def _wrapped(code: str, indent: int) -> list[str]:
    return textwrap.wrap(
        code,
        _WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _element(element: Element) -> str:
    return f"Element({', '.join(_fields(element))})"


def _fields(element: Element) -> Iterator[str]:
    op = TABLE[element.op]
    yield f'"{op.name}"'
    if element.values:
        yield "values=(" + "".join(f"{_number(value)}, " for value in element.values).rstrip() + ")"
    elif element.low is not None:
        yield _number(element.low)
        yield _number(element.low if element.high is None else element.high)
    if element.sign:
        yield f"mirror={_number(2 * (op.identity or 0.0))}"
    if element.p < 1:
        yield f"p={_number(element.p)}"
    fill = op.fill if element.fill is None else element.fill
    if fill:
        yield f"fill={int(fill)}"
    kind = element.interpolation or op.interpolation
    if op.primitive == "warp" and kind != "nearest":
        yield f'interpolation="{kind}"'


def _number(value: float) -> str:
    return repr(float(f"{value:.9g}"))  # as many digits as float32 holds, which ours are
