"""The training loop against a plain hand-written PyTorch loop and a DataLoader in reference style.

    .venv/bin/python benchmarks/loop.py [--rounds 5]

Same net, same pictures (uint8, as they lie in memory), same batch size, same optimiser, same
flip-and-crop augmentation, same precision and one thread; the four loops take turns, round by
round, so that a busy machine disturbs all alike. Writes benchmarks/results/loop.json: images/s
(median) and the ratio of ours to each other loop, pair by pair.

plain      whole batches in fp32, torchvision's v2 flip and crop drawn once a batch (the fastest
           honest thing a person writes by hand in twenty lines)
plain-bf16 the same with bf16 autocast and channels_last
loader     torchvision's reference style: a Dataset of PIL pictures, v2 transforms a picture,
           DataLoader without workers (with one core, workers only cost)
ours       learnaug's loop with flip-crop (drawn a picture, not a batch), log and schedule
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from learnaug import nets, rundir
from learnaug.data import ImageSet
from learnaug.methods.table import augmenter
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, choose_precision, fit, threads

CPU = torch.device("cpu")
BATCH = 64
CASES = [("smallnet", 32, 4096), ("wrn-16-2", 32, 512), ("smallnet", 64, 1024)]  # pictures
MEAN, STD = [0.5] * 3, [0.25] * 3


def pictures(side: int, n: int) -> ImageSet:
    """Return n random colour pictures of 10 classes."""
    gen = Seeds(0).child("bench", side).numpy()
    images = gen.integers(0, 256, (n, 3, side, side), dtype=np.uint8)
    labels = np.arange(n, dtype=np.int64) % 10
    ids = tuple(map(str, range(n)))
    none = np.full(n, -1, np.int64)
    return ImageSet("bench", images, labels, tuple("0123456789"), ids, none, np.full(n, ""))


def net(name: str, side: int) -> nn.Module:
    """Return a fresh net."""
    return nets.build(name, channels=3, size=(side, side), classes=10, seeds=Seeds(0))


def sgd(model: nn.Module, fused: bool) -> torch.optim.Optimizer:
    """Return the optimiser that every loop uses."""
    return torch.optim.SGD(
        model.parameters(), lr=0.03, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=fused
    )


def plain(name: str, data: ImageSet, *, bf16: bool) -> None:
    """Train one epoch by hand, whole batches at a time."""
    side = data.size[0]
    model = net(name, side).train()
    if bf16:
        model = model.to(memory_format=torch.channels_last)
    optimiser, loss_of = sgd(model, fused=bf16), nn.CrossEntropyLoss()
    transform = v2.Compose(
        [
            v2.RandomCrop(side, padding=side // 8),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    for chosen in torch.from_numpy(np.random.default_rng(0).permutation(len(data))).split(BATCH):
        x = transform(images[chosen])
        x = x.to(memory_format=torch.channels_last) if bf16 else x
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of(model(x), labels[chosen])
        loss.backward()
        optimiser.step()
        loss.item()


class Pictures(torch.utils.data.Dataset):
    """PIL pictures with a transform each, as ImageFolder gives them."""

    def __init__(self, data: ImageSet) -> None:
        side = data.size[0]
        self.pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in data.images]
        self.labels = data.labels.tolist()
        self.transform = v2.Compose(
            [
                v2.RandomCrop(side, padding=side // 8),
                v2.RandomHorizontalFlip(),
                v2.PILToTensor(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.pictures[index]), self.labels[index]


def loader(name: str, dataset: Pictures, side: int) -> None:
    """Train one epoch in the style of torchvision's references."""
    model = net(name, side).train()
    optimiser, loss_of = sgd(model, fused=False), nn.CrossEntropyLoss()
    batches = torch.utils.data.DataLoader(dataset, BATCH, shuffle=True)
    for x, y in batches:
        loss = loss_of(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()


def ours(name: str, data: ImageSet, log: Path) -> None:
    """Train one epoch with learnaug."""
    fit(
        net(name, data.size[0]), data, None, (Phase(augmenter("flip-crop")),),
        Recipe(epochs=1, batch_size=BATCH),
        seeds=Seeds(0), device=CPU, precision=choose_precision(CPU), keep=Keep(log=log),
    )  # fmt: skip


def main() -> None:
    """Time the loops in turn and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    log = Path("benchmarks/results/.loop-log.jsonl")
    result = {"origin": rundir.origin(["benchmarks/loop.py"]), "batch": BATCH, "rows": []}
    for name, side, number in CASES:
        data = pictures(side, number)
        dataset = Pictures(data)
        loops = {
            "ours": lambda n=name, d=data: ours(n, d, log),
            "plain": lambda n=name, d=data: plain(n, d, bf16=False),
            "plain-bf16": lambda n=name, d=data: plain(n, d, bf16=True),
            "loader": lambda n=name, d=dataset, s=side: loader(n, d, s),
        }
        seconds: dict[str, list[float]] = {key: [] for key in loops}
        with threads(1):
            for turn in range(arguments.rounds + 1):
                for key, loop in loops.items():
                    watch = rundir.stopwatch()
                    loop()
                    if turn:  # the first turn warms up
                        seconds[key].append(watch())
        rundir.remove(log)
        ratios = {
            key: [b / a for a, b in zip(seconds["ours"], values, strict=True)]
            for key, values in seconds.items()
        }
        row = {
            "net": name, "side": side, "images": len(data), "rounds": arguments.rounds,
            "images_per_second": {
                key: round(len(data) / statistics.median(v), 1) for key, v in seconds.items()
            },
            "ours_faster_by": {
                key: {
                    "median": round(statistics.median(v), 2),
                    "least": round(min(v), 2),
                    "most": round(max(v), 2),
                }
                for key, v in ratios.items() if key != "ours"
            },
        }  # fmt: skip
        result["rows"].append(row)
        print(row, flush=True)
    rundir.write_json(Path("benchmarks/results/loop.json"), result)


if __name__ == "__main__":
    main()
