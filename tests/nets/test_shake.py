"""Shake-Shake and PyramidNet with ShakeDrop: factors, layouts, keyed randomness, training."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from learnaug import rundir
from learnaug.data import ImageSet
from learnaug.errors import UsageError
from learnaug.methods.table import augmenter
from learnaug.nets import build, keyed
from learnaug.nets.pyramidnet import PyramidBlock, pyramidnet
from learnaug.nets.rng import uniform
from learnaug.nets.shake import ShakeDrop, ShakeShake, scaled
from learnaug.nets.shakeshake import ShiftedSkip, shake_shake
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, Stopped, fit

CPU = torch.device("cpu")


def tiny_shake(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    return shake_shake(channels, size, classes, depth=8, width=4)


def tiny_pyramid(channels: int, size: tuple[int, int], classes: int) -> nn.Module:
    return pyramidnet(channels, size, classes, depth=11, alpha=12)


TINY = [tiny_shake, tiny_pyramid]
Factory = Callable[[int, tuple[int, int], int], nn.Module]


def numbers(*shape: int, root: int = 0) -> Tensor:
    return torch.from_numpy(Seeds(root).numpy().standard_normal(shape)).float()


# ---------------------------------------------------------------- the factors


def test_scaled_against_a_loop_by_hand() -> None:
    x, up = numbers(3, 2, 4, 5), numbers(3, 2, 4, 5, root=1)
    ahead, back = [0.25, -0.5, 1.0], [4.0, 0.125, -2.0]  # powers of 2: no rounding
    leaf = x.clone().requires_grad_()
    y = scaled(leaf, torch.tensor(ahead), torch.tensor(back))
    y.backward(up)  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    for i in range(3):
        for place in np.ndindex(2, 4, 5):
            assert float(y.detach()[i][place]) == float(x[i][place]) * ahead[i]
            assert float(leaf.grad[i][place]) == float(up[i][place]) * back[i]


def test_equal_factors_are_an_ordinary_product() -> None:
    """PyTorch's own check by finite differences, of first and second derivatives."""
    x = numbers(2, 3).double().requires_grad_()
    factor = torch.tensor([0.3, -0.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: scaled(v**2, factor, factor), x)
    assert torch.autograd.gradgradcheck(lambda v: scaled(v**2, factor, factor), x)


def test_the_number_format_stays_in_both_directions() -> None:
    x = numbers(2, 3, 4, 4).bfloat16().requires_grad_()
    y = ShakeShake()(x, x)
    y.sum().backward()
    assert y.dtype == ShakeDrop(0.5)(x).dtype == torch.bfloat16
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    assert ShakeDrop(0.5).eval()(x).dtype == ShakeShake().eval()(x, x).dtype == torch.bfloat16


def test_shake_shake_mixes_by_independent_uniform_numbers() -> None:
    """With a = 1 and b = 0 the output is alpha and the gradient of a is beta."""
    n = 4000
    a, b = torch.ones(n, 1, requires_grad=True), torch.zeros(n, 1, requires_grad=True)
    with keyed(Seeds(5)):
        out = ShakeShake()(a, b)
        out.sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    alpha, beta = out.detach().numpy().ravel(), a.grad.numpy().ravel()
    assert stats.kstest(alpha, "uniform").pvalue > 0.01
    assert stats.kstest(beta, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(alpha, beta)[0, 1]) < 0.05
    np.testing.assert_allclose(b.grad.numpy().ravel(), 1 - beta, atol=1e-7)
    with keyed(Seeds(5)):
        other = ShakeShake()(torch.zeros(n, 1), torch.ones(n, 1))
    np.testing.assert_allclose(other.numpy().ravel(), 1 - alpha, atol=1e-7)


def test_shake_shake_evaluates_the_mean_of_training() -> None:
    a, b = numbers(1, 6), numbers(1, 6, root=1)
    layer = ShakeShake()
    with keyed(Seeds(0)):
        mean = layer(a.expand(40_000, 6), b.expand(40_000, 6)).mean(0)
    torch.testing.assert_close(layer.eval()(a, b)[0], mean, atol=0.01, rtol=0)
    torch.testing.assert_close(layer(a, b), (a + b) / 2)


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_shake_drop_keeps_a_batch_or_disturbs_every_picture(keep: float) -> None:
    layer, kept, ahead, back = ShakeDrop(keep), 0, [], []
    with keyed(Seeds(3)):
        for _ in range(3000):
            x = torch.ones(3, 1, requires_grad=True)
            y = layer(x)
            y.sum().backward()
            assert x.grad is not None
            if bool((y == 1).all()):
                kept += 1
                assert x.grad.flatten().tolist() == [1, 1, 1]
            else:
                ahead += y.flatten().tolist()
                back += x.grad.flatten().tolist()
    assert stats.binomtest(kept, 3000, keep).pvalue > 0.01
    assert stats.kstest(ahead, "uniform", (-1, 2)).pvalue > 0.01
    assert stats.kstest(back, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(ahead, back)[0, 1]) < 0.1
    mean = (kept * 3 + sum(ahead)) / 9000
    assert float(layer.eval()(torch.ones(1))) == pytest.approx(keep)
    assert mean == pytest.approx(keep, abs=0.03)


def test_uniform_draws_what_the_key_says() -> None:
    def drawn(root: int) -> Tensor:
        with keyed(Seeds(root)):
            return uniform(4)

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    state = torch.get_rng_state()
    for layer in (ShakeShake().eval(), ShakeDrop(0.5).eval()):
        layer(*[torch.ones(2, 1)] * (2 if isinstance(layer, ShakeShake) else 1))
    assert torch.equal(state, torch.get_rng_state())


# ---------------------------------------------------------------- the layouts


@pytest.mark.parametrize(
    ("depth", "alpha", "millions"),
    [(164, 270, 27.0), (200, 240, 26.6), (236, 220, 26.8), (272, 200, 26.0)],
)
def test_pyramids_have_the_weights_of_the_papers_table(
    depth: int, alpha: int, millions: float
) -> None:
    """Han et al., table 4, which counts no batch normalisation."""
    with torch.device("meta"):
        net = pyramidnet(3, (32, 32), 10, depth=depth, alpha=alpha)
    assert sum(p.numel() for p in net.parameters() if p.ndim > 1) / 1e6 == pytest.approx(
        millions, abs=0.051
    )
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(convolutions) == depth


@pytest.mark.parametrize(("width", "millions"), [(32, 2.9), (64, 11.7), (96, 26.2)])
def test_shake_shake_nets_have_the_weights_of_the_papers_table(width: int, millions: float) -> None:
    with torch.device("meta"):
        net = shake_shake(3, (32, 32), 10, width=width)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.051)
    one = [m for k, m in net.named_modules() if isinstance(m, nn.Conv2d) and ".two" not in k]
    assert len([m for m in one if m.kernel_size == (3, 3)]) + 1 == 26  # and the dense layer


