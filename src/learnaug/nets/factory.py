"""From what the user asked for to a net with keyed first weights."""

from __future__ import annotations

import copy
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.parameter import UninitializedParameter

from learnaug.errors import UsageError, nearest
from learnaug.nets.check import black_pictures
from learnaug.nets.rng import keyed
from learnaug.nets.table import NETS, Task
from learnaug.nets.wrn import wrn
from learnaug.seeds import Seeds

__all__ = ["Spec", "build", "default_net", "kept"]

Spec = str | nn.Module | Callable[..., Any] | None
Factory = Callable[[int, tuple[int, int], int], object]
TASK_WORDS = {  # what a net scores, and what the data has
    "classification": ("pictures", "classes"),
    "segmentation": ("pixels", "masks"),
}
RESETS = ("reset_parameters", "_reset_parameters")  # the second is nn.MultiheadAttention's


def build(
    spec: Spec,
    *,
    channels: int,
    size: tuple[int, int],
    classes: int,
    seeds: Seeds,
    n_train: int | None = None,
    task: Task = "classification",
) -> nn.Module:
    """Return the net that `spec` names, with first weights drawn from `seeds` alone.

    The same seeds give the same weights, on every device (weights are drawn on the CPU), and
    PyTorch's global generators are as they were afterwards. `spec` is one of:

    - None: the net that `default_net` names;
    - a name of `NETS`, or "wrn-n-k" (depth n = 6 N + 4, width k);
    - "package.module:function": that function is imported and called; the working directory is
      searched last;
    - a callable (function or class): called. It gets those of `channels`, `size` and `classes` (or
      `num_classes`) that it names; where it names none of them but has a required parameter, the
      number of classes; where it takes only `**kwargs`, `num_classes=`; else nothing. What it
      returns keeps its values, so this is the way to bring trained weights;
    - a module: it is copied, and every part of the copy that has `reset_parameters` starts
      afresh, so that each run has its own first weights. Parameters that no part can reset keep
      the given values: `kept(module)` names them.

    A net with lazy layers is run once on zeros to give them their shapes.

    Args:
        spec: see above.
        channels: channels of a picture.
        size: height and width in pixels.
        classes: number of scores that the net must give.
        seeds: the node that first weights are drawn from.
        n_train: number of training pictures, for the default alone.
        task: what the net is for; a name of `NETS` for the other task is refused.

    Raises:
        UsageError: an unknown name or one for the other task, a function that cannot be imported or
            called, or one that returns no module.

    Example:
        >>> net = build("wrn-16-2", channels=3, size=(32, 32), classes=10, seeds=Seeds(0))
        >>> sum(p.numel() for p in net.parameters())
        691674
    """
    factory = _factory(default_net(n_train, size, task) if spec is None else spec, task)
    with keyed(seeds):
        net = factory(channels, size, classes)
        if not isinstance(net, nn.Module):
            raise UsageError(
                f"a net must be a torch.nn.Module, but {_words(spec)} gave {type(net).__name__}"
            )
        if any(isinstance(p, UninitializedParameter) for p in net.parameters()):
            black_pictures(net, channels, size)
    return net


def default_net(n_train: int | None, size: tuple[int, int], task: Task = "classification") -> str:
    """Return the name of the net for pictures of this size and, where known, this many of them.

    For masks fpn-small. For classes wrn-16-2 from 20 to 48 px (the longer side), where it is the
    better net at a bearable cost on a CPU; smallnet below (the maps of a residual net end at 2
    pixels there) and above (the cost of wrn-16-2 grows with the area). Fewer than 100 pictures:
    smallnet, because batch statistics of a 16-layer net are too noisy.

    Example:
        >>> default_net(1000, (8, 8)), default_net(1000, (32, 32)), default_net(1000, (64, 64))
        ('smallnet', 'wrn-16-2', 'smallnet')
    """
    if task == "segmentation":
        return "fpn-small"
    enough = n_train is None or n_train >= 100
    return "wrn-16-2" if enough and 20 <= max(size) <= 48 else "smallnet"


def kept(spec: Spec) -> tuple[str, ...]:
    """Return the names of a given module's parameters that `build` cannot reset; else nothing.

    Example:
        >>> kept(nn.Linear(2, 2))
        ()
    """
    if not isinstance(spec, nn.Module):
        return ()
    return tuple(
        f"{path}.{name}" if path else name
        for path, part in spec.named_modules()
        if _reset_of(part) is None
        for name, _ in part.named_parameters(recurse=False)
    )


