"""Randomness that is keyed, not stored: a tree of named streams hashed from one integer.

A node is its root integer and the path of names that leads to it. Two nodes with different paths
give independent streams, asking one for numbers never moves another, and nothing has to be saved
to go on after a stop: `Seeds(0).child("train", step)` is the same stream today and tomorrow.

Draws are made by NumPy's Philox with a 128-bit key and not by `torch.Generator`, because the CPU
generator of PyTorch keeps only the low 32 bits of its seed (among 10^6 streams about 116 pairs
would coincide) and because one draw on the host is the same draw for every device.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learnaug.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["Seeds"]

Name = str | int


@dataclass(frozen=True, slots=True)
class Seeds:
    """A node of the tree of random streams.

    Args:
        root: the user's seed, 0 <= root < 2**64.
        path: names from the root to this node.

    Raises:
        UsageError: root is no integer in that range.

    Example:
        >>> a = Seeds(0).child("train", 3)
        >>> a.numpy().integers(100) == Seeds(0).child("train", 3).numpy().integers(100)
        np.True_
        >>> a.integer() != Seeds(0).child("train", 4).integer()
        True
    """

    root: int
    path: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.root, bool) or not isinstance(self.root, int):
            raise UsageError(f"a seed must be an integer, but got {self.root!r}")
        if not 0 <= self.root < 2**64:
            raise UsageError(f"`0 <= seed < 2**64` must hold, but got {self.root}")

    def child(self, *names: Name) -> Seeds:
        """Return the node that these names lead to from here."""
        return Seeds(self.root, (*self.path, *names))

    def integer(self, bits: int = 63) -> int:
        """Return the node's own integer in [0, 2**bits), bits <= 256."""
        return int.from_bytes(self._digest(), "little") & ((1 << bits) - 1)

    def numpy(self) -> np.random.Generator:
        """Return a fresh NumPy generator (Philox, 128-bit key) at the start of this stream."""
        import numpy as np

        return np.random.Generator(np.random.Philox(key=self.integer(128)))

    def torch(self, device: torch.device | str = "cpu") -> torch.Generator:
        """Return a fresh PyTorch generator; on the CPU PyTorch keeps only 32 bits of the key."""
        import torch

        return torch.Generator(device=device).manual_seed(self.integer(63))

    def _digest(self) -> bytes:
        # The type tag keeps child(1) apart from child("1"), the length child("a", "b") from "ab".
        parts = [f"i{self.root}"]
        parts += [f"i{n}" if isinstance(n, int) else f"s{n}" for n in self.path]
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
