"""What is wrong with a data set, or worth knowing: findings, and the one error they make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from learnaug.errors import DataError

__all__ = ["Finding", "Severity", "as_error", "counted", "stopping"]

Severity = Literal["error", "ask", "warning", "info"]

PLACES = 5  # places shown of one finding when several are told in one message
MISSING_INPUT = 66


@dataclass(frozen=True)
class Finding:
    """One kind of fault or remark about a data set.

    Args:
        severity: "error" stops, "ask" stops until an option answers it, "warning" goes on and is
            counted in the report, "info" is only noted.
        code: short stable name of the kind, such as "unreadable" or "sizes-differ".
        what: one sentence: what is so, with the value found and the value allowed.
        where: places (relative path, row, class).
        mend: one command or edit that puts it right; "" for info.
        count: how many images, rows or classes are concerned; by default the number of places.

    Example:
        >>> Finding("warning", "cmyk", "1 CMYK image converted to RGB", ("cat/1.jpg",)).count
        1
    """

    severity: Severity
    code: str
    what: str
    where: tuple[str, ...] = ()
    mend: str = ""
    count: int = -1

    def __post_init__(self) -> None:
        if self.count < 0:
            object.__setattr__(self, "count", len(self.where))

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {**asdict(self), "where": list(self.where)}


def stopping(findings: Iterable[Finding], *, accept: bool = False) -> tuple[Finding, ...]:
    """Return the findings that forbid to go on: errors, and asks that `accept` did not answer."""
    stops = ("error",) if accept else ("error", "ask")
    return tuple(f for f in findings if f.severity in stops)


def as_error(findings: Sequence[Finding], name: str) -> DataError:
    """Return the one error that tells all these findings (at least one) about the set `name`.

    Example:
        >>> fault = Finding("error", "empty-file", "1 file is empty", ("a.png",), "delete it")
        >>> print(as_error([fault], "pets"))
        1 file is empty
          a.png
        mend: delete it
    """
    code = MISSING_INPUT if any(f.code == "missing-input" for f in findings) else None
    if len(findings) == 1:
        only = findings[0]
        return DataError(only.what, only.where, only.mend, code=code)
    return DataError(
        f"{len(findings)} kinds of faults in {name}",
        [_line(finding) for finding in findings],
        "put each of them right as its line says; `learnaug check` lists every place",
        code=code,
    )


def counted(count: int, text: str) -> str:
    """Return the count and its noun; `[one|many]` marks what differs between one and many.

    Example:
        >>> counted(1, "image[|s] [has|have] no mask"), counted(2, "image[|s] [has|have] no mask")
        ('1 image has no mask', '2 images have no mask')
    """
    return f"{count} " + re.sub(r"\[(.*?)\|(.*?)\]", r"\1" if count == 1 else r"\2", text)


def _line(finding: Finding) -> str:
    shown = "; ".join(finding.where[:PLACES])
    rest = f" … and {finding.count - PLACES} more" if len(finding.where) > PLACES else ""
    places = f": {shown}{rest}" if shown else ""
    return f"{finding.what}{places} — mend: {finding.mend}"
