"""Do several candidates of a search pay when they are stacked into one model?

    .venv/bin/python benchmarks/stacked.py [--rounds 5]

M copies of a net take one training step each on batches of their own: one after the other, as the
search makes its trials, or stacked (torch.func: one forward and backward for all M, a convolution
of M groups). Same forward, loss, gradient and SGD step; they take turns. One thread. Stacked in
fp32 alone: bf16 ends in "expected scalar type BFloat16 but found Float" inside torch's backward.
Batch norm takes statistics of the batch, and dropout is off, in all: stacked models can do no more.
Writes benchmarks/results/stacked.json: steps of one net a second, and ratios of stacked to one by
one in fp32 and as the search makes them (above 1: stacking pays), medians of the rounds.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from learnaug import nets, rundir
from learnaug.seeds import Seeds
from learnaug.training import choose_precision

RESULT = Path(__file__).resolve().parent / "results" / "stacked.json"
CASES = (("smallnet", 32, 64), ("smallnet", 64, 64), ("wrn-16-2", 32, 64))
COUNTS = (2, 4, 8)
CPU = torch.device("cpu")
RATE = 0.01


def copies(name: str, side: int, count: int) -> list[nn.Module]:
    """Return nets with weights of their own, ready for torch.func."""
    made = [
        nets.build(name, channels=3, size=(side, side), classes=10, seeds=Seeds(number))
        for number in range(count)
    ]
    for net in made:
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.track_running_stats = False
                part.running_mean = part.running_var = part.num_batches_tracked = None
            if isinstance(part, nn.Dropout):
                part.p = 0.0
    return [net.to(memory_format=torch.channels_last).train() for net in made]


def seconds(work: object, least: float = 1.0) -> float:
    """Return the time of one call."""
    start, calls = rundir.seconds(), 0
    while rundir.seconds() - start < least:
        work()  # type: ignore[operator]
        calls += 1
    return (rundir.seconds() - start) / calls


def case(name: str, side: int, batch: int, count: int, rounds: int) -> dict[str, float]:
    """Return steps of one net a second, one by one and stacked."""
    made = copies(name, side, count)
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(count, batch, 3, side, side, generator=gen)
    y = torch.randint(10, (count, batch), generator=gen)
    base = copy.deepcopy(made[0]).to("meta")

    def loss(weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(base, weights, (images,)), labels)

    weights, _ = stack_module_state(made)
    step = vmap(grad(loss))

    def stacked() -> None:
        for key, slope in step(weights, x, y).items():
            weights[key].data.sub_(slope, alpha=RATE)

    optimisers = [torch.optim.SGD(net.parameters(), RATE, fused=True) for net in made]

    def apart(bf16: bool = False) -> None:
        for net, optimiser, images, labels in zip(made, optimisers, x, y, strict=True):
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                scores = net(images.to(memory_format=torch.channels_last))
            nn.functional.cross_entropy(scores.float(), labels).backward()
            optimiser.step()

    # The first step of both is one and the same, up to the order in which numbers are summed.
    stacked()
    apart()
    weight = next(iter(weights))
    ours = torch.stack([dict(net.named_parameters())[weight] for net in made])
    apart_by = float((weights[weight] - ours).detach().abs().max())
    half = choose_precision(CPU) == "bf16"
    taken = [
        (seconds(apart), seconds(lambda: apart(half)), seconds(stacked)) for _ in range(rounds)
    ]
    whole, searched, together = (
        statistics.median(count / t for t in ts) for ts in zip(*taken, strict=True)
    )
    return {
        "one by one, fp32, steps/s": round(whole, 1),
        f"one by one, {'bf16' if half else 'fp32'}, steps/s": round(searched, 1),
        "stacked, fp32, steps/s": round(together, 1),
        "ratio to fp32": round(statistics.median(a / s for a, _, s in taken), 2),
        "ratio to the search": round(statistics.median(b / s for _, b, s in taken), 2),
        "first step apart by": apart_by,
    }


def main() -> None:
    """Measure every case and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    found = {}
    for name, side, batch in CASES:
        for count in COUNTS:
            key = f"{name}, {side} px, {count} nets"
            found[key] = case(name, side, batch, count, rounds)
            print(key, found[key], flush=True)
    content = {"cases": found, "origin": rundir.origin(sys.argv)}
    RESULT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
