"""Which device, which number format, how many threads: decided once, written into the plan."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from learnaug.errors import UsageError

__all__ = ["choose_device", "choose_precision", "cores", "threads"]


def choose_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises:
        UsageError: the device is unknown or not usable on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(
            f"device {name!r} is not known", mend="use --device auto, cpu, cuda, cuda:N or mps"
        ) from None
    if not _usable(device):
        raise UsageError(
            f"device {name!r} was asked for, but PyTorch cannot use it on this machine",
            mend="run again with --device cpu",
        )
    return device


def _usable(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def choose_precision(device: torch.device) -> str:
    """Return "bf16" where the processor computes it in hardware, else "fp32".

    Without AVX512_BF16 or AMX bfloat16 is emulated and up to hundreds of times slower than
    float32, so a processor that does not say that it has them gets float32.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type != "cpu":
        return "fp32"
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for check in checks:  # private functions of torch.cpu: absent ones count as "no"
        if getattr(torch.cpu, check, lambda: False)():
            return "bf16"
    return "fp32"


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of <malloc.h>
KEPT = 1 << 30  # bytes


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute with `number` CPU threads inside the block, and give the old number back."""
    _keep_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _keep_memory() -> None:
    """Let glibc keep what an update frees for the next one, up to 1 GiB; once a process.

    By default it hands blocks of 32 MiB and more, such as the gradients of SmallNet's dense layer,
    back to the system and takes as many fresh pages at once: a third of the time of its updates.
    """
    allocator = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if allocator:
        for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, 1 << 26)):
            allocator(option, value)
