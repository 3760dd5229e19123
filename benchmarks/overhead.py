"""What a search costs beside its own training: drawing, bookkeeping, checkpoints, its statistics.

    .venv/bin/python benchmarks/overhead.py [DATA FOLDER] [--epochs 20]

`aws` and `aws-paper` (60 trials) search on 4,000 pictures of CIFAR-10 with SmallNet and one thread,
in a folder that keeps their state, as in a run, in a process that has trained before. The clock is
read around every update, every look at the validation part, every augmented batch and every
application of what was drawn. Training is updates and looks without the drawing; all else is the
search's own: "drawing" for what picks the operations of each picture (a fixed policy draws too),
"rest" for everything else, the pictures of the report included. Shares of the wall time of `learn`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ways import CPU, parts_of

from learnaug import nets, ops, rundir
from learnaug.methods import resolve
from learnaug.methods.augmenters import PolicyAugmenter
from learnaug.methods.aws.paper import _Counting
from learnaug.methods.aws.proxy import Proxy
from learnaug.methods.base import Budget, Learning
from learnaug.seeds import Seeds
from learnaug.training import Keep
from learnaug.training.target import Target

RESULT = Path(__file__).resolve().parent / "results" / "overhead.json"
METHODS = ("aws", "aws-paper:loops=60")
CLOCK: Counter[str] = Counter()


def clocked(owner: Any, name: str) -> None:
    """Have every call of a function add its seconds to the clock."""
    plain: Callable[..., Any] = getattr(owner, name)

    def timed(*given: Any, **named: Any) -> Any:
        begin = perf_counter()
        try:
            return plain(*given, **named)
        finally:
            CLOCK[name] += perf_counter() - begin

    setattr(owner, name, timed)


def measured(name: str, folder: Path, epochs: int | None) -> dict[str, Any]:
    """Return the seconds of a search and the shares of them that are not training."""
    train, valid, recipe = parts_of("cifar10", folder)
    recipe = recipe if epochs is None else type(recipe)(epochs=epochs)

    def net(seeds: Seeds) -> torch.nn.Module:
        size, classes = train.size, len(train.classes)
        return nets.build(
            "smallnet", channels=train.channels, size=size, classes=classes, seeds=seeds
        )

    CLOCK.clear()
    with tempfile.TemporaryDirectory() as state:
        begin = perf_counter()
        resolve(name).learn(
            Learning(train, valid, net, recipe), seeds=Seeds(0), device=CPU,
            budget=Budget("bf16"), keep=Keep(checkpoints=Path(state)),
        )  # fmt: skip
        whole = perf_counter() - begin
    drawing = CLOCK["__call__"] - CLOCK["apply"]
    training = CLOCK["step"] + CLOCK["_look"] - drawing
    return {
        "epochs": recipe.epochs,
        "seconds": round(whole, 1),
        "drawing": round(drawing / whole, 4),
        "rest": round(1 - (training + drawing) / whole, 4),
    }


def main() -> None:
    """Measure both searches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="../shared/data", type=Path)
    parser.add_argument("--epochs", type=int, help="of a training, 20 by default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for owner, name in (
        (Target, "step"), (Proxy, "_look"), (ops, "apply"),
        (PolicyAugmenter, "__call__"), (_Counting, "__call__"),
    ):  # fmt: skip
        clocked(owner, name)
    measured(METHODS[0], given.folder, 1)  # what a process does once: imports, compiled operations
    found = {name: measured(name, given.folder, given.epochs) for name in METHODS}
    told = {"searches": found, "origin": rundir.origin(sys.argv)}
    RESULT.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
