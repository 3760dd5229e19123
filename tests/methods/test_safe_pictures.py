"""An audit in pictures: what is shown is what was judged, in the order of the verdicts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from safe_worlds import PLANTED, audit, hooks

from learnaug import ops
from learnaug.data import ImageSet
from learnaug.methods.safe import SafeAugmentation
from learnaug.methods.safe.audit import Finding, Part
from learnaug.methods.safe.figures import Effect, Rate
from learnaug.methods.safe.labels import Move
from learnaug.methods.safe.pictures import audit_galleries
from learnaug.methods.safe.together import Clash
from learnaug.methods.safe.verdicts import Look, Rules
from learnaug.methods.safe.words import ORDER
from learnaug.ops import primitives
from learnaug.ops.policy import Element, Policy, Stage
from learnaug.seeds import Seeds

SEEDS = Seeds(5)
NAMES = ("ant", "bee", "cat", "dog", "eel")


def pictures(side: int = 12, channels: int = 3, masks: bool = False) -> ImageSet:
    """Return 40 pictures of noise in 5 classes, or with masks of 3 values."""
    gen, n = Seeds(2).numpy(), 40
    return ImageSet(
        "noise", gen.integers(0, 256, (n, channels, side, side), dtype=np.uint8),
        np.zeros(0, np.int64) if masks else np.arange(n) * 3 % 5, NAMES[: 3 if masks else 5],
        tuple(f"row {i}" for i in range(n)), np.full(n, -1), np.full(n, ""),
        masks=gen.integers(0, 3, (n, side, side), dtype=np.uint8) if masks else None,
    )  # fmt: skip


def finding(name: str, *branch: Element, **more: Any) -> Finding:
    """Return a finding with made-up figures; safe where nothing else is given."""
    rank = Rate(more.pop("share", 0.5), 0.4, 0.9, 100)
    look = Look(
        branch, rank, rank, rank, rank, Effect(9, 1), tuple(more.pop("moves", ())),
    )  # fmt: skip
    verdict = more.pop("verdict", "safe")
    kept = more.pop("kept", branch if verdict == "safe" else None)
    return Finding(name, look, verdict, "made up", kept, **more)


FLIP = finding("Flip", Element("hflip"))
TURN = finding("Turn", Element("rotate", -60, 60))


def verdicts(findings: list[Finding], data: ImageSet | None = None, **more: Any) -> Any:
    data = data or pictures()
    rules = more.get("rules", Rules())
    return audit_galleries(data, findings, more.get("dropped", ()), rules, SEEDS)[0]


# --- every operation ------------------------------------------------------------------------------


def test_rows_are_ordered_by_verdict_and_by_how_much_they_show() -> None:
    found = [
        finding(f"{verdict} {share}", Element("hflip"), verdict=verdict, share=share)
        for share in (0.9, 0.5)
        for verdict in reversed(ORDER)
    ]
    rows = verdicts(found).rows
    expected = [f"{v} {s}: {v}; told apart {100 * s:.0f} %" for v in ORDER for s in (0.5, 0.9)]
    assert list(rows) == expected


def test_every_row_shows_the_same_pictures_as_they_are() -> None:
    data = pictures()
    grid = verdicts([FLIP, TURN], data)
    first = [list(data.labels).index(label) for label in (0, 2, 4)]  # evenly chosen classes
    assert [c for c in grid.columns if "as it is" in c] == [f"{n}, as it is" for n in NAMES[::2]]
    for row in grid.images:
        assert np.array_equal(row[0::3], data.images[first])


def test_a_mirror_is_that_of_numpy() -> None:
    grid = verdicts([FLIP])
    before, after = grid.images[0, 0::3], np.stack([grid.images[0, 1::3], grid.images[0, 2::3]])
    assert np.array_equal(after, np.stack([before[..., ::-1]] * 2))


def test_the_pictures_are_those_of_the_draw_made_alone() -> None:
    """By PyTorch's operations in place of the compiled ones, a picture at a time."""
    data, grid = pictures(), verdicts([FLIP, TURN])
    row = grid.images[[name.split(":")[0] for name in grid.rows].index("Turn")]
    branch = TURN.look.branch
    gen = SEEDS.child("shown", "Turn").numpy()
    drawn = ops.draw(Policy((Stage((branch,)),), "x"), 6, gen, data.size)
    for source in range(3):
        for k in range(2):
            at = 2 * source + k
            fixed = Policy((Stage(((Element("rotate", float(drawn.value[at, 0])),),)),), "x")
            one = ops.draw(fixed, 1, gen, data.size)
            alone = ops.apply(torch.from_numpy(row[3 * source : 3 * source + 1]), one, primitives)
            assert np.array_equal(alone[0].numpy(), row[3 * source + 1 + k])
    assert not np.array_equal(row[1], row[2])  # two draws differ


