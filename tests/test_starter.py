"""`evalkit init`: a workspace that works at once; its README, followed to the letter, ends green."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from evalkit.core.errors import UsageError
from evalkit.running.workspace import open_workspace
from evalkit.workshop.starter import CI_FILES, HOME, LANGUAGES, start_workspace

EVALKIT = [sys.executable, "-m", "evalkit"]


def commands_of(text: str) -> list[list[str]]:
    """The commands that a page tells its reader to type: the lines with a dollar in its console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line[2:]) for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What a command of evalkit prints in a folder, without settings from outside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVALKIT_")}
    return subprocess.run(
        [*EVALKIT, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(("language", "n_commands"), [("en", 11), ("zh", 3)])
def test_readme_followed_to_the_letter_ends_green(tmp_path: Path, language: str, n_commands: int) -> None:
    """Every command of the README exits with 0, in its order, in the folder that init made.

    In Chinese the first three: the others are the same, as another test says.
    """
    start_workspace(tmp_path, language)
    commands = commands_of((tmp_path / "README.md").read_text(encoding="utf-8"))[:n_commands]
    assert len(commands) == n_commands
    for command in commands:
        assert command[0] == "evalkit"
        done = call(command, tmp_path)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    if language == "en":
        assert (tmp_path / "reports/baseline/run.json").exists()
        assert (tmp_path / "tasks/ticket_topic_hard/task.yaml").exists()


def test_ci_file_runs(tmp_path: Path) -> None:
    """The commands of both CI files pass in the workspace once it has a baseline."""
    start_workspace(tmp_path)
    for words in ("run", "gate --bless latest --baseline reports/baseline --reason first"):
        assert call(["evalkit", *words.split()], tmp_path).returncode == 0
    github = yaml.safe_load((HOME / "files/github.yml").read_text())["jobs"]["gate"]["steps"]
    gitlab = yaml.safe_load((HOME / "files/gitlab.yml").read_text())["evalkit"]["script"]
    runs = [step["run"] for step in github if step.get("run", "").startswith("evalkit ")]
    assert runs == [line for line in gitlab if line.startswith("evalkit ")]
    for line in runs:
        done = call(shlex.split(line), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "gate.md").exists()
    assert (tmp_path / "gate.xml").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_say_the_same(language: str) -> None:
    """Each workspace has the same files and the same commands, and its configuration is read."""
    files = [
        {str(file.relative_to(HOME / name)) for file in (HOME / name).rglob("*") if file.is_file()}
        for name in LANGUAGES
    ]
    assert files[0] == files[1]
    kinds = [
        [words[1] for words in commands_of((HOME / name / "README.md").read_text(encoding="utf-8"))]
        for name in LANGUAGES
    ]
    assert kinds[0] == kinds[1]
    assert open_workspace(HOME / language).defaults["tasks"] == ("ticket_topic",)


@pytest.mark.parametrize("ci", ["github", "gitlab", "none"])
def test_ci_service_can_be_chosen(tmp_path: Path, ci: str) -> None:
    """One CI file is written, that of the service, or none."""
    written = {str(file) for file in start_workspace(tmp_path, ci=ci)}
    assert written & set(CI_FILES.values()) == ({CI_FILES[ci]} if ci in CI_FILES else set())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there already stops everything, before a byte is written."""
    (tmp_path / "evalkit.yaml").write_text("run: {tasks: [mine]}\n")
    with pytest.raises(UsageError, match=r"evalkit\.yaml already"):
        start_workspace(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["evalkit.yaml"]


def test_secrets_stay_out_of_git(tmp_path: Path) -> None:
    """git sees the example of .env and the baseline, never .env, the cache or other runs."""
    start_workspace(tmp_path)
    for name in (".env", ".evalkit/cache.db", "reports/x/run.json", "reports/baseline/run.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {".env.example", "reports/baseline/run.json", "evalkit.yaml"} <= set(listed)
    assert not {".env", ".evalkit/cache.db", "reports/x/run.json"} & set(listed)


def test_ci_file_stands_where_the_service_looks(tmp_path: Path) -> None:
    """In a folder of a repository the file is written at its root, and works in the folder."""
    (tmp_path / ".git").mkdir()
    written = start_workspace(tmp_path / "quality/evals")
    assert Path("../../.github/workflows/evalkit.yml") in written
    job = yaml.safe_load((tmp_path / ".github/workflows/evalkit.yml").read_text())["jobs"]["gate"]
    assert job["defaults"]["run"]["working-directory"] == "quality/evals"
    (cache,) = [step["with"]["path"] for step in job["steps"] if "cache" in step.get("uses", "")]
    assert cache == "quality/evals/.evalkit"
    assert [step["if"] for step in job["steps"] if "if" in step] == [
        "always() && hashFiles('quality/evals/gate.md') != ''"
    ]


def test_ci_file_of_another_workspace_is_not_overwritten(tmp_path: Path) -> None:
    """A second workspace of a repository leaves the first one's CI file alone, and says how to go on."""
    (tmp_path / ".git").mkdir()
    start_workspace(tmp_path / "a")
    with pytest.raises(UsageError, match=r"evalkit\.yml already.*--ci none"):
        start_workspace(tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert start_workspace(tmp_path / "b", ci="none")


def test_gitlab_file_is_included_where_there_is_one(tmp_path: Path) -> None:
    """A .gitlab-ci.yml of the repository stays as it is; ours stands in the folder, ready to be included."""
    (tmp_path / ".git").mkdir()
    start_workspace(tmp_path / "a", ci="gitlab")
    own = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())["evalkit"]
    start_workspace(tmp_path / "b", ci="gitlab")
    included = yaml.safe_load((tmp_path / "b/.gitlab-ci.yml").read_text())["evalkit"]
    for job, folder in ((own, "a"), (included, "b")):
        assert job["before_script"] == [f"cd {folder}"]
        assert job["cache"]["paths"] == [f"{folder}/.evalkit"]
        assert job["artifacts"]["paths"] == [f"{folder}/gate.md"]
        assert job["artifacts"]["reports"]["junit"] == f"{folder}/gate.xml"
