"""Exported files: how they draw, the known traps of each library, refusals, and standing alone."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import ast
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from export_helpers import SINGLE, TARGETS, everything, exported, one, pictures, theirs
from scipy.stats import chisquare, kstest

from learnaug.errors import UsageError
from learnaug.interop import export
from learnaug.interop.exports.levels import NEAR, STOCK, markdown
from learnaug.ops import Element, Policy, Stage, apply, draw, spaces
from learnaug.ops.table import TABLE
from learnaug.seeds import Seeds

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
DOCS = Path(__file__).resolve().parents[2] / "docs"
# A stage of three branches, and one that depends on it; a sign, a range, a list, a probability.
DEPENDENT = Policy(
    (
        Stage(
            (
                (Element("rotate", 10, 30, sign=True),),
                (Element("brightness", 1.2, 1.8, sign=True, p=0.4),),
                (Element("posterize", values=(2.0, 4.0, 7.0)),),
            ),
            (1.0, 2.0, 5.0),
        ),
        Stage(
            ((Element("hflip"),), (), (Element("invert"),)),
            ((1.0, 1.0, 2.0), (0.0, 1.0, 0.0), (3.0, 0.0, 1.0)),
            "previous",
        ),
    ),
    "dependent",
)


@pytest.fixture(params=TARGETS)
def target(request):
    if request.param != "torchvision":
        pytest.importorskip(request.param)
    return request.param


def unlikely(found: Counter, expected: dict[str, float]) -> bool:
    count = sum(found.values())
    assert set(found) <= set(expected)
    observed = [found[name] for name in expected]
    return chisquare(observed, [share * count for share in expected.values()]).pvalue < 1e-4


# --- how a file draws ---------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path):
    """6,000 drawn pictures of the dependent policy, by the exported file's own code."""
    module = exported(DEPENDENT, "torchvision", tmp_path)
    uniform = random.Random(0).random
    return [module.draw(module.STAGES, uniform) for _ in range(6000)]


def test_branches_and_dependent_branches_are_drawn_by_their_weights(many):
    words = Counter("+".join(step.op for step in steps) for steps in many)
    first = {"rotate": 1 / 8, "posterize": 5 / 8}
    expected = {
        "rotate+hflip": first["rotate"] / 4,
        "rotate": first["rotate"] / 4,
        "rotate+invert": first["rotate"] / 2,
        "brightness": 2 / 8 * 0.4,
        "": 2 / 8 * 0.6,
        "posterize+hflip": first["posterize"] * 3 / 4,
        "posterize+invert": first["posterize"] / 4,
    }
    assert not unlikely(words, expected)


def test_a_sign_is_a_choice_of_two_ranges_and_not_one_range(many):
    angles = np.array([s.value for steps in many for s in steps if s.op == "rotate"])
    assert ((np.abs(angles) >= 10) & (np.abs(angles) <= 30)).all()
    assert not unlikely(Counter(map(str, angles > 0)), {"True": 0.5, "False": 0.5})
    assert kstest((np.abs(angles) - 10) / 20, "uniform").pvalue > 1e-4
    factors = np.array([s.value for steps in many for s in steps if s.op == "brightness"])
    assert ((np.abs(factors - 1) >= 0.2 - 1e-9) & (np.abs(factors - 1) <= 0.8 + 1e-9)).all()
    assert not unlikely(Counter(map(str, factors > 1)), {"True": 0.5, "False": 0.5})


def test_a_list_of_magnitudes_is_drawn_evenly(many):
    bits = Counter(str(s.value) for steps in many for s in steps if s.op == "posterize")
    assert not unlikely(bits, {"2.0": 1 / 3, "4.0": 1 / 3, "7.0": 1 / 3})


PER_CLASS = Policy(
    (Stage(((), (Element("invert"),)), weights=((1.0, 0.0), (0.0, 1.0)), given="class"),), "classes"
)


