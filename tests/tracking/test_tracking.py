"""Trackers: what they are told, where it goes, and that a failure of theirs never costs a run."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from factories import make_cell, make_run, write_task

import evalkit
from evalkit.core.distribution import install_command
from evalkit.core.errors import UsageError
from evalkit.core.records import MetricValue, Request
from evalkit.models.mock import MockModel
from evalkit.running import runner, session
from evalkit.running.tracking import Tracking, find_trackers
from evalkit.running.tracking.numbers import describe_cell, describe_run, measure_cell
from evalkit.store.folders import RunWriter, StoredRun

FACTS = {"models": "mock/fn", "tasks": "sums", "cells": 1, "seed": 0, "limit": "none"}


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    """A run in its folder, with an unknown cost and a call that failed."""
    writer = RunWriter(tmp_path / "reports" / "20260101-000000")
    run = make_run(command="evalkit run --param api_key=sk-secret-secret-secret-secret")
    writer.write(run)
    return StoredRun(run, writer.folder)


class Recorder:
    """A tracker that keeps what it is told."""

    def __init__(self, breaks: str = "") -> None:
        self.heard: list[str] = []
        self.breaks = breaks

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if what == self.breaks:
            raise ConnectionError("the store is gone, key sk-abcdefghijklmnopqrstuvwxyz0123456789")

    def run_started(self, facts: dict[str, Any]) -> None:
        """Nothing but keeping it."""
        self._hear("started")

    def cell_finished(self, stored: StoredRun, cell: Any) -> None:
        """Nothing but keeping it."""
        self._hear(f"cell {cell.task}")

    def run_finished(self, stored: StoredRun) -> None:
        """Nothing but keeping it."""
        self._hear("finished")


class Progressing(Recorder):
    """The same with progress."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.steps: list[dict[str, float]] = []

    def cell_finished(self, stored: StoredRun, cell: Any) -> None:
        """Whose cell it was."""
        self.cells.append(cell.model)
        super().cell_finished(stored, cell)

    def run_progressed(self, numbers: dict[str, float]) -> None:
        """What there is so far."""
        self.steps.append(numbers)


def test_a_tracker_hears_start_cells_and_end(stored: StoredRun) -> None:
    """In this order."""
    tracker = Recorder()
    tracking = Tracking([("own", tracker)])
    tracking.start(FACTS)
    tracking.finish(stored)
    assert tracker.heard == ["started", "cell sums", "finished"]


def test_a_tracker_that_fails_is_noted_and_the_others_go_on(stored: StoredRun) -> None:
    """The run stands in its folder already; keys in the error are not repeated."""
    broken, well = Recorder("cell sums"), Recorder()
    Tracking([("broken", broken), ("well", well)]).finish(stored)
    assert well.heard == ["cell sums", "finished"]
    assert len(stored.notes) == 1
    assert "'broken'" in stored.notes[0]
    assert "sk-abcdefghij" not in stored.notes[0]


def test_a_tracker_that_cannot_begin_is_told_before_anything_is_spent() -> None:
    """A store that cannot be reached stops the run at its start."""
    with pytest.raises(UsageError, match="tracker 'own' cannot begin: ConnectionError"):
        Tracking([("own", Recorder("started"))]).start(FACTS)


def test_unknown_tracker_is_met_with_the_right_name() -> None:
    """As for every other name."""
    with pytest.raises(UsageError, match="Did you mean 'mlflow'"):
        find_trackers(["mlfow"])


def test_a_missing_library_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cure is one line."""
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "wandb":
            raise ModuleNotFoundError("No module named 'wandb'", name="wandb")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(__import__("sys").modules, "evalkit.running.tracking.wandb_run", raising=False)
    with pytest.raises(UsageError, match=re.escape(install_command("wandb"))):
        find_trackers(["wandb"])


def test_own_trackers_come_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package announces them in the group evalkit.trackers."""
    import importlib.metadata

    class Point:
        name = "own"

        def load(self) -> Any:
            return Recorder

    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: [Point()] if "trackers" in group else []
    )
    ((name, tracker),) = find_trackers(["own"])
    assert (name, type(tracker)) == ("own", Recorder)


def test_unknown_numbers_are_left_out(stored: StoredRun) -> None:
    """Nobody counted the output tokens and nobody knows the price: neither is 0."""
    nothing = MetricValue(None, None, None, None, 0, "exact_match|v:1", True, "fraction")
    numbers = measure_cell(make_cell(metrics={"exact_match": nothing}))
    assert {"exact_match", "cost_usd", "output_tokens"}.isdisjoint(numbers)
    assert numbers["unscored"] == 1


