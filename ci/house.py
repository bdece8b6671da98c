"""Counts the house: `python ci/house.py [FOLDER]`, or `make house`.

Lines of code are lines that hold code: no docstrings, no comments, nothing blank; of the Python under
evalkit/ and the scripts of templates/js. Arrows are imports between rooms or files, deferred ones and those
for the type checker counted; a circle is a set of files, or rooms, that reach each other.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 12
MOST_LINES, MOST_PARAMETERS, MOST_IN_FILE = 60, 8, 400
_QUIET = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass
class House:
    """What was counted."""

    lines: dict[str, int] = field(default_factory=dict)
    """File -> lines of code, relative to the package."""
    all_lines: dict[str, int] = field(default_factory=dict)
    arrows: dict[str, set[str]] = field(default_factory=dict)
    """Module -> the modules that it imports."""
    functions: list[tuple[int, int, str]] = field(default_factory=list)
    """(lines, parameters, place) of every function."""


def count(package: Path) -> House:
    """The house under this folder."""
    house = House()
    files = sorted(path for path in package.rglob("*.py") if "_tasks" not in path.parts)
    names = {_module(package, path): path for path in files}
    for name, path in names.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        place = path.relative_to(package).as_posix()
        house.lines[place] = len(_code(path, tree))
        house.all_lines[place] = text.count("\n")
        house.arrows[name] = set(_imports(name, path, tree, names)) - {name}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                most = (node.end_lineno or node.lineno) - node.lineno + 1
                house.functions.append((most, _parameters(node), f"{place}:{node.lineno} {node.name}"))
    for path in sorted(package.rglob("templates/js/*.js")):
        place = path.relative_to(package).as_posix()
        lines = path.read_text(encoding="utf-8").splitlines()
        house.lines[place], house.all_lines[place] = len(list(_script(lines))), len(lines)
    return house


def _module(package: Path, path: Path) -> str:
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _code(path: Path, tree: ast.Module) -> set[int]:
    """The numbers of the lines that hold code."""
    texts: set[int] = set()
    for node in ast.walk(tree):  # docstrings, and the sentences below fields
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            texts.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    found: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in _QUIET:
                found.update(range(token.start[0], token.end[0] + 1))
    return found - texts


def _script(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        text = line.strip()
        if inside or text.startswith("/*"):
            inside = "*/" not in text
        elif text and not text.startswith("//"):
            yield text


def _imports(name: str, path: Path, tree: ast.Module, names: Mapping[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (above, node.module or "") if part)
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                if whole in names or source in names:
                    yield whole if whole in names else source


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    own = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return sum(1 for arg in own if arg.arg not in ("self", "cls"))


def room(module: str) -> str:
    """The room of a module: the folder or file at the top of the package."""
    return module.split(".")[1] if "." in module else module


def between_rooms(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Room -> the rooms that it imports from."""
    found: dict[str, set[str]] = {}
    for name, targets in arrows.items():
        own = found.setdefault(room(name), set())
        own.update(room(target) for target in targets if room(target) != room(name))
    return found


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The sets of more than one that reach each other, largest first (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in arrows.get(name, ()):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for name in arrows:
        if name not in index:
            visit(name)
    return sorted(found, key=len, reverse=True)


def main(package: Path) -> None:
    """Print the table."""
    house = count(package)
    rooms = between_rooms(house.arrows)
    by_room: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for place, n in house.lines.items():
        name = place.split("/")[0].removesuffix(".py")
        by_room[name] += n
        files[name] += 1
    code, whole = sum(house.lines.values()), sum(house.all_lines.values())
    print(f"lines of code      {code:7,}   of {whole:,} in {len(house.lines)} files")
    print(f"rooms              {len(rooms):7,}")
    print(f"arrows of rooms    {sum(map(len, rooms.values())):7,}")
    print(f"arrows of files    {sum(map(len, house.arrows.values())):7,}")
    for what, found in (("rooms", circles(rooms)), ("files", circles(house.arrows))):
        print(f"circles of {what}   {len(found):7,}   {', '.join(str(len(each)) for each in found)}".rstrip())
    long = [each for each in house.functions if each[0] > MOST_LINES]
    wide = sorted((each[1], each[2]) for each in house.functions if each[1] > MOST_PARAMETERS)
    large = [(n, place) for place, n in house.all_lines.items() if n > MOST_IN_FILE]
    words = f"{len(long)} over {MOST_LINES} lines, {len(wide)} over {MOST_PARAMETERS} parameters"
    print(f"functions          {len(house.functions):7,}   {words}")
    print(f"large files        {len(large):7,}   over {MOST_IN_FILE} lines")
    print("\nroom                    code  files  knows")
    for name, n in by_room.most_common():
        print(f"{name:20} {n:7,} {files[name]:6}  {len(rooms.get(name, ())):5}")
    for title, rows in (
        ("longest functions", [(n, place) for n, _, place in sorted(house.functions, reverse=True)]),
        ("most parameters", wide[::-1]),
        ("largest files", sorted(large, reverse=True)),
    ):
        print(f"\n{title}")
        for n, place in rows[:LONGEST]:
            print(f"{n:7}  {place}")
    for each in circles(house.arrows):
        print("\ncircle: " + ", ".join(name.partition(".")[2] for name in each))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "evalkit")
