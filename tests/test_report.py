"""The report of one run."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from page_runs import TASKS, ReadRun, build_run, hostile_run

from evalkit.pages import report
from evalkit.pages.formats import interval, score

BY_NAME = {task.name: task for task in TASKS}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """A run of six models on eight tasks."""
    return build_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def page(demo: ReadRun) -> str:
    """Its report."""
    return report.render(demo)


def test_every_cell_is_there_with_score_interval_and_n(demo: ReadRun, page: str) -> None:
    """The tables are whole without a script."""
    rows = re.findall(r'<td class="num value.*?</tr>', page, re.S)
    assert len(rows) == len(demo.run.cells)
    for cell in demo.run.cells:
        metric = cell.metrics[demo.run.tasks[cell.task].headline]
        assert f"<b>{score(metric.value, metric.scale)}</b>" in page
        assert f"<small>{interval(metric.interval, metric.scale)}</small>" in page


def test_every_metric_shows_its_signature(demo: ReadRun, page: str) -> None:
    """Numbers explain themselves."""
    for cell in demo.run.cells:
        for metric in cell.metrics.values():
            assert f"<code>{metric.signature}</code>" in page


def test_the_summary_names_what_was_run(demo: ReadRun, page: str) -> None:
    """Id, command, version, git with its dirty mark, seed."""
    assert demo.run.command in page
    assert "5fdee160c1+" in page
    assert "6 models on 8 tasks" in page


def test_trouble_stands_beside_the_score(page: str) -> None:
    """Failed calls, answers that were cut off, and none at all."""
    assert 'class="state errors"' in page
    assert 'class="state truncated"' in page
    assert 'class="state no_answer"' in page
    assert 'role="alert"' in page


@pytest.mark.parametrize("status", ["incomplete", "interrupted", "running"])
def test_an_unfinished_run_has_a_banner(demo: ReadRun, status: Any) -> None:
    """Loud, and first."""
    html = report.render(demo.but(status=status), samples=False)
    assert html.index('role="alert"') < html.index('class="strip"')
    assert f'data-t="status.{status}"' in html


def test_a_clean_run_has_no_banner(tmp_path: Path) -> None:
    """Nothing to warn of, no warning."""
    run = build_run(tmp_path, "clean", ("openai/gpt-4",), (BY_NAME["facts_en"],))
    assert 'role="alert"' not in report.render(run)


def test_a_stopped_model_says_why(demo: ReadRun) -> None:
    """The reason is text, too."""
    html = report.render(demo.but(errors={"llama3": "401 <b>no key</b>"}), samples=False)
    assert "401 &lt;b&gt;no key&lt;/b&gt;" in html


def test_the_cost_with_an_unknown_part_is_a_lower_bound(page: str) -> None:
    """The price of the baselines is unknown, and is not zero."""
    assert "≥ $0.31" in page


def test_same_run_same_bytes(demo: ReadRun, page: str) -> None:
    """The page has no time of its own."""
    assert report.render(demo) == page


def test_samples_can_be_left_out(demo: ReadRun) -> None:
    """A page to share: no samples, no links to them."""
    html = report.render(demo, samples=False)
    assert 'class="shard"' not in html
    assert 'href="#s=' not in html


def test_one_shard_for_each_task_and_variant(demo: ReadRun, page: str) -> None:
    """All models of a prompt are side by side in it."""
    places = {(cell.task, cell.variant) for cell in demo.run.cells}
    assert page.count('class="shard"') == len(places)


def test_the_report_goes_into_the_run_folder(demo: ReadRun) -> None:
    """Unless another place is named; only the user can read it."""
    path = report.write(demo)
    try:
        assert path == demo.folder / "report.html"
        assert path.stat().st_mode & 0o077 == 0
    finally:
        path.unlink()


def test_the_chinese_report_opens_in_chinese(demo: ReadRun) -> None:
    """Words, metric names and `lang`."""
    html = report.render(demo, lang="zh", samples=False)
    assert '<html lang="zh-Hans"' in html
    assert ">运行报告</span>" in html
    assert ">准确率</span>" in html


def test_baselines_are_marked_and_never_best(page: str) -> None:
    """They are there for orientation."""
    for row in re.findall(r'<tr class="reference">.*?</tr>', page, re.S):
        assert " best" not in row
    assert page.count('<tr class="reference">') > 10


def test_no_model_is_best_alone_or_across_modes(demo: ReadRun, tmp_path: Path) -> None:
    """Best means that others were tried in the same way."""
    run = build_run(tmp_path, "one", ("openai/gpt-4",), (BY_NAME["facts_en"],))
    assert "value best" not in report.render(run)
    cells = tuple(
        dataclasses.replace(cell, mode="letter_generate") if cell.model == "llama3" else cell
        for cell in demo.run.cells
        if cell.task == "everyday_choice_en"
    )
    mixed = report.render(demo.but(cells=cells), samples=False)
    assert "value best" not in mixed
    assert 'data-t="mode.letter_generate"' in mixed


def test_hostile_strings_are_text(tmp_path: Path) -> None:
    """No tag of a model, task or prompt is a tag of the page."""
    html = report.render(hostile_run(tmp_path))
    assert "<script>window" not in html
    assert "<img" not in html
    assert "<svg onload" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_a_run_without_cells_still_has_a_page(demo: ReadRun) -> None:
    """Interrupted before the first answer: the page says so instead of failing."""
    html = report.render(demo.but(cells=(), status="interrupted"))
    assert 'role="alert"' in html
