from pathlib import Path
from typing import Any

import pytest
import torch
from disk_faults import FAULTS, Killed, count_calls, fail_at

from learnaug import rundir
from learnaug.errors import RunError
from learnaug.rundir.files import TEMP


def never(text: str) -> None:
    raise AssertionError(f"there was nothing to warn of, but: {text}")


def save(checkpoints: rundir.Checkpoints, step: int) -> None:
    checkpoints.save(step, {"w": torch.full((20,), float(step))}, {"step": step, "x": [None, 0.1]})


def step_of(found: Any) -> int:
    """Return the step, after the parts were seen to belong together."""
    step, tensors, meta = found
    assert meta == {"step": step, "x": [None, 0.1]}
    assert torch.equal(tensors["w"], torch.full((20,), float(step)))
    return int(step)


def test_newest_comes_back_and_two_are_kept(tmp_path: Path) -> None:
    checkpoints = rundir.Checkpoints(tmp_path / "c", never)
    assert checkpoints.newest() is None
    for step in (0, 5, 90, 1000):
        save(checkpoints, step)
        assert step_of(checkpoints.newest()) == step
    assert len(list((tmp_path / "c").iterdir())) == 2
    assert step_of(rundir.Checkpoints(tmp_path / "c", never).newest()) == 1000


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_newest_falls_back_aloud(damage: str, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoints = rundir.Checkpoints(tmp_path, said.append)
    save(checkpoints, 1)
    save(checkpoints, 2)
    path = max(tmp_path.iterdir())
    data = path.read_bytes()
    flipped = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
    path.write_bytes({"flip": flipped, "cut": data[:-9], "empty": b""}[damage])
    assert step_of(checkpoints.newest()) == 1
    assert len(said) == 1
    assert path.name in said[0]
    save(checkpoints, 2)  # the repeated step mends it
    assert step_of(rundir.Checkpoints(tmp_path, never).newest()) == 2


def test_all_damaged_is_an_error_not_a_new_start(tmp_path: Path) -> None:
    checkpoints = rundir.Checkpoints(tmp_path, lambda text: None)
    save(checkpoints, 1)
    next(tmp_path.iterdir()).write_bytes(b"x")
    with pytest.raises(RunError, match="every checkpoint is damaged"):
        checkpoints.newest()


def test_a_renamed_checkpoint_is_not_believed(tmp_path: Path) -> None:
    checkpoints = rundir.Checkpoints(tmp_path, lambda text: None)
    save(checkpoints, 1)
    path = next(tmp_path.iterdir())
    path.rename(path.with_name(path.name.replace("01", "09")))
    with pytest.raises(RunError):
        checkpoints.newest()


def test_what_is_not_finite_is_never_a_checkpoint(tmp_path: Path) -> None:
    checkpoints = rundir.Checkpoints(tmp_path, never)
    save(checkpoints, 1)
    nan = float("nan")
    with pytest.raises(RunError, match="weight"):
        checkpoints.save(2, {"weight": torch.tensor([nan])}, {})
    with pytest.raises(RunError):
        checkpoints.save(2, {}, {"loss": nan})
    with pytest.raises(RunError):
        checkpoints.save(-1, {}, {})
    assert step_of(checkpoints.newest()) == 1


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_at_every_call_leaves_a_newest(
    fault: str, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`again`: step 2 is saved once more after a resume; its old file must not be lost."""
    monkeypatch.setattr("learnaug.rundir.files.CHUNK", 64)
    steps = [1, 2] if again else [0, 1]

    def prepare(folder: Path) -> rundir.Checkpoints:
        checkpoints = rundir.Checkpoints(folder, never)
        for step in steps:
            save(checkpoints, step)
        return checkpoints

    first = prepare(tmp_path / "count")
    calls = count_calls(lambda: save(first, 2))
    assert calls > 7
    seen = set()
    for k in range(1, calls + 1):
        folder = tmp_path / str(k)
        checkpoints = prepare(folder)
        error = fail_at(k, fault, lambda checkpoints=checkpoints: save(checkpoints, 2))
        assert isinstance(error, Killed if fault == "killed" else RunError)
        assert len(list(folder.glob(f"*{TEMP}"))) <= (fault == "killed")
        found = rundir.Checkpoints(folder, never)  # `never`: no file is damaged
        assert not list(folder.glob(f"*{TEMP}"))
        seen.add(step_of(found.newest()))
        save(found, 3)
        assert step_of(found.newest()) == 3
        assert len(list(folder.iterdir())) == 2
    assert seen == ({2} if again else {1, 2})
