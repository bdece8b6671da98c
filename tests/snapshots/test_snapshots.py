"""What some eighty command lines give is what they gave before: words, exit codes, and every file they write.

The kept outputs are no promise; they show that a change which is to change nothing changes nothing, and what
another one changes. `make snapshots` takes them anew.
"""

from __future__ import annotations

import difflib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from evalkit.cli import COMMANDS

HERE = Path(__file__).parent
KEPT = HERE / "kept"
SHOWN = 200
"""Lines of differences that a failure shows."""


def module(name: str) -> ModuleType:
    """A file of this folder, which is run as a script and is no package."""
    spec = importlib.util.spec_from_file_location(f"snapshots_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def test_every_command_gives_what_it_gave_before(tmp_path: Path) -> None:
    """Of each command the output, the exit code and the parts of its files; a difference is shown."""
    subprocess.run([sys.executable, HERE / "take.py", tmp_path / "new"], check=True, timeout=600)
    before, after = (
        {file.name: file.read_text(encoding="utf-8").splitlines() for file in sorted(folder.iterdir())}
        for folder in (KEPT, tmp_path / "new")
    )
    if before["versions.txt"] != after["versions.txt"]:
        pytest.skip(
            "taken with other versions: "
            + ", ".join(set(before["versions.txt"]) ^ set(after["versions.txt"]))
        )
    found = [
        line
        for name in sorted({*before, *after})
        for line in difflib.unified_diff(
            before.get(name, []), after.get(name, []), name, "now", "", "", 1, ""
        )
    ]
    more = len(found) - SHOWN
    text = "\n".join(found[:SHOWN] + ([f"... and {more} lines more"] if more > 0 else []))
    assert not found, f"if this is meant: make snapshots, and say in the commit what changed\n{text}"


def test_every_command_is_among_them() -> None:
    """Only `view`, which does not end, has no snapshot; each has a name of its own."""
    commands = module("commands")
    verbs = {step.line.split()[0] for step in commands.STEPS if not step.python}
    assert set(COMMANDS) - verbs == {"view"}
    names = [step.name for step in commands.STEPS]
    assert len(set(names)) == len(names) >= 60
