"""Networks that make one picture of k: one for all classes, or one of its own for each class."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from learnaug.errors import ConfigError, UsageError, nearest
from learnaug.nets import keyed
from learnaug.seeds import Seeds

__all__ = [
    "NETWORKS",
    "Factory",
    "Merger",
    "Residual",
    "augnet",
    "build",
    "painted",
    "smart",
    "to_bytes",
]

Factory = Callable[[int, int], nn.Module]

PLACES = 2000  # places of a class in a batch from which a call of its own is the faster way


def smart(inputs: int, channels: int) -> nn.Sequential:
    """Return network A of Lemley et al. 2017: [B, inputs, H, W] -> [B, channels, H, W] in [0, 1].

    Example:
        >>> smart(2, 1)(torch.zeros(4, 2, 8, 8)).shape
        torch.Size([4, 1, 8, 8])
    """
    return nn.Sequential(
        *(nn.Conv2d(inputs, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 16, 5, padding=2), nn.ReLU()),
        *(nn.Conv2d(16, 32, 7, padding=3), nn.ReLU()),
        *(nn.Conv2d(32, 32, 5, padding=2), nn.ReLU()),
        *(nn.Conv2d(32, channels, 1), nn.Sigmoid()),
    )


def augnet(inputs: int, channels: int) -> nn.Sequential:
    """Return AugNet of Perez & Wang 2017: [B, inputs, H, W] -> [B, channels, H, W], not bounded.

    Example:
        >>> sum(p.numel() for p in augnet(6, 3).parameters())
        8275
    """
    widths = (inputs, 16, 16, 16)
    hidden = [part for w in widths for part in (nn.Conv2d(w, 16, 3, padding=1), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Conv2d(16, channels, 3, padding=1))


class Residual(nn.Module):
    """The mean of the k pictures plus what AugNet adds to it: [B, k C, H, W] -> [B, C, H, W].

    A's last layer starts at 0, so that the first merged pictures are those of `mean-of-k` and not
    one grey: what is learned is learned on top of the control. Ours; the papers start anywhere.

    Example:
        >>> net = Residual(4, 2)
        >>> pictures = torch.rand(3, 4, 8, 8)
        >>> bool((net(pictures) == (pictures[:, :2] + pictures[:, 2:]) / 2).all())
        True
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.change = augnet(inputs, channels)
        for weight in self.change[-1].parameters():
            nn.init.zeros_(weight)

    def forward(self, flat: Tensor) -> Tensor:
        """Return the merged pictures; not bounded."""
        count, _, height, width = flat.shape
        mean = flat.view(count, -1, self.channels, height, width).mean(1)
        merged: Tensor = mean + self.change(flat)
        return merged


NETWORKS: dict[str, Factory] = {"smart": smart, "augnet": augnet, "residual": Residual}


