"""`evalkit tasks` as a user meets it: what is printed, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evalkit.cli import cli
from evalkit.core.errors import EvalkitError


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tasks(*args: str) -> Result:
    """The finished command."""
    return CliRunner().invoke(cli, ["tasks", *args], standalone_mode=False)


def code(result: Result) -> Any:
    """What the command ends with."""
    assert result.exception is None, result.exception
    return result.return_value


def test_help_lists_the_commands() -> None:
    """--help names every command without loading it."""
    result = tasks("--help")
    for name in ("list", "show", "preview", "check", "new", "schema"):
        assert f"  {name} " in result.output


def test_new_task_is_checked_and_run_at_once(workspace: Path) -> None:
    """`tasks new`, then `tasks check`: the way of somebody who writes his first task."""
    result = tasks("new", "mine", "--lang", "zh")
    assert code(result) == 0
    assert "evalkit tasks check mine" in result.output
    assert (workspace / "tasks" / "mine" / "task.yaml").is_file()
    result = tasks("check")
    assert code(result) == 0
    assert result.output.startswith("ok      mine\n")
    assert "1 task: 1 sound" in result.output


def test_check_ends_with_2_when_something_is_wrong(workspace: Path) -> None:
    """An error is shown under its task, and decides the exit code; a warning does not."""
    tasks("new", "mine")
    file = workspace / "tasks" / "mine" / "task.yaml"
    file.write_text(file.read_text().replace("license: CC0-1.0", "#"))
    result = tasks("check", "mine")
    assert code(result) == 0
    assert "license:" in result.output
    file.write_text(file.read_text().replace("exact_match", "exact_macth"))
    result = tasks("check", "mine")
    assert code(result) == 2
    assert "Did you mean 'exact_match'" in result.output


def test_check_prints_one_json_document() -> None:
    """--json holds every finding of every task."""
    result = tasks("check", "facts_en", "sentiment_zh", "--json")
    assert code(result) == 0
    content = json.loads(result.output)
    assert [item["task"] for item in content] == ["facts_en", "sentiment_zh"]
    assert {"check": "ids", "status": "ok", "message": "44 different ids"} in content[0]["findings"]


def test_tasks_of_a_matrix_are_reported_together() -> None:
    """Fifty tasks with the same finding take one line."""
    result = tasks("check", "mmlu")
    assert code(result) == 0
    assert "mmlu  57 tasks" in result.output
    assert len(result.output.splitlines()) == 3


def test_unknown_task_is_a_typed_error() -> None:
    """A name that fits nothing is an error with near matches."""
    result = tasks("check", "fcats_en")
    assert isinstance(result.exception, EvalkitError)
    assert "facts_en" in str(result.exception)


def test_schema_is_printed() -> None:
    """`tasks schema` prints JSON that an editor takes."""
    result = tasks("schema")
    assert json.loads(result.output)["title"] == "evalkit task.yaml"


def test_preview_prints_what_a_run_sends(workspace: Path) -> None:
    """Messages and request digest are those that a run of the same model stores, techniques included."""
    import evalkit

    stored = evalkit.run(models=["mock/echo"], tasks=["facts_en"], prompts=["few_shot:2"], limit=3, seed=7)
    result = list(stored.samples(stored.run.cells[0].slug))[2]
    shown = tasks(
        "preview", "facts_en", "--prompt", "few_shot:2", "--model", "mock/echo", "--sample", result.sample_id,
        "--seed", "7",
    )  # fmt: skip
    assert result.request_digest in shown.output
    assert stored.run.cells[0].prompt_digest in shown.output
    assert result.messages[-1].text in shown.output


def test_preview_depends_on_what_the_model_can_do() -> None:
    """A choice is ranked where there are likelihoods, and asked for by letter where there are none."""
    shown = tasks("preview", "everyday_choice_en", "--model", "baseline/oracle").output
    assert "mode           loglikelihood" in shown
    assert '* " Switch it off' in shown
    shown = tasks("preview", "everyday_choice_en", "--model", "mock/echo").output
    assert "mode           letter_generate" in shown
    assert "Answer with one letter only" in shown


def test_preview_says_when_tokens_are_estimated() -> None:
    """Without a served model the count is an estimate, and is called one."""
    assert "(estimated: characters / 3)" in tasks("preview", "facts_en", "--prompt", "cot").output
    chinese = tasks("preview", "facts_zh").output
    count, characters = (int(chinese.split(f"\n{word}")[1].split()[0]) for word in ("tokens", "characters"))
    assert 0.5 * characters < count < characters
    assert "not ASCII" in chinese


def test_preview_counts_tokens_of_a_served_model() -> None:
    """With a served model the count is that of LiteLLM's counter."""
    shown = tasks("preview", "facts_en", "--model", "openai/gpt-4o-mini").output
    assert "LiteLLM's token counter for openai/gpt-4o-mini" in shown


def test_preview_shows_how_variants_differ() -> None:
    """--diff is a unified diff of messages and settings; equal variants say so."""
    shown = tasks("preview", "facts_en", "--diff", "zero_shot", "few_shot").output
    assert shown.startswith("--- zero_shot\n+++ few_shot\n")
    assert "+num_fewshot: 4" in shown
    assert "send the same" in tasks("preview", "facts_en", "--diff", "quiz", "quiz").output


def test_differing_words_are_marked() -> None:
    """Of two lines that replace each other, the words that differ are found."""
    from evalkit.cli.tasks.previewing import mark_words

    lines = ["@@", "-the red car", "+the blue car", " same"]
    assert list(mark_words(lines)) == [("@@", []), (lines[1], [(5, 8)]), (lines[2], [(5, 9)]), (" same", [])]
