"""The pytest plugin: a test marked with `evalkit` becomes one test a cell, each with a verdict.

    @pytest.mark.evalkit(task="support", model="openai/gpt-4o-mini", min=0.8)
    def test_support(evalkit_verdict):
        assert evalkit_verdict.cell.counts.truncated == 0      # what else must hold; `...` will do

`min` is a least value of the headline (`min={"f1": 0.7}` of another metric): the test fails when the true
value is proven to be below, not when a small sample happens to be. `baseline` is an accepted run: the test
fails on a proven regression beyond `tolerance`. What is neither proven good nor bad warns; with `strict=True`
it fails.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


class InconclusiveWarning(pytest.PytestWarning):
    """A verdict that proves nothing in either direction: too few samples."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --evalkit-out and --evalkit-cache."""
    group = parser.getgroup("evalkit")
    group.addoption("--evalkit-out", metavar="DIR", help="Keep the runs of marked tests in this folder.")
    group.addoption("--evalkit-cache", metavar="URL|off", help="As --cache of `evalkit run`.")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "evalkit(task, model, prompt=None, min=None, baseline=None, tolerance=0.0, strict=False, ...): "
        "one test a cell of these tasks, models and prompts, each with a verdict",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: Any) -> None:
    """Give a marked function its verdict also where it does not ask for it by name."""
    marks = [mark.name for mark in getattr(obj, "pytestmark", ())]
    marked = "evalkit" in marks or collector.get_closest_marker("evalkit") is not None
    if marked and callable(obj) and not isinstance(obj, type) and "usefixtures" not in marks:
        pytest.mark.usefixtures("evalkit_verdict")(obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each cell of a marked function."""
    marker = metafunc.definition.get_closest_marker("evalkit")
    if marker is None:
        return
    from evalkit.workshop.testing.verdict import listed, read_demand

    if sum(mark.name == "evalkit" for mark in metafunc.definition.own_markers) > 1:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} is marked with evalkit twice, and one would count; write two tests"
        )
    asked = read_demand(marker.args, marker.kwargs, metafunc.definition.nodeid)
    cells = list(itertools.product(*(listed(asked.get(key)) for key in ("task", "model", "prompt"))))
    metafunc.parametrize(
        "evalkit_verdict",
        [{**asked, "task": task, "model": model, "prompt": prompt} for task, model, prompt in cells],
        ids=["-".join(_name(part) for part in cell if part is not None) for cell in cells],
        indirect=True,
    )


@pytest.fixture
def evalkit_verdict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The verdict on the cell of this test, a `Verdict`; the test's own lines run unless that is `fail`."""
    from evalkit.workshop.testing.verdict import judge_cell

    if not hasattr(request, "param"):
        raise pytest.UsageError(
            "evalkit_verdict is for tests marked with @pytest.mark.evalkit(task=..., model=...)"
        )
    out = request.config.getoption("--evalkit-out")
    folder = Path(out) if out else tmp_path_factory.mktemp("evalkit")
    return judge_cell(request.param, folder, request.config.getoption("--evalkit-cache"))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail the test on its verdict before its own lines run; warn of an inconclusive one."""
    verdict: Any = pyfuncitem.funcargs.get("evalkit_verdict")
    marker = pyfuncitem.get_closest_marker("evalkit")
    if verdict is not None and marker is not None:
        strict = marker.kwargs.get("strict", False)
        if verdict.word == "fail" or (strict and verdict.word == "inconclusive"):
            pytest.fail(verdict.text, pytrace=False)
        if verdict.word == "inconclusive":
            warnings.warn(InconclusiveWarning(verdict.text), stacklevel=1)
    return (yield)


def _name(part: Any) -> str:
    return part if isinstance(part, str) else str(getattr(part, "name", part))
