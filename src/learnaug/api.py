"""The public functions that end with a report: the study below, the page on top."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

from learnaug import report, study
from learnaug.study import Comparison, Lesson, Trained

__all__ = ["compare", "learn", "resume"]


@wraps(study.compare)
def compare(data: Any, *args: Any, **options: Any) -> Comparison:
    """Compare augmentations and write report.html; see `learnaug.study.compare`."""
    found = study.compare(data, *args, **options)
    report.build(found.out)
    return found


@wraps(study.learn)
def learn(data: Any, method: str, **options: Any) -> Lesson:
    """Learn an augmentation and show it in pictures.html; see `learnaug.study.learn`."""
    lesson = study.learn(data, method, **options)
    _show(lesson)
    return lesson


@wraps(study.resume)
def resume(out: str | Path, **options: Any) -> Comparison | Trained | Lesson:
    """Go on with a stopped comparison, training or learning; see `learnaug.study.resume`."""
    found = study.resume(out, **options)
    if isinstance(found, Comparison):
        report.build(found.out)
    if isinstance(found, Lesson):
        _show(found)
    return found


def _show(lesson: Lesson) -> None:
    name = Path(lesson.source).name or lesson.source
    audit, search = report.audit_in(lesson.folder), report.search_in(lesson.folder)
    report.write_pictures(lesson.pictures, lesson.method, name, lesson.galleries, audit, search)
