"""The main table for other documents."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import HOSTILE, storable
from page_runs import TASKS, ReadRun, build_run

from evalkit.pages.report import FORMS, write_table


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """A small run."""
    return build_run(tmp_path_factory.mktemp("runs"), tasks=TASKS[:2], n=12)


def test_csv_holds_every_cell_with_its_numbers(demo: ReadRun) -> None:
    """Full precision, interval, n, counts, signature."""
    rows = list(csv.DictReader(io.StringIO(write_table(demo, "csv"))))
    assert len(rows) == len(demo.run.cells)
    by_cell = {(row["model"], row["task"], row["variant"]): row for row in rows}
    for cell in demo.run.cells:
        metric = cell.metrics[demo.run.tasks[cell.task].headline]
        row = by_cell[cell.model, cell.task, cell.variant]
        assert float(row["value"]) == metric.value
        assert metric.interval is not None
        assert (float(row["low"]), float(row["high"])) == metric.interval
        assert row["signature"] == metric.signature


def test_markdown_and_latex_have_a_row_for_each_task_and_variant(demo: ReadRun) -> None:
    """The same number of columns in each, the best group in bold."""
    variants = {(cell.task, cell.variant) for cell in demo.run.cells}
    markdown = write_table(demo, "markdown").splitlines()
    assert len(markdown) == 2 + len(variants)
    assert len({line.count(" | ") for line in markdown}) == 1
    assert "**" in write_table(demo, "markdown")
    latex = write_table(demo, "latex").splitlines()
    body = latex[latex.index(r"\midrule") + 1 : latex.index(r"\bottomrule")]
    assert len(body) == len(variants)
    assert r"\textbf{" in "".join(body)


@pytest.mark.parametrize("form", FORMS)
def test_hostile_names_break_no_table(tmp_path: Path, form: str) -> None:
    """Two hundred names: no column more, no line more, no formula, no command, no control character."""
    names = tuple(dict.fromkeys(storable(text)[:300] for text in HOSTILE if text.strip()))
    task = replace(TASKS[0], prompts={"zero_shot": "x"})
    run = build_run(tmp_path, "r", names, (replace(task, name=names[70]),), n=2)
    text = write_table(run, form)
    assert not any(ord(c) < 32 and c not in "\r\n" for c in text)
    if form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == len(names) + 1
        assert {len(row) for row in rows} == {19}
        assert not any(row[0][:1] in tuple("=+-@\t\r") for row in rows[1:])
    elif form == "markdown":
        import re

        lines = text.splitlines()
        assert len(lines) == 3
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
        assert "<script" not in text.replace("\\<", "")
    else:
        assert len(text.splitlines()) == 8
        assert r"\input" not in text
        assert r"\write" not in text
