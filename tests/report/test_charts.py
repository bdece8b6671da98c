"""What a report draws: numbers that can be counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_runs import TASKS, ReadRun, build_run

from evalkit.core.records import GroupResult, Loglikelihood
from evalkit.pages import report
from evalkit.pages.report.charts import CALIBRATION_BINS, draw_task, label_names, pace
from evalkit.pages.report.observed import Observed

BY_NAME = {task.name: task for task in TASKS}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """A run with classification, choices and graded scores."""
    tasks = tuple(BY_NAME[name] for name in ("sentiment_zh", "everyday_choice_en", "reading_zh"))
    return build_run(tmp_path_factory.mktemp("runs"), tasks=tasks, n=30)


def observe(run: ReadRun) -> dict[str, Observed]:
    """All cells of a run, looked at."""
    found = {cell.slug: Observed(run.run.tasks[cell.task], cell) for cell in run.run.cells}
    for cell in run.run.cells:
        list(found[cell.slug].watch(run.samples(cell.slug)))
    return found


def test_bars_of_outcomes_are_whole(demo: ReadRun) -> None:
    """Every result is in one part, and the parts fill the bar."""
    observed = observe(demo)
    for name, info in demo.run.tasks.items():
        cells = [observed[cell.slug] for cell in demo.run.cells if cell.task == name]
        drawing = draw_task(info, list(info.prompts), cells)
        for variant in drawing.variants:
            for drawn in variant.cells:
                assert sum(part.n for part in drawn.outcomes) == drawn.n == 30
                assert sum(part.width for part in drawn.outcomes) == pytest.approx(100, abs=0.1)


def test_a_matrix_counts_what_was_taken_for_what(demo: ReadRun) -> None:
    """Row: right, column: answered, last column: none of the labels; failed calls are left out."""
    info = demo.run.tasks["sentiment_zh"]
    for cell in demo.run.cells:
        if cell.task != "sentiment_zh":
            continue
        observed = Observed(info, cell)
        results = list(observed.watch(demo.samples(cell.slug)))
        matrix = draw_task(info, [cell.variant], [observed]).variants[0].cells[0].matrix
        assert matrix is not None
        assert matrix.labels == info.labels
        for right, row in zip(info.labels, matrix.rows, strict=True):
            for place, answered in enumerate([*info.labels, *([None] if matrix.others else [])]):
                want = sum(
                    result.target[0] == right and result.answer == answered
                    for result in results
                    if result.response.status != "error"
                )
                assert row[place][0] == want


def test_options_that_differ_stand_under_letters(demo: ReadRun) -> None:
    """The matrix then shows whether a model likes a place."""
    info = demo.run.tasks["everyday_choice_en"]
    cell = next(cell for cell in demo.run.cells if cell.task == info.name)
    observed = Observed(info, cell)
    list(observed.watch(demo.samples(cell.slug)))
    assert observed.labels == ("A", "B", "C", "D")


def test_calibration_is_the_metric_s(demo: ReadRun) -> None:
    """The error told beside a curve is that of the metric `ece` with its 15 bins."""
    info = demo.run.tasks["everyday_choice_en"]
    cell = next(cell for cell in demo.run.cells if cell.task == info.name and cell.model == "llama3")
    observed = Observed(info, cell)
    list(observed.watch(demo.samples(cell.slug)))
    curve = draw_task(info, [cell.variant], [observed]).variants[0].cells[0].calibration
    assert curve is not None
    sure, right = (np.array(column, dtype=float) for column in zip(*observed.confidence, strict=True))
    places = np.clip(np.ceil(sure * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    gaps = [abs((sure - right)[places == k].sum()) for k in range(CALIBRATION_BINS)]
    assert float(curve.error) == pytest.approx(100 * sum(gaps) / len(sure), abs=0.051)
    assert sum(dot.n for dot in curve.dots) == len(sure) == 30


def test_no_likelihoods_no_curve(demo: ReadRun) -> None:
    """A probability that nobody gave is not drawn."""
    info = demo.run.tasks["everyday_choice_en"]
    cell = next(cell for cell in demo.run.cells if cell.task == info.name)
    observed = Observed(info, cell)
    for result in demo.samples(cell.slug):
        observed.add(replace(result, response=replace(result.response, loglikelihoods=())))
    assert not draw_task(info, [cell.variant], [observed]).calibrated
    observed.add(
        replace(
            next(demo.samples(cell.slug)),
            response=replace(
                next(demo.samples(cell.slug)).response, loglikelihoods=(Loglikelihood(-math.log(2)),) * 4
            ),
        )
    )
    assert observed.confidence == [(0.25, observed.confidence[0][1])]


def test_right_and_wrong_have_no_histogram_and_graded_scores_do(demo: ReadRun) -> None:
    """Two bars say nothing that the bar of outcomes does not."""
    observed = observe(demo)
    graded = {
        name: draw_task(
            info, list(info.prompts), [observed[c.slug] for c in demo.run.cells if c.task == name]
        ).graded
        for name, info in demo.run.tasks.items()
    }
    assert graded == {"sentiment_zh": False, "everyday_choice_en": False, "reading_zh": True}


def test_time_is_of_calls_that_were_made(demo: ReadRun) -> None:
    """Answers from the cache are not timed; a price that is unknown is unknown in the sum."""
    rows, _ = pace(demo.run, observe(demo))
    by_model = {row.model: row for row in rows}
    results = [r for c in demo.run.cells if c.model == "openai/gpt-4" for r in demo.samples(c.slug)]
    timed = [r for r in results if r.response.latency_s is not None and not r.response.from_cache]
    assert 0 < by_model["openai/gpt-4"].timed == len(timed) < len(results)
    assert by_model["baseline/random"].cost == "–"
    assert by_model["baseline/random"].strip is None


def test_redacted_labels_are_numbers(demo: ReadRun) -> None:
    """Class names are texts of the data; letters of options are not."""
    observed = observe(demo)
    for name, redacted in (("sentiment_zh", ("1", "2")), ("everyday_choice_en", ("A", "B", "C", "D"))):
        info = demo.run.tasks[name]
        cells = [observed[c.slug] for c in demo.run.cells if c.task == name]
        matrix = draw_task(info, list(info.prompts), cells).variants[0].cells[0].matrix
        assert matrix is not None
        assert label_names(matrix, True) == redacted
        assert label_names(matrix, False) == matrix.labels


def test_groups_have_a_table(demo: ReadRun) -> None:
    """Value, interval, tasks and weighting of each group."""
    cell = demo.run.cells[0]
    value = next(iter(cell.metrics.values()))
    group = GroupResult("ours", cell.model, cell.variant, ("a", "b"), "equal", "accuracy", "generate", value)
    html = report.render(demo.but(groups=(group,)), samples=False)
    assert "Groups of tasks" in html
    assert "each task counts alike" in html
    assert "Groups of tasks" not in re_body(report.render(demo, samples=False))


def re_body(html: str) -> str:
    """The page without its dictionary of words."""
    return html[: html.index('id="texts"')]


def test_a_report_without_a_samples_folder_still_has_its_numbers(demo: ReadRun, tmp_path: Path) -> None:
    """Imported results have none."""
    bare = ReadRun(demo.run, tmp_path, read={cell.slug: [] for cell in demo.run.cells})
    assert 'td class="num value' in report.render(bare, samples=False)
