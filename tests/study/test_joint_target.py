"""A method may bring a target that it trained itself: it is scored as it is, none is fitted."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from learnaug import rundir
from learnaug.errors import UsageError
from learnaug.methods import METHODS, Budget, Learned, Learning, Row, resolve
from learnaug.methods.fixed import Fixed
from learnaug.ops import Policy, spaces
from learnaug.seeds import Seeds
from learnaug.study import job as job_module
from learnaug.training import Keep, Phase, fit

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tiny

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Joint:
    """Train the target as `none` would be, from the seeds that `Learning` brings."""

    def learn(
        self, data: Learning, *, seeds: Seeds, device: torch.device, budget: Budget, keep: Keep
    ) -> Learned:
        augmenter = Fixed(Policy((), "none")).learn(
            data, seeds=seeds, device=device, budget=budget, keep=keep
        ).augmenter  # fmt: skip
        model = fit(
            data.net(data.init), data.train, data.valid, (Phase(augmenter),), data.recipe,
            seeds=data.order, device=device, precision=budget.precision, keep=keep,
        )  # fmt: skip
        return Learned(augmenter, target=model)

    def config(self) -> dict[str, Any]:
        return {}


def test_a_joint_target_shares_weights_order_and_updates_of_its_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained without augmentation it is the target of `none`, bit by bit; it is fitted once."""
    fitted = []
    true = job_module.fit

    def counted(*args: Any, **named: Any) -> Any:
        fitted.append(named["keep"].checkpoints.parts[-4])
        return true(*args, **named)

    monkeypatch.setattr(job_module, "fit", counted)
    monkeypatch.setitem(METHODS, "joint", Row(lambda names: Joint(), "", "learned"))
    tiny.compare(tmp_path / "out", methods=("joint",), confirm_seeds=0)
    runs = [rundir.run_folder(tmp_path / "out", name, 0) for name in ("none", "joint")]
    none, joint = (rundir.read_json(rundir.status_path(run)) for run in runs)
    assert joint["state"] == "done"
    assert joint["weights"] == none["weights"]
    assert joint["score"] == none["score"]
    assert "none" in fitted
    assert "joint" not in fitted
    assert joint["seconds"]["learn"] > joint["seconds"]["train"]
    assert not rundir.checkpoint_folder(runs[1], "learn").exists()


@dataclass(frozen=True)
class Seeing(Joint):
    """Note what stands in front."""

    seen: list[Any]

    def learn(self, data: Learning, **named: Any) -> Learned:
        self.seen.append(data.before)
        return Joint.learn(self, data, **named)


def test_a_chain_hands_on_what_stands_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last member's target is the chain's; one that an earlier member trained is left."""
    seen: list[Any] = []
    monkeypatch.setitem(METHODS, "joint", Row(lambda names: Seeing(seen), "", "learned"))
    images = tiny.data().take(range(16))
    world = Learning(images, images, net=_net, recipe=tiny_recipe())
    said: list[str] = []
    keep = Keep(say=said.append)
    named: dict[str, Any] = {"seeds": Seeds(0), "device": CPU, "budget": Budget(), "keep": keep}
    last = resolve("cutout+joint").learn(world, **named)
    first = resolve("joint+cutout").learn(world, **named)
    assert last.target is not None
    assert len(said) == 1
    assert "has not seen what stands behind it" in said[0]
    assert first.target is None
    assert [member.policy for member in seen[0].members] == [spaces.cutout()]
    assert seen[1] is None


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("smart-augmentation+mixup", "smart-augmentation-frozen+mixup"),
        (
            "traditional+neural-augmentation:k=3,loss=none+cutout+mixup",
            "traditional+neural-augmentation-frozen:k=3,loss=none+cutout+mixup",
        ),
        ("same-image:k=3+cutout", "same-image:k=3,joint=false+cutout"),
        ("same-image+cutout", "same-image:joint=false+cutout"),
    ],
)
def test_nothing_stands_behind_a_target_that_is_trained_along(name: str, mend: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(name)
    assert caught.value.mend.startswith(f"{mend} trains a fresh target")
    resolve(mend)
    resolve("smart-augmentation:joint=false+mixup")


def tiny_recipe() -> Any:
    """Return one epoch in small batches."""
    from learnaug.training import Recipe

    return Recipe(epochs=1, batch_size=8)


def _net(seeds: Seeds) -> torch.nn.Module:
    from learnaug import nets

    return nets.build("smallnet", channels=1, size=(8, 8), classes=2, seeds=seeds)
