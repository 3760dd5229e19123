"""DAGAN: pairs, penalty, training, choice of the state, and what users may give it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learnaug import nets, rundir
from learnaug.data import ImageSet, make_batch
from learnaug.errors import ConfigError, DataError, LearnaugError, RunError, UsageError
from learnaug.methods import Budget, Learned, Learning, load_augmenter, resolve
from learnaug.methods.dagan import DAGAN, Drawing
from learnaug.methods.dagan.adversarial import Adversaries, Drawn, penalty
from learnaug.methods.dagan.classes import parted
from learnaug.methods.dagan.guide import Guide, knowing
from learnaug.methods.dagan.maker import Shape, noise
from learnaug.methods.dagan.pairs import Pairs, turned, turns
from learnaug.methods.dagan.selection import Judge, candidates
from learnaug.seeds import Seeds
from learnaug.training import Keep, Recipe, Stopped

CPU = torch.device("cpu")
SMALL = {"width": 4, "outer": 4, "critic_width": 4, "critic_convs": 1, "batch": 8, "z": 5}


def world(classes: int = 3, each: int = 6, size: tuple[int, int] = (8, 8)) -> ImageSet:
    """Return pictures of bars, one place for each class, with noise."""
    gen = Seeds(classes).child("bars").numpy()
    labels = np.repeat(np.arange(classes), each)
    images = gen.integers(0, 60, (len(labels), 1, *size)).astype(np.uint8)
    images[np.arange(len(labels)), 0, labels % size[0]] = 255
    n = len(labels)
    return ImageSet(
        "bars", images, labels.astype(np.int64), tuple(map(str, range(classes))),
        tuple(map(str, range(n))), np.full(n, -1, np.int64), np.full(n, ""),
    )  # fmt: skip


def learning(data: ImageSet, epochs: int = 20) -> Learning:
    def net(seeds: Seeds) -> nn.Module:
        return nets.build("b1", channels=1, size=data.size, classes=len(data.classes), seeds=seeds)

    third = np.arange(len(data)) % 3 == 0
    return Learning(data.take(~third), data.take(third), net, Recipe(epochs=epochs, batch_size=8))


def learn(method: DAGAN, data: Learning | None = None, keep: Keep | None = None) -> Learned:
    quiet = replace(keep or Keep(), say=lambda words: None)
    return method.learn(
        data or learning(world()), seeds=Seeds(0), device=CPU, budget=Budget(), keep=quiet
    )


def small(**settings: Any) -> DAGAN:
    return DAGAN(**{**SMALL, "updates": 4, "select": "last", **settings})


class Linear(nn.Module):
    """A critic whose slope is known: w times the second picture."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = w

    def forward(self, given: Tensor, candidate: Tensor) -> Tensor:
        return (candidate * self.w).flatten(1).sum(1) + 7 * given.flatten(1).sum(1)


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(norm: float) -> None:
    """(|w| - 1)^2 over all values: a norm along one axis, or of the first picture, is another."""
    w = Seeds(0).numpy().standard_normal((2, 5, 4))
    w = torch.from_numpy(w / np.sqrt((w**2).sum()) * norm)
    x = torch.from_numpy(Seeds(1).numpy().standard_normal((6, 2, 5, 4)))
    found = penalty(Linear(w), x, x.flip(0))
    np.testing.assert_allclose(found.detach(), np.full(6, (norm - 1) ** 2), atol=3e-6)


def test_the_penalty_trains_the_critic() -> None:
    w = torch.full((1, 2, 2), 2.0, dtype=torch.float64, requires_grad=True)  # |w| = 4
    x = torch.zeros(3, 1, 2, 2, dtype=torch.float64)
    penalty(Linear(w), x, x).mean().backward()
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w| = 2 * 3 * 0.5
    np.testing.assert_allclose(w.grad, np.full((1, 2, 2), 3.0), rtol=1e-9)


