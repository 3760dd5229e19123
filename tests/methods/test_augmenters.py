"""Augmenters of policies: what they tell of their draws, and where they are found on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest

from learnaug import ops, rundir
from learnaug.data import load, make_batch
from learnaug.errors import ConfigError
from learnaug.methods import Chain, PolicyAugmenter, load_augmenter, traced
from learnaug.ops import spaces
from learnaug.seeds import Seeds

CHAIN = Chain((PolicyAugmenter(spaces.flip_crop()), PolicyAugmenter(spaces.mixup())))


@pytest.fixture(scope="module")
def batch():
    return make_batch(load("digits"), np.arange(12))


@pytest.mark.parametrize("augment", [CHAIN, PolicyAugmenter(spaces.trivialaugment())])
def test_what_is_told_is_what_was_done(augment, batch):
    after, drawn = traced(augment, batch, None, Seeds(1))
    again = augment(batch, None, Seeds(1))
    assert (after.images == again.images).all()
    assert (after.targets == again.targets).all()
    images, targets = batch.images, batch.targets
    for one in drawn:
        images, targets = ops.apply(images, one), ops.mix_targets(targets, one)
    assert (images == after.images).all()
    assert (targets == after.targets).all()
    assert len(drawn) == (2 if augment is CHAIN else 1)


def test_what_is_no_policy_tells_nothing(batch):
    after, drawn = traced(lambda batch, source, seeds: batch, batch, None, Seeds(1))
    assert (after, drawn) == (batch, ())


def test_the_folder_of_a_run_leads_to_its_augmenter(tmp_path):
    CHAIN.save(rundir.augmenter_folder(tmp_path))
    assert load_augmenter(tmp_path) == CHAIN
    assert load_augmenter(rundir.augmenter_folder(tmp_path)) == CHAIN


def test_a_chain_of_itself_ends(tmp_path):
    chain = {"format": "learnaug-chain", "version": 1, "members": ["0", "1"]}
    (tmp_path / "augmenter.json").write_text(json.dumps(chain))
    for name in chain["members"]:
        (tmp_path / name).symlink_to(".")
    with pytest.raises(ConfigError, match="chains within chains"):
        load_augmenter(tmp_path)
