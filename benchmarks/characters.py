"""The picture of docs/findings/generated-pictures.md: unseen characters, and what generators make.

    .venv/bin/python benchmarks/characters.py GENERATOR ... [--data ../shared/data]

Each GENERATOR is WORDS=FOLDER, a folder that `learnaug learn dagan` wrote; WORDS stand above its
columns. Characters are of Omniglot's evaluation alphabets (Lake et al. 2015, MIT), evenly spaced.
Writes docs/img/dagan-omniglot.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from learnaug.methods import load_augmenter
from learnaug.methods.generated import Generating
from learnaug.reproduce import omniglot
from learnaug.seeds import Seeds

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "dagan-omniglot.png"
ROWS, DRAWS, SCALE, HEAD, GAP = 8, 6, 2, 24, 14  # GAP: pixels between the groups of columns
SIDE = 28


def columns(folder: str, given: torch.Tensor) -> NDArray[np.uint8]:
    """Return what a generator makes of each picture with DRAWS z: uint8 [R, DRAWS, H, W]."""
    acting = load_augmenter(folder)
    assert isinstance(acting, Generating)
    made = [acting.maker.make(given, Seeds(0).child("figure", i)).cpu() for i in range(DRAWS)]
    found: NDArray[np.uint8] = torch.stack(made, 1)[:, :, 0].numpy()
    return found


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generators", nargs="+", metavar="WORDS=FOLDER")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    data = omniglot.read(given.data / "omniglot" / "omniglot.npz", SIDE)
    assert data is not None
    classes = np.linspace(omniglot.BACKGROUND, omniglot.CLASSES - 1, ROWS).round()
    rows = [int(np.flatnonzero(data.labels == k)[0]) for k in classes]
    real = torch.from_numpy(np.ascontiguousarray(data.images[rows]))
    groups = [("real", real.numpy()[:, :1, :, :])]
    for words, _, folder in (each.partition("=") for each in given.generators):
        groups.append((words, columns(folder, real)))
    cell = SIDE * SCALE
    width = sum(made.shape[1] * cell + GAP for _, made in groups) + GAP
    sheet = Image.new("L", (width, HEAD + ROWS * cell + GAP), 255)
    font, left = ImageFont.load_default(13), GAP
    for words, made in groups:
        ImageDraw.Draw(sheet).text((left, 4), words, 0, font)
        block = 255 - made.transpose(0, 2, 1, 3).reshape(ROWS * SIDE, -1)
        tile = Image.fromarray(block)
        sheet.paste(
            tile.resize((tile.width * SCALE, tile.height * SCALE), Image.Resampling.NEAREST),
            (left, HEAD),
        )
        left += tile.width * SCALE + GAP
    sheet.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
