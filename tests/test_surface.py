"""The public surface is frozen: a name, an argument or a command that goes or changes fails here.

Meant to change? Run `python tests/test_surface.py` and commit surface.json with the change log.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import learnaug
from learnaug.methods import METHODS
from learnaug.ops import TABLE

FILE = Path(__file__).with_name("surface.json")


def surface() -> dict[str, object]:
    """Return public names with their arguments, methods, operations, commands and options."""
    from typer.main import get_command

    from learnaug.cli.app import app

    names: dict[str, object] = {}
    for name in sorted(learnaug.__all__):
        value = getattr(learnaug, name)
        plain = not callable(value)
        names[name] = None if plain else list(inspect.signature(value).parameters)
    commands = get_command(app).commands  # type: ignore[attr-defined]
    return {
        "names": names,
        "methods": {name: row.kind for name, row in METHODS.items()},
        "operations": {name: op.unit for name, op in TABLE.items()},
        "commands": {
            name: sorted(option for p in command.params for option in p.opts)
            for name, command in sorted(commands.items())
        },
    }


def test_surface_is_the_frozen_one() -> None:
    assert surface() == json.loads(FILE.read_text())


def test_everything_promised_is_there() -> None:
    promised = {"load", "check", "compare", "train", "METHODS", "Policy", "load_augmenter"}
    assert promised <= set(learnaug.__all__)
    for name in promised:
        assert getattr(learnaug, name) is not None
    assert callable(learnaug.train)
    commands = {"check", "compare", "train", "report", "resume", "methods", "apply"}
    commands |= {"export", "learn", "reproduce", "show"}
    assert set(surface()["commands"]) == commands  # type: ignore[call-overload]


if __name__ == "__main__":
    FILE.write_text(json.dumps(surface(), indent=1, ensure_ascii=False) + "\n")
