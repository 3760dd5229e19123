"""What an audit leaves behind: a policy of what was found safe, with the audit beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from learnaug import ops, rundir
from learnaug.errors import ConfigError
from learnaug.methods.augmenters import FILE, PolicyAugmenter
from learnaug.methods.safe.detectors import Detectors
from learnaug.ops.sets import OperationSet

__all__ = ["FORMAT", "OPERATIONS", "Audited", "load", "load_detectors"]

FORMAT = "learnaug-safe"
VERSION = 1
OPERATIONS = "operations.json"  # beside augmenter.json, for --ops


@dataclass(frozen=True, slots=True)
class Audited(PolicyAugmenter):
    """A policy augmenter that also tells which operations were found safe, and why.

    Args:
        policy: what every picture is augmented with.
        operations: what was found safe.
        audit: plain JSON data: the findings, with "lines" for people.
        detectors: what an audit of similar pictures may take; None: they are not kept.
    """

    operations: OperationSet = field(default_factory=lambda: OperationSet("none", ()))
    audit: dict[str, Any] = field(default_factory=dict, hash=False)
    detectors: Detectors | None = None

    def describe(self) -> dict[str, Any]:
        """Return the kind, the name, the table as lines, and the whole audit."""
        told = {"kind": "policy", "name": self.policy.name, "lines": self.audit.get("lines", [])}
        return told | {"audit": {k: v for k, v in self.audit.items() if k != "lines"}}

    def save(self, folder: Path) -> None:
        """Write augmenter.json, operations.json (the set), and the weights of the detectors."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "policy": self.policy.to_json(),
            "operations": self.operations.to_json(),
            "audit": self.audit,
        }
        if self.detectors:
            self.detectors.save(folder)
            content["detectors"] = self.detectors.about()
        self.operations.save(folder / OPERATIONS)
        rundir.write_json(folder / FILE, content)


def load(folder: Path, content: dict[str, Any]) -> Audited:
    """Return the augmenter of a folder with this augmenter.json.

    Raises:
        ConfigError: the file is damaged or of another version.
    """
    if content.get("version") != VERSION or not isinstance(content.get("audit"), dict):
        raise ConfigError(
            f"an augmenter of safe-augmentation must be of version {VERSION} and hold its audit",
            mend="learn it again",
        )
    about = content.get("detectors")
    return Audited(
        ops.Policy.from_json(content.get("policy")),
        OperationSet.from_json(content.get("operations")),
        content["audit"],
        Detectors.load(folder, about) if about else None,
    )


def load_detectors(path: Path) -> Detectors:
    """Return the detectors that an audit left in its augmenter folder.

    Raises:
        ConfigError: the folder is that of no audit, or it kept none.
    """
    learned = rundir.augmenter_folder(path)
    folder = learned if (learned / FILE).is_file() else path
    content = rundir.read_json(folder / FILE) if (folder / FILE).is_file() else {}
    known = isinstance(content, dict) and content.get("format") == FORMAT
    return Detectors.load(folder, content.get("detectors") if known else None)
