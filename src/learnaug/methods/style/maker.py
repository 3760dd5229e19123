"""What is left of CycleGAN: generators that paint a picture in a random one of their styles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from learnaug import rundir
from learnaug.errors import ConfigError, UsageError
from learnaug.nets.cyclegan import LEAST, STEP, generator
from learnaug.seeds import Seeds
from learnaug.training.target import below

__all__ = ["Painting", "fitted", "painted", "read"]

WEIGHTS = "style.safetensors"
KEYS = {"styles", "channels", "width", "blocks", "skip", "size"}
PART = 32  # pictures painted at a time
MOST_STYLES, MOST_WIDTH, MOST_BLOCKS = 100, 512, 64


@dataclass(frozen=True, eq=False)
class Painting:
    """Paints each picture in a random style.

    The generators have no dense layer: pictures of other sizes than those of the training are
    painted too, at the scale of the strokes that was learned.

    Args:
        nets: name of a style -> its generator, in evaluation mode.
        channels, width, blocks, skip: of the generators.
        size: height and width of the pictures they were trained on, in pixels.
    """

    nets: dict[str, nn.Module]
    channels: int
    width: int
    blocks: int
    skip: bool
    size: tuple[int, int]
    kind: str = field(default="style", init=False)

    def make(self, images: Tensor, seeds: Seeds) -> Tensor:
        """Return each picture in a random style: uint8 [B, C, H, W] -> the same.

        Raises:
            UsageError: the pictures have other channels than those that were learned from.
        """
        if images.shape[1] != self.channels:
            raise UsageError(
                f"the styles were learned on pictures with {self.channels} channels, but these "
                f"have {images.shape[1]}"
            )
        chosen = torch.from_numpy(seeds.numpy().integers(0, len(self.nets), len(images)))
        out = images.clone()
        for number, net in enumerate(self.nets.values()):
            at = (chosen == number).nonzero()[:, 0].to(images.device)
            if len(at):
                out[at] = painted(net.to(images.device), images[at])
        return out

    def describe(self) -> dict[str, Any]:
        """Return the styles and the generators' measures."""
        names = ", ".join(self.nets)
        line = f"the picture itself in the style of {names}" + (
            " (one at random)" if len(self.nets) > 1 else ""
        )
        return {"line": line, **self._facts()}

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the weights of all generators; return what `read` needs beside."""
        tensors = {
            f"{number}.{name}": value
            for number, net in enumerate(self.nets.values())
            for name, value in net.state_dict().items()
        }
        rundir.save_tensors(folder / WEIGHTS, tensors)
        return self._facts()

    def _facts(self) -> dict[str, Any]:
        return {
            "styles": list(self.nets), "channels": self.channels, "width": self.width,
            "blocks": self.blocks, "skip": self.skip, "size": list(self.size),
        }  # fmt: skip


def read(folder: Path, facts: dict[str, Any]) -> Painting:
    """Return what `save` wrote.

    Raises:
        ConfigError: the facts break the schema, or do not fit the weights.
        DataError: the weights are missing or damaged.
    """
    if faults := _faults(facts):
        raise ConfigError("augmenter.json holds no styles", faults)
    measures = (facts["channels"], facts["width"], facts["blocks"], facts["skip"])
    tensors = rundir.load_tensors(folder / WEIGHTS)
    with torch.device("meta"):
        wanted = {n: v.shape for n, v in _net(*measures).state_dict().items()}
    count = len(facts["styles"])
    shapes = {f"{i}.{name}": shape for i in range(count) for name, shape in wanted.items()}
    plain = all(value.dtype == torch.float32 for value in tensors.values())
    if not plain or shapes != {name: value.shape for name, value in tensors.items()}:
        raise ConfigError(
            f"the weights do not fit {count} generators of width {facts['width']} with "
            f"{facts['blocks']} blocks",
            sorted(set(shapes) ^ set(tensors))[:5] or ["shapes or types differ"],
        )
    nets: dict[str, nn.Module] = {}
    for number, name in enumerate(facts["styles"]):
        net = _net(*measures)
        net.load_state_dict(below(tensors, f"{number}"))
        nets[name] = frozen(net)
    height, wide = facts["size"]
    return Painting(nets, *measures, (height, wide))


def frozen(net: nn.Module) -> nn.Module:
    """Return the net on the CPU, not to be trained, in the memory layout that paints fastest."""
    net = net.cpu().to(memory_format=torch.channels_last)
    return net.eval().requires_grad_(False)


@torch.no_grad()
def painted(net: nn.Module, images: Tensor) -> Tensor:
    """Return what a generator makes of pictures: uint8 [B, C, H, W] -> the same.

    Args:
        net: float [B, C, H, W] in [-1, 1] -> the same.
        images: of any size; edges are repeated up to the next size that the net takes.
    """
    parts = []
    height, width = images.shape[2:]
    for part in torch.split(images, PART):
        given = fitted(part.float() / 127.5 - 1)
        made = net(given.contiguous(memory_format=torch.channels_last))
        parts.append(((made[:, :, :height, :width] + 1) * 127.5).round().clamp(0, 255).byte())
    return torch.cat(parts)


def fitted(pictures: Tensor) -> Tensor:
    """Return pictures whose edges are repeated at the right and below, to a size for generators.

    Example:
        >>> fitted(torch.zeros(2, 3, 1, 30)).shape
        torch.Size([2, 3, 16, 32])
    """
    height, width = (max(LEAST, -(-edge // STEP) * STEP) for edge in pictures.shape[2:])
    low, right = height - pictures.shape[2], width - pictures.shape[3]
    return pad(pictures, (0, right, 0, low), mode="replicate") if low or right else pictures


def _net(channels: int, width: int, blocks: int, skip: bool) -> nn.Module:
    return generator(channels, width=width, blocks=blocks, skip=skip)


def _faults(facts: dict[str, Any]) -> list[str]:
    if facts.keys() != KEYS:
        return [f"missing or unknown: {', '.join(map(repr, sorted(facts.keys() ^ KEYS)))[:200]}"]
    styles, size = facts["styles"], facts["size"]
    listed = isinstance(styles, list) and all(isinstance(name, str) for name in styles)
    rules = {
        f"styles: 1 … {MOST_STYLES} names, each once": listed
        and 0 < len(styles) == len(set(styles)) <= MOST_STYLES,
        "channels: 1, 3 or 4": _whole(facts["channels"], 1, 4) and facts["channels"] != 2,
        f"width: 1 … {MOST_WIDTH}": _whole(facts["width"], 1, MOST_WIDTH),
        f"blocks: 1 … {MOST_BLOCKS}": _whole(facts["blocks"], 1, MOST_BLOCKS),
        "skip: true or false": type(facts["skip"]) is bool,
        "size: two positive numbers of pixels": isinstance(size, list)
        and len(size) == 2
        and all(_whole(edge, 1, 10**6) for edge in size),
    }
    return [rule for rule, holds in rules.items() if not holds]


def _whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
