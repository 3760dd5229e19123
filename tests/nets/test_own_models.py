"""Models that users bring: named functions, factories, modules; and what is refused."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from learnaug.errors import UsageError
from learnaug.nets import build, check_model, forked, kept, keyed, reseed
from learnaug.seeds import Seeds


def make(spec: Any, root: int = 0, classes: int = 5) -> nn.Module:
    return build(spec, channels=2, size=(6, 4), classes=classes, seeds=Seeds(root))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_nets_for_test.py").write_text(
        "from torch import nn\n"
        "import learnaug.errors\n"
        "def make(channels, size, classes):\n"
        "    n = channels * size[0] * size[1]\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(n, classes))\n"
        "NUMBER = 3\n"
        "NET = nn.Linear(2, 2)\n"
        "def broken(classes):\n    raise KeyError('lost')\n"
        "def other(classes):\n    return 7\n"
    )
    (tmp_path / "own_bad_for_test.py").write_text("import surely_not_installed\n")
    (tmp_path / "own_worse_for_test.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [n for n in sys.modules if n.startswith("own_")]:
        del sys.modules[name]


@pytest.mark.usefixtures("own")
def test_function_named_on_the_command_line() -> None:
    net = make("own_nets_for_test:make")
    assert net(torch.zeros(2, 2, 6, 4)).shape == (2, 5)
    again = make("own_nets_for_test:make")
    assert torch.equal(net.get_parameter("1.weight"), again.get_parameter("1.weight"))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("own_nets_for_test:mkae", "did you mean make"),
        ("own_nets_for_tset:make", "no module 'own_nets_for_tset'"),
        ("own_bad_for_test:make", "surely_not_installed"),
        ("own_worse_for_test:make", "ZeroDivisionError"),
        ("own_nets_for_test:NUMBER", "must be a function"),
        ("own_nets_for_test:NET", "must be a function"),
        ("own_nets_for_test:broken", r"called with \(classes=5\) failed: KeyError"),
        ("own_nets_for_test:other", "must be a torch.nn.Module"),
        ("a.b:c:d", "package.module:function"),
        (":make", "package.module:function"),
        ("a b:make", "package.module:function"),
        ("smalnet", "did you mean smallnet"),
        ("", "unknown net"),
    ],
)
def test_wrong_names_say_what_to_do(spec: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(spec)


def head(n: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, n))


@pytest.mark.parametrize(
    "factory",
    [
        lambda channels, size, classes: head(classes),
        lambda *, classes, dropout=0.5: head(classes),
        lambda num_classes=1000: head(num_classes),
        lambda n: head(n),
        lambda n, /: head(n),
        lambda *, weights=None, **more: head(more["num_classes"]),
        lambda: head(5),
        lambda width=5: head(width),
    ],
)
def test_factories_get_what_they_take(factory: Callable[..., nn.Module]) -> None:
    net = make(factory)
    check_model(net, 2, (6, 4), 5)
    assert torch.equal(net.get_parameter("1.weight"), make(factory).get_parameter("1.weight"))
    assert not torch.equal(
        net.get_parameter("1.weight"), make(factory, 1).get_parameter("1.weight")
    )


def test_torchvision_function_by_name() -> None:
    net = build(
        "torchvision.models:squeezenet1_1", channels=3, size=(32, 32), classes=4, seeds=Seeds(0)
    )
    check_model(net, 3, (32, 32), 4)


def test_given_module_is_copied_and_starts_afresh() -> None:
    given = nn.Sequential(nn.Flatten(), nn.Linear(48, 5), nn.BatchNorm1d(5))
    given[2].running_mean.fill_(3.0)
    before = {k: v.clone() for k, v in given.state_dict().items()}
    a, b, c = make(given), make(given), make(given, 1)
    assert all(torch.equal(before[k], v) for k, v in given.state_dict().items())
    assert a is not given
    assert torch.equal(a.get_parameter("1.weight"), b.get_parameter("1.weight"))
    assert not torch.equal(a.get_parameter("1.weight"), c.get_parameter("1.weight"))
    assert not torch.equal(a.get_parameter("1.weight"), before["1.weight"])
    assert not a.get_buffer("2.running_mean").any()


class Scaled(nn.Module):
    """A module with a parameter of its own that nothing can reset."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), 7.0))
        self.attend = nn.MultiheadAttention(4, 2)
        self.last = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(x.flatten(1)) * self.scale
        return scores


