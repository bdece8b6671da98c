"""Source -> the mutants of it: every small change that a slip of the hand could have made."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.MatMult: "*",
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "fmin": "fmax", "fmax": "fmin"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: str
    """Relative to the repository."""
    line: int
    old: str
    new: str
    source: str
    """The whole file as changed."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {_short(self.old)} -> {_short(self.new)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines. Texts for people (errors, docstrings) are left."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    data = source.encode()

    def change(node: ast.expr | ast.stmt, make: Callable[[str], str]) -> Mutant:
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        old = data[begin:end].decode()
        new = make(old)
        return Mutant(path, node.lineno, old, new, (data[:begin] + new.encode() + data[end:]).decode())

    found = [change(node, make) for node, make in _changes(ast.parse(source))]
    return sorted(found, key=lambda each: (each.line, each.new))


def _compiles(mutant: Mutant) -> bool:
    try:
        ast.parse(mutant.source)
    except SyntaxError:
        return False
    return mutant.old != mutant.new


Change = tuple[ast.expr | ast.stmt, Callable[[str], str]]


def _changes(tree: ast.Module) -> Iterator[Change]:
    skipped = _for_people(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.stmt):
            yield from _of_statement(node)
        elif isinstance(node, ast.expr):
            yield from _of_expression(node)


def _for_people(tree: ast.Module) -> set[int]:
    """The nodes that say something to people or to the type checker, and do nothing."""
    found: set[int] = set()

    def leave(node: ast.AST | None) -> None:
        found.update(id(each) for each in ast.walk(node)) if node is not None else None

    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            keep = id(node)
            leave(node)
            if isinstance(node, ast.Raise):
                found.discard(keep)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            leave(node)
        elif isinstance(node, ast.AnnAssign | ast.arg):
            leave(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            leave(node.returns)
            for each in node.decorator_list:
                leave(each)
        elif isinstance(node, ast.ClassDef):
            for each in node.decorator_list + node.bases:
                leave(each)
        elif isinstance(node, ast.Assign) and _names(node.targets) & {"__all__", "Verdict", "Target", "Stop"}:
            leave(node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            leave(node)  # an alias of types
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("TypeVar", "cast"):
            leave(node)
    return found


def _names(targets: Iterable[ast.expr]) -> set[str]:
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _of_statement(node: ast.stmt) -> Iterator[Change]:
    if isinstance(node, ast.If | ast.While):
        yield node.test, lambda old: f"not ({old})"
    elif isinstance(node, ast.Raise | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield node, lambda old: "pass"
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield node.value, lambda old: "None"
    elif isinstance(node, ast.Continue):
        yield node, lambda old: "break"
    elif isinstance(node, ast.Break):
        yield node, lambda old: "continue"


def _of_expression(node: ast.expr) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
        yield node, lambda old: f"{_wrapped(left)} {COMPARISONS[type(node.ops[0])]} {_wrapped(right)}"
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            return
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        yield node, lambda old: f"(({left}) {OPERATORS[type(node.op)]} ({right}))"
    elif isinstance(node, ast.BoolOp):
        word = " or " if isinstance(node.op, ast.And) else " and "
        yield node, lambda old: "(" + word.join(f"({ast.unparse(each)})" for each in node.values) + ")"
        for place in range(len(node.values)):
            rest = [each for n, each in enumerate(node.values) if n != place]
            word_kept = " and " if isinstance(node.op, ast.And) else " or "
            kept = "(" + word_kept.join(f"({ast.unparse(each)})" for each in rest) + ")"
            yield node, lambda old, kept=kept: kept  # type: ignore[misc]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node, lambda old: f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.IfExp):
        test, one, other = (ast.unparse(each) for each in (node.test, node.body, node.orelse))
        yield node, lambda old: f"(({other}) if ({test}) else ({one}))"
    elif isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in CALLS:
            yield node.func, lambda old: old[: -len(name)] + CALLS[name]
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node)


def _wrapped(text: str) -> str:
    return text if text.isidentifier() else f"({text})"


def _of_constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield node, lambda old: str(not value)
    elif isinstance(value, int):
        yield node, lambda old: str(value + 1)
    elif isinstance(value, float):
        yield node, lambda old: repr(value * 2.0 if value else 1.0)
    elif isinstance(value, str) and value and " " not in value:  # words with spaces are for people
        yield node, lambda old: repr(f"{value}XX")


def draw(root: Path, paths: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """`count` mutants: lines drawn at random over all that can be changed, then a change of each."""
    rng = random.Random(f"mutants:{seed}")
    by_line: dict[tuple[str, int], list[Mutant]] = {}
    for path in sorted(paths):
        for mutant in mutants_of(path, (root / path).read_text(encoding="utf-8")):
            by_line.setdefault((path, mutant.line), []).append(mutant)
    places = sorted(by_line)
    rng.shuffle(places)
    drawn: list[Mutant] = []
    for place in places:
        found = by_line[place]
        if len(drawn) == count:
            break
        rng.shuffle(found)
        drawn += list(filter(_compiles, found))[:1]
    return drawn
