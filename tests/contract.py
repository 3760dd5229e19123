"""The contract that every method must pass: small checks, each a function of a method's name.

`tests/methods/test_contract.py` runs all of them over every row of METHODS; a new method gets
them by its row alone. They know no method's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from learnaug import nets
from learnaug.data import Batch, ImageSet, make_batch
from learnaug.errors import UsageError
from learnaug.methods import (
    METHODS,
    Budget,
    Learned,
    Learning,
    card,
    load_augmenter,
    resolve,
    rows_of,
)
from learnaug.seeds import Seeds
from learnaug.training import Augmenter, Keep, Recipe

CPU = torch.device("cpu")
Check = Callable[[str, Path], None]


def world(size: tuple[int, int] = (12, 10), channels: int = 3, n: int = 24) -> ImageSet:
    """Return n random pictures of 3 classes."""
    gen = Seeds(7).child("contract").numpy()
    labels = np.arange(n) % 3
    return ImageSet(
        "contract",
        gen.integers(0, 256, (n, channels, *size), dtype=np.uint8),
        labels.astype(np.int64),
        ("a", "b", "c"),
        tuple(f"row {i}" for i in range(n)),
        np.full(n, -1, np.int64),
        np.full(n, ""),
    )


def learn(name: str, data: ImageSet, seed: int = 0, folder: Path | None = None) -> Learned:
    """Let a method learn on the first two thirds of `data`."""
    half = 2 * len(data) // 3
    train, valid = data.take(np.arange(half)), data.take(np.arange(half, len(data)))

    def net(seeds: Seeds) -> torch.nn.Module:
        return nets.build(
            "smallnet", channels=data.channels, size=data.size, classes=3, seeds=seeds
        )

    learning = Learning(train, valid, net, Recipe(epochs=1, batch_size=8))
    keep = Keep(folder and folder / "checkpoint", folder and folder / "log.jsonl")
    return resolve(name).learn(learning, seeds=Seeds(seed), device=CPU, budget=Budget(), keep=keep)


def use(augmenter: Augmenter, data: ImageSet, seed: int = 0) -> Batch:
    """Augment all of `data` as one batch."""
    return augmenter(make_batch(data, np.arange(len(data))), data, Seeds(seed))


def equal(a: Batch, b: Batch) -> bool:
    """Return whether two batches are the same in every field."""
    fields = ("images", "targets", "weights", "generated")
    return all(torch.equal(getattr(a, f), getattr(b, f)) for f in fields)


def check_same_seeds_learn_the_same(name: str, tmp: Path) -> None:
    """Learning is a pure function of data and seeds."""
    data = world()
    first, second = (learn(name, data).augmenter for _ in range(2))
    assert first.describe() == second.describe()
    assert equal(use(first, data), use(second, data))


def check_augmenter_is_pure(name: str, tmp: Path) -> None:
    """Same inputs and seeds, same batch; the input is not modified."""
    data = world()
    augmenter = learn(name, data).augmenter
    batch = make_batch(data, np.arange(len(data)))
    kept = [value.clone() for value in (batch.images, batch.targets, batch.weights)]
    first = augmenter(batch, data, Seeds(3))
    assert equal(first, augmenter(batch, data, Seeds(3)))
    for before, after in zip(kept, (batch.images, batch.targets, batch.weights), strict=True):
        assert torch.equal(before, after)


def check_seeds_matter(name: str, tmp: Path) -> None:
    """Other seeds draw another augmentation, unless the method changes nothing at all."""
    data = world(n=48)
    augmenter = learn(name, data).augmenter
    drawn = [use(augmenter, data, seed) for seed in range(4)]
    still = make_batch(data, np.arange(len(data)))
    if not all(equal(batch, still) for batch in drawn):
        assert not all(equal(batch, drawn[0]) for batch in drawn[1:])


def check_shapes_and_targets(name: str, tmp: Path) -> None:
    """uint8 in and out, same size; targets are probabilities; weights have mean 1."""
    for channels, size, n in ((1, (8, 8), 6), (3, (33, 17), 9), (3, (1, 1), 6), (4, (5, 6), 6)):
        data = world(size, channels, n)
        batch = use(learn(name, data).augmenter, data)
        assert batch.images.dtype == torch.uint8
        assert batch.images.shape[1:] == (channels, *size)
        assert batch.targets.shape == (len(batch.images), 3)
        torch.testing.assert_close(batch.targets.sum(1), torch.ones(len(batch.images)))
        assert (batch.targets >= 0).all()
        assert abs(float(batch.weights.mean()) - 1) < 1e-5
        assert batch.generated.dtype == torch.bool


def check_one_picture(name: str, tmp: Path) -> None:
    """A batch of one works."""
    data = world()
    augmenter = learn(name, data).augmenter
    one = augmenter(make_batch(data, np.array([5])), data, Seeds(0))
    assert one.images.shape == (1, *data.images.shape[1:])


def check_saved_and_loaded_is_the_same(name: str, tmp: Path) -> None:
    """What `save` writes, `load_augmenter` reads; both augment alike."""
    data = world()
    augmenter = learn(name, data).augmenter
    augmenter.save(tmp / "augmenter")
    loaded = load_augmenter(tmp / "augmenter")
    assert loaded.describe() == augmenter.describe()
    for seed in range(3):
        assert equal(use(augmenter, data, seed), use(loaded, data, seed))


def check_describes_itself_in_json(name: str, tmp: Path) -> None:
    """Configuration and description survive a round trip through JSON."""
    method = resolve(name)
    described = learn(name, world()).augmenter.describe()
    for value in (method.config(), described):
        assert json.loads(json.dumps(value, allow_nan=False)) == value


def check_global_generators_untouched(name: str, tmp: Path) -> None:
    """Neither learning nor augmenting moves a global random state."""
    data = world()
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    use(learn(name, data).augmenter, data)
    assert np.array_equal(state, np.random.get_state()[1])
    assert torch.equal(torch_state, torch.get_rng_state())


def check_writes_only_where_told(name: str, tmp: Path) -> None:
    """Learning writes below its folder and nowhere else in the working directory."""
    before = set(Path.cwd().iterdir())
    learn(name, world(), folder=tmp / "learn")
    assert set(Path.cwd().iterdir()) == before


def check_loose_arrays(name: str, tmp: Path) -> None:
    """`apply` gives back the kind that came in: array or tensor, NCHW or NHWC, uint8 or float."""
    data = world()
    augmenter = learn(name, data).augmenter
    nchw, labels = data.images, data.labels
    first, hard = augmenter.apply(nchw, labels, seed=4, classes=3)
    assert first.dtype == np.uint8
    assert len(hard) == len(labels)
    last, _ = augmenter.apply(nchw.transpose(0, 2, 3, 1), labels, seed=4, classes=3)
    np.testing.assert_array_equal(last.transpose(0, 3, 1, 2), first)
    tensor, _ = augmenter.apply(torch.from_numpy(nchw.copy()), labels, seed=4, classes=3)
    np.testing.assert_array_equal(tensor.numpy(), first)
    floats, _ = augmenter.apply(nchw.astype(np.float32) / 255, labels, seed=4, classes=3)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, first.astype(np.float32) / 255, atol=1e-6)
    alone, told = without_labels(augmenter, nchw)
    assert alone is not None or "label" in told
    np.testing.assert_array_equal(first if alone is None else alone, first)


def without_labels(augmenter: Augmenter, images: Any) -> tuple[Any, str]:
    """Return the augmented images, or None and the error: merging within a class needs labels."""
    try:
        return augmenter.apply(images, seed=4), ""
    except UsageError as error:
        return None, str(error)


def check_has_a_card(name: str, tmp: Path) -> None:
    """Its card says what it is, where it comes from and how to use it."""
    row = rows_of(name)[0]
    text = card(row)
    assert text.startswith("# ")
    assert len(text) > 400
    assert "learnaug compare" in text
    assert METHODS[row].summary


CHECKS: tuple[Check, ...] = tuple(
    value for key, value in sorted(globals().items()) if key.startswith("check_")
)
