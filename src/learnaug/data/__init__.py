"""Image sets: reading them, checking them, splitting them, and batches for training."""

from __future__ import annotations

from learnaug.data.findings import Finding as Finding
from learnaug.data.imageset import ImageSet as ImageSet
from learnaug.data.load import load as load
from learnaug.data.load import scan as scan

__all__ = ["Finding", "ImageSet", "load", "scan"]