def test_neither_command_line_nor_keys_are_told(stored: StoredRun) -> None:
    """What a run was started with may hold a key."""
    told = {**describe_run(stored.run), **describe_cell(stored.run, stored.run.cells[0])}
    assert "sk-secret" not in str(told)


def test_mlflow_has_the_numbers_of_each_cell(
    stored: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a local store, read back by MLflow's own client: a parent run and a nested run a cell."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    tracking = Tracking(find_trackers(["mlflow"]))
    tracking.start(FACTS)
    tracking.finish(stored)
    assert stored.notes == []
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("evalkit")
    runs = {run.data.tags["evalkit"]: run for run in client.search_runs([experiment.experiment_id])}
    assert runs["cell"].data.metrics["exact_match"] == 0.5
    assert runs["cell"].data.metrics["unscored"] == 1
    assert "cost_usd" not in runs["cell"].data.metrics
    assert runs["cell"].data.params["model"] == "mock/fn"
    assert runs["cell"].data.tags["mlflow.parentRunId"] == runs["run"].info.run_id
    assert runs["run"].info.status == "FINISHED"
    assert "sk-secret" not in str([run.to_dictionary() for run in runs.values()])


def test_a_finished_cell_and_progress_are_told_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second model answers once the tracker has heard of the first one's cell; nothing is told twice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "_TELL_S", 0.02)
    write_task(tmp_path / "tasks" / "sums", name="sums")
    tracker = Progressing()
    monkeypatch.setattr(session, "find_trackers", lambda names: [("own", tracker)])

    async def patient(request: Request) -> str:
        async with asyncio.timeout(60):
            while "cell sums" not in tracker.heard:
                await asyncio.sleep(0.01)
        return "2"

    models = [MockModel(lambda request: "2", name="quick"), MockModel(patient, name="patient")]
    run = evalkit.run(models=models, tasks=["sums"], track=["own"])
    assert run.run.status == "complete"
    assert tracker.heard == ["started", "cell sums", "cell sums", "finished"]
    assert tracker.cells == ["quick", "patient"]
    n = run.run.cells[0].counts.samples
    assert {(each["progress.planned"], each["progress.errors"]) for each in tracker.steps} == {(2.0 * n, 0.0)}
    assert n in {each["progress.results"] for each in tracker.steps}


def test_what_a_tracker_did_not_take_on_the_way_is_told_at_the_end(stored: StoredRun) -> None:
    """A store that was away for a moment has the whole run all the same."""
    tracker = Recorder("cell sums")
    tracking = Tracking([("own", tracker)])
    tracking.follow(stored, {cell.slug: cell.counts.samples for cell in stored.run.cells})
    tracker.breaks = ""
    tracking.finish(stored)
    assert tracker.heard == ["cell sums", "cell sums", "finished"]
    assert stored.notes == []


def test_wandb_keeps_a_run_offline(
    stored: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With WANDB_MODE=offline everything lies on disk."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    tracking = Tracking(find_trackers(["wandb"]))
    tracking.start(FACTS)
    tracking.finish(stored)
    assert stored.notes == []
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    (table,) = (folder / "files" / "media" / "table").glob("*.table.json")
    content = json.loads(table.read_text())
    row = dict(zip(content["columns"], content["data"][0], strict=True))
    assert (row["model"], row["exact_match"], row["unscored"]) == ("mock/fn", 0.5, 1)
    assert "cost_usd" not in row
    assert not (folder / "files" / "requirements.txt").exists()


def test_spans_of_run_and_cells(stored: StoredRun) -> None:
    """The cell's span is a child of the run's, with its scores as attributes."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from evalkit.running.tracking.spans import SpanTracker

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracking = Tracking([("otel", SpanTracker(provider))])
    tracking.start(FACTS)
    tracking.finish(stored)
    assert stored.notes == []
    cell, run = exporter.get_finished_spans()
    assert (cell.name, run.name) == ("evalkit.cell", "evalkit.run")
    assert cell.parent.span_id == run.context.span_id
    assert cell.attributes["gen_ai.request.model"] == "mock/fn"
    assert cell.attributes["evalkit.score.exact_match"] == 0.5
    assert not cell.status.is_ok
    assert "sk-secret" not in cell.to_json() + run.to_json()


def test_spans_need_somewhere_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a provider and an endpoint the tracker says what to set."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        find_trackers(["otel"])
