"""The house rules, read from the source itself; each rule is seen to fail on a planted snippet."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "learnaug"

LAYERS = [
    {"errors", "seeds", "config", "rundir"},
    {"ops", "data", "stats", "nets"},
    {"training"},
    {"methods"},
    {"study"},
    {"report", "interop", "reproduce"},
    {"api"},  # the calls of __init__, which loads them when they are asked for
    {"__init__"},
    {"cli"},
    {"__main__"},
]
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}

FORBIDDEN_MODULES = {
    "pickle": "runs code of the file",
    "cPickle": "runs code of the file",
    "dill": "runs code of the file",
    "cloudpickle": "runs code of the file",
    "joblib": "pickles",
    "shelve": "pickles",
    "marshal": "runs code of the file",
    "yaml": "JSON is the only format",
    "random": "global generator; use Seeds",
    "urllib.request": "no network",
    "requests": "no network",
    "http": "no network",
    "ftplib": "no network",
    "torch.hub": "network and code",
}
FORBIDDEN_NAMES = {
    "eval": "runs text",
    "exec": "runs text",
    "__import__": "imports what a name says",
    "os.system": "shell",
    "os.popen": "shell",
    "torch.load": "pickle; use rundir.load_tensors",
    "torch.save": "pickle; use rundir.save_tensors",
    "torch.hub": "network and code",
    "numpy.save": "not atomic; use rundir.write_arrays",
    "numpy.savez": "not atomic; use rundir.write_arrays",
    "numpy.savez_compressed": "not atomic; use rundir.write_arrays",
}
CLOCK = {
    f"{where}.{name}"
    for where, names in {
        "time": ("time", "time_ns", "ctime", "localtime", "gmtime", "strftime"),
        "datetime.datetime": ("now", "utcnow", "today"),
        "datetime.date": ("today",),
    }.items()
    for name in names
}
OWN_GENERATORS = {"Generator", "Philox", "BitGenerator"}
GLOBAL_SEEDS = (
    {"torch.manual_seed", "torch.seed", "torch.random.manual_seed"}
    | {
        f"torch.cuda.{name}"
        for name in ("manual_seed", "manual_seed_all", "seed", "seed_all", "default_generators")
    }
    | {"torch.default_generator"}
)
# These take numbers from the global generator unless they are given another.
TORCH_DRAWS = {
    f"torch.{name}"
    for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")
}
# Modules that are named by a variable, and why each is no name out of a file.
IMPORTERS = {
    "__init__.py": "the names of a literal table",
    "interop/__init__.py": "the names of a literal table",
    "nets/factory.py": "MODULE:NAME that the user typed, or their own model object",
}
METHOD_TABLES = {"__init__", "table", "folders", "order"}  # these know all methods
METHOD_TOOLS = {  # these all methods may know
    "base",
    "gallery",
    "generated",
    "near",
    "use",
    "augmenters",
    "settings",
}
# The one place that may seed libraries which know no generator; it puts their state back.
RNG_HOME = "nets/rng.py"
# The one place that may draw from PyTorch's global generator: a DataLoader seeds that one in each
# worker, and in other libraries' pipelines there is no argument through which Seeds could come.
DRAW_HOME = "interop/seeding.py"
FILE_LINES = 400
FUNCTION_LINES = 60
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A file of the package: its path below src/learnaug, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def part(self) -> str:
        return PurePosixPath(self.path).parts[0].removesuffix(".py")

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """(line, full dotted name) of every import, at any depth of the file."""
        return [(line, full) for line, full, _, _ in _imports(self.tree, self.path)]

    @cached_property
    def uses(self) -> list[tuple[int, str, ast.AST]]:
        """(line, full dotted name, node) of every name read, with import aliases resolved."""
        known = {local: meant for _, _, local, meant in _imports(self.tree, self.path)}
        nodes = [n for n in ast.walk(self.tree) if isinstance(n, ast.Attribute | ast.Name)]
        return [(n.lineno, name, n) for n in nodes if (name := _dotted(n, known))]


def _imports(tree: ast.Module, path: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, what is imported, the local name, and what the local name means."""
    package = ["learnaug", *PurePosixPath(path).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                local = name.asname or name.name.split(".")[0]
                yield node.lineno, name.name, local, name.name if name.asname else local
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            where = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                full = f"{where}.{name.name}"
                yield node.lineno, full, name.asname or name.name, full


def _dotted(node: ast.AST, known: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value, known)):
        return f"{base}.{node.attr}"
    return ""


