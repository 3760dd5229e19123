"""A policy in a plain PyTorch loop: whole batches, on the device of the training."""

import torch
from digits import EPOCHS, POLICY, accuracy, net, parts
from torch.nn.functional import cross_entropy

from learnaug.interop import as_batch_transform


def train(augment: torch.nn.Module) -> float:
    torch.manual_seed(0)
    images, labels, test_images, test_labels = parts()
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(20):
            batch = augment(images[rows]).float() / 255  # augment first, normalise after
            loss = cross_entropy(model(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return accuracy(model, test_images, test_labels)


if __name__ == "__main__":
    print(f"accuracy without augmentation {train(torch.nn.Identity()):.3f}")
    print(f"accuracy with the policy      {train(as_batch_transform(POLICY)):.3f}")
