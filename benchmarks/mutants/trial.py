"""A mutant on trial: a copy of the repository with one change, and the tests that concern it.

The tests run in a fork of a process that has imported the heavy libraries once, so that a trial takes little
more than its tests; the copy is first on the path of it and of every process that it starts.
"""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutants.scope import ROOT

LIMIT_S = 300
"""Seconds after which a trial has hung, and its mutant is found."""
_NUMBERS = itertools.count(10)
HEAVY = (
    "numpy",
    "scipy.special",
    "scipy.stats",
    "sklearn.metrics",
    "statsmodels.stats.contingency_tables",
    "pydantic",
    "orjson",
    "yaml",
    "jinja2.sandbox",
    "click",
    "rich.table",
    "sqlalchemy",
    "sacrebleu",
    "rouge_score.rouge_scorer",
    "rapidfuzz",
    "pandas",
    "pytest",
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant."""

    word: str
    """killed, survived, hung (found, by the clock) or broken (no test could be collected)."""
    by: str
    """The test that failed; empty where none did."""
    seconds: float


def prepare(folder: Path) -> Path:
    """A copy of the files of the working tree in this folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def load_heavy() -> None:
    """Import what every trial needs, and nothing of ours."""
    for name in HEAVY:
        importlib.import_module(name)
    if any(name == "evalkit" or name.startswith("evalkit.") for name in sys.modules):
        raise SystemExit("evalkit itself was imported: trials would test what is not mutated")


def try_mutant(folder: Path, path: str, source: str, tests: Sequence[Sequence[str]]) -> Outcome:
    """What the tests say of the copy with this source in place of the file's; the copy is put back.

    tests: groups, each run only where those before it saw nothing.
    """
    file = folder / path
    before, times = file.read_bytes(), file.stat()
    report = folder / "mutant-report.txt"
    report.unlink(missing_ok=True)
    file.write_text(source, encoding="utf-8")
    # No other source of this file has had this time, so that no compiled code of it is taken.
    os.utime(file, (times.st_atime, times.st_mtime + next(_NUMBERS)))
    began = time.monotonic()
    status: int | None = 0
    try:
        for part in tests:
            pid = os.fork()
            if pid == 0:
                _child(folder, part, report)
            status = wait(pid, began)
            if status != 0:
                break
    finally:
        file.write_bytes(before)
        os.utime(file, (times.st_atime, times.st_mtime))
    by = report.read_text(encoding="utf-8") if report.exists() else ""
    word = "hung" if status is None else "survived" if status == 0 else "killed" if status == 1 else "broken"
    return Outcome(word, by, round(time.monotonic() - began, 1))


def wait(pid: int, began: float) -> int | None:
    """The exit code of a process; None where it took too long and was ended."""
    while time.monotonic() - began < LIMIT_S:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


class _First:
    """Notes the first test that fails."""

    def __init__(self, report: Path) -> None:
        self._report = report

    def pytest_configure(self) -> None:
        """A counterexample is enough: it need not be the smallest."""
        from hypothesis import Phase, settings

        settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self._report.exists():
            self._report.write_text(report.nodeid, encoding="utf-8")


def _child(folder: Path, tests: Sequence[str], report: Path) -> None:
    """Run the tests and never return."""
    code = 3
    try:
        os.setsid()
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.path.insert(0, str(folder))
        out = os.open(folder / "mutant-output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not browser"]
        code = int(pytest.main([*options, *tests], plugins=[_First(report)]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
