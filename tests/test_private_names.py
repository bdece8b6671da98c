"""Names that other packages do not promise stand in files that begin with an underscore, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import evalkit

ROOT = Path(str(evalkit.__file__)).parent
TREES = {
    file: ast.parse(file.read_text(encoding="utf-8"))
    for file in sorted(ROOT.rglob("*.py"))
    if "_tasks" not in file.parts and "starter" not in file.parts
}
DOCUMENTED = {"_undefined_name"}
"""Jinja's: its documentation names it for classes of undefined values."""


def _is_private(name: object) -> bool:
    return re.match(r"_[^_]", str(name)) is not None


def _own() -> Iterator[str]:
    """The private names that evalkit itself gives to anything."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id in ("self", "cls") and isinstance(node.ctx, ast.Store):
                    yield node.attr
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def _foreign(tree: ast.Module, own: set[str]) -> Iterator[str]:
    """(line and text) of each use of a private name that is not evalkit's."""
    for node in ast.walk(tree):
        found: list[object] = []
        if isinstance(node, ast.Attribute):
            found = [node.attr]
        elif isinstance(node, ast.keyword):
            found = [node.arg]
        elif isinstance(node, ast.ImportFrom | ast.Import):
            module = getattr(node, "module", None) or ""
            if not module.startswith("evalkit"):
                names = [alias.name for alias in node.names]
                found = [part for name in (module, *names) for part in name.split(".")]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr"):
            found = [node.args[1].value] if isinstance(node.args[1], ast.Constant) else []
        if any(_is_private(name) and name not in own for name in found if name):
            yield f"line {getattr(node, 'lineno', '?')}: {ast.unparse(node)}"


def test_private_names_of_others_stand_in_files_apart() -> None:
    """Whoever reads the guarded files has seen all that another package may change without a word."""
    own = {*_own(), *DOCUMENTED}
    found = {file: list(_foreign(tree, own)) for file, tree in TREES.items()}
    elsewhere = {
        str(file.relative_to(ROOT)): uses
        for file, uses in found.items()
        if uses and not (file.name.startswith("_") and file.name != "__init__.py")
    }
    assert elsewhere == {}
    assert any(uses for file, uses in found.items() if file.name == "_transformers.py")
