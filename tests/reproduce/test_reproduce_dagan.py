"""Generators that are learned before the blocks that use them, and the tables of DAGAN."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learnaug import reproduce, rundir
from learnaug.errors import DataError, UsageError
from learnaug.methods import METHODS, Learned, Learning, PolicyAugmenter, Row, load_augmenter
from learnaug.methods.settings import GIVEN, filled
from learnaug.methods.table import resolve
from learnaug.ops import Policy
from learnaug.ops.policy import Element, Stage
from learnaug.reproduce.rows import Block, Generator, Line, Scale, Size, Source, Table
from learnaug.reproduce.sources import pictures, place
from learnaug.seeds import Seeds
from learnaug.training import Recipe

SEEN: list[tuple[str, ...]] = []  # the classes of each learning
USED: list[str] = []  # the names of the policies that were taken from a generator


@dataclass(frozen=True)
class Tiny:
    """Learns how many classes there are; with a generator, takes what it learned."""

    generator: str = ""
    flag: bool = True
    repeats: float = 0.0

    def learn(self, data: Learning, **named: Any) -> Learned:
        if self.generator:
            found = load_augmenter(self.generator)
            USED.append(found.describe()["name"])
            return Learned(found)
        SEEN.append(data.train.classes)
        turn = Element("rotate", -1.0, float(len(data.train.classes)))
        return Learned(PolicyAugmenter(Policy((Stage(((turn,),)),), f"of-{len(SEEN)}")))

    def config(self) -> dict[str, Any]:
        return asdict(self)


SIZE = Size(8, Recipe(epochs=1, batch_size=16))
SOURCE = Source("stripes", "stripes", ("pack/stripes.npz",))
GENERATOR = Generator(
    "stripes", replace(SOURCE, words="other stripes", span=(0, 3)), "tiny", SIZE, SIZE
)
LINES = (
    Line("None", "none"),
    Line("Tiny", "tiny:generator={given}+flip-crop"),
    Line("Tiny, not flagged", "tiny:generator={given},flag=false"),
)
BLOCK = Block(
    "one", replace(SOURCE, span=(3, 5)), "b1", LINES, SIZE, SIZE, generator=GENERATOR
)  # fmt: skip
ELSEWHERE = replace(BLOCK, key="two", source=Source("dots", "dots"))


def write(folder: Path, name: str, classes: int) -> None:
    """Write 30 pictures a class: a bright row whose place is the class."""
    images = Seeds(0).child(name).numpy().integers(0, 120, (30 * classes, 8, 8)).astype(np.uint8)
    labels = np.arange(30 * classes) % classes
    for label in range(classes):
        images[labels == label, label] += 120
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, x=images, y=labels)


Run = Callable[..., reproduce.Found]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    SEEN.clear()
    USED.clear()
    table = Table("stripes", "a coin", (BLOCK, ELSEWHERE))
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"table-1": table})
    monkeypatch.setitem(METHODS, "tiny", Row(lambda names: Tiny(), "", "learned"))
    write(tmp_path / "data", "pack/stripes.npz", 5)
    write(tmp_path / "data", "dots.npz", 2)

    def call(out: str = "out", **more: Any) -> reproduce.Found:
        settings: dict[str, Any] = {"data": tmp_path / "data", "seeds": 2, "jobs": 1} | more
        return reproduce.run("stripes", "table-1", out=tmp_path / out, **settings)

    return call


def test_it_is_learned_once_on_other_classes(run: Run, tmp_path: Path) -> None:
    notes: list[str] = []
    found = run(say=lambda e: notes.append(e.get("text", "")))
    assert SEEN == [("0", "1", "2")]
    assert [row["n"] for row in found.rows] == [2] * 6
    assert set(USED) == {"of-1"}
    for key in ("one", "two"):
        kept = rundir.given_folder(tmp_path / "out" / key)
        assert load_augmenter(kept).describe()["name"] == "of-1"
    at = next(i for i, note in enumerate(notes) if note.startswith("first, once: tiny learns"))
    assert "90 pictures of 3 classes that no row is scored on" in notes[at]
    assert any(note.startswith("the generator took") for note in notes[at:])
    assert notes.index("measuring what the runs will cost") > at
    assert {row["generator"]["key"] for row in found.rows} == {"stripes"}
    assert found.rows[0]["generator"]["seconds"] >= 0
    one = next(row for row in found.rows if row["name"] == "Tiny, not flagged")
    settings = tmp_path / "out/one" / "runs" / rundir.slug(one["method"]) / "seed-0/config.json"
    assert rundir.read_json(settings)["settings"]["flag"] is False
    again = run()
    assert len(SEEN) == 1
    assert again.rows == found.rows
    assert reproduce.read("stripes", "table-1", tmp_path / "out").rows == found.rows


def test_the_folder_may_move(run: Run, tmp_path: Path) -> None:
    run()
    plan = (tmp_path / "out/one/plan.json").read_text()
    assert "{given}" in plan
    assert str(tmp_path / "out") not in plan
    shutil.move(tmp_path / "out", tmp_path / "moved, a+b=c")
    gone = tmp_path / "moved, a+b=c/one/runs" / rundir.slug(LINES[1].method) / "seed-1"
    shutil.rmtree(gone)
    USED.clear()
    found = run("moved, a+b=c")
    assert [row["n"] for row in found.rows] == [2] * 6
    assert "of-1" in USED
    assert len(SEEN) == 1


def test_one_that_is_there_is_used_as_it_is(run: Run, tmp_path: Path) -> None:
    """Without the pictures that it would be learned on."""
    own = Policy((Stage(((Element("invert"),),)),), "mine")
    PolicyAugmenter(own).save(tmp_path / "out/generator/stripes/augmenter")
    (tmp_path / "data/pack/stripes.npz").unlink()
    notes: list[str] = []
    found = run(say=lambda e: notes.append(e.get("text", "")), seeds=1)
    assert not SEEN
    assert set(USED) == {"mine"}
    assert any("is used as it is" in note for note in notes)
    assert [row["n"] for row in found.rows] == [None] * 3 + [1] * 3
    assert found.rows[3]["generator"]["seconds"] is None
    PolicyAugmenter(replace(own, name="another")).save(tmp_path / "out/generator/stripes/augmenter")
    with pytest.raises(UsageError, match="given"):
        run(seeds=1)


def test_without_its_pictures_the_rows_are_left_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data/pack/stripes.npz").unlink()
    with pytest.raises(DataError) as caught:
        run(only=["two"])
    assert "other stripes: pack/stripes.npz is not in" in str(caught.value)
    write(tmp_path / "data", "stripes.npz", 2)  # the user's own, with too few classes
    with pytest.raises(DataError, match="classes 1 to 3 are wanted, but there are 2"):
        run(only=["two"])


def test_a_generator_without_pictures_is_said(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    blocks = (replace(BLOCK, source=Source("dots", "dots"), generator=None), ELSEWHERE)
    monkeypatch.setitem(reproduce.PAPERS, "stripes", {"table-1": Table("s", "a coin", blocks)})
    (tmp_path / "data/pack/stripes.npz").unlink()
    notes: list[str] = []
    found = run(say=lambda e: notes.append(e.get("text", "")), seeds=1, only=["one", "two"])
    assert any("its generator cannot be learned: pack/stripes.npz is not in" in n for n in notes)
    assert [row["state"] for row in found.rows[3:]] == ["no data: dots"] * 3


def test_not_built_yet_nothing_is_learned(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(METHODS, "tiny")
    found = run(seeds=1)
    assert not SEEN
    assert [row["state"] for row in found.rows[:3]] == ["done", "not built here", "not built here"]


def test_a_path_of_any_signs_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "tiny", Row(lambda names: Tiny(), "", "learned"))
    chain = resolve("flip-crop+tiny:generator={given},flag=false")
    place = Path("a+b, c=d/{e}:f")
    assert filled(chain, place) == replace(
        chain,
        members=(chain.members[0], Tiny(str(place), flag=False)),  # type: ignore[attr-defined]
    )
    assert filled(resolve("none"), place) == resolve("none")
    assert GIVEN == "{given}"


# --- the paper's tables ---------------------------------------------------------------------------

TABLES = reproduce.PAPERS["dagan"]


def test_the_figures() -> None:
    expected = {
        "omniglot": [69.0, 82.1, 79.4, 86.2, 82.0, 87.4],
        "emnist": [73.9, 76.1, 78.4, 80.3, 81.5, 82.8, 83.8, 84.8],
        "vgg-face": [4.5, 12.6, 39.3, 42.9, 58.1, 58.5],
        "faces": [],
    }
    blocks = TABLES["table-1"].blocks
    for name, figures in expected.items():
        mine = [block for block in blocks if block.source.name == name]
        known = [100 * ln.paper for b in mine for ln in b.lines if isinstance(ln.paper, float)]
        assert known == pytest.approx(figures)
    few = [[ln.paper for ln in block.lines[:2]] for block in TABLES["few"].blocks]
    assert np.ravel(few).tolist() == pytest.approx(
        [0.164, 0.192, 0.290, 0.394, 0.465, 0.520, 0.578, 0.653, 0.671, 0.695]
    )


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_no_generator_sees_a_class_that_is_scored(scale: Scale, shared_data: Path) -> None:
    read: dict[tuple[Source, Size], tuple[str, ...]] = {}

    def classes(source: Source, size: Size) -> tuple[str, ...]:
        plain = replace(size, side=4, per_class=None, recipe=Recipe())
        if (source, plain) not in read:
            path = place(source, shared_data)
            assert path is not None
            read[source, plain] = pictures(source, path, plain).classes
        return read[source, plain]

    counts = {}
    for table in TABLES.values():
        for block in table.blocks:
            if not block.source.places:
                continue
            generator = block.generator
            known = classes(generator.drawn_from(scale), generator.size(scale))
            scored = classes(block.source, block.size(scale))
            assert not set(known) & set(scored) or block.source.name == "emnist"
            counts[block.key, block.source.span] = len(known), len(scored)
    paper = scale == "paper"
    learned = 1412 if paper else 964
    assert counts["omniglot-5", (1412, 1623)] == (learned, 211 if paper else 100)
    assert counts["omniglot-5", (964, 1623)] == (964, 659 if paper else 100)
    assert counts["emnist-15", None] == (learned, 47)
    assert counts["faces-5", (30, 40)] == (30, 10)


def test_small_blocks_make_about_as_many_updates() -> None:
    for table in TABLES.values():
        for block in table.blocks:
            if block.source.name == "faces":
                continue
            classes = block.small.classes or 47
            pictures = classes * (block.small.per_class or 15)
            assert 900 <= block.small.recipe.updates(pictures) <= 1100
