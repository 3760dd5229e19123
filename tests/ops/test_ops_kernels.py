"""The compiled kernels against the PyTorch back end, which shares no code with them but maps."""

import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from ops_helpers import NAMES, drawn_for, magnitude, noise, one

from learnaug.errors import UsageError
from learnaug.ops import TABLE, apply, apply_masks, jit, kernels, primitives, spaces
from learnaug.ops.kernels import lookup, picture, threads, vectors

EASY = settings(max_examples=60, deadline=None)
POLICIES = {
    "trivialaugment": spaces.trivialaugment(),
    "randaugment": spaces.randaugment(),
    "uniform": spaces.uniform(),
    "autoaugment": spaces.autoaugment("imagenet"),
    "traditional": spaces.traditional(),
    "cutmix, uniform, mixup": spaces.cutmix().then(spaces.uniform()).then(spaces.mixup()),
}


def levels(images, drawn):
    """The largest difference between the back ends, in grey levels."""
    ours, theirs = apply(images, drawn), apply(images, drawn, primitives)
    return (ours.int() - theirs.int()).abs().max().item() if ours.numel() else 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_every_operation_gives_the_same_bits(name, share):
    kinds = ("nearest", "bilinear", "bicubic") if TABLE[name].primitive == "warp" else (None,)
    for shape in ((5, 3, 33, 32), (3, 1, 9, 12), (2, 4, 1, 1), (2, 3, 1, 70), (2, 2, 64, 3)):
        images = noise(*shape)
        for kind in kinds:
            for sign in (1, -1):
                drawn = drawn_for(images, one(name, *magnitude(name, share), interpolation=kind))
                if TABLE[name].signed and TABLE[name].identity == 0:
                    drawn.value[:] *= sign
                assert levels(images, drawn) <= (name == "blur"), (shape, kind, sign)


@pytest.mark.parametrize("name", ["shear_x", "shear_y", "rotate", "zoom", "equalize", "cutout"])
def test_large_pictures_too(name):
    images = noise(2, 3, 512, 311)
    assert levels(images, drawn_for(images, one(name, *magnitude(name, 0.8)))) == 0


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_policies_give_the_same_bits(policy, channels):
    images = noise(96, channels, 16, 24)
    before = images.clone()
    assert levels(images, drawn_for(images, policy)) == 0
    assert torch.equal(images, before)


@EASY
@given(st.data())
def test_chains_of_any_operations_give_the_same_bits(data):
    names = [name for name in NAMES if name != "blur"]
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=5))
    shape = [data.draw(st.integers(*span)) for span in ((0, 6), (1, 4), (1, 40), (1, 40))]
    share = data.draw(st.floats(0, 1))
    policy = one(chosen[0], *magnitude(chosen[0], share))
    for name in chosen[1:]:
        policy = policy.then(one(name, *magnitude(name, share), p=0.8))
    images = noise(*shape, seed=data.draw(st.integers(0, 99)))
    assert levels(images, drawn_for(images, policy, data.draw(st.integers(0, 99)))) == 0


def test_any_strides_and_a_fresh_result():
    images = noise(8, 3, 20, 21)
    nothing = drawn_for(images, one("identity"))
    drawn = drawn_for(images, spaces.randaugment())
    expected = apply(images, drawn, primitives)
    for other in (
        images.contiguous(memory_format=torch.channels_last),
        torch.stack([images, images], -1)[..., 0],
        images.flip(3).flip(3),
    ):
        assert torch.equal(apply(other, drawn), expected)
        same = apply(other, nothing)
        assert torch.equal(same, other)
        assert same.data_ptr() != other.data_ptr()
        assert same.is_contiguous()


def test_the_number_of_threads_changes_nothing(monkeypatch):
    images = noise(64, 3, 32, 32)
    drawn = drawn_for(images, spaces.uniform().then(spaces.mixup()))
    monkeypatch.setattr(threads, "WORTH", 1)
    seen = []
    for count in (1, 2, 3, 64):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        seen.append(apply(images, drawn))
    assert all(torch.equal(other, seen[0]) for other in seen[1:])


