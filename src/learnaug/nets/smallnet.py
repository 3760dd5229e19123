"""SmallNet of Perez & Wang (2017), "The Effectiveness of Data Augmentation", section 5.2.

The nine steps are those of the text, in its order: the ReLU stands before the batch normalisation
and the 1024-unit layer has dropout but no activation. Left out by the text, and chosen by us:
convolutions padded to keep the size, dropout rate 0.5, and these rules for sizes other than the
paper's 64 px:

- pooling rounds up, so that any side >= 1 works and no border is lost;
- above 64 px the last feature map is averaged to at most 16 x 16 (windows of equal size), so that
  the first dense layer never grows past the paper's 8.4 million weights.
"""

from __future__ import annotations

from math import ceil

from torch import nn

__all__ = ["smallnet"]

MAP = 16  # side of the last feature map at the paper's 64 px


def smallnet(channels: int, size: tuple[int, int], classes: int) -> nn.Sequential:
    """Return SmallNet: [B, channels, H, W] -> scores [B, classes].

    Args:
        channels: channels of a picture.
        size: height and width in pixels, >= 1.
        classes: number of scores.

    Example:
        >>> net = smallnet(3, (64, 64), 2)
        >>> sum(p.numel() for p in net.parameters())
        8406114
    """
    maps = [ceil(side / 4) for side in size]
    window = [ceil(side / MAP) for side in maps]
    area = ceil(maps[0] / window[0]) * ceil(maps[1] / window[1])
    shrink = [nn.AvgPool2d((window[0], window[1]), ceil_mode=True)] if max(window) > 1 else []
    return nn.Sequential(
        *(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU()),
        nn.BatchNorm2d(16),
        nn.MaxPool2d(2, ceil_mode=True),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
        nn.BatchNorm2d(32),
        nn.MaxPool2d(2, ceil_mode=True),
        *shrink,
        nn.Flatten(),
        *(nn.Linear(32 * area, 1024), nn.Dropout(0.5)),
        nn.Linear(1024, classes),
    )
