"""The examples run as a user runs them, and learn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "digits.py")


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_learns(program: str, tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(FOLDER / program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"accuracy with the policy +(\d\.\d+)", done.stdout)
    assert len(found) == 1, done.stdout
    assert float(found[0]) > 0.8
    assert not list(tmp_path.iterdir())


def test_every_example_is_explained() -> None:
    words = (FOLDER / "README.md").read_text("utf-8")
    assert len(PROGRAMS) == 4
    assert [name for name in PROGRAMS if f"[{name}]({name})" not in words] == []
