"""Policy files of strangers are refused in words, in a second, and do nothing (TRUST D2-D4)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import hostile_policies
import pytest


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What one process said of every file of the corpus."""
    folder = tmp_path_factory.mktemp("hostile")
    good = folder / "good.json"
    good.write_bytes(hostile_policies.text(hostile_policies.GOOD))
    paths = hostile_policies.write(folder)
    assert len(paths) >= 60
    before = sorted(folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, hostile_policies.__file__], input=json.dumps([paths, str(good)]),
        capture_output=True, text=True, timeout=90, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(folder.rglob("*")) == before
    return json.loads(done.stdout)


def test_each_is_refused_in_words(told):
    wrong = [entry[:3] for entry in told["found"] if not entry[2].startswith("refused: ")]
    assert not wrong


def test_each_message_is_short(told):
    assert all(len(end) < 5000 for _, _, end, _, _ in told["found"])


def test_none_hangs(told):
    # At most a second of processor time on a quiet machine; a busy one is given five.
    slow = [(Path(path).name, door, cost) for path, door, _, cost, _ in told["found"] if cost > 5]
    assert not slow


def test_all_together_take_at_most_200_mb(told):
    assert told["grown"] <= 200e6


def test_none_does_anything(told):
    assert not [(path, door, seen) for path, door, _, _, seen in told["found"] if seen]
    assert not Path("/tmp/learnaug-was-here").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pickle-4", "a pickle"),
        ("torch-save", "torch.save"),
        ("twice", "appears twice"),
        ("op--eval-", "unknown operation 'eval'"),
        ("op--ROTATE-", "did you mean rotate?"),
        ("low-181", "-180 <= rotate <= 180"),
        ("unit--radians-", 'measured in "degrees"'),
        ("version-3", "needs a later learnaug"),
        ("target", "unknown key '_target_'"),
        ("fifo", "must be a regular file"),
        ("sparse", "1,073,741,824 bytes"),
        ("10-6-branches", "brackets"),
        ("900-000-branches", "at most 2,000 entries"),
    ],
)
def test_messages_name_the_fault(told, name, words):
    ends = [
        end
        for path, door, end, _, _ in told["found"]
        if door == "load" and Path(path).stem.removesuffix(".json")[-len(name) :] == name
    ]
    assert ends
    assert any(words in end for end in ends), ends


def test_the_watch_sees_what_is_done(tmp_path):
    seen: list[str] = []
    hook = hostile_policies.watch(seen)
    hook("open", (str(tmp_path / "a"), "w", 0))
    hook("open", (str(tmp_path / "a"), "r", 0))
    hook("os.system", ("id",))
    hook("pickle.find_class", ("os", "system"))
    assert [line.split()[0] for line in seen] == ["open", "os.system", "pickle.find_class"]
