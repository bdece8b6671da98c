"""Why calls of a run failed is said: the commonest sentence, how many of how many, and a cure that fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.comparing.failures import CURES, find_failures
from evalkit.core.errors import CallError
from evalkit.core.records import Request
from evalkit.models.mock import ERROR_ACTIONS, MockModel
from evalkit.pages.terminal import console
from evalkit.store.folders import StoredRun

N = 30


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(answer: Callable[[Request], Any], **options: Any) -> StoredRun:
    """A run of one mock, whose calls are made one by one."""
    model = MockModel(answer, "mock/m", max_connections=1)
    return evalkit.run(models=[model], tasks=["arithmetic_en"], limit=N, **options)


def shown(stored: StoredRun, capsys: pytest.CaptureFixture[str]) -> str:
    """What the terminal says of the run, without the table, its lines joined."""
    capsys.readouterr()
    console.print_run(stored.run, failures=find_failures(stored))
    return capsys.readouterr().out


def fails(kind: str, message: str = "the server said so") -> CallError:
    """A failed call."""
    return CallError(f"mock/m: {message}", kind=kind, action="fail_sample")


def test_the_commonest_failure_is_told_with_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    """Sentences that differ in numbers alone are one."""
    calls = iter(range(N))

    def answer(request: Request) -> Any:
        n = next(calls)
        if n % 3 == 1:
            return fails("context_length", f"the prompt has {1000 + n} tokens (request req-{n}ab)")
        return fails("bad_request", "temperature must be below 2") if n == 8 else "7"

    stored = run(answer)
    failures = find_failures(stored)
    assert [(each.kind, each.n) for each in failures] == [("context_length", 10), ("bad_request", 1)]
    text = shown(stored, capsys)
    assert "10 of 30: the prompt has 1001 tokens (request req-1ab)" in text
    assert "1 of 30: temperature must be below 2" in text
    assert text.index(CURES["context_length"][:40]) < text.index(CURES["bad_request"][:40])


@pytest.mark.parametrize("kind", [*ERROR_ACTIONS, "exception"])
def test_every_kind_has_its_cure(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After a fixed 400 the same command would fail in the same way; after a timeout it goes on."""
    calls = iter(range(N))
    stored = run(lambda request: fails(kind) if next(calls) == 3 else "7")
    text = shown(stored, capsys)
    assert "1 of 30: the server said so" in text
    if kind in ("authentication", "permission", "not_found"):
        assert "these prompts alone were turned away" in text
        return
    assert CURES[kind] in text
    same = "same command" in text
    assert same is (
        kind not in {"bad_request", "context_length", "permission", "not_found", "unsupported", "litellm"}
    )


@pytest.mark.parametrize("kind", ["bad_request", "timeout", "authentication", "litellm"])
def test_a_stopped_model_is_told_with_its_cause(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of those that were tried; the others were not asked for it."""
    stored = evalkit.run(models=[f"mock/error:{kind}"], tasks=["arithmetic_en"], limit=N)
    (failure,) = find_failures(stored)
    assert failure.kind == kind
    assert 1 <= failure.n < N
    text = shown(stored, capsys)
    assert f"{failure.n} of 30: mock/error:{kind} fails with {kind}, as asked" in text
    assert "was stopped" in text
    assert CURES[kind] in text


def test_few_sentences_are_shown_of_many(capsys: pytest.CaptureFixture[str]) -> None:
    """Three, and how many more there are."""
    calls = iter(range(N))
    words = ("alpha", "beta", "gamma", "delta", "epsilon")

    def answer(request: Request) -> Any:
        n = next(calls)
        return fails("bad_request", words[n % 5]) if n else "7"

    text = shown(run(answer), capsys)
    assert text.count(" of 30: ") == 3
    assert "11 of 30 for other reasons" in text or "12 of 30 for other reasons" in text


def test_a_key_in_a_failure_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What is stored is redacted, and so is what is shown of it."""
    calls = iter(range(N))

    def answer(request: Request) -> Any:
        if next(calls) == 1:
            raise ValueError("key sk-abcdefghijklmnop is wrong")
        return "7"

    assert "abcdefghijklmnop" not in shown(run(answer), capsys)


def test_a_complete_run_has_no_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said where nothing failed."""
    stored = run(lambda request: "7")
    assert find_failures(stored) == []
    assert "same command" not in shown(stored, capsys)


def test_what_was_learnt_from_the_server_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A parameter that was left out stands in the terminal, not in run.json alone."""
    model = MockModel(lambda request: "7", "mock/m", max_connections=1)
    model.notes = ("temperature=0 was left out, as the server asks: only 1 is allowed", "another note")
    stored = evalkit.run(models=[model], tasks=["arithmetic_en"], limit=3)
    text = shown(stored, capsys)
    assert "mock/m: temperature=0 was left out, as the server asks: only 1 is allowed" in text
    assert "another note" not in text