def test_shake_drop_falls_in_equal_steps_to_a_half_and_widths_rise() -> None:
    with torch.device("meta"):
        net = pyramidnet(3, (32, 32), 10)
    keeps = [m.keep for m in net.modules() if isinstance(m, ShakeDrop)]
    assert len(keeps) == 90
    np.testing.assert_allclose(keeps, 1 - np.arange(1, 91) / 180)
    outside = [int(b.get_submodule("branch.8").weight.shape[0]) for b in net[2:92]]  # type: ignore[union-attr, misc]
    assert (outside[0], outside[-1]) == (4 * 18, 4 * 216)
    assert {b - a for a, b in pairwise(outside)} == {8, 12}


def test_shifted_skip_sees_the_pixels_that_the_stride_leaves_out() -> None:
    skip = ShiftedSkip(1, 2, 2).eval()
    nn.init.ones_(skip.conv1.weight)
    nn.init.ones_(skip.conv2.weight)
    x = numbers(1, 1, 5, 7)
    with torch.no_grad():
        out = skip(x)[0].numpy() * np.sqrt(1 + skip.bn.eps)
    active = np.maximum(x[0, 0].numpy(), 0)
    for row in range(3):
        for column in range(4):
            assert out[0, row, column] == pytest.approx(active[2 * row, 2 * column], abs=1e-5)
            inside = row > 0 and column > 0
            other = active[2 * row - 1, 2 * column - 1] if inside else 0
            assert out[1, row, column] == pytest.approx(other, abs=1e-5)