def test_what_is_safe_in_part_is_shown_as_far_as_it_is_kept() -> None:
    whole, kept = (Element("brightness", 2.0),), (Element("brightness", 1.5),)
    part = Part("50 % of the range", replace(FLIP.look, branch=kept), "safe")
    one = finding("Light", *whole, verdict="safe in part", kept=kept, parts=(part,), share=0.99)
    grid = verdicts([one])
    assert grid.rows == ("Light: safe in part (kept: brightness 1.5 factor); told apart 50 %",)
    bright = np.minimum(grid.images[0, 0].astype(float) * 1.5, 255)
    assert np.abs(grid.images[0, 1] - bright).max() <= 1
    spared = finding("Light", *whole, verdict="safe in part", kept=whole, spared=(1,))
    assert "not for some classes" in verdicts([spared]).rows[0]


def test_what_is_left_out_of_the_set_says_so() -> None:
    grid = verdicts([FLIP, TURN], dropped=[Clash("Flip", "Turn", "they show", "Flip")])
    assert grid.rows == ("Flip: safe, left out of the set; told apart 50 %",
                         "Turn: safe; told apart 50 %")  # fmt: skip


def test_the_thesis_rule_tells_what_was_found() -> None:
    grid = verdicts([FLIP], rules=Rules("thesis"))
    assert grid.rows == ("Flip: safe; found 50 %",)
    assert "false alarms" in grid.words


def test_many_operations_are_cut_and_large_pictures_reduced() -> None:
    many = [finding(f"op {i}", Element("hflip"), share=i / 100) for i in range(60)]
    grid = verdicts(many)
    assert len(grid.rows) * len(grid.columns) <= 400
    assert grid.rows[0].startswith("op 0:")
    assert f"The first {len(grid.rows)} are shown." in grid.words
    assert verdicts([FLIP], pictures(300)).images.shape[-2:] == (100, 100)


def test_nothing_found_shows_nothing() -> None:
    assert audit_galleries(pictures(), (), (), Rules(), SEEDS) == ()


# --- masks ----------------------------------------------------------------------------------------


def test_masks_follow_their_pictures() -> None:
    data = pictures(channels=1, masks=True)
    assert data.masks is not None
    shift = finding("Shift", Element("translate_x", 0.25))
    (grid,) = audit_galleries(data, [FLIP, shift], (), Rules(), SEEDS)
    assert grid.columns == ("as it is", "its mask", "after", "its mask") * 2
    colours = np.array([(230, 159, 0), (86, 180, 233), (0, 158, 115)])

    def under(image: Any, mask: Any) -> Any:
        """Two thirds of the class colour over a grey picture; 255 is black."""
        mixed = 0.35 * image[0][..., None] + 0.65 * colours[np.where(mask == 255, 0, mask)]
        return np.where((mask == 255)[..., None], 0, mixed).transpose(2, 0, 1)

    for row, moved in zip(grid.images, (np.fliplr, shifted), strict=True):
        for k, source in enumerate((0, len(data) - 1)):
            image, mask = data.images[source], data.masks[source]
            plain, over, after, after_over = row[4 * k : 4 * k + 4].astype(float)
            assert np.array_equal(plain, np.repeat(image, 3, 0))
            assert np.abs(over - under(image, mask)).max() <= 0.51
            expected = moved(image[0], 0)[None] if moved is shifted else moved(image[0])[None]
            turned = moved(mask, 255) if moved is shifted else moved(mask)
            assert np.array_equal(after, np.repeat(expected, 3, 0))
            assert np.abs(after_over - under(expected, turned)).max() <= 0.51


