"""The house: rooms import from floors below, there are no circles, and some things are never done."""

from __future__ import annotations

import ast
import functools
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import evalkit

PACKAGE = Path(evalkit.__file__).parent

HOUSE = (
    "core",
    "stats",
    "sandbox",
    "store",
    "models",
    "metrics",
    "tasks",
    "running",
    "comparing",
    "gate",
    "pages",
    "interop",
    "workshop",
    "cli",
)
"""The rooms from the ground up. A room knows those before it, never those after it."""
FACE = {"__init__.py", "__main__.py", "api.py", "py.typed"}
"""What stands beside the rooms; `api` has the verbs of the face, which only the uppermost rooms may use."""
FLOORS = (*HOUSE[:-2], "api", *HOUSE[-2:], "__main__")

MOST_LINES = 450
"""DESIGN: where a file would pass about 400 lines, it becomes a folder."""


@functools.cache
def modules() -> dict[str, ast.Module]:
    """All modules of the package by their full name, parsed."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        if "_tasks" not in file.parts:
            parts = ("evalkit", *file.relative_to(PACKAGE).with_suffix("").parts)
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imports(name: str) -> Iterator[str]:
    """The modules of evalkit that a module imports, anywhere in it."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "evalkit")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "evalkit":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules() else str(node.module)


def room(name: str) -> str:
    """The room of a module: what stands after `evalkit.`."""
    return name.split(".")[1] if "." in name else ""


def floor(name: str) -> int:
    """The floor of a module's room."""
    return FLOORS.index(room(name))


def nodes(*exempt: str) -> Iterator[tuple[str, ast.AST]]:
    """All nodes of all modules but those exempted, each with its place."""
    for name, tree in modules().items():
        if name not in exempt:
            for node in ast.walk(tree):
                yield f"{name}, line {getattr(node, 'lineno', 0)}", node


def called(node: ast.AST) -> str:
    """The name of the plain function that the node calls; empty when it calls none."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def attribute(node: ast.AST) -> str:
    """`module.name` of such a node; empty for any other."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


ROOMS = sorted({room(name) for name in modules()} - {""})
MODULES = sorted(set(modules()) - {"evalkit"})


def test_the_house_has_these_rooms() -> None:
    """Fourteen rooms, and beside them only the face."""
    there = {item.name for item in PACKAGE.iterdir() if not item.name.startswith(("__pycache__", "_t"))}
    assert there == {*HOUSE, *FACE}


@pytest.mark.parametrize("name", ROOMS)
def test_room_imports_from_floors_below_only(name: str) -> None:
    """What a room needs lies below it, deferred imports counted; the root package is imported for nothing."""
    upwards = [
        f"{module} imports {target}"
        for module in MODULES
        if room(module) == name
        for target in imports(module)
        if target == "evalkit" or floor(target) > floor(module)
    ]
    assert upwards == []


def test_architecture_page_shows_the_house_as_it_is() -> None:
    """Its picture has a mark wherever a room (row) uses another (column), and nowhere else."""
    rooms = list(HOUSE)
    uses = {(room(module), room(target)) for module in MODULES for target in imports(module)}
    wide = max(map(len, rooms))
    lines = [" " * (wide + 1) + " ".join(name[:3] for name in rooms[:-1]).rstrip()]
    for number, name in enumerate(rooms[1:], 1):
        marks = (" ● " if (name, other) in uses else " · " for other in rooms[:number])
        lines.append(f"{name:<{wide}} " + " ".join(marks).rstrip())
    picture = "<!-- house -->\n```text\n" + "\n".join(lines) + "\n```\n<!-- /house -->"
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert picture in page, f"docs/architecture.md has another picture; it is now:\n{picture}"


def test_there_are_no_circles() -> None:
    """No module needs a module that needs it, be it only when one of its functions runs."""
    graph = {name: set(imports(name)) - {"evalkit", name} for name in MODULES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which shows the circle


def test_rooms_have_names_of_their_own() -> None:
    """There is no drawer for odds and ends."""
    odd = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert [name for name in MODULES if odd & set(name.split("."))] == []


def test_files_stay_readable_at_one_sitting() -> None:
    """A file of more than about 400 lines is two files."""
    lengths = {str(file): len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {file: n for file, n in lengths.items() if n > MOST_LINES} == {}


def test_errors_are_never_swallowed() -> None:
    """No bare `except:`, and nobody catches everything to do nothing."""
    everything = {"Exception", "BaseException"}
    found = []
    for place, node in nodes():
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.id if isinstance(node.type, ast.Name) else ""
            silent = all(isinstance(item, ast.Pass) for item in node.body)
            if node.type is None or (silent and caught in everything):
                found.append(place)
    assert found == []


CODE_RUNNER = "evalkit.sandbox.child"
"""Runs code that a model wrote, fenced in and in a process of its own, because a task measures just that."""


def test_data_are_never_run_as_code() -> None:
    """No eval, exec, pickle or shell, and YAML only through a safe loader."""
    unsafe = {f"yaml.{name}" for name in ("unsafe_load", "full_load", "Loader", "UnsafeLoader", "FullLoader")}
    picklers = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    found = []
    for place, node in nodes(CODE_RUNNER):
        if called(node) in ("eval", "exec", "compile") or attribute(node) in {
            *unsafe,
            "os.system",
            "os.popen",
        }:
            found.append(place)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            found += [place] if names & picklers else []
        if isinstance(node, ast.keyword) and node.arg == "shell":
            found.append(place)
    assert found == []


def test_only_the_command_line_prints_and_exits() -> None:
    """Below the command line, results are returned and troubles raised; a signal alone ends the process."""
    talking = {"print", "exit", "quit", "input", "breakpoint"}
    found = [
        place
        for place, node in nodes(CODE_RUNNER, "evalkit.core.signals")
        if called(node) in talking or attribute(node) in ("sys.exit", "os._exit")
    ]
    assert [place for place in found if not place.startswith(("evalkit.cli", "evalkit.__main__"))] == []


def test_input_is_never_checked_by_assert() -> None:
    """A wrong input is an error with words, also under `python -O`."""
    assert [place for place, node in nodes() if isinstance(node, ast.Assert)] == []


def test_annotations_are_no_detour() -> None:
    """No room is imported for type checkers only: what may not be imported may not be known either."""
    found = []
    for place, node in nodes("evalkit"):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            inner = [item for item in ast.walk(node) if isinstance(item, ast.ImportFrom)]
            found += [place for item in inner if (item.module or "").startswith("evalkit")]
    assert found == []


def test_everything_public_says_what_it_is() -> None:
    """Modules, public classes, functions and methods have a docstring."""
    missing = []
    for name, tree in modules().items():
        holders: list[ast.Module | ast.ClassDef] = [tree]
        holders += [item for item in tree.body if isinstance(item, ast.ClassDef) and item.name[0] != "_"]
        missing += [name] if tree.body and not ast.get_docstring(tree) else []
        for holder in holders:
            public = [
                item
                for item in holder.body
                if isinstance(item, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and item.name[0] != "_"
                and "overload" not in [getattr(decorator, "id", "") for decorator in item.decorator_list]
            ]
            missing += [
                f"{name}, line {item.lineno}: {item.name}" for item in public if not ast.get_docstring(item)
            ]
    assert missing == []
