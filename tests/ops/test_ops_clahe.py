"""clahe against OpenCV, which it must equal on grey pictures, and what it does to colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ops_helpers import drawn_for, noise, one, run
from torch import Tensor

from learnaug.ops import apply, primitives

SIZES = [
    (32, 32), (64, 64), (224, 224), (33, 17), (60, 64), (64, 60), (8, 8), (5, 7), (1, 1), (7, 8),
    (1, 9), (3, 2), (300, 211),
]  # fmt: skip


def smooth(height: int, width: int) -> Tensor:
    """A picture of low contrast with shapes, and some noise."""
    y, x = np.mgrid[:height, :width]
    waves = 120 + 40 * np.sin(x / 9) * np.cos(y / 7)
    grains = np.random.default_rng(0).normal(0, 4, waves.shape)
    return torch.from_numpy((waves + grains).astype(np.uint8))[None, None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("backend", [None, primitives], ids=["compiled", "torch"])
def test_grey_pictures_are_opencvs(size, backend) -> None:
    cv2 = pytest.importorskip("cv2")
    for image in (noise(1, 1, *size), smooth(*size), torch.full((1, 1, *size), 9).byte()):
        for clip in (1.0, 2.5, 4.0, 7.3, 40.0):
            drawn = drawn_for(image, one("clahe", clip))
            theirs = cv2.createCLAHE(clip, (8, 8)).apply(image[0, 0].numpy())
            assert np.array_equal(apply(image, drawn, backend)[0, 0].numpy(), theirs), clip


def local_contrast(image: Tensor) -> float:
    tiles = image.double().unfold(2, 8, 8).unfold(3, 8, 8)
    return float(tiles.flatten(4).std(-1).mean())


def test_it_raises_local_contrast_and_the_limit_holds_it_back() -> None:
    picture = smooth(128, 128)
    seen = [local_contrast(run(picture, "clahe", clip)) for clip in (1.0, 2.0, 4.0, 40.0)]
    assert seen == sorted(seen)
    assert local_contrast(picture) < seen[1]
    assert seen[3] > 2 * seen[0]


def test_up_to_88_px_limits_of_at_most_4_do_the_same() -> None:
    for side, same in ((64, True), (88, True), (89, False), (96, False)):
        picture = smooth(side, side)
        weak, strong = (run(picture, "clahe", clip) for clip in (1.0, 4.0))
        assert torch.equal(weak, strong) == same, side


def test_small_tiles_know_no_limit_below_256_over_their_pixels() -> None:
    """At 32 px a tile has 16 pixels: every level may count once, whatever the limit, below 32."""
    picture = noise(1, 1, 32, 32)
    seen = [run(picture, "clahe", clip) for clip in (1.0, 4.0, 31.9, 32.0)]
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[3])


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_every_channel_moves_as_the_luminance_does(channels) -> None:
    images = noise(3, channels, 40, 33) // 3 + 80
    grey = run(images, "to_gray")
    change = run(grey[:, :1], "clahe", 3.0).int() - grey[:, :1].int()
    assert change.abs().max() > 20
    expected = (images.int() + change).clamp(0, 255).to(torch.uint8)
    assert torch.equal(run(images, "clahe", 3.0), expected)


def test_three_equal_channels_stay_grey() -> None:
    grey = noise(4, 1, 24, 40)
    out = run(grey.expand(-1, 3, -1, -1), "clahe", 4.0)
    assert torch.equal(out, run(grey, "clahe", 4.0).expand(-1, 3, -1, -1))
