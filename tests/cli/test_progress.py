"""What a run says while it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.pages.terminal.progress import ProgressBar

TASK = """
name: numbers
language: en
data: {file: samples.jsonl}
target: n
prompts: {plain: "{{ n }}"}
extract: [strip]
metrics: [exact_match]
"""


def test_a_model_that_is_given_up_is_said_once_and_live(tmp_path: Path) -> None:
    """One line on stderr, when it happens; the other model goes on."""
    folder = tmp_path / "tasks" / "numbers"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    rows = [{"id": f"s{n}", "n": str(n)} for n in range(60)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "evalkit", "run", "--models", "mock/error:authentication,mock/echo"]
    done = subprocess.run(
        [*command, "--tasks", "numbers", "--out", "runs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    lines = [line for line in done.stderr.splitlines() if "is not asked any more" in line]
    assert len(lines) == 1
    assert lines[0].startswith("mock/error:authentication is not asked any more: ")


def test_what_a_server_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in a message are shown, not obeyed."""
    ProgressBar().stopped("m", "bad \x1b[31m[bold]key")
    written = capsys.readouterr().err
    assert "\x1b" not in written
    assert "[bold]key" in written
