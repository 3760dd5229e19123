"""The searches find what was planted, say when nothing was found, and go on after a stop."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from learnaug.methods.aws.bench import Ask, Trial
from learnaug.methods.aws.ppo import PairTable, surrogate
from learnaug.methods.aws.race import race, sizes
from learnaug.methods.aws.screening import design, odds, posterior, related, surprise
from learnaug.methods.aws.space import space_of
from learnaug.methods.aws.structure import structures_of
from learnaug.ops import spaces
from learnaug.ops.policy import Element, Policy
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
PLAN = AWS(operations=WORLD, bands=1, ways=6, rounds=2, trials=24, late=0.2)
QUICK = replace(PLAN, ways=4, trials=6, checks=1)
OWNER = (0, 1, 1, 1, 2, 2, 3, 4)
KERNEL = related(np.array(OWNER))


def gen(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def search(method: Method, seed: int = 0, keep: Keep = QUIET, epochs: int = 60) -> Learned:
    data = hooks(seed, 264)
    train, valid = data.take(np.arange(64)), data.take(np.arange(64, 264))

    def build(seeds: Seeds) -> torch.nn.Module:
        return nets.build("smallnet", channels=1, size=(8, 8), classes=2, seeds=seeds)

    learning = Learning(train, valid, build, Recipe(epochs=epochs, batch_size=32))
    return method.learn(learning, seeds=Seeds(seed), device=CPU, budget=Budget(), keep=keep)


def drawn(policy: Policy) -> dict[str, float]:
    """Return how often an operation acts on a picture, on average."""
    found: dict[str, float] = {}
    for stage in policy.stages:
        weights = np.array(stage.weights or np.ones(len(stage.branches)), float)
        for branch, share in zip(stage.branches, weights / weights.sum(), strict=True):
            for element in branch:
                found[element.op] = found.get(element.op, 0.0) + float(share) * element.p
    return found


def found_in(learned: Learned) -> dict[str, float]:
    return drawn(learned.augmenter.policy)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_planted_truth(seed: int) -> None:
    """Turns are the missing invariance; a mirror makes the one class the other."""
    learned = search(PLAN, seed)
    found = found_in(learned)
    assert found["rot90"] > 1.3 / 6  # six elements are drawn alike before
    assert "hflip" not in found
    told = learned.augmenter.describe()["search"]
    assert told["learned"]
    tried = {way: effect for way, effect, _ in told["race"]["ways"]}
    with_mirror = [effect for way, effect in tried.items() if "hflip" in way]
    assert max(with_mirror) < tried[told["way"]]


def test_rewards_of_pure_noise_end_as_nothing_learned() -> None:
    """200 searches: at most 10 % may call noise a finding, where 5 % are expected."""
    claimed = 0
    for seed in range(200):
        present = design(8, 16, 3, Seeds(seed)) / 3
        rewards = gen(seed).normal(size=16)
        claimed += surprise(present, rewards, KERNEL, Seeds(seed), 200) < 0.05
    assert claimed <= 20


def test_without_a_finding_the_policy_is_that_which_it_began_with() -> None:
    """No operation does anything: all trials are the same."""
    still = OperationSet(
        "still", tuple((f"no {i}", (Element("brightness", 1.0),)) for i in range(3))
    )
    learned = search(replace(PLAN, operations=still, ways=0, trials=6, checks=2), epochs=8)
    told = learned.augmenter.describe()
    assert not told["search"]["learned"]
    assert told["search"]["check"] is None
    assert "nothing was learned" in told["lines"][-1]
    rows = told["search"]["elements"]
    assert all(row["probability"] == row["before"] for row in rows)


def test_the_effects_are_the_best_linear_unbiased_guess() -> None:
    """The posterior mean against its definition, written out with the whole covariance."""
    present = design(8, 12, 3, Seeds(1)) / 3
    x = present - present.mean(0)
    rewards = x @ gen(2).normal(size=8) + gen(3).normal(size=12) * 0.1
    found = posterior(present, rewards, KERNEL)
    kernel = np.array([[1.0 if i == j else 0.5 * (a == b) for j, b in enumerate(OWNER)]
                       for i, a in enumerate(OWNER)])  # fmt: skip
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


WAYS = structures_of(
    OperationSet(
        "ways",
        (
            ("crop", (Element("pad_crop", 0.125),)),
            ("mirror", (Element("hflip"),)),
            ("box", (Element("cutout", 0.5),)),
            ("turn", (Element("rotate", values=(5.0, 10.0, 20.0, 30.0)),)),
        ),
    ),
    2,
)


def test_ways_stand_around_what_is_drawn() -> None:
    assert len(WAYS.all) == 2 * 2 * 2 * 5
    told = {WAYS.told(way): WAYS.policy(way) for way in range(len(WAYS.all))}
    assert len(told) == 40
    assert WAYS.told(WAYS.prior) == "one operation drawn"
    assert drawn(WAYS.policy(WAYS.prior)) == {"identity": 0.5, "rotate": 0.5}
    most = told["pad_crop, hflip, cutout, two operations drawn"]
    ops = [stage.branches[-1][0].op for stage in most.stages]
    assert ops == ["hflip", "pad_crop", "rotate", "rotate", "cutout"]
    assert most.stages[0].branches[0][0].p == 0.5
    weak = told["one weak operation drawn"]
    (branches,) = (stage.branches for stage in weak.stages)
    assert [b[0].values for b in branches] == [(), (5.0, 10.0)]
    subset = WAYS.policy(list(told).index("one weak operation drawn"), np.array([0.0, 3.0]))
    assert drawn(subset) == {"rotate": 1.0}
    assert told["no operation drawn"].does_nothing
    even = drawn(WAYS.even())
    assert even["pad_crop"] == even["cutout"] == 0.5
    assert even["hflip"] == 0.25
    assert even["rotate"] == pytest.approx(0.5)  # one draw of a half on average


def test_ways_are_related_by_what_they_share() -> None:
    kernel = WAYS.kernel(0.5)
    rows = [tuple(each.values()) for each in WAYS.all]
    for i, j in [(0, 0), (3, 17), (5, 30), (39, 0)]:
        apart = sum(a != b for a, b in zip(rows[i], rows[j], strict=True))
        assert kernel[i, j] == 0.5**apart
    assert (np.linalg.eigvalsh(kernel) > 0).all()


@dataclass
class FakeBench:
    """Rewards each way by its factors, more clearly the longer a trial is."""

    noise: float
    made: list[tuple[str, int]] = field(default_factory=list)

    def run(self, asks: Sequence[Ask]) -> list[Trial | None]:
        self.made += [(ask.name, ask.length) for ask in asks]
        return [Trial(ask.name, self.reward(ask), 0.5) for ask in asks]

    def reward(self, ask: Ask) -> float:
        ops = drawn(ask.policy)
        seed = int.from_bytes(ask.name.encode()[-8:], "little")
        noise = self.noise * gen(seed + ask.lap).normal() / ask.length**0.5
        return 0.3 * ("pad_crop" in ops) - 0.4 * ("hflip" in ops) + noise


def test_the_race_finds_the_planted_way() -> None:
    for seed in range(20):
        bench = FakeBench(0.05)
        found = race(bench, WAYS, 12, 3, Seeds(seed))  # type: ignore[arg-type]
        assert found.learned
        chosen = WAYS.all[found.chosen]
        assert chosen["pad_crop"] == "yes"
        assert chosen["hflip"] == "no"
        assert [len(each) for each in found.rounds] == sizes(12, 3) == [12, 6, 3]
        assert [length for _, length in bench.made] == [1] * (12 + 3) + [2] * 6 + [4] * 3
        assert WAYS.prior in dict(found.rounds[0])
        assert WAYS.prior in dict(found.rounds[-1])
        assert found.chosen == found.rounds[-1][0][0]


def test_likelihood_that_costs_score_is_not_believed() -> None:
    class Sure(FakeBench):
        """The crop gains likelihood, and moves the score by `gains`."""

        gains = 0.0

        def run(self, asks: Sequence[Ask]) -> list[Trial | None]:
            made = super().run(asks)
            crops = ["pad_crop" in drawn(ask.policy) for ask in asks]
            return [
                replace(t, score=0.5 + self.gains * c)
                for t, c in zip(made, crops, strict=True)
                if t
            ]

    for gains in (-0.1, 0.0, 0.1):
        bench = Sure(0.05)
        bench.gains = gains
        found = race(bench, WAYS, 12, 3, Seeds(0))  # type: ignore[arg-type]
        assert found.learned
        assert (found.chosen == WAYS.prior) is (gains < 0)
        assert found.lost == pytest.approx(max(0.0, -gains))


def test_a_race_that_tells_nothing_ends_with_what_it_began_with() -> None:
    class Noise(FakeBench):
        def reward(self, ask: Ask) -> float:
            return float(gen(zlib.crc32(ask.name.encode()) + int(self.noise)).normal())

    won = [race(Noise(seed), WAYS, 12, 3, Seeds(seed)) for seed in range(60)]  # type: ignore[arg-type]
    assert sum(each.learned for each in won) <= 9  # 3 are expected, 9 in one of 500
    assert all(each.learned or each.chosen == WAYS.prior for each in won)


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
    sure = posterior(present, present @ np.array([9.0, -9.0, 0.0, 0.0]), np.eye(4))
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
        "safe-augmentation:epochs=2,folds=2,pairs=false+aws:ways=4,rounds=1,trials=4,first=0.3"
    )
    learned = search(chain, epochs=4)
    audit, found = learned.augmenter.members  # type: ignore[attr-defined]
    safe = {f["name"] for f in audit.describe()["audit"]["findings"] if f["kept"]}
    told = found.describe()["search"]
    searched = {row["operation"] for row in told["elements"]}
    around = {name for way, *_ in told["race"]["ways"] for name in way.split(", ")[:-1]}
    assert searched | around - {"one weak operation drawn"} >= safe | {"identity"} - around
    assert (searched | around) & {"hflip", "pad_crop", "cutout"} == safe & {
        "hflip", "pad_crop", "cutout",
    }  # fmt: skip
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
    assert learned.augmenter.policy.does_nothing  # type: ignore[attr-defined]


def test_settings_out_of_range_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"(?s)4 <= trials.*0 < first"):
        AWS(trials=1, first=2.0)
    with pytest.raises(ConfigError, match=r"(?s)loops.*multinomial"):
        PaperAWS(loops=0, table="multinomal")
