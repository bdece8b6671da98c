"""A program and its tests as they are run: together in one interpreter, or apart in two."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from evalkit.core.errors import MetricError, list_names

# fmt: off
_PLAIN = frozenset([
    "__future__", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "numbers", "operator",
    "random", "re", "statistics", "string", "textwrap", "time", "typing", "unicodedata",
])
"""Modules by which tests cannot see where the program runs."""
_TELLING = frozenset([
    "breakpoint", "compile", "delattr", "eval", "exec", "globals", "input", "locals", "open", "setattr",
    "vars", "__import__",
])
"""Built-in functions by which they can."""
# fmt: on


@dataclass(frozen=True, slots=True)
class Tested:
    """A program and the tests that it has to pass."""

    program: str
    """The answer with what its task puts before it."""
    before: str
    """What the tests need and the task gives: imports and helpers."""
    tests: str
    """The code that fails, or runs to its end."""
    entry: str | None
    """The name of the function that is asked for; None where the task does not say."""
    reference: str | None = None
    """A program that passes, where the task has one."""

    def together(self) -> str:
        """Program and tests as one text."""
        return f"{self.program}\n\n{self.tests}\n"

    def apart(self) -> dict[str, Any] | str:
        """The tests for an interpreter of their own, as `run_python` takes them; or why they need the
        program's."""
        try:
            before, tests = ast.parse(self.before), ast.parse(self.tests)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return "its tests cannot be read alone"
        names = _free_names(before, tests) | ({self.entry} if self.entry else self._own_builtins(tests))
        for reason in _needs(tests, names):
            return reason
        classes = {name for name in names if _is_class(name)}
        called = {id(node.func) for node in ast.walk(tests) if isinstance(node, ast.Call)}
        for node in ast.walk(tests):
            if isinstance(node, ast.Name) and node.id in classes - {self.entry} and id(node) not in called:
                return f"its tests use the class {node.id} of the program"
        return {
            "before": self.before,
            "code": self.tests,
            "names": sorted(names),
            "looks_inside": bool(classes),
        }

    def _own_builtins(self, tests: ast.AST) -> set[str]:
        """Built-in names that the asked function bears: the reference has them, or tests call no other."""
        called = {
            node.func.id for node in ast.walk(tests) if isinstance(node, ast.Call) and _is_name(node.func)
        }
        if self.reference is None:
            return set() if called - set(dir(builtins)) else called
        return {
            name for name in called if re.search(rf"^def\s+{re.escape(name)}\b", self.reference, re.MULTILINE)
        }


def _is_name(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def _free_names(before: ast.AST, tests: ast.AST) -> set[str]:
    """The names that the tests use and neither they, nor what stands before them, nor Python defines."""
    bound = set(dir(builtins))
    for node in (*ast.walk(before), *ast.walk(tests)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            bound.add(node.name)
    return {node.id for node in ast.walk(tests) if isinstance(node, ast.Name)} - bound


def _needs(tests: ast.AST, names: set[str]) -> Iterator[str]:
    """Why the tests have to run beside the program."""
    for node in ast.walk(tests):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.split(".")[0] not in _PLAIN:
                yield f"its tests import {module}"
        if isinstance(node, ast.Name) and node.id in _TELLING:
            yield f"its tests use {node.id}"
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if (owner, node.attr) == ("random", "seed"):
                yield "its tests seed the random numbers of the program"
            if owner in {*names, "candidate"} - _PLAIN and not _is_class(owner) and node.attr[:2] != "__":
                yield f"its tests use {owner}.{node.attr}"
        elif isinstance(node, ast.Compare):
            yield from _identities(node)
        elif isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            yield "its tests are asynchronous"


def _is_class(name: str) -> bool:
    """Whether the name is written as those of classes are; constants have capitals throughout."""
    return name[:1].isupper() and (len(name) == 1 or not name.isupper())


def _identities(node: ast.Compare) -> Iterator[str]:
    """Whether `is` compares two objects, of which the copies that tests would get are none."""
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        fixed = any(
            isinstance(side, ast.Constant) or (isinstance(side, ast.Name) and hasattr(builtins, side.id))
            for side in (left, right)
        )
        if isinstance(operator, ast.Is | ast.IsNot) and not fixed:
            yield "its tests compare objects by identity"


def read_program(answer: str, fields: Mapping[str, Any], *, indent: bool = False) -> Tested:
    """The answer with the tests of its task.

    HumanEval: an answer that defines the function replaces its stub and keeps the imports and helpers above
    it; any other goes on where the prompt ends, as it stands; `indent` mends its indentation first.
    Raises MetricError when columns are missing.
    """
    if isinstance(fields.get("entry_point"), str):
        entry, prompt, test = (_text(fields, key) for key in ("entry_point", "prompt", "test"))
        definition = re.compile(rf"^(?:async\s+)?def\s+{re.escape(entry)}\b", re.MULTILINE)
        stubs = list(definition.finditer(prompt))
        head = prompt[: stubs[-1].start()] if stubs else prompt
        body = _indent(answer) if indent else answer
        solution = _hoist(head, answer) if definition.search(answer) else f"{prompt}{body}"
        return Tested(solution, head if stubs else "", f"{test}\n\ncheck({entry})\n", entry)
    tests = fields.get("test_list")
    if tests is None or isinstance(tests, str) or not all(isinstance(test, str) for test in tests):
        raise MetricError(
            "code_passes needs the columns of HumanEval (prompt, test, entry_point) or of MBPP (test_list, a "
            f"list); the sample has {list_names(fields) or 'no columns'}"
        )
    setup, reference = fields.get("test_setup_code") or "", fields.get("code")
    if _stands_alone(setup):
        before, after = setup, ""
    else:  # it makes objects of the answer's classes
        before, after = "", setup
    program = _hoist("", "\n\n".join(part for part in (before, answer) if part))
    code = "\n\n".join(part for part in (after, *tests) if part)
    return Tested(program, before, code, None, reference if isinstance(reference, str) else None)


def _stands_alone(setup: str) -> bool:
    """Whether the code uses no name that it does not define."""
    try:
        tree = ast.parse(setup)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return not _free_names(ast.Module([], []), tree)


def _hoist(head: str, answer: str) -> str:
    """Head and answer, the answer's `from __future__` lines first, where alone they may stand."""
    future = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)
    lines = "".join(
        line if line.endswith("\n") else f"{line}\n" for line in future.findall(f"{head}\n{answer}")
    )
    return f"{lines}{future.sub('', head)}{future.sub('', answer)}"


def _indent(body: str) -> str:
    """The body of a function with the indentation that its first line lacks, or all of it."""
    if not body.strip() or body.lstrip("\n")[0].isspace():
        return body
    first, *others = body.splitlines()
    if any(line and not line[0].isspace() for line in others):
        return textwrap.indent(body, "    ")
    return "\n".join([f"    {first}", *others])


def _text(fields: Mapping[str, Any], column: str) -> str:
    value = fields.get(column)
    if not isinstance(value, str):
        raise MetricError(f"code_passes needs the column {column!r}, a text, not {type(value).__name__}")
    return value
