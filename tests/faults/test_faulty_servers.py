"""Bad weather: servers that fail, refuse, hang or cost money, and what a run makes of them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from served import KEY, set_keys
from server import Call, Fault, Reply, Server, serve

import evalkit
from evalkit.core.errors import EvalkitError
from evalkit.running.executors.local import LocalExecutor, RetryPolicy
from evalkit.store.folders import StoredRun

TASK = """
name: sums
language: en
data: {file: samples.jsonl}
target: answer
prompts: {direct: "What is {{ n }} + {{ n }}?"}
generation: {temperature: 0, max_tokens: 20}
extract: [last_number]
metrics: [exact_match]
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    # Short waits: what is tested is that calls are made again, not how long a user's patience is.
    quick = RetryPolicy(first_wait_s=0.02, longest_wait_s=0.2, total_s=60)
    original = LocalExecutor.__init__
    monkeypatch.setattr(
        LocalExecutor, "__init__", lambda self, **given: original(self, **{**given, "retry": quick})
    )


def project(n: int, server: Server, **settings: Any) -> None:
    """A workspace with a task of `n` sums and the model `m` on the server."""
    folder = Path("tasks/sums")
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    rows = [{"id": f"s{i}", "n": i, "answer": str(2 * i)} for i in range(n)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"model": "hosted_vllm/gpt-4", "api_base": server.url, "api_key_env": "TEST_KEY", **settings}
    Path("evalkit.yaml").write_text(json.dumps({"models": {"m": given}}))


def right(call: Call) -> Reply:
    """The sum."""
    return Reply(str(2 * int(call.prompt.split()[2])))


def run(**options: Any) -> StoredRun:
    """The run of the model on the task."""
    return evalkit.run(models=["m"], tasks=["sums"], **options)


MIX: tuple[tuple[float, Fault], ...] = (
    (0.10, "429"), (0.08, "500"), (0.04, "reset"), (0.03, "truncated"), (0.03, "not-json"),
    (0.02, "empty-choices"), (0.01, "hang"),
)  # fmt: skip
"""Share of the calls -> fault."""


def mix(seed: int) -> Any:
    """A function that draws the fault of each call."""
    rng = random.Random(seed)

    def draw(_: Call) -> Fault | None:
        number = rng.random()
        for share, fault in MIX:
            if number < share:
                return fault
            number -= share
        return None

    return draw


def test_bad_weather_costs_no_sample_and_no_wrong_mark() -> None:
    """31 % of the calls fail in seven ways: all is scored, nothing wrongly, with few extra calls."""
    n = 300
    with serve(right, faults=mix(1)) as server:
        project(n, server)
        started = time.monotonic()
        cell = run(timeout=2).run.cells[0]
        assert server.n_calls <= 1.6 * n + 20
    assert (cell.counts.scored, cell.counts.errors, cell.counts.no_answer) == (n, 0, 0)
    assert cell.metrics["exact_match"].value == 1.0
    assert time.monotonic() - started < 60


def test_limit_of_requests_per_minute_costs_no_sample_and_few_refusals() -> None:
    """A server that lets 40 calls a second in and refuses the others by 429 is asked in its own measure.

    That the allowed rate is used up, and how few calls are refused until it is known, is proven where no
    machine disturbs, in executors/test_rates.py: in seconds of a busy machine it could only be guessed. Here
    the rate must have been found; without it 32 connections would be refused some thousand times.
    """
    n, rate = 240, 40
    with serve(right, rpm=60 * rate, latency=0.005) as server:
        project(n, server)
        stored = run()
    assert stored.run.cells[0].counts.scored == n
    assert server.n_calls <= 4 * n
    assert any("paced" in note for note in stored.run.models["m"].notes)


def test_configured_rate_is_kept_and_nothing_is_refused() -> None:
    """With `rpm` in evalkit.yaml no call is made too early."""
    with serve(right, rpm=60 * 20, latency=0.001) as server:
        project(40, server, rpm=60 * 18)
        cell = run().run.cells[0]
        assert server.n_calls == 40
    assert cell.counts.scored == 40


def test_cost_cap_holds_with_64_calls_in_flight() -> None:
    """What was paid never passes the cap, though 64 calls are open when it is reached."""
    price = {"input": 1e-4, "output": 1e-3}
    with serve(right, latency=0.02) as server:
        project(400, server, price=price)
        stored = run(max_cost=0.5, max_connections=64)
        paid = sum(5 * price["input"] + price["output"] for _ in range(server.n_calls))
        assert 40 < server.n_calls < 400
    assert paid <= 0.5
    cell = stored.run.cells[0]
    assert cell.cost_usd is not None
    assert cell.cost_usd <= 0.5
    assert stored.run.status == "incomplete"


def test_dead_server_is_given_up_once() -> None:
    """A server that goes away in the middle stops its model after few calls, with one message."""
    gone = {"at": 60}
    with serve(right, faults=lambda call: "reset" if call.index >= gone["at"] else None) as server:
        project(2000, server, max_connections=8)
        stored = run()
        assert server.n_calls < 60 + 40 * 10
    assert "in a row failed for one cause" in stored.run.errors["m"]
    assert stored.run.cells[0].counts.scored == 60


def test_the_key_is_in_no_output_and_no_file(tmp_path: Path) -> None:
    """Good, failing and refused runs, with tracebacks, pages and a leaderboard: none shows the key."""
    told: list[str] = []

    def evalkit_run(*words: str) -> None:
        environment = {**os.environ, "EVALKIT_DEBUG": "1", "LITELLM_LOG": "DEBUG"}
        for _ in range(5):
            done = subprocess.run(
                [sys.executable, "-m", "evalkit", *words],
                env=environment, capture_output=True, text=True, timeout=240, check=False,
            )  # fmt: skip
            told.append(f"{words} {done.returncode}\n{done.stdout}{done.stderr}")
            if "no answer within" not in told[-1]:
                return  # a very busy machine, not a finding

    faults: list[Fault | None] = [None, "400", "policy", "context"]
    with serve(right, faults=lambda call: faults[call.index % 4]) as server:
        project(12, server)
        run = ("run", "--models", "m", "--tasks", "sums", "--timeout", "20")
        evalkit_run(*run)
        server.key = "another"  # what it refuses, it echoes
        evalkit_run(*run, "--fresh")
    evalkit_run(*run, "--fresh", "--cache", "/proc/none/cache.db")  # nobody listens, nowhere to write
    evalkit_run("report", "latest")
    evalkit_run("cache", "explain", "s1")
    assert "Traceback" in "".join(told)
    for text in told:
        assert KEY not in text, text
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"run.json", "report.html", "cache.db"} <= {file.name for file in files}
    for file in files:
        assert KEY.encode() not in file.read_bytes(), file


def test_the_key_is_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """After good calls, failed calls and a server that echoes the key it refuses, nothing holds the key."""
    faults: list[Fault | None] = ["400", "429", "500", None, "reset"]
    with serve(right, faults=lambda call: faults[call.index % 5]) as server:
        project(40, server)
        run()
        server.key = "another"
        with pytest.raises(EvalkitError) as refused:
            run(fresh=True)
        server.models = []  # nothing to list: the refusal comes with the first call
        with contextlib.suppress(EvalkitError):
            run(fresh=True)
    printed = capsys.readouterr()
    assert KEY not in f"{printed.out}{printed.err}{refused.value}"
    for file in Path().rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
