"""Policies at home in other libraries: live adapters, each loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learnaug.interop.batches import as_batch_transform as as_batch_transform
    from learnaug.interop.batches import as_collate as as_collate
    from learnaug.interop.exports.generate import export as export
    from learnaug.interop.huggingface import as_hf_transform as as_hf_transform
    from learnaug.interop.lightning import as_callback as as_callback
    from learnaug.interop.torchvision import as_transform as as_transform

# Where each public name lives, loaded at first use: most programs have only one of the libraries.
_HOMES = {
    "as_batch_transform": "learnaug.interop.batches",
    "as_callback": "learnaug.interop.lightning",
    "as_collate": "learnaug.interop.batches",
    "as_hf_transform": "learnaug.interop.huggingface",
    "as_transform": "learnaug.interop.torchvision",
    "export": "learnaug.interop.exports.generate",
}

__all__ = [
    "as_batch_transform",
    "as_callback",
    "as_collate",
    "as_hf_transform",
    "as_transform",
    "export",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'learnaug.interop' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
