"""The gate in a project's CI on the command line: real processes, a real server that counts its calls."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from factories import write_rows, write_task
from server import Call, Fault, serve

from evalkit.store.folders import load_run

N = 200
ROWS = [{"id": f"s{n}", "question": f"{n} + {n}", "answer": str(2 * n)} for n in range(N)]


def evalkit(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The finished command in a folder, with nothing of the tester's environment."""
    clean = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OPENAI_API_KEY": "sk-test",
        **env,
    }
    return subprocess.run(
        [sys.executable, "-m", "evalkit", *args],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
    )


def configure(folder: Path, url: str) -> None:
    """A project with a task of 200 sums, and a model on the test server."""
    write_task(
        folder / "tasks" / "sums",
        ROWS,
        prompts={"plain": "{{ question }} ="},
        generation={"max_tokens": 8},
        extract=["strip"],
    )
    (folder / "evalkit.yaml").write_text(f"models:\n  m: {{model: openai/gpt-4, api_base: {url}}}\n")


def answering(share: Callable[[str], float]) -> Callable[[Call], str]:
    """A server that is right on a share of the samples, which depends on the prompt; always the same ones."""

    def answer(call: Call) -> str:
        question = call.prompt.removeprefix("Be brief. ").removesuffix(" =")
        right = random.Random(question).random() < share(call.prompt)
        return str(2 * int(question.split()[0])) if right else "no idea"

    return answer


def completions(calls: list[Call]) -> int:
    """Calls for an answer, listings left out."""
    return sum(1 for call in calls if call.body)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose baseline is accepted: 90 % right. Made once, and copied for each test."""
    folder = tmp_path_factory.mktemp("accepted")
    with serve(answering(lambda prompt: 0.9), models=("gpt-4",)) as server:
        configure(folder, server.url)
        done = evalkit(folder, "run", "-m", "m", "-t", "sums", "-q", "--name", "main")
        assert done.returncode == 0, done.stderr
    done = evalkit(folder, "gate", "--bless", "latest", "--baseline", "base", "--reason", "first release")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def project(accepted: Path, tmp_path: Path) -> Path:
    """A copy of the accepted project."""
    shutil.copytree(accepted, tmp_path / "project")
    return tmp_path / "project"


def gate(project: Path, url: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The gate on the model as it is served now."""
    (project / "evalkit.yaml").write_text(f"models:\n  m: {{model: openai/gpt-4, api_base: {url}}}\n")
    return evalkit(project, "gate", "--baseline", "base", *args, **env)


def test_an_unchanged_model_is_let_through(project: Path) -> None:
    """With a tolerance an unchanged model passes; without, it is inconclusive with a loud warning: exit 0."""
    with serve(answering(lambda prompt: 0.9), models=("gpt-4",)) as server:
        passed = gate(project, server.url, "--tolerance", "0.05")
        unsure = gate(project, server.url)
        strict = gate(project, server.url, "--strict")
    assert passed.returncode == 0, passed.stderr
    assert passed.stdout.startswith(" PASS ")
    assert unsure.returncode == 0
    assert "WARNING" in unsure.stderr
    assert strict.returncode == 3


def test_a_worse_prompt_fails_and_the_samples_are_named(project: Path) -> None:
    """A prompt made worse is a difference to be allowed, then exit 1, in every form of output."""
    write_task(
        project / "tasks" / "sums",
        ROWS,
        prompts={"plain": "Be brief. {{ question }} ="},
        generation={"max_tokens": 8},
        extract=["strip"],
    )
    summary = project / "summary.md"
    summary.write_text("before\n")
    with serve(answering(lambda p: 0.7 if p.startswith("Be brief") else 0.9), models=("gpt-4",)) as server:
        refused = gate(project, server.url, "--tolerance", "0.02")
        assert completions(server.calls) == 0  # found out before anything was spent
        failed = gate(
            project,
            server.url,
            *("--tolerance", "0.02", "--allow", "prompt"),
            *("--junit", "out/junit.xml", "--markdown", "out/comment.md", "--json"),
            GITHUB_STEP_SUMMARY=str(summary),
        )
    assert refused.returncode == 4
    assert "prompt" in refused.stdout
    assert "--allow prompt" in refused.stdout
    assert failed.returncode == 1, failed.stderr
    verdict = json.loads(failed.stdout)
    assert verdict["verdict"] == "fail"
    named = {change["sample_id"] for change in verdict["checks"][0]["newly_failed"]}
    expected = {r["id"] for r in ROWS if 0.7 <= random.Random(r["question"]).random() < 0.9}
    assert named == expected
    root = ET.parse(project / "out" / "junit.xml").getroot()
    assert root.find("testsuite/testcase/failure") is not None
    assert (project / "out" / "comment.md").read_text().startswith("### ❌")
    assert summary.read_text().startswith("before\n### ❌")


def test_two_percent_of_failed_calls_change_no_verdict(project: Path) -> None:
    """Calls that fail for good are taken at their worst: pass or inconclusive, never a false alarm."""
    broken = {f"{n} + {n} =" for n in range(0, N, 50)}

    def fault(call: Call) -> Fault | None:
        return "context" if call.body and call.prompt in broken else None

    with serve(answering(lambda prompt: 0.9), models=("gpt-4",), faults=fault) as server:
        done = gate(project, server.url, "--tolerance", "0.02", "--json")
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["verdict"] in ("pass", "inconclusive")
    assert verdict["checks"][0]["n_missing"] == 4


