"""Mutants tried in memory: functions get their changed code in a fork of a process that collected the tests.

Ten times as fast as a trial on disk, for changes inside of functions; what a module does when it is imported
(constants, defaults, classes) is tried on disk. Processes that a test starts see the program unchanged, so
that what survives here may yet be found on disk.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.mutants.sites import Mutant
from benchmarks.mutants.trial import Outcome, wait

UNKNOWN = 77
"""How a trial ends whose function was not loaded."""


def is_inside(mutant: Mutant, source: str) -> bool:
    """Whether the change is inside of functions alone."""
    return _shell(compile(source, "f", "exec")) == _shell(compile(mutant.source, "f", "exec"))


def _shell(code: types.CodeType) -> tuple[Any, ...]:
    """What a module or a class body does when it is run, without what is inside of its functions."""
    parts: list[Any] = [code.co_code, code.co_names, code.co_freevars]
    for const in code.co_consts:
        if not isinstance(const, types.CodeType):
            parts.append((type(const).__name__, repr(const)))
        elif const.co_flags & 0x2:  # a function: CO_NEWLOCALS
            parts.append((const.co_name, const.co_varnames[: const.co_argcount], const.co_freevars))
        else:
            parts.append(_shell(const))
    return tuple(parts)


def _functions(code: types.CodeType) -> Iterator[types.CodeType]:
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield const
            yield from _functions(const)


def swap(mutant: Mutant, file: Path) -> int:
    """Give every function of the file its changed code; how many were changed."""
    new = {
        (code.co_qualname, len(code.co_freevars)): code
        for code in _functions(compile(mutant.source, str(file), "exec"))
    }
    n = 0
    for function in gc.get_objects():
        if isinstance(function, types.FunctionType) and function.__code__.co_filename == str(file):
            code = new.get((function.__code__.co_qualname, len(function.__code__.co_freevars)))
            if code is not None and code != function.__code__:
                function.__code__ = code
                n += 1
    return n


class Loop:
    """A plugin of pytest that tries mutants where pytest would run its tests once."""

    def __init__(
        self, folder: Path, mutants: Sequence[Mutant], tell: Callable[[Mutant, Outcome], None]
    ) -> None:
        self._folder, self._mutants, self._tell = folder, mutants, tell
        self._report = folder / "mutant-report.txt"

    def pytest_configure(self) -> None:
        """A counterexample is enough: it need not be the smallest."""
        from hypothesis import Phase, settings

        settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note the test that fails; it is the last of the process."""
        if report.failed:
            self._report.write_text(report.nodeid, encoding="utf-8")
            os._exit(1)

    def pytest_runtestloop(self, session: Any) -> bool:
        """Try each mutant in a fork."""
        gc.freeze()
        for mutant in self._mutants:
            self._report.unlink(missing_ok=True)
            began = time.monotonic()
            pid = os.fork()
            if pid == 0:
                self._child(mutant, session.items)
            status = wait(pid, began)
            if status == UNKNOWN:
                continue  # it is tried on disk
            by = self._report.read_text(encoding="utf-8") if self._report.exists() else ""
            word = {None: "hung", 0: "survived", 1: "killed"}.get(status, "broken")
            self._tell(mutant, Outcome(word, by, round(time.monotonic() - began, 1)))
        return True

    def _child(self, mutant: Mutant, items: Sequence[Any]) -> None:
        code = 3
        try:
            os.setsid()
            gc.unfreeze()
            if not swap(mutant, self._folder / mutant.path):
                os._exit(UNKNOWN)
            for item, after in zip(items, [*items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            code = 0
        finally:
            os._exit(code)


def try_in_memory(
    folder: Path, mutants: Sequence[Mutant], tests: Sequence[str], tell: Callable[[Mutant, Outcome], None]
) -> None:
    """Try these mutants by these tests in a fork; `tell` is called there with each outcome."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.path.insert(0, str(folder))
        import pytest

        options = ["-q", "-p", "no:cacheprovider", "-m", "not browser", "--capture=sys"]
        pytest.main([*options, *tests], plugins=[Loop(folder, mutants, tell)])
    finally:
        sys.stdout.flush()
        os._exit(0)
