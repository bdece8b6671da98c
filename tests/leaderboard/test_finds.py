"""What runs hold beside the newest result of each cell: groups, history, slices, facts."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from factories import make_cell
from page_runs import TASKS, ReadRun, build_run

from evalkit.core.records import CellResult, GroupResult, ModelFacts
from evalkit.pages import leaderboard
from evalkit.pages.leaderboard.exports import board_json
from evalkit.pages.leaderboard.numbers import full_cost
from evalkit.pages.leaderboard.payload import pack, page_data

MODELS = ("openai/gpt-4", "llama3", "baseline/random")
FACTS = next(task for task in TASKS if task.name == "facts_en")
CHOICE = next(task for task in TASKS if task.name == "everyday_choice_en")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """Three models on two tasks."""
    return build_run(tmp_path_factory.mktemp("runs"), "new", MODELS, (FACTS, CHOICE), n=30)


def group(run: ReadRun, cell: CellResult, tasks: tuple[str, ...]) -> GroupResult:
    """A group's mean, made of a cell's value."""
    metric = cell.metrics[run.run.tasks[cell.task].headline]
    return GroupResult("both", cell.model, cell.variant, tasks, "equal", "accuracy", "generate", metric)


def test_groups_take_the_newest_mean_over_the_same_tasks(run: ReadRun) -> None:
    """A mean over other tasks does not stand in the same column."""
    tasks = ("facts_en", "everyday_choice_en")
    cells = [cell for cell in run.run.cells if cell.task == "everyday_choice_en"]
    wrong = group(run, cells[0], ("facts_en", "something_else"))
    stored = run.but(groups=(wrong, *(group(run, cell, tasks) for cell in cells[1:])))
    (found,) = leaderboard.build([stored]).groups
    assert found.columns == tasks
    assert {model for model, _ in found.values} == {cell.model for cell in cells[1:]}


def test_history_is_of_the_same_prompt_and_signature(run: ReadRun) -> None:
    """An older run with another prompt is no point of the line; an unfinished one neither."""
    older = run.but(id="older", created="2025-01-01T00:00:00Z")
    other = tuple(dataclasses.replace(cell, prompt_digest="e" * 64) for cell in run.run.cells)
    board = leaderboard.build([run, older, run.but(id="other", created="2025-02-01T00:00:00Z", cells=other)])
    past = board.history["llama3", "facts_en", "zero_shot"]
    assert [point.run for point in past] == ["older", "new"]
    broken = run.but(id="broken", created="2025-03-01T00:00:00Z", status="interrupted")
    assert leaderboard.build([run, broken]).history == {}


def test_slices_are_the_samples_that_share_a_value(run: ReadRun, tmp_path: Path) -> None:
    """Their scores add up to the whole; numbers with a point make no slices."""
    stored = build_run(tmp_path, "sliced", MODELS, (FACTS,), n=20)
    for cell in stored.run.cells:
        results = [
            dataclasses.replace(
                result, metadata={"difficulty": 0.37 + place, "level": "easy" if place % 4 else "hard"}
            )
            for place, result in enumerate(stored.samples(cell.slug))
        ]
        stored.read[cell.slug] = results
    board = leaderboard.build([stored])
    assert [(part.key, part.value, part.n) for part in board.slices] == [
        ("level", "easy", 15),
        ("level", "hard", 5),
    ]
    easy, hard = (part.scores["openai/gpt-4"] for part in board.slices)
    whole = board.entries["openai/gpt-4", "facts_en", "zero_shot"].value
    assert easy.value is not None
    assert hard.value is not None
    assert (15 * easy.value + 5 * hard.value) / 20 == pytest.approx(whole)


def test_facts_of_the_workspace_are_newer_than_those_of_the_run(run: ReadRun) -> None:
    """By name or by route; what nobody says stays unknown."""
    info = dataclasses.replace(run.run.models["llama3"], facts=ModelFacts("Meta", None, None, 7.0, None))
    stored = run.but(models={**run.run.models, "llama3": info})
    board = leaderboard.build([stored], {"ollama_chat/llama3": ModelFacts(None, "open", None, 8.0, None)})
    assert board.facts["llama3"] == ModelFacts("Meta", "open", None, 8.0, None)
    assert board.facts["openai/gpt-4"] == ModelFacts()


def test_results_without_samples_are_compared_by_their_errors_and_the_page_says_so(tmp_path: Path) -> None:
    """Imported numbers stand on a board like others, unpaired."""
    stored = build_run(tmp_path, "bare", ("openai/gpt-4", "llama3"), (FACTS,), n=40)
    for file in (stored.folder / "samples").iterdir():
        file.unlink()
    bare = ReadRun(stored.run, stored.folder)
    board = leaderboard.build([bare])
    assert board.fields["facts_en", "zero_shot"].found.method == "errors"
    html = leaderboard.render(board)
    assert 'data-t="method.unpaired"' in html
    paired = leaderboard.build([build_run(tmp_path, "whole", ("openai/gpt-4", "llama3"), (FACTS,), n=40)])
    assert 'data-t="method.unpaired"' not in leaderboard.render(paired)


def test_equal_entries_are_written_once() -> None:
    """1 is not True, and a list stays a list."""
    assert pack([0, 0, 0]) == 0
    assert pack([1, True]) == [1, True]
    assert pack([None, None]) is None
    assert pack([[1], [1]]) == [[1], [1]]


def test_the_page_of_many_models_holds_no_covariance_and_a_hundred_rows(run: ReadRun) -> None:
    """What would make the page huge is left out; the script has every number all the same."""
    cell = next(cell for cell in run.run.cells if cell.model == "llama3" and cell.task == "facts_en")
    info = run.run.models["llama3"]
    names = [f"m{place:03d}" for place in range(130)]
    many = run.but(
        cells=tuple(dataclasses.replace(cell, model=name) for name in names),
        models={name: dataclasses.replace(info, name=name) for name in names},
    )
    board = leaderboard.build([many])
    data = page_data(board, {many.run.id: None}, [])
    assert set(data["places"][0]["field"]) == {"paired", "n"}
    assert len(data["models"]) == 130
    html = leaderboard.render(board, samples=False)
    assert html.count('<th scope="row" class="model"') == 100
    assert "30 more models" in html


def test_an_unknown_chance_level_is_said_and_not_taken_for_zero(run: ReadRun, tmp_path: Path) -> None:
    """A task without a known chance level counts from 0 in the overall score, and page and JSON say so."""
    tasks = {
        name: dataclasses.replace(info, chance=None if index % 2 else 0.0)
        for index, (name, info) in enumerate(run.run.tasks.items())
    }
    board = leaderboard.build([run.but(tasks=tasks)])
    averaged = board.common["", "all"]
    unknown = [column.id for column in board.columns if column.id in averaged and column.info.chance is None]
    assert 0 < len(unknown) < len(averaged)
    page = leaderboard.render(board, samples=False)
    said = page[page.index('id="floorless"') :]
    said = said[: said.index("</p>")].replace("<wbr>", "")
    assert [name for name in averaged if f">{name}<" in said] == unknown
    columns = {column["id"]: column for column in json.loads(board_json(board))["columns"]}
    assert all(columns[name]["chance"] is None for name in unknown)
    assert all(columns[name]["normalised_from"] == 0.0 for name in averaged)
    tasks = {name: dataclasses.replace(info, chance=0.0) for name, info in tasks.items()}
    known = leaderboard.build([run.but(tasks=tasks)])
    assert 'id="floorless"' not in leaderboard.render(known, samples=False)


def test_a_cost_is_unknown_where_a_part_of_it_is() -> None:
    """Answers from the cache of unknown price make the cost unknown; without any there is nothing to know."""
    cell = make_cell()
    counts = dataclasses.replace(cell.counts, cached=3)
    paid = dataclasses.replace(cell, counts=counts, cost_usd=0.5, cost_cached_usd=None)
    assert full_cost(paid) is None
    assert full_cost(dataclasses.replace(paid, cost_cached_usd=0.25)) == 0.75
    assert full_cost(dataclasses.replace(paid, counts=dataclasses.replace(counts, cached=0))) == 0.5
    assert full_cost(dataclasses.replace(paid, cost_usd=None, cost_cached_usd=0.25)) is None
