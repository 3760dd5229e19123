"""CycleGAN's networks: weights counted by hand, a forward pass in NumPy, sizes, first weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import correlate

from learnaug.nets.cyclegan import FIELDS, blocks_of, discriminator, generator, layers_of
from learnaug.seeds import Seeds

Maps = NDArray[np.float64]


def weights(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def conv(inputs: int, outputs: int, edge: int) -> int:
    return inputs * outputs * edge * edge + outputs


@pytest.mark.parametrize(("blocks", "millions"), [(9, 11.378), (6, 7.838)])
def test_the_generator_has_the_published_weights(blocks: int, millions: float) -> None:
    by_hand = conv(3, 64, 7) + conv(64, 128, 3) + conv(128, 256, 3) + 2 * blocks * conv(256, 256, 3)
    by_hand += conv(256, 128, 3) + conv(128, 64, 3) + conv(64, 3, 7)
    found = weights(generator(3, blocks=blocks))
    assert found == by_hand
    assert round(found / 1e6, 3) == millions


def test_the_discriminator_has_the_published_weights() -> None:
    by_hand = conv(3, 64, 4) + conv(64, 128, 4) + conv(128, 256, 4) + conv(256, 512, 4)
    found = weights(discriminator(3))
    assert found == by_hand + conv(512, 1, 4)
    assert round(found / 1e6, 3) == 2.765


@pytest.mark.parametrize("layers", FIELDS)
def test_a_score_sees_a_patch_of_the_said_size(layers: int) -> None:
    side = 128
    net = discriminator(1, layers=layers, width=2)
    for part in net.modules():
        if isinstance(part, torch.nn.InstanceNorm2d):
            part.forward = lambda maps: maps  # type: ignore[method-assign]  # it sees everything
    picture = torch.ones(1, 1, side, side, requires_grad=True)
    scores = net(picture)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    seen = (picture.grad[0, 0] != 0).nonzero()  # type: ignore[index]
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [FIELDS[layers]] * 2


def test_sizes_choose_depth() -> None:
    assert [blocks_of((side, 300)) for side in (300, 256, 255, 128, 127, 64, 63, 8)] == [
        9, 9, 6, 6, 4, 4, 3, 3,
    ]  # fmt: skip
    assert [layers_of((side, 300)) for side in (256, 117, 116, 57, 56, 28, 8)] == [
        3, 3, 2, 2, 1, 1, 1,
    ]  # fmt: skip


def test_the_forward_pass_is_that_of_numpy() -> None:
    """Reflected edges, normalised maps, strides and transposed convolutions, written out."""
    net = generator(2, blocks=1, width=2, seeds=Seeds(3))
    picture = torch.rand(1, 2, 16, 20, generator=Seeds(1).torch()) * 2 - 1
    state = [value.double().numpy() for value in net.state_dict().values()]
    pairs = list(zip(state[::2], state[1::2], strict=True))
    x = picture[0].double().numpy()
    x = relu(normed(plain(mirrored(x, 3), *pairs[0])))
    for kernel, bias in pairs[1:3]:
        x = relu(normed(plain(np.pad(x, ((0, 0), (1, 1), (1, 1))), kernel, bias)[:, ::2, ::2]))
    inner = relu(normed(plain(mirrored(x, 1), *pairs[3])))
    x = x + normed(plain(mirrored(inner, 1), *pairs[4]))
    for kernel, bias in pairs[5:7]:
        x = relu(normed(up(x, kernel, bias)))
    x = np.tanh(plain(mirrored(x, 3), *pairs[7]))
    found = net(picture)[0].detach().numpy()
    assert found.shape == (2, 16, 20)
    np.testing.assert_allclose(found, x, atol=2e-5)


def plain(x: Maps, kernel: Maps, bias: Maps) -> Maps:
    rows = [
        sum(correlate(x[i], kernel[o, i], "valid") for i in range(len(x))) + bias[o]
        for o in range(len(kernel))
    ]
    return np.stack(rows)


def up(x: Maps, kernel: Maps, bias: Maps) -> Maps:
    """Every place spreads its value times the kernel over twice as fine a grid."""
    wide = np.zeros((kernel.shape[1], 2 * x.shape[1] + 2, 2 * x.shape[2] + 2))
    for i in range(len(x)):
        for r in range(x.shape[1]):
            for c in range(x.shape[2]):
                wide[:, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3] += x[i, r, c] * kernel[i]
    return wide[:, 1:-1, 1:-1] + bias[:, None, None]


def mirrored(x: Maps, edge: int) -> Maps:
    return np.pad(x, ((0, 0), (edge, edge), (edge, edge)), mode="reflect")


def normed(x: Maps) -> Maps:
    mean, spread = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(spread + 1e-5)


def relu(x: Maps) -> Maps:
    return np.maximum(x, 0)


def test_first_weights_follow_from_the_seeds_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = (generator(3, blocks=1, width=8, seeds=Seeds(s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one[1].weight, same[1].weight)
    assert not torch.equal(one[1].weight, other[1].weight)
    drawn = torch.cat([p.flatten() for p in one.parameters() if p.ndim > 1]).detach()
    assert abs(float(drawn.std()) - 0.02) < 1e-3
    assert abs(float(drawn.mean())) < 1e-3
    assert all(not p.any() for p in one.parameters() if p.ndim == 1)


def test_a_skip_adds_to_the_picture() -> None:
    plain, added = (
        generator(1, blocks=1, width=2, skip=skip, seeds=Seeds(1)) for skip in (False, True)
    )
    picture = torch.rand(1, 1, 16, 16, generator=Seeds(2).torch()) * 2 - 1
    with torch.no_grad():
        wanted = np.clip((picture + plain(picture)).numpy(), -1, 1)
        np.testing.assert_allclose(added(picture).numpy(), wanted, atol=1e-6)
