import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from learnaug import rundir
from learnaug.errors import RunError

HOLD = """
import sys, time
from learnaug import rundir
with rundir.lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""

FORK = """
import os, sys, time
from learnaug import rundir
with rundir.lock(sys.argv[1]):
    print("held", flush=True)
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""

RACE = """
import os, sys, time
from learnaug import rundir
from learnaug.errors import RunError
folder = sys.argv[1]
go, back = os.pipe(), os.pipe()
for _ in range(8):
    if os.fork() == 0:
        os.close(go[1])
        os.read(go[0], 1)  # all start when the parent closes its end
        try:
            with rundir.lock(folder):
                os.write(back[1], b"W")
                time.sleep(1.5)  # longer than a starter waits
        except RunError as error:
            named = "unknown" not in error.what
            os.write(back[1], b"L" if error.code == 75 and named else b"E")
        os._exit(0)
os.close(go[1])
for _ in range(8):
    os.wait()
print("".join(sorted(os.read(back[0], 99).decode())))
"""


def hold(folder: Path, code: str = HOLD) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_second_process_is_refused_soon_and_told_who(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        start = time.monotonic()
        with pytest.raises(RunError) as caught, rundir.lock(tmp_path):
            pass
        assert time.monotonic() - start < 1
    finally:
        kill(process)
    holder = json.loads((tmp_path / "lock").read_text())
    assert caught.value.code == 75
    assert f"process {process.pid}" in caught.value.what
    assert holder["host"] in caught.value.what
    assert holder["since"] in caught.value.what
    assert holder.keys() == {"host", "pid", "started", "since"}


def test_dead_holder_is_taken_over(tmp_path: Path) -> None:
    kill(hold(tmp_path))
    assert json.loads((tmp_path / "lock").read_text())["pid"]
    with rundir.lock(tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    with rundir.lock(tmp_path):
        pass


def test_the_dead_holder_before_is_not_named_instead_of_the_living(tmp_path: Path) -> None:
    """One who has the lock, but has not written yet, is waited for."""
    with rundir.lock(tmp_path):
        path = tmp_path / "lock"
        living = json.loads(path.read_text())
        path.write_text(json.dumps(living | {"pid": 2**30, "started": 1}))
        late = threading.Timer(0.1, path.write_text, [json.dumps(living)])
        late.start()
        with pytest.raises(RunError, match=f"process {os.getpid()},"), rundir.lock(tmp_path):
            pass
        late.join()


def test_a_child_does_not_keep_the_lock_of_a_dead_parent(tmp_path: Path) -> None:
    process = hold(tmp_path, FORK)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        kill(process)
        with rundir.lock(tmp_path) as folder:
            assert folder == tmp_path
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_same_process_cannot_own_it_twice(tmp_path: Path) -> None:
    with (
        rundir.lock(tmp_path),
        pytest.raises(RunError, match=str(os.getpid())),
        rundir.lock(tmp_path),
    ):
        pass
    assert (tmp_path / "lock").read_bytes() == b""


def test_the_lock_is_freed_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), rundir.lock(tmp_path):
        raise KeyError
    with rundir.lock(tmp_path):
        pass


def test_of_eight_starters_one_wins(tmp_path: Path) -> None:
    for n in range(3):
        command = [sys.executable, "-c", RACE, str(tmp_path / str(n))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.stdout == "LLLLLLLW\n", done.stderr


def test_the_owner_removes_what_a_killed_writer_left(tmp_path: Path) -> None:
    left = tmp_path / "runs" / "none" / ".plan.json.1-1.learnaug-tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with rundir.lock(tmp_path):
        assert not left.exists()


@pytest.mark.parametrize("text", [b"", b"garbage", b"[]", b'{"pid": 1}'])
def test_a_damaged_lock_file_neither_helps_nor_hinders(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(text)
    with rundir.lock(tmp_path):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(RunError, match="unknown") as caught, rundir.lock(tmp_path):
            pass
        assert caught.value.code == 75


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(RunError) as caught, rundir.lock(tmp_path):
        pass
    assert caught.value.code == 73
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError) as caught, rundir.lock(tmp_path / "file"):
        pass
    assert caught.value.code == 73