def test_pairs_are_distinct_of_one_class_and_equally_likely() -> None:
    labels = np.array([0, 1, 0, 2, 1, 0, 3, 3])
    first, second = Pairs.of(labels).draw(20_000, Seeds(0).numpy())
    assert (first != second).all()
    assert (labels[first] == labels[second]).all()
    assert set(first.tolist()) == {0, 1, 2, 4, 5, 6, 7}  # the class of one picture gives none
    for i, others in {0: (2, 5), 2: (0, 5), 5: (0, 2), 1: (4,)}.items():
        for j in others:
            share = ((first == i) & (second == j)).mean() * 7 * len(others)
            assert share == pytest.approx(1, abs=0.12)


def test_half_of_the_pairs_turn_and_turn_back() -> None:
    x = torch.arange(2000 * 9.0).view(2000, 1, 3, 3)
    how = turns(2000, (3, 3), Seeds(0).numpy())
    a = turned(x, how)
    assert torch.equal(turned(a, -how), x)
    ways = [torch.from_numpy(np.rot90(x.numpy(), k, (2, 3)).copy()) for k in range(4)]
    counts = [int((a == way).flatten(1).all(1).sum()) for way in ways]
    assert sum(counts) == 2000
    assert counts[0] == pytest.approx(1250, abs=90)  # half, and a quarter of the other half
    assert all(count == pytest.approx(250, abs=60) for count in counts[1:])


def test_what_is_not_square_turns_upside_down_only() -> None:
    x = torch.arange(400 * 6.0).view(400, 1, 2, 3)
    a = turned(x, turns(400, (2, 3), Seeds(0).numpy()))
    flat = (a == x).flatten(1).all(1) | (a == x.flip(2, 3)).flatten(1).all(1)
    assert flat.all()
    assert 250 < int((a == x).flatten(1).all(1).sum()) < 350


def adversaries(guide: Guide | None = None, **settings: Any) -> Adversaries:
    method, data = small(**settings), world()
    shape = Shape(1, data.size, method.width, method.outer, method.convs, method.blocks, method.z)
    shape = replace(shape, dropout=method.dropout)
    return Adversaries(method, shape, data, data, Seeds(4), CPU, "fp32", guide)


def test_one_update_is_five_steps_of_the_critic_and_one_of_the_generator() -> None:
    task, made = adversaries(), {"generator": 0, "critic": 0}
    for name, optimiser in task.steps.items():
        assert optimiser.defaults["betas"] == (0.0, 0.9)
        whole = optimiser.step

        def step(name: str = name, whole: Any = whole) -> None:
            made[name] += 1
            whole()

        optimiser.step = step  # type: ignore[method-assign]
    drawn: list[Tensor] = []
    plain = task.drawn
    task.drawn = lambda seeds: drawn.append(plain(seeds)[0]) or plain(seeds)  # type: ignore
    with nets.forked():
        task.step(0, Seeds(0))
    assert made == {"generator": 1, "critic": 5}
    assert len({picture.numpy().tobytes() for picture in drawn}) == 6  # fresh batches
    assert all(weight.requires_grad for weight in task.critic.parameters())


def test_the_critic_learns_to_tell_real_from_generated() -> None:
    task = adversaries(critic_steps=40, dropout=0.0, lr=3e-3)
    with nets.forked():
        before = task.distance(Seeds(1))
        task.step(0, Seeds(0))
        after = task.distance(Seeds(1))
    assert before is not None
    assert after is not None
    assert after > before + 0.3


def test_the_loss_of_a_guide_is_the_cross_entropy_of_its_scores() -> None:
    gen = Seeds(0).numpy()
    weights, made = gen.standard_normal((3, 4)), gen.uniform(-1, 1, (5, 1, 2, 2))
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    net[1].weight.data = torch.from_numpy(weights).float() / 255
    labels, rows = np.array([2, 0, 1, 1]), np.array([3, 0, 0, 2, 1])
    found = Guide(net, torch.from_numpy(labels)).loss(torch.from_numpy(made).float(), rows)
    scores = (made.reshape(5, 4) + 1) / 2 @ weights.T
    chance = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = -np.log(chance[np.arange(5), labels[rows]]).mean()
    assert float(found.detach()) == pytest.approx(expected, abs=1e-5)


