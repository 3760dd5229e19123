"""The PyTorch back end as a GPU needs it: no wait, no value read back, no loop over pictures."""

from __future__ import annotations

import ast
import inspect
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from ops_helpers import drawn_for, noise, one
from torch.utils._python_dispatch import TorchDispatchMode

from learnaug.ops import (
    TABLE,
    Drawn,
    Element,
    Policy,
    Stage,
    adaptive,
    apply,
    apply_masks,
    batched,
    lower,
    mix_targets,
    primitives,
    rows,
    spaces,
)
from learnaug.ops import (
    noise as normal,
)
from learnaug.ops.table import INTERPOLATIONS

SENDERS = (adaptive, batched, lower, normal, primitives)
META = torch.device("meta")
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "ops_cuda.py"
WAITS = {
    "_local_scalar_dense", "nonzero", "nonzero_static", "bincount", "histc", "masked_select",
    "unique_dim", "_unique", "_unique2", "unique_consecutive", "repeat_interleave", "equal",
    "is_nonzero",
}  # fmt: skip


class Recorder(TorchDispatchMode):
    """Writes down every operation that PyTorch carries out, and every transfer to a device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.masked = False
        self.transfers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.names.append(name)
        if name in ("index", "index_put", "index_put_"):
            kinds = {i.dtype for i in args[1] if i is not None}
            self.masked |= bool(kinds & {torch.bool, torch.uint8})
        if name in ("_to_copy", "copy_"):
            places = {t.device.type for t in (*args, out) if isinstance(t, torch.Tensor)}
            self.transfers += len(places) > 1
        return out


def recorded(images: torch.Tensor, drawn: Drawn) -> tuple[torch.Tensor, Recorder]:
    with Recorder() as recorder:
        out = apply(images, drawn, primitives)
    return out, recorder


def every_op(*, mixing: bool = True) -> Policy:
    """All operations at all magnitudes and interpolations, twice one after another."""
    branches = []
    for name, op in TABLE.items():
        bounds = (op.low, op.high) if op.unit else ()
        if op.primitive == "warp":
            branches += [(Element(name, *bounds, interpolation=i, fill=9),) for i in INTERPOLATIONS]
        elif mixing or not op.partner:
            branches.append((Element(name, *bounds),))
    return Policy((Stage(tuple(branches)), Stage(tuple(branches))))


def all_once(times: int = 1) -> Drawn:
    """One slot in which every operation stands `times` times, warps in all interpolations."""
    numbers = [
        (number, kind)
        for number, op in enumerate(TABLE.values())
        for kind in range(len(INTERPOLATIONS) if op.primitive == "warp" else 1)
    ]
    ops, kinds = np.array(numbers * times).T
    values = np.array([op.low + 0.7 * (op.high - op.low) for op in TABLE.values()])
    base = drawn_for(noise(len(ops), 3, 12, 12), one("identity"))
    return replace(
        base,
        ops=ops[:, None].astype(np.int16),
        value=values[ops][:, None].astype(np.float32),
        interpolation=kinds[:, None].astype(np.int8),
        partner=np.arange(len(ops))[::-1, None].copy(),
        mix=np.full((len(ops), 1), 0.3, np.float32),
    )


POLICIES = {
    **{name: getattr(spaces, name)() for name in ("trivialaugment", "randaugment", "autoaugment")},
    **{name: getattr(spaces, name)() for name in ("uniform", "flip_crop", "cutmix", "mixup")},
    **{name: one(name, *((op.low, op.high) if op.unit else ())) for name, op in TABLE.items()},
    "every": every_op(),
}


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_value_is_read_on_the_device(name, channels):
    """On `meta` tensors there are no values: whatever needed one would fail here."""
    images = torch.empty((64, channels, 12, 10), dtype=torch.uint8, device=META)
    drawn = drawn_for(images, POLICIES[name])
    out, recorder = recorded(images, drawn)
    assert (out.device.type, out.dtype, out.shape) == ("meta", torch.uint8, images.shape)
    assert not WAITS & set(recorder.names)
    assert not recorder.masked


@pytest.mark.parametrize("policy", ["flip_crop", "cutmix", "traditional"])
def test_no_value_of_masks_and_targets_is_read_on_the_device(policy):
    masks = torch.empty((32, 12, 10), dtype=torch.int64, device=META)
    drawn = drawn_for(masks, getattr(spaces, policy)())
    targets = torch.empty((32, 5), device=META)
    with Recorder() as recorder:
        moved, mixed = apply_masks(masks, drawn), mix_targets(targets, drawn)
    assert (moved.device, mixed.device) == (masks.device, targets.device)
    assert moved.shape == masks.shape
    assert not WAITS & set(recorder.names)
    assert not recorder.masked


@pytest.mark.parametrize(
    "reads",
    [
        lambda x: x[0, 0, 0, 0].item(),
        lambda x: x[x > 3],
        lambda x: torch.bincount(x.flatten().long()),
        lambda x: x.unique(),
        lambda x: x.cpu(),
        lambda x: x.numpy(),
        lambda x: 1 if (x > 3).any() else 0,
    ],
)
def test_meta_tensors_refuse_what_would_wait(reads):
    with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
        reads(torch.empty((2, 3, 4, 4), dtype=torch.uint8, device=META))


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "identity"])
def test_every_transfer_is_an_upload_and_there_are_few(name, monkeypatch):
    sent: list[int] = []

    def counted(numbers: Any, device: torch.device) -> torch.Tensor:
        sent.append(numbers.size)
        return rows.upload(numbers, device)

    for module in SENDERS:
        monkeypatch.setattr(module, "upload", counted)
    images = torch.empty((64, 3, 12, 10), dtype=torch.uint8, device=META)
    drawn = drawn_for(images, POLICIES[name])
    _, recorder = recorded(images, drawn)
    assert recorder.transfers == len(sent)
    assert 0 < len(sent) <= 14 * drawn.ops.shape[1]


def test_only_upload_makes_tensors_of_host_numbers():
    sends = {"from_numpy", "as_tensor", "tensor", "asarray", "cuda", "pin_memory"}

    def used(module: ModuleType) -> set[str]:
        tree = ast.parse(inspect.getsource(module))
        return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & sends

    assert used(rows)
    for module in (*SENDERS, sys.modules[apply.__module__]):
        assert not used(module)


def test_a_gpu_gets_pinned_memory_and_nobody_waits(monkeypatch):
    seen: list[Any] = []
    pinned = torch.ones(3)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: seen.append("pinned") or pinned)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *a, **k: seen.append((self, a, k)) or self)
    rows.upload(np.ones(3), torch.device("cuda", 0))
    assert seen[0] == "pinned"
    assert seen[1][0] is pinned
    assert seen[1][1:] == ((torch.device("cuda", 0),), {"non_blocking": True})


def test_one_call_of_each_primitive_a_slot():
    calls: list[str] = []

    class Counting:
        def __getattr__(self, name: str):
            calls.append(name)
            return getattr(primitives, name)

    drawn = all_once()
    twice = replace(
        drawn,
        **{
            name: np.concatenate([getattr(drawn, name)] * 2, axis=1)
            for name in ("ops", "value", "extra", "fill", "interpolation", "partner", "mix")
        },
    )
    apply(noise(len(drawn), 3, 12, 12), drawn, Counting())
    assert sorted(calls) == ["blend", "convolve", "lookup", "warp"]
    calls.clear()
    apply(noise(len(drawn), 3, 12, 12), twice, Counting())
    assert sorted(calls) == sorted(["blend", "convolve", "lookup", "warp"] * 2)


def test_a_larger_batch_needs_no_more_steps():
    counts = []
    for times in (1, 12):
        drawn = all_once(times)
        images = torch.empty((len(drawn), 3, 12, 12), dtype=torch.uint8, device=META)
        counts.append(len(recorded(images, drawn)[1].names))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", list(TABLE))
def test_512_pictures_need_the_steps_of_8(name):
    op = TABLE[name]
    policy = one(name, *((op.low + 0.7 * (op.high - op.low),) if op.unit else ()))
    counts = []
    for size in (8, 512):
        images = torch.empty((size, 3, 12, 12), dtype=torch.uint8, device=META)
        counts.append(len(recorded(images, drawn_for(images, policy))[1].names))
    assert counts[0] == counts[1]


def alone(drawn: Drawn, row: int) -> Drawn:
    only = drawn.take(np.array([row]))
    return replace(only, partner=np.zeros_like(only.partner))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_does_not_depend_on_its_batch(channels):
    """All operations mixed: a blur, say, is cut at its own width and not at the widest one's."""
    images = noise(150, channels, 17, 13)
    drawn = drawn_for(images, every_op(mixing=False))
    whole = apply(images, drawn, primitives)
    for row in range(len(images)):
        got = apply(images[row : row + 1], alone(drawn, row), primitives)
        assert torch.equal(got[0], whole[row])


