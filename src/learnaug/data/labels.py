"""Labels as people write them to class indices, or the rows that are wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from learnaug.data.findings import Finding, counted
from learnaug.errors import printable

__all__ = ["number_labels"]

WHOLE = re.compile(r"[+-]?\d{1,18}")


def number_labels(
    values: Sequence[Any], rows: Sequence[str], names: tuple[str, ...] | None = None
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...], list[Finding]]:
    """Return class indices int64 [N] (None where any row is wrong), class names and findings.

    Whole numbers are classes in the order of the numbers, with the number as name; text is classes
    in the order of code points. With `names` the numbers index the names.

    Args:
        values: one label per image: numbers or text.
        rows: what to call each row in a message.
        names: class names that whole numbers point into.
    """
    words = [_word(value) for value in values]
    numbers = [WHOLE.fullmatch(word) is not None for word in words]
    missing = [i for i, word in enumerate(words) if word.lower() in ("", "nan")]
    if missing:
        return None, (), [_fault("label-missing", "label[|s] missing", missing, rows, words)]
    texts = [i for i, number in enumerate(numbers) if not number]
    if any(numbers) and texts:
        what = "label[|s] [is no whole number|are no whole numbers] among whole numbers"
        odd = texts if len(texts) <= len(words) / 2 else [i for i, n in enumerate(numbers) if n]
        return None, (), [_fault("label-kind", what, odd, rows, words)]
    if texts and all(_is_number(word) for word in words):
        what = (
            "label[|s] [is a fraction|are fractions]: class labels must be whole numbers or names"
        )
        return None, (), [_fault("label-kind", what, texts, rows, words)]
    if texts:
        return (*_by_name(words, names), [])
    return _by_number([int(word) for word in words], rows, names)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return printable(str(value)).strip()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _by_name(
    words: Sequence[str], names: tuple[str, ...] | None
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    classes = tuple(sorted(set(words))) if names is None or not set(words) <= set(names) else names
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number[word] for word in words], np.int64), classes


def _by_number(
    numbers: Sequence[int], rows: Sequence[str], names: tuple[str, ...] | None
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...], list[Finding]]:
    codes = np.array(numbers, np.int64)
    if names is None:
        below = [i for i, number in enumerate(numbers) if number < 0]
        if below:
            words = list(map(str, numbers))
            return None, (), [_fault("label-range", "label[|s] below 0", below, rows, words)]
        values, indices = np.unique(codes, return_inverse=True)
        return indices.astype(np.int64), tuple(map(str, values.tolist())), []
    wrong = [i for i, number in enumerate(numbers) if not 0 <= number < len(names)]
    if not wrong:
        return codes, names, []
    top = len(names) - 1
    where = tuple(f"{rows[i]}: label {numbers[i]}, allowed 0-{top}" for i in wrong)
    what = counted(len(wrong), f"label[|s] outside 0-{top}")
    one_based = min(numbers) == 1 and max(numbers) == len(names)
    mend = (
        "do labels start at 1? subtract 1" if one_based else "do labels start at 1? mend the rows"
    )
    return None, (), [Finding("error", "label-range", what, where, mend)]


def _fault(
    code: str, what: str, wrong: Sequence[int], rows: Sequence[str], words: Sequence[str]
) -> Finding:
    where = tuple(f"{rows[i]}: {words[i] or '(empty)'}" for i in wrong)
    return Finding("error", code, counted(len(wrong), what), where, "put a class into these rows")
