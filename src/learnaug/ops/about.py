"""What a policy says about itself: where it came from, what it was trained on, the evidence."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from learnaug.errors import nearest

__all__ = [
    "EVIDENCE", "TRAINED_ON", "about_faults", "finite", "hint", "made_from_faults", "shown",
    "tidy",
]  # fmt: skip

MAX_KEYS = 100
MAX_KEY = 200  # characters
MAX_TEXT = 1_000  # characters

TEXT, COUNT, NUMBER, SHARE, INTERVAL = "text", "count", "number", "share", "interval"
KINDS = {
    TEXT: f"1 to {MAX_TEXT:,} characters",
    COUNT: "an integer >= 0",
    NUMBER: "a finite number",
    SHARE: "a number from 0 to 1",
    INTERVAL: "two finite numbers, the lower first",
}

TRAINED_ON = {
    "data": TEXT,  # its name
    "fingerprint": TEXT,  # SHA-256 of pixels and labels, as in plan.json
    "classes": COUNT,
    "pictures": COUNT,
    "size": COUNT,  # side in pixels
    "net": TEXT,
}
EVIDENCE = {
    "metric": TEXT,
    "part": TEXT,  # the part that was scored
    "baseline": TEXT,  # what it was held against
    "difference": NUMBER,  # policy minus baseline, as a fraction
    "interval": INTERVAL,  # of the difference
    "confidence": SHARE,  # of the interval
    "pairs": COUNT,  # trainings with and without
    "p": SHARE,
}


def about_faults(field: str, given: Any, schema: Mapping[str, str]) -> Iterator[str]:
    """Yield what breaks a closed schema of key and kind; every key may be absent."""
    if not isinstance(given, dict):
        yield f"{field}: an object, but got {shown(given)}"
        return
    for key in list(given)[:MAX_KEYS]:
        if key not in schema:
            yield f"{field}: unknown key {shown(key)}: {hint(key, tuple(schema))}"
        elif not _fits(given[key], schema[key]):
            yield f"{field}.{key}: {KINDS[schema[key]]}, but got {shown(given[key])}"


def made_from_faults(given: Any) -> Iterator[str]:
    """Yield what is no short string or finite number among the free notes."""
    if not isinstance(given, dict):
        yield f"made_from: an object, but got {shown(given)}"
        return
    if len(given) > MAX_KEYS:
        yield f"made_from: at most {MAX_KEYS} keys, but got {len(given):,}"
        return
    for key, value in given.items():
        if not (isinstance(key, str) and 0 < len(key) <= MAX_KEY):
            yield f"made_from: keys of 1 to {MAX_KEY} characters, but got {shown(key)}"
        elif not (finite(value) or (isinstance(value, str) and len(value) <= MAX_TEXT)):
            yield (
                f"made_from: finite numbers and strings of at most {MAX_TEXT:,} characters, "
                f"but got {shown(key)}: {shown(value)}"
            )


def finite(value: object) -> bool:
    """Whether the value is a finite number and no bool."""
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)


def shown(value: object) -> str:
    """Return a value for a message: short, however large it is.

    Example:
        >>> shown("a" * 1000)
        "'aaaaaaaaaaaa...aaaaaaaaaaaaa'"
    """
    return reprlib.repr(value)


def hint(name: object, known: Sequence[str]) -> str:
    """Return `nearest` of the first characters: a name of megabytes would take minutes."""
    return nearest(name[:40].lower() if isinstance(name, str) else shown(name), known)


def tidy(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes with lists as tuples, so that those of a file equal those of Python."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}


def _fits(value: Any, kind: str) -> bool:
    if kind == TEXT:
        return isinstance(value, str) and 0 < len(value) <= MAX_TEXT
    if kind == COUNT:
        return type(value) is int and value >= 0
    if kind == INTERVAL:
        pair = isinstance(value, list | tuple) and len(value) == 2 and all(map(finite, value))
        return pair and value[0] <= value[1]
    return finite(value) and (kind == NUMBER or 0 <= value <= 1)
