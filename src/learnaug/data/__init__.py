"""Image sets: reading them, checking them, splitting them, and batches for training."""

from __future__ import annotations

from learnaug.data.batch import Batch as Batch
from learnaug.data.batch import batches as batches
from learnaug.data.batch import make_batch as make_batch
from learnaug.data.batch import order as order
from learnaug.data.check import Report as Report
from learnaug.data.check import check as check
from learnaug.data.check import metric_for as metric_for
from learnaug.data.findings import Finding as Finding
from learnaug.data.imageset import ImageSet as ImageSet
from learnaug.data.load import load as load
from learnaug.data.load import scan as scan
from learnaug.data.render import render as render
from learnaug.data.split import Split as Split
from learnaug.data.split import repeats_needed as repeats_needed
from learnaug.data.split import split as split

__all__ = [
    "Batch",
    "Finding",
    "ImageSet",
    "Report",
    "Split",
    "batches",
    "check",
    "load",
    "make_batch",
    "metric_for",
    "order",
    "render",
    "repeats_needed",
    "scan",
    "split",
]