def shifted(picture: Any, fill: int) -> Any:
    """Return the picture 3 pixels (a quarter of the side) to the right."""
    found = np.full_like(picture, fill)
    found[:, 3:] = picture[:, :-3]
    return found


# --- labels that change ---------------------------------------------------------------------------


def test_a_move_is_shown_beside_real_pictures_of_the_other_class() -> None:
    data = pictures()
    told = (Move(1, 3, 0.4, 0.3, 0.5, 8), Move(3, 1, 0.2, 0.01, 0.3, 8))  # the other is not flagged
    _, grid = audit_galleries(data, [replace_moves(FLIP, told), TURN], (), Rules(), SEEDS)
    assert grid.rows == ("bee into dog: 40 % (30 to 50), by Flip",)
    bees, dogs = (data.images[data.labels == label] for label in (1, 3))
    assert np.array_equal(grid.images[0, 0:6:2], bees[:3])
    assert np.array_equal(grid.images[0, 1:6:2], bees[:3, :, :, ::-1])
    assert np.array_equal(grid.images[0, 6:], dogs[:2])
    thesis = audit_galleries(data, [replace_moves(FLIP, told)], (), Rules("thesis"), SEEDS)
    assert len(thesis) == 1


def test_the_clearest_moves_are_shown_each_from_where_it_is_clearest() -> None:
    weak, clear = Move(0, 1, 0.2, 0.1, 0.3, 8), Move(0, 1, 0.6, 0.5, 0.7, 8)
    half = Part("2 quarter turns", replace(FLIP.look, moves=(clear,)), "unsafe")
    turn = replace(replace_moves(FLIP, (weak,)), name="Turn", parts=(half,))
    moves = [
        Move(a, b, 0.3, 0.2 + a / 100, 0.4, 8) for a in range(1, 5) for b in range(5) if a != b
    ]
    other = replace_moves(FLIP, tuple(moves))
    _, grid = audit_galleries(pictures(), [other, turn], (), Rules(), SEEDS)
    assert grid.rows[0] == "ant into bee: 60 % (50 to 70), by Turn, 2 quarter turns"
    assert len(grid.rows) == 8
    assert all(row.startswith("eel") for row in grid.rows[1:5])
    assert "Of 17 such moves the clearest 8 are shown." in grid.words


def replace_moves(one: Finding, moves: tuple[Move, ...]) -> Finding:
    return replace(one, look=replace(one.look, moves=moves))


# --- a real audit ---------------------------------------------------------------------------------


def test_an_audit_leaves_its_pictures_and_they_cost_it_nothing() -> None:
    method = SafeAugmentation(operations=PLANTED, folds=2, epochs=3)
    data = hooks(0, 120)
    one, again = audit(data, method), audit(data, method)
    told = one.augmenter.describe()["audit"]["findings"]
    told.sort(key=lambda f: (ORDER.index(f["verdict"]), f["rank"]["share"]))
    grid = one.galleries[0]
    expected = [f"{finding['name']}: {finding['verdict']}" for finding in told]
    assert [
        row.partition(";")[0].partition(" (")[0].partition(",")[0] for row in grid.rows
    ] == expected
    assert all(np.array_equal(a.images, b.images)
               for a, b in zip(one.galleries, again.galleries, strict=True))  # fmt: skip
    nothing = grid.images[[row.startswith("Nothing") for row in grid.rows].index(True)]
    assert np.array_equal(nothing[0::3], nothing[1::3])


def test_too_few_pictures_leave_no_gallery() -> None:
    assert audit(hooks(0, 40), SafeAugmentation(operations=PLANTED, folds=2)).galleries == ()


@pytest.mark.parametrize("masks", [False, True])
def test_one_picture_is_enough(masks: bool) -> None:
    data = pictures(masks=masks).take(np.arange(1))
    assert len(audit_galleries(data, [FLIP], (), Rules(), SEEDS)[0].rows) == 1
