"""Every fixed baseline on four real data sets: the tables of docs/findings/fixed-baselines.md.

    .venv/bin/python benchmarks/findings.py [NAME ...] [--shared ../shared/data] [--jobs 2]

Each comparison is `learnaug compare` with its defaults (3 screening seeds, 6 fresh seeds on the
sealed test part) and a small net. Resumable: run folders lie in --runs. Writes
benchmarks/results/findings-NAME.json (summary.json and the origin).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import learnaug
from learnaug import rundir

BREEDS = ["n02085620", "n02094433", "n02099601", "n02099712", "n02106662"]
WORLDS = {
    "emnist": {"source": "emnist/emnist.npz", "per_class": 20, "model": "smallnet"},
    "cifar10": {"source": "cifar10/cifar10.zip", "per_class": 100, "model": "smallnet"},
    "tiny_imagenet-dogs-goldfish": {
        "source": "tiny_imagenet/tiny_imagenet.zip",
        "classes": {"dog": BREEDS, "goldfish": ["n01443537"]},
        "per_class": 400,
        "model": "smallnet",
        "epochs": 15,
    },
    "magnetic_tile": {
        "source": "magnetic_tile/magnetic_tile.zip",
        "size": 64,
        "model": "smallnet",
        "epochs": 40,
    },
    "cifar10-wrn": {"source": "cifar10/cifar10.zip", "per_class": 100, "model": "wrn-16-2"},
}


def tell(event: dict) -> None:
    """Print what ended, and notes."""
    if event["event"] == "run-end":
        left = event["eta_seconds"] or 0
        print(
            f"{event['method']} {event['seed']} {event['score']:.4f}, {left:.0f} s left", flush=True
        )
    elif event["event"] != "run-step" and "start" not in event["event"]:
        print(event, flush=True)


def main() -> None:
    """Run the named comparisons, or all, and write their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(WORLDS))
    parser.add_argument("--shared", default="../shared/data")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--jobs", type=int)
    arguments = parser.parse_args()
    for name in arguments.names:
        world = dict(WORLDS[name])
        loading = {key: world.pop(key) for key in ("size", "classes") if key in world}
        data = learnaug.load(f"{arguments.shared}/{world.pop('source')}", **loading)
        out = Path(arguments.runs) / name
        found = learnaug.compare(data, out=out, jobs=arguments.jobs, say=tell, **world)
        summary = found.summary | {"command": f"benchmarks/findings.py {name}"}
        result = {"origin": rundir.origin(["benchmarks/findings.py", name]), **summary}
        rundir.write_json(Path("benchmarks/results") / f"findings-{name}.json", result)
        print(name, summary["verdict"]["words"], flush=True)


if __name__ == "__main__":
    main()
