"""Batch renormalisation, the generator UResNet and the pair critic, against NumPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from learnaug.nets import keyed
from learnaug.nets.pair_critic import PairCritic
from learnaug.nets.renorm import MOST_D, MOST_R, BatchRenorm
from learnaug.nets.rng import chances
from learnaug.nets.uresnet import Dropout, UResNet, enlarged, scales
from learnaug.seeds import Seeds


def pictures(shift: float = 0.0, spread: float = 1.0, seed: int = 0) -> torch.Tensor:
    drawn = Seeds(seed).numpy().standard_normal((6, 3, 5, 4))
    return torch.from_numpy(drawn * spread + shift).float()


def test_renormalisation_is_the_formula() -> None:
    """Three batches of changing statistics, in a NumPy loop over channels."""
    norm, decay = BatchRenorm(3).train(), 0.99
    mean, variance, known = np.zeros(3), np.zeros(3), 0.0
    kept: dict[str, torch.Tensor] = {}
    for number, (shift, spread) in enumerate([(0.0, 1.0), (0.4, 1.3), (20.0, 9.0)]):
        x = pictures(shift, spread, number)
        got = norm(x).detach().numpy()
        given = x.double().numpy()
        for c in range(3):
            own, s = given[:, c].mean(), np.sqrt(given[:, c].var() + 1e-5)
            m = mean[c] / known if known else own
            sigma = np.sqrt(variance[c] / known + 1e-5) if known else s
            r, d = (
                np.clip(s / sigma, 1 / MOST_R, MOST_R),
                np.clip((own - m) / sigma, -MOST_D, MOST_D),
            )
            np.testing.assert_allclose(got[:, c], (given[:, c] - own) / s * r + d, atol=2e-5)
            mean[c] = decay * mean[c] + (1 - decay) * own
            variance[c] = decay * variance[c] + (1 - decay) * given[:, c].var()
        known = decay * known + 1 - decay
        if number == 1:  # nothing was clipped: training and evaluation are the same
            before = BatchRenorm(3).eval()
            before.load_state_dict(kept)
            np.testing.assert_allclose(got, before(x).detach().numpy(), atol=2e-5)
        kept = {name: value.clone() for name, value in norm.state_dict().items()}
    assert got.mean() > 0.99 * MOST_D  # clipped: else about 20
    assert got.std() < 1.01 * MOST_R  # clipped: else about 9


def test_renormalisation_uses_no_batch_in_evaluation() -> None:
    norm = BatchRenorm(3).train()
    for seed in range(5):
        norm(pictures(0.5, 2.0, seed))
    norm.eval()
    x = pictures(seed=9)
    assert torch.equal(norm(x)[:1], norm(x[:1]))
    kept = norm.mean.clone()
    norm(x)
    assert torch.equal(kept, norm.mean)
    norm.reset_parameters()
    assert not norm.known
    assert not norm.mean.any()


def test_slopes_of_renormalisation_are_those_of_differences() -> None:
    norm = BatchRenorm(3).double().train()
    norm(pictures(seed=1).double())
    x = pictures(0.2, 1.5, 2).double().requires_grad_()
    weights = torch.from_numpy(Seeds(3).numpy().standard_normal(x.shape))

    def value(at: torch.Tensor) -> torch.Tensor:
        state = {name: v.clone() for name, v in norm.state_dict().items()}
        out = (norm(at) * weights).sum()
        norm.load_state_dict(state)
        return out

    (slope,) = torch.autograd.grad(value(x), x)
    # r and d are constants for the slope: with them as they are at x, the map is plain
    place, step = (2, 1, 3, 0), 1e-5
    own = x.detach()[:, 1]
    s, m = float((own.var(unbiased=False) + 1e-5).sqrt()), float(own.mean())
    mean, deviation = (float(v[1]) for v in norm.statistics())
    r, d = s / deviation, (m - mean) / deviation

    def plain(values: np.ndarray) -> float:
        normal = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
        return float(((normal * r + d) * weights[:, 1].numpy()).sum())

    up, down = own.numpy().copy(), own.numpy().copy()
    up[2, 3, 0] += step
    down[2, 3, 0] -= step
    assert float(slope[place]) == pytest.approx((plain(up) - plain(down)) / (2 * step), rel=1e-4)


def test_chances_have_their_probability_and_are_keyed() -> None:
    with keyed(Seeds(1)):
        first = chances(0.25, 100, 1001)
    with keyed(Seeds(1)):
        again = chances(0.25, 100, 1001)
    assert torch.equal(first, again)
    assert abs(float(first.float().mean()) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 100_100)
    near = np.corrcoef(first[:, :-1].flatten(), first[:, 1:].flatten())[0, 1]
    assert abs(near) < 0.015
    with keyed(Seeds(1)):
        assert chances(1.0, 7).all()
        assert not chances(0.0, 7).any()


def test_dropout_keeps_the_mean_and_rests_in_evaluation() -> None:
    part, ones = Dropout(0.5).train(), torch.ones(4, 8, 20, 20)
    with keyed(Seeds(2)):
        out = part(ones)
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert abs(float(out.mean()) - 1) < 0.05
    assert torch.equal(part.eval()(ones), ones)


def test_enlarging_takes_the_nearest() -> None:
    x = torch.from_numpy(Seeds(0).numpy().random((2, 3, 4, 2)))
    wanted = np.repeat(np.repeat(x.numpy(), 2, 2), 2, 3)
    np.testing.assert_array_equal(enlarged(x, (8, 4)), wanted)
    np.testing.assert_array_equal(enlarged(x, (7, 3)), wanted[:, :, :7, :3])


@pytest.mark.parametrize(
    ("channels", "size"), [(1, (28, 28)), (3, (64, 48)), (4, (1, 1)), (1, (5, 6))]
)
def test_nets_give_pictures_and_scores_of_any_size(channels: int, size: tuple[int, int]) -> None:
    generator = UResNet(channels, size, width=8, outer=4, convs=2)
    critic = PairCritic(channels, size, width=4, convs=2)
    images = torch.zeros(2, channels, *size)
    made = generator(images, torch.zeros(2, 100))
    assert made.shape == images.shape
    assert made.abs().max() <= 1
    assert critic(images, made).shape == (2,)


def test_noise_enters_at_three_scales_and_every_part_learns() -> None:
    with keyed(Seeds(0)):
        net = UResNet(1, (28, 28), width=8, outer=8, convs=2)
    assert [part.out_features for part in net.noise] == [2 * 2 * 8, 4 * 4 * 4, 7 * 7 * 2]
    x = torch.from_numpy(Seeds(1).numpy().standard_normal((4, 1, 28, 28))).float()
    net(x, torch.ones(4, 100)).square().sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_the_paper_has_eight_scaling_layers_and_wider_inner_blocks_for_faces() -> None:
    net = UResNet(3, (64, 64), width=64, outer=64, convs=4)
    assert 1 + len(net.down) + len(net.up) == 8  # the first convolution halves as well
    wide = [block.scale.out_channels for block in (*net.down, *net.up)]
    assert wide == [64, 128, 128, 128, 64, 64, 64]
    assert scales((64, 64), 4)[-1] == (4, 4)


def test_the_critic_looks_at_each_pair_alone() -> None:
    with keyed(Seeds(0)):
        critic = PairCritic(1, (12, 12), width=4, convs=2).eval()
    x = torch.from_numpy(Seeds(1).numpy().standard_normal((5, 1, 12, 12))).float()
    y = x.flip(0)
    torch.testing.assert_close(critic(x, y)[2:3], critic(x[2:3], y[2:3]))
    assert not torch.allclose(critic(x, y), critic(y, x))
