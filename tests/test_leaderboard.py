"""The leaderboard: what is averaged, who is ranked, what is compared."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_runs import HOSTILE, MODELS, TASKS, ReadRun, build_run, hostile_run

from evalkit.core.errors import UsageError
from evalkit.core.records import CellResult, Run
from evalkit.pages import leaderboard
from evalkit.pages.leaderboard import Board, Standing

BY_NAME = {task.name: task for task in TASKS}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """A run of six models on eight tasks."""
    return build_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def board(demo: ReadRun) -> Board:
    """Its board."""
    return leaderboard.build([demo])


def changed(stored: ReadRun, change: Callable[[CellResult], CellResult | None], **run: Any) -> ReadRun:
    """The run with some of its cells changed or left out."""
    return stored.but(cells=tuple(cell for old in stored.run.cells if (cell := change(old))), **run)


def standing(board: Board, model: str, view: str = "", facet: str = "all") -> Standing:
    """The standing of a model."""
    return next(found for found in board.standings[view, facet] if found.model == model)


def test_overall_is_the_mean_of_normalised_scores(board: Board, demo: ReadRun) -> None:
    """(score - chance) / (best possible - chance), each task once, with its default variant."""
    parts = []
    for cell in demo.run.cells:
        info = demo.run.tasks[cell.task]
        default = next(iter(info.prompts))
        if cell.model == "llama3" and cell.variant == default:
            metric = cell.metrics[info.headline]
            best = 100.0 if metric.scale == "percent" else 1.0
            chance = info.chance or 0.0
            assert metric.value is not None
            parts.append((metric.value - chance) / (best - chance))
    assert len(parts) == 7
    assert standing(board, "llama3").overall == pytest.approx(sum(parts) / 7)


def test_unbounded_and_lower_is_better_metrics_are_shown_and_never_averaged(board: Board) -> None:
    """Bits per byte is a column, and no part of any overall score."""
    column = next(column for column in board.columns if column.task == "language_modelling_zh")
    assert not column.averaged
    assert not column.higher_is_better
    assert board.entry("hf/Qwen/Qwen2.5-7B-Instruct", column) is not None
    assert standing(board, "openai/gpt-4").n_columns == 7


def test_a_facet_of_unaveraged_tasks_has_no_overall(board: Board) -> None:
    """Nothing to average is None, not 0."""
    found = standing(board, "openai/gpt-4", facet="tag:language_modelling")
    assert found.overall is None
    assert found.rank is None


def test_a_model_that_lacks_a_task_has_its_coverage_and_no_rank(demo: ReadRun) -> None:
    """What is missing is not imputed, and the mean over fewer tasks is not ranked."""
    short = changed(demo, lambda c: None if (c.task, c.model) == ("facts_en", "openai/gpt-4") else c)
    found = leaderboard.build([short])
    gpt = standing(found, "openai/gpt-4")
    assert (gpt.n_covered, gpt.n_columns, gpt.rank) == (6, 7, None)
    assert standing(found, "llama3").rank is not None
    assert found.models.index("openai/gpt-4") > found.models.index("llama3")


def test_where_hardly_any_model_has_all_tasks_the_shared_ones_are_averaged(demo: ReadRun) -> None:
    """Two models of a run each lack another task: the mean is over what all share."""
    lacks = {"openai/gpt-4": "facts_en", "llama3": "reading_zh", "hf/Qwen/Qwen2.5-7B-Instruct": "facts_en"}
    found = leaderboard.build([changed(demo, lambda c: None if lacks.get(c.model) == c.task else c)])
    assert len(found.common["", "all"]) == 5
    assert not {"facts_en", "reading_zh"} & set(found.common["", "all"])
    assert all(standing(found, model).rank for model in found.models if model not in found.reference)


def test_one_complete_model_is_no_winner(demo: ReadRun) -> None:
    """Models that share no task are not ranked against each other."""
    own = {"openai/gpt-4": "facts_en", "llama3": "reading_zh"}
    found = leaderboard.build([changed(demo, lambda c: c if own.get(c.model) == c.task else None)])
    assert all(row.rank is None for row in found.standings["", "all"])
    assert "no overall rank" in leaderboard.render(found)


def test_baselines_are_shown_and_not_ranked(board: Board) -> None:
    """Reference rows stand last, without a place, and never make others look good."""
    assert board.models[-2:] == ("baseline/majority", "baseline/random")
    assert standing(board, "baseline/random").rank is None
    assert all(
        entry.rank is None for (model, _, _), entry in board.entries.items() if model.startswith("baseline/")
    )


def test_baselines_alone_are_ranked_among_themselves(demo: ReadRun) -> None:
    """The first run of a new user has no other models."""
    only = changed(demo, lambda c: c if c.model.startswith("baseline/") else None)
    ranks = [found.rank for found in leaderboard.build([only]).standings["", "all"]]
    assert all(rank is not None for rank in ranks)


def test_ranks_allow_for_what_the_data_cannot_tell(board: Board) -> None:
    """Good models share the lead; the weakest is last for certain."""
    assert standing(board, "openai/gpt-4").rank == (1, 2)
    assert standing(board, "anthropic/claude-sonnet-4-5").rank == (1, 3)
    assert standing(board, "llama3").rank == (4, 4)


def test_pairs_agree_with_ranks(board: Board) -> None:
    """A model is proven better than as many as can never stand above it."""
    for found in board.standings["", "all"]:
        if found.rank is not None:
            pairs = [pair for (model, _), pair in board.pairs.items() if model == found.model]
            worse = sum(pair.p <= 0.05 and pair.difference > 0 for pair in pairs)
            assert found.rank[1] == len(pairs) + 1 - worse


def test_the_best_group_is_all_that_cannot_be_told_from_the_best(demo: ReadRun, board: Board) -> None:
    """Bold is a statement about the data, not about the largest number; more tasks ask for more evidence."""
    alone = leaderboard.build([changed(demo, lambda c: c if c.task == "facts_en" else None)])
    (column,) = alone.columns
    many = board.fields["facts_en", "zero_shot"].adjusted
    few = alone.fields["facts_en", "zero_shot"].adjusted
    assert (many >= few)[~np.isnan(few)].all()
    ranks = {model: entry.rank for model in alone.models if (entry := alone.entry(model, column))}
    best = [model for model, rank in ranks.items() if rank is not None and rank[0] == 1]
    assert "openai/gpt-4" in best
    assert len(best) > 1
    assert "llama3" not in best


def test_views_choose_the_variant_and_leave_out_tasks_without_it(board: Board) -> None:
    """The default view comes first; `cot` has one task."""
    assert board.views == ("", "cot", "few_shot", "chat")
    found = standing(board, "openai/gpt-4", view="cot")
    assert (found.n_covered, found.n_columns) == (1, 1)


def test_variants_are_compared_with_the_default_by_sample(board: Board) -> None:
    """The difference is that of the scores, with an interval around it."""
    key = ("llama3", "arithmetic_en", "cot")
    default = board.entries["llama3", "arithmetic_en", "zero_shot"]
    other = board.entries[key]
    assert default.value is not None
    assert other.value is not None
    pair = board.deltas[key]
    assert pair.difference == pytest.approx(other.value - default.value, abs=0.02)
    assert pair.interval[0] < pair.difference < pair.interval[1]


def test_another_mode_is_another_column_and_averaged_once(demo: ReadRun) -> None:
    """Ranking choices by loglikelihood and asking for the letter are never one number."""

    def ask(cell: CellResult) -> CellResult:
        if cell.task == "everyday_choice_en" and cell.model == "openai/gpt-4":
            return dataclasses.replace(cell, mode="letter_generate")
        return cell

    found = leaderboard.build([changed(demo, ask)])
    columns = [column for column in found.columns if column.task == "everyday_choice_en"]
    assert [column.id for column in columns] == ["everyday_choice_en", "everyday_choice_en · letter_generate"]
    assert [column.averaged for column in columns] == [True, False]
    assert standing(found, "openai/gpt-4").n_covered == 6


def test_other_samples_are_another_column(demo: ReadRun, tmp_path: Path) -> None:
    """A smoke run with a limit does not replace the full one."""
    short = build_run(tmp_path, "short", ("openai/gpt-4",), (BY_NAME["facts_en"],), n=5, created="2025-12-01")
    found = leaderboard.build([short, demo])
    columns = [column for column in found.columns if column.task == "facts_en"]
    assert [(column.id, column.n, column.primary) for column in columns] == [
        ("facts_en", 48, True),
        ("facts_en · n=5", 5, False),
    ]


def test_another_signature_or_prompt_is_shown_apart(demo: ReadRun) -> None:
    """What was measured otherwise is not ranked, not averaged, and says so."""

    def other(cell: CellResult) -> CellResult:
        if (cell.task, cell.model) == ("facts_en", "llama3"):
            return dataclasses.replace(cell, prompt_digest="f" * 64)
        return cell

    found = leaderboard.build([changed(demo, other)])
    column = next(column for column in found.columns if column.task == "facts_en")
    entry = found.entry("llama3", column)
    assert entry is not None
    assert not entry.comparable
    assert entry.rank is None
    assert standing(found, "llama3").n_covered == 6


def test_the_newest_complete_run_counts(demo: ReadRun) -> None:
    """An interrupted run does not push out what was finished."""
    newer = changed(demo, lambda c: c, id="newer", created="2026-01-01T00:00:00Z")
    broken = changed(demo, lambda c: c, id="broken", created="2026-02-01T00:00:00Z", status="interrupted")
    found = leaderboard.build([broken, demo, newer])
    assert {entry.source.run.id for entry in found.entries.values()} == {"newer"}
    assert [run.id for run in found.runs] == [demo.run.id, "newer", "broken"]


def test_an_unknown_price_makes_the_cost_unknown(board: Board) -> None:
    """A sum with an unknown part is not a smaller sum."""
    assert standing(board, "baseline/random").cost_usd is None
    assert standing(board, "openai/gpt-4").cost_usd is not None


def test_health_is_counted_over_the_shown_tasks(board: Board, demo: ReadRun) -> None:
    """Errors stand beside the score, and too many of them are marked."""
    found = standing(board, "llama3")
    defaults = {name: next(iter(info.prompts)) for name, info in demo.run.tasks.items()}
    cells = [c for c in demo.run.cells if c.model == "llama3" and c.variant == defaults[c.task]]
    assert found.counts.errors == sum(cell.counts.errors for cell in cells) > 0
    assert found.unhealthy


def test_facets_are_languages_and_tags_that_choose(board: Board) -> None:
    """All first; no two facets with the same tasks."""
    assert board.facets[0].id == "all"
    assert "language:zh" in [facet.id for facet in board.facets]
    assert len({facet.columns for facet in board.facets}) == len(board.facets)


def test_no_run_or_an_empty_run_is_an_error(demo: ReadRun) -> None:
    """Never an empty page."""
    with pytest.raises(UsageError, match="evalkit run"):
        leaderboard.build([])
    with pytest.raises(UsageError, match="at least one cell"):
        leaderboard.build([changed(demo, lambda c: None)])


def test_same_runs_same_bytes_in_any_order(demo: ReadRun, tmp_path: Path) -> None:
    """The page has no time of its own."""
    newer = changed(demo, lambda c: c if c.model != "llama3" else None, id="newer", created="2026-01-01")
    first, second = tmp_path / "a", tmp_path / "b"
    leaderboard.write([demo, newer], first)
    leaderboard.write([newer, demo], second)
    for name in ("index.html", "leaderboard.json", "leaderboard.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_page_has_every_number_with_its_interval_and_n(board: Board) -> None:
    """The table is whole without a script."""
    from evalkit.pages.formats import interval, score

    html = leaderboard.render(board)
    for column in board.columns:
        assert f"n {column.n}" in html
        for model in board.models:
            entry = board.entry(model, column)
            if entry is not None and entry.metric is not None:
                bounds = interval(entry.metric.interval, column.scale)
                assert f"<b>{score(entry.value, column.scale)}</b><small>{bounds}</small>" in html


def test_without_samples_numbers_link_to_the_report(demo: ReadRun, tmp_path: Path) -> None:
    """A page to share is small and leads to the report where there is one."""
    report = demo.folder / "report.html"
    report.write_text("")
    try:
        page = leaderboard.write([demo], demo.folder.parent / "board", samples=False).read_text()
    finally:
        report.unlink()
    assert 'class="shard"' not in page
    assert f'href="../{demo.folder.name}/report.html#s=facts_en/zero_shot"' in page
    plain = leaderboard.render(leaderboard.build([demo]), samples=False)
    assert "#s=facts_en" not in plain


def test_the_chinese_page_opens_in_chinese(board: Board) -> None:
    """Words, metric names and `lang`."""
    html = leaderboard.render(board, lang="zh")
    assert '<html lang="zh-Hans"' in html
    assert ">排行榜</span>" in html
    assert 'title="exact_match" data-t="metric.exact_match">精确匹配' in html


def test_an_unfinished_run_is_said_loudly(demo: ReadRun) -> None:
    """Numbers of half a run are never shown as if they were whole."""
    html = leaderboard.render(leaderboard.build([changed(demo, lambda c: c, status="incomplete")]))
    assert 'role="alert"' in html


def test_json_has_the_whole_board(board: Board) -> None:
    """For machines: standings, columns, cells with all metrics."""
    from evalkit.pages.leaderboard.exports import board_json

    content = json.loads(board_json(board))
    assert content["format"] == 1
    assert len(content["cells"]) == len(board.entries)
    assert content["standings"]["default|all"][0]["model"] == board.models[0]


def test_csv_is_safe_for_spreadsheets(tmp_path: Path) -> None:
    """A cell that begins like a formula gets an apostrophe, and controls are written out."""
    from evalkit.pages.leaderboard.exports import board_csv

    text = board_csv(leaderboard.build([hostile_run(tmp_path)]))
    rows = list(csv.reader(io.StringIO(text)))
    assert "'=1+1" in {row[0] for row in rows}
    assert not any(cell[:1] in tuple("=+@\t\r") for row in rows for cell in row)
    assert "\x1b" not in text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """No tag of a model, task, tag or prompt is a tag of the page."""
    html = leaderboard.render(leaderboard.build([hostile_run(tmp_path)]))
    for text in HOSTILE[:4]:
        assert text not in html
    assert 'href="javascript' not in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_render_takes_runs_of_one_model(tmp_path: Path) -> None:
    """One model, one task: no pairs, no scatter, no bold, and no crash."""
    run = build_run(tmp_path, "one", ("openai/gpt-4",), (BY_NAME["facts_en"],))
    found = leaderboard.build([run])
    assert found.pairs == {}
    assert 'class="score best' not in leaderboard.render(found)


def test_a_cell_without_any_score_is_unknown(demo: ReadRun) -> None:
    """All calls failed: a dash, no place, no part in the mean."""

    def fail(cell: CellResult) -> CellResult:
        if (cell.task, cell.model) != ("facts_en", "llama3"):
            return cell
        metrics = {
            name: dataclasses.replace(
                metric, value=None, stderr=None, interval=None, interval_method=None, n=0
            )
            for name, metric in cell.metrics.items()
        }
        counts = dataclasses.replace(cell.counts, scored=0, unscored=48, errors=48)
        return dataclasses.replace(cell, metrics=metrics, counts=counts)

    found = leaderboard.build([changed(demo, fail)])
    assert standing(found, "llama3").n_covered == 6
    assert "<b>–</b>" in leaderboard.render(found)


def test_models_of_the_fixture_are_all_there(board: Board, demo: ReadRun) -> None:
    """Nothing is dropped on the way."""
    assert set(board.models) == set(MODELS)
    assert isinstance(demo.run, Run)
