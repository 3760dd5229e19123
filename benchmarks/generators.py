"""What generators of pictures cost: steps of training and pictures made, beside the floor.

    .venv/bin/python benchmarks/generators.py            all cases, on two quiet cores
    .venv/bin/python benchmarks/generators.py --threads 1 --sides 28
    .venv/bin/python benchmarks/generators.py --docs     rewrite the table of docs/speed.md

The floor is the number of operations of the convolutions and dense layers of a call (by the
formulas of torch.utils.flop_counter, double backward passes too) over the rate of a matrix product
of 1024 x 1024 in the precision that the training takes. Both are timed by turns, best of several
rounds; on one thread in CPU time, which other processes change less. Weights are untrained and
pictures random: neither changes the time. Written to benchmarks/results/generators.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import ops_docs
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from learnaug import nets, rundir
from learnaug.data import ImageSet
from learnaug.methods.dagan.adversarial import Adversaries
from learnaug.methods.dagan.maker import Drawing, Shape, noise
from learnaug.methods.dagan.method import DAGAN
from learnaug.methods.style.cycle import Course, Cycle
from learnaug.methods.style.domains import Style
from learnaug.methods.style.maker import frozen, painted
from learnaug.methods.style.method import StyleTransfer
from learnaug.nets.cyclegan import blocks_of, layers_of
from learnaug.seeds import Seeds
from learnaug.training import choose_device, choose_precision, threads

HERE = Path(__file__).resolve().parent
RESULT, PAGE = HERE / "results" / "generators.json", HERE.parent / "docs" / "speed.md"
SIDES, CHANNELS = (28, 64, 128), (1, 3)
BATCH = {28: 32, 64: 16, 128: 8}  # pairs in a step of DAGAN
MADE = {28: 64, 64: 32, 128: 8}  # pictures made at once
ROUNDS, LONG = 4, 4.0  # rounds; seconds after which a case has no further round
SQUARE = 1024
KEY = ("threads", "side", "channels", "net")  # of a row
Calls = dict[str, tuple[int, Callable[[], object]]]  # what is timed, and pictures in it


def main() -> None:
    """Measure what was asked for, print and write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--sides", type=int, nargs="*", default=SIDES)
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    for number in [] if asked.docs else asked.threads:
        for side, channels in product(asked.sides, CHANNELS):
            for row in case(side, channels, number, choose_device("auto")):
                print(row, flush=True)
                keep(row)
    text, found = PAGE.read_text(), table(json.loads(RESULT.read_text()))
    rundir.write_text(PAGE, ops_docs.BLOCK.sub(
        lambda m: f"<!-- {m[1]} -->\n{found}\n<!-- end -->" if m[1] == "generators" else m[0], text
    ))  # fmt: skip


def keep(row: dict[str, Any]) -> None:
    """Write a row; rows of other cases stay."""
    old = json.loads(RESULT.read_text())["rows"] if RESULT.is_file() else []
    rows = [other for other in old if [other[k] for k in KEY] != [row[k] for k in KEY]]
    ordered = sorted([*rows, row], key=lambda one: [one[k] for k in KEY])
    device = choose_device("auto")
    precision = choose_precision(device)
    told = {"versions": rundir.versions(), "device": str(device), "precision": precision}
    rundir.write_text(RESULT, json.dumps({**told, "rows": ordered}, indent=1))


def case(side: int, channels: int, number: int, device: torch.device) -> Iterator[dict[str, Any]]:
    """Yield a row for each kind of net at this size."""
    kinds = {"dagan": dagan(DAGAN(), side, channels, device)}
    if side == 28:
        paper = replace(DAGAN(), paper=True)
        kinds["dagan, paper"] = dagan(paper, side, channels, device)
    kinds["style-transfer"] = style(side, channels, device)
    with threads(number), nets.forked(device):
        for kind, calls in kinds.items():
            row = {"net": kind, "side": side, "channels": channels, "threads": number}
            for name, (pictures, call) in calls.items():
                row[name] = {"pictures": pictures, **measured(call, number, device)}
            yield row


def dagan(method: DAGAN, side: int, channels: int, device: torch.device) -> Calls:
    """Return a step of the critic, an update of the generator, and the making of pictures."""
    data, precision = pictures(side, channels), choose_precision(device)
    method, size = replace(method.actual, batch=BATCH[side]), (side, side)
    net = (method.width, method.outer, method.convs, method.blocks, method.z)
    shape = Shape(channels, size, *net)
    task = Adversaries(method, shape, data, data, Seeds(0), device, precision)
    maker = Drawing(shape.build(Seeds(1)).to(device).eval(), shape)
    images = torch.from_numpy(data.images[: MADE[side]]).to(device)
    z = noise(len(images), shape.noise, Seeds(2)).to(device)
    return {
        "critic": (method.batch, lambda: task._criticise(0, Seeds(3))),
        "generator": (method.batch, lambda: task._generate(0, Seeds(4))),
        "made": (len(images), lambda: maker.generate(images, z)),
    }