def run(module, images, **options):
    """Run the whole file, as its user would, on uint8 [B, C, H, W]; labels are read by it."""
    labels = options.get("labels")
    if hasattr(module, "apply_steps"):
        out = module.LearnedPolicy()(images / 255, **options)
        return (out * 255).round().to(torch.uint8)
    if hasattr(module, "RESAMPLING"):
        extra = [() if labels is None else (int(label),) for label in labels or [0] * len(images)]
        augment = module.LearnedPolicy()
        found = [augment(image, *more) for image, more in zip(images, extra, strict=True)]
        return torch.stack([f[0] if isinstance(f, tuple) else f for f in found])
    import albumentations as A

    augment, found = A.Compose([module.LearnedPolicy()]), []
    for number, image in enumerate(images):
        more = {} if labels is None else {"label": int(labels[number])}
        found.append(augment(image=image.permute(1, 2, 0).numpy(), **more)["image"])
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)


def test_the_whole_file_does_what_ours_does_where_nothing_is_random(target, tmp_path):
    chain = ("rotate", 20.0), ("contrast", 1.4), ("translate_x", -0.2), ("equalize",)
    policy = Policy(tuple(Stage(((Element(*element),),)) for element in chain), "fixed")
    images = pictures(16, 20, 3)
    ours = apply(images, draw(policy, len(images), Seeds(0).numpy(), (16, 20)))
    assert torch.equal(run(exported(policy, target, tmp_path), images), ours)


def test_weights_per_class_need_the_label(target, tmp_path):
    module = exported(PER_CLASS, target, tmp_path)
    images = pictures(8, 8, 3, 4)
    labels = torch.tensor([0, 1, 1, 0])
    found = run(module, images, labels=labels if target == "kornia" else labels.tolist())
    assert torch.equal(found[[0, 3]], images[[0, 3]])
    assert torch.equal(found[[1, 2]], 255 - images[[1, 2]])
    with pytest.raises(ValueError, match="needs the label"):
        run(module, images)


def test_strength_is_in_the_magnitudes(tmp_path):
    policy = Policy((Stage(((Element("rotate", 30.0),),)),), "half", strength=0.5)
    module = exported(policy, "torchvision", tmp_path)
    assert module.STAGES[0].branches[0][0].low == 15


def test_seeds_repeat(target, tmp_path):
    module = exported(one("rotate", 0, 90, sign=True), target, tmp_path)
    images = pictures(12, 12, 3)
    found = []
    for seed in (0, 0, 1):
        if target == "albumentations":
            import albumentations as A

            augment = A.Compose([module.LearnedPolicy()], seed=seed)
            arrays = [augment(image=i.permute(1, 2, 0).numpy())["image"] for i in images]
            found.append(torch.from_numpy(np.stack(arrays)))
        else:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                found.append(run(module, images))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_pictures_of_another_kind_are_refused(target, tmp_path):
    module = exported(one("invert"), target, tmp_path)
    wrong = torch.zeros((1, 3, 8, 8), dtype=torch.uint8 if target == "kornia" else torch.float32)
    with pytest.raises(ValueError, match=r"(is|are) needed"):
        run(module, wrong) if target != "kornia" else module.LearnedPolicy()(wrong)


# --- the known traps ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=TARGETS)
def traps(request, tmp_path_factory):
    """A function that runs one operation of one library's file on a picture of one channel."""
    if request.param != "torchvision":
        pytest.importorskip(request.param)
    folder = tmp_path_factory.mktemp("traps")
    module = exported(everything(request.param), request.param, folder)

    def change(rows, op, value=0.0, fill=0, interpolation="nearest"):
        image = torch.tensor(rows, dtype=torch.uint8)
        step = module.Step(op, value, (0.5, 0.5, 0.5, 0.5), fill, interpolation)
        return theirs(module, image.view(1, 1, *image.shape), [step])[0, 0].tolist()

    return change


