"""What a search believed on its way, against a naive re-fit; and its pictures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).resolve().parent))
from safe_worlds import CPU, QUIET, hooks

from learnaug import nets
from learnaug.methods import Budget, Learning
from learnaug.methods.aws import PaperAWS
from learnaug.methods.aws.history import course, marks, of_pairs, of_race, of_screening, spread
from learnaug.methods.aws.pictures import policy_grid
from learnaug.methods.aws.race import Raced
from learnaug.methods.aws.screening import design, odds, posterior, related, surprise
from learnaug.methods.aws.search import Screened
from learnaug.methods.aws.space import space_of
from learnaug.methods.aws.structure import LEVELS, structures_of
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.ops.sets import OperationSet
from learnaug.seeds import Seeds
from learnaug.training import Recipe

TURN = (Element("rotate", values=(5.0, 10.0, 15.0, 20.0), sign=True),)
FLIP, DARK = (Element("hflip"),), (Element("gamma", 1.2),)
SPACE = space_of(OperationSet("world", (("turn", TURN), ("flip", FLIP), ("dark", DARK))), 2)
OWNER = np.array(SPACE.owner)
KERNEL = related(OWNER)
TRIALS = 10
DRAWN = (
    "no operation", "one weak operation", "two weak operations", "one operation", "two operations",
)  # fmt: skip


def seen() -> tuple[np.ndarray, np.ndarray]:
    present = design(len(SPACE), TRIALS, 2, Seeds(1)).astype(float)
    shares = np.array([SPACE.chances(row) for row in present])
    gen = np.random.Generator(np.random.Philox(5))
    return shares, shares @ np.array([0.0, 2.0, 1.5, -2.0, 0.3]) + 0.1 * gen.normal(size=TRIALS)


def refit(shares: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Return the probability of each element from the definition: whole covariances, one grid."""
    n, t = len(SPACE), len(rewards)
    prior = np.array(SPACE.prior)
    if t < 4:
        return prior
    x = shares - shares.mean(0)
    kernel = np.where(OWNER[:, None] == OWNER, 0.5, 0.0) + 0.5 * np.eye(n)
    basis = np.linalg.svd(np.eye(t) - 1 / t)[0][:, : t - 1]
    data = basis.T @ rewards
    best, ratio, noise2 = -np.inf, 0.0, 0.0
    for one in [0.0, *np.geomspace(1e-2, 1e4, 49)]:
        whole = basis.T @ (one * x @ kernel @ x.T + np.eye(t)) @ basis
        scale = data @ np.linalg.solve(whole, data) / (t - 1)
        fit = -0.5 * (np.linalg.slogdet(whole)[1] + (t - 1) * np.log(scale))
        if fit > best + 1e-12:
            best, ratio, noise2 = fit, one, scale
    if ratio == 0:
        return prior
    whole = ratio * x @ kernel @ x.T + np.eye(t)
    mean = ratio * kernel @ x.T @ np.linalg.solve(whole, rewards - rewards.mean())
    left = ratio * kernel - ratio**2 * kernel @ x.T @ np.linalg.solve(whole, x @ kernel)
    helps = norm.cdf(mean / np.sqrt(noise2 * np.diag(left)))
    weights = np.clip(helps / (1 - helps), 1 / 32, 8) * prior
    return np.asarray(weights / weights.sum())


def test_the_first_trials_are_read_as_if_there_were_no_others() -> None:
    shares, rewards = seen()
    steps = course(shares, rewards, KERNEL, ["draw"] * 5, SPACE.chances, Seeds(3))
    assert [step["trials"] for step in steps] == list(range(1, TRIALS + 1))
    for step in steps:
        t = step["trials"]
        expected = refit(shares[:t], rewards[:t])
        assert step["probability"] == pytest.approx(expected, abs=2e-5)
        varied = np.exp(-(expected * np.log(expected)).sum())
        assert step["effective"] == pytest.approx(varied, abs=0.006)
    assert steps[2]["probability"] == pytest.approx(SPACE.prior, abs=1e-5)
    assert np.abs(np.array(steps[-1]["probability"]) - SPACE.prior).max() > 0.1


