"""The one place that touches PyTorch's own generators, and that puts them back.

Layers draw their first weights, and dropout its masks, from PyTorch's default generators: no
argument reaches them. So we set these generators from a `Seeds` node for the time of a block and
restore them afterwards. `forked` is the outer fence (once a run), `reseed` is cheap enough for
every training step (about 5 µs on a CPU, most of it the hash of the key), `keyed` is both, and
`uniform` is what layers of our own draw with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from learnaug.seeds import Seeds

__all__ = ["chances", "forked", "keyed", "reseed", "uniform"]


@contextmanager
def forked(device: torch.device | str = "cpu") -> Iterator[None]:
    """Restore PyTorch's default generators (CPU, and CUDA's for such a device) on leaving.

    Example:
        >>> before = torch.get_rng_state()
        >>> with forked():
        ...     reseed(Seeds(0))
        >>> torch.equal(before, torch.get_rng_state())
        True
    """
    with torch.random.fork_rng(devices=[i for i in [_cuda_index(device)] if i is not None]):
        yield


def reseed(seeds: Seeds, device: torch.device | str = "cpu") -> None:
    """Set the default generators of the CPU and of `device` to the start of the node's stream.

    Call it inside `forked`. PyTorch's CPU generator keeps the low 32 bits of the key: enough here,
    where each stream feeds one step or one net and two equal streams do no harm.
    """
    key = seeds.integer(63)
    # Not torch.manual_seed: it also walks over every other device's module, 80 times as slow.
    torch.default_generator.manual_seed(key)
    index = _cuda_index(device)
    if index is not None:
        torch.cuda.default_generators[index].manual_seed(key)


@contextmanager
def keyed(seeds: Seeds, device: torch.device | str = "cpu") -> Iterator[None]:
    """Run a block whose default generators start at this node; restore them on leaving.

    Example:
        >>> with keyed(Seeds(0).child("init")):
        ...     a = torch.rand(2)
        >>> with keyed(Seeds(0).child("init")):
        ...     b = torch.rand(2)
        >>> torch.equal(a, b)
        True
    """
    with forked(device):
        reseed(seeds, device)
        yield


def uniform(*shape: int) -> Tensor:
    """Return numbers from U[0, 1), float32 on the CPU, from the generator that `reseed` sets.

    For layers that are random in training, as dropout is. On the host, so that a run on a GPU
    draws the same numbers.

    Args:
        shape: of the result.

    Example:
        >>> with keyed(Seeds(0)):
        ...     uniform(2, 3).shape
        torch.Size([2, 3])
    """
    return torch.rand(*shape, generator=torch.default_generator)


def chances(p: float, *shape: int) -> Tensor:
    """Return which of independent events of probability p come true, from `reseed`'s generator.

    Eight events share one draw of 64 bits, so p is rounded to 1/256; 20 times as fast as PyTorch's
    own draw of each event.

    Args:
        p: 0 <= p <= 1.
        shape: of the result, bool on the CPU.

    Example:
        >>> with keyed(Seeds(0)):
        ...     bool((chances(0.25, 100_000).float().mean() - 0.25).abs() < 0.01)
        True
    """
    number = math.prod(shape)
    drawn = torch.empty(-(-number // 8), dtype=torch.int64)
    drawn.random_(-(2**63), None, generator=torch.default_generator)
    if (threshold := round(256 * p)) >= 256:
        return torch.ones(shape, dtype=torch.bool)
    return (drawn.view(torch.uint8)[:number] < threshold).view(shape)


def _cuda_index(device: torch.device | str) -> int | None:
    place = torch.device(device)
    if place.type != "cuda":
        return None
    torch.cuda.init()  # type: ignore[no-untyped-call]
    index: int | None = place.index  # "cuda" alone has none, though PyTorch's types say int
    return torch.cuda.current_device() if index is None else index
