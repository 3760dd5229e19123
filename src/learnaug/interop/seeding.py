"""Seeds in other libraries' pipelines: from PyTorch's generator, which they seed per worker."""

from __future__ import annotations

import torch

from learnaug.seeds import Seeds

__all__ = ["next_seeds"]


def next_seeds() -> Seeds:
    """Return a node whose root is 63 fresh bits of PyTorch's default CPU generator.

    A DataLoader gives that generator another seed in each worker and each epoch, and
    `torch.manual_seed` makes all of it repeatable.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> a, b = next_seeds(), next_seeds()
        >>> _ = torch.manual_seed(0)
        >>> (next_seeds(), next_seeds()) == (a, b), a == b
        (True, False)
    """
    return Seeds(int(torch.randint(2**63 - 1, ())))
