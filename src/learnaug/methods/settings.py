"""Settings in a method's name: `smart-augmentation:k=3,alpha=0.7`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from learnaug.errors import UsageError, nearest
from learnaug.methods.base import Method

__all__ = ["GIVEN", "broken", "configured", "filled", "parted"]

GIVEN = "{given}"  # in a setting: the folder of the augmenter that the study was given

PLAIN = (bool, int, float, str, type(None))


def parted(name: str) -> tuple[str, str]:
    """Return the row of METHODS that a name begins with, and the text of its settings.

    Example:
        >>> parted("smart-augmentation:k=3"), parted("none")
        (('smart-augmentation', 'k=3'), ('none', ''))
    """
    row, _, settings = name.partition(":")
    return row, settings


def broken(method: object, rules: Mapping[str, bool]) -> list[str]:
    """Return a sentence for each setting whose rule does not hold.

    Args:
        method: a dataclass whose fields are its settings.
        rules: each names its setting as one of its words, "0 < lr < inf", and whether it holds.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Some:
        ...     lr: float = 0.0
        >>> broken(Some(), {"0 < lr": False})
        ['`0 < lr` must hold, but got 0.0']
    """
    names = [field.name for field in fields(cast(Any, method))]
    return [
        f"`{rule}` must hold, but got {getattr(method, name)}"
        for rule, holds in rules.items()
        for name in names
        if not holds and name in rule.split()
    ]


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
            kinds = _kinds(method, key)
            values[key] = _value(word, kinds)
            if type(values[key]) not in kinds:
                faults.append(f"{key}={word}, but {_wanted(kinds, known[key])} is needed")
    if faults:
        raise UsageError(
            f"the settings of method {name!r} are not allowed", faults,
            "write them so: smart-augmentation:k=3,alpha=0.7",
        )  # fmt: skip
    return replace(method, **values)  # type: ignore[type-var]  # a method is a dataclass


def filled(method: Method, folder: Path) -> Method:
    """Return the method, or chain, with this folder in every setting that is `{given}`.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Using:
        ...     generator: str = GIVEN
        >>> filled(Using(), Path("some/folder")).generator
        'some/folder'
    """
    members = getattr(method, "members", None)
    if members is not None:
        within = tuple(filled(member, folder) for member in members)
        return method if within == members else replace(cast(Any, method), members=within)
    places = [name for name, value in _known(method).items() if value == GIVEN]
    return replace(cast(Any, method), **dict.fromkeys(places, str(folder))) if places else method


def _known(method: Method) -> dict[str, Any]:
    """Return the settings that are plain values, with what they are by default."""
    fields = getattr(method, "__dataclass_fields__", {})
    names = [name for name, field in fields.items() if not field.metadata.get("unnamed")]
    found = {name: getattr(method, name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, PLAIN)}


def _kinds(method: Method, key: str) -> set[type]:
    """Return the plain types that a setting may have, by its annotation."""
    annotation = next(f.type for f in fields(cast(Any, method)) if f.name == key)
    words = annotation.split(" | ") if isinstance(annotation, str) else []
    named = {kind.__name__: kind for kind in PLAIN} | {"None": type(None)}
    # An alias says nothing by its name: then the type of the default is the only one.
    return {named[word] for word in words if word in named} or {type(getattr(method, key))}


def _value(word: str, kinds: set[type]) -> Any:
    if str in kinds:
        return word
    try:
        value = json.loads(word)
    except ValueError:
        return word
    return float(value) if type(value) is int and int not in kinds and float in kinds else value


def _wanted(kinds: set[type], default: Any) -> str:
    """Return in words what a setting takes."""
    if bool in kinds:
        return "true or false"
    if default is not None:
        return f"a value like {default!r}"
    return "a number or null" if kinds & {int, float} else "another value"