def test_parameters_that_cannot_be_reset_keep_their_values_and_are_named() -> None:
    given = Scaled()
    assert kept(given) == ("scale",)
    net = make(given)
    assert net.get_parameter("scale").item() == 7.0
    name = "attend.in_proj_weight"
    assert not torch.equal(net.get_parameter(name), given.get_parameter(name))
    assert kept("smallnet") == kept(None) == kept(Scaled) == ()


def test_the_whole_corrects_its_parts() -> None:
    class Zeroed(nn.Sequential):
        def reset_parameters(self) -> None:
            nn.init.zeros_(self[1].weight)

    assert not make(Zeroed(nn.Flatten(), nn.Linear(48, 5))).get_parameter("1.weight").any()


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_lazy_layers_get_keyed_weights() -> None:
    for spec in (
        lambda classes: nn.Sequential(nn.Flatten(), nn.LazyLinear(classes)),
        nn.Sequential(nn.Flatten(), nn.LazyLinear(5)),
    ):
        a, b = make(spec), make(spec)
        assert a.get_parameter("1.weight").shape == (5, 48)
        assert torch.equal(a.get_parameter("1.weight"), b.get_parameter("1.weight"))
        assert a.training


def test_no_model_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="must be a name"):
        make(3)


class Says(nn.Module):
    """Returns what it is told to."""

    def __init__(self, answer: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: torch.zeros(2, 10), "10 scores a picture, but the data has 7 classes"),
        (lambda x: (torch.zeros(2, 7), 1), "returned tuple"),
        (lambda x: SimpleNamespace(logits=torch.zeros(2, 7)), "returned SimpleNamespace"),
        (lambda x: None, "returned NoneType"),
        (lambda x: torch.full((2, 7), float("nan")), "NaN"),
        (lambda x: torch.full((2, 7), float("inf")), "NaN or infinite"),
        (lambda x: torch.zeros(7), r"returned \[7\]"),
        (lambda x: torch.zeros(2, 7, 8, 8), r"returned \[2, 7, 8, 8\]"),
        (lambda x: torch.zeros(3, 7), r"returned \[3, 7\]"),
        (lambda x: x @ torch.zeros(3, 7), r"fails on pictures \[2, 1, 8, 8\]: RuntimeError"),
    ],
)
def test_models_that_do_not_fit_are_refused(answer: Callable[[Tensor], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_model(Says(answer), 1, (8, 8), 7)


def test_models_without_trainable_weights_are_refused() -> None:
    for net in (nn.Flatten(), nn.Linear(64, 7).requires_grad_(False)):
        with pytest.raises(UsageError, match="no parameter to train"):
            check_model(net, 1, (8, 8), 7)


def test_the_check_leaves_no_trace() -> None:
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Dropout(), nn.Linear(48, 5))
    net[2].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.get_rng_state()
    check_model(net, 2, (6, 4), 5)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert [part.training for part in net] == [True, True, False, True]
    assert torch.equal(state, torch.get_rng_state())
    noisy = Says(lambda x: torch.rand(2, 5))
    check_model(noisy, 2, (6, 4), 5)
    assert torch.equal(state, torch.get_rng_state())


def test_reseeding_keys_dropout_and_the_fence_restores() -> None:
    layer, ones = nn.Dropout(0.5), torch.ones(64)
    state = torch.get_rng_state()
    with forked():
        reseed(Seeds(0).child("step", 1))
        a = layer(ones)
        torch.rand(100)
        reseed(Seeds(0).child("step", 1))
        b = layer(ones)
        reseed(Seeds(0).child("step", 2))
        c = layer(ones)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(ZeroDivisionError), keyed(Seeds(0)):
        raise ZeroDivisionError
    assert torch.equal(state, torch.get_rng_state())
