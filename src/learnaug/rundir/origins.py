"""Where a result came from, without saying whose machine it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learnaug.rundir.clock import now_utc

__all__ = ["origin", "versions"]

PACKAGES = ("learnaug", "torch", "torchvision", "numpy", "scipy", "Pillow")
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")  # change numbers
# A place that starts at the root, at home or at a drive, alone or after "=": its last name stays.
ABSOLUTE = re.compile(r"(^|=)(?:~[^\\/]*|[A-Za-z]:)?[\\/](?:.*[\\/])?([^\\/]+)[\\/]*$", re.DOTALL)


def origin(command: Sequence[str] = ()) -> dict[str, Any]:
    """Return versions, platform, processor, threads, command and source state of a run.

    There is no user name, no host and no absolute path in it.

    Args:
        command: the command line; of an absolute path only the last name is kept.
    """
    return {
        "at": now_utc(),
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": _threads(),
        "command": [ABSOLUTE.sub(r"\1\2", word) for word in command],
        "source": _source(),
    }


def versions() -> dict[str, str]:
    """Return the version of Python and of each package that numbers depend on, unimported."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> dict[str, Any]:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return {"model": platform.processor(), "flags": []}
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    there = set(flags[1].split()) if flags else set()
    return {"model": model[1] if model else "", "flags": [f for f in FLAGS if f in there]}


def _threads() -> dict[str, int | None]:
    torch = sys.modules.get("torch")  # asked only where it is loaded anyway
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "processors": os.cpu_count(),
        "usable": usable,
        "torch": torch.get_num_threads() if torch else None,
    }


def _source() -> dict[str, Any] | None:
    """Return commit and dirtiness of the package's own repository; None where there is none."""
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None  # installed inside somebody else's repository, or in none
    changed = _git(here.parent.parent, "status", "--porcelain", "--", ".")
    return {"commit": _git(here.parent, "rev-parse", "HEAD"), "changed": bool(changed)}


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
