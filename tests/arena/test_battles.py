"""Battles read from the files of several tools, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.comparing.arena import Battle, rate, read_battles, write_battles
from evalkit.core.errors import DataError
from evalkit.pages.arena.page import render
from evalkit.stats import bradley_terry

ALPACA = {
    "instruction": "Say hi",
    "output_1": "hi",
    "generator_1": "base",
    "output_2": "hello",
    "generator_2": "new",
    "annotator": "gpt4",
}
PAIR = {"question_id": 81, "model_1": "x", "model_2": "y", "judge": ["gpt-4", "pair-v2"], "turn": 2}


def write(tmp_path: Path, *rows: Any) -> Path:
    """The rows as JSON lines."""
    path = tmp_path / "battles.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("preference", "outcome"), [(1, 0.0), (2, 1.0), (1.5, 0.5), (0, 0.5), (1.75, 0.75), (None, None)]
)
def test_alpaca_evals_preferences(tmp_path: Path, preference: float | None, outcome: float | None) -> None:
    """1 is for the baseline, 2 for the model, between them a weighted vote, 0 a draw, null no verdict."""
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([{**ALPACA, "preference": preference}]))
    (battle,) = read_battles(path)
    assert (battle.a, battle.b, battle.outcome) == ("new", "base", outcome)
    assert (battle.length_a, battle.length_b) == (5, 2)


@pytest.mark.parametrize(
    ("first", "second", "outcome", "verdict"),
    [
        ("model_1", "model_1", 1.0, "A"),
        ("model_2", "model_2", 0.0, "B"),
        ("tie", "tie", 0.5, "tie"),
        ("model_1", "model_2", 0.5, "inconsistent"),
        ("error", "model_1", None, None),
    ],
)
def test_mt_benchs_two_orders(
    tmp_path: Path, first: str, second: str, outcome: float | None, verdict: str | None
) -> None:
    """Two orders that name different winners are a tie; an error is no verdict."""
    (battle,) = read_battles(write(tmp_path, {**PAIR, "g1_winner": first, "g2_winner": second}))
    assert (battle.outcome, battle.verdict) == (outcome, verdict)
    assert (battle.prompt, battle.judge) == ("81:2", "gpt-4")


@pytest.mark.parametrize(
    ("winner", "outcome"), [("model_a", 1.0), ("model_b", 0.0), ("tie (bothbad)", 0.5), ("nobody", None)]
)
def test_votes_of_people(tmp_path: Path, winner: str, outcome: float | None) -> None:
    """Lines of Chatbot Arena and of MT-Bench's people name the winner's place."""
    row = {"question_id": 7, "model_a": "x", "model_b": "y", "winner": winner}
    (battle,) = read_battles(write(tmp_path, row))
    assert battle.outcome == outcome


def test_battles_come_back_as_they_were_written(tmp_path: Path) -> None:
    """What `evalkit arena` writes, it reads."""
    battles = [
        Battle("p", "a", "b", 0.5, "j", "inconsistent", "why", 3, 4),
        Battle("q", "a", "b", None, why="x"),
    ]
    assert read_battles(write_battles(tmp_path / "battles.jsonl", battles)) == battles


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"winner": "x"}, "no battle that is known"),
        ([1], "JSON object"),
        ({**ALPACA, "preference": 3}, "from 1 to 2"),
        ({**ALPACA, "preference": 2, "generator_1": "new"}, "against itself"),
        ({"prompt": "p", "a": "x", "b": "y", "outcome": 2}, "from 0 to 1"),
    ],
)
def test_what_is_no_battle_is_told(tmp_path: Path, row: Any, message: str) -> None:
    """An error names the file, the row and what is wrong."""
    with pytest.raises(DataError, match=message):
        read_battles(write(tmp_path, row))


def test_nothing_decided_is_an_error() -> None:
    """Ratings of nothing are not made up."""
    with pytest.raises(DataError, match="none of 1 battles"):
        rate([Battle("p", "a", "b", None, why="timeout")])


def test_without_a_verdict_is_no_loss() -> None:
    """Battles without a verdict are left out of all rates, counted and told."""
    decided = [Battle(f"p{n}", "a", "b", float(n % 2)) for n in range(10)]
    ratings = rate([*decided, Battle("q", "a", "b", None, why="timeout")])
    pair = ratings.pair("a", "b")
    assert pair is not None
    assert (pair.win_rate, pair.n, ratings.n_open) == (50.0, 10, 1)
    assert any("1 timeout" in note for note in ratings.notes)


def test_both_ways_round_add_up() -> None:
    """A pair's rates are each other's rest, wherever the models stood."""
    battles = [Battle(f"p{n}", *(("a", "b") if n % 3 else ("b", "a")), n % 4 / 3) for n in range(30)]
    ratings = rate(battles)
    one, two = ratings.pair("a", "b"), ratings.pair("b", "a")
    assert one is not None
    assert two is not None
    assert one.win_rate + two.win_rate == pytest.approx(100)
    assert one.stderr == pytest.approx(two.stderr)
    assert (one.wins, one.losses) == (two.losses, two.wins)


def test_models_that_never_lose_are_a_group_of_their_own() -> None:
    """Where wins do not lead both ways there is no rating across, and the ratings say so."""
    battles = [Battle(f"p{n}", "top", "rest", 1.0) for n in range(5)]
    ratings = rate(battles)
    assert all(row.rating is None for row in ratings.models)
    assert len({row.group for row in ratings.models}) == 2
    assert any("do not connect" in note for note in ratings.notes)


def test_length_control_takes_the_advantage_of_length_out() -> None:
    """Of two models of equal worth, the one that writes longer leads until length is allowed for."""
    rng = np.random.default_rng(0)
    battles = []
    for number in range(1500):
        gap = int(rng.normal(200, 300))
        won = float(rng.random() < 1 / (1 + np.exp(-1.5 * np.tanh(gap / 300))))
        battles.append(Battle(f"p{number}", "long", "short", won, length_a=1000 + gap, length_b=1000))
    ratings = rate(battles)
    rows = {row.model: row for row in ratings.models}
    plain = (rows["long"].rating or 0) - (rows["short"].rating or 0)
    controlled = (rows["long"].length_controlled or 0) - (rows["short"].length_controlled or 0)
    assert plain > 80
    assert abs(controlled) < 50
    assert ratings.length_effect == pytest.approx(1.5, abs=0.3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([0, 0.5, 1])), min_size=3))
def test_a_covariate_of_zeros_changes_nothing(games: list[tuple[int, int, float]]) -> None:
    """Strengths with a covariate that is 0 everywhere are the strengths without one."""
    games = [game for game in games if game[0] != game[1]] or [(0, 1, 0.5)]
    a, b, y = zip(*games, strict=True)
    plain = bradley_terry(a, b, y, 4)
    extra = bradley_terry(a, b, y, 4, covariates=np.zeros((len(y), 1)))
    np.testing.assert_allclose(plain.strengths, extra.strengths, atol=1e-8)
    np.testing.assert_allclose(plain.stderrs, extra.stderrs, atol=1e-8)


def test_a_model_without_a_decision_has_no_win_rate() -> None:
    """Unknown is not zero: battles without a verdict are no defeats."""
    decided = [Battle(f"p{n}", "a", "b", float(n % 2)) for n in range(6)]
    ratings = rate([*decided, Battle("p0", "a", "c", None, why="unreadable")])
    rates = {row.model: row.win_rate for row in ratings.models}
    assert rates == {"a": 50.0, "b": 50.0, "c": None}
    assert "–" in render(ratings, decided)
