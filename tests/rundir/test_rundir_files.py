import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from disk_faults import FAULTS, Killed, count_calls, fail_at

from learnaug import rundir
from learnaug.errors import DataError, LearnaugError, RunError, UsageError
from learnaug.rundir.files import TEMP

OLD, NEW = b"old" * 20, b"newer" * 30


def temps(folder: Path) -> list[Path]:
    return list(folder.rglob(f"*{TEMP}"))


def test_bytes_come_back_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    rundir.write_bytes(path, NEW)
    assert rundir.read_bytes(path) == NEW
    rundir.write_bytes(path, b"")
    assert rundir.read_bytes(path) == b""
    rundir.write_text(path, "ü\udc80")
    assert path.read_text() == "ü\\udc80"
    assert not temps(tmp_path)


def test_every_step_passes_a_fault_point(tmp_path: Path) -> None:
    kinds: list[str] = []
    with rundir.injected(lambda kind, path: kinds.append(kind)):
        rundir.write_bytes(tmp_path / "new" / "a", NEW)
        rundir.remove(tmp_path / "new" / "a")
    made = ["mkdir", "fsync-folder"]
    assert kinds == [*made, "open", "write", "fsync", "rename", "fsync-folder", "unlink"]
    with rundir.injected(lambda kind, path: kinds.append(kind)):
        pass
    rundir.write_bytes(tmp_path / "b", NEW)
    assert len(kinds) == 8, "the hook must be gone after `with`"


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("old", [None, OLD])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_at_every_call_leaves_old_or_new(
    fault: str, old: bytes | None, tmp_path: Path
) -> None:
    def act(folder: Path) -> None:
        rundir.write_bytes(folder / "x.bin", NEW)

    calls = count_calls(lambda: act(tmp_path / "count"))
    assert calls > 10
    seen = set()
    for k in range(1, calls + 1):
        folder = tmp_path / str(k)
        folder.mkdir()
        path = folder / "x.bin"
        if old is not None:
            path.write_bytes(old)
        error = fail_at(k, fault, lambda folder=folder: act(folder))
        content = path.read_bytes() if path.exists() else None
        assert content in (old, NEW), f"a mixture at call {k}"
        seen.add(content)
        left = temps(folder)
        assert len(left) <= (fault == "killed"), f"left behind at call {k}: {left}"
        assert rundir.sweep(folder) == left
        assert not temps(folder)
        if error is not None and fault != "killed":
            assert isinstance(error, RunError)
            assert error.code == 74
    assert seen == {old, NEW}


def test_full_disk_says_path_needed_and_free(tmp_path: Path) -> None:
    error = fail_at(2, "full", lambda: rundir.write_bytes(tmp_path / "x.bin", bytes(1_234_567)))
    assert isinstance(error, RunError)
    assert error.code == 74
    assert "1,234,567 bytes are needed" in str(error)
    assert "bytes are free" in str(error)
    assert str(tmp_path / "x.bin") in str(error)


def test_interrupted_call_is_repeated_by_python(tmp_path: Path) -> None:
    """EINTR never reaches us (PEP 475): a signal in the middle changes nothing."""
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        with rundir.injected(lambda kind, path: os.kill(os.getpid(), signal.SIGUSR1)):
            rundir.write_bytes(tmp_path / "x", NEW)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (tmp_path / "x").read_bytes() == NEW


def test_keyboard_interrupt_cleans_up(tmp_path: Path) -> None:
    def hook(kind: str, path: Path) -> None:
        if kind == "rename":
            raise KeyboardInterrupt

    (tmp_path / "x").write_bytes(OLD)
    with rundir.injected(hook), pytest.raises(KeyboardInterrupt):
        rundir.write_bytes(tmp_path / "x", NEW)
    assert (tmp_path / "x").read_bytes() == OLD
    assert not temps(tmp_path)


