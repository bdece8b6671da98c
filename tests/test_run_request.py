"""A request of a run: spelled once, checked once, the same for the command line, evalkit.yaml and Python."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import evalkit
from evalkit.cli.gate import gate
from evalkit.cli.run import run
from evalkit.core.errors import UsageError
from evalkit.models.mock import MockModel
from evalkit.running.request import RunRequest, spellings
from evalkit.running.workspace import RUN_KEYS

OWN_OPTIONS = {"dry_run", "as_json", "no_samples", "redact", "verbose", "quiet", "encoding", "delimiter"}
"""What `evalkit run` has beside its request: what it shows, and the form of the files in --data."""


def test_command_and_python_take_what_a_request_holds() -> None:
    """No field is missing in `evalkit run` or `evalkit.run`, and neither has one of its own."""
    fields = set(spellings())
    assert {option.name for option in run.params} - OWN_OPTIONS == fields
    assert set(inspect.signature(evalkit.run).parameters) - {"watcher"} == fields
    assert set(RUN_KEYS) < fields
    assert {option.name for option in gate.params} & fields == {
        *("models", "data", "include_path", "trust", "executor", "cache", "fresh"),
        *("max_cost", "max_connections", "out"),
    }


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("limit", 0, "limit must be a whole number from 1, not 0"),
        ("limit", 2.5, "limit must be a whole number from 1, not 2.5"),
        ("repeats", True, "repeats must be a whole number from 1, not True"),
        ("num_fewshot", -1, "num_fewshot must be a whole number from 0, not -1"),
        ("seed", "7", "seed must be a whole number of 64 bits, not '7'"),
        ("max_cost", float("nan"), "max_cost must be a finite number from 0, not nan"),
        ("max_cost", float("inf"), "max_cost must be a finite number from 0, not inf"),
        ("timeout", 0, "timeout must be a finite number above 0, not 0"),
        ("lane", "quick", "lane must be auto or stock or safe or fast, not 'quick'."),
        ("choices_order", "random", "choices_order must be data or seeded or circular, not 'random'."),
        ("retry", ("refused", "errors"), "retry must be refused or truncated, not 'errors'."),
        ("tasks", 7, "tasks must be a list of names, not 7"),
        ("trust", "no", "trust must be True or False, not 'no'"),
        ("params", [1], "params must be a mapping, not [1]"),
        ("seed", None, "seed cannot be None; leave it out for what is usual"),
        ("models", "", "models is empty; leave it out for what is usual"),
        ("cache", " ", "cache is empty; leave it out for what is usual"),
        ("models", [str], "models must be names, or models such as MockModel(function), not <class 'str'>"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: object, told: str) -> None:
    """Before anything is looked for or spent, with the field and what it may be."""
    with pytest.raises(UsageError) as caught:
        RunRequest(**{name: value})  # type: ignore[arg-type]
    assert str(caught.value) == told


@pytest.mark.parametrize("words", [["--max-cost", "nan"], ["--max-cost", "inf"], ["--timeout", "inf"]])
def test_a_number_without_an_end_is_no_limit(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """click lets nan and inf through every range; the request does not."""
    done = CliRunner().invoke(run, [*words, "--dry-run"])
    assert done.exit_code == 2 or isinstance(done.exception, UsageError)


def test_a_run_tells_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """run.json holds the request without defaults and places, a model given as an object by its name."""
    monkeypatch.chdir(tmp_path)
    stored = evalkit.run(
        [MockModel(lambda request: "positive", "mock/sure")],
        "sentiment_en",
        limit=2,
        params={"temperature": 0.5},
        cache="off",
        out="runs",
    )
    told = json.loads((stored.folder / "run.json").read_text())["request"]
    assert told == {
        "models": ["mock/sure"],
        "tasks": ["sentiment_en"],
        "limit": 2,
        "params": {"temperature": 0.5},
    }


def test_an_asked_zero_is_told_and_one_folder_is_no_list_of_letters() -> None:
    """0 is another wish than none; what is left out is not told."""
    asked = RunRequest(num_fewshot=0, max_cost=0.0, include_path="more", tasks=["sums"])
    assert asked.include_path == ("more",)
    told = {"num_fewshot": 0, "max_cost": 0.0, "include_path": ["more"], "tasks": ["sums"]}
    assert asked.told() == told
    assert RunRequest(models=[], params={}).told() == {}
