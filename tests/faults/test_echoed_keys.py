"""Servers that send the key back: whatever they put it into, it is in nothing that is stored or shown."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from odd_server import OddServer, odd
from served import set_keys
from shard_reader import read_shards

import evalkit
from evalkit.api import write_pages
from evalkit.cli import cli
from evalkit.core.redaction import MARK
from evalkit.running.executors.local import LocalExecutor, RetryPolicy
from evalkit.running.workspace import open_workspace
from evalkit.store.cache import Cache
from evalkit.store.folders import StoredRun

KEY = 'sk-svc-Zq7/x+Lk9=0PwR"3tY5uI8oA1sD2fG4hJ6kL'
"""With all that URLs, JSON and base64 have forms of their own for."""
OTHER = "plain0815WithoutShapeEchoed4711"
"""The key of a variable that nobody named."""
PIECES = [
    form[start : start + 14]
    for key in (KEY, OTHER)
    for form in (key, quote(key, safe=""), json.dumps(key)[1:-1], key.encode().hex())
    for start in range(0, len(form) - 13, 4)
] + [
    base64.b64encode(b" " * offset + key.encode())[8:24].decode()
    for key in (KEY, OTHER)
    for offset in range(3)
]
"""Pieces by which the keys are told, in whatever was written."""
TASK = """
name: sums
language: en
data: {file: samples.jsonl}
target: answer
prompts: {direct: "What is {{ n }} + {{ n }}?"}
generation: {temperature: 0, max_tokens: 20}
extract: [strip]
metrics: [exact_match]
"""
KINDS = [
    "answer", "url", "base64", "json", "reasoning", "model", "finish", "tool", "usage", "extra", "refusal",
    "error", "long error", "other", "half", "headers", "broken", "nobody reads it",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("SOME_SERVICE_TOKEN", OTHER)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tasks" / "sums"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    quick = RetryPolicy(max_retries=1, first_wait_s=0.02)
    original = LocalExecutor.__init__
    monkeypatch.setattr(
        LocalExecutor, "__init__", lambda self, **given: original(self, **given | {"retry": quick})
    )
    rows = (json.dumps({"id": kind, "n": n, "answer": kind}) for n, kind in enumerate(KINDS))
    (folder / "samples.jsonl").write_text("\n".join(rows))


def document(**message: Any) -> dict[str, Any]:
    """A reply in OpenAI's form."""
    said = {"role": "assistant", "content": "fine", **message}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "usage":
            {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}  # fmt: skip


def encoded(offset: int) -> str:
    """The key in base64, after so many blanks."""
    return base64.b64encode(b" " * offset + KEY.encode()).decode()


def reply(kind: str) -> tuple[int, bytes]:
    """What the server sends for a sample: the key in one place or another."""
    whole = f"Authorization: Bearer {KEY}"
    made: dict[str, dict[str, Any]] = {
        "answer": document(content=f"Your headers: {whole}."),
        "url": document(content=f"/v1?key={quote(KEY, safe='')}&x=1"),
        "base64": document(content=" ".join(map(encoded, range(3)))),
        "json": document(content=json.dumps({"headers": json.dumps({"authorization": KEY})})),
        "reasoning": document(reasoning_content=f"They sent {KEY}"),
        "model": document() | {"model": f"m {KEY}"},
        "tool": document(content=None, tool_calls=[{"id": KEY, "type": "function",
                         "function": {"name": "f", "arguments": json.dumps({"key": KEY})}}]),
        "usage": document() | {"usage": {"prompt_tokens": KEY, "completion_tokens": 1, "cost": KEY}},
        "extra": document() | {"system_fingerprint": KEY, "headers": {"authorization": whole}, "id": KEY},
        "refusal": document(content=None, refusal=f"I will not tell {KEY}"),
        "other": document(content=OTHER.upper()),
        "half": document(content=f"Bearer {KEY[:24]}"),
        "headers": document(content=f"authorization: Bearer {KEY}\nX-Key: {OTHER}"),
    }  # fmt: skip
    if kind in made:
        return 200, json.dumps(made[kind]).encode()
    if kind == "finish":
        found = document()
        found["choices"][0]["finish_reason"] = f"because {KEY}"
        return 200, json.dumps(found).encode()
    if kind == "broken":
        found = document()
        found["choices"][0] |= {"finish_reason": "error", "error": {"message": "x" * 440 + whole}}
        return 200, json.dumps(found).encode()
    if kind == "nobody reads it":
        return 200, f"<html>{whole}".encode()
    text = f"{'x' * 463}{whole}" if kind == "long error" else f"Incorrect: {whole}"
    return 400, json.dumps({"error": {"message": text, "type": "invalid"}}).encode()


