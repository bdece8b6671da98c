"""`evalkit run --models gpt-4,llama3` on a real socket, answered with recorded outputs of both models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from server import Call, serve

from evalkit.store.folders import load_run

REPOSITORY = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("EVALKIT_REALDATA") or REPOSITORY.parent / "shared" / "data")
TASKS = Path(__file__).parent / "tasks"
RECORDINGS = {"gpt-4": "gpt4_1106_preview", "llama3": "Meta-Llama-3-8B-Instruct"}

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real benchmark data (EVALKIT_REALDATA)"),
]


def test_alpaca_eval_answers_side_by_side(tmp_path: Path) -> None:
    """100 instructions to two served models: every answer with tokens, latency, and cost where priced."""
    folder = DATA / "alpaca_eval" / "outputs"
    answers = {
        (model, row["instruction"]): row["output"]
        for model, name in RECORDINGS.items()
        for row in json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    }

    def answer(call: Call) -> str:
        return answers[call.body["model"], call.prompt]

    with serve(answer, models=tuple(RECORDINGS), latency=0.01) as server:
        (tmp_path / "evalkit.yaml").write_text(
            f"models:\n  gpt-4: {{model: openai/gpt-4, api_base: {server.url}}}\n"
            f"  llama3: {{model: hosted_vllm/llama3, api_base: {server.url}}}\n"
        )
        command = [sys.executable, "-m", "evalkit", "run", "--models", "gpt-4,llama3", "--limit", "100"]
        command += ["--tasks", "alpaca_recorded", "--include-path", str(TASKS)]
        command += ["--data", f"alpaca_recorded={folder / 'text_davinci_003.json'}"]
        env = {**os.environ, "OPENAI_API_KEY": "sk-none", "HOME": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        assert len(server.calls) == 200
    (run,) = (tmp_path / "reports").iterdir()
    stored = load_run(run)
    cells = {cell.model: cell for cell in stored.run.cells}
    assert cells["gpt-4"].cost_usd is not None
    assert cells["llama3"].cost_usd is None
    for model, cell in cells.items():
        assert cell.counts.scored == 100
        assert cell.usage.output is not None
        assert cell.latency.p95 is not None
        for result in stored.samples(cell.slug):
            text = result.response.text
            assert text == answers[model, result.messages[0].text]
            assert result.response.latency_s is not None
