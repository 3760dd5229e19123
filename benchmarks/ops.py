"""Our operations against torchvision, timm, Albumentations and Kornia, in one run.

    .venv/bin/python benchmarks/ops.py [--quick] [--only bar,share] [--backend torch] [--docs]

Contenders take turns round by round; a figure "x" is the median over rounds of the ratio within a
round. Sections, each a list of rows in benchmarks/results/ops.json with an origin of its own, so
that a run may be stopped and taken up again with --only:

bar     two operations a picture with the same magnitudes, uint8 in and out, both cores
per-op  every operation by itself, one thread; at 32 and 224 px ours on two threads as well
policy  whole policies as each library draws them itself, batch 1 to 1024, 1 and 2 threads
limit   one read and one write of every byte: a copy of a large array
share   part of a training step of ResNet-18 at 32 px
memory  peak beside input and output
start   the first call with an empty compile cache, and the next process

With both cores, libraries that take one picture a call run in two processes of one thread, whose
pictures lie ready in the library's own form; nothing that crosses a process is timed but "go".
--quick takes less than a minute and writes nothing without --out; --docs rewrites docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import op_cases
import ops_costs
import peer_policies
import peers
import torch
import turns

from learnaug import ops, rundir
from learnaug.ops import primitives, spaces
from learnaug.seeds import Seeds
from learnaug.training import threads

RESULT = Path(__file__).parent / "results" / "ops.json"
CASES = ((32, 1024), (64, 512), (224, 64), (512, 16))  # side, pictures
SINGLE = ((32, 64), (64, 64), (224, 16), (512, 4))  # for one operation on one thread
ON_TWO = (32, 224)  # sides at which one operation of ours is also measured on two threads
BATCHES = {32: (1, 16, 128, 1024), 64: (128,), 224: (1, 16, 128), 512: (16,)}
OWN = {
    "trivialaugment": spaces.trivialaugment, "randaugment": spaces.randaugment,
    "flip-crop": spaces.flip_crop, "autoaugment": spaces.autoaugment,
}  # fmt: skip
Row = dict[str, Any]


def work(case: tuple[Any, ...], part: int, parts: int) -> Callable[[], Any]:
    """Return what one process does of a case: its share of the pictures in one library."""
    cv2.setNumThreads(1)  # two processes share two cores
    kind, library, which, side, n = case
    mine = slice(n * part // parts, n * (part + 1) // parts)
    images = op_cases.pictures(side, n)[mine]
    if len(images) == 0:
        return lambda: None
    if library == "ours-processes":
        return whole(images, op_cases.policy(side))
    if kind == "policy":
        return peer_policies.contender(library, which, images)
    return peers.contender(library, images, op_cases.plan(op_cases.drawn_for(side, n, which))[mine])


def ours(
    images: torch.Tensor, policy: ops.Policy, torch_too: bool, planned: ops.Drawn | None = None
) -> dict[str, Any]:
    """Return our contenders; with `planned`, which all are given, "ours" does not draw."""
    drawn = planned or ops.draw(policy, len(images), Seeds(0).numpy(), tuple(images.shape[-2:]))
    apply, both = lambda: ops.apply(images, drawn), whole(images, policy)
    calls = {"ours": apply, "ours-draw": both} if planned else {"ours": both, "ours-apply": apply}
    if torch_too:
        calls["ours-torch"] = lambda: ops.apply(images, drawn, primitives)
    return {name: turns.repeated(call) for name, call in calls.items()}


def whole(images: torch.Tensor, policy: ops.Policy) -> Callable[[], Any]:
    """Return what draws and applies."""
    n, size = len(images), tuple(images.shape[-2:])
    return lambda: ops.apply(images, ops.draw(policy, n, Seeds(0).numpy(), size))


def row(n: int, seconds: dict[str, list[float]], **case: Any) -> Row:
    """Return the row of a case and print its gist."""
    rates = {name: turns.rate(n, values) for name, values in seconds.items()}
    faster = {
        name: turns.ratio(seconds["ours"], values)
        for name, values in seconds.items() if not name.startswith("ours")
    }  # fmt: skip
    best = min(faster, key=lambda name: faster[name]["median"])
    print(*case.values(), f"ours {rates['ours']:.0f}/s,", end=" ")
    print(f"{faster[best]['median']:.2f} x {best} ({rates[best]:.0f}/s)", flush=True)
    return {
        **case,
        "images": n,
        "rounds": len(seconds["ours"]),
        "best_peer": best,
        "images_per_second": rates,
        "faster": faster,
        **{
            f"{name.removeprefix('ours-')}_faster": turns.ratio(seconds[name], seconds[best])
            for name in ("ours-draw", "ours-processes") if name in seconds
        },
    }  # fmt: skip


def bar(options: argparse.Namespace) -> list[Row]:
    """Measure two operations a picture on both cores."""
    rows = []
    pair = turns.Pair(work)
    for side, n in CASES[::2] if options.quick else CASES:
        images = op_cases.pictures(side, n)
        drawn = op_cases.drawn_for(side, n)
        contenders = ours(images, op_cases.policy(side), options.backend == "torch", drawn)
        for name in ("ours-processes", *peers.PEERS):
            contenders[name] = pair.contender(("plan", name, "", side, n))
        batched = peers.contender("kornia", images, op_cases.plan(drawn))
        contenders["kornia-threads"] = turns.repeated(batched)
        with threads(2):
            seconds = turns.take_turns(contenders, 3 if options.quick else 9, options.turn)
        rows.append(row(n, seconds, side=side))
        pair.ask("forget")
    pair.close()
    return rows


def per_op(options: argparse.Namespace) -> list[Row]:
    """Measure each operation by itself on one thread; `ours-threads` takes two."""
    rows = []
    for side, n in SINGLE[::2] if options.quick else SINGLE:
        images = op_cases.pictures(side, n)
        for op in op_cases.ALL[:: 8 if options.quick else 1]:
            drawn = op_cases.drawn_for(side, n, op)
            contenders = ours(images, op_cases.policy(side, op), options.backend == "torch", drawn)
            if side in ON_TWO:
                contenders["ours-threads"] = on_two(contenders["ours"])
            for name in peers.PEERS:
                call = work(("plan", name, op, side, n), 0, 1)
                if call and not name.endswith("-arrays"):
                    contenders[name] = turns.repeated(call)
            with threads(1):
                seconds = turns.take_turns(contenders, 2 if options.quick else 5, options.turn)
            rows.append(row(n, seconds, op=op, side=side))
    return rows


def on_two(repeat: Callable[[int], None]) -> Callable[[int], None]:
    """Return the same on two threads, whatever the others take."""

    def repeat_on_two(count: int) -> None:
        with threads(2):
            repeat(count)

    return repeat_on_two


def whole_policies(options: argparse.Namespace) -> list[Row]:
    """Measure whole policies for each batch size and number of threads."""
    rows = []
    pair = turns.Pair(work)
    for side, batches in list(BATCHES.items())[: 1 if options.quick else None]:
        for n in batches[2:3] if options.quick else batches:
            for policy in list(OWN)[:: 2 if options.quick else 1]:
                for number in (2,) if options.quick else (1, 2):
                    contenders = ours(
                        op_cases.pictures(side, n), OWN[policy](), options.backend == "torch"
                    )  # fmt: skip
                    for name in filter(lambda x, p=policy: peer_policies.has(x, p),
                                       peer_policies.LIBRARIES):  # fmt: skip
                        case = ("policy", name, policy, side, n)
                        contenders[name] = (
                            turns.repeated(work(case, 0, 1)) if number == 1 else
                            pair.contender(case)
                        )  # fmt: skip
                    with threads(number):
                        rounds = 2 if options.quick else 3
                        seconds = turns.take_turns(contenders, rounds, options.turn)
                    rows.append(row(n, seconds, policy=policy, side=side, threads=number))
                    pair.ask("forget")
    pair.close()
    return rows


SECTIONS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "bar": bar,
    "limit": ops_costs.limit,
    "share": ops_costs.share,
    "memory": ops_costs.memory,
    "start": ops_costs.start,
    "per-op": per_op,
    "policy": whole_policies,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, comma between")
    parser.add_argument("--quick", action="store_true", help="a look, less than a minute")
    parser.add_argument("--backend", choices=("own", "torch"), default="own",
                        help="torch: show the PyTorch back end beside ours")  # fmt: skip
    parser.add_argument("--out", type=Path, help=f"result file; {RESULT.name} unless --quick")
    parser.add_argument("--docs", action="store_true", help="only rewrite docs/speed.md")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(SECTIONS):
        parser.error(f"no section {sorted(unknown)}: there are {', '.join(SECTIONS)}")
    options.turn = 0.01 if options.quick else 0.03
    return options


def main() -> None:
    """Measure the chosen sections, writing after each."""
    options = arguments()
    if options.docs:
        import ops_docs

        return ops_docs.write(RESULT)
    out = options.out or (None if options.quick else RESULT)
    result = json.loads(out.read_text()) if out and out.is_file() else {}
    for name in options.only:
        watch = rundir.stopwatch()
        rows = SECTIONS[name](options)
        print(f"{name}: {watch():.0f} s", *(rows if name in vars(ops_costs) else ()), sep="\n  ")
        origin = rundir.origin(["benchmarks/ops.py", "--only", name])
        origin["versions"] |= peers.versions()
        result[name] = {"origin": origin, "seconds": round(watch(), 1), "rows": rows}
        if out:
            rundir.write_json(out, result)
    return None


if __name__ == "__main__":
    main()
