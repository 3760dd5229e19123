"""A policy on a Hugging Face data set: set_transform augments the rows that a loop asks for."""

import datasets
import torch
from digits import EPOCHS, POLICY, accuracy, net, parts
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.transforms.v2.functional import pil_to_tensor

from learnaug.interop import as_hf_transform


def collate(rows):
    """Return pixel values in [0, 1] and labels, as a Trainer's data collator does."""
    pixels = torch.stack([pil_to_tensor(row["image"]) for row in rows])
    return {
        "pixel_values": pixels.float() / 255,
        "labels": torch.tensor([row["label"] for row in rows]),
    }


def main() -> None:
    torch.manual_seed(0)
    images, labels, test_images, test_labels = parts()
    data = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(i[0].numpy()) for i in images], "label": labels.tolist()},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")}),
    )
    data.set_transform(as_hf_transform(POLICY, image_key="image"))
    loader = DataLoader(data, 20, shuffle=True, collate_fn=collate)
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for batch in loader:
            loss = cross_entropy(model(batch["pixel_values"]), batch["labels"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"accuracy with the policy {accuracy(model, test_images, test_labels):.3f}")


if __name__ == "__main__":
    main()