def test_a_pyramids_skip_averages_real_pixels_and_ends_in_empty_channels() -> None:
    block = PyramidBlock(2, 1, 2, 0.5).eval()
    last = block.get_submodule("branch.8")
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    x = numbers(1, 2, 5, 3)
    with torch.no_grad():
        out = block(x)[0].numpy()
    assert out.shape == (4, 3, 2)
    for channel, row, column in np.ndindex(2, 3, 2):
        window = x[0, channel].numpy()[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert out[channel, row, column] == pytest.approx(window.mean(), abs=1e-6)
    assert not out[2:].any()


@pytest.mark.parametrize("factory", TINY)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "classes"), [((28, 28), 2), ((33, 29), 7), ((9, 31), 100)])
def test_tiny_nets_score_and_train_every_weight(
    factory: Factory, channels: int, size: tuple[int, int], classes: int
) -> None:
    net = build(factory, channels=channels, size=size, classes=classes, seeds=Seeds(0))
    with keyed(Seeds(1)):
        scores = net(numbers(6, channels, *size))
    assert scores.shape == (6, classes)
    nn.functional.cross_entropy(scores, torch.arange(6) % classes).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert all(p.grad.any() for p in net.parameters() if p.grad is not None)
    assert net.eval()(numbers(1, channels, *size)).isfinite().all()


@pytest.mark.parametrize("depth", [7, 9, 2, 254])
def test_wrong_depths_of_shake_shake_are_refused(depth: int) -> None:
    with pytest.raises(UsageError, match=r"must be 6 N \+ 2"):
        shake_shake(3, (32, 32), 10, depth=depth)


@pytest.mark.parametrize("width", [0, 5, 514])
def test_wrong_widths_of_shake_shake_are_refused(width: int) -> None:
    with pytest.raises(UsageError, match="must be even"):
        shake_shake(3, (32, 32), 10, width=width)


def test_wrong_pyramids_are_refused() -> None:
    for depth in (2, 12, 1010):
        with pytest.raises(UsageError, match=r"must be 9 N \+ 2"):
            pyramidnet(3, (32, 32), 10, depth=depth)
    for alpha in (0, 1001):
        with pytest.raises(UsageError, match="alpha of a PyramidNet must be"):
            pyramidnet(3, (32, 32), 10, alpha=alpha)


# ---------------------------------------------------------------- training


def separable() -> ImageSet:
    """48 noisy pictures of 3 classes: which third of the rows is bright."""
    labels = np.arange(48) % 3
    images = Seeds(9).numpy().integers(0, 120, (48, 1, 12, 12)).astype(np.uint8)
    for picture, label in zip(images, labels, strict=True):
        picture[0, 4 * label : 4 * label + 4] += 130
    ids = tuple(map(str, range(48)))
    return ImageSet("rows", images, labels, tuple("abc"), ids, labels * 0 - 1, np.full(48, ""))


def trained(
    factory: Factory, recipe: Recipe, keep: Keep, precision: str = "fp32"
) -> dict[str, Tensor]:
    data = separable()
    net = build(factory, channels=1, size=(12, 12), classes=3, seeds=Seeds(0).child("init"))
    curriculum = (Phase(augmenter("none")),)
    model = fit(
        net, data, data, curriculum, recipe,
        seeds=Seeds(0).child("train"), device=CPU, precision=precision, keep=keep,
    )  # fmt: skip
    return model.state_dict()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("factory", TINY)
def test_stopped_and_resumed_gives_the_same_bits(
    factory: Factory, precision: str, tmp_path: Path
) -> None:
    recipe = Recipe(epochs=3, batch_size=16)
    expected = trained(factory, recipe, Keep(), precision)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == 4

    folder, log = tmp_path / "checkpoint", tmp_path / "log.jsonl"
    with pytest.raises(Stopped):
        trained(factory, recipe, Keep(folder, log, stop=stop), precision)
    # What others draw in between must not matter.
    with torch.random.fork_rng(devices=[]):
        torch.rand(7)
        resumed = trained(factory, recipe, Keep(folder, log), precision)
    assert all(torch.equal(expected[k], v) for k, v in resumed.items())
    assert expected.keys() == resumed.keys()


@pytest.mark.parametrize("factory", TINY)
def test_short_training_lowers_the_loss(factory: Factory, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    trained(factory, Recipe(epochs=20, batch_size=16), Keep(log=log))
    losses = [row["train_loss"] for row in rundir.read_records(log)]
    assert losses[-1] < 0.4 * losses[0]
