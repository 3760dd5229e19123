"""Settings in a method's name: `smart-augmentation:k=3,alpha=0.7`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from learnaug.errors import UsageError, nearest
from learnaug.methods.base import Method

__all__ = ["configured", "parted"]

PLAIN = (bool, int, float, str, type(None))


def parted(name: str) -> tuple[str, str]:
    """Return the row of METHODS that a name begins with, and the text of its settings.

    Example:
        >>> parted("smart-augmentation:k=3"), parted("none")
        (('smart-augmentation', 'k=3'), ('none', ''))
    """
    row, _, settings = name.partition(":")
    return row, settings


def configured(method: Method, name: str) -> Method:
    """Return the method with the settings that stand behind the `:` of its name.

    A value is a number, true, false, null or a word, and of the type of the setting's default.

    Raises:
        UsageError: a setting is unknown, given twice, or of another type (all are listed).
    """
    text = parted(name)[1]
    if ":" not in name:
        return method
    known = _known(method)
    values: dict[str, Any] = {}
    faults = []
    for part in text.split(","):
        key, equals, word = (piece.strip() for piece in part.partition("="))
        if not (key and equals and word):
            faults.append(f"{part!r} is not of the form setting=value")
        elif key not in known:
            hint = nearest(key, tuple(known)) if known else "this method has no settings"
            faults.append(f"{key!r} is not known; {hint}")
        elif key in values:
            faults.append(f"{key!r} is given twice")
        else:
            values[key] = _value(word, known[key])
            if not _fits(values[key], known[key]):
                faults.append(f"{key}={word}, but a value like {known[key]!r} is needed")
    if faults:
        raise UsageError(
            f"the settings of method {name!r} are not allowed", faults,
            "write them so: smart-augmentation:k=3,alpha=0.7",
        )  # fmt: skip
    return replace(method, **values)  # type: ignore[type-var]  # a method is a dataclass


def _known(method: Method) -> dict[str, Any]:
    """Return the settings that are plain values, with what they are by default."""
    fields = getattr(method, "__dataclass_fields__", {})
    names = [name for name, field in fields.items() if not field.metadata.get("unnamed")]
    found = {name: getattr(method, name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, PLAIN)}


def _value(word: str, default: Any) -> Any:
    try:
        value = json.loads(word)
    except ValueError:
        return word
    if isinstance(default, str):
        return word
    return float(value) if isinstance(default, float) and type(value) is int else value


def _fits(value: Any, default: Any) -> bool:
    return isinstance(value, PLAIN) and (default is None or type(value) is type(default))
