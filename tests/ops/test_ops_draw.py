"""What is drawn follows the policy, and every knob is connected."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from ops_helpers import noise, one
from scipy.stats import binomtest, chisquare, kstest

from learnaug.errors import UsageError
from learnaug.ops import TABLE, Drawn, Element, Policy, Stage, apply, draw, mix_targets, spaces
from learnaug.ops.table import NAMES, op_numbers
from learnaug.seeds import Seeds

N = 20_000
SIZE = (32, 32)
HIGH = 1e-4  # with fixed seeds a true policy passes for good; a wrong one is far below


def sample(policy: Policy, n: int = N, seed: int = 0, labels: np.ndarray | None = None) -> Drawn:
    return draw(policy, n, Seeds(seed).child("test").numpy(), SIZE, labels)


def plain(*names: str) -> tuple[tuple[Element, ...], ...]:
    return tuple((Element(name),) for name in names)


THREE = plain("invert", "hflip", "equalize")


def test_weights_are_respected():
    branch = sample(Policy((Stage(THREE, (1.0, 5.0, 2.0)),))).branch[:, 0]
    counts = np.bincount(branch, minlength=3)
    assert chisquare(counts, N * np.array([1, 5, 2]) / 8).pvalue > HIGH


def test_a_branch_without_weight_is_never_taken():
    for weights in ((0.0, 1.0, 1e-6), (1.0, 0.0, 0.0), (0.1, 0.7, 0.0)):
        branch = sample(Policy((Stage(THREE, weights),))).branch[:, 0]
        taken = set(branch.tolist())
        assert taken <= {i for i, w in enumerate(weights) if w > 0}


def test_even_weights_and_named_operations():
    drawn = sample(spaces.trivialaugment())
    counts = np.bincount(drawn.branch[:, 0], minlength=14)
    assert chisquare(counts).pvalue > HIGH
    names = [NAMES[number] for number in drawn.ops[:50, 0]]
    branches = spaces.trivialaugment().stages[0].branches
    assert names == [branches[b][0].op for b in drawn.branch[:50, 0]]


def test_weights_per_class():
    policy = Policy((Stage(THREE, ((1.0, 0.0, 0.0), (1.0, 2.0, 1.0)), "class"),))
    labels = np.arange(N) % 2
    branch = sample(policy, labels=labels).branch[:, 0]
    assert (branch[labels == 0] == 0).all()
    counts = np.bincount(branch[labels == 1], minlength=3)
    assert chisquare(counts, N / 2 * np.array([1, 2, 1]) / 4).pvalue > HIGH
    with pytest.raises(UsageError, match="labels"):
        sample(policy)
    for wrong in (np.array([0, 2]), np.array([-1, 0]), np.array([0])):
        with pytest.raises(UsageError, match="0 to 1"):
            sample(policy, 2, labels=wrong)


def test_weights_given_the_branch_before():
    rows = ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0), (3.0, 1.0, 0.0))
    policy = Policy((Stage(THREE), Stage(THREE, rows, "previous")))
    first, second = sample(policy).branch.T
    assert (second[first == 0] == 0).all()
    for before, row in ((1, rows[1]), (2, rows[2])):
        counts = np.bincount(second[first == before], minlength=3)
        live = np.array(row) > 0
        assert counts[~live].sum() == 0
        expected = np.array(row)[live] / sum(row) * counts.sum()
        assert chisquare(counts[live], expected).pvalue > HIGH


def test_stages_are_independent_of_one_another():
    first, second = sample(spaces.uniform()).branch.T
    counts = np.bincount(first * 36 + second, minlength=1296)
    assert chisquare(counts).pvalue > HIGH


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_probability(p):
    happened = int((sample(one("invert", p=p)).ops[:, 0] >= 0).sum())
    assert happened == p * N if p in (0, 1) else binomtest(happened, N, p).pvalue > HIGH


def test_elements_of_a_branch_happen_independently():
    policy = Policy((Stage(((Element("invert", p=0.5), Element("hflip", p=0.5)),)),))
    on = sample(policy).ops >= 0
    assert chisquare(np.bincount(on[:, 0] * 2 + on[:, 1], minlength=4)).pvalue > HIGH


@pytest.mark.parametrize(("op", "v", "mirror"), [("rotate", 20, -20), ("color", 1.7, 0.3)])
def test_sign_is_tossed_per_picture_about_the_identity(op, v, mirror):
    value = sample(one(op, v, sign=True)).value[:, 0]
    plus = int(np.isclose(value, v).sum())
    assert plus + int(np.isclose(value, mirror, atol=1e-6).sum()) == N
    assert binomtest(plus, N, 0.5).pvalue > HIGH
    assert np.isclose(sample(one(op, v)).value[:, 0], v).all()


def test_a_range_is_uniform_and_a_list_even():
    value = sample(one("rotate", 10, 30)).value[:, 0]
    assert kstest((value - 10) / 20, "uniform").pvalue > HIGH
    listed = sample(one("rotate", values=(1.0, 5.0, 7.0))).value[:, 0]
    kinds, counts = np.unique(listed, return_counts=True)
    assert kinds.tolist() == [1, 5, 7]
    assert chisquare(counts).pvalue > HIGH


def test_strength_sign_choice_and_place_are_independent():
    drawn = sample(one("rotate", 10, 30, sign=True, p=0.5))
    on = drawn.ops[:, 0] >= 0
    value = drawn.value[on, 0]
    columns = np.stack([np.abs(value), np.sign(value), *drawn.extra[on, 0].T])
    assert np.abs(np.corrcoef(columns) - np.eye(6)).max() < 0.05


CONNECTED = Element("rotate", 10, 20, sign=True, p=0.9)
CHANGED = {
    "op": replace(CONNECTED, op="translate_x", low=0.1, high=0.2),
    "low": replace(CONNECTED, low=15.0),
    "high": replace(CONNECTED, high=11.0),
    "values": replace(CONNECTED, low=None, high=None, values=(10.0, 20.0)),
    "sign": replace(CONNECTED, sign=False),
    "p": replace(CONNECTED, p=0.2),
    "fill": replace(CONNECTED, fill=99),
    "interpolation": replace(CONNECTED, interpolation="bilinear"),
}


def test_every_field_of_an_element_is_connected():
    images = noise(32, 3, *SIZE)

    def result(element: Element) -> torch.Tensor:
        return apply(images, sample(Policy((Stage(((element,),)),)), 32))

    assert set(CHANGED) == {entry.name for entry in fields(Element)}
    base = result(CONNECTED)
    for name, element in CHANGED.items():
        assert not torch.equal(result(element), base), name


def test_every_field_of_a_stage_is_connected():
    labels = np.arange(64) % 2
    base = Policy((Stage(THREE), Stage(THREE)))
    others = {
        "branches": Policy((Stage(THREE), Stage(plain("vflip", "hflip", "equalize")))),
        "weights": Policy((Stage(THREE), Stage(THREE, (9.0, 1.0, 1.0)))),
        "given": Policy((Stage(THREE), Stage(THREE, ((1.0, 0, 0), (0, 1.0, 0)), "class"))),
    }
    assert set(others) == {entry.name for entry in fields(Stage)}
    images = noise(64, 3, *SIZE)
    before = apply(images, sample(base, 64, labels=labels))
    for name, policy in others.items():
        assert not torch.equal(apply(images, sample(policy, 64, labels=labels)), before), name


def test_the_first_pictures_do_not_depend_on_how_many_follow():
    for policy in (spaces.uniform(), spaces.traditional()):
        short, long = sample(policy, 5), sample(policy, 50)
        for entry in fields(Drawn):
            if entry.name != "size":
                got = getattr(long, entry.name)[:5]
                assert np.array_equal(getattr(short, entry.name), got), entry.name


def test_a_key_is_a_draw_and_another_key_another():
    a, b, c = (sample(spaces.uniform(), 20, seed) for seed in (0, 0, 1))
    assert np.array_equal(a.extra, b.extra)
    assert not np.array_equal(a.extra, c.extra)


@pytest.mark.parametrize("n", [0, 1])
def test_small_batches(n):
    for policy in (Policy(), spaces.cutmix(), spaces.uniform(), Policy((Stage(((),)),))):
        drawn = sample(policy, n)
        assert len(drawn) == n
        images = noise(n, 3, *SIZE)
        assert apply(images, drawn).shape == images.shape
        assert mix_targets(torch.ones(n, 4), drawn).shape == (n, 4)


# --- mixup and cutmix -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_partners_are_a_permutation_and_shares_from_beta(name):
    drawn = sample(one(name, 0.4), 5_000)
    assert sorted(drawn.partner[:, 0].tolist()) == list(range(5_000))
    if name == "mixup":
        assert kstest(drawn.mix[:, 0], "beta", args=(0.4, 0.4)).pvalue > HIGH
    else:
        assert kstest(1 - drawn.value[:, 0] ** 2, "beta", args=(0.4, 0.4)).pvalue > HIGH


def test_mixed_pictures_and_targets_equal_a_naive_loop():
    images, targets = noise(40, 3, 9, 7), torch.eye(40)
    policy = one("mixup", 1.0, p=0.7).then(one("cutmix", 1.0, p=0.7))
    drawn = draw(policy, 40, Seeds(3).numpy(), (9, 7))
    mixed, shares = apply(images, drawn), mix_targets(targets, drawn)
    assert torch.allclose(shares.sum(1), torch.ones(40), atol=1e-6)

    step = images.double()
    weight = targets.double()
    cutmix = op_numbers("cutmix")[0]
    for slot in range(2):
        new, new_weight = step.clone(), weight.clone()
        for b in range(40):
            partner, share = drawn.partner[b, slot], float(drawn.mix[b, slot])
            if drawn.ops[b, slot] == cutmix:
                changed = np.zeros((9, 7), bool)
                long = [int(drawn.value[b, slot] * side + 0.5) for side in (9, 7)]
                centre = [int(drawn.extra[b, slot, 1] * 9), int(drawn.extra[b, slot, 0] * 7)]
                for y in range(9):
                    for x in range(7):
                        changed[y, x] = all(
                            c - s // 2 <= at < c - s // 2 + s
                            for at, c, s in zip((y, x), centre, long, strict=True)
                        )
                new[b, :, changed] = step[partner][:, changed]
                assert share == pytest.approx(1 - changed.mean(), abs=1e-6)
            elif drawn.ops[b, slot] >= 0:
                new[b] = (share * step[b] + (1 - share) * step[partner]).floor()
            new_weight[b] = share * weight[b] + (1 - share) * weight[partner]
        step, weight = new, new_weight
    assert (mixed.double() - step).abs().max() <= 1
    assert torch.allclose(shares.double(), weight, atol=1e-5)


def test_a_cutmix_target_is_the_share_of_pixels():
    images = torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).expand(50, 1, 16, 16)
    drawn = sample(one("cutmix", 1.0), 50)
    drawn = draw(one("cutmix", 1.0), 50, Seeds(0).numpy(), (16, 16))
    out = apply(images, drawn)
    share = (out == images).float().mean((1, 2, 3))
    own = mix_targets(torch.eye(50), drawn).diagonal()
    assert torch.allclose(share, own, atol=1e-6)


def test_only_partner_operations_touch_the_targets():
    targets = torch.rand(64, 5)
    for name, op in TABLE.items():
        if not op.partner and not op.unit:
            assert torch.equal(mix_targets(targets, sample(one(name), 64)), targets)


def test_a_partner_is_taken_as_it_was_before_the_slot():
    """Also where other pictures of the same slot were changed by another primitive first."""
    images = noise(60, 1, 4, 4)
    policy = Policy((Stage(((Element("invert"),), (Element("mixup", 1.0),))),))
    drawn = draw(policy, 60, Seeds(0).numpy(), (4, 4))
    mixing = drawn.branch[:, 0] == 1
    own = drawn.mix[:, 0, None, None, None]
    expected = own * images.numpy() + (1 - own) * images.numpy()[drawn.partner[:, 0]]
    off = np.abs(apply(images, drawn).numpy() - expected)[mixing]
    assert mixing.sum() > 10
    assert off.max() <= 1


def test_the_smallest_number_does_not_take_a_branch_without_weight():
    class Zeros:
        def random(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
            return np.zeros(shape, dtype)

    drawn = draw(Policy((Stage(THREE, (0.0, 1.0, 1.0)),)), 3, Zeros(), SIZE)  # type: ignore[arg-type]
    assert (drawn.branch == 1).all()
