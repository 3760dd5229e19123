"""Which methods may stand in front of which in a chain."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from learnaug.errors import UsageError
from learnaug.methods.augmenters import require_unmixed
from learnaug.methods.base import Method
from learnaug.methods.dagan import DAGAN
from learnaug.methods.fixed import Fixed
from learnaug.methods.merge import ClassMixup, MeanOfK, SmartAugmentation
from learnaug.methods.settings import parted
from learnaug.methods.style import StyleStatistics, StyleTransfer
from learnaug.methods.timed import Timed

__all__ = ["require_order"]

MERGING = (SmartAugmentation, MeanOfK, ClassMixup)
GENERATING = (DAGAN, StyleTransfer, StyleStatistics)


def require_order(names: Sequence[str], parts: Sequence[Method], known: Collection[str]) -> None:
    """Refuse a chain that cannot do what it says, before anything runs.

    Args:
        names: of the members, with their settings.
        parts: the members.
        known: names of all methods, of which one may be advised.

    Raises:
        UsageError: something stands behind a method that trains its target along or that acts at
            its time, or mixes classes in front of one that works within a class.
    """
    _require_joint_last(names, parts, known)
    _require_timed_last(names, parts)
    for kinds, what in ((MERGING, "a merge"), (GENERATING, "a generator")):
        last = max(
            (place for place, part in enumerate(parts) if isinstance(part, kinds)), default=0
        )
        for part in parts[:last]:
            if isinstance(part, Fixed):
                require_unmixed(part.augmenter, what)


def _require_joint_last(
    names: Sequence[str], parts: Sequence[Method], known: Collection[str]
) -> None:
    """Refuse a target that is trained along where more augmentation stands behind it.

    Such a target has not seen the whole chain: nothing of it could be the chain's result.
    """
    for place, part in enumerate(names[:-1]):
        method = parts[place]
        if not (isinstance(method, SmartAugmentation) and method.joint):
            continue
        row, settings = parted(part)
        frozen = row + "-frozen"
        other = f"{frozen}:{settings}" if settings else frozen
        if frozen not in known:
            other = f"{row}:{settings + ',' if settings else ''}joint=false"
        whole = "+".join([*names[:place], other, *names[place + 1 :]])
        behind = "+".join(names[place + 1 :])
        raise UsageError(
            f"{part!r} trains its target along, and that target would never see {behind!r}, which "
            "stands behind it",
            mend=f"{whole} trains a fresh target with all of the chain",
        )


def _require_timed_last(names: Sequence[str], parts: Sequence[Method]) -> None:
    """Refuse what stands behind a timed policy: a chain keeps the times of its last member only."""
    for place, part in enumerate(parts[:-1]):
        if isinstance(part, Timed):
            front = "+".join([*names[:place], *names[place + 1 :], names[place]])
            raise UsageError(
                f"{names[place]!r} must be the last of a chain, which keeps the times of no other",
                mend=f"{front} has it last",
            )