def echo(call: Any) -> tuple[int, bytes]:
    """The reply to the sample that is asked."""
    return reply(KINDS[int(call["messages"][0]["content"].split()[2])])


def configure(server: OddServer) -> None:
    """Nothing; the model `m` is on the server."""
    settings = {"model": "openai/m", "api_base": server.url, "api_key_env": "TEST_KEY"}
    Path("evalkit.yaml").write_text(json.dumps({"models": {"m": settings}}))


def run(server: OddServer, lane: str) -> StoredRun:
    """The run of all samples in a lane."""
    configure(server)
    return evalkit.run(models=["m"], tasks=["sums"], lane=lane)


def check(text: str, where: str) -> None:
    """Nothing; raises where a piece of a key is in the text."""
    found = [piece for piece in PIECES if piece in text]
    assert not found, f"{where}: {found[0]}"


@pytest.mark.parametrize("lane", ["stock", "safe", "fast"])
def test_no_key_is_in_any_file(lane: str, tmp_path: Path) -> None:
    """Samples, run.json, pages with all that is packed into them, exports, and the cache."""
    with odd(echo) as server:
        stored = run(server, lane)
    write_pages(stored, open_workspace(), with_leaderboard=True)
    for name in ("csv", "jsonl", "inspect"):
        CliRunner().invoke(cli, ["export", "latest", "--to", name, "-o", str(tmp_path / f"out.{name}")])
    files = [path for path in tmp_path.rglob("*.*") if path.is_file()]
    texts = {str(path): path.read_bytes().decode("utf-8", "replace") for path in files}
    pages = {
        f"{name}, packed": json.dumps(read_shards(text)) for name, text in texts.items() if "html" in name
    }
    texts |= pages
    kept = Cache(f"sqlite:///{tmp_path}/.evalkit/cache.db")
    texts["cache"] = "".join(f"{row['request']!r}{row['response']!r}" for row in kept.rows())
    kept.close()
    assert len(texts) > 5
    for name, text in texts.items():
        check(text, name)
    by_kind = {row.sample_id: row.response for row in stored.samples(stored.run.cells[0].slug)}
    for kind in ("answer", "url", "base64", "json", "refusal", "other", "half", "headers", "tool"):
        assert MARK in (by_kind[kind].text or ""), kind
    assert MARK in (by_kind["reasoning"].reasoning or "")
    assert MARK in (by_kind["model"].model_reported or "")
    assert MARK in (by_kind["finish"].finish_reason or "")
    assert MARK in by_kind["tool"].tool_calls[0].id
    for kind in ("error", "long error", *(["broken"] if lane != "stock" else [])):
        error = by_kind[kind].error
        assert error is not None
        assert MARK in error.message, kind
    assert any("a key came back" in note for cell in stored.run.cells for note in cell.notes)


def test_the_terminal_says_that_a_key_came_back_and_not_which(tmp_path: Path) -> None:
    """Of a whole command, on both streams; and how often."""
    with odd(echo) as server:
        configure(server)
        command = [
            sys.executable,
            "-m",
            "evalkit",
            "run",
            "--models",
            "m",
            "--tasks",
            "sums",
            "--limit",
            "14",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    check(done.stdout + done.stderr, "terminal")
    assert "a key came back in the reply: it reads [redacted] (" in done.stdout
