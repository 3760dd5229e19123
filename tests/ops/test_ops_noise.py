"""gauss_noise against SciPy's normal distribution, and against a loop in Python's own integers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ops_helpers import drawn_for, noise, one, run
from scipy.stats import chi2_contingency, kstest, kurtosis, norm, skew
from torch import Tensor

from learnaug.ops import apply, primitives

BACKENDS = pytest.mark.parametrize("backend", [None, primitives], ids=["compiled", "torch"])


def added(shape: tuple[int, int, int, int], sd: float, seed: int = 0) -> np.ndarray:
    """What is added to a grey picture, far from both ends."""
    flat = torch.full(shape, 128, dtype=torch.uint8)
    return apply(flat, drawn_for(flat, one("gauss_noise", sd), seed)).numpy().astype(float) - 128


@pytest.mark.parametrize("sd", [math.sqrt(10), math.sqrt(50), 20.0])
def test_it_is_normal_with_that_deviation(sd: float) -> None:
    got = added((64, 3, 64, 64), sd).ravel()
    count = len(got)
    rounded = math.sqrt(sd**2 + 1 / 12)  # what rounding to whole levels makes of it
    assert abs(got.mean()) < 4 * rounded / math.sqrt(count)
    assert abs(got.std() / rounded - 1) < 4 / math.sqrt(2 * count)
    assert abs(skew(got)) < 4 * math.sqrt(6 / count)
    # A table that ends somewhere is a little lighter in its tails than the normal distribution.
    assert -0.02 < kurtosis(got) < 4 * math.sqrt(24 / count)

    def cdf(x: np.ndarray) -> np.ndarray:
        """Of a rounded normal number, spread evenly over its level."""
        level = np.floor(x + 0.5)
        low, high = norm.cdf(level - 0.5, 0, sd), norm.cdf(level + 0.5, 0, sd)
        return low + (x - level + 0.5) * (high - low)

    spread = got + np.random.default_rng(0).uniform(-0.5, 0.5, count)
    assert kstest(spread, cdf).pvalue > 1e-3
    assert kstest(spread, lambda x: norm.cdf(x, 0, 1.02 * rounded)).pvalue < 1e-6


def test_the_tails_are_there() -> None:
    got = np.abs(added((64, 3, 128, 128), 20.0)).ravel()
    for level in (60, 80):  # 3 and 4 deviations
        share, expected = (got >= level).mean(), 2 * norm.sf((level - 0.5) / 20)
        assert 0.75 < share / expected < 1.15
    assert 90 < got.max() <= 104  # the table ends at 5.2 deviations


def dependent(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two lists have a correlation, or a joint histogram that tells of the other."""
    r = np.corrcoef(a, b)[0, 1] * math.sqrt(len(a))
    parts = (np.digitize(x, np.quantile(x, (0.2, 0.4, 0.6, 0.8))) for x in (a, b))
    joint = np.histogram2d(*parts, bins=5)[0]
    return bool(abs(r) > 4 or chi2_contingency(joint).pvalue < 1e-4)


def test_pixels_channels_and_pictures_are_independent() -> None:
    got = added((32, 3, 64, 64), 20.0)
    pairs = {
        "right": (got[..., :-1], got[..., 1:]),
        "down": (got[:, :, :-1], got[:, :, 1:]),
        "strip": (got.reshape(-1)[:-1024], got.reshape(-1)[1024:]),
        "channel": (got[:, :-1], got[:, 1:]),
        "picture": (got[:-1], got[1:]),
        "squares": (got[:-1] ** 2, got[1:] ** 2),
    }
    for name, (a, b) in pairs.items():
        assert not dependent(a.ravel(), b.ravel()), name
    other = added((32, 3, 64, 64), 20.0, 1)
    assert not dependent(got.ravel(), other.ravel())
    assert dependent(got.ravel(), got.ravel() + 10 * other.ravel())
    assert dependent(got.ravel() ** 2, np.abs(got.ravel()))


