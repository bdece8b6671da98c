"""The count of the house: what is code, what is an arrow, what is a circle."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

import evalkit

HOUSE = Path(evalkit.__file__).parents[1] / "ci" / "house.py"
TOP = '''"""A docstring
of two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pack.low import deep

LIMIT = 3
"""A sentence below a name."""


def wide(self, a, b, *, c=1):
    """What it returns."""
    # a comment
    text = """one
two"""
    return text
'''
DEEP = """
def go():
    from .. import top  # deferred

    return top
"""
SCRIPT = "// a comment\n\nconst a = 1; // code\n/* two\nlines */\n  f(a);\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two rooms that import each other, one for the type checker and one late."""
    files = {
        "__init__.py": "",
        "top.py": TOP,
        "low/__init__.py": "",
        "low/deep.py": DEEP,
        "templates/js/a.js": SCRIPT,
    }
    for name, text in files.items():
        (tmp_path / "pack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / name).write_text(text)
    return tmp_path / "pack"


def test_only_lines_that_hold_code_are_counted(package: Path) -> None:
    """Docstrings, sentences below names, comments and blank lines are none; a text that is a value is."""
    house: Any = runpy.run_path(str(HOUSE))["count"](package)
    assert house.lines["top.py"] == 9
    assert house.lines["low/deep.py"] == 3
    assert house.lines["templates/js/a.js"] == 2
    assert [each[:2] for each in house.functions] == [(4, 0), (6, 3)]


def test_every_import_is_an_arrow(package: Path) -> None:
    """Deferred imports, relative ones and those for the type checker count, and close a circle."""
    names = runpy.run_path(str(HOUSE))
    arrows = names["count"](package).arrows
    assert arrows["pack.top"] == {"pack.low.deep"}
    assert arrows["pack.low.deep"] == {"pack.top"}
    assert names["circles"](arrows) == [["pack.low.deep", "pack.top"]]
    assert names["between_rooms"](arrows)["low"] == {"top"}
    assert names["circles"](names["between_rooms"](arrows)) == [["low", "top"]]
    assert names["circles"]({"a": {"b"}, "b": set()}) == []
