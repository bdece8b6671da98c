"""`evalkit run --models gpt-4,llama3` against a real server of the OpenAI protocol, well and unwell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from server import Call, Server, closed_port, serve

from evalkit.store.folders import load_run

KEY = "sk-test-0123456789abcdef-not-to-be-seen"
QUESTIONS = {"What melts?": "ice", "What burns?": "wood", "What flies?": "a bird"}


def configure(folder: Path, url: str, *, llama_url: str | None = None) -> None:
    """Write a task and an evalkit.yaml that serves gpt-4 and llama3 from the test server."""
    task = folder / "tasks" / "verbs"
    task.mkdir(parents=True, exist_ok=True)
    rows = [{"id": str(n), "question": q, "answer": a} for n, (q, a) in enumerate(QUESTIONS.items())]
    (task / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task / "task.yaml").write_text(
        "name: verbs\nlanguage: en\ndata: {file: samples.jsonl}\ntarget: answer\n"
        'prompts: {plain: "{{ question }}"}\ngeneration: {max_tokens: 20}\n'
        "extract: [strip]\nmetrics: [exact_match]\n"
    )
    (folder / "evalkit.yaml").write_text(
        f"models:\n  gpt-4: {{model: openai/gpt-4, api_base: {url}}}\n"
        f"  llama3: {{model: hosted_vllm/llama3, api_base: {llama_url or url}, api_key_env: LLAMA_KEY}}\n"
    )


def run(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The finished `evalkit run` of both models."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    clean |= {"OPENAI_API_KEY": KEY, "LLAMA_KEY": KEY} | env
    clean = {name: value for name, value in clean.items() if value}
    command = [sys.executable, "-m", "evalkit", "run", "--models", "gpt-4,llama3", "--tasks", "verbs", *args]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=120)


def answer(call: Call) -> str:
    """gpt-4 knows the answers; llama3 says something else."""
    return QUESTIONS[call.prompt] if call.body["model"] == "gpt-4" else "a stone"


def listening(**options: object) -> object:
    """The test server, serving both models."""
    return serve(answer, models=("gpt-4", "llama3"), **options)  # type: ignore[arg-type]


def test_two_served_models_side_by_side(tmp_path: Path) -> None:
    """Both models answer the same prompts; tokens, latency and, where the price is known, cost are kept."""
    with listening(key=KEY) as server:
        assert isinstance(server, Server)
        configure(tmp_path, server.url)
        done = run(tmp_path)
        assert done.returncode == 0, done.stderr
        first = len(server.calls)
        again = run(tmp_path)
        assert again.returncode == 0
        assert (first, len(server.calls)) == (6, 6)  # the second run asks nothing
    folders = sorted((tmp_path / "reports").iterdir())
    cells = {cell.model: cell for cell in load_run(folders[0]).run.cells}
    assert cells["gpt-4"].metrics["exact_match"].value == 1.0
    assert cells["llama3"].metrics["exact_match"].value == 0.0
    assert cells["gpt-4"].cost_usd is not None
    assert cells["gpt-4"].cost_usd > 0
    assert cells["llama3"].cost_usd is None  # nobody knows its price
    assert cells["gpt-4"].usage.input is not None
    assert cells["gpt-4"].latency.mean is not None
    report = (folders[0] / "report.html").read_text(encoding="utf-8")
    assert "gpt-4" in report
    assert "llama3" in report


def test_key_is_in_no_file_and_no_line(tmp_path: Path) -> None:
    """Whether the run goes well or the server echoes the key, no file and no output holds it."""
    with listening(key=KEY) as server:
        configure(tmp_path, server.url)
        outputs = [run(tmp_path), run(tmp_path, OPENAI_API_KEY="sk-wrong-0123456789abcdef0123")]
    assert outputs[1].returncode == 2
    texts = [done.stdout + done.stderr for done in outputs]
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    for secret in (KEY, "sk-wrong-0123456789abcdef0123"):
        assert not any(secret in text for text in texts)
        assert not any(secret.encode() in content for content in files)


@pytest.mark.parametrize("missing", ["OPENAI_API_KEY"])
def test_missing_key_is_said_before_anything_is_spent(tmp_path: Path, missing: str) -> None:
    """Without the variable the run ends with 2, names it, and asks nothing."""
    with listening() as server:
        configure(tmp_path, server.url)
        done = run(tmp_path, **{missing: ""})
        assert server.calls == []
    assert done.returncode == 2
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_key_is_said_before_anything_is_spent(tmp_path: Path) -> None:
    """A key that the server refuses ends the run with 2 and one message, without a completion."""
    with listening(key=KEY) as server:
        configure(tmp_path, server.url)
        done = run(tmp_path, OPENAI_API_KEY="sk-another")
        assert server.calls == []
    assert done.returncode == 2
    assert "gpt-4" in done.stderr
    assert "key" in done.stderr
    assert "Traceback" not in done.stderr


def test_dead_port_is_said_in_seconds(tmp_path: Path) -> None:
    """Where nobody listens the run ends with 2 and says where it knocked."""
    with listening() as server:
        configure(tmp_path, server.url, llama_url=f"http://127.0.0.1:{closed_port()}/v1")
        done = run(tmp_path)
        assert server.calls == []
    assert done.returncode == 2
    assert "llama3" in done.stderr
    assert "127.0.0.1" in done.stderr


def test_model_that_the_server_does_not_serve(tmp_path: Path) -> None:
    """A name that is not in the server's list ends the run with 2 and names what is."""
    with serve(answer, models=("gpt-4", "llama-3-8b")) as server:
        configure(tmp_path, server.url)
        done = run(tmp_path)
        assert server.calls == []
    assert done.returncode == 2
    assert "llama-3-8b" in done.stderr


def test_outage_in_the_middle_leaves_an_incomplete_run(tmp_path: Path) -> None:
    """A sample whose call fails for good is unscored; the run says so and ends with 3."""

    def faults(call: Call) -> str | None:
        return "400" if call.prompt == "What burns?" and call.body["model"] == "gpt-4" else None

    with listening(faults=faults) as server:
        configure(tmp_path, server.url)
        done = run(tmp_path)
    assert done.returncode == 3
    assert "incomplete" in done.stdout
    (folder,) = (tmp_path / "reports").iterdir()
    cells = {cell.model: cell for cell in load_run(folder).run.cells}
    assert (cells["gpt-4"].counts.scored, cells["gpt-4"].counts.errors) == (2, 1)
    assert cells["llama3"].counts.scored == 3


def test_cost_cap_stops_before_it_is_passed(tmp_path: Path) -> None:
    """Without room for a call of gpt-4 at its dearest, none is made."""
    with listening() as server:
        configure(tmp_path, server.url)
        done = run(tmp_path, "--max-cost", "0.0005", "--max-connections", "3")
        asked = [call for call in server.calls if call.body["model"] == "gpt-4"]
    assert done.returncode == 3
    assert not asked
