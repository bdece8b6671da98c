"""The folder of a new task runs as it is, and is written nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.core.errors import TaskError
from evalkit.tasks.discovery import list_tasks
from evalkit.workshop.checking import check_tasks
from evalkit.workshop.scaffold import make_task


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["generate", "choice", "perplexity"])
def test_new_task_is_sound_before_anything_is_changed(tmp_path: Path, kind: str, language: str) -> None:
    """Every kind in every language passes all checks, without a warning."""
    folder = make_task(tmp_path / "tasks", "mine", kind, language)
    assert {file.name for file in folder.iterdir()} == {
        "task.yaml",
        "samples.jsonl",
        "few_shot.jsonl",
        "README.md",
    }
    (report,) = check_tasks(list(list_tasks([(tmp_path / "tasks", "workspace")]).values()))
    assert [finding for finding in report.findings if finding.status != "ok"] == []


def test_editor_finds_the_schema(tmp_path: Path) -> None:
    """The first line of task.yaml points at a schema that is there."""
    folder = make_task(tmp_path, "mine")
    first = (folder / "task.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert (folder / first.rpartition("$schema=")[2]).resolve().is_file()


@pytest.mark.parametrize("name", ["", "a b", "../out", "x/y", ".hidden", "a" * 101])
def test_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    """A name never leaves the folder."""
    with pytest.raises(TaskError, match="task name"):
        make_task(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["123", "true", "1e5", "null"])
def test_name_that_yaml_reads_as_something_else_stays_a_name(tmp_path: Path, name: str) -> None:
    """A number or a word of YAML may be a task's name."""
    make_task(tmp_path, name)
    (report,) = check_tasks(list(list_tasks([(tmp_path, "workspace")]).values()))
    assert (report.task, report.status) == (name, "ok")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder that is there is left alone."""
    make_task(tmp_path, "mine")
    (tmp_path / "mine" / "samples.jsonl").write_text("my own work")
    with pytest.raises(TaskError, match="is there already"):
        make_task(tmp_path, "mine")
    assert (tmp_path / "mine" / "samples.jsonl").read_text() == "my own work"
