"""The checks of tasks: each finds the fault it is for, and passes a task without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.tasks.discovery import list_tasks
from evalkit.workshop.checking import CheckOptions, TaskFindings, check_tasks

Row = dict[str, Any]

CAPITALS = [
    {"id": "a", "country": "France", "answer": "Paris"},
    {"id": "b", "country": "Italy", "answer": "Rome"},
    {"id": "c", "country": "Japan", "answer": "Tokyo"},
    {"id": "d", "country": "Egypt", "answer": "Cairo"},
]
SHOTS = [{"country": "Spain", "answer": "Madrid"}, {"country": "Peru", "answer": "Lima"}]
SOUND = """\
name: capitals
description: Name the capital.
license: CC0-1.0
source: Written here.
data: {file: samples.jsonl}
target: answer
prompts:
  plain: "Capital of {{ country }}?"
  shown: {user: "Capital of {{ country }}?", few_shot: 1}
few_shot: {file: few_shot.jsonl}
extract: [first_line]
metrics: [exact_match]
chance: 0.0
"""
CHOICE = """\
name: choose
data: {file: samples.jsonl}
kind: choice
target: answer
choices: options
prompts: {plain: "{{ question }}"}
metrics: [accuracy]
chance: 0.25
"""


def write(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """A jsonl file."""
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def check(
    folder: Path,
    text: str = SOUND,
    rows: Sequence[Row] = CAPITALS,
    shots: Sequence[Row] = SHOTS,
    options: CheckOptions | None = None,
) -> TaskFindings:
    """The findings of a task made of these parts."""
    home = folder / "task"
    home.mkdir(exist_ok=True)
    (home / "task.yaml").write_text(text, encoding="utf-8")
    (home / "README.md").write_text("Written here.", encoding="utf-8")
    write(home, "samples.jsonl", rows)
    write(home, "few_shot.jsonl", shots)
    (report,) = check_tasks(list(list_tasks([(folder, "workspace")]).values()), options)
    return report


def status(report: TaskFindings, name: str) -> str | None:
    """The status of one finding."""
    finding = report.of(name)
    return finding.status if finding else None


def message(report: TaskFindings, name: str) -> str:
    """The words of one finding."""
    finding = report.of(name)
    return finding.message if finding else ""


def test_sound_task_has_nothing_but_ok(tmp_path: Path) -> None:
    """A task without faults passes every check."""
    report = check(tmp_path)
    assert [finding for finding in report.findings if finding.status != "ok"] == []
    assert {"file", "data", "ids", "prompts", "leaks", "oracle", "wrong", "chance", "examples", "length"} <= {
        finding.check for finding in report.findings
    }


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("metrics: [exact_match]", "metrics: [exact_macth]", "exact_match"),
        ("extract: [first_line]", "extract: [first_lime]", "first_line"),
        ('"Capital of {{ country }}?"', '"Capital of {{ country"', "prompts.plain"),
        ("chance: 0.0", "chnace: 0.0", "chance"),
    ],
)
def test_broken_file_is_an_error_that_names_the_cure(tmp_path: Path, old: str, new: str, named: str) -> None:
    """A key, metric or extractor that does not exist, or a broken template, is found without any data."""
    report = check(tmp_path, SOUND.replace(old, new, 1))
    assert status(report, "file") == "error"
    assert named in message(report, "file")
    assert str(tmp_path) in message(report, "file")


def test_unreadable_data_is_an_error(tmp_path: Path) -> None:
    """A data file that is not there is an error."""
    report = check(tmp_path, SOUND.replace("samples.jsonl", "samplse.jsonl"))
    assert status(report, "data") == "error"
    assert "samples.jsonl" in message(report, "data")


def test_double_id_is_an_error(tmp_path: Path) -> None:
    """Two samples of one id are an error."""
    report = check(tmp_path, rows=[*CAPITALS, {**CAPITALS[0], "country": "Gaul"}])
    assert status(report, "data") == "error"
    assert "'a'" in message(report, "data")


def test_target_that_the_extractor_cannot_read_is_an_error(tmp_path: Path) -> None:
    """Where the target itself does not score in full, target, extractor and metric do not fit."""
    report = check(tmp_path, SOUND.replace("[first_line]", "[number]"))
    assert status(report, "oracle") == "error"
    assert "sample a" in message(report, "oracle")


def test_metric_that_passes_wrong_answers_is_an_error(tmp_path: Path) -> None:
    """A metric that is content with anything is found."""
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "task.py").write_text(
        "from evalkit import metric\n\n@metric\ndef kind(case):\n    return 1.0\n"
    )
    report = check(tmp_path, SOUND.replace("[exact_match]", "[kind]"))
    assert status(report, "oracle") == "ok"
    assert status(report, "wrong") == "error"


def test_stated_chance_of_a_choice_is_counted(tmp_path: Path) -> None:
    """Chance of a choice is the mean of one over its options, exactly."""
    rows = [
        {"question": f"{n}?", "options": ["w", "x", "y", "z"][: 2 + n % 3], "answer": n % 2} for n in range(9)
    ]
    assert status(check(tmp_path, CHOICE, rows), "chance") == "error"
    report = check(tmp_path, CHOICE.replace("0.25", "0.361"), rows)
    assert status(report, "chance") == "ok"
    assert "0.3611" in message(report, "chance")
    assert status(report, "oracle") == "ok"


def test_stated_chance_of_a_classification_is_simulated(tmp_path: Path) -> None:
    """Chance with labels is what random labels score."""
    text = SOUND.replace("chance: 0.0", "chance: 0.9").replace("extract: [first_line]", "labels: [up, down]")
    rows = [{"country": f"c{n}", "answer": ("up", "down")[n % 2]} for n in range(40)]
    shots = [{"country": "x", "answer": "up"}]
    assert status(check(tmp_path, text, rows, shots), "chance") == "error"
    assert status(check(tmp_path, text.replace("0.9", "0.5"), rows, shots), "chance") == "ok"


def test_chance_that_is_not_stated_is_a_warning(tmp_path: Path) -> None:
    """A task that does not say what guessing scores is told the number."""
    report = check(tmp_path, SOUND.replace("chance: 0.0\n", ""))
    assert status(report, "chance") == "warning"
    assert "baseline/random scores" in message(report, "chance")


def test_sample_among_its_own_examples_is_an_error(tmp_path: Path) -> None:
    """The same question under another id in the few-shot data is a leak."""
    report = check(tmp_path, shots=[{"id": "other", "country": "Italy", "answer": "Rome", "note": "copied"}])
    assert status(report, "leaks") == "error"
    assert status(report, "overlap") == "error"
    assert "b" in message(report, "leaks")


def test_duplicates_are_reported(tmp_path: Path) -> None:
    """Two samples that ask the same are a warning."""
    report = check(tmp_path, rows=[*CAPITALS, {"id": "e", "country": "Italy", "answer": "Roma"}])
    assert status(report, "duplicates") == "warning"
    assert "e" in message(report, "duplicates")


def test_missing_column_is_an_error_that_names_prompt_and_sample(tmp_path: Path) -> None:
    """A prompt must render for every sample, not only for the first."""
    rows = [*CAPITALS, {"id": "e", "answer": "Oslo"}]
    report = check(tmp_path, rows=rows)
    assert status(report, "prompts") == "error"
    assert "prompt plain, sample e" in message(report, "prompts")


def test_prompt_that_is_too_long_is_a_warning(tmp_path: Path) -> None:
    """Prompt and reply are estimated against a limit."""
    report = check(tmp_path, options=CheckOptions(max_tokens=100))
    assert status(report, "length") == "warning"


def test_worked_example_that_the_prompt_misreads_is_an_error(tmp_path: Path) -> None:
    """What an example shows as its answer must be right by extractor and metric."""
    text = SOUND.replace("few_shot: 1}", "few_shot: 1, answer: 'It is {{ target[0] }}.'}")
    report = check(tmp_path, text)
    assert status(report, "examples") == "error"


def test_papers_that_are_missing_are_warnings(tmp_path: Path) -> None:
    """Licence, source and README are asked for."""
    check(tmp_path)
    (tmp_path / "task" / "README.md").unlink()
    text = SOUND.replace("license: CC0-1.0\n", "").replace("source: Written here.\n", "")
    (tmp_path / "task" / "task.yaml").write_text(text)
    (report,) = check_tasks(list(list_tasks([(tmp_path, "workspace")]).values()))
    assert [status(report, name) for name in ("license", "source", "readme")] == ["warning"] * 3
    assert report.status == "warning"


def test_hub_data_are_not_fetched_unasked(tmp_path: Path) -> None:
    """A task whose data are elsewhere is checked as far as possible, and says what was not."""
    text = SOUND.replace("{file: samples.jsonl}", "{hub: nobody/nothing, split: test}")
    report = check(tmp_path, text)
    assert status(report, "data") == "warning"
    assert "--data capitals=PATH" in message(report, "data")
    given = CheckOptions(data={"capitals": tmp_path / "task" / "samples.jsonl"})
    assert check(tmp_path, text, options=given).status == "ok"


def test_perplexity_task_is_checked_by_scoring_its_texts(tmp_path: Path) -> None:
    """A perplexity task has no target: its texts must be scorable."""
    text = (
        "name: texts\ndata: {file: samples.jsonl}\nkind: perplexity\ntext: text\nmetrics: [bits_per_byte]\n"
    )
    report = check(tmp_path, text, [{"text": "one"}, {"text": "two"}])
    assert status(report, "oracle") == "ok"
    assert "8" in message(report, "oracle")


def test_formulas_that_are_compared_as_text_are_a_warning(tmp_path: Path) -> None:
    """Targets of mathematics want math_equal; the warning names it."""
    rows = [{**row, "answer": r"\frac{1}{2}"} for row in CAPITALS]
    found = [each for each in check(tmp_path, rows=rows).findings if each.check == "targets"]
    assert [each.status for each in found] == ["warning"]
    assert "math_equal" in found[0].message
