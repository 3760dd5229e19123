"""A fixed policy in a part of the training only: early or late, with nothing before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from learnaug import ops
from learnaug.errors import ConfigError, nearest
from learnaug.methods.augmenters import PLAIN, PolicyAugmenter
from learnaug.methods.base import UNNAMED, Budget, Learned, Learning
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase

__all__ = ["Timed"]


@dataclass(frozen=True, slots=True)
class Timed:
    """A fixed policy from one share of the updates to another; outside, pictures stay as they are.

    Args:
        known: gives the fixed policies by their names.
        policy: a name of `known`.
        begin, end: shares of the updates of a training, 0 <= begin < end <= 1.

    Raises:
        ConfigError: one or more settings are not allowed (all are named).
    """

    known: Callable[[], Mapping[str, ops.Policy]] = field(compare=False, metadata=UNNAMED)
    policy: str = "autoaugment"
    begin: float = 0.5
    end: float = 1.0

    def __post_init__(self) -> None:
        faults = []
        names = tuple(self.known())
        if self.policy not in names:
            hint = nearest(self.policy, names)
            faults.append(f"policy {self.policy!r} is no fixed policy; {hint}")
        if not 0 <= self.begin < self.end <= 1:
            got = f"begin = {self.begin:g} and end = {self.end:g}"
            faults.append(f"`0 <= begin < end <= 1` must hold, but got {got}")
        if faults:
            raise ConfigError("the settings of timed break their rules", faults)

    @property
    def augmenter(self) -> PolicyAugmenter:
        """What augments while it is time: when that is, only a training knows."""
        return PolicyAugmenter(self.known()[self.policy])

    @property
    def curriculum(self) -> tuple[Phase, ...]:
        """The phases of a training: before, with the policy, after; without those of no length."""
        own = self.augmenter
        parts = ((PLAIN, self.begin), (own, self.end - self.begin), (PLAIN, 1 - self.end))
        return tuple(Phase(augmenter, share) for augmenter, share in parts if share > 0)

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Return the policy and when it acts; costs nothing."""
        return Learned(self.augmenter, self.curriculum)

    def config(self) -> dict[str, Any]:
        """Return the settings and the policy as plain JSON data."""
        own = {"begin": self.begin, "end": self.end}
        return own | {"policy": self.augmenter.policy.to_json()}
