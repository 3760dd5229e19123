import hashlib
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnaug.errors import UsageError
from learnaug.seeds import Seeds

NAMES = st.lists(st.integers(-9, 9) | st.text(st.sampled_from("ab1i:"), max_size=3), max_size=4)

GOLDEN_INTEGER = 70_014_189_920_444_317
GOLDEN_INTEGERS = [763, 31, 247, 913, 175]
GOLDEN_FLOATS = [0.0314633128612789, 0.9131467766704457]


def test_hundred_thousand_keys_are_all_different() -> None:
    """About 3e-10 collisions are expected among 64-bit keys; a 32-bit key would have 1.2."""
    node = Seeds(0).child("train")
    keys = {node.child(epoch, step).integer(64) for epoch in range(100) for step in range(1000)}
    assert len(keys) == 100_000


@settings(max_examples=200, deadline=None)
@given(first=NAMES, second=NAMES)
def test_different_paths_are_different_streams(
    first: list[int | str], second: list[int | str]
) -> None:
    a, b = Seeds(0).child(*first), Seeds(0).child(*second)
    tagged = [(type(name), name) for name in first] == [(type(name), name) for name in second]
    assert (a.integer(128) == b.integer(128)) == tagged


@pytest.mark.parametrize(
    ("first", "second"),
    [((1,), ("1",)), (("a", "b"), ("ab",)), (("a",), ("a", "")), ((), ("",)), ((1, 2), (12,))],
)
def test_paths_that_look_alike(first: tuple[int | str, ...], second: tuple[int | str, ...]) -> None:
    assert Seeds(0).child(*first).integer() != Seeds(0).child(*second).integer()


def test_roots_are_different_streams() -> None:
    roots = [0, 1, 2, 2**32, 2**32 + 1, 2**63, 2**64 - 1]
    assert len({Seeds(root).integer(64) for root in roots}) == len(roots)


def test_streams_never_change_between_releases() -> None:
    """The keys by hand: SHA-256 over length, tag and name of each part; and pinned draws."""
    digest = hashlib.sha256(b"2:i06:strain2:i3").digest()
    node = Seeds(0).child("train", 3)
    assert node.integer(256) == int.from_bytes(digest, "little")
    assert node.integer() == GOLDEN_INTEGER
    assert node.numpy().integers(1000, size=5).tolist() == GOLDEN_INTEGERS
    assert node.numpy().random(2).tolist() == GOLDEN_FLOATS


def test_integer_keeps_to_its_bits() -> None:
    node = Seeds(7)
    for bits in (1, 8, 32, 63, 128, 256):
        assert node.integer(bits) == node.integer(256) % 2**bits


def test_one_stream_never_moves_another() -> None:
    node = Seeds(3)
    before = node.child("b").numpy().random(4)
    state, other = np.random.get_state()[1], node.child("a").numpy()
    other.random(1000)
    np.testing.assert_array_equal(node.child("b").numpy().random(4), before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_streams_of_neighbours_are_not_correlated() -> None:
    """The largest of 190 correlations of 4000 numbers stays below 5 standard errors."""
    draws = np.stack([Seeds(0).child("epoch", n).numpy().random(4000) for n in range(20)])
    table = np.corrcoef(draws)
    worst = max(abs(table[i, j]) for i, j in itertools.combinations(range(20), 2))
    assert worst < 5 / np.sqrt(4000)


def test_torch_generator_is_its_own() -> None:
    before = torch.get_rng_state()
    node = Seeds(0).child("noise")
    first = torch.rand(3, generator=node.torch())
    assert torch.equal(first, torch.rand(3, generator=node.torch()))
    assert not torch.equal(first, torch.rand(3, generator=Seeds(0).child("nois").torch()))
    assert torch.equal(before, torch.get_rng_state())


def test_a_node_is_a_value() -> None:
    assert Seeds(1).child("a", 2) == Seeds(1).child("a").child(2)
    assert len({Seeds(1), Seeds(1), Seeds(2)}) == 2


@pytest.mark.parametrize("root", [-1, 2**64, True, 1.0, "1", None, np.int64(1)])
def test_only_integers_in_range_are_roots(root: object) -> None:
    with pytest.raises(UsageError, match="seed"):
        Seeds(root)  # type: ignore[arg-type]


def test_the_network_is_closed_to_tests() -> None:
    import socket

    with pytest.raises(AssertionError, match="network"):
        socket.create_connection(("127.0.0.1", 9))
