"""A policy in words, for the report and the terminal."""

from __future__ import annotations

from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.table import TABLE, Op

__all__ = ["describe", "describe_branch", "describe_element", "markdown"]


def describe(policy: Policy) -> list[str]:
    """Return the policy as lines: a line a stage, or one more for each of its branches.

    Example:
        >>> describe(Policy((Stage(((Element("rotate", 30, sign=True, p=0.5),),)),)))
        ['always: rotate ±30 degrees, p 0.5']
    """
    lines = [line for stage in policy.folded().stages for line in _stage(stage)] or ["nothing"]
    if policy.strength == 1:
        return lines
    return [f"at strength {policy.strength:g}, which the magnitudes contain:", *lines]


def describe_element(element: Element) -> str:
    """Return one operation with its magnitudes and unit.

    Example:
        >>> describe_element(Element("brightness", 1.0, 1.9, sign=True))
        'brightness 1 to 1.9 or 1 to 0.1 factor'
    """
    op = TABLE[element.op]
    words = [op.name, _magnitude(element), op.unit if element.magnitudes else ""]
    notes = [
        f"p {element.p:g}" if element.p < 1 else "",
        f"fill {element.fill}" if element.fill is not None else "",
        element.interpolation or "",
    ]
    return ", ".join([" ".join(filter(None, words)), *filter(None, notes)])


def markdown() -> str:
    """Return the table of all operations that docs/operations.md shows.

    Example:
        >>> print(markdown().splitlines()[0])
        | operation | what it does | unit | range | changes nothing | from |
    """
    head = "| operation | what it does | unit | range | changes nothing | from |"
    return "\n".join([head, "|---" * 6 + "|", *map(_row, TABLE.values())]) + "\n"


def _row(op: Op) -> str:
    sign = ", both signs" if op.signed else ""
    span = "–" if op.plain else f"{op.low:g} to {op.high:g}{sign}"
    still = "–" if op.plain or op.identity is None else f"{op.identity:g}"
    return f"| {op.name} | {op.about} | {op.unit or '–'} | {span} | {still} | {op.source} |"


def _stage(stage: Stage) -> list[str]:
    if len(stage.branches) == 1:
        return [f"always: {describe_branch(stage.branches[0])}"]
    if stage.given:
        by = "class" if stage.given == "class" else "branch before"
        lines = [f"one of {len(stage.branches)}, with weights for each {by}:"]
        return lines + [f"  {describe_branch(branch)}" for branch in stage.branches]
    total = sum(stage.rows[0])
    lines = [f"one of {len(stage.branches)}:"]
    for branch, weight in zip(stage.branches, stage.rows[0], strict=True):
        lines.append(f"  {100 * weight / total:.3g} %  {describe_branch(branch)}")
    return lines


def describe_branch(branch: tuple[Element, ...]) -> str:
    """Return the operations of one branch; "nothing" where it has none."""
    return ", then ".join(describe_element(element) for element in branch) or "nothing"


def _magnitude(element: Element) -> str:
    op = TABLE[element.op]
    ends = element.magnitudes
    if not ends:
        return ""
    low, high = min(ends), max(ends)
    identity = op.identity or 0.0
    if not element.sign:
        return _range(low, high)
    if identity == 0 and low == high:
        return f"±{low:.4g}"
    if identity == 0:
        return f"±({_range(low, high)})"
    return f"{_range(low, high)} or {_range(2 * identity - low, 2 * identity - high)}"


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
