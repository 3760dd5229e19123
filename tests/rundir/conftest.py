import pytest


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each write call take 16 bytes, so that files are torn in their middle."""
    monkeypatch.setattr("learnaug.rundir.files.CHUNK", 16)
