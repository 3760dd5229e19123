"""Plain values out of JSON that may be damaged: what does not fit becomes nothing."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Json", "integers", "mapping", "names", "number", "objects"]

Json = dict[str, Any]


def mapping(value: Any) -> Json:
    """Return `value` where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[Json]:
    """Return the objects of a JSON array."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def names(value: Any) -> list[str]:
    """Return the strings of a JSON array; a single string counts as an array of one."""
    if isinstance(value, str):
        return [value]
    return [str(one) for one in value] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """Return a finite number as float, anything else as None."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def integers(value: Any) -> list[int]:
    """Return the whole numbers of a JSON array."""
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, int) and not isinstance(one, bool)]
