"""What other people's CI takes from this repository: the action, GitLab's template, the pre-commit hook."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest
import yaml
from documents import ROOT, blocks

from evalkit.cli import cli
from evalkit.core.distribution import REPOSITORY
from evalkit.workshop.starter import start_workspace

SPEC, JOBS = yaml.safe_load_all((ROOT / "ci/gitlab.yml").read_text(encoding="utf-8"))
INPUTS = SPEC["spec"]["inputs"]
JOB = JOBS["evalkit-gate"]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
PAGE = list(blocks((ROOT / "docs/ci.md").read_text(encoding="utf-8")))


def yaml_of(word: str) -> Any:
    """The YAML block of the page of CI in which a word stands."""
    (found,) = [block.body for block in PAGE if block.language == "yaml" and word in block.body]
    return yaml.safe_load(found)


class Notes(BaseHTTPRequestHandler):
    """GitLab's address for comments; keeps what was sent."""

    got: ClassVar[list[tuple[str, str | None, str]]] = []

    def do_POST(self) -> None:
        """Keep path, token and text."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        text = urllib.parse.parse_qs(body)["body"][0]
        self.got.append((self.path, self.headers["PRIVATE-TOKEN"], text))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a baseline, and evalkit as a command beside it."""
    folder = tmp_path_factory.mktemp("project")
    start_workspace(folder)
    with contextlib.chdir(folder):
        for words in (
            "run -q -m baseline/oracle",
            "gate --bless latest --baseline reports/baseline --reason x",
        ):
            assert cli.main(words.split(), standalone_mode=False) == 0
    command = folder.parent / "bin" / "evalkit"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m evalkit "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.mark.parametrize(("models", "code", "title"), [("", 0, "PASS"), ("baseline/majority", 1, "FAIL")])
def test_template_of_gitlab_runs(workspace: Path, models: str, code: int, title: str) -> None:
    """Its script ends with the verdict's code, leaves both files, and comments where it has a token."""
    given = {"models": models, "tolerance": "0.05 ticket_topic:accuracy=0.04", "target": "dataset"}
    values = {name: given.get(name, field["default"]) for name, field in INPUTS.items()}
    variables = {
        name: re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", lambda match: values[match[1]], text)
        for name, text in JOB["variables"].items()
    }
    server = HTTPServer(("127.0.0.1", 0), Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": f"{workspace.parent / 'bin'}:{os.environ['PATH']}",
        "HOME": str(workspace.parent),
        "LANG": "C.UTF-8",
        "EVALKIT_COMMENT_TOKEN": "glpat-test",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PROJECT_ID": "42",
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
    }
    Notes.got.clear()
    try:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", JOB["script"][-1]],
            cwd=workspace,
            env=environment | variables,
            capture_output=True,
            text=True,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == code, done.stdout + done.stderr
    assert title in done.stdout
    assert (workspace / JOB["artifacts"]["reports"]["junit"]).is_file()
    comment = (workspace / JOB["artifacts"]["paths"][0]).read_text(encoding="utf-8")
    assert Notes.got == [("/api/v4/projects/42/merge_requests/7/notes", "glpat-test", comment)]


def words_of(script: str, folder: Path, given: dict[str, str]) -> tuple[int, list[str]]:
    """The exit code of a script, and the arguments with which it calls evalkit."""
    command = folder / "bin/evalkit"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/words\n')
    command.chmod(0o755)
    (folder / "words").write_text("")
    (folder / "a:b=0.1").write_text("a file that a pattern would find")
    environment = {"PATH": f"{command.parent}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(folder / "out")}
    variables = {name.upper().replace("-", "_"): value for name, value in given.items()}
    bash = ["bash", "-eo", "pipefail", "-c", script]
    done = subprocess.run(bash, cwd=folder, env=environment | variables, capture_output=True)
    return done.returncode, (folder / "words").read_text().splitlines()


@pytest.mark.parametrize("where", ["github", "gitlab"])
def test_every_input_reaches_the_gate(where: str, tmp_path: Path) -> None:
    """Tolerances on several lines, patterns, contradictions: the gate judges all; strict is a truth."""
    inputs = ACTION["inputs"] if where == "github" else INPUTS
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "gate"]
    script = step["run"] if where == "github" else JOB["script"][-1]
    values = {name: str(field.get("default", "")) for name, field in inputs.items()}
    given = {"baseline": "b", "tolerance": "0.02\n*:b=0.1  t:m=0.3", "models": "m", "early-stop": "fail"}
    given |= {"strict": "true", "allow": "prompt"} | ({"run": "r"} if where == "github" else {})
    code, words = words_of(script, tmp_path, values | given)
    assert code == 0
    for pair in (["--tolerance", "0.02"], ["--tolerance", "*:b=0.1"], ["--tolerance", "t:m=0.3"]):
        assert pair in [words[n : n + 2] for n in range(len(words))]
    for pair in (["--models", "m"], ["--early-stop", "fail"], ["--allow", "prompt"]):
        assert pair in [words[n : n + 2] for n in range(len(words))]
    assert "--strict" in words
    assert where == "gitlab" or "r" in words
    for bad in ("yes", "True", "1", ""):
        assert words_of(script, tmp_path, values | given | {"strict": bad}) == (2, [])


def test_inputs_are_used_and_explained() -> None:
    """Each input of action and template reaches its script, has a description, and there is no other."""
    for inputs, text in ((INPUTS, str(JOBS)), (ACTION["inputs"], str(ACTION["runs"]))):
        assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(inputs)
        assert all(field["description"].endswith(".") for field in inputs.values())
    ours = {"run", "python-version"}
    theirs = {"image", "stage", "lock"}
    assert set(ACTION["inputs"]) - ours == set(INPUTS) - theirs


def test_page_gives_inputs_that_there_are() -> None:
    """What the page of CI hands to action, template and hook is what they take."""
    steps = yaml_of(f"{REPOSITORY}@v1")["jobs"]["gate"]["steps"]
    (used,) = [step for step in steps if step.get("uses", "").startswith(f"{REPOSITORY}@")]
    assert set(used["with"]) <= set(ACTION["inputs"])
    (include,) = yaml_of("ci/gitlab.yml")["include"]
    assert set(include["inputs"]) <= set(INPUTS)
    (repository,) = yaml_of("hooks:")["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in HOOKS]


def test_hook_runs_a_command_that_there_is_for_files_that_matter() -> None:
    """The hook's entry is a command of evalkit; tasks, prompts and configuration call for it, others not."""
    (hook,) = HOOKS
    command: Any = cli
    for word in shlex.split(hook["entry"])[1:]:
        command = command.get_command(click.Context(command), word)
    command.make_context("check", ["support_*"]).close()
    for path, runs in (
        ("tasks/support/task.yaml", True),
        ("evaluations/tasks/support/samples.jsonl", True),
        ("prompts/careful.yaml", True),
        ("evalkit.yaml", True),
        ("src/app.py", False),
        ("mytasks/a.yaml", False),
    ):
        assert bool(re.search(hook["files"], path)) == runs, path