def style(side: int, channels: int, device: torch.device) -> Calls:
    """Return an update of the four nets of CycleGAN, and the making of pictures."""
    data, other, method = pictures(side, channels), pictures(side, channels), StyleTransfer()
    size = (side, side)
    shape = (method.width, blocks_of(size), layers_of(size))
    course = Course(10**6, method.batch)
    domain, precision = Style("other", other.images), choose_precision(device)
    task = Cycle(data, domain, course, shape, Seeds(0), device, precision)
    images = torch.from_numpy(data.images[: MADE[side]]).to(device)
    paint = frozen(task.paint).to(device) if device.type == "cuda" else task.paint
    updates = iter(range(10**6))
    return {
        "update": (method.batch, lambda: task.step(next(updates), Seeds(3))),
        "made": (len(images), lambda: painted(paint, images)),
    }


def measured(call: Callable[[], object], number: int, device: torch.device) -> dict[str, float]:
    """Return the seconds of a call and of its floor, and operations in 10^9."""
    product = matmul(device)
    with Counted() as counted:
        call()
    work, best, rate = counted.operations, float("inf"), 0.0
    began = time.perf_counter()
    for turn in range(ROUNDS):
        rate = max(rate, 2 * SQUARE**3 / min(timed(product, number, device) for _ in range(3)))
        best = min(best, timed(call, number, device))
        if turn and time.perf_counter() - began > LONG:
            break
    return {
        "seconds": rounded(best), "floor": rounded(work / rate), "gflop": rounded(work / 1e9),
        "gflops": rounded(rate / 1e9), "ratio": rounded(best * rate / work),
    }  # fmt: skip


class Counted(TorchDispatchMode):
    """Counts operations; PyTorch's own counter follows modules, which a second backward ends."""

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function and add what its formula says."""
        out = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func._overloadpacket):
            self.operations += formula(*args, **(kwargs or {}), out_val=out)
        return out


def matmul(device: torch.device) -> Callable[[], object]:
    """Return a product of matrices in the precision of the training."""
    kind = torch.bfloat16 if choose_precision(device) == "bf16" else torch.float32
    gen = Seeds(5).torch()
    a, b = (torch.randn(SQUARE, SQUARE, generator=gen).to(device, kind) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def timed(call: Callable[[], object], number: int, device: torch.device) -> float:
    """Return the seconds of a call; of CPU time on one thread."""
    clock = time.process_time if device.type == "cpu" and number == 1 else time.perf_counter
    start = clock()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def pictures(side: int, channels: int) -> ImageSet:
    """Return random pictures of 64 classes."""
    gen, number = Seeds(6).numpy(), 256
    images = gen.integers(0, 256, (number, channels, side, side), dtype=np.uint8)
    labels = np.arange(number, dtype=np.int64) % 64
    names, ids = tuple(map(str, range(64))), tuple(map(str, range(number)))
    none = np.full(number, -1, np.int64)
    return ImageSet("bench", images, labels, names, ids, none, np.full(number, ""))


def rounded(value: float) -> float:
    """Return the value with three digits."""
    return float(f"{value:.3g}")


def table(result: dict[str, Any]) -> str:
    """Return the table of docs/speed.md."""
    head = ["net", "pictures", "threads", "critic step", "generator update", "images a second"]
    rows = [
        [
            row["net"], f"{row['side']} px, {'grey' if row['channels'] == 1 else 'colour'}",
            str(row["threads"]), cell(row.get("critic")),
            cell(row.get("generator", row.get("update"))), made(row["made"]),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    return ops_docs.table(head, rows)


def cell(found: dict[str, float] | None) -> str:
    """Return the seconds of a step and how many times the floor that is."""
    return f"{found['seconds']:.2g} s ({found['ratio']:.2g} ×)" if found else "–"


def made(found: dict[str, float]) -> str:
    """Return the pictures a second and how many times the floor one takes."""
    speed = ops_docs.count(found["pictures"] / found["seconds"])
    return f"{speed} ({found['ratio']:.2g} ×)"


if __name__ == "__main__":
    main()
