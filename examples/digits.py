"""What the four examples share: 200 digits to learn from, 797 of other writers, and a small net."""

from pathlib import Path

import torch
from torch import Tensor, nn

import learnaug

POLICY = Path(__file__).with_name("policy.json")  # one small turn, shift or shear per picture
EPOCHS = 25


def parts() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images uint8 [N, 1, 8, 8] and labels int64 [N] to train on, then to test on."""
    data = learnaug.load("digits")
    images, labels = torch.tensor(data.images), torch.tensor(data.labels)
    return images[:200], labels[:200], images[1000:], labels[1000:]


def net() -> nn.Sequential:
    """Return a net for images [B, 1, 8, 8] in [0, 1]."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 16, 10),
    )  # fmt: skip


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that the model names rightly."""
    model.eval()
    with torch.no_grad():
        return float((model(images.float() / 255).argmax(1) == labels).float().mean())