@pytest.mark.parametrize(("count", "workers"), [(1, 4), (7, 2), (5, 5), (64, 3)])
def test_every_picture_is_in_one_part(count, workers, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: workers)
    spans = []
    threads.split(lambda first, last: spans.append((first, last)), count, threads.WORTH)
    assert sorted(i for first, last in spans for i in range(first, last)) == list(range(count))
    assert len(spans) == min(count, workers * threads.PARTS)


def test_small_work_is_not_handed_over(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    spans = []
    threads.split(lambda first, last: spans.append((first, last)), 10, 100)
    assert spans == [(0, 10)]


def test_an_error_in_another_thread_is_raised(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def fail(first, last):
        if first:
            raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        threads.split(fail, 2, threads.WORTH)


FORK = """
import os, torch
torch.set_num_threads(2)
from learnaug.ops import apply, draw, spaces
from learnaug.ops.kernels import threads
from learnaug.seeds import Seeds
images = torch.arange(64 * 3 * 32 * 32).remainder(251).to(torch.uint8).view(64, 3, 32, 32)
drawn = draw(spaces.randaugment(), 64, Seeds(0).numpy(), (32, 32))
whole = apply(images, drawn)
assert threads._pool.cache_info().currsize == 1
child = os.fork()
if child == 0:
    # NumPy compares: PyTorch's own threads do not survive a fork.
    os._exit(0 if (apply(images, drawn).numpy() == whole.numpy()).all() else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_makes_its_own_threads():
    done = run(FORK)
    assert done.stdout == "0\n", done.stderr


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("policy", ["flip_crop", "uniform", "cutmix"])
def test_masks_go_where_pytorch_moves_them(policy):
    masks = noise(30, 17, 19) % 5
    drawn = drawn_for(masks[:, None], getattr(spaces, policy)())
    ours = apply_masks(masks, drawn, ignore_index=250)
    theirs = apply_masks(masks.long(), drawn, ignore_index=250)
    assert ours.dtype == torch.uint8
    assert torch.equal(ours.long(), theirs)


def test_tables_of_neighbours_are_put_into_one():
    """1,000 lookups cost one pass; what is seen by contrast is the changed picture."""
    images = noise(4, 3, 40, 40)
    chain = one("invert").then(one("posterize", 3.0)).then(one("solarize", 90.0))
    for last in ("contrast", "equalize", "autocontrast"):
        policy = chain.then(one(last, *magnitude(last, 0.1))).then(one("gamma", 1.7))
        assert levels(images, drawn_for(images, policy)) == 0
    steps = njit(lambda numbers: picture._steps(numbers))  # compiled functions have no other door
    numbers = drawn_for(images, chain.then(one("invert"))).ops[0]
    assert (len(numbers), steps(numbers)) == (4, 1)
    assert steps(drawn_for(images, chain.then(one("equalize"))).ops[0]) == 2


def test_64_bytes_at_once_are_as_one_by_one():
    if not vectors.AVAILABLE:
        pytest.skip("this processor has no AVX-512 VBMI: the loop is what all other tests use")
    by_blocks = njit(lambda values, out, table: lookup.lookup(values, out, table))
    one_by_one = njit(lambda values, out, row: lookup.one_by_one(values, out, row))
    gen = np.random.default_rng(0)
    for count in (1, 63, 64, 65, 200, 1024):
        values = gen.integers(0, 256, (2, 1, count), dtype=np.uint8)
        table = gen.integers(0, 256, (2, 256), dtype=np.uint8)
        got = np.zeros_like(values)
        by_blocks(values, got, table)
        expected = np.stack([row[part] for row, part in zip(table, values, strict=True)])
        assert np.array_equal(got, expected)
        for row, (part,) in zip(table, values, strict=True):
            line = np.zeros_like(part)
            one_by_one(part, line, row)
            assert np.array_equal(line, row[part])


START = """
import sys, torch
from learnaug.ops import apply, draw, spaces
from learnaug.seeds import Seeds
images = torch.arange(8 * 3 * 16 * 16).remainder(251).to(torch.uint8).view(8, 3, 16, 16)
policy = spaces.randaugment()
print(apply(images, draw(policy, 8, Seeds(0).numpy(), (16, 16))).long().sum().item())
"""


@pytest.mark.slow
def test_a_plain_processor_gets_the_same_bits(tmp_path: Path):
    """Without AVX-512, and with a fresh cache: what is compiled is said once, then kept."""
    plain = {
        "NUMBA_CPU_NAME": "x86-64-v2",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    here, first, second = run(START), run(START, **plain), run(START, **plain)
    assert here.stdout == first.stdout == second.stdout != ""
    assert "compiling" in first.stderr
    assert "compiling" not in second.stderr


def test_a_changed_source_is_compiled_anew():
    """Numba keys its cache by the code and by what the function closes over: our stamp."""
    closed = [cell.cell_contents for cell in kernels.pictures.py_func.__closure__]
    assert jit.stamp() in closed
    assert len(jit.stamp()) == 64


def test_the_stamp_covers_all_that_is_compiled():
    """What the compiled files import of ours is compiled too, or a constant in what is."""
    home = Path(jit.__file__).parent
    covered = {*jit.SOURCES, "kernels"}
    host = {"kernels/__init__.py", "kernels/threads.py"}  # these are not compiled
    for file in [home / "geometry.py", *home.glob("kernels/*.py")]:
        if file.relative_to(home).as_posix() in host:
            continue
        for name in re.findall(r"^from learnaug\.ops\.(\w+)", file.read_text(), re.MULTILINE):
            assert name in covered, (file, name)


def test_where_nothing_can_be_written_it_is_compiled_in_memory():
    nowhere = {"NUMBA_CACHE_LOCATOR_CLASSES": "_UserProvidedCacheLocator"}
    done = run(NOWHERE, NUMBA_CACHE_DIR="/proc/nowhere", **nowhere)
    assert done.stdout == "[[[[255, 0]]]]\n", done.stderr


NOWHERE = """
import torch
from learnaug.ops import Element, Policy, Stage, apply, draw
from learnaug.seeds import Seeds
policy = Policy((Stage(((Element("invert"),),)),))
images = torch.tensor([[[[0, 255]]]], dtype=torch.uint8)
print(apply(images, draw(policy, 1, Seeds(0).numpy(), (1, 2))).tolist())
"""


def test_read_only_draws_are_not_compiled_anew():
    images = noise(4, 3, 8, 8)
    drawn = drawn_for(images, spaces.uniform())
    expected = apply(images, drawn)
    before = len(kernels.pictures.signatures)
    for field in fields(drawn):
        if field.name != "size":
            getattr(drawn, field.name).setflags(write=False)
    assert torch.equal(apply(images, drawn), expected)
    assert len(kernels.pictures.signatures) == before


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ops", 99, "ops: -1 to 35"),
        ("ops", -3, "ops: -1 to 35"),
        ("partner", 10**8, "partner: 0 to 3"),
        ("partner", -1, "partner: 0 to 3"),
        ("interpolation", 5, "interpolation: 0 to 2"),
        ("value", np.nan, "finite"),
    ],
)
@pytest.mark.parametrize("backend", [None, primitives])
def test_draws_that_lead_out_of_the_batch_are_refused(name, value, words, backend):
    images = noise(4, 3, 8, 8)
    drawn = drawn_for(images, spaces.mixup())
    getattr(drawn, name)[2] = value
    with pytest.raises(UsageError, match=words):
        apply(images, drawn, backend)


def test_draws_of_another_batch_are_refused():
    images = noise(4, 3, 8, 8)
    drawn = drawn_for(images, spaces.mixup())
    drawn.partner[:] = [[3], [2], [1], [0]]
    with pytest.raises(UsageError, match="partner: 0 to 1"):
        apply(images[:2], drawn.take(np.array([0, 1])))
    with pytest.raises(UsageError, match=r"value: shape \(4, 1\) must hold, but got \(1, 1\)"):
        apply(images, replace(drawn, value=drawn.value[:1]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.bool])
def test_masks_of_other_kinds_are_refused(dtype):
    masks = noise(4, 8, 8) % 2
    drawn = drawn_for(masks[:, None], spaces.flip_crop())
    with pytest.raises(UsageError, match=r"uint8 or int64 \[B, H, W\]"):
        apply_masks(masks.to(dtype), drawn)
    with pytest.raises(UsageError, match=r"uint8 or int64 \[B, H, W\]"):
        apply_masks(masks[:, None], drawn)