def _below(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


# --- the rules: each returns the places that break it -------------------------------------------


def upward_imports(source: Source) -> list[str]:
    """A part imports only parts of lower layers; those of layer 0 may know one another."""
    found = []
    for line, full in source.imports:
        if not _below(full, "learnaug"):
            continue
        name = [*full.split("."), "__init__"][1]
        target = name if name in LAYER else "__init__"
        mine, other = LAYER.get(source.part, -1), LAYER[target]
        if target != source.part and not (other < mine or mine == other == 0):
            found.append(f"{source.path}:{line} {source.part} imports {full}")
    return found


def unknown_parts(source: Source) -> list[str]:
    """Every part has a layer."""
    return [] if source.part in LAYER else [f"{source.path}: {source.part} has no layer"]


def methods_that_know_each_other(source: Source) -> list[str]:
    """A method never imports another one; only the table knows them all."""
    parts = PurePosixPath(source.path).with_suffix("").parts
    if parts[0] != "methods" or parts[1] in METHOD_TABLES:
        return []
    found = []
    for line, full in source.imports:
        names = full.split(".")
        other = names[2] if names[:2] == ["learnaug", "methods"] and len(names) > 2 else ""
        if other and other != parts[1] and other not in METHOD_TOOLS:
            found.append(f"{source.path}:{line} imports {full}")
    return found


def forbidden_calls(source: Source) -> list[str]:
    """Nothing that runs data as code, writes past rundir, or talks to the network (D1)."""
    found = [
        f"{source.path}:{line} import {full}: {why}"
        for line, full in source.imports
        for module, why in FORBIDDEN_MODULES.items()
        if _below(full, module)
    ]
    for line, name, _ in source.uses:
        if name in FORBIDDEN_NAMES:
            found.append(f"{source.path}:{line} {name}: {FORBIDDEN_NAMES[name]}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            found += [f"{source.path}:{node.lineno} {why}" for why in _bad_call(node, source.path)]
    return found


def _bad_call(call: ast.Call, path: str) -> Iterator[str]:
    name = ast.unparse(call.func).split(".")[-1]
    for word in call.keywords:
        on = not (isinstance(word.value, ast.Constant) and word.value.value is False)
        if word.arg in ("shell", "allow_pickle") and on:
            yield f"{word.arg}={ast.unparse(word.value)}"
    if name in ("extractall", "extract"):
        yield f"{name}: an archive writes where it wants"
    literal = bool(call.args) and isinstance(call.args[0], ast.Constant)
    if name == "import_module" and not literal and path not in IMPORTERS:
        yield "import_module of a name that is data"


def global_random(source: Source) -> list[str]:
    """Numbers come from Seeds: no global generator of NumPy or PyTorch."""
    calls = {id(n.func): n for n in ast.walk(source.tree) if isinstance(n, ast.Call)}
    found = []
    for line, name, node in source.uses:
        words = name.split(".")
        numpy = words[:2] == ["numpy", "random"] and len(words) > 2
        bad = numpy and words[2] not in OWN_GENERATORS
        bad |= name in GLOBAL_SEEDS and source.path != RNG_HOME
        if name in TORCH_DRAWS and id(node) in calls and source.path != DRAW_HOME:
            bad |= not any(word.arg == "generator" for word in calls[id(node)].keywords)
        if bad:
            found.append(f"{source.path}:{line} {name}")
    return found


def wall_clock(source: Source) -> list[str]:
    """Only rundir has a clock (A15)."""
    if source.part == "rundir":
        return []
    return [f"{source.path}:{line} {name}" for line, name, _ in source.uses if name in CLOCK]


def long_files(source: Source) -> list[str]:
    """A file has at most 400 lines."""
    lines = source.text.count("\n")
    return [f"{source.path} has {lines} lines"] if lines > FILE_LINES else []


def long_functions(source: Source) -> list[str]:
    """A function has at most 60 lines without its docstring."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            first = node.body[0]
            doc = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - doc
            if lines > FUNCTION_LINES:
                found.append(f"{source.path}:{node.lineno} {node.name} has {lines} lines")
    return found


def missing_docstrings(source: Source) -> list[str]:
    """Every module, and every public function and class of it, says what it is."""
    found = [] if ast.get_docstring(source.tree) else [f"{source.path}:1 module"]
    for node in source.tree.body:
        named = isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
        if named and not ast.get_docstring(node):
            found.append(f"{source.path}:{node.lineno} {node.name}")
    return found


def unfinished(source: Source) -> list[str]:
    """Nothing is left for later."""
    lines = enumerate(source.text.splitlines(), 1)
    found = [f"{source.path}:{n} {w}" for n, line in lines for w in ("TODO", "FIXME") if w in line]
    raised = [n for n in ast.walk(source.tree) if isinstance(n, ast.Raise) and n.exc]
    for node in raised:
        if "NotImplementedError" in ast.unparse(node):
            found.append(f"{source.path}:{node.lineno} NotImplementedError")
    return found


def toothless_tests(source: Source) -> list[str]:
    """Every test function asserts something, itself or through a function of its file."""
    functions = {n.name: n for n in ast.walk(source.tree) if isinstance(n, Function)}
    able = {name for name, node in functions.items() if _asserts(node)}
    while more := {
        name for name, node in functions.items() if name not in able and _called(node) & able
    }:
        able |= more
    found = []
    for name, node in functions.items():
        if name.startswith("test") and name not in able:
            found.append(f"{source.path}:{node.lineno} {name}")
    return found


def _called(node: ast.AST) -> set[str]:
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {ast.unparse(call.func).split(".")[-1] for call in calls}


def _asserts(node: ast.AST) -> bool:
    if any(isinstance(n, ast.Assert) for n in ast.walk(node)):
        return True
    able = ("assert", "check", "raises", "warns", "fail", "gradcheck")
    return any(name.lstrip("_").startswith(able) for name in _called(node))


# --- the rules on our source ------------------------------------------------------------------

Rule = Callable[[Source], list[str]]
RULES: list[Rule] = [
    upward_imports,
    unknown_parts,
    methods_that_know_each_other,
    forbidden_calls,
    global_random,
    wall_clock,
    long_files,
    long_functions,
    missing_docstrings,
    unfinished,
]


def sources(folder: Path) -> list[Source]:
    paths = sorted(folder.rglob("*.py"))
    return [Source(p.relative_to(folder).as_posix(), p.read_text("utf-8")) for p in paths]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_our_source_keeps_the_rule(rule: Rule) -> None:
    ours = sources(PACKAGE)
    assert len(ours) > 10
    broken = [place for source in ours for place in rule(source)]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by name alone: the second of two is not collected."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_our_tests_can_fail() -> None:
    broken = [place for source in sources(ROOT / "tests") for place in toothless_tests(source)]
    assert not broken, "\n".join(broken)


LIGHT = [
    "learnaug",
    "learnaug.errors",
    "learnaug.seeds",
    "learnaug.rundir",
    "learnaug.stats",
    "learnaug.cli",
]


@pytest.mark.parametrize("module", LIGHT)
def test_import_costs_no_torch(module: str) -> None:
    heavy = "{'torch', 'sklearn', 'matplotlib'}"
    code = f"import {module}, sys; print(sorted({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


# --- the rules see what is planted ----------------------------------------------------------------

DOC = '"""Doc."""\n'
PLANTED = [
    (upward_imports, "ops/a.py", "from learnaug.training import loop"),
    (upward_imports, "ops/a.py", "import learnaug.cli"),
    (upward_imports, "ops/a.py", "from learnaug import data"),
    (upward_imports, "ops/a.py", "from ..nets import zoo"),
    (upward_imports, "ops/a.py", "def f():\n    from .. import stats"),
    (upward_imports, "rundir/a.py", "import learnaug"),
    (upward_imports, "__init__.py", "from learnaug.cli import main"),
    (upward_imports, "report/a.py", "from learnaug.interop import x"),
    (upward_imports, "study/a.py", "from learnaug import __version__"),
    (upward_imports, "seeds.py", "from .study import plan"),
    (upward_imports, "train/a.py", "if TYPE_CHECKING:\n    from learnaug.methods import x"),
    (unknown_parts, "helpers/a.py", ""),
    (methods_that_know_each_other, "methods/aws.py", "from learnaug.methods.dagan import x"),
    (methods_that_know_each_other, "methods/aws.py", "from learnaug.methods import dagan"),
    (methods_that_know_each_other, "methods/aws/a.py", "from ..dagan import x"),
    (forbidden_calls, "a.py", "import pickle"),
    (forbidden_calls, "a.py", "from cloudpickle import loads"),
    (forbidden_calls, "a.py", "import yaml as y"),
    (forbidden_calls, "a.py", "import random"),
    (forbidden_calls, "a.py", "import urllib.request"),
    (forbidden_calls, "a.py", "import torch as t\nt.load('x', weights_only=True)"),
    (forbidden_calls, "a.py", "from torch import load\nload('x')"),
    (forbidden_calls, "a.py", "torch.hub.load('x')"),
    (forbidden_calls, "a.py", "eval('1')"),
    (forbidden_calls, "a.py", "run = exec"),
    (forbidden_calls, "a.py", "import os\nos.system('x')"),
    (forbidden_calls, "a.py", "import importlib\nimportlib.import_module(name)"),
    (forbidden_calls, "a.py", "from subprocess import run\nrun('x', shell=True)"),
    (forbidden_calls, "a.py", "import numpy as np\nnp.load('x', allow_pickle=flag)"),
    (forbidden_calls, "a.py", "import numpy as np\nnp.save('x', y)"),
    (forbidden_calls, "a.py", "archive.extractall(path)"),
    (global_random, "a.py", "import numpy as np\nnp.random.rand(3)"),
    (global_random, "a.py", "import numpy as np\nnp.random.default_rng(3)"),
    (global_random, "a.py", "from numpy import random\nrandom.seed(0)"),
    (global_random, "a.py", "from numpy.random import default_rng\ndefault_rng()"),
    (global_random, "a.py", "import torch\ntorch.manual_seed(0)"),
    (global_random, "a.py", "import torch\ntorch.cuda.manual_seed_all(0)"),
    (global_random, "a.py", "import torch\ntorch.default_generator.manual_seed(0)"),
    (global_random, "a.py", "import torch\ntorch.randn(3)"),
    (global_random, "interop/batches.py", "import torch\ntorch.randint(3, ())"),
    (wall_clock, "a.py", "import time\ntime.time()"),
    (wall_clock, "a.py", "from time import time as now\nnow()"),
    (wall_clock, "a.py", "from datetime import datetime\ndatetime.now()"),
    (wall_clock, "a.py", "import datetime as d\nd.datetime.utcnow()"),
    (long_files, "a.py", "\n" * 401),
    (long_functions, "a.py", "def f():\n" + "    pass\n" * 60),
    (missing_docstrings, "a.py", "def f():\n    pass"),
    (missing_docstrings, "a.py", "class A:\n    pass"),
    (unfinished, "a.py", "# TODO later"),
    (unfinished, "a.py", "raise NotImplementedError"),
    (toothless_tests, "test_a.py", "def test_a():\n    f()"),
    (toothless_tests, "test_a.py", "def f():\n    print()\ndef test_a():\n    f()"),
]
HARMLESS = [
    (upward_imports, "study/a.py", "from learnaug.methods import x\nfrom ..ops import y"),
    (upward_imports, "ops/a.py", "from learnaug.ops.table import x\nfrom . import warp"),
    (upward_imports, "rundir/a.py", "from learnaug.errors import x"),
    (upward_imports, "cli/a.py", "from learnaug.report import x\nimport learnaugment"),
    (upward_imports, "__init__.py", "from learnaug.study import compare"),
    (methods_that_know_each_other, "methods/__init__.py", "from learnaug.methods import aws"),
    (methods_that_know_each_other, "methods/aws/a.py", "from learnaug.methods.aws.b import x"),
    (methods_that_know_each_other, "methods/aws.py", "from learnaug.methods import base"),
    (forbidden_calls, "a.py", "model.eval()\nimport re\nre.compile('x')"),
    (forbidden_calls, "a.py", "import importlib\nimportlib.import_module('torch')"),
    (forbidden_calls, "a.py", "import numpy as np\nnp.load('x', allow_pickle=False)"),
    (forbidden_calls, "a.py", "from safetensors.torch import load\nload(x)"),
    (global_random, "a.py", "import numpy as np\nnp.random.Generator(np.random.Philox(key=1))"),
    (global_random, "a.py", "import torch\ntorch.randn(3, generator=g)"),
    (global_random, "a.py", "import torch\ntorch.Generator().manual_seed(3)"),
    (global_random, RNG_HOME, "import torch\ntorch.manual_seed(0)"),
    (global_random, DRAW_HOME, "import torch\ntorch.randint(3, ())"),
    (wall_clock, "a.py", "import time\ntime.monotonic()"),
    (wall_clock, "rundir/clock.py", "import time\ntime.time()"),
    (long_files, "a.py", "\n" * 400),
    (long_functions, "a.py", 'def f():\n    """a' + "\n" * 99 + '"""\n' + "    pass\n" * 59),
    (missing_docstrings, "a.py", "def _f():\n    pass"),
    (unfinished, "a.py", "return NotImplemented"),
    (unfinished, "a.py", "try:\n    f()\nexcept NotImplementedError:\n    pass"),
    (toothless_tests, "test_a.py", "def test_a():\n    with pytest.raises(E):\n        f()"),
    (toothless_tests, "test_a.py", "def f():\n    assert x\ndef test_a():\n    f()"),
]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_rule_sees_what_is_planted(rule: Rule, path: str, text: str) -> None:
    found = rule(Source(path, DOC + text))
    assert len(found) == 1
    assert found[0].startswith(path)


@pytest.mark.parametrize(("rule", "path", "text"), HARMLESS)
def test_rule_lets_the_harmless_pass(rule: Rule, path: str, text: str) -> None:
    assert rule(Source(path, (DOC if rule is not long_files else "") + text)) == []


def test_every_rule_is_planted() -> None:
    assert {rule for rule, _, _ in PLANTED} == {*RULES, toothless_tests}
    assert {rule for rule, _, _ in HARMLESS} >= {*RULES, toothless_tests} - {unknown_parts}
