"""The notebook: its cells run, its page shows what they show, and the file holds no outputs."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from types import ModuleType

import pytest
from documents import ROOT

NOTEBOOK = ROOT / "docs/tutorials/notebook.ipynb"


@pytest.fixture(scope="module")
def make_notebook() -> ModuleType:
    """docs/make_notebook.py as a module."""
    spec = importlib.util.spec_from_file_location("make_notebook", ROOT / "docs/make_notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_cell_runs_and_the_page_shows_what_it_shows(make_notebook: ModuleType) -> None:
    """Executed in a running event loop, in an empty folder, the cells give the page that is kept."""
    kept = NOTEBOOK.with_suffix(".md").read_text(encoding="utf-8")
    assert make_notebook.page() == kept, "the page is not current; run: python docs/make_notebook.py"


def test_cells_run_as_in_jupyter(make_notebook: ModuleType) -> None:
    """A cell's value is that of its last expression, awaited in a loop that runs; an assignment has none."""

    async def work() -> list[object]:
        names: dict[str, object] = {}
        cells = ["import asyncio\nasync def f(): return 1", "x = await f()", "await f() + x"]
        cells += ["asyncio.get_running_loop().is_running()"]
        return [await make_notebook.run_cell(cell, names, "cell") for cell in cells]

    assert asyncio.run(work()) == [None, None, 2, True]


def test_notebook_is_kept_without_outputs() -> None:
    """Cells have an id of their own and no outputs, so that a change of the file is a change of its text."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]
