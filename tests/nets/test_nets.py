"""The nets of the table: published sizes, any picture, keyed weights, gradients everywhere."""

import pytest
import torch
from torch import nn

from learnaug.errors import UsageError
from learnaug.nets import NETS, build, default_net
from learnaug.nets.wrn import wrn
from learnaug.seeds import Seeds


def weights(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def on_meta(name: str, channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    with torch.device("meta"):
        return NETS[name].build(channels, size, classes)


# (net, channels, side, classes, published weights, tolerance)
PUBLISHED = [
    ("smallnet", 3, 64, 2, 8_406_114, 0),  # counted by hand from the nine steps of the text
    ("resnet18", 3, 32, 10, 11_173_962, 0),  # the usual CIFAR ResNet-18
    ("densenet121", 3, 224, 1000, 7_978_856, 0),  # torchvision's page
    ("vgg16", 3, 224, 1000, 138_357_544, 0),
    ("resnet50", 3, 224, 1000, 25_557_032, 0),
    ("resnet200", 3, 224, 1000, 64_700_000, 50_000),  # the usual figure
    ("shake-shake-26-2x32d", 3, 32, 10, 2_900_000, 50_000),  # Gastaldi, table 3
    ("shake-shake-26-2x96d", 3, 32, 10, 26_200_000, 50_000),
    ("wrn-28-10", 3, 32, 10, 36_500_000, 50_000),  # Zagoruyko & Komodakis, tables 1 to 5
    ("wrn-16-2", 3, 32, 10, 700_000, 50_000),
]


@pytest.mark.parametrize(("name", "channels", "side", "classes", "count", "within"), PUBLISHED)
def test_weights_as_published(
    name: str, channels: int, side: int, classes: int, count: int, within: int
) -> None:
    found = weights(on_meta(name, channels, (side, side), classes))
    assert abs(found - count) <= within


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    [(40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (16, 8, 11.0), (16, 10, 17.1), (28, 12, 52.5)],
)
def test_wide_nets_have_the_weights_of_the_papers_table(
    depth: int, width: int, millions: float
) -> None:
    with torch.device("meta"):
        net = wrn(3, (32, 32), 10, depth=depth, width=width)
    assert weights(net) / 1e6 == pytest.approx(millions, abs=0.051)


def test_b1_has_the_dense_layer_of_the_text() -> None:
    net = on_meta("b1", 1, (9, 9), 2)
    assert weights(net) == (9 * 16 + 16) + 2 * 32 + (16 * 9 * 8 + 8) + 16 + 9 * 1024 + 1025 * 2


SMALL = ["smallnet", "b1", "wrn-16-2"]
LARGE = ["resnet18", "wrn-28-10", "densenet121", "vgg16", "resnet50"]
DEEP = ["resnet200", "shake-shake-26-2x32d", "shake-shake-26-2x96d", "pyramidnet-272"]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (64, 64), (9, 31)])
def test_any_size_and_channels(name: str, channels: int, size: tuple[int, int]) -> None:
    net = build(name, channels=channels, size=size, classes=5, seeds=Seeds(0)).eval()
    scores = net(torch.rand(2, channels, *size))
    assert scores.shape == (2, 5)
    assert scores.isfinite().all()


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (64, 64), (70, 63), (224, 224)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_large_nets_take_any_size_and_channels(
    name: str, size: tuple[int, int], channels: int
) -> None:
    """On the meta device: shapes without arithmetic."""
    net = on_meta(name, channels, size, 7).eval()
    assert net(torch.empty(2, channels, *size, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize(
    ("channels", "size", "classes"), [(1, (28, 28), 2), (3, (32, 32), 100), (4, (70, 63), 7)]
)
def test_deep_nets_take_any_size_and_channels(
    name: str, channels: int, size: tuple[int, int], classes: int
) -> None:
    net = on_meta(name, channels, size, classes)
    assert net(torch.empty(2, channels, *size, device="meta")).shape == (2, classes)


def test_smallnet_does_not_grow_past_the_papers_head() -> None:
    for side in (65, 100, 224, 256):
        net = on_meta("smallnet", 3, (side, side), 2)
        assert net(torch.empty(1, 3, side, side, device="meta")).shape == (1, 2)
        assert weights(net) <= 8_406_114


def test_published_stem_from_64_pixels_on_and_the_small_one_below() -> None:
    assert on_meta("resnet50", 1, (64, 64), 2).get_submodule("conv1").stride == (2, 2)  # type: ignore[comparison-overlap]
    small = on_meta("resnet50", 1, (63, 80), 2)
    assert small.get_submodule("conv1").stride == (1, 1)  # type: ignore[comparison-overlap]
    assert isinstance(small.get_submodule("maxpool"), nn.Identity)
    assert on_meta("resnet200", 3, (64, 64), 2).get_submodule("conv1").stride == (2, 2)  # type: ignore[comparison-overlap]
    assert isinstance(on_meta("resnet200", 3, (32, 32), 2).get_submodule("maxpool"), nn.Identity)
    assert weights(on_meta("vgg16", 3, (32, 32), 10)) == 14_714_688 + 512 * 513 + 513 * 10


@pytest.mark.parametrize("name", ["smallnet", "b1", "wrn-16-2", "resnet18", "vgg16"])
def test_same_seeds_same_weights_and_the_global_generator_stays(name: str) -> None:
    before = torch.get_rng_state()

    def make(root: int) -> dict[str, torch.Tensor]:
        net = build(name, channels=1, size=(8, 8), classes=3, seeds=Seeds(root).child("init"))
        return net.state_dict()

    a, b, c = make(0), make(0), make(1)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "name", ["smallnet", "b1", "wrn-16-2", "resnet18", "densenet121", "resnet50", "vgg16"]
)
def test_gradients_reach_every_weight(name: str) -> None:
    net = build(name, channels=2, size=(16, 16), classes=3, seeds=Seeds(0))
    gen = Seeds(1).torch()
    with torch.random.fork_rng(devices=[]):
        scores = net(torch.rand(8, 2, 16, 16, generator=gen))
        nn.functional.cross_entropy(scores, torch.arange(8) % 3).backward()
    dead = [k for k, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A bias before a batch normalisation cannot matter: the mean takes it away again.
    assert [k for k in dead if not k.endswith("bias")] == []


def test_small_nets_can_learn_16_pictures() -> None:
    gen = Seeds(3).torch()
    images, labels = torch.rand(16, 1, 8, 8, generator=gen), torch.arange(16) % 4
    with torch.random.fork_rng(devices=[]):
        for name in ("smallnet", "b1"):
            net = build(name, channels=1, size=(8, 8), classes=4, seeds=Seeds(0))
            optimiser = torch.optim.Adam(net.parameters(), 3e-3)
            for _ in range(60):
                loss = nn.functional.cross_entropy(net(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            assert (net.eval()(images).argmax(1) == labels).float().mean() > 0.9, name


def test_default_follows_size_and_count() -> None:
    assert default_net(500, (8, 8)) == "smallnet"
    assert default_net(500, (28, 28)) == "wrn-16-2"
    assert default_net(50, (28, 28)) == "smallnet"
    assert default_net(None, (64, 48)) == "smallnet"
    assert isinstance(
        build(None, channels=1, size=(8, 8), classes=2, seeds=Seeds(0))[0],  # type: ignore[index]
        nn.Conv2d,
    )


@pytest.mark.parametrize("name", ["wrn-17-2", "wrn-4-2", "wrn-16-0", "wrn-16-33", "wrn-256-1"])
def test_wrong_wide_nets_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="wide residual net must be"):
        build(name, channels=1, size=(8, 8), classes=2, seeds=Seeds(0))


# ---------------------------------------------------------------- feature pyramids

PYRAMIDS = ["fpn-small", "fpn-densenet121"]


@pytest.mark.parametrize("name", PYRAMIDS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 64), (96, 64), (100, 75), (512, 512)])
def test_pyramids_score_every_pixel(name: str, channels: int, size: tuple[int, int]) -> None:
    """On the meta device: shapes without arithmetic."""
    net = on_meta(name, channels, size, 11).eval()
    scores = net(torch.empty(2, channels, *size, device="meta"))
    assert scores.shape == (2, 11, *size)


def test_pyramids_have_the_weights_that_are_counted_by_hand() -> None:
    dense = on_meta("fpn-densenet121", 3, (224, 224), 11)
    assert weights(dense.get_submodule("encoder")) == 6_953_856  # DenseNet-121 without its head
    sides = sum(channels * 256 + 256 for channels in (256, 512, 1024, 1024))
    blocks = 4 * 256 * 128 * 9 + (0 + 0 + 1 + 2) * 128 * 128 * 9 + (1 + 1 + 2 + 3) * 2 * 128
    assert weights(dense) == 6_953_856 + sides + blocks + 128 * 11 + 11
    small = on_meta("fpn-small", 1, (64, 64), 2)
    stages = 9 * (1 * 32 + 32 * 64 + 64 * 64 + 64 * 96 + 96 * 96 + 96 * 128 + 128 * 128)
    norms = 2 * (32 + 2 * 64 + 2 * 96 + 2 * 128)
    sides = sum(width * 32 + 32 for width in (32, 64, 96, 128))
    blocks = (1 + 1 + 2 + 3) * (9 * 32 * 32 + 2 * 32)
    assert weights(small) == stages + norms + sides + blocks + 32 * 2 + 2


def test_the_dense_encoder_computes_what_torchvisions_features_do() -> None:
    """Its last map is DenseNet's own, and the other three lie behind the transitions' ReLU."""
    net = build(
        "fpn-densenet121", channels=3, size=(64, 64), classes=2, seeds=Seeds(0),
        task="segmentation",
    ).eval()  # fmt: skip
    encoder = net.get_submodule("encoder")
    features = encoder.get_submodule("features")
    seen: dict[str, torch.Tensor] = {}
    for k in (1, 2, 3):
        relu = features.get_submodule(f"transition{k}.relu")
        relu.register_forward_hook(lambda part, given, out, k=k: seen.update({str(k): out.clone()}))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        last = features(images).relu()
        maps = encoder(images)
    torch.testing.assert_close(maps[3], last)
    for k in (1, 2, 3):
        torch.testing.assert_close(maps[k - 1], seen[str(k)])
    assert [m.shape[2] for m in maps] == [16, 8, 4, 2]


def test_gradients_reach_every_weight_of_the_pyramid() -> None:
    net = build(
        "fpn-small", channels=2, size=(40, 33), classes=3, seeds=Seeds(0), task="segmentation"
    )
    scores = net(torch.rand(2, 2, 40, 33, generator=torch.Generator().manual_seed(0)))
    scores.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert all(p.grad.any() for p in net.parameters() if p.grad is not None)


def test_pyramids_refuse_pictures_that_are_too_small() -> None:
    for name in PYRAMIDS:
        with pytest.raises(UsageError, match="sides of 32 pixels or more"):
            on_meta(name, 3, (31, 64), 2)


def test_the_default_net_follows_the_task() -> None:
    assert default_net(500, (28, 28), "segmentation") == "fpn-small"
    assert NETS[default_net(500, (64, 64), "segmentation")].task == "segmentation"