def test_the_last_look_is_the_search_itself() -> None:
    shares, rewards = seen()
    found = posterior(shares, rewards, KERNEL)
    p = surprise(shares, rewards, KERNEL, Seeds(3).child("shuffles"))
    told = of_screening(Screened(odds(found), found, p, shares, rewards), SPACE, Seeds(3))
    last = told["steps"][-1]
    assert last["permuted_reward_p"] == round(p, 5)
    assert last["probability"] == [row["probability"] for row in told["rows"]]
    assert [row["group"] for row in told["rows"]] == ["identity", "turn", "turn", "flip", "dark"]
    assert [row["effect"] for row in told["rows"]] == pytest.approx(found.mean, abs=1e-6)
    assert [row["sd"] for row in told["rows"]] == pytest.approx(found.sd, abs=1e-6)
    even = Screened(np.ones(5), found, 0.4, shares, rewards)
    kept = of_screening(even, SPACE, Seeds(3))["rows"]
    assert all(row["probability"] == row["before"] for row in kept)


def test_the_band_of_chance_is_that_of_rewards_dealt_out_anew() -> None:
    shares, rewards = seen()
    steps = course(shares, rewards, KERNEL, ["draw"] * 5, SPACE.chances, Seeds(3))
    for step in (steps[5], steps[-1]):
        t = step["trials"]
        sharp = []
        for k in range(19):
            dealt = Seeds(3).child("dealt", k).numpy().permutation(rewards)
            chances = refit(shares[:t], dealt[:t])
            sharp.append(np.exp(-(chances * np.log(chances)).sum()))
        assert step["effective_shuffled"] == pytest.approx([min(sharp), max(sharp)], abs=0.006)


def test_a_race_tells_the_chance_of_each_part_to_be_in_the_best_way() -> None:
    """Exact rewards of all ways: the last looks are sure, and effects are plain differences."""
    around = (("crop", (Element("pad_crop", 0.125),)), ("mirror", (Element("hflip"),)))
    ways = structures_of(OperationSet("w", (*around, ("turn", TURN))), 2)
    truth = np.array(
        [
            0.5 * (way["pad_crop"] == "yes") - 0.3 * (way["hflip"] == "yes")
            + 0.1 * (way["drawn"] == "two")
            for way in ways.all
        ]
    )  # fmt: skip
    order, kernel = np.random.Generator(np.random.Philox(1)).permutation(20), ways.kernel(0.5)
    shares, known = np.eye(20)[order], (1e4, 0.001)
    found = posterior(shares, truth[order], kernel, known)
    best = int(truth.argmax())
    raced = Raced(best, (tuple((int(w), truth[w]) for w in order),), found, 0.001, (), order,
                  truth[order])  # fmt: skip
    told = of_race(raced, ways, Seeds(0))
    rows = {(row["group"], row["name"]): row for row in told["rows"]}
    assert list(rows) == [
        ("pad_crop", "pad_crop"), ("hflip", "hflip"),
        *zip(LEVELS, (f"{n} drawn" for n in DRAWN), strict=True),
    ]  # fmt: skip
    assert rows["pad_crop", "pad_crop"]["effect"] == pytest.approx(0.5, abs=0.01)
    assert rows["hflip", "hflip"]["effect"] == pytest.approx(-0.3, abs=0.01)
    twice = rows["two", "two operations drawn"]
    assert twice["effect"] == pytest.approx(0.1, abs=0.01)
    assert [row["before"] for row in told["rows"]] == [0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2]
    final = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert [row["probability"] for row in told["rows"]] == final
    assert told["steps"][-2]["trials"] == 20
    assert told["steps"][-2]["probability"] == pytest.approx(final, abs=0.01)
    assert told["steps"][0]["trials"] == 4
    for step in told["steps"]:
        assert sum(step["probability"][2:]) == pytest.approx(1, abs=1e-3)
        assert 1 <= step["effective"] <= 20


def test_what_stands_alone_is_no_choice() -> None:
    chances = np.array([0.5, 0.25, 0.25, 0.9, 0.5, 0.5])
    stages = ["draw", "draw", "draw", "crop", "cut", "cut"]
    assert spread(chances, stages) == pytest.approx(2 * 2**1.5)


