"""Metrics that take long: rated in threads while calls go on, with the same numbers and the same bytes."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest

import evalkit
from evalkit import MockModel
from evalkit.core.errors import MetricError
from evalkit.core.records import Request
from evalkit.metrics import Case
from evalkit.metrics.answers import ExactMatch
from evalkit.metrics.code import CodePasses
from evalkit.store.folders import StoredRun

TASK = """
name: numbers
language: en
data: {file: samples.jsonl}
target: n
prompts: {plain: "{{ n }}"}
extract: [strip]
metrics: [exact_match]
"""
N = 40


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one task of forty samples."""
    folder = tmp_path / "tasks" / "numbers"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    rows = [{"id": f"s{n}", "n": str(n)} for n in range(N)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return tmp_path


class Threads:
    """Where scores were made."""

    names: ClassVar[set[str]] = set()


def make_slow(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.002) -> None:
    """Let exact match take its time, later samples less than earlier ones."""
    plain = ExactMatch.score

    def score(self: ExactMatch, case: Case) -> float | None:
        Threads.names.add(threading.current_thread().name)
        time.sleep(seconds * (1 + (N - int(case.target[0])) % 7))
        return plain(self, case)

    monkeypatch.setattr(ExactMatch, "score", score)
    monkeypatch.setattr(ExactMatch, "slow", True)


def run(out: str, *, cacheable: bool = False) -> StoredRun:
    """The run of a model that is wrong on every fifth sample."""

    def answer(request: Request) -> str:
        number = int(request.messages[0].text)
        return "no" if number % 5 == 0 else str(number)

    model = MockModel(answer, "mock/some", cacheable=cacheable)
    return evalkit.run(models=[model], tasks=["numbers"], out=out, name="x")


def test_threads_change_no_byte(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the run is the same, whether scores are made at once or in threads."""
    fast = run("fast")
    make_slow(monkeypatch)
    slow = run("slow")
    assert {name for name in Threads.names if name.startswith("evalkit-rate")}
    assert "MainThread" not in Threads.names
    names = sorted(file.relative_to(fast.folder) for file in fast.folder.rglob("*") if file.is_file())
    assert names
    for name in names:
        assert (slow.folder / name).read_bytes() == (fast.folder / name).read_bytes(), name


def test_cached_answers_are_rated_side_by_side(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run with every answer in the cache does not wait for one score after the other."""
    run("first", cacheable=True)
    open_now, most = [0], [0]
    plain = ExactMatch.score

    def score(self: ExactMatch, case: Case) -> float | None:
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        time.sleep(0.01)
        open_now[0] -= 1
        return plain(self, case)

    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(ExactMatch, "score", score)
    monkeypatch.setattr(ExactMatch, "slow", True)
    stored = run("second", cacheable=True)
    assert stored.run.cells[0].counts.cached == N
    assert 1 < most[0] <= 4


def test_calls_go_on_while_a_score_is_made(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further questions are asked before the first score is there."""
    asked_meanwhile: list[int] = []
    asked: list[str] = []
    plain = ExactMatch.score

    def score(self: ExactMatch, case: Case) -> float | None:
        if not asked_meanwhile:
            asked_meanwhile.append(-len(asked))
            time.sleep(0.2)
            asked_meanwhile[0] += len(asked)
        return plain(self, case)

    async def answer(request: Request) -> str:
        import asyncio

        await asyncio.sleep(0.01)
        asked.append(request.sample_id)
        return request.messages[0].text

    monkeypatch.setattr(ExactMatch, "score", score)
    monkeypatch.setattr(ExactMatch, "slow", True)
    stored = evalkit.run(models=[MockModel(answer, max_connections=2)], tasks=["numbers"])
    assert stored.run.cells[0].counts.scored == N
    assert asked_meanwhile[0] >= 2


def test_an_error_of_a_metric_ends_the_run_from_a_thread_too(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the metric's defect, and no sample's."""

    def score(self: ExactMatch, case: Case) -> float | None:
        raise MetricError("no such thing")

    monkeypatch.setattr(ExactMatch, "score", score)
    monkeypatch.setattr(ExactMatch, "slow", True)
    with pytest.raises(MetricError, match="no such thing"):
        run("broken")


def test_programs_of_a_model_are_run_in_threads() -> None:
    """The metric that starts a sandbox for every sample says that it is slow."""
    assert CodePasses.slow
