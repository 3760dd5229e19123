"""Fixed augmentations as methods: nothing is learned, the policy is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from learnaug import ops
from learnaug.methods.augmenters import Chain, PolicyAugmenter
from learnaug.methods.base import UNNAMED, Budget, Learned, Learning, Method
from learnaug.methods.gallery import Gallery
from learnaug.ops.sets import OperationSet, operations_of
from learnaug.seeds import Seeds
from learnaug.training import Augmenter, Keep, Phase

__all__ = ["Chained", "Fixed", "Given"]

LEFT = (
    "a target that was trained along has not seen what stands behind it in the chain: it is left, "
    "and a fresh one is trained"
)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A published or plain policy: `learn` returns it as it is.

    Args:
        policy: what every picture is augmented with.
        over: the same rule over the operations that another method found; None: it has none.
        without: how many of its likeliest operations are left out (`learnaug.ops.without`).

    Raises:
        ConfigError: so many cannot be left out.
    """

    policy: ops.Policy
    over: Callable[[OperationSet], ops.Policy] | None = field(
        default=None, compare=False, metadata=UNNAMED
    )
    without: int = 0

    def __post_init__(self) -> None:
        ops.without(self.policy, self.without)

    @property
    def augmenter(self) -> PolicyAugmenter:
        """What draws from the policy, without what is left out."""
        return PolicyAugmenter(ops.without(self.policy, self.without))

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Return the given policy; costs nothing."""
        return Learned(self.augmenter)

    def config(self) -> dict[str, Any]:
        """Return the policy as plain JSON data."""
        return {"policy": self.augmenter.policy.to_json()}


@dataclass(frozen=True, slots=True)
class Chained:
    """Methods joined by `+`: each learns behind those before it, their augmenters act in order.

    The target of the last member, where it trained one, is the target of the chain. A target that
    an earlier member trained has not seen the whole chain and is left, which is said: a fresh one
    is trained. `resolve` refuses such names. A curriculum of the last member is kept, behind the
    members before it; so are the pictures of all members.

    A member that finds out which operations may be used (`Learned.operations`) hands them to the
    later members that draw from operations (`Fixed.over`) or search among them (`searched`). It is
    asked about theirs, and then does not act itself: `safe-augmentation+trivialaugment` is
    TrivialAugment with what was found safe.

    Args:
        members: the methods, in the order in which their augmenters act.
    """

    members: tuple[Method, ...]

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Let every member learn with seeds of its own and chain what they leave behind."""
        acting: tuple[Augmenter, ...] = ()
        galleries: tuple[Gallery, ...] = ()
        target, found, finder, whole = None, None, None, True
        curriculum: tuple[Phase, ...] = ()
        for i, member in enumerate(self.members):
            takers = [draws for m in self.members[i + 1 :] if (draws := _draws(m))]
            if found and finder and isinstance(member, Fixed) and member.over:
                drawn = ops.without(member.over(found), member.without)
                acting = (*acting, replace(finder, policy=drawn))
                target, curriculum = None, ()
                continue
            if found and finder and _draws(member):
                acting = (*acting, replace(finder, policy=ops.Policy((), "what may be searched")))
                member = replace(member, operations=found)  # type: ignore[type-var]
            learned = member.learn(
                replace(
                    data,
                    before=Chain(acting) if acting else data.before,
                    wanted=_wanted(takers) if takers else data.wanted,
                ),
                seeds=seeds.child("member", i),
                device=device,
                budget=budget,
                keep=keep.child(f"member-{i}"),
            )
            galleries, whole = (*galleries, *learned.galleries), whole and learned.whole
            if takers and learned.operations and isinstance(learned.augmenter, PolicyAugmenter):
                found, finder = learned.operations, learned.augmenter
                continue
            if learned.target and i + 1 < len(self.members):
                keep.say(LEFT)
            curriculum = _behind(acting, learned.curriculum)
            acting, target = (*acting, learned.augmenter), learned.target
        return Learned(Chain(acting), curriculum, target, galleries, whole=whole)

    def config(self) -> dict[str, Any]:
        """Return the configurations of the members."""
        return {"members": [member.config() for member in self.members]}


def _behind(acting: tuple[Augmenter, ...], curriculum: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """Return a curriculum behind the members that act before it."""
    return tuple(
        replace(phase, augmenter=Chain((*acting, phase.augmenter))) for phase in curriculum
    )


def _draws(member: Method) -> OperationSet | None:
    """Return the operations that a member draws from or searches among; None: it has no choice."""
    if isinstance(member, Fixed):
        return operations_of(member.policy) if member.over else None
    searched: OperationSet | None = getattr(member, "searched", None)
    return searched


def _wanted(sets: Sequence[OperationSet]) -> OperationSet:
    """Return the operations of all takers; the first one's ranges where two have the same."""
    branches = {name: branch for each in reversed(sets) for name, branch in each.branches}
    return OperationSet("+".join(each.name for each in sets), tuple(branches.items()))


@dataclass(frozen=True, slots=True)
class Given:
    """An augmenter that was learned before: `learn` returns it as it is.

    Args:
        augmenter: what `load_augmenter` read.
    """

    augmenter: Augmenter

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        """Return the given augmenter; costs nothing."""
        return Learned(self.augmenter)

    def config(self) -> dict[str, Any]:
        """Return what the augmenter says of itself."""
        return self.augmenter.describe()
