"""`evalkit arena RUN --judge MODEL`: pairs, both orders, estimate, cache, budget, page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from factories import write_task
from server import Call, serve

from evalkit.cli import cli

ROWS = [{"id": f"s{n}", "question": f"Say {n}", "answer": str(n)} for n in range(4)]


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs three mocks on four samples, and gives the command `evalkit arena`."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "tasks" / "say", ROWS, name="say")
    models = "mock/fixed:good answer,mock/fixed:bad,mock/fixed:worse"
    done = CliRunner().invoke(cli, ["run", "--models", models, "--tasks", "say", "--out", "reports", "-q"])
    assert done.exit_code == 0, done.output

    def invoke(*args: str) -> Result:
        return CliRunner().invoke(cli, ["arena", *args], standalone_mode=False)

    return invoke


def use_judge(tmp_path: Path, url: str) -> None:
    """An alias `judge` for the server, with a price."""
    price = {"input": 0.000001, "output": 0.00001}
    settings = {"model": "hosted_vllm/gpt-4", "api_base": url, "price": price}
    (tmp_path / "evalkit.yaml").write_text(json.dumps({"models": {"judge": settings}}))


def prefers_good(call: Call) -> str:
    """A judge that prefers `good` in both orders, and the first answer otherwise."""
    text = call.prompt
    first, second = text.split("<answer_a-")[1], text.split("<answer_b-")[1]
    winner = "A" if "good" in first.split("</answer_a")[0] else "B" if "good" in second else "A"
    return json.dumps({"reasoning": "I read both.", "verdict": winner})


def ratings(tmp_path: Path) -> dict[str, Any]:
    """The ratings that were written."""
    found: dict[str, Any] = json.loads((tmp_path / "arena" / "ratings.json").read_text())
    return found


def test_every_pair_is_asked_in_both_orders(arena: Callable[..., Result], tmp_path: Path) -> None:
    """Three models on four samples are 12 pairs and 24 calls; a preference for the first is a tie."""
    with serve(prefers_good) as server:
        use_judge(tmp_path, server.url)
        done = arena("latest", "--judge", "judge")
        assert done.exit_code == 0, done.output
        assert len(server.calls) == 24
        again = arena("latest", "--judge", "judge")
        assert len(server.calls) == 24
    assert "12 pairs, 24 calls" in done.output
    assert "12 pairs from the cache" in again.output
    found = ratings(tmp_path)
    pairs = {(pair["model"], pair["against"]): pair for pair in found["pairs"]}
    assert pairs["mock/fixed:good answer", "mock/fixed:bad"]["win_rate"] == 100.0
    tied = pairs["mock/fixed:bad", "mock/fixed:worse"]
    assert (tied["win_rate"], tied["inconsistent"]) == (50.0, 4)
    page = (tmp_path / "arena" / "index.html").read_text()
    assert "good answer" in page
    assert "I read both." in page
    assert len((tmp_path / "arena" / "battles.jsonl").read_text().splitlines()) == 12


def test_its_own_battles_are_read_again(arena: Callable[..., Result], tmp_path: Path) -> None:
    """battles.jsonl gives the same ratings without a judge."""
    with serve(prefers_good) as server:
        use_judge(tmp_path, server.url)
        arena("latest", "--judge", "judge")
    before = ratings(tmp_path)
    done = arena("arena/battles.jsonl", "--json", "-o", "other")
    assert json.loads(done.stdout) == before


def test_a_dry_run_asks_nothing(arena: Callable[..., Result], tmp_path: Path) -> None:
    """The estimate counts calls and states the most that they cost."""
    with serve(prefers_good) as server:
        use_judge(tmp_path, server.url)
        done = arena("latest", "--judge", "judge", "--dry-run", "--limit", "2")
        assert len(server.calls) == 0
    assert "6 pairs, 12 calls of judge" in done.output
    assert "at most $" in done.output
    assert not (tmp_path / "arena").exists()


def test_the_budget_is_a_hard_cap(arena: Callable[..., Result], tmp_path: Path) -> None:
    """What is not asked has no verdict, the exit code says so, and the same command goes on."""

    with serve(prefers_good) as server:
        use_judge(tmp_path, server.url)
        done = arena("latest", "--judge", "judge", "--max-cost", "0.0125")
        asked = len(server.calls)
        assert done.return_value == 3, done.output
        assert 0 < asked < 24
        assert ratings(tmp_path)["n_open"] > 0
        whole = arena("latest", "--judge", "judge")
        assert len(server.calls) == 24
    assert whole.return_value == 0


def test_only_pairs_with_the_baseline(arena: Callable[..., Result], tmp_path: Path) -> None:
    """--baseline leaves the other pairs out."""
    with serve(prefers_good) as server:
        use_judge(tmp_path, server.url)
        arena("latest", "--judge", "judge", "--baseline", "mock/fixed:bad")
        assert len(server.calls) == 16
    wrong = arena("latest", "--judge", "judge", "--baseline", "nobody")
    assert wrong.exception is not None
    assert "no answers of 'nobody'" in str(wrong.exception)


def test_runs_need_a_judge(arena: Callable[..., Result]) -> None:
    """Without a judge the error says how to name one."""
    assert "--judge MODEL" in str(arena("latest").exception)
