"""A policy in a torchvision pipeline: one sample at a time, inside v2.Compose, in workers."""

import torch
from digits import EPOCHS, POLICY, accuracy, net, parts
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from learnaug.interop import as_transform


class Pictures(Dataset):
    """PIL images with their labels."""

    def __init__(self, images, labels, transform):
        self.pictures = [Image.fromarray(image[0].numpy()) for image in images]
        self.labels = labels
        self.transform = transform

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.transform(self.pictures[index]), self.labels[index]


def main() -> None:
    torch.manual_seed(0)
    images, labels, test_images, test_labels = parts()
    transform = v2.Compose(
        [as_transform(POLICY), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    )
    data = Pictures(images, labels, transform)
    loader = DataLoader(data, 20, shuffle=True, num_workers=2, persistent_workers=True)
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for batch, answers in loader:
            loss = cross_entropy(model(batch), answers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"accuracy with the policy {accuracy(model, test_images, test_labels):.3f}")


if __name__ == "__main__":
    main()
