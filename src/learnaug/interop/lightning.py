"""A Lightning callback that augments every training batch, on the device, whoever made the model.

A callback cannot give a batch back: `on_train_batch_start` returns nothing. The one hook that can
is `on_after_batch_transfer` of the module or the data module, so the callback stands in front of
that hook while `fit` runs, and puts it back afterwards.
"""

from __future__ import annotations

import functools
from typing import Any

from learnaug.errors import UsageError
from learnaug.interop.batches import Keys, augment_batch
from learnaug.interop.policies import Source, as_augmenter
from learnaug.seeds import Seeds
from learnaug.training import Augmenter

try:
    from lightning.pytorch import Callback
except ImportError:
    raise UsageError(
        "Lightning is not installed", mend="pip install 'learnaug[interop]', or lightning"
    ) from None

__all__ = ["AugmentBatches", "as_callback"]

HOOK = "on_after_batch_transfer"


def as_callback(
    source: Source, classes: int | None = None, *, seed: int = 0, keys: Keys = (0, 1)
) -> AugmentBatches:
    """Return a Lightning callback that augments training batches after they reach the device.

    It acts before the module's own `on_after_batch_transfer`, so a module that normalises there
    gets augmented images. Validation, test and prediction are left alone. Batch number n of
    process r is augmented with the seed (seed, n, r): a run that goes on from a checkpoint repeats
    what it would have done. The number counts batches, not `global_step`, which stands still while
    gradients are accumulated. A module whose `training_step` takes `dataloader_iter` never calls
    the hook: Lightning leaves the transfer to it.

    Args:
        source: a policy, an augmenter, a method's name, a policy file or an augmenter's folder.
        classes: K; needed where the augmenter mixes pictures and labels are integers. Labels then
            become class probabilities, float32 [B, K].
        seed: 0 <= seed < 2**64.
        keys: where a batch has its images and labels, as for `as_collate`.

    Raises:
        UsageError: Lightning is not installed.

    Example:
        >>> as_callback("flip-crop")
        AugmentBatches(PolicyAugmenter('flip-crop'), seed=0)
    """
    return AugmentBatches(as_augmenter(source), classes, seed, keys)


class AugmentBatches(Callback):
    """What `as_callback` returns."""

    def __init__(self, augmenter: Augmenter, classes: int | None, seed: int, keys: Keys) -> None:
        self.augmenter = augmenter
        self.classes = classes
        self.seeds = Seeds(seed).child("lightning")
        self.keys = keys
        self._changed: list[Any] = []

    def __repr__(self) -> str:
        return f"AugmentBatches({self.augmenter!r}, seed={self.seeds.root})"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Stand in front of the hook; Lightning asks the data module's or the module's."""
        if stage != "fit":
            return
        for host in (pl_module, trainer.datamodule):
            if host is not None:
                self._stand_before(host, trainer)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Put the hooks back."""
        self._put_back()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Put the hooks back."""
        self._put_back()

    def _stand_before(self, host: Any, trainer: Any) -> None:
        if HOOK in vars(host):
            raise UsageError(
                f"{HOOK} of {type(host).__name__} is replaced already",
                mend='chain augmenters in one callback: as_callback("flip-crop+cutout")',
            )
        original = getattr(host, HOOK)

        # `wraps` tells Lightning which hook this stands for: it asks whether a class overrides it.
        @functools.wraps(original)
        def hook(batch: Any, dataloader_idx: int) -> Any:
            return original(self._augmented(batch, trainer), dataloader_idx)

        setattr(host, HOOK, hook)
        self._changed.append(host)

    def _augmented(self, batch: Any, trainer: Any) -> Any:
        if not trainer.training:
            return batch
        number = trainer.fit_loop.total_batch_idx + 1  # counted up after the transfer
        seed = self.seeds.child(number, trainer.global_rank).integer()
        return augment_batch(self.augmenter, batch, seed, self.classes, self.keys)

    def _put_back(self) -> None:
        for host in self._changed:
            delattr(host, HOOK)
        self._changed.clear()