def test_a_guide_sees_upright_pictures() -> None:
    seen: list[tuple[Tensor, np.ndarray[Any, Any]]] = []

    class Watching(Guide):
        def loss(self, made: Tensor, rows: np.ndarray[Any, Any]) -> Tensor:
            seen.append((made.detach(), rows))
            return super().loss(made, rows)

    class Copying(nn.Module):
        def forward(self, images: Tensor, z: Tensor) -> Tensor:
            return images * self.one  # type: ignore[operator]

    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    task = adversaries(Watching(net, torch.from_numpy(world().labels)))
    copying = Copying()
    copying.one = nn.Parameter(torch.ones(()))
    task.generator = copying
    task.steps["generator"] = torch.optim.SGD(copying.parameters(), 0.0)
    drawn: list[int] = []
    plain = task.drawn

    def drawing(seeds: Seeds) -> Drawn:
        found = plain(seeds)
        drawn.append(int((found.turns > 0).sum()))
        return found

    task.drawn = drawing  # type: ignore[method-assign]
    for update in range(3):
        task._generate(update, Seeds(update))
    assert sum(drawn) > 0  # some were turned for the critic
    for made, rows in seen:
        real = torch.from_numpy(world().images[rows]).float() / 127.5 - 1
        torch.testing.assert_close(made, real)


def test_a_guide_keeps_the_class_of_what_is_generated() -> None:
    own, model = knowing(world(), 200, Seeds(2), CPU, "fp32", Keep())
    guide = Guide(model.requires_grad_(False), torch.from_numpy(own.labels))
    losses = {}
    for weight in (0.0, 2.0):
        task = adversaries(
            guide, class_weight=weight, critic_steps=1, lr=3e-3, dropout=0.0, residual=False
        )
        with nets.forked():
            for update in range(80):
                task.step(update, Seeds(0))
                if update == 59:
                    task.measure(60)
        losses[weight] = task.measure(80)["class_loss"]
    assert losses[2.0] < 0.5 * losses[0.0]


def test_without_its_weight_there_is_no_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, guided = weights(learn(small(class_weight=0.0))), weights(learn(small()))
    assert not all(torch.equal(plain[name], guided[name]) for name in plain)
    one_class = world(classes=1, each=12)
    monkeypatch.setattr(Guide, "of", staticmethod(lambda *args: pytest.fail("a guide is trained")))
    assert weights(learn(small(class_weight=0.0))).keys() == plain.keys()
    learn(small(), learning(one_class))  # there is nothing to tell apart
    assert DAGAN(paper=True).actual.class_weight == 0


def test_no_finite_loss_no_step() -> None:
    task = adversaries()
    with torch.no_grad():
        next(task.critic.parameters()).fill_(float("nan"))
    with nets.forked(), pytest.raises(RunError, match="critic not finite"):
        task.step(0, Seeds(0))


