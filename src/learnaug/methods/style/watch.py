"""What goes wrong with a CycleGAN, measured on training pictures and said in words."""

from __future__ import annotations

from torch import Tensor

__all__ = ["PROBED", "warnings", "watch"]

PROBED = 64  # training pictures that are painted to look at
# Chosen by us after two trainings at 64 px (docs/methods/style-transfer.md).
UNCHANGED, LOST, COLOURS = 0.03, 0.15, 0.3


def watch(images: Tensor, styled: Tensor, back: Tensor | None) -> dict[str, float]:
    """Return figures of what a generator made; distances are mean absolute ones, pixels in [0, 1].

    - changed: of the styled picture to the picture, |G(x) - x|;
    - cycle: of the picture that came back to the picture, |F(G(x)) - x|; absent without `back`;
    - beyond: share of the change that no straight line per channel and picture makes, so that it is
      more than new brightness, contrast and colours (0 … 1).

    Args:
        images, styled: uint8 [N, C, H, W].
        back: uint8 [N, C, H, W], or None.
    """
    x, g = images.double() / 255, styled.double() / 255
    found = {"changed": float((g - x).abs().mean()), "beyond": _beyond(x, g)}
    if back is not None:
        found["cycle"] = float((back.double() / 255 - x).abs().mean())
    return {name: round(value, 6) for name, value in found.items()}


def warnings(name: str, found: dict[str, float]) -> list[str]:
    """Return a sentence for each figure that says that something went wrong.

    Args:
        name: of the style.
        found: what `watch` returned.
    """
    said = []
    changed, cycle = found["changed"], found.get("cycle", 0.0)
    if changed < UNCHANGED:
        said.append(
            f"style {name}: learned nothing that shows: styled pictures are {changed:.3f} from the "
            f"pictures themselves (mean of |G(x) - x|, pixels in 0 … 1; below {UNCHANGED:g}); more "
            "updates, more pictures, or identity=0"
        )
    elif found["beyond"] < COLOURS:
        said.append(
            f"style {name}: only {found['beyond']:.0%} of the change is more than brightness, "
            "contrast and colour; hold it against style-statistics"
        )
    if cycle > LOST:
        said.append(
            f"style {name}: pictures do not come back: {cycle:.3f} from themselves after style and "
            "back (mean of |F(G(x)) - x|); what shows the class may be lost; more updates"
        )
    return said


def _beyond(x: Tensor, g: Tensor) -> float:
    """Return the part of |g - x|² that a least-squares line per picture and channel leaves."""
    p, q = x.flatten(2), g.flatten(2)
    p, q0 = p - p.mean(2, keepdim=True), q - q.mean(2, keepdim=True)
    slope = (p * q0).sum(2, keepdim=True) / p.square().sum(2, keepdim=True).clamp_min(1e-12)
    left = (q0 - slope * p).square().sum()
    whole = (g - x).square().sum()
    return float(left / whole) if whole > 0 else 0.0
