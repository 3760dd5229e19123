"""What goes wrong with merging networks, measured on real pictures and said in words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from learnaug.methods.merge.networks import Merger

__all__ = ["PROBED", "warnings", "watch"]

PROBED = 64  # pictures merged to look at
NETS = 8  # nets of single classes whose units are looked at
BLURRED, DEAD, IGNORED, COLLAPSED = 1.2, 0.5, 0.1, 0.1


def watch(merger: Merger, inputs: Tensor, target: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return figures of what is known to go wrong; all are plain numbers.

    - sharpness of merged, mean-of-k and real pictures: mean absolute difference of neighbours;
    - to_mean, to_target: mean squared distance of the merged picture to either, in [0, 1];
    - dead: share of ReLU units (channels) that are 0 at every place of every picture;
    - shares: share of each of the k inputs in the gradient of the output, sum 1;
    - spread: standard deviation of merged pictures within a class, over that of the means of k.

    Args:
        merger: the net.
        inputs: float [B, k, C, H, W] in [0, 1].
        target: float [B, C, H, W] in [0, 1].
        labels: int64 [B].
    """
    merger.eval()
    inputs = inputs.detach().clone().requires_grad_()
    merged = merger(inputs, labels)
    (slope,) = torch.autograd.grad(merged.sum(), inputs)
    merged, given = merged.detach().clamp(0, 1), inputs.detach()
    mean = given.mean(1)
    pull = slope.abs().sum((0, 2, 3, 4))
    return {
        "sharpness": {
            "merged": _sharpness(merged), "mean": _sharpness(mean), "real": _sharpness(target),
        },
        "to_mean": _number((merged - mean).square().mean()),
        "to_target": _number((merged - target).square().mean()),
        "dead": _dead(merger, given, labels),
        "shares": [_number(share) for share in pull / pull.sum().clamp_min(1e-12)],
        "spread": _number(_spread(merged, labels) / max(1e-6, _spread(mean, labels))),
    }  # fmt: skip


def warnings(found: dict[str, Any], same: bool) -> list[str]:
    """Return a sentence for each figure that says that something went wrong.

    Args:
        found: what `watch` returned.
        same: whether all inputs are one picture, so that no input can be ignored.
    """
    said = []
    sharp = found["sharpness"]
    if not same and sharp["merged"] < BLURRED * sharp["mean"] < BLURRED * sharp["real"]:
        said.append(
            f"merged pictures are as blurred as the mean of their inputs: sharpness "
            f"{sharp['merged']:.3g}, mean {sharp['mean']:.3g}, real {sharp['real']:.3g}; "
            "hold it against mean-of-k"
        )
    if found["dead"] > DEAD:
        said.append(f"{found['dead']:.0%} of the ReLU units are dead; lower lr")
    least, fair = min(found["shares"]), 1 / len(found["shares"])
    if not same and len(found["shares"]) > 1 and least < IGNORED * fair:
        number = found["shares"].index(least) + 1
        said.append(f"input {number} is ignored: {least:.1%} of the gradient; lower k")
    if found["spread"] < COLLAPSED:
        said.append(
            f"merged pictures of a class are all alike: spread {found['spread']:.3g} of that of "
            "the means of k; A has had too few updates for its rate: optimiser=adam,lr=0.001 or "
            "more epochs; if it stays so, more alpha or less beta holds a collapse off"
        )
    return said


def _number(value: Any) -> float:
    return round(float(value), 6)


def _sharpness(pictures: Tensor) -> float:
    down, right = pictures.diff(dim=2).abs(), pictures.diff(dim=3).abs()
    parts = [part.mean() for part in (down, right) if part.numel()]
    return _number(sum(parts) / len(parts)) if parts else 0.0


def _spread(pictures: Tensor, labels: Tensor) -> float:
    parts = [pictures[labels == label] for label in torch.unique(labels)]
    spread = [part.std(0).mean() for part in parts if len(part) > 1]
    return float(torch.stack(spread).mean()) if spread else 0.0


@torch.no_grad()
def _dead(merger: Merger, inputs: Tensor, labels: Tensor) -> float:
    """Return the share of dead ReLU channels; 0 for a net without ReLU."""
    lives: list[Tensor] = []

    def note(part: nn.Module, given: Any, out: Tensor) -> None:
        lives.append((out > 0).flatten(2).any(2).any(0))

    for label in torch.unique(labels).tolist()[: NETS if merger.classes else 1]:
        net = merger.of_class(label)
        hooks = [p.register_forward_hook(note) for p in net.modules() if isinstance(p, nn.ReLU)]
        try:
            net(inputs[labels == label].flatten(1, 2) if merger.classes else inputs.flatten(1, 2))
        finally:
            for hook in hooks:
                hook.remove()
    return _number(1 - torch.cat(lives).float().mean()) if lives else 0.0
