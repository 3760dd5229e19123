"""Devices, number formats, threads."""

from __future__ import annotations

import pytest
import torch

from learnaug.errors import UsageError
from learnaug.training.device import choose_device, choose_precision, cores, threads


@pytest.mark.parametrize("name", ["cuda:99", "mps", "tpu", "xpu"])
def test_a_device_that_is_not_there_is_one_line_with_a_remedy(name: str) -> None:
    if name == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has mps")
    with pytest.raises(UsageError, match=r"--device") as caught:
        choose_device(name)
    assert name in str(caught.value)


def test_auto_is_the_gpu_where_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_bf16_only_where_the_processor_computes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for check in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, check, lambda: False, raising=False)
    assert choose_precision(torch.device("cpu")) == "fp32"
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert choose_precision(torch.device("cpu")) == "bf16"


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_cores_is_what_the_scheduler_allows() -> None:
    assert cores() >= 1
