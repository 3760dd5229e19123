"""Style transfer: CycleGAN's training, what paints, the control, watching, reading styles."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from learnaug import nets
from learnaug.data import ImageSet, make_batch
from learnaug.errors import ConfigError, LearnaugError, RunError, UsageError
from learnaug.methods import Budget, Learned, Learning, load_augmenter, resolve
from learnaug.methods.style.cycle import Course, Cycle, Pool, rate_at
from learnaug.methods.style.domains import Style, few, read, recoloured
from learnaug.methods.style.maker import Painting, painted
from learnaug.methods.style.statistics import measured
from learnaug.methods.style.watch import warnings, watch
from learnaug.seeds import Seeds
from learnaug.training import Keep, Recipe, Stopped
from learnaug.training.loop import run

CPU = torch.device("cpu")
Pictures = NDArray[np.uint8]
QUICK = "updates=3,width=2,blocks=1,batch=2,pool=3"


def pictures(n: int, low: int, high: int, *, side: int = 16, channels: int = 3) -> Pictures:
    """Return noise between two levels, with a bright square."""
    gen = Seeds(5).child("style", low, high, n).numpy()
    images = gen.integers(low, high, (n, channels, side, side), dtype=np.uint8)
    images[:, :, 4:8, 4:8] += 20
    return images


def world(n: int = 12, *, side: int = 16, channels: int = 3, low: int = 10) -> ImageSet:
    """Return dark pictures of 2 classes."""
    labels = (np.arange(n) % 2).astype(np.int64)
    ids, alone = tuple(f"row {i}" for i in range(n)), np.full(n, -1, np.int64)
    images = pictures(n, low, low + 50, side=side, channels=channels)
    return ImageSet("dark", images, labels, ("a", "b"), ids, alone, np.full(n, ""))


def learning(data: ImageSet) -> Learning:
    def net(seeds: Seeds) -> torch.nn.Module:
        return nets.build(
            "smallnet", channels=data.channels, size=data.size, classes=2, seeds=seeds
        )

    return Learning(data, data, net, Recipe(epochs=1, batch_size=4))


def learn(name: str, data: ImageSet, keep: Keep | None = None, seed: int = 0) -> Learned:
    said = keep or Keep(say=lambda text: None)
    return resolve(name).learn(
        learning(data), seeds=Seeds(seed), device=CPU, budget=Budget(), keep=said
    )


def cycle(course: Course, *, train: ImageSet | None = None) -> Cycle:
    style = Style("light", pictures(9, 180, 230, side=18))
    return Cycle(train or world(), style, course, (4, 1, 1, False), Seeds(0), CPU, "fp32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two styles of five pictures each."""
    for name, low in (("light", 180), ("red", 90)):
        (tmp_path / "styles" / name).mkdir(parents=True)
        for i, picture in enumerate(pictures(5, low, low + 40, side=20)):
            if name == "red":
                picture[1:] //= 4
            Image.fromarray(picture.transpose(1, 2, 0)).save(
                tmp_path / "styles" / name / f"{i}.png"
            )
    return tmp_path / "styles"


# The training


