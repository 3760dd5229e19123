"""What a found policy does, in pictures: its draws beside those of what the search began with."""

from __future__ import annotations

import numpy as np

from learnaug.data import ImageSet
from learnaug.data.batch import evenly
from learnaug.methods.gallery import SHOWN, Gallery, drawn, present, reduced
from learnaug.ops.policy import Policy
from learnaug.seeds import Seeds

__all__ = ["policy_grid"]

SOURCES, DRAWS = 4, 6  # pictures, and how often each is drawn
MASKED = 3, 3  # the same where every picture has its mask beside it


def policy_grid(
    data: ImageSet, before: Policy, found: Policy | None, seeds: Seeds
) -> tuple[Gallery, ...]:
    """Return a grid with two rows a picture: draws of the found policy, and of that before it.

    Args:
        data: the training part; () where it is empty.
        before: what the search began with.
        found: what it found; None: nothing, and `before` is shown alone.
        seeds: key the draws, which are the same numbers for both policies.
    """
    masked = data.masks is not None
    sources, draws = MASKED if masked else (SOURCES, DRAWS)
    rows = evenly(len(data), sources) if masked else present(data.labels, sources)
    if not len(rows):
        return ()
    shown = {"found": found, "before": before}
    named, images = [], []
    for number, row in enumerate(rows):
        what = f"picture {number + 1}" if masked else data.classes[data.labels[row]]
        for word, policy in shown.items():
            if policy is not None:
                keyed = seeds.child("shown", number)
                images.append(reduced(drawn(data, rows[[number]], draws, policy, keyed), SHOWN))
                named.append(f"{what}: {word}")
    heads = ["as it is", *(f"draw {i + 1}" for i in range(draws))]
    columns = [name for head in heads for name in ((head, "its mask") if masked else (head,))]
    words = (
        f"{len(rows)} training pictures, each with {draws} random draws of the found policy and, "
        "below, of the policy that the search began with. Nothing is chosen."
    )
    if found is None:
        words = (
            f"{len(rows)} training pictures, each with {draws} random draws of the policy that "
            "the search began with: it found none that chance would not have given."
        )
    return (Gallery("What the policy does", words, tuple(named), tuple(columns), np.stack(images)),)
