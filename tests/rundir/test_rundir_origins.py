import getpass
import json
import os
import re
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from learnaug import rundir
from learnaug.rundir import origins


def test_versions_are_those_installed() -> None:
    found = rundir.versions()
    assert found["numpy"] == np.__version__
    assert torch.__version__.startswith(found["torch"])
    assert found["learnaug"][0].isdigit()
    assert next(iter(found)) == "python"


def test_origin_names_no_person_host_or_absolute_path(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ["/home/jane/photos", "--out=/mnt/jane/run 1/", "~jane/x", "C:\\Users\\jane\\y"]
    found = rundir.origin(["learnaug", "compare", *secrets, "runs/a", "--seed=3"])
    text = json.dumps(found)
    assert "jane" not in text
    assert socket.gethostname() not in found["platform"]
    words = [word for word in re.split(r'[" ]', text) if word.startswith("/")]
    assert words == []
    assert getpass.getuser() not in text.split('"')
    named = ["photos", "--out=run 1", "x", "y"]
    assert found["command"] == ["learnaug", "compare", *named, "runs/a", "--seed=3"]
    assert found["threads"]["processors"] == os.cpu_count()
    assert found["threads"]["torch"] == torch.get_num_threads()
    assert isinstance(found["processor"]["model"], str)


def test_origin_can_be_saved(tmp_path: Path) -> None:
    found = rundir.origin(["learnaug"])
    rundir.write_json(tmp_path / "origin.json", found)
    assert rundir.read_json(tmp_path / "origin.json") == found


def test_without_git_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert rundir.origin()["source"] is None


def test_a_foreign_repository_around_the_package_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "origins.py").write_text("")
    monkeypatch.setattr(origins, "__file__", str(tmp_path / "origins.py"))
    assert rundir.origin()["source"] is None


def test_the_source_is_the_commit_where_there_is_one() -> None:
    repo = Path(origins.__file__).parents[3]
    head = subprocess.run(
        ["git", "-C", str(repo), "rev-parse", "HEAD"], capture_output=True, text=True
    )
    source = rundir.origin()["source"]
    if head.returncode or source is None:
        pytest.skip("not run from a repository")
    assert source["commit"] == head.stdout.strip()
    assert isinstance(source["changed"], bool)


def test_stamps_are_utc_with_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        stamp = rundir.now_utc()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert stamp.endswith("+00:00")
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(seconds=5)


def test_durations_ignore_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    elapsed, start = rundir.stopwatch(), rundir.seconds()
    monkeypatch.setattr(time, "time", lambda: 0.0)  # the clock was set back to 1970
    rundir.sleep(0.02)
    assert 0.02 <= elapsed() < 5
    assert 0.02 <= rundir.seconds() - start < 5