ROWS = [[10, 20, 30, 40], [50, 60, 70, 80], [90, 100, 110, 120], [130, 140, 150, 160]]


def test_brightness_multiplies_and_contrast_is_a_factor_about_the_mean(traps):
    assert traps(ROWS, "brightness", 0.5)[0] == [5, 10, 15, 20]
    assert traps(ROWS, "brightness", 2.0)[3] == [255] * 4
    assert traps(ROWS, "contrast", 1.0) == ROWS  # no limit that counts from 1
    assert traps(ROWS, "contrast", 0.0) == [[85] * 4] * 4  # the mean, not 128


def test_geometry_turns_and_moves_as_its_words_say(traps):
    assert traps(ROWS, "rotate", 90.0) == np.rot90(ROWS).tolist()  # counter-clockwise
    assert traps(ROWS, "rot90", 1.0) == np.rot90(ROWS).tolist()
    assert traps(ROWS, "translate_x", 0.25)[0] == [0, 10, 20, 30]  # a fraction, to the right
    assert traps(ROWS, "translate_y", -0.25, fill=9) == [*ROWS[1:], [9] * 4]
    assert traps(ROWS, "shift_x", 1.0) == traps(ROWS, "translate_x", 0.25)  # pixels
    # x_in = x + v·y: a positive shear moves lower rows to the left, the top row nowhere.
    assert traps(ROWS, "shear_x", 1.0, fill=9)[0] == [20, 30, 40, 9]
    assert traps(ROWS, "shear_x", 1.0, fill=9)[2] == [120, 9, 9, 9]


def test_levels_count_as_their_words_say(traps):
    assert traps(ROWS, "posterize", 1.0)[3] == [128] * 4  # bits kept, not dropped
    assert traps(ROWS, "posterize", 8.0) == ROWS
    assert traps(ROWS, "solarize", 60.0)[1] == [50, 195, 185, 175]  # 0 to 256, at or above
    assert traps(ROWS, "solarize", 256.0) == ROWS
    assert traps(ROWS, "solarize", 0.0) == traps(ROWS, "invert")


def test_interpolation_and_fill_are_the_policys(tmp_path, target):
    policy = one("shear_x", 0.3, fill=128, interpolation="bicubic")
    module = exported(policy, target, tmp_path)
    element = module.STAGES[0].branches[0][0]
    assert (element.fill, element.interpolation) == (128, "bicubic")


# --- what is refused, and what the text is -------------------------------------------------------


@pytest.mark.parametrize("to", ["torchvision", "albumentations"])
def test_mixtures_of_two_pictures_are_refused_by_name(to):
    policy = spaces.mixup().then(spaces.cutmix()).then(spaces.flip_crop())
    with pytest.raises(UsageError, match=r"(?s)2 of .*mixup: .*v2\.MixUp.*cutmix: .*--approximate"):
        export(policy, to)
    text = export(policy, to, approximate=True)
    assert "LEFT OUT, mixup" in text
    assert "LEFT OUT, cutmix" in text
    assert '"mixup"' not in text.split("from __future__")[1]


def test_an_unknown_target_names_the_nearest():
    with pytest.raises(UsageError, match="torchvision"):
        export("cutout", "torchvison")


@pytest.mark.parametrize(
    "name", ['x"""\nimport os', "a\rb\x0cimport os", "\u2028import os", "é'\\"]
)
def test_a_policys_name_cannot_become_code(name, tmp_path):
    policy = Policy(one("invert").stages, name)
    text = export(policy, "torchvision")
    assert "import os" not in [line.strip() for line in text.splitlines()]
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(export(one("invert"), "torchvision")))


def test_numbers_of_numpy_are_written_as_numbers(target):
    policy = one("rotate", np.float64(0.165), np.float64(20), fill=1)
    assert '"rotate", 0.165, 20.0, fill=1)' in export(policy, target)


