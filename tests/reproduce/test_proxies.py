"""The study of proxies: correlations, what is run for each proxy, a stop, a planted case."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats as oracle

from learnaug import reproduce, rundir, stats
from learnaug.errors import RunError
from learnaug.methods import PolicyAugmenter
from learnaug.methods.aws.proxy import Schedule, shared
from learnaug.ops.policy import Policy
from learnaug.reproduce import aws_proxies, correlated, proxies
from learnaug.reproduce.rows import Proxies, ProxyTable, Size, Source, Tuning
from learnaug.seeds import Seeds
from learnaug.study import Interrupted
from learnaug.study.world import open_world
from learnaug.training import Keep, Recipe

SIZE = Size(8, Recipe(epochs=3, batch_size=16, lr=0.05), per_class=30)
LINES = aws_proxies.LINES
BLOCK = Proxies(
    "stripes", Source("stripes", "stripes"), "b1", 4, LINES, SIZE, SIZE, Tuning(0.5, 0.5),
    Tuning(0.5, 0.5, steady=0.01),
)  # fmt: skip
TABLE = ProxyTable("stripes", "a coin", (BLOCK,), ("tiny",))
FEW = replace(BLOCK, lines=(LINES[0], LINES[2], LINES[3], LINES[6]))


# --- correlations


def series(rows: int, n: int, name: str) -> np.ndarray:
    return Seeds(5).child("series", name).numpy().normal(size=(rows, n))


@pytest.mark.parametrize("ranks", [False, True])
def test_mean_correlations_equal_scipy(ranks: bool) -> None:
    x, y = series(3, 12, "x"), np.round(series(3, 12, "y"), 0)  # ties in y
    y[0] = 1.0  # has no correlation
    places = np.concatenate([np.arange(12)[None], stats.resamples(12, Seeds(1).numpy(), 6)])
    call = oracle.spearmanr if ranks else oracle.pearsonr
    for apart in (False, True):
        found = stats.correlations(x, y, places, ranks=ranks, apart=apart)
        pairs = [(i, j) for i in range(3) for j in (1, 2) if not (apart and i == j)]
        for value, place in zip(found, places, strict=True):
            wanted = [call(x[i, place], y[j, place]).statistic for i, j in pairs]
            assert value == pytest.approx(np.mean(wanted), abs=1e-12)
    assert np.isnan(stats.correlations(x, y[:1], places[:1], ranks=ranks)).all()


def test_the_interval_of_ranks() -> None:
    """Bonett and Wright's formula, typed again."""
    z, sd = np.arctanh(0.6), np.sqrt(1.18 / 17)
    wanted = np.tanh([z - 1.959964 * sd, z + 1.959964 * sd])
    assert stats.rank_interval(0.6, 20) == pytest.approx(wanted, abs=1e-6)
    assert stats.rank_interval(0.6, 3) is None is stats.rank_interval(float("nan"), 20)


def test_intervals_by_resampling_hold_the_truth() -> None:
    """400 samples of 24 from a normal pair with correlation 0.8, and of their difference to 0.8."""
    gen, held, wide = Seeds(2).child("coverage").numpy(), 0, []
    for _ in range(400):
        x, noise = gen.normal(size=(2, 1, 24))
        places = np.concatenate([np.arange(24)[None], stats.resamples(24, gen, 200)])
        values = stats.correlations(x, 0.8 * x + 0.6 * noise, places)
        low, high = stats.resampled_interval(values, 24)
        held += low <= 0.8 <= high
        low, high = stats.resampled_interval(values - 0.8, 24, fisher=False)
        wide.append(high - low)
    assert 0.92 <= held / 400 <= 0.98
    assert 0.2 < np.mean(wide) < 0.5
    assert stats.resampled_interval(np.array([0.5, *[np.nan] * 3, 0.4]), 24) is None


# --- policies


