"""Commands that only look run nobody's Python: neither the hooks of a fresh clone nor installed plugins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from factories import write_task

from evalkit.cli import cli

LOOKING = [
    "doctor",
    "--help",
    "run --help",
    "gate --help",
    "tasks list",
    "tasks list --json",
    "tasks list own",
    "tasks schema",
    "metrics",
    "metrics exact_match",
    "models list",
    "completion bash",
    "cache info",
]
"""Command lines that look and do nothing."""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose Python, and that of a plugin beside it, leaves a mark where it is run."""
    mark = f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
    home = tmp_path / "clone"
    hook = mark + "def load_samples(path): return []\n"
    for name in ("own", "sums"):
        write_task(home / "tasks" / name, name=name, code=hook if name == "own" else None)
    for name in ("conftest.py", "setup.py", "evalkit_hooks.py", "sitecustomize.py"):
        (home / name).write_text(mark)
    site = tmp_path / "site"
    (site / "plug/deep").mkdir(parents=True)
    (site / "plug/__init__.py").write_text(mark)
    (site / "plug/deep/__init__.py").write_text(mark)
    write_task(site / "plug/deep/there", name="there", code=mark)
    info = site / "plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    groups = "".join(
        f"[evalkit.{kind}]\nx = plug.deep\n" for kind in ("tasks", "trackers", "metrics", "models")
    )
    (info / "entry_points.txt").write_text(groups)
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    return tmp_path


@pytest.mark.parametrize("line", LOOKING)
def test_no_python_of_others_runs(clone: Path, line: str) -> None:
    """Nothing of the clone and nothing of a plugin is imported."""
    done = CliRunner().invoke(cli, line.split(), standalone_mode=False)
    assert done.exception is None, (done.output, done.exception)
    assert not (clone / "ran").exists()


def test_completion_runs_none_either(clone: Path) -> None:
    """What a shell asks for at each Tab: names of tasks, from their files."""
    from evalkit.cli.completion import complete_names

    found = [item.value for item in complete_names("tasks", "")]
    assert {"own", "sums", "there"} <= set(found)
    complete_names("models", "")
    assert not (clone / "ran").exists()


def test_doctor_names_the_hooks_by_their_files(clone: Path) -> None:
    """A reader learns what a run would run."""
    done = CliRunner().invoke(cli, ["doctor"], standalone_mode=False)
    assert "tasks/own/task.py" in done.output


def test_showing_a_task_runs_what_a_run_would(clone: Path) -> None:
    """`tasks show NAME` is told to look into the task, and imports its hooks."""
    CliRunner().invoke(cli, ["tasks", "show", "own"], standalone_mode=False)
    assert (clone / "ran").exists()