def test_neighbouring_keys_give_other_noise() -> None:
    """Keys that differ in one bit: neither the same noise nor the same at other places."""
    flat = torch.full((13, 1, 64, 64), 128, dtype=torch.uint8)
    drawn = drawn_for(flat, one("gauss_noise", 20.0))
    extra = np.full_like(drawn.extra, 0.5)
    for row in range(1, 13):  # of the first number only bits beyond a picture's places
        number, bit = ((0, 1 + row), (1, 2 * row), (3, row % 8 + 1))[row % 3]
        extra[row, 0, number] += 2.0**-bit * (1 if bit > 1 else -1)
    got = apply(flat, replace(drawn, extra=extra)).numpy().astype(float) - 128
    for row in range(1, 13):
        assert not dependent(got[0].ravel(), got[row].ravel()), row
        spectra = [np.fft.fft(got[i].ravel()) for i in (0, row)]
        shifted = np.fft.ifft(spectra[0] * spectra[1].conj()).real / (20**2 * got[0].size)
        assert np.abs(shifted).max() < 6 / math.sqrt(got[0].size), row


def by_hand(image: Tensor, sd: float, extra: list[float]) -> list[int]:
    a, b, c, d = (int(number * 2**24) for number in extra)
    key = ((a << 8) + (c >> 16), (b << 8) + (d >> 16))

    def mix(x: int) -> int:
        for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
            x = (x ^ (x >> shift)) * factor % 2**32
        return x ^ (x >> 15)

    middles = np.round(4096 * norm.ppf((np.arange(4096) + 0.5) / 4096))
    unit = math.sqrt(2 * np.mean(middles**2))
    out = []
    for place, level in enumerate(image.flatten().tolist()):
        bits = mix(mix(place ^ key[0]) ^ key[1])
        value = level + sd * (middles[bits % 4096] + middles[bits // 2**20]) / unit
        out.append(min(max(math.floor(value + 0.5), 0), 255))
    return out


@BACKENDS
def test_it_is_the_loop_in_whole_numbers(backend) -> None:
    images = noise(4, 3, 11, 13)
    drawn = drawn_for(images, one("gauss_noise", 5, 60))
    out = apply(images, drawn, backend)
    for row in range(len(images)):
        extra = drawn.extra[row, 0].astype(float).tolist()
        expected = by_hand(images[row], float(drawn.value[row, 0]), extra)
        assert out[row].flatten().tolist() == expected


@BACKENDS
def test_a_drawn_batch_can_be_replayed(backend) -> None:
    images = noise(6, 3, 40, 30)
    policy = one("gauss_noise", 8.0).then(one("gauss_noise", 8.0))
    drawn = drawn_for(images, policy)
    first = apply(images, drawn, backend)
    assert torch.equal(first, apply(images, drawn, backend))
    assert not torch.equal(first, apply(images, drawn_for(images, policy, 1), backend))
    once = [apply(images, drawn_for(images, one("gauss_noise", 8.0), s)) for s in (0, 1)]
    assert not torch.equal(*once)


def test_two_slots_have_noise_of_their_own() -> None:
    flat = torch.full((16, 3, 64, 64), 128, dtype=torch.uint8)
    both = drawn_for(flat, one("gauss_noise", 20.0).then(one("gauss_noise", 20.0)))
    got = apply(flat, both).double() - 128
    assert abs(float(got.std()) - 20 * math.sqrt(2)) < 0.3  # the same noise twice would give 40


def test_it_ends_at_black_and_white() -> None:
    for level in (0, 255):
        flat = torch.full((4, 1, 50, 50), level, dtype=torch.uint8)
        out = run(flat, "gauss_noise", 30.0).int() - level
        assert 0.45 < float((out == 0).float().mean()) < 0.55
        assert bool((out >= 0).all()) == (level == 0)