def test_a_blur_is_cut_at_its_own_width():
    sigmas = np.linspace(0, 2, 41, dtype=np.float32)
    together = lower.blur_kernels(sigmas)
    for sigma, kernel in zip(sigmas, together, strict=True):
        own = lower.blur_kernels(sigma[None])[0]
        border = (together.shape[1] - len(own)) // 2
        assert np.array_equal(np.pad(own, border), kernel)
        assert len(own) == 2 * max(np.ceil(3 * sigma), 1) + 1
        assert abs(own.sum(dtype=np.float64) - 1) < 1e-6


def test_the_order_of_the_pictures_does_not_matter():
    images = noise(120, 3, 16, 16)
    drawn = drawn_for(images, every_op())
    order = np.random.default_rng(0).permutation(len(images))
    place = np.argsort(order)
    shuffled = drawn.take(order)
    shuffled = replace(shuffled, partner=place[shuffled.partner])
    got = apply(images[torch.from_numpy(order)], shuffled, primitives)
    assert torch.equal(got, apply(images, drawn, primitives)[torch.from_numpy(order)])


def test_a_warp_takes_the_interpolations_in_any_order():
    images = noise(9, 2, 8, 8)
    gen = np.random.default_rng(1)
    matrix = np.tile(np.eye(3), (9, 1, 1))
    matrix[:, :2] += gen.normal(0, [0.3, 0.3, 2.0], (9, 2, 3))
    fill, kinds = np.arange(9), gen.integers(0, 3, 9).astype(np.int8)
    whole = primitives.warp(images, matrix, fill, kinds)
    for i in range(9):
        at = slice(i, i + 1)
        assert torch.equal(
            primitives.warp(images[at], matrix[at], fill[at], kinds[at])[0], whole[i]
        )


def test_numbers_are_taken_by_row_and_slot():
    drawn = drawn_for(noise(20, 3, 8, 8), spaces.randaugment())
    chosen = np.array([4, 0, 19])
    part = drawn.take(chosen, 1)
    assert part.ops.tolist() == drawn.ops[chosen, 1].tolist()
    assert part.extra.shape == (3, 4)
    assert part.branch.tolist() == drawn.branch[chosen].tolist()
    assert drawn.take(slice(3)).ops.shape == (3, drawn.ops.shape[1])


def test_runs_of_nothing_are_none():
    assert rows.runs(np.zeros(0, np.int8)) == []


def test_the_gpu_benchmark_says_that_there_is_no_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["ops_cuda.py"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(BENCHMARK), run_name="__main__")
    assert done.value.code in (0, None)
    assert "no CUDA device" in capsys.readouterr().out