def test_random_policies_differ_and_their_mean_is_the_shared_one() -> None:
    found = proxies.random_policies(200, Seeds(3))
    assert found[:24] == proxies.random_policies(24, Seeds(3))
    assert len({policy.stages for policy in found}) == 200
    assert len({policy.name for policy in found}) == 200

    def reached(policy: Policy) -> dict[str, float]:
        """Share of the pictures that each operation reaches, those of one stage in one row."""
        out = {"hflip": 0.0, "pad_crop": 0.0, "cutout": 0.0, "drawn": 0.0}
        for stage in policy.stages:
            weights = np.array(stage.rows[0]) / sum(stage.rows[0])
            for branch, weight in zip(stage.branches, weights, strict=True):
                for element in branch:
                    key = element.op if element.op in out else "drawn"
                    out[key] += weight * element.p
        return out

    shared_one = reached(proxies.mean_policy())
    assert shared_one == pytest.approx(
        {"hflip": 0.25, "pad_crop": 0.5, "cutout": 0.5, "drawn": 0.5}
    )
    # Many draws, twins among them: without them the shares would lean to the many with elements.
    drawn = [reached(proxies.random_policy(Seeds(4).child(n))) for n in range(400)]
    for key, value in shared_one.items():
        assert np.mean([each[key] for each in drawn]) == pytest.approx(value, abs=0.07)
    structures = {tuple(value > 0 for value in each.values()) for each in drawn}
    assert len(structures) == 16  # each part is there or not, whatever the others do
    settled = [reached(policy) for policy in proxies.random_policies(9, Seeds(3), structure=False)]
    for each in (*settled, reached(proxies.mean_policy(structure=False))):
        assert each == pytest.approx({"hflip": 0.5, "pad_crop": 1, "cutout": 1, "drawn": 1})


# --- a table