def _factory(spec: str | nn.Module | Callable[..., Any], task: Task) -> Factory:
    if isinstance(spec, str):
        return _called(_import(spec), spec) if ":" in spec else _named(spec, task)
    if isinstance(spec, nn.Module):
        return lambda channels, size, classes: _fresh(spec)
    if callable(spec):
        return _called(spec, _words(spec))
    raise UsageError(
        "a model must be a name, package.module:function, a torch.nn.Module or a function that "
        f"returns one, but got {type(spec).__name__}"
    )


def _named(name: str, task: Task) -> Factory:
    fitting = [known for known, row in NETS.items() if row.task == task]
    if name in fitting:
        return NETS[name].build
    numbers = re.fullmatch(r"wrn-([0-9]{1,4})-([0-9]{1,4})", name)
    if name in NETS or (numbers and task == "segmentation"):
        kind, has = TASK_WORDS[task]
        raise UsageError(
            f"net {name!r} is not for {task}: the data has {has}, and it does not score {kind}",
            mend=f"take {', '.join(fitting)}, or your own: package.module:function",
        )
    if numbers is None:
        raise UsageError(
            f"unknown net {name!r}",
            mend=f"{nearest(name, [*fitting, 'wrn-n-k'])} (your own: package.module:function)",
        )
    depth, width = int(numbers[1]), int(numbers[2])
    return lambda channels, size, classes: wrn(channels, size, classes, depth=depth, width=width)


def _import(spec: str) -> Callable[..., Any]:
    place, _, name = spec.partition(":")
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", place) or not name.isidentifier():
        raise UsageError(f"a model of your own must be package.module:function, but got {spec!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that a file there can hide no installed package
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise UsageError(f"importing {place} for --model failed: {error}") from error
        raise UsageError(
            f"there is no module {error.name!r}, asked for by {spec!r}",
            mend="run in the folder that holds it, or install it",
        ) from error
    except Exception as error:
        words = f"importing {place} for --model failed: {type(error).__name__}: {error}"
        raise UsageError(words) from error
    if not hasattr(module, name):
        public = [word for word in vars(module) if not word.startswith("_")]
        raise UsageError(f"module {place} has no {name!r}", mend=nearest(name, public))
    found = getattr(module, name)
    if isinstance(found, nn.Module) or not callable(found):
        raise UsageError(f"{spec} must be a function that returns a net, but is {type(found)}")
    return found  # type: ignore[no-any-return]


def _called(function: Callable[..., Any], words: str) -> Factory:
    def make(channels: int, size: tuple[int, int], classes: int) -> object:
        args, named = _arguments(function, channels, size, classes)
        try:
            return function(*args, **named)
        except Exception as error:
            got = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in named.items())])
            raise UsageError(
                f"{words} called with ({got}) failed: {type(error).__name__}: {error}"
            ) from error

    return make


def _arguments(
    function: Callable[..., Any], channels: int, size: tuple[int, int], classes: int
) -> tuple[list[object], dict[str, object]]:
    """Return what to call the user's function with, from the parameters that it names."""
    offer = {"channels": channels, "size": size, "classes": classes, "num_classes": classes}
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some built-in callables have no signature
        return [classes], {}
    kinds = {p.name: p.kind for p in parameters}
    named = {
        name: value
        for name, value in offer.items()
        if kinds.get(name)
        in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    if named:
        return [], named
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind in positional and p.default is p.empty for p in parameters):
        return [classes], {}
    if inspect.Parameter.VAR_KEYWORD in kinds.values():
        return [], {"num_classes": classes}
    return [], {}


def _fresh(given: nn.Module) -> nn.Module:
    """Return a copy whose parts are reset, inner ones first, so that a whole can correct them."""
    net = copy.deepcopy(given)
    for part in reversed(list(net.modules())):
        reset = _reset_of(part)
        if reset is not None:
            reset()
    return net


def _reset_of(part: nn.Module) -> Callable[[], object] | None:
    found = (getattr(part, name, None) for name in RESETS)
    return next((reset for reset in found if callable(reset)), None)


def _words(spec: object) -> str:
    return spec if isinstance(spec, str) else getattr(spec, "__qualname__", type(spec).__qualname__)
