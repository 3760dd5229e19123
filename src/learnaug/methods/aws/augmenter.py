"""What a search leaves behind: a policy, with the search beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from learnaug import ops, rundir
from learnaug.errors import ConfigError
from learnaug.methods.augmenters import FILE, PolicyAugmenter

__all__ = ["FORMAT", "Searched", "load"]

FORMAT = "learnaug-search"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Searched(PolicyAugmenter):
    """A policy augmenter that also tells how it was found, and what speaks for it.

    Args:
        policy: what every picture is augmented with.
        search: plain JSON data: trials and figures, with "lines" for people.
    """

    search: dict[str, Any] = field(default_factory=dict, hash=False)

    def describe(self) -> dict[str, Any]:
        """Return the kind, the name, what was found as lines, and the whole search."""
        told = {"kind": "policy", "name": self.policy.name, "lines": self.search.get("lines", [])}
        return told | {"search": {k: v for k, v in self.search.items() if k != "lines"}}

    def save(self, folder: Path) -> None:
        """Write augmenter.json."""
        content = {"format": FORMAT, "version": VERSION, "policy": self.policy.to_json()}
        rundir.write_json(folder / FILE, content | {"search": self.search})


def load(content: dict[str, Any]) -> Searched:
    """Return the augmenter of an augmenter.json.

    Raises:
        ConfigError: the file is damaged or of another version.
    """
    if content.get("version") != VERSION or not isinstance(content.get("search"), dict):
        raise ConfigError(
            f"an augmenter of a search must be of version {VERSION} and hold its search",
            mend="learn it again",
        )
    return Searched(ops.Policy.from_json(content.get("policy")), content["search"])
