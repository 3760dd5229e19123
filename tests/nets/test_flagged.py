"""The DenseNet of DAGAN: its weights counted by hand, and a flag that decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learnaug.data import Batch, ImageSet
from learnaug.nets import build
from learnaug.nets.flagged import RealFlag, dagan_densenet, telling
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, fit, predict

CPU = torch.device("cpu")


def by_hand(channels: int, classes: int, k: int, flag: int) -> int:
    """Weights of the paper's net with transitions that keep the maps."""
    total, maps = 0, channels
    for _ in range(4):
        for _ in range(3):
            total += 9 * (maps + flag) * k + 2 * k  # convolution without bias, normalisation
            maps += k
        total += (maps + flag) * maps + 2 * maps
    return total + (maps + 1) * classes


@pytest.mark.parametrize(("channels", "classes"), [(1, 211), (3, 10)])
@pytest.mark.parametrize(
    ("name", "k", "flag"),
    [("dagan-densenet", 64, 1), ("dagan-densenet-plain", 64, 0), ("dagan-densenet-16", 16, 1)],
)
def test_weights_as_counted_by_hand(
    name: str, k: int, flag: int, channels: int, classes: int
) -> None:
    net = build(name, channels=channels, size=(28, 28), classes=classes, seeds=Seeds(0))
    assert sum(p.numel() for p in net.parameters()) == by_hand(channels, classes, k, flag)
    convolutions = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == 16
    assert sum(isinstance(part, RealFlag) for part in net.modules()) == 16 * flag
    assert [part.p for part in net.modules() if isinstance(part, nn.Dropout)] == 4 * [0, 0, 0.5, 0]


@pytest.mark.parametrize("side", [1, 7, 28])
def test_every_convolution_is_told(side: int) -> None:
    """The last map of what each convolution sees is the flag: 1 real, 0 generated."""
    net = dagan_densenet(2, (side, side), 3, growth=4).eval()
    seen: list[Tensor] = []
    for part in net.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_pre_hook(lambda part, given: seen.append(given[0][:, -1]))
    pictures = torch.randn(3, 2, side, side)
    with torch.no_grad():
        plain = net(pictures)
        assert all((flag == 1).all() for flag in seen)
        seen.clear()
        with telling(net, torch.tensor([False, True, False])):
            told = net(pictures)
        assert len(seen) == 16
        for flag in seen:
            assert (flag[[0, 2]] == 1).all()
            assert (flag[1] == 0).all()
        assert torch.equal(told[[0, 2]], plain[[0, 2]])
        assert not torch.equal(told[1], plain[1])
        assert torch.equal(net(pictures), plain)  # forgotten behind the block


def test_what_was_told_is_forgotten_after_a_fault() -> None:
    flag = RealFlag()
    with pytest.raises(RuntimeError), telling(flag, torch.tensor([True, False])):
        flag(torch.zeros(3, 1, 2, 2))
    assert flag(torch.zeros(3, 1, 2, 2))[:, 1].eq(1).all()


def world(n: int = 64) -> ImageSet:
    """Pictures that are bright above (class 0) or below (class 1)."""
    labels = np.arange(n) % 2
    images = np.random.default_rng(0).integers(0, 100, (n, 1, 8, 8)).astype(np.uint8)
    images[labels == 0, :, :4] += 120
    images[labels == 1, :, 4:] += 120
    ids = tuple(f"row {i}" for i in range(n))
    return ImageSet("halves", images, labels, ("up", "down"), ids, np.full(n, -1), np.full(n, ""))


class Lying:
    """Half of the pictures get the other label; they say that they are generated, or do not."""

    def __init__(self, says: bool) -> None:
        self.says = says

    def __call__(self, batch: Batch, source: ImageSet | None, seeds: Seeds) -> Batch:
        lies = torch.from_numpy(seeds.numpy().random(len(batch.images)) < 0.5)
        targets = torch.where(lies[:, None], batch.targets.flip(1), batch.targets)
        generated = lies if self.says else batch.generated
        return replace(batch, targets=targets, generated=generated)


def trained(net: nn.Module, says: bool, epochs: int) -> nn.Module:
    data = world()
    recipe = Recipe(epochs=epochs, batch_size=32, optimiser="adamw", lr=3e-3, weight_decay=0.0)
    return fit(
        net, data, None, (Phase(Lying(says)),), recipe,
        seeds=Seeds(0), device=CPU, precision="fp32", keep=Keep(),
    )  # fmt: skip


def right(model: nn.Module) -> float:
    data = world(200)
    return float((predict(model, data, CPU, "fp32").argmax(1) == data.labels).mean())


def test_the_flag_decides() -> None:
    """Pictures are alike; what is generated has the other label. Only one net can know."""

    def net(flag: bool) -> nn.Module:
        torch.manual_seed(0)
        return dagan_densenet(1, (8, 8), 2, growth=4, flag=flag)

    assert right(trained(net(flag=True), says=True, epochs=30)) > 0.95
    for flag, says in ((False, True), (True, False)):
        model = trained(net(flag), says, epochs=30)
        sure = predict(model, world(200), CPU, "fp32")
        assert abs(sure - 0.5).mean() < 0.3  # a coin, and knows it


def test_other_nets_notice_nothing() -> None:
    def net() -> nn.Module:
        return build("b1", channels=1, size=(8, 8), classes=2, seeds=Seeds(3))

    told, untold = (trained(net(), says, epochs=2).state_dict() for says in (True, False))
    assert all(torch.equal(value, untold[name]) for name, value in told.items())


def test_smallnet_with_the_flag_is_smallnet_and_one_map_more() -> None:
    plain = build("smallnet", channels=1, size=(28, 28), classes=5, seeds=Seeds(0))
    told = build("smallnet-flagged", channels=1, size=(28, 28), classes=5, seeds=Seeds(0))
    count = [sum(p.numel() for p in net.parameters()) for net in (plain, told)]
    assert count[1] - count[0] == 9 * (16 + 32 + 32)
    # Where the weights of the flag are 0 it is the same net.
    own = [part for part in told.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    theirs = [part for part in plain.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    for ours, other in zip(own, theirs, strict=True):
        ours.weight.data.zero_()
        ours.weight.data[:, : other.weight.shape[1]] = other.weight.data
        ours.bias.data.copy_(other.bias.data)
    x = torch.rand(4, 1, 28, 28)
    assert torch.allclose(told.eval()(x), plain.eval()(x), atol=1e-6)
    for ours in own[:-2]:
        ours.weight.data[:, -1] = 1.0
    with telling(told, torch.tensor([True, False, True, False])):
        scores = told(x)
    assert torch.allclose(scores[1::2], told(x)[1::2])
    assert not torch.allclose(scores[::2], told(x)[::2])