@pytest.mark.parametrize("at", [3, 51])  # while the guide learns, and while the generator does
def test_stopped_and_resumed_is_the_same_bits(tmp_path: Path, at: int) -> None:
    method = small(updates=6, select="critic", critic_steps=2)
    whole = learn(method)
    asked = iter(range(100))
    keep = Keep(tmp_path / "checkpoints", stop=lambda: next(asked) == at)
    with pytest.raises(Stopped):
        learn(method, keep=keep)
    again = learn(method, keep=Keep(tmp_path / "checkpoints"))
    assert again.augmenter.describe() == whole.augmenter.describe()
    pairs = zip(weights(whole).items(), weights(again).items(), strict=True)
    assert all(torch.equal(a, b) for (_, a), (_, b) in pairs)
    for one, other in zip(whole.galleries, again.galleries, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
    done = learn(method, keep=Keep(tmp_path / "checkpoints", stop=lambda: True))
    assert done.augmenter.describe() == whole.augmenter.describe()


def weights(learned: Learned) -> dict[str, Tensor]:
    maker = learned.augmenter.maker  # type: ignore[attr-defined]
    return dict(maker.net.state_dict())


def test_classes_are_kept_apart_where_there_are_enough() -> None:
    cut = parted(learning(world(classes=40)), Seeds(0))
    source, held = set(cut.source.labels.tolist()), set(cut.held.labels.tolist())
    assert (len(source), len(held), source & held) == (34, 6, set())
    assert "34 classes" in cut.note
    assert len(cut.held) == 6 * 6  # training and validation pictures of these classes
    assert set(cut.held.ids).isdisjoint(cut.source.ids)
    other = parted(learning(world(classes=40)), Seeds(1))
    assert set(other.held.labels.tolist()) != held
    few = learning(world(classes=5))
    cut = parted(few, Seeds(0))
    assert cut.source is few.train
    assert cut.held is few.valid
    assert "too few" in cut.note


def test_the_best_state_is_kept() -> None:
    scores, judge = iter([0.2, 0.6, 0.6, 0.1]), Judge("critic", [1, 2, 3, 4], None)
    judge.score = lambda drawing: next(scores)
    task = adversaries()
    for update in range(5):
        with torch.no_grad():
            next(task.generator.parameters()).fill_(float(update))
        judge.look(update, task.drawing())
    assert judge.chosen() == 3
    assert float(next(iter(judge.best.values())).flatten()[0]) == 3
    other = Judge("critic", [1, 2, 3, 4], None)
    other.restore(judge.tensors())
    assert other.told() == judge.told()
    assert candidates(1000)[0] == 500


@pytest.mark.parametrize("select", ["classifier", "critic"])
def test_what_was_judged_is_told(select: str) -> None:
    told = learn(small(updates=6, select=select)).augmenter.describe()["select"]
    assert told["by"] == select
    assert set(told["scores"]) == {"3", "4", "5", "6"}
    best = max(told["scores"].values())
    assert told["scores"][str(told["update"])] == best


def test_a_learned_generator_serves_other_classes(tmp_path: Path) -> None:
    first = learn(small())
    first.augmenter.save(tmp_path / "augmenter")
    other = learning(world(classes=4, each=3))
    for folder in (tmp_path, tmp_path / "augmenter"):
        used = learn(DAGAN(generator=str(folder), per_real=1), other)
        assert used.augmenter.describe()["maker"]["source"]["classes"] == 3
        for (_, a), (_, b) in zip(weights(first).items(), weights(used).items(), strict=True):
            assert torch.equal(a, b)
    batch = used.augmenter(make_batch(other.train, np.arange(8)), other.train, Seeds(0))
    assert int(batch.generated.sum()) == 4
    assert used.galleries == ()


def test_updates_follow_the_data_and_the_recipe() -> None:
    method = DAGAN(updates=5000, passes=10, batch=32, critic_steps=5)
    assert method.number(24_000, 60) == 5000
    assert method.number(16, 1) == 2  # 10 * 16 / (16 * 6)
    assert replace(method, passes=0).number(16, 1) == 5000


def test_paper_means_the_settings_of_the_paper() -> None:
    told = resolve("dagan:paper=true,per_real=10").config()
    assert (told["width"], told["convs"], told["critic_convs"]) == (64, 4, 5)
    assert (told["lr"], told["dropout"], told["per_real"]) == (1e-4, 0.5, 10)
    assert told["updates"] == 200_000


def refused(error: type[LearnaugError], text: str, method: DAGAN, data: Learning) -> None:
    with pytest.raises(error, match=text):
        learn(method, data)


def test_errors_in_words(tmp_path: Path) -> None:
    data = learning(world())
    refused(UsageError, "no generator in", DAGAN(generator=str(tmp_path / "none")), data)
    load_augmenter("flip-crop").save(tmp_path / "policy")
    refused(UsageError, "no generator of pictures", DAGAN(generator=str(tmp_path / "policy")), data)
    learn(small()).augmenter.save(tmp_path / "made")
    given = DAGAN(generator=str(tmp_path / "made"))
    refused(UsageError, r"8 x 8 px with 1 channel, but.*9 x 8", given, learning(world(size=(9, 8))))
    alone = world(classes=6, each=1)
    refused(DataError, "two pictures of a class", small(), learning(alone))
    masks = replace(world(), labels=np.zeros(0, np.int64), masks=np.zeros((18, 8, 8), np.uint8))
    whole = replace(learning(world()), train=masks, valid=masks)
    refused(DataError, "masks", small(), whole)
    mixing = replace(data, before=load_augmenter("mixup"))
    refused(UsageError, "must not mix", small(), mixing)
    with pytest.raises(ConfigError) as told:
        DAGAN(select="best", lr=0.0, critic_steps=0)
    assert all(word in str(told.value) for word in ("'best'", "0 < lr", "critic_steps >= 1"))


@pytest.mark.parametrize("key", ["width", "size", "source", "kind", "weights", "missing", "more"])
def test_a_damaged_folder_is_refused(tmp_path: Path, key: str) -> None:
    learn(small()).augmenter.save(tmp_path)
    file, content = (
        tmp_path / "augmenter.json",
        json.loads((tmp_path / "augmenter.json").read_text()),
    )
    if key == "weights":
        path = tmp_path / "generator.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    elif key == "missing":
        (tmp_path / "generator.safetensors").unlink()
    elif key == "kind":
        content["kind"] = "other"
    else:
        content["maker"][key] = {"width": 5, "size": [8], "source": {"name": 1}, "more": 1}[key]
    rundir.write_json(file, content)
    with pytest.raises(LearnaugError) as told:
        learn(DAGAN(generator=str(tmp_path)))
    assert told.value.__class__ in (ConfigError, DataError)


def test_make_is_one_picture_of_each_whatever_stands_beside() -> None:
    maker = learn(small()).augmenter.maker  # type: ignore[attr-defined]
    assert isinstance(maker, Drawing)
    maker = replace(maker, drops=False)
    images = torch.from_numpy(world().images[:5])
    z = torch.from_numpy(Seeds(0).numpy().standard_normal((5, 5))).float()
    both = maker.generate(images, z)
    assert both.dtype == torch.uint8
    apart = torch.cat([maker.generate(images[i : i + 1], z[i : i + 1]) for i in range(5)])
    assert int((both.int() - apart.int()).abs().max()) <= 1
    assert maker.generate(images[:0], z[:0]).shape == (0, 1, 8, 8)


def test_dropout_in_use_is_noise_that_z_keys() -> None:
    maker = learn(small()).augmenter.maker  # type: ignore[attr-defined]
    images = torch.from_numpy(world().images[:1]).expand(6, -1, -1, -1)
    z = torch.zeros(6, 5)
    assert torch.equal(maker.generate(images, z), maker.generate(images, z))
    assert len(torch.unique(maker.generate(images, z), dim=0)) == 6
    still = replace(maker, drops=False)
    assert len(torch.unique(still.generate(images, z), dim=0)) == 1


def test_without_the_flag_generated_pictures_pass_for_real(tmp_path: Path) -> None:
    data = learning(world()).train
    batch = make_batch(data, np.arange(8))
    for flag in (True, False):
        augmenter = learn(small(flag=flag)).augmenter
        augmenter.save(tmp_path / str(flag))
        for made in (augmenter, load_augmenter(tmp_path / str(flag))):
            after = made(batch, data, Seeds(0))
            assert bool(after.generated.any()) is flag
            assert not torch.equal(after.images, batch.images)


def test_what_learning_costs() -> None:
    assert DAGAN(generator="somewhere").repeats == 0
    assert DAGAN().repeats is None


def test_progress_goes_from_guide_to_judge_to_generator() -> None:
    told: list[float] = []
    learn(small(select="classifier"), learning(world(classes=24)), Keep(progress=told.append))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    # 14 and 3 classes with about 4 and 6 pictures each, a twelfth of an update of the generator
    steps = np.diff([0.0, *told])
    assert steps[-4:] == pytest.approx([steps[-1]] * 4)
    assert steps[-1] == pytest.approx(12 * steps[0], rel=0.35)


def test_a_residual_generator_begins_near_its_picture() -> None:
    images = torch.arange(8 * 64, dtype=torch.uint8).view(8, 1, 8, 8)  # all greys
    z = noise(8, 5, Seeds(3))
    far = {}
    for residual in (True, False):
        shape = Shape(1, (8, 8), 8, 8, 1, 2, 5, dropout=0.0, residual=residual)
        made = Drawing(shape.build(Seeds(0)), shape).generate(images, z)
        far[residual] = float((made.float() - images.float()).abs().mean())
    assert far[True] < 0.3 * far[False]
