"""Ratings from battles stand on the leaderboard beside the scores, and change none of them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from page_runs import ReadRun, build_run

from evalkit.comparing.arena import Battle, rate
from evalkit.core.errors import StoreError
from evalkit.pages import leaderboard
from evalkit.pages.arena.page import write
from evalkit.pages.leaderboard import Arena, read_arena
from evalkit.pages.leaderboard.exports import board_csv, board_json

MODELS = ("openai/gpt-4", "llama3", "elsewhere/model")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """A run of two of the models that fought, and of others that did not."""
    return build_run(tmp_path_factory.mktemp("runs"), "r", n=8)


def make_ratings(folder: Path) -> Path:
    """The folder with ratings.json and the page, as `evalkit arena` leaves it."""
    battles = [
        Battle(f"p{index}", a, b, float((index * 7 + place) % 5 > 1), judge="judge/j")
        for index in range(40)
        for place, (a, b) in enumerate([MODELS[:2], MODELS[1:], (MODELS[0], MODELS[2])])
    ]
    ratings = rate(battles)
    folder.mkdir(parents=True)
    (folder / "ratings.json").write_text(json.dumps(ratings.as_dict()))
    write(ratings, battles, folder / "index.html")
    return folder


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Ratings of three models."""
    return read_arena(make_ratings(tmp_path_factory.mktemp("arena") / "arena"))


def test_ratings_are_read_as_they_were_written(arena: Arena) -> None:
    """Every model with its rating, interval and places; by a folder or by the file."""
    assert {row.model for row in arena.models} == set(MODELS)
    assert all(row.interval and row.interval[0] < (row.rating or 0) < row.interval[1] for row in arena.models)
    assert arena.page is not None
    assert read_arena(arena.page.with_name("ratings.json")) == arena


def test_ratings_change_no_score_and_no_rank(run: ReadRun, arena: Arena) -> None:
    """Standings are what they are without an arena."""
    plain, rated = leaderboard.build([run]), leaderboard.build([run], arena=arena)
    assert rated.arena == arena
    assert rated.standings == plain.standings
    assert rated.models == plain.models


def test_without_a_common_model_there_is_no_arena(run: ReadRun, arena: Arena) -> None:
    """Battles of other models only do not belong on this board, and leave its bytes as they were."""
    other = type(arena)(**{**arena.as_dict(), "models": arena.models[:0]})
    board = leaderboard.build([run], arena=other)
    assert board.arena is None
    assert board_json(board) == board_json(leaderboard.build([run]))
    assert leaderboard.render(board) == leaderboard.render(leaderboard.build([run]))


def test_the_page_has_the_ratings_without_a_script(run: ReadRun, arena: Arena, tmp_path: Path) -> None:
    """A panel says rating, interval, places and counts, how many battles and who judged, and leads on."""
    assert arena.page is not None
    folder = shutil.copytree(arena.page.parent, tmp_path / "arena")
    page = leaderboard.write([run], tmp_path / "board", arena=read_arena(folder)).read_text()
    panel = page[page.index('id="panel-arena"') : page.index('id="panel-cost"')]
    for row in arena.models:
        assert row.interval is not None
        assert f"{row.rating:.0f}" in panel
        assert f"{row.interval[0]:.0f}–{row.interval[1]:.0f}" in panel
        assert f"{row.wins} / {row.ties} / {row.losses}" in panel
    assert "120 decisions" in panel
    assert "judge/j" in panel
    assert 'href="../arena/index.html"' in panel
    assert panel.count("not among the runs") == 1


def test_exports_have_the_ratings(run: ReadRun, arena: Arena) -> None:
    """The JSON has them whole, the CSV a line for each model."""
    board = leaderboard.build([run], arena=arena)
    found = json.loads(board_json(board))["arena"]
    assert [row["model"] for row in found["models"]] == [row.model for row in arena.models]
    assert "page" not in found
    lines = [line for line in csv.DictReader(io.StringIO(board_csv(board))) if line["task"] == "arena"]
    assert [float(line["value"]) for line in lines] == [row.rating for row in arena.models]
    assert all(line["metric"] == "bradley_terry_elo" and line["n"] for line in lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "evalkit arena RUN --judge MODEL"),
        ("{", "is not JSON"),
        ("{}", "holds no ratings"),
        ('{"kind": "arena", "schema": 2}', "has schema 2"),
        ('{"kind": "arena", "schema": 1}', "models: "),
    ],
)
def test_what_are_no_ratings_is_told(tmp_path: Path, content: str | None, message: str) -> None:
    """A missing or another file is an error that names it."""
    if content is not None:
        (tmp_path / "ratings.json").write_text(content)
    with pytest.raises(StoreError, match=message):
        read_arena(tmp_path / "ratings.json")