def test_size_limit_of_the_system(tmp_path: Path) -> None:
    """A real refusal of the kernel in the middle of a write."""
    path = tmp_path / "x.bin"
    path.write_bytes(OLD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(RunError, match="100,000 bytes are needed") as caught:
            rundir.write_bytes(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == 74
    assert path.read_bytes() == OLD
    assert not temps(tmp_path)


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
from learnaug import rundir

path, random_ = Path(sys.argv[1]) / "x.bin", random.Random(0)
old, new = bytes(300_000), b"1" * 300_000
rundir.write_bytes(path, old)
for _ in range(25):
    child = os.fork()
    if not child:
        while True:
            rundir.write_bytes(path, new)
            rundir.write_bytes(path, old)
    time.sleep(random_.uniform(0.001, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert rundir.read_bytes(path) in (old, new)
    assert len(list(path.parent.glob(".*"))) <= 1
    rundir.sweep(path.parent)
    assert os.listdir(path.parent) == ["x.bin"]
print("whole")
"""


def test_real_kills_never_mix(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "whole\n", done.stderr


def test_a_kill_is_not_caught(tmp_path: Path) -> None:
    assert isinstance(
        fail_at(3, "killed", lambda: rundir.write_bytes(tmp_path / "x", b"1")), Killed
    )
    assert len(temps(tmp_path)) == 1


@pytest.mark.parametrize("name", ["a b", "a$(b)`c'\"", "a\nb", "ü" * 127, "x" * 255, "-rf"])
def test_odd_names_of_files(name: str, tmp_path: Path) -> None:
    rundir.write_bytes(tmp_path / name, NEW)
    assert rundir.read_bytes(tmp_path / name) == NEW


def test_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "x", tmp_path / ("n" * 300)):
        with pytest.raises(RunError) as caught:
            rundir.write_bytes(path, b"")
        assert caught.value.code == 73
    with pytest.raises(RunError, match="but is a file"):
        rundir.make_folder(tmp_path / "file")


def test_read_refuses_what_is_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "big").write_bytes(bytes(101))
    cases = {
        "pipe": "regular file",
        ".": "cannot be read|regular file",
        "big": "at most 100",
        "none": "does not exist",
    }
    for name, words in cases.items():
        with pytest.raises(DataError, match=words) as caught:
            rundir.read_bytes(tmp_path / name, limit=100)
        assert caught.value.code == (66 if name == "none" else 65)


def test_nul_in_a_name_is_an_error_of_ours() -> None:
    with pytest.raises(DataError):
        rundir.read_bytes("a\0b")


def test_remove_takes_a_missing_file_and_reports_others(tmp_path: Path) -> None:
    rundir.remove(tmp_path / "none")
    with pytest.raises(LearnaugError):
        rundir.remove(tmp_path)
    assert tmp_path.is_dir()


def test_free_space_is_checked_before_the_start(tmp_path: Path) -> None:
    out = tmp_path / "not" / "yet"
    rundir.free_space_check(out, 1)
    with pytest.raises(RunError, match="bytes are free") as caught:
        rundir.free_space_check(out, 10**18)
    assert caught.value.code == 74
    assert not out.exists()


def test_check_writable_makes_the_folder_and_leaves_nothing(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "data-out" / "run"
    data.mkdir()
    rundir.check_writable(out, data)
    assert list(out.iterdir()) == []
    rundir.check_writable(out)


@pytest.mark.parametrize("out", ["data", "data/runs/1", "other/../data", "link/run"])
def test_run_folder_in_the_data_is_refused(out: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to("data")
    with pytest.raises(UsageError, match="outside the data folder"):
        rundir.check_writable(tmp_path / out, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_read_only_disk_is_named(tmp_path: Path) -> None:
    def hook(kind: str, path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with rundir.injected(hook), pytest.raises(RunError, match="Read-only") as caught:
        rundir.check_writable(tmp_path / "run")
    assert caught.value.code == 73


def test_nothing_is_opened_outside_the_folder(tmp_path: Path) -> None:
    """Audit of one of each write: the temporary file is a sibling (A7)."""
    code = """
import sys
folder, watching, outside = sys.argv[1], False, []
def audit(event, args):
    if watching and event in ("open", "os.rename", "os.remove", "os.mkdir"):
        writes = event != "open" or (args[2] or 0) & 3
        if writes and not str(args[0]).startswith(folder):
            outside.append((event, args))
from learnaug import rundir
import numpy as np
sys.addaudithook(audit)
watching = True
with rundir.lock(folder):
    rundir.write_json(folder + "/a.json", {"a": 1})
    rundir.append_record(folder + "/l.jsonl", {"a": 1})
    rundir.write_arrays(folder + "/a.npz", a=np.ones(3))
watching = False
print(outside)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.npz", "l.jsonl", "lock"]


def test_a_folder_is_removed_with_the_folders_in_it(tmp_path: Path) -> None:
    """A chain's members keep checkpoints of their own inside the folder of the run."""
    folder, outside = tmp_path / "checkpoint", tmp_path / "outside"
    rundir.write_text(folder / "member-0" / "a.safetensors", "x")
    rundir.write_text(outside / "kept", "x")
    (folder / "link").symlink_to(outside)
    rundir.remove_folder(folder)
    rundir.remove_folder(folder)
    assert not folder.exists()
    assert (outside / "kept").is_file()