def test_an_edited_data_file_is_not_comparable(project: Path) -> None:
    """One edited row is exit 4, named, and costs no call."""
    rows = [dict(row) for row in ROWS]
    rows[7]["answer"] = "fourteen"
    write_rows(project / "tasks" / "sums" / "samples.jsonl", rows)
    with serve(answering(lambda prompt: 0.9), models=("gpt-4",)) as server:
        done = gate(project, server.url, "--tolerance", "0.05", "--junit", "junit.xml")
        assert completions(server.calls) == 0
    assert done.returncode == 4
    assert "data" in done.stdout
    assert ET.parse(project / "junit.xml").getroot().find("testsuite/testcase/error") is not None


def test_an_early_stop_saves_what_it_says(project: Path) -> None:
    """A broken model is stopped early; the server has counted what the gate says it asked."""
    with serve(answering(lambda prompt: 0.3), models=("gpt-4",), latency=0.02) as server:
        done = gate(
            project,
            server.url,
            *("--early-stop", "fail", "--tolerance", "0.02", "--max-connections", "4", "--json"),
        )
        counted = completions(server.calls)
    assert done.returncode == 1, done.stderr
    verdict = json.loads(done.stdout)
    calls = verdict["calls"]
    assert verdict["stopped_early"]
    assert calls["saved"] == N - calls["asked"] > N / 2
    assert counted - calls["asked"] in (0, 1)  # preflight may ask once
    stopped = load_run(verdict["folder"])
    blessed = evalkit(project, "gate", "--bless", stopped.run.id, "--baseline", "base", "--reason", "x")
    assert blessed.returncode == 2
    assert "stopped early" in blessed.stderr


def test_wrong_use_is_exit_2(project: Path) -> None:
    """What cannot be meant is said, and never a verdict."""
    for args, word in (
        (["latest", "--baseline", "nowhere"], "nowhere"),
        (["latest", "--baseline", "base", "--tolerance", "much"], "tolerance"),
        (["latest", "--baseline", "base", "--allow", "dta"], "dta"),
        (["latest", "--baseline", "base", "--models", "m"], "--models"),
        (["latest"], "baseline"),
        (["--bless", "latest", "--baseline", "base"], "--reason"),
    ):
        done = evalkit(project, "gate", *args)
        assert (done.returncode, word in done.stderr) == (2, True), (args, done.stderr)
        assert "Traceback" not in done.stderr


def test_the_loop_from_failures_to_a_task(project: Path) -> None:
    """compare, plan and badcases work on the same runs."""
    done = evalkit(project, "gate", "--baseline", "base", "--plan", "--tolerance", "0.05")
    assert done.returncode == 0
    assert "n to pass" in done.stdout
    done = evalkit(project, "badcases", "latest", "-o", "tasks/hard")
    assert done.returncode == 0, done.stderr
    assert (project / "tasks" / "hard" / "task.yaml").is_file()
    done = evalkit(project, "compare", "base", "latest", "--by", "run", "-o", "c.html")
    assert done.returncode == 0, done.stderr
    assert "0.0" in done.stdout
    assert (project / "c.html").is_file()


@pytest.mark.parametrize(("share", "code", "verdict"), [(0.9, 0, "pass"), (0.5, 1, "fail")])
def test_the_github_action_runs_as_shell_steps(tmp_path: Path, share: float, code: int, verdict: str) -> None:
    """The script of action.yml, as GitHub would run it: exit code, outputs, summary and files."""
    action = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text())
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "gate")
    write_task(tmp_path / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }} ="})
    for name, right in (("main", 0.9), ("new", share)):
        outputs = [
            {"id": r["id"], "output": r["answer"] if random.Random(r["id"]).random() < right else "no"}
            for r in ROWS
        ]
        write_rows(tmp_path / f"{name}.jsonl", outputs)
    assert evalkit(tmp_path, "run", "-m", "replay/main.jsonl", "-t", "sums", "-q").returncode == 0
    blessed = evalkit(tmp_path, "gate", "--bless", "latest", "--baseline", "base.zip", "--reason", "first")
    assert blessed.returncode == 0, blessed.stderr
    values = {name: field.get("default", "") for name, field in action["inputs"].items()}
    values |= {
        "baseline": "base.zip",
        "models": "replay/new.jsonl",
        "tolerance": "0.05 sums:exact_match=0.04",
    }
    env = {name: values[text.split("inputs.")[1].split(" ")[0]] for name, text in step["env"].items()}
    command = tmp_path / "bin" / "evalkit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m evalkit "$@"\n')
    command.chmod(0o755)
    clean = {
        "PATH": f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(bash, cwd=tmp_path, env=clean | env, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    assert (tmp_path / "output").read_text() == f"verdict={verdict}\nexit-code={code}\n"
    assert (tmp_path / "summary").read_text().startswith("### ")
    assert ET.parse(tmp_path / "evalkit-gate.xml").getroot().tag == "testsuites"
