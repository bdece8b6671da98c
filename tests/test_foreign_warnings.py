"""Which warnings fail a test, and which are told at the end: an inner run with planted ones of each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import foreign_warnings
import pytest

ROOT = Path(foreign_warnings.__file__).parents[1]

LIBRARY = """
import warnings

def old():
    warnings.warn("`old` goes away in 9.0", DeprecationWarning, stacklevel=2)

def outer():
    old()

def speak():
    warnings.warn("as you like", UserWarning)
"""
OURS = """
import library

def direct():
    library.old()

def within():
    library.outer()
"""
TESTS = """
import gc, os, pytest, warnings
import library
from evalkit import planted

def test_within(): planted.within()
def test_within_again(): planted.within()
def test_speaking(): library.speak()
def test_direct(): planted.direct()
def test_own(): library.old()
def test_left_open():
    open(os.devnull)
    gc.collect()
def test_numbers():
    import numpy
    numpy.array([1.0]) / 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with the real settings of pytest, whose package `evalkit` and whose library warn."""
    packages = tmp_path / "site-packages"
    files = {
        packages / "library" / "__init__.py": LIBRARY,
        tmp_path / "evalkit" / "__init__.py": "",
        tmp_path / "evalkit" / "planted.py": OURS,
        tmp_path / "tests" / "test_planted.py": TESTS,
        tmp_path / "tests" / "conftest.py": "from foreign_warnings import *\n",
        tmp_path / "tests" / "foreign_warnings.py": Path(foreign_warnings.__file__).read_text("utf-8"),
        tmp_path / "pyproject.toml": (ROOT / "pyproject.toml").read_text("utf-8"),
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_our_warnings_fail_and_others_are_told(folder: Path, workers: tuple[str, ...]) -> None:
    """A deprecated name that evalkit or a test uses fails; what a library does itself is a line, counted."""
    paths = os.pathsep.join([str(folder / "site-packages"), str(folder)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:evalkit", "-p", "no:cacheprovider", *workers],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    outcome = {
        line.split("::")[1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")
    }
    assert outcome == {"test_direct", "test_own", "test_left_open", "test_numbers"}
    lines = done.stdout.splitlines()
    assert "library: DeprecationWarning, 2 times: `old` goes away in 9.0" in lines
    assert "library: UserWarning, once: as you like" in lines
    assert any(line.startswith("    library/__init__.py:8, first in tests/test_planted.py") for line in lines)
