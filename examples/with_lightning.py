"""A policy in Lightning: a callback augments the batches, the module knows nothing of it."""

import lightning.pytorch as pl
import torch
from digits import EPOCHS, POLICY, accuracy, net, parts
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from learnaug.interop import as_callback


class Digits(pl.LightningModule):
    """A net that normalises its batches itself."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def training_step(self, batch, batch_idx):
        images, labels = batch  # uint8, augmented
        return cross_entropy(self.net(images.float() / 255), labels)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 3e-3)


def main() -> None:
    pl.seed_everything(0, verbose=False)
    images, labels, test_images, test_labels = parts()
    loader = DataLoader(TensorDataset(images, labels), 20, shuffle=True)
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        callbacks=[as_callback(POLICY, seed=0)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Digits()
    trainer.fit(model, loader)
    print(f"accuracy with the policy {accuracy(model.net, test_images, test_labels):.3f}")


if __name__ == "__main__":
    main()
