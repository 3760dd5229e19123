"""Policies that were found by us and ship with the package, each with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from learnaug import ops
from learnaug.errors import ConfigError, UsageError, nearest
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.base import Budget, Learned, Learning
from learnaug.seeds import Seeds
from learnaug.training import Keep

__all__ = ["FOLDER", "NEEDED", "Published", "published_names", "published_policy"]

FOLDER = Path(str(resources.files("learnaug.methods") / "policies"))
NEEDED = {
    "made_from": ("method", "trainings", "commit", "score", "baseline_score"),
    "trained_on": ("data", "pictures", "net"),
    "evidence": ("metric", "part", "baseline", "difference", "interval", "pairs"),
}


@dataclass(frozen=True, slots=True)
class Published:
    """A policy that ships with the package.

    Args:
        name: one of `published_names()`; "" names none, and nothing can be done with it.
        without: how many of its likeliest operations are left out (`learnaug.ops.without`).

    Raises:
        UsageError: there is no policy of this name.
        ConfigError: its file is damaged or without evidence, or so many cannot be left out.
    """

    name: str = ""
    without: int = 0

    def __post_init__(self) -> None:
        if self.name or self.without:
            self.require()

    def require(self) -> ops.Policy:
        """Return the policy that is used.

        Raises:
            UsageError, ConfigError: as said of the class.
        """
        return ops.without(published_policy(self.name), self.without)

    @property
    def augmenter(self) -> PolicyAugmenter:
        """What draws from the policy, without what is left out."""
        return PolicyAugmenter(self.require())

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Return the policy; costs nothing."""
        return Learned(self.augmenter)

    def config(self) -> dict[str, Any]:
        """Return the policy, with its evidence, as plain JSON data."""
        return {"name": self.name, "without": self.without, "policy": self.require().to_json()}


def published_names() -> tuple[str, ...]:
    """Return the names of the policies that ship with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def published_policy(name: str) -> ops.Policy:
    """Return the policy of a name.

    Raises:
        UsageError: there is none of this name; all names are said.
        ConfigError: its file is damaged, or does not tell what speaks for the policy.
    """
    names = published_names()
    if name not in names:
        known = nearest(name, names) if names else "there is none in this version"
        what = f"no published policy is named {name!r}" if name else "no published policy is named"
        raise UsageError(
            what,
            [known],
            f"published:name={names[0]}" if names else "`learnaug methods` lists what there is",
        )
    policy = ops.Policy.load(FOLDER / f"{name}.json")
    missing = [
        f"{field}.{key}"
        for field, keys in NEEDED.items()
        for key in keys
        if key not in getattr(policy, field)
    ]
    if missing:
        raise ConfigError(f"the published policy {name!r} must tell its evidence", missing)
    return policy
