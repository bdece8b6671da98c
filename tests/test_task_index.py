"""The index of task files: saves time, never decides anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalkit.tasks.discovery import bundled_folder, list_tasks
from evalkit.tasks.discovery import entries as discovery
from evalkit.tasks.index import TaskIndex

FOLDERS = [(bundled_folder(), "bundled")]


def settle(file: Path, age: int = 100) -> None:
    """Make the file old enough to be kept."""
    stamp = file.stat().st_mtime - age
    os.utime(file, (stamp, stamp))


def test_listing_is_the_same_with_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept gives the same entries as the files, matrices included, without opening one."""
    plain = list_tasks(FOLDERS)
    index = TaskIndex(str(tmp_path / "index.json"))
    assert list_tasks(FOLDERS, index) == plain
    index.save()
    monkeypatch.setattr(discovery, "read_entries", None)
    kept = list_tasks(FOLDERS, TaskIndex(str(tmp_path / "index.json")))
    assert kept == plain
    assert list(kept) == list(plain)


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    """Another time or size of a file makes what is kept of it worthless."""
    file = tmp_path / "tasks" / "x" / "task.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("name: x\ndescription: old\n")
    settle(file)
    where = str(tmp_path / "index.json")
    folders = [(tmp_path / "tasks", "workspace")]
    index = TaskIndex(where)
    assert list_tasks(folders, index)["x"].description == "old"
    index.save()
    file.write_text("name: x\ndescription: new\n")
    assert list_tasks(folders, TaskIndex(where))["x"].description == "new"


def test_file_that_just_changed_is_not_kept(tmp_path: Path) -> None:
    """Two changes within a clock tick could not be told apart."""
    file = tmp_path / "task.yaml"
    file.write_text("name: x\n")
    index = TaskIndex(str(tmp_path / "index.json"))
    index.put(str(file), ["x"])
    assert index.get(str(file)) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1, "files": 3}', b'{"format": 99, "files": {}}', b"\xff"]
)
def test_broken_index_is_no_index(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in the file, the tasks are listed."""
    file = tmp_path / "index.json"
    file.write_bytes(content)
    assert "facts_en" in list_tasks(FOLDERS, TaskIndex(str(file)))


def test_wrong_rows_are_read_from_the_file_again(tmp_path: Path) -> None:
    """An index of the right form with wrong content does no harm."""
    index = TaskIndex(str(tmp_path / "index.json"))
    list_tasks(FOLDERS, index)
    for known in index._files.values():
        known[1] = [["only a name"]]
    assert list_tasks(FOLDERS, index) == list_tasks(FOLDERS)


def test_index_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    """A cache folder that is a file, or is missing, costs nothing but time."""
    (tmp_path / "cache").write_text("a file")
    index = TaskIndex(str(tmp_path / "cache" / "index.json"))
    list_tasks(FOLDERS, index)
    index.save()


def test_dates_in_a_matrix_are_not_kept(tmp_path: Path) -> None:
    """What JSON cannot hold is read from the file every time."""
    file = tmp_path / "x" / "task.yaml"
    file.parent.mkdir()
    file.write_text("name: x\nmatrix: {day: [2024-01-02]}\n")
    settle(file)
    index = TaskIndex(str(tmp_path / "index.json"))
    entries = list_tasks([(tmp_path, "workspace")], index)
    assert list(entries) == ["x_2024-01-02"]
    assert index.get(str(file)) is None
