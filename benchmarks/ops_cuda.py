"""The PyTorch back end on a GPU: images/s of whole policies, launches a call, and no wait.

    .venv/bin/python benchmarks/ops_cuda.py [--batch 128] [--calls 50]

Uint8 in and out, pictures and result on the GPU; every call has numbers of its own, drawn
beforehand. First all calls run under `torch.cuda.set_sync_debug_mode("error")`, which stops at the
first thing that makes the host wait; then PyTorch's profiler counts kernels and transfers of one
call; then the clock runs, around calls that are queued one after another and waited for once.
Writes benchmarks/results/ops_cuda.json; without a GPU it says so and ends.

learnaug       `apply` alone
with draw      the same with `draw` on the host, as in a training step
host           seconds until `apply` returns: what the host is kept from other work
kornia         its RandAugment and TrivialAugment with numbers per picture, from uint8 to float
               and back; only where it is installed and has the policy
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from learnaug import ops, rundir
from learnaug.ops import primitives, spaces
from learnaug.seeds import Seeds

SIDES = (32, 64, 224)
POLICIES = ("flip_crop", "trivialaugment", "randaugment", "autoaugment", "uniform")
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
RESULT = Path("benchmarks/results/ops_cuda.json")

Call = Callable[[int], Any]  # number of the call -> anything


def pictures(batch: int, side: int) -> Tensor:
    """Return random colour pictures on the GPU."""
    gen = Seeds(0).child("bench", side).numpy()
    return torch.from_numpy(gen.integers(0, 256, (batch, 3, side, side), dtype="uint8")).cuda()


def without_waiting(call: Call, calls: int) -> None:
    """Run with an error at the first thing that makes the host wait; one warm call before."""
    call(0)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(calls):
            call(number)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def traced(call: Call) -> dict[str, int]:
    """Count kernels, transfers and waits of one call."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace:
        call(0)
    torch.cuda.synchronize()
    events = {event.key: event.count for event in trace.key_averages()}
    return {
        "kernels": sum(events.get(name, 0) for name in LAUNCHES),
        "transfers": events.get("cudaMemcpyAsync", 0),
        "waits": events.get("cudaStreamSynchronize", 0),
    }


def seconds(call: Call, calls: int, rounds: int = 5) -> dict[str, float]:
    """Return the median seconds of a call: on the host alone, and until the GPU is done."""
    host, done = [], []
    for _ in range(rounds):
        torch.cuda.synchronize()
        watch = rundir.stopwatch()
        for number in range(calls):
            call(number)
        host.append(watch() / calls)
        torch.cuda.synchronize()
        done.append(watch() / calls)
    return {"host": statistics.median(host), "done": statistics.median(done)}


def kornia_call(policy: str, images: Tensor) -> Call | None:
    """Return kornia's policy on uint8 pictures; None where there is none."""
    try:
        from kornia.augmentation import auto
    except ImportError:
        return None
    known = {
        "randaugment": lambda: auto.RandAugment(n=2, m=9),
        "trivialaugment": auto.TrivialAugment,
        "autoaugment": lambda: auto.AutoAugment("cifar10"),
    }
    if policy not in known:
        return None
    change = known[policy]()
    return lambda number: change(images.float().div_(255)).mul_(255).add_(0.5).byte()


def measure(policy: str, side: int, batch: int, calls: int) -> dict[str, Any]:
    """Measure one policy at one size."""
    images = pictures(batch, side)
    chosen = getattr(spaces, policy)()
    gen = Seeds(0).child("draw").numpy()
    drawn = [ops.draw(chosen, batch, gen, (side, side)) for _ in range(calls)]

    def alone(number: int) -> Tensor:
        return ops.apply(images, drawn[number], primitives)

    def with_draw(number: int) -> Tensor:
        fresh = ops.draw(chosen, batch, gen, (side, side))
        return ops.apply(images, fresh, primitives)

    without_waiting(alone, calls)
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    own = seconds(alone, calls)
    row = {
        "policy": policy, "side": side, "batch": batch,
        "images_per_second": {
            "learnaug": round(batch / own["done"]),
            "with draw": round(batch / seconds(with_draw, calls)["done"]),
        },
        "host_milliseconds": round(1e3 * own["host"], 3),
        "peak_batches": round((torch.cuda.max_memory_allocated() - held) / images.numel(), 1),
        **traced(alone),
    }  # fmt: skip
    peer = kornia_call(policy, images)
    if peer is not None:
        peer(0)
        row["images_per_second"]["kornia"] = round(
            batch / seconds(peer, max(calls // 5, 1))["done"]
        )
    return row


def main() -> None:
    """Measure all policies at all sizes and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device")
        sys.exit(0)
    result: dict[str, Any] = {
        "origin": rundir.origin(["benchmarks/ops_cuda.py"]),
        "device": torch.cuda.get_device_name(),
        "rows": [],
    }
    for side in arguments.sides:
        for policy in POLICIES:
            row = measure(policy, side, arguments.batch, arguments.calls)
            result["rows"].append(row)
            print(row, flush=True)
    rundir.write_json(arguments.out, result)


if __name__ == "__main__":
    main()
