"""A frozen UResNet: what makes the pictures when the training is done, and its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from learnaug import rundir
from learnaug.errors import ConfigError, UsageError
from learnaug.methods.dagan.pairs import scaled
from learnaug.nets import keyed
from learnaug.nets.uresnet import Dropout, UResNet
from learnaug.seeds import Seeds

__all__ = ["WEIGHTS", "Drawing", "Shape", "noise", "read"]

WEIGHTS = "generator.safetensors"
PART = 128  # pictures at a time
MOST = {
    "channels": 64,
    "width": 1024,
    "outer": 1024,
    "convs": 64,
    "blocks": 16,
    "noise": 10_000,
    "side": 1024,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a UResNet is built from; see `learnaug.nets.uresnet.UResNet`.

    Args:
        channels: of the pictures.
        size: (H, W) in pixels.
        width, outer, convs, blocks: of the net.
        noise: length of z.
        dropout: of the scaling layers, in training and in use.
        residual: whether the net paints a change of its picture.
    """

    channels: int
    size: tuple[int, int]
    width: int
    outer: int
    convs: int
    blocks: int
    noise: int
    dropout: float = 0.5
    residual: bool = False

    def build(self, seeds: Seeds) -> UResNet:
        """Return the net with first weights drawn from `seeds`."""
        with keyed(seeds):
            net = UResNet(
                self.channels, self.size, width=self.width, outer=self.outer,
                convs=self.convs, blocks=self.blocks, noise=self.noise, dropout=self.dropout,
                residual=self.residual,
            )  # fmt: skip
        return net.to(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class Drawing:
    """The maker of DAGAN: a picture and noise z to another picture of its class.

    Args:
        net: in evaluation.
        shape: what it is built from.
        source: what it was trained on, in a few words, and how many pictures and classes.
        drops: whether dropout acts, keyed by z. It is a part of the noise that the net learned
            with: without it, pictures made with different z were nearly alike (Omniglot, 1,700
            updates: 0.07 times as far apart as two real ones of a class, with it 0.66).
    """

    net: UResNet
    shape: Shape
    source: dict[str, Any] = field(default_factory=dict)
    drops: bool = True

    @property
    def kind(self) -> str:
        """The name of its reader."""
        return "dagan"

    def require(self, channels: int, size: tuple[int, int]) -> None:
        """Refuse pictures that the net cannot make.

        Raises:
            UsageError: size or channels are others than those of the training.
        """
        shape = self.shape
        if (channels, tuple(size)) != (shape.channels, shape.size):
            raise UsageError(
                f"this generator makes pictures of {_said(shape.channels, shape.size)}, but the "
                f"data has {_said(channels, size)}",
                mend=f"load the data at that size (--size {shape.size[0]}), or train a generator "
                "on pictures like these",
            )

    @torch.no_grad()
    def generate(self, images: Tensor, z: Tensor) -> Tensor:
        """Return the picture that each z makes of each picture.

        Args:
            images: uint8 [B, C, H, W].
            z: float [B, noise].

        Returns:
            uint8 [B, C, H, W], on the device of `images`.

        Raises:
            UsageError: the pictures have another size or number of channels.
        """
        self.require(images.shape[1], (images.shape[2], images.shape[3]))
        net = self.net.to(images.device).eval()
        for layer in net.modules():
            if isinstance(layer, Dropout):
                layer.train(self.drops)
        parts = zip(torch.split(images, PART), torch.split(z.to(images.device), PART), strict=True)
        digest = hashlib.sha256(z.cpu().contiguous().numpy().tobytes()).digest()
        with keyed(Seeds(int.from_bytes(digest[:8], "little")), images.device):
            made = [net(scaled(part), own) for part, own in parts if len(part)]
        whole = torch.cat(made) if made else images.float()
        return ((whole + 1) * 127.5).round().clamp(0, 255).byte().contiguous()

    def make(self, images: Tensor, seeds: Seeds) -> Tensor:
        """Return a new picture of the class of each: uint8 [B, C, H, W] -> the same."""
        return self.generate(images, noise(len(images), self.shape.noise, seeds))

    def describe(self) -> dict[str, Any]:
        """Return the shape of the net and what it was trained on."""
        shape = self.shape
        count = sum(weight.numel() for weight in self.net.parameters())
        line = f"a UResNet of {count / 1e6:.2g} million weights for "
        line += _said(shape.channels, shape.size)
        if self.source:
            line += (
                f", trained on {self.source['pictures']:,} pictures of {self.source['classes']:,} "
                f"classes of {self.source['name']}"
            )
        return {"kind": self.kind, "line": line, "source": self.source, **self._plain()}

    def _plain(self) -> dict[str, Any]:
        shape = self.shape
        return {
            "channels": shape.channels, "size": list(shape.size), "width": shape.width,
            "outer": shape.outer, "convs": shape.convs, "blocks": shape.blocks,
            "noise": shape.noise, "dropout": shape.dropout, "residual": shape.residual,
        }  # fmt: skip

    def save(self, folder: Path) -> dict[str, Any]:
        """Write generator.safetensors; return the shape of the net and its source."""
        rundir.save_tensors(folder / WEIGHTS, self.net.state_dict())
        return self._plain() | {"source": self.source}


def noise(number: int, length: int, seeds: Seeds) -> Tensor:
    """Return z: float32 [number, length] from N(0, 1)."""
    return torch.from_numpy(seeds.numpy().standard_normal((number, length), dtype="float32"))


def read(folder: Path, content: dict[str, Any]) -> Drawing:
    """Return the maker that `save` wrote.

    Args:
        folder: where its weights lie.
        content: what `save` returned.

    Raises:
        ConfigError: the content breaks its schema, or does not fit the weights.
        DataError: the weights are missing or damaged.
    """
    shape = _shape(content)
    net = shape.build(Seeds(0))
    tensors = rundir.load_tensors(folder / WEIGHTS)
    wanted = {name: (value.shape, value.dtype) for name, value in net.state_dict().items()}
    found = {name: (value.shape, value.dtype) for name, value in tensors.items()}
    if wanted != found:
        odd = sorted(set(wanted) ^ set(found))[:5] or ["shapes or types differ"]
        raise ConfigError(f"{WEIGHTS} does not fit the generator that augmenter.json names", odd)
    net.load_state_dict(tensors)
    return Drawing(net.eval().requires_grad_(False), shape, content["source"])


def _shape(content: dict[str, Any]) -> Shape:
    names = ("channels", "width", "outer", "convs", "blocks", "noise")
    known = {*names, "size", "source", "dropout", "residual"}
    size, source, dropout = (content.get(name) for name in ("size", "source", "dropout"))
    rules = {
        f"{name}: an integer, 1 … {MOST[name]}": type(content.get(name)) is int
        and 1 <= content[name] <= MOST[name]
        for name in names
    }
    rules[f"size: two integers, 1 … {MOST['side']}"] = (
        isinstance(size, list)
        and len(size) == 2
        and all(type(side) is int and 1 <= side <= MOST["side"] for side in size)
    )
    rules["dropout: a number, 0 <= dropout < 1"] = (
        isinstance(dropout, int | float) and type(dropout) is not bool and 0 <= dropout < 1
    )
    rules["residual: true or false"] = type(content.get("residual")) is bool
    rules["source: nothing, or name (text), pictures and classes (integers)"] = source == {} or (
        isinstance(source, dict)
        and source.keys() == {"name", "pictures", "classes"}
        and isinstance(source["name"], str)
        and type(source["pictures"]) is type(source["classes"]) is int
    )
    if content.keys() != known:
        rules[f"the keys {', '.join(sorted(known))} and no others"] = False
    if faults := [rule for rule, holds in rules.items() if not holds]:
        raise ConfigError("the generator of augmenter.json is not described as it must be", faults)
    high, wide = content["size"]
    numbers = {name: content[name] for name in (*names, "dropout", "residual")}
    return Shape(**numbers, size=(high, wide))


def _said(channels: int, size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} px with {channels} channel{'s' * (channels != 1)}"