@pytest.fixture
def stripes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., reproduce.Found]:
    gen = Seeds(0).child("stripes").numpy()
    images = gen.integers(0, 140, (160, 8, 8)).astype(np.uint8)
    labels = np.arange(160) % 2
    images[labels == 0, :4] += 60
    labels = np.where(gen.random(160) < 0.15, 1 - labels, labels)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "stripes.npz", x=images, y=labels)

    def run(out: str = "out", block: Proxies = BLOCK, **more: Any) -> reproduce.Found:
        table = replace(TABLE, blocks=(block,))
        monkeypatch.setitem(reproduce.PAPERS, "stripes", {"proxies": table})
        settings: dict[str, Any] = {"data": tmp_path / "data", "seeds": 2, "device": "cpu"} | more
        return reproduce.run("stripes", "proxies", out=tmp_path / out, **settings)

    return run


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the journal says, read without our reader, less the seconds and checksums."""
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return {
        row["name"]: {k: v for k, v in row.items() if k not in ("seconds", "crc")} for row in rows
    }


def pearson(x: list[float], y: list[float]) -> float | None:
    return oracle.pearsonr(x, y).statistic if np.ptp(x) and np.ptp(y) else None


def test_the_figures_are_those_of_the_journal(stripes, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    found = stripes(block=FEW, say=events.append)
    done = records(tmp_path / "out" / "stripes")
    keys = ["whole", *(line.key for line in FEW.lines if not line.whole)]
    assert len(done) == 2 * 4 * len(keys)
    origin = rundir.read_json(rundir.origin_path(tmp_path / "out" / "stripes"))
    assert origin["versions"] == rundir.versions()
    told = {row["key"]: row for row in found.to_json()["rows"]}
    for key in keys[1:]:
        pairs = [
            pearson(
                [done[f"{key}/{a}/{n}"]["score"] for n in range(4)],
                [done[f"whole/{b}/{n}"]["test_score"] for n in range(4)],
            )
            for a in range(2)
            for b in range(2)
        ]
        known = [value for value in pairs if value is not None]
        assert told[key]["pearson"] == (pytest.approx(np.mean(known)) if known else None)
        assert (told[key]["n"], told[key]["seeds"], told[key]["state"]) == (4, 2, "done")
        assert (tmp_path / "out" / f"stripes-{key}.svg").read_text().startswith("<?xml")
    crossed = [
        pearson(
            [-done[f"whole/{a}/{n}"]["valid_nll"] for n in range(4)],
            [done[f"whole/{1 - a}/{n}"]["test_score"] for n in range(4)],
        )
        for a in range(2)
    ]
    assert None not in crossed
    assert told["whole-valid"]["pearson_loglik"] == pytest.approx(np.mean(crossed))
    split = json.loads((tmp_path / "out" / "stripes" / "split.json").read_text())
    sizes = [len(split[part]["ids"]) for part in ("train", "valid", "test")]
    page = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert page == found.to_markdown()
    for words in ("| 0.85 ", "stripes-augmented.svg", "4 x 2", "- tiny"):
        assert words in page
    assert "{} / {} / {} pictures train / validate / test".format(*sizes) in page
    assert any("trainings and trials, about" in event.get("text", "") for event in events)
    assert events[-1]["done_runs"] == events[-1]["total_runs"] == len(done)
    assert not (tmp_path / "out" / "stripes" / "work").exists()
    again = reproduce.read("stripes", "proxies", tmp_path / "out")
    assert (again.rows, again.seeds) == (found.rows, 2)


def test_a_stop_and_a_crash_leave_the_same_bits(stripes, tmp_path: Path) -> None:
    stripes("whole", FEW, seeds=1)
    wanted = records(tmp_path / "whole" / "stripes")

    def stop(event: dict[str, Any]) -> None:
        if event.get("done_runs") == 6:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        stripes(block=FEW, say=stop, seeds=1)
    table = rundir.read_json(tmp_path / "out" / "table.json")["rows"]
    assert [row["state"] for row in table[:2]] == ["planned", "planned"]
    assert len(records(tmp_path / "out" / "stripes")) == 6

    def crash(event: dict[str, Any]) -> None:
        if event.get("done_runs") == 11:
            raise MemoryError

    with pytest.raises(MemoryError):
        stripes(block=FEW, say=crash, seeds=1)
    journal = tmp_path / "out" / "stripes" / "results.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])  # a killed writer
    assert len(wanted) > 11
    stripes(block=FEW, seeds=1)
    assert records(tmp_path / "out" / "stripes") == wanted
    stripes(block=FEW, seeds=2)
    more = records(tmp_path / "out" / "stripes")
    assert {name: more[name] for name in wanted} == wanted
    assert len(more) == 2 * len(wanted)


def test_each_proxy_begins_as_it_is_called(
    stripes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is trained first, and that Eval is the shared weights seen on augmented pictures."""
    policies = (Policy(name="nothing"), *proxies.random_policies(3, Seeds(9)))
    drawn = proxies.random_policies
    monkeypatch.setattr(proxies, "random_policies", lambda *more: policies)
    first: list[tuple[Any, ...]] = []

    def spied(net, parts, own, before, schedule, **more):
        first.append(
            (own.policy.name, schedule.late, sum(float(w.sum()) for w in net.state_dict().values()))
        )
        return shared(net, parts, own, before, schedule, **more)

    monkeypatch.setattr(proxies, "shared", spied)
    stripes(seeds=1)
    assert [name for name, *_ in first] == ["random", "none", "random", "random", "random"]
    assert [late for _, late, _ in first] == [0.5, 0.5, 0.5, 0.05, 0.2]
    world = open_world(tmp_path / "out" / "stripes")
    pair = world.pair(0).child("proxy")
    weights = {total for *_, total in first}
    assert weights == {
        sum(float(w.sum()) for w in world.net(pair.child("init")).state_dict().values())
    }
    whole = world.net(world.pair(0).child("whole", "init"))
    assert sum(float(w.sum()) for w in whole.state_dict().values()) not in weights
    own = PolicyAugmenter(proxies.mean_policy())
    proxy = shared(
        world.net(pair.child("init")), (world.part(0, "train"), world.part(0, "valid")), own, None,
        Schedule(SIZE.recipe, 0.5, 0.5), seeds=pair, device=torch.device("cpu"),
        precision=world.plan.precision, keep=Keep(),
    )  # fmt: skip
    look = proxy.trial(own, 0, Keep())[-1]
    done = records(tmp_path / "out" / "stripes")
    assert done["eval/0/0"] == {"name": "eval/0/0", "score": look.score, "nll": look.nll}
    assert done["eval/0/1"]["nll"] != look.nll
    after = proxy.trial(PolicyAugmenter(policies[2]), 0, Keep())[-1]
    assert done["augmented/0/2"]["nll"] == after.nll
    monkeypatch.setattr(proxies, "random_policies", drawn)
    with pytest.raises(RunError, match="the policies of this folder are not those"):
        stripes(seeds=1)


