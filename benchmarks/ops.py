"""Our operations against torchvision, timm, Albumentations and Kornia."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import peers
import torch
import turns

from learnaug import ops, rundir
from learnaug.ops import primitives
from learnaug.seeds import Seeds
from learnaug.training import threads

RESULT = Path("benchmarks/results/ops.json")
CASES = ((32, 256), (64, 256), (224, 64), (512, 16))  # side, pictures


def bar(options: argparse.Namespace) -> list[dict[str, Any]]:
    pair = turns.Pair(peers.part_of_case)
    rows = []
    for side, n in CASES[:3] if options.quick else CASES[:3]:
        contenders = {name: pair.contender((name, side, n, "")) for name in peers.PEERS}
        images, steps = peers.pictures(side, n), peers.plan(peers.drawn_for(side, n))
        contenders["kornia-threads"] = turns.repeated(peers.contender("kornia", images, steps))
        with threads(2):
            seconds = turns.take_turns(contenders, 2 if options.quick else 7)
        rates = {name: turns.rate(n, s) for name, s in seconds.items()}
        rows.append({"side": side, "n": n, "rates": rates})
        print(side, rates, flush=True)
        pair.ask("forget")
    pair.close()
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    bar(parser.parse_args())
