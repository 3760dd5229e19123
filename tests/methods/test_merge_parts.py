"""Partners, networks and losses of the merging methods, against naive loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import learnaug
from learnaug.data import split
from learnaug.errors import ConfigError, UsageError
from learnaug.methods.merge import networks, partners
from learnaug.methods.merge.losses import gram, scaled_gradient, similarity, weight_at
from learnaug.methods.merge.networks import build
from learnaug.seeds import Seeds

# --- partners ------------------------------------------------------------------------------------


def labels_of(n: int, classes: int, seed: int = 0) -> np.ndarray:
    return Seeds(seed).numpy().integers(0, classes, n)


@pytest.mark.parametrize("classes", [2, 100])
@pytest.mark.parametrize("number", [1, 2, 8])
def test_partners_are_distinct_others_of_the_class(classes: int, number: int) -> None:
    labels = np.tile(np.arange(classes), 12)
    pool = partners.pool_of(labels)
    of = labels_of(300, len(labels))
    drawn = pool.others(of, number, Seeds(1).numpy())
    for row, own in zip(drawn, of, strict=True):
        assert len({*row, own}) == number + 1
        assert (labels[row] == labels[own]).all()


def test_every_ordered_choice_is_equally_likely() -> None:
    """One class of 4: from picture 1 there are 6 ordered pairs of others."""
    pool = partners.pool_of(np.zeros(4, np.int64))
    drawn = pool.others(np.ones(60_000, np.int64), 2, Seeds(2).numpy())
    pairs, counts = np.unique(drawn, axis=0, return_counts=True)
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2), (0, 3), (2, 0), (2, 3), (3, 0), (3, 2)]
    assert abs(counts - 10_000).max() < 5 * math.sqrt(10_000 * 5 / 6)


def test_small_classes_take_partners_again_and_are_told() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    pool = partners.pool_of(labels)
    drawn = pool.others(np.arange(6), 4, Seeds(3).numpy())
    assert all(set(drawn[i]) == {0, 1, 2} - {i} for i in range(3))
    assert set(drawn[3]) == {4}
    assert set(drawn[5]) == {5}
    told = partners.short(pool, ("a", "b", "c"), 2)
    assert [line.split("'")[1] for line in told] == ["c", "b"]
    assert "lower k to 1" in told[1]
    assert "merged with itself" in told[0]
    many = partners.short(partners.pool_of(np.arange(12)), tuple("abcdefghijkl"), 2)
    assert len(many) == 1
    assert "'a', 'b', 'c', 'd', 'e' and 7 more" in many[0]


def test_partners_by_label_are_distinct_and_reach_all() -> None:
    labels = np.tile(np.arange(3), 5)
    pool = partners.pool_of(labels)
    drawn = pool.of_labels(np.full(400, 2), 3, Seeds(4).numpy())
    assert all(len(set(row)) == 3 for row in drawn)
    assert set(drawn.ravel()) == set(np.flatnonzero(labels == 2))
    assert pool.has(np.array([0, 3])).tolist() == [True, False]


def test_partners_stay_in_their_group_or_cluster() -> None:
    labels, groups = labels_of(400, 3), labels_of(400, 5, 1)
    pool = partners.pool_of(labels, groups)
    of = np.arange(400)
    drawn = pool.others(of, 2, Seeds(5).numpy())
    assert (groups[drawn] == groups[of][:, None]).all()
    assert (labels[drawn] == labels[of][:, None]).all()


def test_no_partner_belongs_to_a_group_of_another_part() -> None:
    """Groups are whole within a part, and partners come from the training part alone."""
    data = learnaug.load("digits").take(np.arange(300))
    groups = np.arange(300) // 5
    parts = split(data, Seeds(0), extra_groups=groups)
    pool = partners.pool_of(data.labels[parts.train])
    drawn = parts.train[pool.others(np.arange(len(parts.train)), 2, Seeds(6).numpy())]
    outside = set(groups[parts.valid]) | set(groups[parts.test])
    assert outside
    assert not outside & set(groups[drawn].ravel())


def test_clusters_find_what_is_near_and_none_is_too_small() -> None:
    gen = Seeds(7).numpy()
    truth = np.repeat([0, 1], 20)
    space = truth[:, None] * 10 + gen.random((40, 3))
    found = partners.clusters(space, np.zeros(40, np.int64), 2, 3, Seeds(0))
    assert len(np.unique(np.stack([truth, found], 1), axis=0)) == 2
    lonely = np.concatenate([space, [[99.0, 99.0, 99.0]]])
    found = partners.clusters(lonely, np.zeros(41, np.int64), 3, 3, Seeds(0))
    assert np.bincount(found)[np.unique(found)].min() >= 3


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 17)])
def test_pixels_are_at_most_a_few_numbers(size: tuple[int, int]) -> None:
    digits = learnaug.load("digits").take([0, 1])
    from dataclasses import replace

    images = np.full((2, 1, *size), 51, np.uint8)
    space = partners.pixels(replace(digits, images=images))
    np.testing.assert_allclose(space, 0.2)


# --- networks ------------------------------------------------------------------------------------


def test_residual_begins_as_the_mean_of_its_inputs() -> None:
    pictures = np.random.default_rng(0).random((5, 3, 2, 6, 7), np.float32)
    for classes in (None, 4):
        merger = build("residual", 3, 2, classes, Seeds(0))
        merged = merger(torch.from_numpy(pictures), torch.tensor([0, 1, 2, 3, 1]))
        np.testing.assert_allclose(merged.detach().numpy(), pictures.mean(1), atol=1e-6)
        merged.square().sum().backward()
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in merger.parameters())


@pytest.mark.parametrize("k", range(1, 9))
@pytest.mark.parametrize(("network", "classes"), [("smart", None), ("augnet", 3)])
def test_shapes(network: str, classes: int | None, k: int) -> None:
    for channels in (1, 3):
        merger = build(network, k, channels, classes, Seeds(0))
        out = merger(
            torch.rand(4, k, channels, 6, 5, generator=Seeds(0).torch()), torch.arange(4) % 3
        )
        assert out.shape == (4, channels, 6, 5)


def test_the_papers_layers() -> None:
    """Sizes counted by hand from the texts; two colour pictures are six channels."""
    smart, augnet = (build(name, 2, 3, None, Seeds(0)).net for name in ("smart", "augnet"))
    assert [tuple(p.shape) for p in smart.parameters() if p.ndim > 1] == [
        (16, 6, 3, 3), (16, 16, 5, 5), (32, 16, 7, 7), (32, 32, 5, 5), (3, 32, 1, 1),
    ]  # fmt: skip
    assert [tuple(p.shape) for p in augnet.parameters() if p.ndim > 1] == [
        (16, 6, 3, 3), (16, 16, 3, 3), (16, 16, 3, 3), (16, 16, 3, 3), (3, 16, 3, 3),
    ]  # fmt: skip
    assert isinstance(list(smart)[-1], nn.Sigmoid)


@pytest.mark.parametrize("places", [0, 10**9])
def test_one_net_for_each_class_is_that_many_nets(
    places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By class or by picture: outputs and gradients are those of nets called one by one."""
    monkeypatch.setattr(networks, "PLACES", places)
    merger = build("augnet", 2, 1, 4, Seeds(1))
    inputs, labels = torch.rand(9, 2, 1, 7, 7, generator=Seeds(2).torch()), -torch.arange(9) % 3
    out = merger(inputs, labels)
    out.square().sum().backward()
    for label in range(4):
        alone = build("augnet", 2, 1, None, Seeds(9)).net
        rows = dict(zip(merger.names, merger.stacked, strict=True))
        alone.load_state_dict({name: row[label].detach() for name, row in rows.items()})
        own = alone(inputs[labels == label].flatten(1, 2))
        torch.testing.assert_close(own, out[labels == label])
        (own.square().sum() + 0 * sum(p.sum() for p in alone.parameters())).backward()
        for name, weight in alone.named_parameters():
            torch.testing.assert_close(rows[name].grad[label], weight.grad, rtol=1e-4, atol=1e-5)
    first = merger.stacked[0]
    assert not torch.equal(first[0], first[1])


