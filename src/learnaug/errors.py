"""Every error a user can meet: what must hold, what came, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar

__all__ = [
    "ConfigError",
    "DataError",
    "LearnaugError",
    "RunError",
    "UsageError",
    "nearest",
    "printable",
]

SHOWN = 20  # places listed before the rest is only counted


class LearnaugError(Exception):
    """An error with a place and a remedy; the command line prints it without a traceback.

    Args:
        what: one sentence: what is wrong, with the value found and the value allowed.
        where: places (relative path, line, row, class); the first 20 are shown, all are counted.
        mend: one command or edit that puts it right.
        code: exit status of the command line; by default that of the class.

    Example:
        >>> print(DataError("1 image cannot be read", ["cat/1.jpg  0 bytes"], "delete it"))
        1 image cannot be read
          cat/1.jpg  0 bytes
        mend: delete it
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        where: Iterable[str] = (),
        mend: str = "",
        *,
        code: int | None = None,
    ) -> None:
        self.what = what
        self.where = tuple(where)
        self.mend = mend
        self.code = self.exit_code if code is None else code
        super().__init__(what, self.where, mend)

    def __str__(self) -> str:
        lines = [self.what, *(f"  {place}" for place in self.where[:SHOWN])]
        if len(self.where) > SHOWN:
            lines.append(f"  … and {len(self.where) - SHOWN} more")
        if self.mend:
            lines.append(f"mend: {self.mend}")
        return printable("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.mend, self.code)


class UsageError(LearnaugError, ValueError):
    """The call itself is wrong: an unknown name, an option out of range. Exit status 2."""

    exit_code = 2


class ConfigError(LearnaugError, ValueError):
    """A setting or a policy file breaks its rule. Exit status 2."""

    exit_code = 2


class DataError(LearnaugError, ValueError):
    """The images, labels or tables are wrong. Exit status 65; 66 where the input is missing."""

    exit_code = 65


class RunError(LearnaugError, RuntimeError):
    """A run folder cannot be used or a run cannot go on.

    Exit status 73 (cannot create), 74 (disk), 75 (in use: try again later) or 1.
    """

    exit_code = 1


def _rebuild(
    kind: type[LearnaugError], what: str, where: tuple[str, ...], mend: str, code: int
) -> LearnaugError:
    return kind(what, where, mend, code=code)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint that names the nearest known word, or all of them where none is near.

    Example:
        >>> nearest("cutot", ["cutout", "mixup"])
        'did you mean cutout?'
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "known: " + ", ".join(known)


def printable(text: str) -> str:
    r"""Escape control characters and lone surrogates, so that a file name cannot drive a terminal.

    Example:
        >>> printable("a\x1b]0;b")
        'a\\x1b]0;b'
    """
    return "".join(_escape(sign) for sign in text)


def _escape(sign: str) -> str:
    number = ord(sign)
    if sign in "\n\t":
        return sign
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was not UTF-8 (surrogateescape)
        return f"\\x{number - 0xDC00:02x}"
    if number < 32 or 127 <= number < 160:
        return f"\\x{number:02x}"
    if 0xD800 <= number <= 0xDFFF or 0x202A <= number <= 0x202E or 0x2066 <= number <= 0x2069:
        return f"\\u{number:04x}"
    return sign
