"""One file for many tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.core.errors import TaskError
from evalkit.tasks.discovery import list_groups, list_tasks, select_tasks
from evalkit.tasks.matrix import assignments, substitute, task_name
from evalkit.tasks.task import load_task

FILE = """
name: {name}
description: Sums in ${{{{ level }}}}.
matrix: {matrix}
data: {{file: "${{{{ level }}}}.jsonl"}}
target: answer
prompts: {{plain: "{{{{ question }}}}"}}
metrics: [exact_match]
"""


def write(folder: Path, name: str = "sums", matrix: str = "{level: [easy, hard]}") -> Path:
    """A task folder with a matrix over two data files."""
    (folder / "sums").mkdir(parents=True)
    (folder / "sums" / "task.yaml").write_text(FILE.format(name=name, matrix=matrix))
    for level in ("easy", "hard"):
        row = {"question": level, "answer": level}
        (folder / "sums" / f"{level}.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_matrix_becomes_named_tasks_and_a_group(tmp_path: Path) -> None:
    """Each value is a task with its own data; the file's name means all of them."""
    entries = list_tasks([(write(tmp_path), "workspace")])
    assert list(entries) == ["sums_easy", "sums_hard"]
    assert entries["sums_hard"].description == "Sums in hard."
    assert [entry.name for entry in select_tasks(["sums"], entries)] == ["sums_easy", "sums_hard"]
    task = load_task(entries["sums_hard"])
    assert (task.name, task.group) == ("sums_hard", "sums")
    assert next(task.samples()).target == ("hard",)


def test_name_may_place_the_value_itself(tmp_path: Path) -> None:
    """A placeholder in the name replaces the suffix."""
    entries = list_tasks([(write(tmp_path, name='"${{ level }}_sums"'), "workspace")])
    assert list(entries) == ["easy_sums", "hard_sums"]
    assert {entry.group for entry in entries.values()} == {"sums"}


@pytest.mark.parametrize(
    "matrix", ["{}", "{level: []}", "{level: easy}", "{level: [[1]]}", "{level: [{a: 1}]}", "3"]
)
def test_wrong_matrix_is_an_error_with_the_file(tmp_path: Path, matrix: str) -> None:
    """Every wrong form is told with the file."""
    with pytest.raises(TaskError, match=r"task\.yaml.*matrix"):
        list_tasks([(write(tmp_path, matrix=matrix), "workspace")])


def test_unknown_placeholder_is_an_error(tmp_path: Path) -> None:
    """A placeholder that the matrix does not have names itself and the nearest."""
    with pytest.raises(TaskError, match=r"'level'.*Did you mean 'levels'"):
        list_tasks([(write(tmp_path, matrix="{levels: [easy]}"), "workspace")])


def test_combinations_in_order() -> None:
    """Two variables give their product, the last one fastest."""
    found = [task_name("t", values) for values in assignments({"a": [1, 2], "b": ["x", "y"]})]
    assert found == ["t_1_x", "t_1_y", "t_2_x", "t_2_y"]


def test_substitution_keeps_types_and_reaches_everywhere() -> None:
    """A whole placeholder keeps its type; inside a text it is text; other text is left alone."""
    values: dict[str, Any] = {"n": 3, "pair": {"name": "de-en", "source": "de"}}
    content = {
        "a": "${{ n }}",
        "b": ["x${{ n }}", {"c": "${{ pair.source }}"}],
        "d": "{{ n }}",
        "e": "${{ pair }}",
    }
    assert substitute(content, values) == {"a": 3, "b": ["x3", {"c": "de"}], "d": "{{ n }}", "e": "de-en"}


def test_a_broken_matrix_or_group_leaves_the_rest_listed(tmp_path: Path) -> None:
    """One wrong file is one task that cannot be loaded; the other tasks are listed, and the cause is said."""
    write(tmp_path, name="broken", matrix="{level: []}")
    (tmp_path / "sums").rename(tmp_path / "broken")
    write(tmp_path)
    (tmp_path / "group.yaml").write_text("name: g\ntasks: 3\n")
    problems: list[str] = []
    folders = [(tmp_path, "workspace")]
    entries = list_tasks(folders, problems=problems)
    assert list_groups(folders, problems) == {}
    assert list(entries) == ["broken", "sums_easy", "sums_hard"]
    assert "not readable" in entries["broken"].description
    assert [Path(problem.split(": ")[0]).name for problem in problems] == ["task.yaml", "group.yaml"]
    with pytest.raises(TaskError, match="matrix"):
        load_task(entries["broken"])