def test_own_modules_are_taken_and_wrong_ones_refused() -> None:
    own = build(lambda inputs, channels: nn.Conv2d(inputs, channels, 1), 3, 1, 2, Seeds(0))
    assert own(torch.zeros(2, 3, 1, 4, 4), torch.tensor([0, 1])).shape == (2, 1, 4, 4)
    with pytest.raises(UsageError, match="must give"):
        build(lambda inputs, channels: nn.Conv2d(inputs, channels, 3), 2, 1, None, Seeds(0))
    with pytest.raises(UsageError, match="running statistics"):
        build(lambda i, c: nn.Sequential(nn.Conv2d(i, c, 1), nn.BatchNorm2d(c)), 2, 1, 2, Seeds(0))
    with pytest.raises(ConfigError, match="did you mean smart"):
        build("smrt", 2, 1, None, Seeds(0))


# --- losses ---------------------------------------------------------------------------------------


def test_losses_are_the_naive_loops() -> None:
    gen = Seeds(3).torch()
    a, t = (torch.rand(2, 3, 4, 5, generator=gen, dtype=torch.float64) for _ in range(2))
    for b in range(2):
        content = [(a[b, c, i, j] - t[b, c, i, j]) ** 2 for c in range(3) for i in range(4)
                   for j in range(5)]  # fmt: skip
        assert float(similarity(a, t, "mse")[b]) == pytest.approx(float(sum(content)) / 60)
        style = 0.0
        for c in range(3):
            for d in range(3):
                own, other = (
                    sum(float(x[b, c, i, j] * x[b, d, i, j]) for i in range(4) for j in range(5))
                    for x in (a, t)
                )
                style += (own / 20 - other / 20) ** 2
        assert float(similarity(a, t, "style")[b]) == pytest.approx(style / 9)
    assert torch.equal(similarity(a, t, "content"), similarity(a, t, "mse"))
    assert float(similarity(a, t, "none").sum()) == 0
    assert gram(a).shape == (2, 3, 3)
    with pytest.raises(ConfigError, match="did you mean style"):
        similarity(a, t, "styl")


def test_weights_follow_their_schedule() -> None:
    at = [weight_at(0.8, 0.2, "linear", epoch=0, share=s) for s in (0, 0.5, 1)]
    assert at == pytest.approx([0.8, 0.5, 0.2])
    assert weight_at(0.8, 0.2, "cosine", epoch=0, share=0.25) == pytest.approx(
        0.2 + 0.6 * (1 + math.cos(math.pi / 4)) / 2
    )
    assert weight_at(0.8, 0.2, "constant", epoch=9, share=1) == 0.8
    assert weight_at(lambda epoch: epoch / 4, None, "linear", epoch=3, share=0) == 0.75
    with pytest.raises(ConfigError, match=">= 0"):
        weight_at(lambda epoch: -1.0, None, "linear", epoch=3, share=0)


def test_scaled_gradient() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    y = scaled_gradient(x, 0.25)
    (y**2).sum().backward()
    assert float(y.detach()) == 3.0
    assert float(x.grad) == pytest.approx(0.25 * 6)  # type: ignore[arg-type]
