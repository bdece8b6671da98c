"""Warnings: those of evalkit's code and of tests are errors, those of other packages are told at the end.

A warning belongs to the module at which it points. A deprecated name that evalkit uses points at evalkit, as
packages warn (`stacklevel`), and fails the test; what packages do among themselves is collected, so that
evalkit moves before it becomes an error. ResourceWarnings and RuntimeWarnings are errors wherever they point:
they are about what was left open, and about numbers that were handed over.
"""

from __future__ import annotations

import re
import sysconfig
import warnings
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
_DEPRECATIONS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
_LONGEST = 160
_found: Counter[tuple[bool, str, str, str]] = Counter()
"""(no deprecation, package, category, text) -> how often."""
_first: dict[tuple[bool, str, str, str], str] = {}
"""Where each was seen first."""


def pytest_configure(config: pytest.Config) -> None:
    """Make warnings that point at a module of the tests errors, whatever name it was imported by."""
    names = sorted({re.escape(file.stem) for file in FOLDER.rglob("*.py")})
    config.addinivalue_line("filterwarnings", rf"error:::(tests\..*|{'|'.join(names)})$")


def pytest_warning_recorded(warning_message: warnings.WarningMessage, nodeid: str) -> None:
    """Count the warning; with several workers, this is called where they are gathered."""
    place = Path(warning_message.filename)
    text = " ".join(str(warning_message.message).split())
    key = (
        not issubclass(warning_message.category, _DEPRECATIONS),
        _package(place),
        warning_message.category.__name__,
        text,
    )
    _found[key] += 1
    _first.setdefault(key, f"{_short(place)}:{warning_message.lineno}, first in {nodeid or 'collection'}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each kind: package, category, how often, text, and one place."""
    if not _found:
        return
    terminalreporter.section("warnings of other packages")
    for key in sorted(_found):
        _, package, category, text = key
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        often = "once" if _found[key] == 1 else f"{_found[key]} times"
        terminalreporter.write_line(f"{package}: {category}, {often}: {shown}")
        terminalreporter.write_line(f"    {_first[key]}")


def _package(place: Path) -> str:
    """The package of a file: the folder or module in site-packages, `python` for the standard library."""
    parts = place.parts
    if "site-packages" in parts:
        return parts[len(parts) - parts[::-1].index("site-packages")].removesuffix(".py")
    return "python" if place.is_relative_to(sysconfig.get_path("stdlib")) else "elsewhere"


def _short(place: Path) -> str:
    """The path from the package on."""
    parts = place.parts
    at = len(parts) - parts[::-1].index("site-packages") if "site-packages" in parts else 0
    return str(Path(*parts[at:]))
