"""What commands that run a study share: progress on stderr, and how to go on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from learnaug.cli.guard import going_on

__all__ = ["working"]

Say = Callable[[dict[str, Any]], None]


@contextmanager
def working(out: Path | None) -> Iterator[Say]:
    """Show progress on stderr; a stop inside the block names the command that goes on."""
    from learnaug.cli.display import display

    place = out

    def hear(event: dict[str, Any]) -> None:
        nonlocal place
        place = Path(event["out"]) if "out" in event else place
        say(event)

    with going_on(lambda: _go_on(place)), display() as say:
        yield hear


def _go_on(out: Path | None) -> str:
    """Return the command that resumes a folder; "" where there is no plan to resume yet."""
    from learnaug.rundir import plan_path, resuming

    if out is None or not plan_path(out).is_file():
        return ""
    return resuming(out)
