"""Learn image data augmentation, and find out whether it helps.

>>> import learnaug
>>> data = learnaug.load("digits")
>>> len(data), data.size
(1797, (8, 8))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learnaug.api import compare as compare
    from learnaug.api import learn as learn
    from learnaug.api import resume as resume
    from learnaug.data import check as check
    from learnaug.data import load as load
    from learnaug.methods import METHODS as METHODS
    from learnaug.methods import load_augmenter as load_augmenter
    from learnaug.ops import Policy as Policy
    from learnaug.study import train as train

__version__ = "0.2.0"

# Where each public name lives. Loaded at first use, so that `import learnaug` and
# `learnaug --help` do not wait seconds for PyTorch.
_HOMES = {
    "METHODS": "learnaug.methods",
    "Policy": "learnaug.ops",
    "check": "learnaug.data",
    "compare": "learnaug.api",
    "learn": "learnaug.api",
    "load": "learnaug.data",
    "load_augmenter": "learnaug.methods",
    "resume": "learnaug.api",
    "train": "learnaug.study",
}

__all__ = [
    "METHODS",
    "Policy",
    "check",
    "compare",
    "learn",
    "load",
    "load_augmenter",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'learnaug' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