def test_a_policy_that_fails_is_left_out(
    stripes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = proxies.random_policies(4, Seeds(0).child("policies"))[3]

    def fit(net, train, valid, curriculum, recipe, **more):
        if curriculum[0].augmenter.policy == bad:
            raise RunError("the loss is not finite")
        return kept(net, train, valid, curriculum, recipe, **more)

    kept = proxies.fit
    monkeypatch.setattr(proxies, "fit", fit)
    found = stripes(block=FEW, seeds=1)
    assert {row["n"] for row in found.rows if not row["whole"]} == {3}
    assert "- left out, whole/0/3: the loss is not finite" in found.to_markdown()


# --- planted


def test_a_planted_case_is_read(tmp_path: Path, stripes) -> None:
    """The first proxy is the truth with a little noise, the random one is noise, the plain half."""
    stripes(block=replace(BLOCK, policies=2, lines=LINES[:1]), seeds=1)
    gen, truth = Seeds(6).numpy(), np.linspace(0.4, 0.7, 24)
    wide = replace(BLOCK, policies=24)
    rows: list[dict[str, Any]] = []
    noise = {"augmented": 0.02, "plain": 0.09, "random": 9.0, "eval": 9.0}
    for seed in range(3):
        for n, value in enumerate(truth):
            for line in LINES:
                if not line.whole:
                    score = value + gen.normal(0, noise.get(line.key, 0.02))
                    row = {"score": score, "nll": -score, "seconds": 1.0}
                    rows.append({"name": f"{line.key}/{seed}/{n}", **row})
            told = {f"{part}_score": value + gen.normal(0, 0.01) for part in ("test", "valid")}
            told |= {f"{part}_nll": 0.0 for part in ("test", "valid")} | {"seconds": 10.0}
            rows.append({"name": f"whole/{seed}/{n}", **told})
    (tmp_path / "planted").mkdir()
    (tmp_path / "out" / "stripes").rename(tmp_path / "planted" / "stripes")
    rundir.write_records(tmp_path / "planted" / "stripes" / "results.jsonl", rows)
    found = {row["key"]: row for row in correlated.told(wide, "small", tmp_path / "planted", 3, "")}
    sd = truth.std()
    for key in ("augmented", "plain"):
        wanted = sd**2 / np.sqrt((sd**2 + noise[key] ** 2) * (sd**2 + 0.01**2))
        low, high = found[key]["pearson_interval"]
        assert low < wanted < high
        assert found[key]["pearson"] == found[key]["pearson_loglik"]
        assert found[key]["means"] > found[key]["pearson"]
    assert found["augmented"]["pearson"] > 0.9
    low, high = found["random"]["pearson_interval"]
    assert low < 0 < high
    assert found["plain"]["difference_interval"][1] < 0
    low, high = found["augmented-5"]["difference_interval"]
    assert low < 0 < high
    assert found["whole-valid"]["pearson"] > 0.95
    assert (found["whole-valid"]["pearson_loglik"], found["whole-valid"]["means"]) == (None, None)
    heading, lines = correlated.lines_of(wide, "small", list(found.values()))
    assert "24 random policies" in heading
    assert any("| 10 % " in line for line in lines)
