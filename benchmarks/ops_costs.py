"""What our operations cost beside a training step, in memory, and at the first call.

Run by benchmarks/ops.py; `memory` and `start` as a process of its own each, because only a fresh
process has an empty heap and nothing compiled: `python benchmarks/ops_costs.py start`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import op_cases
import torch
import turns
from torch import nn

from learnaug import nets, ops, rundir
from learnaug.ops import primitives, spaces
from learnaug.seeds import Seeds
from learnaug.training import choose_precision, threads

MIXED = (
    ops.Stage(((ops.Element("cutmix", 1.0),),)),
    *spaces.uniform().stages,
    ops.Stage(((ops.Element("mixup", 0.2),),)),
)
POLICIES = {"trivialaugment": spaces.trivialaugment, "randaugment": spaces.randaugment}
MEMORY: dict[str, tuple[Callable[[], ops.Policy], str]] = {  # case -> policy, what is special
    "trivialaugment": (spaces.trivialaugment, ""),
    "randaugment": (spaces.randaugment, ""),
    "cutmix + uniform + mixup": (lambda: ops.Policy(MIXED), ""),
    "trivialaugment, channels last": (spaces.trivialaugment, "channels last"),
    "trivialaugment, masks": (spaces.trivialaugment, "masks"),
    "trivialaugment, PyTorch back end": (spaces.trivialaugment, "torch"),
    "cutmix + uniform + mixup, PyTorch back end": (lambda: ops.Policy(MIXED), "torch"),
}
START = ("apply", "apply_boxes", "PyTorch back end")
LARGE = 512 * 2**20  # bytes, far beyond every cache


def limit(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure how fast a large array is copied: one read and one write of every byte."""
    size = LARGE // 8 if options.quick else LARGE
    source = torch.full((size,), 7, dtype=torch.uint8)  # zeros would all be one page
    target = torch.ones(size, dtype=torch.uint8)
    rows = []
    for number in (1, 2):
        with threads(number):
            found = turns.take_turns({"copy": turns.repeated(lambda: target.copy_(source))}, 5)
        seconds = statistics.median(found["copy"])
        rows.append({
            "threads": number, "bytes": size, "seconds": round(seconds, 5),
            "copied_gb_per_second": round(size / seconds / 1e9, 2),
        })  # fmt: skip
    return rows


def share(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure augmentation (draw and apply) against a training step of ResNet-18 at 32 px."""
    side, batch = 32, 64
    images = op_cases.pictures(side, batch)
    labels = torch.arange(batch) % 10
    bf16 = choose_precision(torch.device("cpu")) == "bf16"
    model = nets.build("resnet18", channels=3, size=(side, side), classes=10, seeds=Seeds(0))
    model = model.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(model.parameters(), 0.03, momentum=0.9, nesterov=True, fused=True)
    loss_of = nn.CrossEntropyLoss()

    def step() -> None:
        x = images.to(memory_format=torch.channels_last).float().div_(255)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of(model(x), labels)
        loss.backward()
        optimiser.step()

    gen = Seeds(0).child("share").numpy()

    def augment(policy: ops.Policy) -> None:
        ops.apply(images, ops.draw(policy, batch, gen, (side, side)))

    policies = {name: make() for name, make in POLICIES.items()}
    rows = []
    for number in (2,) if options.quick else (1, 2):
        contenders = {"step": turns.repeated(step)}
        for name, policy in policies.items():
            contenders[name] = turns.repeated(lambda p=policy: augment(p))
        with threads(number):
            found = turns.take_turns(contenders, 2 if options.quick else 7)
        for name in POLICIES:
            parts = [100 * a / s for a, s in zip(found[name], found["step"], strict=True)]
            rows.append({
                "policy": name, "threads": number, "batch": batch, "side": side,
                "precision": "bf16" if bf16 else "fp32",
                "step_ms": round(1000 * statistics.median(found["step"]), 3),
                "augment_ms": round(1000 * statistics.median(found[name]), 3),
                "percent_of_step": round(statistics.median(parts), 2),
            })  # fmt: skip
    return rows


def memory(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure the peak of memory during a call, in a process of its own for each case."""
    return [ask("memory", name) for name in list(MEMORY)[: 1 if options.quick else None]]


def start(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure the first call with nothing compiled, and in the next process."""
    rows = []
    for what in START[: 1 if options.quick else None]:
        with tempfile.TemporaryDirectory() as folder:
            for state in ("empty cache", "cached"):
                rows.append({"call": what, "cache": state, **ask("start", what, cache=folder)})
    return rows


def ask(*words: str, cache: str = "") -> dict[str, Any]:
    """Run this file as a process and return what it prints."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, str(Path(__file__).resolve()), *words]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def own_memory(case: str, batch: int = 1024, side: int = 64) -> dict[str, Any]:
    """Return the peak beside input and output, in bytes and in batches (Linux)."""
    make, special = MEMORY[case]
    images = torch.zeros((batch, 3, side, side), dtype=torch.uint8).add_(op_cases.pictures(side, 1))
    if special == "channels last":
        images = images.to(memory_format=torch.channels_last)
    if special == "masks":
        images = images[:, 0].clone()
    call = calls(special)
    drawn = ops.draw(make(), batch, Seeds(0).numpy(), (side, side))
    few = ops.draw(make(), 64, Seeds(0).numpy(), (side, side))
    call(images[:64], few)  # compiles, and makes what is made once
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    out = call(images, drawn)
    extra = max(0, resident("VmHWM") - before - out.numel())
    return {
        "case": case, "batch": batch, "side": side, "batch_bytes": images.numel(),
        "extra_bytes": extra, "extra_batches": round(extra / images.numel(), 2),
    }  # fmt: skip


def calls(special: str) -> Callable[[torch.Tensor, ops.Drawn], torch.Tensor]:
    """Return what is measured: `apply`, in PyTorch if asked for, or `apply_masks`."""
    if special == "masks":
        return ops.apply_masks
    return partial(ops.apply, backend=primitives if special == "torch" else None)


def resident(key: str) -> int:
    """Return VmRSS (now) or VmHWM (peak) in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)[1])


def own_start(what: str) -> dict[str, Any]:
    """Return seconds of the first and of the second call on every operation (boxes: none mixes)."""
    usable = [name for name, op in ops.TABLE.items() if what != "apply_boxes" or not op.partner]
    elements = [middle(name) for name in usable]
    stage = ops.Stage(tuple((element,) for element in elements))
    images = op_cases.pictures(16, 512)
    drawn = ops.draw(ops.Policy((stage,)), 512, Seeds(0).numpy(), (16, 16))
    boxes, owners = torch.tensor([[2.0, 2.0, 9.0, 9.0]]).repeat(512, 1), torch.arange(512)
    call = {
        "apply": lambda: ops.apply(images, drawn),
        "apply_boxes": lambda: ops.apply_boxes(boxes, owners, drawn),
        "PyTorch back end": lambda: ops.apply(images, drawn, primitives),
    }[what]
    watch = rundir.stopwatch()
    call()
    first = watch()
    call()
    return {"first_call_s": round(first, 3), "second_call_s": round(watch() - first, 4)}


def middle(name: str) -> ops.Element:
    """Return the operation at the middle of its range."""
    op = ops.TABLE[name]
    return ops.Element(name) if op.plain else ops.Element(name, op.low, op.high)


if __name__ == "__main__":
    what, *which = sys.argv[1:]
    print(json.dumps(own_memory(*which) if what == "memory" else own_start(*which)))
