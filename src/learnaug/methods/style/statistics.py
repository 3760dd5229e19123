"""The cheap control: pictures take on mean and spread of a style picture's colours."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnaug import rundir
from learnaug.errors import ConfigError
from learnaug.methods.style.domains import LUMA, Style
from learnaug.seeds import Seeds

__all__ = ["HOWS", "Statistics", "measured", "read_statistics"]

WEIGHTS = "styles.safetensors"
HOWS = ("channels", "covariance")
KEYS = {"styles", "counts", "how"}
SMALL = 1.0  # added to variances, in squared levels of 0 … 255: flat pictures are not blown up


@dataclass(frozen=True, eq=False)
class Statistics:
    """Moves mean and spread of each picture's colours to those of a random picture of a style.

    With "channels", v -> (v - mean) · sd' / sd + mean' for each channel; with "covariance" the
    3 x 3 map that takes the picture's colour covariance to the other's and moves colours least.
    Alpha stays as it is; grey pictures take on the luma of the style's.

    Args:
        styles: names.
        counts: pictures of each.
        how: "channels" or "covariance".
        means: float32 [N, 3], of the style pictures, one style after another, in 0 … 255.
        spreads: float32 [N, 3, 3], their covariances.
    """

    styles: tuple[str, ...]
    counts: tuple[int, ...]
    how: str
    means: Tensor
    spreads: Tensor
    kind: str = field(default="style-statistics", init=False)

    def make(self, images: Tensor, seeds: Seeds) -> Tensor:
        """Return each picture with the colours of a random style: uint8 [B, C, H, W] -> same."""
        gen = seeds.numpy()
        style = gen.integers(0, len(self.styles), len(images))
        first = np.cumsum(self.counts) - self.counts
        place = first[style] + gen.integers(0, np.array(self.counts)[style])
        return self.moved(images, place.astype(np.int64))

    def moved(self, images: Tensor, place: NDArray[np.int64]) -> Tensor:
        """Return pictures with the colours of the style pictures at these places.

        Args:
            images: uint8 [B, C, H, W].
            place: int64 [B].
        """
        at = torch.from_numpy(place)
        means, spreads = self.means[at].to(images.device), self.spreads[at].to(images.device)
        colours = images[:, :3].float()
        if colours.shape[1] == 1:
            luma = torch.tensor(LUMA, device=images.device)
            means, spreads = (means @ luma)[:, None], (luma @ spreads @ luma)[:, None, None]
        flat = colours.flatten(2)
        mean, spread = _moments(flat)
        change = _between(spread, spreads, self.how)
        moved = change @ (flat - mean[:, :, None]) + means[:, :, None]
        out = images.clone()
        out[:, :3] = moved.round().clamp(0, 255).byte().view_as(colours)
        return out

    def describe(self) -> dict[str, Any]:
        """Return the styles and how colours are moved."""
        which = {
            "channels": "mean and deviation of each channel",
            "covariance": "mean and covariance",
        }
        names = ", ".join(self.styles)
        line = f"the picture itself with the {which[self.how]} of a random picture of {names}"
        return {"line": line, **self._facts()}

    def save(self, folder: Path) -> dict[str, Any]:
        """Write means and covariances; return what `read` needs beside."""
        rundir.save_tensors(folder / WEIGHTS, {"means": self.means, "spreads": self.spreads})
        return self._facts()

    def _facts(self) -> dict[str, Any]:
        return {"styles": list(self.styles), "counts": list(self.counts), "how": self.how}


def measured(styles: tuple[Style, ...], how: str) -> Statistics:
    """Return the control of these styles.

    Args:
        styles: with 3 channels.
        how: "channels" or "covariance".
    """
    found = [
        _moments(torch.from_numpy(part).float().flatten(2))
        for style in styles
        for part in np.array_split(style.images, -(-len(style.images) // 256))
    ]
    means, spreads = (torch.cat(parts) for parts in zip(*found, strict=True))
    names, counts = (style.name for style in styles), (len(style.images) for style in styles)
    return Statistics(tuple(names), tuple(counts), how, means, spreads)


def read_statistics(folder: Path, facts: dict[str, Any]) -> Statistics:
    """Return what `save` wrote.

    Raises:
        ConfigError: the facts break the schema, or do not fit the numbers.
        DataError: the numbers are missing or damaged.
    """
    styles, counts, how = (facts.get(key) for key in ("styles", "counts", "how"))
    fits = (
        facts.keys() == KEYS
        and isinstance(styles, list)
        and isinstance(counts, list)
        and 0 < len(set(map(str, styles))) == len(styles) == len(counts)
        and all(isinstance(name, str) for name in styles)
        and all(type(count) is int and count > 0 for count in counts)
        and how in HOWS
    )
    if not fits or not isinstance(styles, list) or not isinstance(counts, list):
        raise ConfigError(
            "augmenter.json must list styles, as many counts >= 1, and how colours are moved "
            f"({', '.join(HOWS)})"
        )
    tensors = rundir.load_tensors(folder / WEIGHTS)
    number = sum(counts)
    wanted = {"means": (number, 3), "spreads": (number, 3, 3)}
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    if shapes != wanted or any(value.dtype != torch.float32 for value in tensors.values()):
        raise ConfigError(f"{WEIGHTS} must hold {wanted} in float32, but holds {shapes}")
    return Statistics(tuple(styles), tuple(counts), str(how), tensors["means"], tensors["spreads"])


def _moments(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Return means [N, C] and covariances [N, C, C] of pixels float [N, C, P]."""
    mean = flat.mean(2)
    apart = flat - mean[:, :, None]
    return mean, apart @ apart.transpose(1, 2) / flat.shape[2]


def _between(own: Tensor, other: Tensor, how: str) -> Tensor:
    """Return the linear maps of colours [B, C, C] from covariances to others."""
    room = SMALL * torch.eye(own.shape[1], device=own.device)
    own, other = own + room, other + room
    if how == "channels":
        deviation = (other.diagonal(dim1=1, dim2=2) / own.diagonal(dim1=1, dim2=2)).sqrt()
        return torch.diag_embed(deviation)
    root, back = _power(own, 0.5), _power(own, -0.5)
    change: Tensor = back @ _power(root @ other @ root, 0.5) @ back
    return change


def _power(matrices: Tensor, exponent: float) -> Tensor:
    """Return a power of symmetric positive matrices [B, C, C]."""
    values, vectors = torch.linalg.eigh(matrices.double())
    powers = values.clamp_min(1e-9) ** exponent
    whole = vectors @ torch.diag_embed(powers) @ vectors.transpose(1, 2)
    powered: Tensor = whole.to(matrices.dtype)
    return powered
