"""The Lightning callback under a real Trainer on the CPU."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

with warnings.catch_warnings():  # what Lightning's own imports warn of
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning.pytorch")

from interop_helpers import FLIP, H, Numbered, W

from learnaug import interop
from learnaug.errors import UsageError
from learnaug.interop import as_callback
from learnaug.methods import load_augmenter
from learnaug.ops import Element, Policy, Stage
from learnaug.seeds import Seeds

pytestmark = [
    pytest.mark.filterwarnings("ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]
TURN = Policy((Stage(((Element("rotate", 0, 170, sign=True),),)),), "turn")
HOOK = "on_after_batch_transfer"


class Model(lightning.LightningModule):  # type: ignore[misc,name-defined]
    """Keeps what its steps are given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * H * W, 2)
        self.seen: dict[str, list[Any]] = {"train": [], "val": []}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch
        self.seen["train"].append((images, labels))
        return nn.functional.cross_entropy(self.layer(images.flatten(1).float() / 255), labels)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.seen["val"].append(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


class Normalising(Model):
    """Uses the hook itself."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        assert batch[0].dtype == torch.uint8
        return batch[0].float() * 2, batch[1]


class Module(lightning.LightningDataModule):  # type: ignore[misc,name-defined]
    def train_dataloader(self) -> Any:
        return loader()


class DoublingModule(Module):
    """Uses the hook itself."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return batch[0].float() * 2, batch[1]


def loader(count: int = 32) -> DataLoader[Any]:
    return DataLoader(Numbered(count=count), batch_size=8)


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Any:
    settings = {"max_epochs": 1, "accelerator": "cpu", "logger": False} | options
    return lightning.Trainer(
        default_root_dir=folder,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def fitted(folder: Path, callback: Any, model: Model | None = None, **options: Any) -> Model:
    model = model or Model()
    trainer(folder, callback, **options).fit(model, loader(), loader())
    return model


def test_training_batches_alone_are_augmented(tmp_path: Path) -> None:
    model = fitted(tmp_path, as_callback(FLIP))
    plain = Numbered().picture
    assert len(model.seen["train"]) == 4
    assert len(model.seen["val"]) == 4 + 2  # two of the sanity check
    for images, labels in model.seen["train"]:
        assert torch.equal(images, plain.flip(-1).expand_as(images))
        assert labels.tolist() == [0, 1] * 4
    assert all(torch.equal(v, plain.expand_as(v)) for v in model.seen["val"])
    assert HOOK not in vars(model)


def test_batches_are_those_of_the_augmenter(tmp_path: Path) -> None:
    """Each batch by its own number, also while gradients are accumulated; labels mix."""
    model = fitted(tmp_path, as_callback("cutmix", 2, seed=5), accumulate_grad_batches=4)
    raw, labels = Numbered().picture.expand(8, 3, H, W), torch.arange(8) % 2
    for number, (images, soft) in enumerate(model.seen["train"]):
        seed = Seeds(5).child("lightning", number, 0).integer()
        want = load_augmenter("cutmix").apply(raw, labels, seed=seed, classes=2)
        assert torch.equal(images, want[0])
        assert torch.equal(soft, want[1])


def test_a_run_that_goes_on_repeats_what_it_would_have_done(tmp_path: Path) -> None:
    whole = fitted(tmp_path, as_callback(TURN), max_epochs=2).seen["train"]
    model, first = Model(), trainer(tmp_path, as_callback(TURN))
    first.fit(model, loader())
    first.save_checkpoint(tmp_path / "half.ckpt")
    second = trainer(tmp_path, as_callback(TURN), max_epochs=2)
    second.fit(model, loader(), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    pairs = list(zip(whole, model.seen["train"], strict=True))
    assert len(pairs) == 8
    assert all(torch.equal(a[0], b[0]) for a, b in pairs)
    assert not torch.equal(pairs[0][0][0], pairs[4][0][0])


def test_it_acts_before_the_models_own_hook(tmp_path: Path) -> None:
    model = fitted(tmp_path, as_callback(FLIP), Normalising())
    want = 2.0 * Numbered().picture.flip(-1)
    assert all(torch.equal(i, want.expand_as(i)) for i, _ in model.seen["train"])


@pytest.mark.parametrize(("module", "factor"), [(Module, 1), (DoublingModule, 2)])
def test_a_data_modules_hook(tmp_path: Path, module: Any, factor: int) -> None:
    """Lightning asks one of two hooks; the batch is augmented once, and it does not warn."""
    model, data = Model(), module()
    trainer(tmp_path, as_callback(FLIP)).fit(model, datamodule=data)
    want = factor * Numbered().picture.flip(-1).float()
    assert all(torch.equal(i.float(), want.expand_as(i)) for i, _ in model.seen["train"])
    assert HOOK not in {**vars(model), **vars(data)}


class Failing(Model):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        raise RuntimeError("the model fails")


def test_hooks_are_put_back_when_training_fails(tmp_path: Path) -> None:
    model = Failing()
    with pytest.raises(RuntimeError, match="the model fails"):
        fitted(tmp_path, as_callback(FLIP), model)
    assert HOOK not in vars(model)


def test_two_callbacks_are_refused(tmp_path: Path) -> None:
    model = Model()
    with pytest.raises(UsageError, match=r"replaced already[\s\S]*chain augmenters"):
        trainer(tmp_path, as_callback(FLIP), as_callback(TURN)).fit(model, loader())
    assert HOOK not in vars(model)


def test_without_lightning_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delitem(sys.modules, "learnaug.interop.lightning")
    with pytest.raises(UsageError, match=r"learnaug\[interop\]"):
        interop.as_callback(FLIP)