@pytest.mark.parametrize("trials", [1, 3, 19, 20, 40, 350])
def test_marks_are_even_shares_that_end_at_the_end(trials: int) -> None:
    found = marks(trials)
    assert len(found) == min(trials, 20)
    assert found[-1] == trials
    assert max(np.diff([0, *found])) - min(np.diff([0, *found])) <= 1


def test_the_history_of_pairs_is_the_marginal_of_the_first_element() -> None:
    elements = (Element("hflip"), Element("vflip"))
    table = np.array([[0.1, 0.3], [0.4, 0.2]])
    seen = [(1, np.full((2, 2), 0.25)), (2, table)]
    told = of_pairs(elements, table, 1, seen, [50.0, 60.0], [[4.0, 3.9], [3.8, 3.5]])
    assert [step["probability"] for step in told["steps"]] == [[0.5, 0.5], [0.4, 0.6]]
    assert [step["mean_reward"] for step in told["steps"]] == [50.0, 55.0]
    assert [step["effective_shuffled"] for step in told["steps"]] == [[3.8, 4.0], [3.5, 3.9]]
    entropy = -sum(p * np.log(p) for p in table.ravel())
    assert told["steps"][1]["effective"] == pytest.approx(np.exp(entropy), abs=0.006)
    assert [row["name"] for row in told["rows"]] == ["hflip", "vflip"]
    assert [row["probability"] for row in told["rows"]] == [0.4, 0.6]


def test_the_published_search_tells_its_course_and_shows_its_draws() -> None:
    data = hooks(0, 96)

    def build(seeds: Seeds) -> torch.nn.Module:
        return nets.build("smallnet", channels=1, size=(8, 8), classes=2, seeds=seeds)

    train, valid = data.take(np.arange(64)), data.take(np.arange(64, 96))
    learning = Learning(train, valid, build, Recipe(epochs=2, batch_size=32))
    learned = PaperAWS(loops=3, looks=2).learn(
        learning, seeds=Seeds(0), device=CPU, budget=Budget(), keep=QUIET
    )
    told = learned.augmenter.describe()["search"]
    steps = told["history"]["steps"]
    assert [step["trials"] for step in steps] == [1, 2, 3]
    assert steps[-1]["effective"] == told["effective_pairs"]
    dealt = told["effective_pairs_shuffled"]
    assert steps[-1]["effective_shuffled"] == [min(dealt), max(dealt)]
    assert all(sum(step["probability"]) == pytest.approx(1, abs=1e-3) for step in steps)
    assert told["history"]["chosen"] == int(np.argmax(told["rewards"]))
    assert [gallery.title for gallery in learned.galleries] == ["What the policy does"]


# --- pictures


def always(name: str) -> Policy:
    return Policy((Stage(((Element(name),),)),), name)


def test_the_grid_shows_both_policies_on_the_same_pictures() -> None:
    data = hooks(1, 12)
    (grid,) = policy_grid(data, always("identity"), always("hflip"), Seeds(0))
    assert grid.rows == ("left: found", "left: before", "right: found", "right: before")
    assert grid.columns == ("as it is", *(f"draw {i}" for i in range(1, 7)))
    for pair, label in enumerate((0, 1)):
        first = data.images[np.flatnonzero(data.labels == label)[0]]
        found, before = grid.images[2 * pair], grid.images[2 * pair + 1]
        assert (found[0] == first).all()
        assert (found[1:] == first[..., ::-1]).all()
        assert (before == first).all()


def test_nothing_found_shows_what_it_began_with_alone() -> None:
    data = hooks(1, 12)
    (grid,) = policy_grid(data, always("vflip"), None, Seeds(0))
    assert all(name.endswith(": before") for name in grid.rows)
    assert "found none" in grid.words
    assert policy_grid(data.take(np.arange(0)), always("vflip"), None, Seeds(0)) == ()


def test_masks_follow_beside_their_pictures() -> None:
    data = hooks(1, 6)
    masks = (data.images[:, 0] > 120).astype(np.uint8)
    masked = replace(data, masks=masks, labels=np.zeros(0, np.int64))
    (grid,) = policy_grid(masked, always("identity"), always("hflip"), Seeds(0))
    assert grid.columns[:4] == ("as it is", "its mask", "draw 1", "its mask")
    found, before = grid.images[0], grid.images[1]
    assert (found[3] == found[1][..., ::-1]).all()
    assert (before[3] == before[1]).all()
