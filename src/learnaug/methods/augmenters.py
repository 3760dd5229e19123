"""Augmenters that need no weights: a policy, and a chain of augmenters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from learnaug import ops, rundir
from learnaug.data import Batch, ImageSet
from learnaug.errors import UsageError
from learnaug.methods import use
from learnaug.seeds import Seeds
from learnaug.training import Augmenter

__all__ = [
    "FILE", "PLAIN", "Chain", "PolicyAugmenter", "policy_of", "refusal", "require_unmixed",
    "traced",
]  # fmt: skip

FILE = "augmenter.json"
MIXING_BEHIND = {  # what works within a class: chains that mix classes behind it
    "a merge": "smart-augmentation-frozen+mixup, mean-of-k+mixup",
    "a generator": "dagan+mixup",
}


@dataclass(frozen=True, slots=True)
class PolicyAugmenter:
    """Augments every picture by its own draw from a policy.

    Args:
        policy: frozen data, see `learnaug.Policy`.

    Example:
        >>> import numpy as np
        >>> from learnaug.ops import spaces
        >>> pictures = np.zeros((2, 8, 8, 3), np.uint8)
        >>> images, labels = PolicyAugmenter(spaces.flip_crop()).apply(pictures, [0, 1], seed=0)
        >>> images.shape, list(labels)
        ((2, 8, 8, 3), [0, 1])
    """

    policy: ops.Policy

    def __repr__(self) -> str:
        return f"PolicyAugmenter({self.policy.name!r})"

    @property
    def mixes(self) -> bool:
        """Whether the policy mixes pictures."""
        return self.policy.mixes

    @property
    def by_class(self) -> bool:
        """Whether the policy has weights per class."""
        return self.policy.by_class

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the batch with every picture augmented and targets mixed where the policy does."""
        return self.traced(batch, seeds)[0]

    def traced(self, batch: Batch, seeds: Seeds) -> tuple[Batch, ops.Drawn]:
        """Return what a call returns, and what was drawn for it."""
        height, width = batch.images.shape[2:]
        if batch.targets.ndim == 3 and (why := refusal(self)):
            raise UsageError(why)
        # Read back only where it is needed: a GPU would have to be waited for.
        labels = batch.targets.argmax(1).cpu().numpy() if self.by_class else None
        drawn = ops.draw(
            self.policy, len(batch.images), seeds.numpy(), size=(height, width), labels=labels
        )
        images = ops.apply(batch.images, drawn)
        change = ops.mix_targets if batch.targets.ndim == 2 else ops.apply_masks
        return replace(batch, images=images, targets=change(batch.targets, drawn)), drawn

    def describe(self) -> dict[str, Any]:
        """Return the kind, the name and one line of words per stage and operation."""
        return {"kind": "policy", "name": self.policy.name, "lines": ops.describe(self.policy)}

    def save(self, folder: Path) -> None:
        """Write the policy file as augmenter.json."""
        rundir.write_json(folder / FILE, self.policy.to_json())

    def apply(
        self, images: Any, labels: Any = None, *, seed: int, classes: int | None = None
    ) -> Any:
        """Augment loose images and labels; see `learnaug.methods.use.apply`."""
        return use.apply(self, images, labels, seed=seed, classes=classes)


PLAIN = PolicyAugmenter(ops.Policy((), "none"))  # leaves pictures as they are


@dataclass(frozen=True, slots=True)
class Chain:
    """Augmenters one after another, each with random numbers of its own.

    Args:
        members: in the order in which they act.
    """

    members: tuple[Augmenter, ...]

    @property
    def mixes(self) -> bool:
        """Whether any member mixes pictures."""
        return any(member.mixes for member in self.members)

    @property
    def by_class(self) -> bool:
        """Whether any member depends on the class."""
        return any(member.by_class for member in self.members)

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        """Return the batch after every member."""
        return traced(self, batch, source, seeds)[0]

    def describe(self) -> dict[str, Any]:
        """Return the descriptions of the members, in order."""
        return {"kind": "chain", "members": [m.describe() for m in self.members]}

    def save(self, folder: Path) -> None:
        """Write each member into a folder of its own, and augmenter.json that lists them."""
        names = [f"{i}" for i in range(len(self.members))]
        for name, member in zip(names, self.members, strict=True):
            member.save(folder / name)
        chain = {"format": "learnaug-chain", "version": 1, "members": names}
        rundir.write_json(folder / FILE, chain)

    def apply(
        self, images: Any, labels: Any = None, *, seed: int, classes: int | None = None
    ) -> Any:
        """Augment loose images and labels; see `learnaug.methods.use.apply`."""
        return use.apply(self, images, labels, seed=seed, classes=classes)


def policy_of(augmenter: Augmenter) -> ops.Policy | None:
    """Return the one policy that does what the augmenter does; None where it is more than that."""
    if isinstance(augmenter, PolicyAugmenter):
        return augmenter.policy
    if not isinstance(augmenter, Chain):
        return None
    parts = [policy for member in augmenter.members if (policy := policy_of(member))]
    return reduce(ops.Policy.then, parts) if len(parts) == len(augmenter.members) else None


def refusal(augmenter: Augmenter) -> str:
    """Return why an augmenter cannot be used on images with masks; "" where it can."""
    if isinstance(augmenter, Chain):
        return next((why for member in augmenter.members if (why := refusal(member))), "")
    policy = policy_of(augmenter)
    if policy and any(element.op == "mixup" for element in policy.elements()):
        return "mixup cannot be used with masks: use cutmix, whose pixels stay whole"
    if augmenter.by_class:
        return "what it does depends on the class of a picture, but masks hold several"
    return ""


def traced(
    augmenter: Augmenter, batch: Batch, source: ImageSet | None, seeds: Seeds
) -> tuple[Batch, tuple[ops.Drawn, ...]]:
    """Return what the augmenter returns, and each policy's draws in the order in which they act.

    What is no policy and no chain has no draws to tell.
    """
    if isinstance(augmenter, PolicyAugmenter):
        after, drawn = augmenter.traced(batch, seeds)
        return after, (drawn,)
    if not isinstance(augmenter, Chain):
        return augmenter(batch, source, seeds), ()
    told: tuple[ops.Drawn, ...] = ()
    for index, member in enumerate(augmenter.members):
        if index and hasattr(member, "behind"):
            # What draws further pictures from the source augments them as this batch was.
            member = member.behind(Chain(augmenter.members[:index]))
        batch, more = traced(member, batch, source, seeds.child("chain", index))
        told += more
    return batch, told


def require_unmixed(before: Augmenter, what: str) -> None:
    """Refuse what mixes classes in front of what works within a class.

    Args:
        before: stands in front.
        what: works within a class: "a merge", "a generator".

    Raises:
        UsageError: `before` mixes pictures.
    """
    if before.mixes:
        raise UsageError(
            f"what stands before {what} must not mix pictures of different classes",
            mend=f"put mixup or cutmix behind it: {MIXING_BEHIND[what]}",
        )
