"""What the tests of this folder share: an empty project, and one listing of the bundled tasks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from evalkit.tasks.discovery import TaskEntry, bundled_folder, list_tasks


@cache
def _listing() -> dict[str, TaskEntry]:
    return list_tasks([(bundled_folder(), "bundled")])


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as the current folder, in which hundreds of task files are not read anew each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "evalkit.running.selection.list_tasks", lambda folders, index=None, problems=None: _listing()
    )
    return tmp_path
