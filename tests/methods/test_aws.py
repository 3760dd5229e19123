"""The searches find what was planted, say when nothing was found, and go on after a stop."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

sys.path.insert(0, str(Path(__file__).resolve().parent))
from safe_worlds import CPU, QUIET, hooks

from learnaug import nets
from learnaug.data import make_batch
from learnaug.errors import ConfigError
from learnaug.methods import Budget, Learned, Learning, Method, load_augmenter, resolve
from learnaug.methods.aws import AWS, PaperAWS
from learnaug.methods.aws.ppo import PairTable, surrogate
from learnaug.methods.aws.screening import design, odds, posterior, surprise
from learnaug.methods.aws.space import space_of
from learnaug.ops import spaces
from learnaug.ops.policy import Element
from learnaug.ops.sets import OperationSet, operations_of
from learnaug.seeds import Seeds
from learnaug.training import Keep, Phase, Recipe, Stopped

WORLD = OperationSet(
    "world",
    (
        ("Turn", (Element("rot90", values=(1.0, 2.0, 3.0)),)),  # what the few pictures lack
        ("Mirror", (Element("hflip"),)),  # makes one class the other
        ("Gamma", (Element("gamma", 0.8, 1.25),)),
        ("Noise", (Element("gauss_noise", 3.0, 7.0),)),
        ("Contrast", (Element("contrast", 1.0, 1.2, sign=True),)),
        ("Posterize", (Element("posterize", 4.0),)),
    ),
)
PLAN = AWS(operations=WORLD, bands=1, trials=24, checks=0, late=0.2)
QUICK = replace(PLAN, trials=6, checks=1)
OWNER = np.array([0, 1, 1, 1, 2, 2, 3, 4])


def gen(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def search(method: Method, seed: int = 0, keep: Keep = QUIET, epochs: int = 60) -> Learned:
    data = hooks(seed, 264)
    train, valid = data.take(np.arange(64)), data.take(np.arange(64, 264))

    def build(seeds: Seeds) -> torch.nn.Module:
        return nets.build("smallnet", channels=1, size=(8, 8), classes=2, seeds=seeds)

    learning = Learning(train, valid, build, Recipe(epochs=epochs, batch_size=32))
    return method.learn(learning, seeds=Seeds(seed), device=CPU, budget=Budget(), keep=keep)


def raised(learned: Learned) -> dict[str, float]:
    """Return how many times as often as before each operation is drawn."""
    rows = learned.augmenter.describe()["search"]["elements"]
    return {row["operation"]: row["probability"] / row["before"] for row in rows}


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_planted_truth(seed: int) -> None:
    learned = search(PLAN, seed)
    found = raised(learned)
    assert found["Turn"] > 1
    assert found["Mirror"] < 0.2
    assert learned.augmenter.describe()["search"]["learned"]


def test_rewards_of_pure_noise_end_as_nothing_learned() -> None:
    """200 searches: at most 10 % may call noise a finding, where 5 % are expected."""
    claimed = 0
    for seed in range(200):
        present = design(8, 16, 3, Seeds(seed)) / 3
        rewards = gen(seed).normal(size=16)
        claimed += surprise(present, rewards, OWNER, Seeds(seed), 200) < 0.05
    assert claimed <= 20


def test_without_a_finding_the_policy_is_that_which_it_began_with() -> None:
    """No operation does anything: all trials are the same."""
    still = OperationSet(
        "still", tuple((f"no {i}", (Element("brightness", 1.0),)) for i in range(3))
    )
    learned = search(replace(PLAN, operations=still, trials=6, checks=2), epochs=8)
    told = learned.augmenter.describe()
    assert not told["search"]["learned"]
    assert told["search"]["check"] is None
    assert "nothing was learned" in told["lines"][-1]
    assert set(raised(learned).values()) == {1.0}


def test_the_effects_are_the_best_linear_unbiased_guess() -> None:
    """The posterior mean against its definition, written out with the whole covariance."""
    present = design(8, 12, 3, Seeds(1)) / 3
    x = present - present.mean(0)
    rewards = x @ gen(2).normal(size=8) + gen(3).normal(size=12) * 0.1
    found = posterior(present, rewards, OWNER)
    kernel = np.where(OWNER[:, None] == OWNER, 0.5, 0.0) + 0.5 * np.eye(8)
    noise2, effect2 = found.noise**2, found.ratio * found.noise**2
    of_rewards = effect2 * x @ kernel @ x.T + noise2 * np.eye(12)
    centred = rewards - rewards.mean()
    mean = effect2 * kernel @ x.T @ np.linalg.solve(of_rewards, centred)
    assert found.mean == pytest.approx(mean)
    left = effect2 * kernel - effect2**2 * kernel @ x.T @ np.linalg.solve(of_rewards, x @ kernel)
    assert found.sd == pytest.approx(np.sqrt(np.diag(left)))
    basis = np.linalg.svd(np.eye(12) - 1 / 12)[0][:, :11]  # all directions but the mean

    def likelihood(ratio: float) -> float:
        covariance = basis.T @ (ratio * x @ kernel @ x.T + np.eye(12)) @ basis
        data = basis.T @ rewards
        scale = data @ np.linalg.solve(covariance, data) / 11
        return float(multivariate_normal(cov=scale * covariance).logpdf(data))

    best = likelihood(found.ratio)
    assert found.evidence == pytest.approx(best - likelihood(0.0))
    assert all(likelihood(ratio) <= best + 1e-9 for ratio in np.geomspace(1e-2, 1e4, 49))


def test_every_element_has_its_turn() -> None:
    present = design(7, 21, 3, Seeds(0))
    assert set(present.sum(1)) <= {2, 3}
    counts = present.sum(0)
    assert counts.max() - counts.min() <= 1 + (present.sum(1) == 2).sum()
    assert (design(7, 9, 3, Seeds(0)) == present[:9]).all()
    assert design(2, 5, 4, Seeds(0)).all()
    even = design(6, 20, 3, Seeds(0))
    assert (even.sum(0) == 10).all()
    assert (even.sum(1) == 3).all()


def test_odds_are_bounded() -> None:
    present = design(4, 40, 2, Seeds(0)) / 2
    sure = posterior(present, present @ np.array([9.0, -9.0, 0.0, 0.0]), np.arange(4))
    weights = odds(sure)
    assert weights[0] == 8.0
    assert weights[1] == 1 / 32


def test_the_elements_of_trivialaugment_are_its_operations() -> None:
    """Drawn alike, the bands are TrivialAugment: each magnitude as likely as there."""
    policy = spaces.trivialaugment()
    space = space_of(operations_of(policy, "t"), 3)
    assert len(space) == 36
    chances: dict[tuple[str, float], float] = {}
    for branch, p in zip(space.branches, space.prior, strict=True):
        for value in branch[0].values:
            key = (branch[0].op, value)
            chances[key] = chances.get(key, 0.0) + p / len(branch[0].values)
    for (element,) in policy.stages[0].branches:
        for value in set(element.values):
            expected = element.values.count(value) / len(element.values) / 14
            assert chances.pop((element.op, value)) == pytest.approx(expected)
    assert not chances


@pytest.mark.parametrize("method", [QUICK, replace(QUICK, folds=2), PaperAWS(loops=4, looks=2)])
def test_stops_and_goes_on_with_the_same_bits(tmp_path: Path, method: Method) -> None:
    whole = search(method, 5, epochs=20)
    asked = stops = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked % 11 == 0

    keep = Keep(tmp_path / "checkpoint", tmp_path / "log.jsonl", stop=stop, say=lambda text: None)
    for _ in range(200):
        try:
            again = search(method, 5, keep, epochs=20)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert again.augmenter.describe() == whole.augmenter.describe()


def test_its_folder_is_read_again(tmp_path: Path) -> None:
    learned = search(QUICK, epochs=8)
    learned.augmenter.save(tmp_path)
    again = load_augmenter(tmp_path)
    assert again.describe() == learned.augmenter.describe()
    batch = make_batch(hooks(0, 8), np.arange(8))
    one, other = (each(batch, None, Seeds(1)).images for each in (again, learned.augmenter))
    assert torch.equal(one, other)


def test_a_search_among_what_an_audit_found_safe() -> None:
    chain = resolve(
        "safe-augmentation:epochs=2,folds=2,pairs=false+aws:trials=4,checks=0,first=0.3"
    )
    learned = search(chain, epochs=4)
    audit, found = learned.augmenter.members  # type: ignore[attr-defined]
    safe = {f["name"] for f in audit.describe()["audit"]["findings"] if f["kept"]}
    searched = {row["operation"] for row in found.describe()["search"]["elements"]}
    assert searched == safe | {"identity"}
    assert audit.policy.does_nothing


def test_the_table_moves_towards_what_was_rewarded() -> None:
    """Both tables, by finite differences of the objective and by the probabilities themselves."""
    for kind in ("multinomial", "conditional"):
        table = PairTable((Element("hflip"), Element("vflip"), Element("transpose")), kind)
        counts = np.zeros((3, 3), np.int64)
        counts[0, 1], counts[2, 2] = 30, 10
        table.reward(50.0, counts)  # sets the baseline
        before = table.chances()
        assert table.reward(60.0, counts) == pytest.approx(5.0)
        assert table.chances()[0, 1] > before[0, 1]
        assert table.chances()[1, 0] < before[1, 0]
        up = table.chances()
        table.reward(0.0, counts)
        assert table.chances()[0, 1] < up[0, 1]
        assert table.chances().sum() == pytest.approx(1)


def test_the_gradient_of_the_clipped_objective() -> None:
    theta = torch.tensor(gen(0).normal(size=6), requires_grad=True)
    old = torch.log_softmax(torch.tensor(gen(1).normal(size=6)) * 0.1, 0)
    share = torch.tensor(gen(2).dirichlet(np.ones(6)))
    surrogate(torch.log_softmax(theta * 0.1, 0), old, share, 1.5).backward()  # type: ignore[no-untyped-call]
    for i in range(6):
        ends = []
        for step in (1e-6, -1e-6):
            moved = theta.detach().clone()
            moved[i] += step
            p, q = torch.softmax(moved * 0.1, 0), old.exp()
            ratio = p / q
            low, high = ratio.clamp(0.8, 1.2) * 1.5, ratio * 1.5
            ends.append(float((share * torch.minimum(low, high)).sum()))
        assert theta.grad is not None
        assert float(theta.grad[i]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


def test_the_paper_enlarges_the_batches_of_the_target() -> None:
    learned = search(PaperAWS(loops=2, looks=2, enlarge=3), epochs=6)
    (phase,) = learned.phases()
    assert isinstance(phase, Phase)
    assert phase.copies == 3
    told = learned.augmenter.describe()["search"]
    assert len(told["rewards"]) == 2
    assert len(told["first_element"]) == 36


def test_a_search_among_nothing_says_so() -> None:
    said: list[str] = []
    none = replace(PLAN, operations=OperationSet("none", ()))
    learned = search(none, keep=Keep(say=said.append))
    assert "nothing to search among" in said[0]
    assert raised(learned) == {"identity": 1.0}


def test_settings_out_of_range_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"(?s)4 <= trials.*0 < first"):
        AWS(trials=1, first=2.0)
    with pytest.raises(ConfigError, match=r"(?s)loops.*multinomial"):
        PaperAWS(loops=0, table="multinomal")
