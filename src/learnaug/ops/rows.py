"""The rows of a batch: sent to the device without waiting, and cut into runs of equal keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["runs", "upload"]


def upload(numbers: NDArray[Any], device: torch.device) -> Tensor:
    """Return host numbers on the device; the host does not wait, and must not write them again.

    Nothing else in `apply` sends numbers to a device, and nothing is read back: so a GPU works on
    while the host prepares the next call.

    Args:
        numbers: any shape and type; on the CPU the tensor shares their memory.
        device: where the pictures are.

    Example:
        >>> upload(np.array([3, 1]), torch.device("cpu")).tolist()
        [3, 1]
    """
    host = torch.from_numpy(np.ascontiguousarray(numbers))
    if device.type == "cuda":  # a copy from memory that is not pinned stops the host
        return host.pin_memory().to(device, non_blocking=True)
    return host.to(device)


def runs(keys: NDArray[Any]) -> list[tuple[int, slice]]:
    """Return every stretch of equal neighbours as (key, slice).

    Args:
        keys: whole numbers, [b].

    Example:
        >>> runs(np.array([7, 7, 2]))
        [(7, slice(0, 2, None)), (2, slice(2, 3, None))]
    """
    cuts = (np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist()
    spans = zip([0, *cuts], [*cuts, len(keys)], strict=True)
    return [(int(keys[start]), slice(start, end)) for start, end in spans if end > start]
