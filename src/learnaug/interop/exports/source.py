"""Copy functions out of the templates beside this file: the names asked for and all they need."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from learnaug.ops.table import TABLE

__all__ = ["assemble"]

_FIRST = ("Element", "Stage", "Step", "STAGES", "LearnedPolicy")  # what a reader looks for
_MARKS = re.compile(r"  # (type: ignore|noqa).*")  # for our own checks only


@dataclass(frozen=True)
class _Piece:
    """A function, class or table of a template: its text, and the names that it reads."""

    text: str
    needs: frozenset[str]


@dataclass(frozen=True)
class _Import:
    """One imported name: `import module`, or `from module import what`, perhaps `as` another."""

    module: str
    what: str
    alias: str

    @property
    def name(self) -> str:
        return f"{self.what or self.module} as {self.alias}" if self.alias else self.what

    @property
    def standard(self) -> bool:
        return self.module.split(".")[0] in sys.stdlib_module_names


def assemble(template: str, stages: str, ops: Iterable[str]) -> str:
    """Return the code of an exported file, without its header.

    Args:
        template: name of the template, "for_torchvision" and so on.
        stages: the policy's table, as code: "STAGES = (…)".
        ops: operations that the table names; no other operation's function is copied.
    """
    pieces: dict[str, _Piece] = {}
    imports: dict[str, _Import] = {}
    for part in _parts(template):
        tree, lines = _template(part)
        imports |= _imports(tree)
        pieces |= _pieces(tree, lines, frozenset(ops))
    pieces["STAGES"] = _Piece(stages, frozenset(re.findall(r"\b(Element|Stage)\(", stages)))
    wanted = _closure(pieces, "LearnedPolicy")
    own = [name for name in pieces if name in wanted]
    first = [name for name in _FIRST if name in own]
    texts = [pieces[name].text for name in [*first, *(n for n in own if n not in first)]]
    used = [found for name, found in imports.items() if name in wanted and name not in pieces]
    return _import_block(used) + "\n\n" + "\n\n\n".join(texts) + "\n"


@cache
def _parts(template: str) -> tuple[str, ...]:
    """Return the files beside this one that a template imports, it itself last."""
    found: dict[str, None] = {}
    for node in _template(template)[0].body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(__package__):
            found |= dict.fromkeys(_parts(str(node.module).rsplit(".", 1)[1]))
    return (*found, template)


@cache
def _template(part: str) -> tuple[ast.Module, list[str]]:
    text = Path(__file__).with_name(f"{part}.py").read_text("utf-8")
    return ast.parse(text), text.splitlines()


def _imports(tree: ast.Module) -> dict[str, _Import]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for name in node.names:
                found[name.asname or name.name] = _Import(name.name, "", name.asname or "")
        if isinstance(node, ast.ImportFrom) and not str(node.module).startswith("learnaug"):
            for name in node.names:
                local = name.asname or name.name
                found[local] = _Import(str(node.module), name.name, name.asname or "")
    return found


def _import_block(imports: list[_Import]) -> str:
    blocks = ["from __future__ import annotations"]
    for standard in (True, False):
        some = [found for found in imports if found.standard is standard]
        lines = [f"import {i.name or i.module}" for i in some if not i.what]
        for module in sorted({i.module for i in some if i.what}):
            names = sorted((i.name for i in some if i.what and i.module == module), key=_by_kind)
            lines.append(f"from {module} import {', '.join(names)}")
        if lines:
            blocks.append(
                "\n".join(sorted(lines, key=lambda line: (line.startswith("from"), line.lower())))
            )
    return "\n\n".join(blocks) + "\n"


def _by_kind(name: str) -> tuple[bool, str]:
    return not name[0].isupper(), name


def _pieces(tree: ast.Module, lines: list[str], ops: frozenset[str]) -> dict[str, _Piece]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name] = _piece(node, lines[first - 1 : node.end_lineno])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = ast.unparse(target)
            if name == "__all__":
                continue
            own = lines[node.lineno - 1 : node.end_lineno]
            found[name] = _table(node, own, ops) or _piece(node, own)
    return found


def _piece(node: ast.AST, lines: list[str]) -> _Piece:
    needs = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return _Piece("\n".join(_MARKS.sub("", line) for line in lines), needs)


def _table(
    node: ast.Assign | ast.AnnAssign, lines: list[str], ops: frozenset[str]
) -> _Piece | None:
    """Return a table of operations with the rows that are used; None for any other assignment."""
    if not isinstance(node.value, ast.Dict):
        return None
    functions = dict(
        zip(map(ast.unparse, filter(None, node.value.keys)), node.value.values, strict=True)
    )
    rows = {ast.literal_eval(key): ast.unparse(value) for key, value in functions.items()}
    if not rows.keys() <= TABLE.keys():
        return None
    inner = [f'    "{op}": {function},' for op, function in rows.items() if op in ops]
    text = "\n".join([lines[0].split("{")[0] + "{", *inner, "}"])
    unused = {function for op, function in rows.items() if op not in ops}
    return _Piece(text.replace("{\n}", "{}"), _piece(node, lines).needs - unused)


def _closure(pieces: dict[str, _Piece], root: str) -> set[str]:
    wanted: set[str] = set()
    new = {root}
    while new:
        wanted |= new
        new = {need for name in new if name in pieces for need in pieces[name].needs} - wanted
    return wanted