@pytest.mark.parametrize("op", SINGLE)
def test_only_what_is_used_is_copied(op):
    text = export(one(op, *(() if TABLE[op].plain else (TABLE[op].high,))), "torchvision")
    names = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    others = {"rotate"} if op == "rot90" else set()
    assert names & set(SINGLE) == {op} | others


@pytest.mark.parametrize("policy", [DEPENDENT, spaces.trivialaugment(), Policy()])
def test_the_text_is_tidy(policy, target):
    text = export(policy, target)
    assert max(map(len, text.splitlines())) <= 100
    assert "learnaug" not in text.split("from __future__")[1]
    options = ["--isolated", "--line-length=100", "--select=F,E,W,I,B", "-"]
    command = [sys.executable, "-m", "ruff", "check", *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


ALONE = {
    "torchvision": "augment(torch.zeros((3, 9, 9), dtype=torch.uint8))",
    "albumentations": "augment(image=numpy.zeros((9, 9, 3), numpy.uint8))['image']",
    "kornia": "augment(torch.zeros((1, 3, 9, 9)))",
}


@pytest.mark.parametrize(
    "target",
    [
        target if target == "torchvision" else pytest.param(target, marks=pytest.mark.slow)
        for target in TARGETS
    ],
)
def test_the_file_runs_where_learnaug_does_not_exist(target, tmp_path):
    """A process of its own in which importing learnaug fails; the class is pickled there, too."""
    pytest.importorskip(target)
    (tmp_path / "policy.py").write_text(export(DEPENDENT, target), "utf-8")
    code = f"""
import pickle, sys, numpy, torch
sys.modules["learnaug"] = None
import policy
augment = pickle.loads(pickle.dumps(policy.LearnedPolicy()))
print(sorted({ALONE[target]}.shape)[-2:])
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.stdout == "[9, 9]\n", done.stderr


def test_masks_follow_in_whole_samples(target, tmp_path):
    policy = one("shift_x", 2.0)
    module = exported(policy, target, tmp_path)
    image, mask = pictures(6, 8, 3)[0], torch.arange(48, dtype=torch.uint8).view(6, 8)
    if target == "torchvision":
        from torchvision import tv_tensors

        sample = (tv_tensors.Image(image), tv_tensors.Mask(mask), "name")
        moved, moved_mask, name = module.LearnedPolicy()(*sample)
        assert isinstance(moved, tv_tensors.Image)
        assert isinstance(moved_mask, tv_tensors.Mask)
        assert name == "name"
    elif target == "kornia":
        found = module.LearnedPolicy(ignore_index=255)(image[None] / 255, mask[None])
        moved, moved_mask = (found[0][0] * 255).round(), found[1][0]
    else:
        import albumentations as A

        augment = A.Compose([module.LearnedPolicy()])
        found = augment(image=image.permute(1, 2, 0).numpy(), mask=mask.numpy())
        moved, moved_mask = torch.from_numpy(found["image"]).permute(2, 0, 1), found["mask"]
    assert torch.equal(torch.as_tensor(moved[:, :, 2:]).to(torch.uint8), image[:, :, :-2])
    assert torch.equal(torch.as_tensor(moved_mask)[:, 2:], mask[:, :-2])
    assert (torch.as_tensor(moved_mask)[:, :2] == 255).all()


def test_the_page_shows_the_table():
    assert markdown() in (DOCS / "export.md").read_text("utf-8")


# --- JSON for Albumentations ---------------------------------------------------------------------


def test_json_names_what_it_cannot_do():
    policy = one("rotate", 5.0).then(one("color", 0.5)).then(PER_CLASS)
    with pytest.raises(UsageError, match=r"(?s)rotate: .*color: .*weights per class.*Python file"):
        export(policy, "albumentations-json")
    with pytest.raises(UsageError, match="rotate") as caught:
        export(policy, "albumentations-json", approximate=True)
    assert "color" not in str(caught.value)


JSON_CASES = [
    (op, *magnitude)
    for op in (*STOCK, *NEAR)
    for magnitude in {
        "posterize": [(1.0,), (3.0,), (8.0,)],
        "solarize": [(0.0,), (85.3,), (255.0,)],
        "gamma": [(0.3,), (1.7,)],
        "brightness": [(0.0,), (0.37,), (1.9,)],
        "contrast": [(0.0,), (0.37,), (1.9,)],
        "color": [(0.0,), (0.3,), (1.9,)],
        "hue": [(-180.0,), (-30.0,), (77.0,)],
    }.get(op, [()])
]


@pytest.mark.parametrize("case", JSON_CASES)
def test_stock_transforms_equal_ours(case):
    A = pytest.importorskip("albumentations")
    text = export(one(*case), "albumentations-json", approximate=True)
    augment = A.from_dict(json.loads(text))
    images = pictures(12, 17, 3)
    found = [augment(image=image.permute(1, 2, 0).numpy())["image"] for image in images]
    ours = apply(images, draw(one(*case), len(images), Seeds(0).numpy(), (12, 17)))
    far = torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).int() - ours.int()
    assert far.abs().max() <= {**STOCK, **NEAR}[case[0]]


SWEEP = {
    "color": np.linspace(0, 2, 21),
    "hue": np.linspace(-180, 180, 37),
    "contrast": np.linspace(0, 2, 21),
    "brightness": np.linspace(0, 2, 41),
    "gamma": np.linspace(0.2, 5, 25),
    "solarize": np.linspace(0, 255, 41),
    "posterize": np.arange(1.0, 9.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("op", [*STOCK, *NEAR])
def test_the_distances_of_stock_transforms_are_what_is_measured(op):
    A = pytest.importorskip("albumentations")
    worst = 0
    for value in SWEEP.get(op, [None]):
        policy = one(op, *(() if value is None else (float(value),)))
        augment = A.from_dict(json.loads(export(policy, "albumentations-json", approximate=True)))
        for size in ((8, 8), (32, 32), (33, 17), (9, 24), (64, 64)):
            images = pictures(*size, 3, 10)
            poor = [images // part + 60 for part in (2, 5, 30)]
            images = torch.cat([images, *poor])
            found = [augment(image=image.permute(1, 2, 0).numpy())["image"] for image in images]
            ours = apply(images, draw(policy, len(images), Seeds(0).numpy(), size))
            far = torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).int() - ours.int()
            worst = max(worst, int(far.abs().max()))
    assert worst == {**STOCK, **NEAR}[op]


def test_stock_transforms_draw_as_the_policy_says():
    A = pytest.importorskip("albumentations")
    policy = Policy(
        (
            Stage(((Element("hflip"),), (Element("posterize", 1.0, p=0.25),), ()), (1.0, 2.0, 1.0)),
            Stage(((Element("invert"),), ()), ((1.0, 3.0), (1.0, 0.0), (0.0, 1.0)), "previous"),
        ),
        "json",
    )
    augment = A.from_dict(json.loads(export(policy, "albumentations-json")))
    augment.set_random_seed(0)
    image = np.array([[[10], [200]]], np.uint8).repeat(3, 2)
    words = Counter(str(augment(image=image)["image"][0, :, 0].tolist()) for _ in range(2000))
    expected = {
        "[200, 10]": 3 / 16,
        "[55, 245]": 1 / 16,
        "[255, 127]": 1 / 8,
        "[245, 55]": 3 / 8,
        "[10, 200]": 1 / 4,
    }
    assert not unlikely(words, expected)


def test_a_sign_in_json_is_a_choice():
    text = export(one("brightness", 1.2, 1.8, sign=True), "albumentations-json")
    whole = json.loads(text)["transform"]["transforms"][0]
    choice = whole["transforms"][0]["transforms"][0]
    ranges = [option["brightness"] for option in choice["transforms"]]
    assert np.allclose(ranges, [[1.2, 1.8], [0.2, 0.8]])