class Merger(nn.Module):
    """Makes one picture of k pictures of a class.

    With one net for each class the parameters lie stacked on a first axis. Where a class has enough
    places (pictures x pixels) in the batch, the pictures are sorted by class and each class of the
    batch is one call; else each picture takes the weights of its class in one call for all
    (grouped convolutions). Neither is a call for each picture. Such a net must not change itself in
    its forward pass (no running statistics).

    Shapes: inputs float [B, k, C, H, W] in [0, 1], labels int64 [B] -> float [B, C, H, W].

    Args:
        factory: called with (k C, C); gives a net [B, k C, H, W] -> [B, C, H, W].
        k: pictures merged into one.
        channels: C.
        classes: number of nets where each class has its own; None: one for all.
        seeds: first weights are drawn from it.
    """

    def __init__(
        self, factory: Factory, k: int, channels: int, classes: int | None, seeds: Seeds
    ) -> None:
        super().__init__()
        self.k, self.channels, self.classes = k, channels, classes
        nets = []
        for number in range(classes or 1):
            with keyed(seeds.child("class", number)):
                nets.append(_made(factory, k, channels))
        self.net = nets[0]
        if classes is not None:
            self._stack(nets)

    def _stack(self, nets: list[nn.Module]) -> None:
        if any(True for _ in self.net.buffers()):
            raise UsageError(
                "a net with running statistics (batch normalisation) cannot be one net for each "
                "class",
                mend="use group normalisation, or per_class=False",
            )
        self.names = tuple(name for name, _ in self.net.named_parameters())
        rows = [dict(net.named_parameters()) for net in nets]
        self.stacked = nn.ParameterList(
            [torch.stack([row[name].detach() for row in rows]) for name in self.names]
        )
        self.net.requires_grad_(False).to("meta")
        self.plain = (self.net,)  # in a tuple: its layers without weights are no part of the state
        del self.net

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the merged pictures."""
        flat = inputs.flatten(1, 2)
        if self.classes is None:
            merged: Tensor = self.net(flat.contiguous(memory_format=torch.channels_last))
            return merged
        classes, place, counts = torch.unique(labels, return_inverse=True, return_counts=True)
        places = len(flat) * flat.shape[2] * flat.shape[3]
        if places >= PLACES * len(classes):
            return self._by_class(flat, classes, place, counts)
        return self._by_picture(flat, labels)

    def _by_class(self, flat: Tensor, classes: Tensor, place: Tensor, counts: Tensor) -> Tensor:
        order = place.argsort(stable=True)
        ordered = flat[order].contiguous(memory_format=torch.channels_last)
        rows = [weight[classes].unbind() for weight in self.stacked]
        sorted_by_class = torch.split(ordered, counts.tolist())
        parts = [
            functional_call(self.plain[0], dict(zip(self.names, own, strict=True)), (pictures,))
            for *own, pictures in zip(*rows, sorted_by_class, strict=True)
        ]
        return torch.cat(parts)[order.argsort()]

    def _by_picture(self, flat: Tensor, labels: Tensor) -> Tensor:
        weights = {n: p[labels] for n, p in zip(self.names, self.stacked, strict=True)}
        net = self.plain[0]

        def one(own: dict[str, Tensor], picture: Tensor) -> Any:
            return functional_call(net, own, (picture,))

        merged: Tensor = vmap(one, randomness="different")(weights, flat[:, None])[:, 0]
        return merged

    def of_class(self, label: int) -> nn.Module:
        """Return the plain net [B, k C, H, W] -> [B, C, H, W] that serves a class."""
        if self.classes is None:
            return self.net
        own = {n: p[label].detach() for n, p in zip(self.names, self.stacked, strict=True)}
        net = copy.deepcopy(self.plain[0])
        net.load_state_dict(own, assign=True)
        return net


def build(
    network: str | Factory, k: int, channels: int, classes: int | None, seeds: Seeds
) -> Merger:
    """Return a merger with first weights drawn from `seeds` alone.

    Args:
        network: a name of NETWORKS, or a function (inputs, channels) -> module.
        k, channels, classes, seeds: as in `Merger`.

    Raises:
        ConfigError: the name is not known.
        UsageError: what the function gave is no net of that shape.

    Example:
        >>> merger = build("augnet", 2, 3, 5, Seeds(0))
        >>> merger(torch.zeros(4, 2, 3, 8, 8), torch.tensor([0, 4, 4, 1])).shape
        torch.Size([4, 3, 8, 8])
    """
    if isinstance(network, str) and network not in NETWORKS:
        hint = nearest(network, tuple(NETWORKS))
        raise ConfigError(f"network {network!r} is not known; {hint}")
    factory = NETWORKS[network] if isinstance(network, str) else network
    return Merger(factory, k, channels, classes, seeds)


def _made(factory: Factory, k: int, channels: int) -> nn.Module:
    net = factory(k * channels, channels)
    given: object = net
    if not isinstance(given, nn.Module) or not any(True for _ in net.parameters()):
        raise UsageError(
            "the network that merges must be a torch.nn.Module with parameters, but the function "
            f"gave {type(net).__name__}"
        )
    with torch.no_grad():
        found = net.eval()(torch.zeros(2, k * channels, 8, 8))
    net.train()
    if not isinstance(found, Tensor) or found.shape != (2, channels, 8, 8):
        got = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise UsageError(
            f"the network that merges must give [2, {channels}, 8, 8] for "
            f"[2, {k * channels}, 8, 8], but gave {got}",
            mend="keep height and width, and end with `channels` channels",
        )
    return net


@torch.no_grad()
def painted(merger: Merger, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return what the net makes of its inputs in evaluation mode: uint8 [B, C, H, W].

    Args:
        merger: the net; its mode is what it was before.
        inputs: float [B, k, C, H, W] in [0, 1].
        labels: int64 [B].
    """
    mode = merger.training
    merger.eval()
    merged = to_bytes(merger(inputs, labels))
    merger.train(mode)
    return merged


def to_bytes(pictures: Tensor) -> Tensor:
    """Return float pictures, cut to [0, 1], as uint8."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8)
