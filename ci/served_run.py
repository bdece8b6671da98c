"""`evalkit run` on the test server, as a user would: every route and lane answers, and only evalkit speaks.

    python ci/served_run.py

Ends with 1 where a call failed or something that is not ours stands on the terminal.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from server import serve  # noqa: E402

ROUTES = (
    "openai/gpt-4",
    "hosted_vllm/llama",
    "anthropic/claude-3-opus-20240229",
    "gemini/gemini-2.5-flash",
    "ollama_chat/llama3",
    "mistral/mistral-small-latest",
    "deepseek/deepseek-chat",
    "openrouter/meta/llama",
    "azure/gpt-4",
)
NATIVE = ("anthropic", "gemini", "ollama_chat", "azure")
"""Providers whose address has no /v1."""
SAMPLES = 5


def main() -> int:
    """0 when every lane answered every sample of every route; prints a line for each lane."""
    lanes = [lane for lane in ("stock", "safe", "fast", "auto") if lane in _help()]
    bad = 0
    models = [route.partition("/")[2] for route in ROUTES]
    with serve(lambda call: "42", models=models) as server:
        for lane in lanes or [""]:
            problems = run(server.url, lane)
            bad += bool(problems)
            print(f"evalkit run, litellm {version('litellm')}, lane {lane}: {problems or 'all answered'}")
    return int(bad > 0)


def _help() -> str:
    """What `evalkit run` says of its option for lanes; empty where it has none."""
    done = subprocess.run([sys.executable, "-m", "evalkit", "run", "--help"], capture_output=True, text=True)
    return " ".join(re.findall(r"--lane\b.*", done.stdout))


def run(url: str, lane: str) -> str:
    """What went wrong with one run of all routes in a lane; empty when nothing did."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_workspace(folder, url)
        command = [sys.executable, "-m", "evalkit", "run", "--tasks", "sums", "--name", "served"]
        command += [
            "--models",
            ",".join(alias(route) for route in ROUTES),
            *(["--lane", lane] if lane else []),
        ]
        done = subprocess.run(
            command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300
        )
        foreign = [
            line for line in done.stderr.splitlines() if re.search(r"Warning\b|Traceback|LiteLLM|httpx", line)
        ]
        if done.returncode or foreign:
            return f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        (file,) = folder.glob("reports/*/run.json")
        return ", ".join(unanswered(json.loads(file.read_text(encoding="utf-8"))))


def unanswered(run: Mapping[str, Any]) -> list[str]:
    """The models of which not every sample is there and right."""
    cells = run["cells"]
    right = [
        cell["model"]
        for cell in cells
        if cell["metrics"]["exact_match"]["value"] == 1.0 and cell["counts"]["scored"] == SAMPLES
    ]
    return sorted({alias(route) for route in ROUTES} - set(right))


def alias(route: str) -> str:
    """A name for a route in evalkit.yaml."""
    return route.partition("/")[0].replace("_", "-")


def write_workspace(folder: Path, url: str) -> None:
    """A task of a few sums, and a model for each route on the server."""
    task = folder / "tasks" / "sums"
    task.mkdir(parents=True)
    rows = [{"id": str(n), "question": f"{n} + {42 - n}?", "answer": "42"} for n in range(SAMPLES)]
    (task / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task / "task.yaml").write_text(
        "name: sums\nlanguage: en\ndata: {file: samples.jsonl}\ntarget: answer\n"
        'prompts: {plain: "{{ question }}"}\ngeneration: {max_tokens: 20}\n'
        "extract: [strip]\nmetrics: [exact_match]\n"
    )
    lines = ["models:"]
    for route in ROUTES:
        provider = route.partition("/")[0]
        base = url.removesuffix("/v1") if provider in NATIVE else url
        version = ", api_version: '2024-06-01'" if provider == "azure" else ""
        lines.append(
            f"  {alias(route)}: {{model: {route}, api_base: '{base}', api_key_env: SERVER_KEY{version}}}"
        )
    (folder / "evalkit.yaml").write_text("\n".join(lines) + "\n")


def environment(folder: Path) -> dict[str, str]:
    """The user's surroundings, with nothing of evalkit in them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVALKIT_")}
    return kept | {
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "SERVER_KEY": "sk-test-0123456789",
    }


if __name__ == "__main__":
    sys.exit(main())
