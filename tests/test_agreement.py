"""`evalkit agreement`: people's labels against a column, a run's metric, or a judge that is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from factories import write_rows, write_task

import evalkit
from evalkit.cli import cli
from evalkit.core.errors import DataError, UsageError
from evalkit.core.records import Request
from evalkit.models.mock import MockModel


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def report(rows: Sequence[Any], *args: str) -> dict[str, Any]:
    """The report on these labels as JSON; raises what the command raises."""
    file = write_rows(Path("labels.jsonl"), rows)
    done = CliRunner().invoke(
        cli, ["agreement", str(file), *args, "--json"], standalone_mode=False, catch_exceptions=False
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_numbers_of_two_columns() -> None:
    """Numbers give correlations, and few different ones weighted kappa and confusions too."""
    rows = [{"human": 1 + n % 5, "gpt": 1 + (n % 5 if n % 4 else (n + 1) % 5)} for n in range(60)]
    found = report(rows, "--column", "gpt")
    assert found["n"] == 60
    assert set(found["numbers"]) == {
        "accuracy", "kappa", "kappa_linear", "kappa_quadratic", "pearson", "spearman", "kendall",
    }  # fmt: skip
    assert found["numbers"]["accuracy"]["value"] == pytest.approx(0.75)
    assert found["labels"] == ["1", "2", "3", "4", "5"]
    assert sum(map(sum, found["confusion"])) == 60


def test_words_ignore_case_and_the_unlabelled_is_left_out() -> None:
    """Labels are words, their case does not count; rows without a label are not compared."""
    rows = [{"label": "Good", "m": "good"}, {"label": "bad", "m": "good"}, {"label": "", "m": "bad"}]
    found = report([*rows, {"label": "good", "m": None}], "--column", "m")
    assert (found["n"], found["n_open"]) == (2, 1)
    assert found["labels"] == ["bad", "good"]
    assert found["confusion"] == [[0, 1], [0, 1]]


def test_a_metric_of_a_run_is_joined_by_id(tmp_path: Path) -> None:
    """Scores of a run meet the labels of the same samples."""
    write_task(tmp_path / "tasks" / "sums")
    evalkit.run([MockModel(lambda r: "2" if r.sample_id in ("s1", "s2") else "x")], ["sums"], out="reports")
    rows = [{"id": f"s{n}", "human": int(n in (1, 3))} for n in range(6)]
    found = report(rows, "--run", "latest", "--metric", "exact_match")
    assert found["numbers"]["accuracy"]["value"] == pytest.approx(5 / 6)


def test_a_judges_verdict_is_compared_as_its_label(tmp_path: Path) -> None:
    """Where people gave words, the judge's word is compared, not its worth."""
    write_task(tmp_path / "tasks" / "sums", metrics=[{"name": "judge"}])

    def judge(request: Request) -> str:
        return json.dumps({"verdict": "correct" if request.sample_id < "s3" else "incorrect"})

    evalkit.run(["mock/fixed:2"], ["sums"], judge=MockModel(judge, "mock/judge"), out="reports")
    rows = [{"id": f"s{n}", "label": "correct" if n < 2 else "incorrect"} for n in range(6)]
    found = report(rows, "--run", "latest")
    assert found["labels"] == ["correct", "incorrect"]
    assert found["confusion"] == [[2, 0], [1, 3]]


def test_a_judge_is_asked_now() -> None:
    """--judge asks about input, answer and target of the labels."""
    rows = [{"question": "1+1?", "answer": str(n), "target": "2", "human": int(n == 2)} for n in range(4)]
    found = report(rows, "--judge", 'mock/fixed:{"verdict": "correct"}', "--human", "human")
    assert found["n"] == 4
    assert found["numbers"]["accuracy"]["value"] == 0.25
    assert found["numbers"]["kappa"]["value"] == 0.0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "one of --column"),
        (("--column", "modl"), "Did you mean 'model'"),
        (("--column", "model", "--human", "nobody"), "no column 'nobody'"),
    ],
)
def test_what_is_missing_is_told(args: tuple[str, ...], message: str) -> None:
    """Errors name the columns that there are."""
    with pytest.raises(UsageError, match=message):
        report([{"human": 1, "model": 2}], *args)


def test_nothing_in_common_is_an_error() -> None:
    """Agreement on nothing is not made up."""
    with pytest.raises(DataError, match="nothing can be compared"):
        report([{"human": 1, "m": None}], "--column", "m")
