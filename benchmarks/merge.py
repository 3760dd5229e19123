"""What a step of joint training costs beside its unavoidable parts, and one net a class beside one.

joint: a step of `Joint` over the sum of: the target's forward and backward pass on twice the
pictures, its optimiser's step, and A's forward and backward pass with its optimiser's step.
per class: forward and backward pass of one net for each class over that of one net for all.
Best of several rounds by turns; on a processor the CPU time of one thread. Written to
benchmarks/results/merge-PLACE.json.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from learnaug import nets, rundir
from learnaug.data import ImageSet, make_batch
from learnaug.methods import Learning
from learnaug.methods.merge.joint import Joint
from learnaug.methods.merge.method import SmartAugmentation
from learnaug.methods.merge.networks import build
from learnaug.methods.merge.partners import pool_of
from learnaug.methods.table import METHODS
from learnaug.seeds import Seeds
from learnaug.training import Recipe, choose_device, choose_precision, threads
from learnaug.training.classify import soft_cross_entropy
from learnaug.training.forward import Normalise

SIZE, BATCH, PICTURES = 64, 64, 800
ROUNDS = 6


def main() -> None:
    """Measure, print and write."""
    device = choose_device("auto")
    found: dict[str, Any] = {"device": _name(device), "torch": torch.__version__}
    with threads(1 if device.type == "cpu" else 4), nets.forked(device):
        for row in ("smart-augmentation", "neural-augmentation"):
            found[row] = {"joint": joint(row, device)}
            for classes in (2, 10, 100):
                found[row][f"per_class_{classes}"] = per_class(row, classes, device)
            print(row, found[row], flush=True)
    place = Path(__file__).with_name("results") / f"merge-{device.type}.json"
    rundir.write_json(place, found)


def joint(row: str, device: torch.device) -> dict[str, float]:
    """Return milliseconds of a joint step and of its parts, and their ratio."""
    data, method = pictures(2), METHODS[row].make(None)
    assert isinstance(method, SmartAugmentation)
    task = _task(data, method, device)
    parts = _parts(_task(data, method, device), data, method)
    update = iter(range(10**9))
    whole, sum_of_parts = race(lambda: task.step(next(update), Seeds(0)), parts, device)
    return {"step_ms": whole, "parts_ms": sum_of_parts, "ratio": round(whole / sum_of_parts, 3)}


def _task(data: ImageSet, method: SmartAugmentation, device: torch.device) -> Joint:
    def net(seeds: Seeds) -> nn.Module:
        return nets.build("smallnet", channels=3, size=(SIZE, SIZE), classes=2, seeds=seeds)

    model = nn.Sequential(Normalise.of(data), net(Seeds(0))).to(device)
    model = model.to(memory_format=torch.channels_last)
    merger = build(method.network, method.k, 3, None, Seeds(0)).to(device)
    learning = Learning(data, data, net, Recipe(epochs=1000, batch_size=BATCH))
    pool, precision = pool_of(data.labels), choose_precision(device)
    return Joint(model, merger, method, learning, pool, Seeds(0), device, precision)


def _parts(task: Joint, data: ImageSet, method: SmartAugmentation) -> Callable[[], object]:
    """Return what cannot be left out, with nothing around it."""
    batch = make_batch(data, np.arange(BATCH), task.device)
    twice = batch.images.repeat(2, 1, 1, 1).float()
    targets, weights = batch.targets.repeat(2, 1), batch.weights.repeat(2)
    inputs = torch.rand(
        BATCH, method.k, 3, SIZE, SIZE, generator=Seeds(1).torch()
    ).to(task.device)  # fmt: skip
    labels = batch.targets.argmax(1)
    task.model.train()

    def step() -> None:
        for optimiser in (task.optimiser, task.merging):
            optimiser.zero_grad(set_to_none=True)
        with task.autocast():
            merged = task.merger(inputs, labels)
            logits = task.model(twice)
        soft_cross_entropy(logits.float(), targets, weights).backward()
        merged.float().mean().backward()
        task.optimiser.step()
        task.merging.step()

    return step


def per_class(row: str, classes: int, device: torch.device) -> dict[str, float]:
    """Return milliseconds of one net a class and of one net, forward and backward."""
    method = METHODS[row].make(None)
    assert isinstance(method, SmartAugmentation)
    gen = Seeds(2).torch()
    inputs = torch.rand(BATCH, 2, 3, SIZE, SIZE, generator=gen).to(device)
    labels = torch.randint(classes, (BATCH,), generator=gen).to(device)
    one = _passes(build(method.network, 2, 3, None, Seeds(0)).to(device), inputs, labels)
    many = _passes(build(method.network, 2, 3, classes, Seeds(0)).to(device), inputs, labels)
    slow, fast = race(many, one, device)
    return {"per_class_ms": slow, "single_ms": fast, "ratio": round(slow / fast, 3)}


def _passes(merger: nn.Module, inputs: Tensor, labels: Tensor) -> Callable[[], object]:
    def step() -> None:
        merger.zero_grad(set_to_none=True)
        with torch.autocast(
            inputs.device.type, torch.bfloat16, enabled=inputs.device.type == "cuda"
        ):
            merged = merger(inputs, labels)
        merged.float().square().mean().backward()

    return step


def pictures(classes: int) -> ImageSet:
    """Return random pictures 64 x 64 in colour."""
    gen = Seeds(3).numpy()
    labels = np.arange(PICTURES, dtype=np.int64) % classes
    return ImageSet(
        "bench",
        gen.integers(0, 256, (PICTURES, 3, SIZE, SIZE), dtype=np.uint8),
        labels,
        tuple(str(c) for c in range(classes)),
        tuple(f"row {i}" for i in range(PICTURES)),
        np.full(PICTURES, -1, np.int64),
        np.full(PICTURES, ""),
    )


def race(
    first: Callable[[], object], second: Callable[[], object], device: torch.device
) -> tuple[float, float]:
    """Return the best milliseconds of both, run by turns."""
    best = [float("inf"), float("inf")]
    for number in range(ROUNDS + 2):
        for place, call in enumerate((first, second)):
            # Time of the one thread where that is all: other processes then change it less.
            clock = time.perf_counter if device.type == "cuda" else time.process_time
            start = clock()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 2:
                best[place] = min(best[place], 1000 * (clock() - start))
    return round(best[0], 2), round(best[1], 2)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    sys.exit(main())
