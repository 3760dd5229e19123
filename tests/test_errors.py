import copy
import pickle
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug import errors
from learnaug.errors import ConfigError, DataError, LearnaugError, RunError, UsageError

KINDS = {LearnaugError: 1, UsageError: 2, ConfigError: 2, DataError: 65, RunError: 1}


@pytest.mark.parametrize(("kind", "code"), KINDS.items())
def test_each_class_has_its_exit_status(kind: type[LearnaugError], code: int) -> None:
    assert kind("x").code == code
    assert kind("x", code=74).code == 74
    assert kind("x", code=0).code == 0


def test_they_are_also_what_python_programmers_catch() -> None:
    for kind in (UsageError, ConfigError, DataError):
        assert issubclass(kind, ValueError)
    assert issubclass(RunError, RuntimeError)


def test_what_where_and_mend_are_said() -> None:
    error = DataError("2 images are empty", ["a.png", "b.png"], "delete them")
    assert str(error) == "2 images are empty\n  a.png\n  b.png\nmend: delete them"
    assert str(DataError("x")) == "x"


def test_twenty_places_are_shown_and_all_are_counted() -> None:
    twenty = str(DataError("x", (f"p{n}" for n in range(20))))
    assert twenty.splitlines()[-1] == "  p19"
    many = DataError("x", (f"p{n}" for n in range(1000)))
    assert str(many).splitlines()[-1] == "  … and 980 more"
    assert len(str(many).splitlines()) == 22
    assert len(many.where) == 1000


@pytest.mark.parametrize("kind", KINDS)
def test_errors_cross_processes(kind: type[LearnaugError]) -> None:
    """A pool of workers pickles what a worker raises."""
    error = kind("what", ["here", "there"], "mend", code=75)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert (again.what, again.where, again.mend, again.code) == (
            "what",
            ("here", "there"),
            "mend",
            75,
        )
        assert str(again) == str(error)


def test_nearest_names_one_or_all() -> None:
    known = ["cutout", "mixup", "randaugment"]
    assert errors.nearest("rand-augment", known) == "did you mean randaugment?"
    assert errors.nearest("qqq", known) == "known: cutout, mixup, randaugment"
    assert errors.nearest("", []) == "known: "


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(), max_size=30))
def test_printable_text_cannot_drive_a_terminal(text: str) -> None:
    found = errors.printable(text)
    found.encode()  # no half of a surrogate pair is left
    bad = [s for s in found if (ord(s) < 32 and s not in "\n\t") or 127 <= ord(s) < 160]
    assert bad == []
    assert errors.printable(found) == found


def test_printable_leaves_readable_text_alone() -> None:
    text = string.printable.translate({11: None, 12: None, 13: None}) + "üж漢😀"
    assert errors.printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\x0db"),
        ("\x9b", "\\x9b"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
        ("\0", "\\x00"),
    ],
)
def test_printable_escapes(text: str, shown: str) -> None:
    assert errors.printable(text) == shown
    assert str(DataError(text, [text], text)).count(shown) == 3