def test_the_rate_is_constant_and_then_falls_along_a_line() -> None:
    course = Course(10, lr=1.0, decay=0.4)
    found = [rate_at(course, update) for update in range(10)]
    np.testing.assert_allclose(found, [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert rate_at(Course(10, lr=3.0, decay=0.0), 9) == 3.0


def test_the_losses_are_those_of_the_paper() -> None:
    """Each term from single passes of the nets, where the task joins them in batches."""
    course = Course(4, batch=2, cycle=7.0, identity=0.25)
    task = cycle(course)
    x = torch.rand(2, 3, 16, 16, generator=Seeds(1).torch()) * 2 - 1
    y = torch.rand(2, 3, 16, 16, generator=Seeds(2).torch()) * 2 - 1
    loss, row, styled, real = task._painters(x, y)

    def away(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(np.abs(a.detach().numpy() - b.detach().numpy()).mean())

    def short_of(a: torch.Tensor, aim: float) -> float:
        return float(((a.detach().numpy() - aim) ** 2).mean())

    g, f, (d_y, d_x) = task.paint, task.back, task.judges
    ways = away(f(g(x)), x), away(g(f(y)), y)
    still = away(g(y), y) + away(f(x), x)
    fooled = short_of(d_y(g(x)), 1) + short_of(d_x(f(y)), 1)
    assert float(loss.detach()) == pytest.approx(fooled + 7 * (sum(ways) + 0.25 * still), rel=1e-5)
    assert row == pytest.approx([ways[0] / 2, still / 4, away(g(x), x) / 2], rel=1e-5)
    torch.testing.assert_close(styled, g(x))
    torch.testing.assert_close(real, f(y))
    judged = float(task._judged(d_y, y, styled).detach())
    half = (short_of(d_y(y), 1) + short_of(d_y(g(x)), 0)) / 2
    assert judged == pytest.approx(half, rel=1e-5)


def test_painters_do_not_move_judges_nor_judges_painters() -> None:
    task = cycle(Course(4))
    x = torch.rand(1, 3, 16, 16, generator=Seeds(1).torch()) * 2 - 1
    loss, _, styled, _ = task._painters(x, -x)
    loss.backward()
    assert all(p.grad is None for judge in task.judges for p in judge.parameters())
    task.optimisers["painters"].zero_grad(set_to_none=True)
    task._judged(task.judges[0], -x, styled).backward()
    assert all(p.grad is None for p in task.paint.parameters())
    assert all(p.grad is not None for p in task.judges[0].parameters())


def test_the_pool_shows_former_pictures_half_of_the_time() -> None:
    pool, gen = Pool(5), Seeds(0).numpy()
    shown = [float(pool.shown(torch.full((1, 1, 1, 1), float(i)), gen)) for i in range(4005)]
    assert shown[:5] == [0, 1, 2, 3, 4]
    old = sum(found != i for i, found in enumerate(shown))
    assert abs(old - 2000) < 3 * math.sqrt(1000)
    assert len(shown) == len(set(shown)) + 5  # what filled the pool is shown again, no other
    # One of the pool is taken with probability 1 / (2 * 5) a step: it waits for 10 on average.
    waits = [i - found for i, found in enumerate(shown) if found != i]
    assert 9 < np.mean(waits) < 11
    assert Pool(0).shown(torch.ones(2, 1, 1, 1), gen).shape == (2, 1, 1, 1)


def test_a_stopped_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    course = Course(12, batch=2, pool=3, lr=1e-3)
    whole = cycle(course)
    run(whole, 12, Seeds(4), Keep(log=tmp_path / "whole.jsonl"))
    calls = iter([False] * 6 + [True])
    keep = Keep(tmp_path / "kept", tmp_path / "log.jsonl", stop=lambda: next(calls))
    with pytest.raises(Stopped):
        run(cycle(course), 12, Seeds(4), keep)
    again = cycle(course)
    run(again, 12, Seeds(4), replace(keep, stop=lambda: False))
    found, wanted = again.tensors(), whole.tensors()
    assert found.keys() == wanted.keys()
    assert any(name.startswith("pool.style.") for name in wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert (tmp_path / "log.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_it_learns_to_paint_in_the_style() -> None:
    """Dark pictures become light as the style is, and the square stays where it was."""
    data = world(low=40)
    task = cycle(Course(120, lr=2e-3), train=data)
    images = make_batch(data, np.arange(6)).images
    before = painted(task.paint, images).float().mean()
    run(task, 120, Seeds(1), Keep())
    after = painted(task.paint.eval(), images).float()
    assert after.mean() > max(140.0, float(before) + 20)  # pictures 65, style 205
    square = after[:, :, 4:8, 4:8].mean() - after[:, :, 10:, 10:].mean()
    assert square > 4


def test_a_loss_that_is_not_finite_stops_it() -> None:
    task = cycle(Course(4))
    with torch.no_grad():
        next(task.paint.parameters()).fill_(float("nan"))
    with pytest.raises(RunError, match="light stopped at update 0"):
        task.step(0, Seeds(0))


@pytest.mark.parametrize(
    "setting",
    [
        "updates=5", "batch=1", "width=3", "blocks=2", "layers=2", "lr=0.01", "decay=1", "cycle=1",
        "skip=false", "identity=0", "pool=0", "which=light", "per_real=3", "ready=false",
    ],
)  # fmt: skip
def test_every_setting_is_connected(setting: str, folder: Path) -> None:
    """What is learned, or what it does to a batch, is another with the setting than without."""
    quick = {"updates": "4", "width": "2", "blocks": "1", "batch": "2", "pool": "2", "which": "red"}
    key, value = setting.split("=")
    data, found = world(), []
    for settings in (quick, quick | {key: value}):
        name = ",".join(f"{k}={v}" for k, v in settings.items())
        acting = learn(f"style-transfer:styles={folder},{name}", data).augmenter
        batch = acting(make_batch(data, np.arange(12)), data, Seeds(1))
        again = acting(make_batch(data, np.arange(12)), data, Seeds(2))
        found.append(torch.cat([batch.images, again.images]))
    assert not torch.equal(*found)


def test_settings_out_of_range_are_all_named() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("style-transfer:per_real=0,updates=-1,lr=0,decay=2,layers=4")
    for word in ("per_real", "updates", "lr", "decay", "layers"):
        assert word in str(caught.value)


def test_200_passes_as_published(folder: Path) -> None:
    method = resolve(f"style-transfer:styles={folder},updates=0,batch=3,width=2")
    style = read(str(folder), "light", 18, 3)[0]
    task = method._task(world(), style, Seeds(0), CPU, Budget())  # type: ignore[attr-defined]
    assert task.course.updates == 200 * 12 / 3


def test_paper_is_what_was_published() -> None:
    method = resolve("style-transfer:styles=somewhere,paper=true,per_real=2")
    told = method.config()
    assert (told["width"], told["skip"], told["updates"], told["batch"]) == (64, False, 0, 1)
    assert (told["lr"], told["cycle"], told["identity"], told["pool"]) == (2e-4, 10.0, 0.5, 50)
    assert (told["paper"], told["per_real"], told["styles"]) == (True, 2, "somewhere")
    assert method.actual.skip is False  # type: ignore[attr-defined]
    assert resolve("style-transfer:styles=somewhere").config()["skip"] is True


# What is left


def test_half_of_a_batch_is_styled_and_says_so(folder: Path) -> None:
    data = world()
    acting = learn(f"style-transfer:styles={folder},{QUICK}", data).augmenter
    batch = make_batch(data, np.arange(12))
    after = acting(batch, data, Seeds(3))
    changed = (after.images != batch.images).flatten(1).any(1)
    assert after.generated.sum() == 6
    assert torch.equal(changed, after.generated)
    assert torch.equal(after.targets, batch.targets)


def test_each_picture_meets_a_random_style() -> None:
    class Flat(torch.nn.Module):
        def __init__(self, level: float) -> None:
            super().__init__()
            self.level = level

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, self.level)

    maker = Painting({"low": Flat(-1.0), "high": Flat(1.0)}, 3, 1, 1, False, (8, 8))
    made = maker.make(torch.zeros(400, 3, 5, 7, dtype=torch.uint8), Seeds(0))
    assert made.shape == (400, 3, 5, 7)
    levels = made.flatten(1).float()
    assert set(levels.unique().tolist()) == {0.0, 255.0}
    assert torch.equal(levels.amin(1), levels.amax(1))  # one style a picture
    assert 160 < int((levels[:, 0] == 255).sum()) < 240
    with pytest.raises(UsageError, match="3 channels"):
        maker.make(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), Seeds(0))


def test_learned_styles_serve_another_project(folder: Path, tmp_path: Path) -> None:
    learned = learn(f"style-transfer:styles={folder},{QUICK}", world()).augmenter
    learned.save(tmp_path / "out" / "augmenter")
    other = world(8, side=23)
    for place in (tmp_path / "out", tmp_path / "out" / "augmenter"):
        acting = learn(f"style-transfer:generator={place},per_real=3", other).augmenter
        assert acting.maker.describe() == learned.maker.describe()  # type: ignore[attr-defined]
        batch = make_batch(other, np.arange(8))
        assert acting(batch, other, Seeds(1)).generated.sum() == 6
        images = batch.images
        assert torch.equal(
            acting.maker.make(images, Seeds(2)), learned.maker.make(images, Seeds(2))  # type: ignore[attr-defined]
        )  # fmt: skip
    with pytest.raises(UsageError, match="nowhere"):
        learn("style-transfer:generator=nowhere", other)


@pytest.mark.parametrize(
    "harm",
    [{"styles": []}, {"styles": ["a", "a"]}, {"channels": 2}, {"width": 3}, {"blocks": 0},
     {"skip": 0}, {"size": [16]}, {"more": 1}],
)  # fmt: skip
@pytest.mark.parametrize("method", ["style-transfer", "style-statistics"])
def test_a_file_that_breaks_the_schema_is_refused(
    method: str, harm: dict[str, object], folder: Path, tmp_path: Path
) -> None:
    settings = f",{QUICK}" if method == "style-transfer" else ""
    learn(f"{method}:styles={folder}{settings}", world()).augmenter.save(tmp_path)
    content = json.loads((tmp_path / "augmenter.json").read_text())
    content["maker"] |= harm
    (tmp_path / "augmenter.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError):
        load_augmenter(tmp_path)


# Styles


def test_folders_are_styles(folder: Path, tmp_path: Path) -> None:
    light, red = read(str(folder), "", 20, 3)
    assert (light.name, red.name, len(red.images)) == ("light", "red", 5)
    np.testing.assert_array_equal(
        light.images[2].transpose(1, 2, 0), np.asarray(Image.open(folder / "light" / "2.png"))
    )
    assert [style.name for style in read(str(folder), "red", 20, 3)] == ["red"]
    (alone,) = read(str(folder / "red"), "", 20, 3)
    assert alone.name == "red"
    np.testing.assert_array_equal(alone.images, red.images)
    (both,) = read(str(folder), "", 20, 3, together=True)
    assert len(both.images) == 10
    with ZipFile(tmp_path / "styles.zip", "w") as packed:
        for file in sorted(folder.rglob("*.png")):
            packed.write(file, file.relative_to(folder))
    zipped = read(str(tmp_path / "styles.zip"), "", 20, 3)
    np.testing.assert_array_equal(zipped[1].images, red.images)


def test_styles_that_are_not_there_are_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="styles=FOLDER"):
        read("", "", 16, 3)
    with pytest.raises(UsageError, match=r"'read': .*red"):
        read(str(folder), "read", 16, 3)
    with pytest.raises(UsageError, match="each once"):
        read(str(folder), "red/red", 16, 3)
    with pytest.raises(LearnaugError):
        read(str(folder / "none"), "", 16, 3)


def test_colours_become_those_of_the_training_pictures() -> None:
    images = pictures(3, 0, 200)
    pillow = [np.asarray(Image.fromarray(p.transpose(1, 2, 0)).convert("L")) for p in images]
    grey = recoloured(torch.from_numpy(images), 1).numpy()[:, 0].astype(int)
    assert np.abs(grey - np.stack(pillow).astype(int)).max() <= 1
    one = recoloured(torch.from_numpy(images[:, :1]), 3)
    assert torch.equal(one[:, 0], one[:, 2])
    assert recoloured(torch.from_numpy(images), 4)[:, 3].unique().tolist() == [255]


def test_few_pictures_are_said() -> None:
    assert few({"a": 1000, "b": 2000}) == []
    (middle,) = few({"a": 999, "b": 2000})
    assert "999 of a" in middle
    assert "returned its input" not in middle
    assert "returned its input" in few({"a": 66})[0]


# The control


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_control_moves_mean_and_deviation(channels: int) -> None:
    style = Style("light", pictures(4, 90, 140))
    control = measured((style,), "channels")
    images = pictures(6, 60, 160, channels=channels)
    place = np.array([3, 2, 1, 0, 0, 3])
    found = control.moved(torch.from_numpy(images), place).numpy()
    for image, out, at in zip(images, found, place, strict=True):
        given = style.images[at].astype(float)
        if channels == 1:
            given = np.tensordot([0.299, 0.587, 0.114], given, 1)[None]
        for c in range(min(channels, 3)):
            own, other = image[c].astype(float), given[c]
            wanted = (own - own.mean()) * math.sqrt((other.var() + 1) / (own.var() + 1))
            np.testing.assert_allclose(out[c], wanted + other.mean(), atol=0.51)
    if channels == 4:
        np.testing.assert_array_equal(found[:, 3], images[:, 3])


def test_the_control_moves_the_covariance() -> None:
    gen = Seeds(2).numpy()
    mixed = gen.normal(0, 12, (2, 40, 40)) @ np.eye(40)
    style = np.stack([mixed[0], 0.8 * mixed[0] + 0.3 * mixed[1], mixed[1]]) + 120
    control = measured((Style("s", style[None].round().astype(np.uint8)),), "covariance")
    images = pictures(2, 60, 160, side=40)
    found = control.moved(torch.from_numpy(images), np.zeros(2, np.int64)).numpy()
    wanted = np.cov(style.reshape(3, -1), bias=True)
    for out in found:
        np.testing.assert_allclose(np.cov(out.reshape(3, -1), bias=True), wanted, atol=4)
        np.testing.assert_allclose(out.mean((1, 2)), style.mean((1, 2)), atol=0.5)


def test_the_control_draws_among_styles_evenly() -> None:
    """A style of few pictures comes as often as one of many."""
    few_, many = pictures(2, 20, 22), pictures(60, 200, 202)
    few_[:], many[:] = 20, 200
    control = measured((Style("few", few_), Style("many", many)), "channels")
    made = control.make(torch.zeros(400, 3, 4, 4, dtype=torch.uint8), Seeds(0))
    light = int((made[:, 0, 0, 0] == 200).sum())
    assert set(made.unique().tolist()) == {20, 200}
    assert 160 < light < 240


# Watching


def test_the_figures_are_those_of_numpy() -> None:
    x, g, back = pictures(4, 0, 90), pictures(4, 60, 200), pictures(4, 0, 99)
    found = watch(*(torch.from_numpy(each) for each in (x, g, back)))
    a, b, c = (each.astype(float) / 255 for each in (x, g, back))
    assert found["changed"] == pytest.approx(np.abs(b - a).mean(), abs=1e-6)
    assert found["cycle"] == pytest.approx(np.abs(c - a).mean(), abs=1e-6)
    left = sum(
        np.polyfit(p.ravel(), q.ravel(), 1, full=True)[1][0]
        for p, q in zip(a.reshape(-1, 256), b.reshape(-1, 256), strict=True)
    )
    assert found["beyond"] == pytest.approx(left / ((b - a) ** 2).sum(), abs=1e-6)


def test_what_goes_wrong_is_said() -> None:
    x = torch.from_numpy(pictures(4, 60, 160))
    assert "learned nothing" in warnings("monet", watch(x, x.clone(), x))[0]
    lighter = watch(x, x + 40, x)
    assert lighter["beyond"] < 1e-6
    assert "hold it against style-statistics" in warnings("monet", lighter)[0]
    other = torch.from_numpy(pictures(4, 61, 161).copy())
    assert warnings("monet", watch(x, other, x)) == []
    lost = warnings("monet", watch(x, other, 255 - x // 2))
    assert "do not come back" in lost[0]


def test_it_is_told_and_shown(folder: Path) -> None:
    said: list[str] = []
    learned = learn(f"style-transfer:styles={folder},{QUICK}", world(), Keep(say=said.append))
    described = learned.augmenter.describe()
    assert set(described["watch"]) == {"light", "red"}
    assert said == [*described["notes"], *described["warnings"]]
    assert [gallery.title for gallery in learned.galleries] == ["Style light", "Style red"]
    gallery = learned.galleries[0]
    assert gallery.columns == (
        "picture", "in the style of light", "and back", "control: colours alone",
        "picture of the style",
    )  # fmt: skip
    np.testing.assert_array_equal(gallery.images[:, 0], world().images[:2])
    control = learn(f"style-statistics:styles={folder}", world())
    assert control.galleries[0].columns[1:3] == ("a picture of light", "with colours of light")


def test_masks_and_mixed_classes_are_refused(folder: Path) -> None:
    for name in ("style-transfer", "style-statistics"):
        with pytest.raises(UsageError, match="must not mix"):
            resolve(f"mixup+{name}:styles={folder}")
