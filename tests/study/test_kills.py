"""kill -9 at any moment, resume, and every bit is as if nothing had happened (TRUST A1, A2)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from learnaug import rundir, study
from learnaug.seeds import Seeds

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an uninterrupted comparison leaves."""
    out = tmp_path_factory.mktemp("kills") / "whole"
    tiny.compare(out)
    return tiny.canonical(out)


def points(tmp: Path) -> int:
    """Return the number of disk calls of one comparison."""
    count = 0

    def hook(kind: str, path: Path) -> None:
        nonlocal count
        count += 1

    with rundir.injected(hook):
        tiny.compare(tmp / "counted")
    return count


def killed_at(k: int, out: Path) -> None:
    """Run the comparison until its disk call number k, where it ends without a clean-up."""
    count = 0

    def hook(kind: str, path: Path) -> None:
        nonlocal count
        count += 1
        if count >= k:
            raise Killed

    with rundir.injected(hook), pytest.raises(Killed):
        tiny.compare(out)


def finish(out: Path) -> dict[str, str]:
    """Give the folder to a fresh call, as the user would."""
    tiny.compare(out)
    leftover = list(out.rglob("*.tmp"))
    assert not leftover
    return tiny.canonical(out)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.37, 0.5, 0.63, 0.8, 0.97])
def test_killed_at_a_disk_call(share: float, tmp_path: Path, expected: dict[str, str]) -> None:
    killed_at(max(1, round(share * points(tmp_path))), tmp_path / "out")
    assert finish(tmp_path / "out") == expected


@pytest.mark.slow
def test_killed_at_every_seventh_disk_call(tmp_path: Path, expected: dict[str, str]) -> None:
    for k in range(1, points(tmp_path), 7):
        out = tmp_path / f"out-{k}"
        killed_at(k, out)
        assert finish(out) == expected, f"killed at disk call {k}"


def start(out: Path, jobs: int) -> subprocess.Popen[bytes]:
    """Start the tiny comparison in a process group of its own."""
    command = [sys.executable, tiny.__file__, str(out), str(jobs)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes], after: float, out: Path) -> int:
    """SIGKILL the process `after` seconds from its plan on; return its status."""
    began = time.monotonic()
    while not rundir.plan_path(out).is_file() and process.poll() is None:
        assert time.monotonic() - began < 60
        time.sleep(0.005)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait()


@pytest.mark.parametrize("jobs", [1, 2])
def test_kill_9_and_resume(jobs: int, tmp_path: Path, expected: dict[str, str]) -> None:
    out = tmp_path / "out"
    assert kill(start(out, jobs), 0.4, out) in (-9, 0)
    study.resume(out, jobs=jobs)
    assert tiny.canonical(out) == expected


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """No process of a killed comparison lives on (TRUST A9)."""
    process = start(tmp_path / "out", 2)
    kill(process, 4.0, tmp_path / "out")
    marker = str(tmp_path / "out").encode()
    for _ in range(150):
        alive = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and marker in _command(entry)
        ]
        if not alive:
            break
        time.sleep(0.1)
    assert not alive, f"still alive 15 s after the parent: {alive}, of {os.getpid()}"


def _command(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
def test_fifty_kills_fifty_identical_results(tmp_path: Path, expected: dict[str, str]) -> None:
    gen = Seeds(1).child("fifty kills").numpy()
    same = 0
    for number in range(50):
        out = tmp_path / f"out-{number}"
        for _ in range(int(gen.integers(1, 4))):  # some runs are killed more than once
            kill(start(out, 1 + number % 2), float(gen.uniform(0, 2.5)), out)
        study.resume(out)
        same += tiny.canonical(out) == expected
    assert same == 50
