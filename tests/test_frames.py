"""Runs in Python: frames miss what is unknown, a table's text is text, and runs work inside an event loop."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel
from evalkit.core.errors import CallError
from evalkit.core.records import Request
from evalkit.store.folders import StoredRun


def answer(request: Request) -> str:
    """The sum that is asked for; the sample s1 fails."""
    if request.sample_id == "s1":
        raise CallError("no such model", kind="bad_request", action="fail")
    number = request.messages[-1].text.split()[-2]
    return str(2 * int(number.strip("?+ \nAnswer:") or 0))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRun:
    """A run of two models, one of which fails on a sample."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "tasks/sums")
    return evalkit.run(models=[MockModel(answer, name="<b>m</b>"), "baseline/oracle"], tasks=["sums"])


def test_scores_are_rows(run: StoredRun) -> None:
    """A row for each metric of each cell, with interval, counts and signature; an unknown cost is missing."""
    frame = run.to_pandas()
    assert list(frame["model"]) == ["<b>m</b>", "baseline/oracle"]
    assert list(frame["unscored"]) == [1, 0]
    assert list(frame["headline"]) == [True, True]
    oracle = frame.iloc[1]
    assert (oracle["value"], oracle["n"], oracle["task"]) == (1.0, 6, "sums")
    assert oracle["low"] < 1.0 == oracle["high"]
    assert math.isnan(oracle["latency_mean_s"])


def test_samples_are_rows(run: StoredRun) -> None:
    """A row for each sample with its prompt, answer and scores; a failed call has no score, not zero."""
    frame = run.to_pandas("samples")
    assert len(frame) == 12
    failed = frame[frame["status"] == "error"]
    assert list(failed["sample_id"]) == ["s1"]
    assert failed["score.exact_match"].isna().all()
    assert frame.iloc[6]["target"] == ["0"]
    assert frame.iloc[6]["prompt"] == "Question: What is 0 + 0?\nAnswer:"


def test_table_of_a_notebook_is_text(run: StoredRun) -> None:
    """A model's name is shown as text; the score has its interval, and what was lost stands beside it."""
    html = run._repr_html_()
    assert "<b>m</b>" not in html
    assert "&lt;b&gt;m&lt;/b&gt;" in html
    assert "1 unscored" in html
    assert "<script" not in html


def test_a_run_is_one_line(run: StoredRun) -> None:
    """What a console shows of a run says how far it is, what it holds and where it lies."""
    assert repr(run) == f"<run {run.run.id}: incomplete, 2 models, 1 task, 1 variant, in {run.folder}>"


def test_comparison_in_python(run: StoredRun) -> None:
    """A comparison is a row for each pair, lines of text, and a table whose text is text."""
    found = evalkit.compare(run, by="model")
    (row,) = found.to_pandas().to_dict("records")
    assert (row["base_model"], row["other_model"], row["task"]) == ("<b>m</b>", "baseline/oracle", "sums")
    assert (row["n"], row["n_missing"], row["outcome"]) == (6, 1, "not separable")
    assert row["low"] < row["difference"] < row["high"]
    assert "<b>m</b> → baseline/oracle, exact_match" in str(found)
    html = found._repr_html_()
    assert "&lt;b&gt;m&lt;/b&gt; → baseline/oracle" in html
    assert "<b>m</b>" not in html


def test_verdict_in_python(run: StoredRun) -> None:
    """A gate is a row for each check, its verdict in the first line, and a table that says what decided."""
    gate = evalkit.check_gate(run, baseline=run, tolerance=0.5, target="dataset", allow=["missing"])
    frame = gate.to_pandas()
    assert list(frame["candidate_model"]) == ["<b>m</b>", "baseline/oracle"]
    assert list(frame["change"]) == [0.0, 0.0]
    assert str(gate).splitlines()[0].startswith(f"{gate.verdict.upper()}  ")
    html = gate._repr_html_()
    assert f"<b>{gate.verdict.upper()}</b>" in html
    assert "&lt;b&gt;m&lt;/b&gt;" in html
    assert "target = dataset" in html
    refused = evalkit.check_gate(run, baseline=run)
    assert refused.verdict == "not comparable"
    assert list(refused.to_pandas().columns) == list(frame.columns)
    assert "missing: " in str(refused)


def test_a_run_can_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given as `watcher` hears of the beginning, of each response and of the end."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "tasks/sums")
    heard: list[str] = []

    class Listener(evalkit.ProgressBar):
        def start(self, *args: Any) -> None:
            heard.append("start")

        def update(self) -> None:
            heard.append("update")

        def finish(self) -> None:
            heard.append("finish")

    evalkit.run(models=["baseline/oracle"], tasks=["sums"], watcher=Listener())
    assert (heard[0], heard[-1], heard.count("update")) == ("start", "finish", 6)


def test_a_run_inside_an_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """run_async leaves the loop free; run works there too, as in a notebook's cell."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "tasks/sums")

    async def work() -> tuple[int, StoredRun, StoredRun]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        free = await evalkit.run_async(models=["baseline/oracle"], tasks=["sums"])
        ticking.cancel()
        return ticks, free, evalkit.run(models=["baseline/oracle"], tasks=["sums"])

    ticks, free, blocking = asyncio.run(work())
    assert ticks > 3
    assert free.run.status == blocking.run.status == "complete"


def test_a_value_without_its_n_has_none(run: StoredRun) -> None:
    """Where another tool's number came without a number of samples, the frame misses it: it is not 0."""
    cell = run.run.cells[1]
    name, value = next(iter(cell.metrics.items()))
    bare = replace(cell, metrics={name: replace(value, n=0)})
    frame = StoredRun(replace(run.run, cells=(bare,)), run.folder).to_pandas()
    assert frame["value"].notna().all()
    assert frame["n"].isna().all()
