"""Small, complete records and task folders, so that a test names only what it is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from evalkit.core.records import (
    CellResult,
    Counts,
    Latency,
    Message,
    MetricValue,
    ModelInfo,
    Request,
    Response,
    Run,
    Sample,
    SampleResult,
    TaskInfo,
    Usage,
)
from evalkit.models.settings import ModelSettings
from evalkit.tasks.discovery import TaskEntry
from evalkit.tasks.task import Task, load_task

ROWS = [{"id": f"s{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(6)]
"""Six samples of a task with the columns `question` and `answer`."""


def task_fields(**changes: Any) -> dict[str, Any]:
    """The content of a small valid task.yaml; a change to None leaves the key out."""
    fields = {
        "name": "sums",
        "language": "en",
        "data": {"file": "samples.jsonl"},
        "target": "answer",
        "prompts": {"direct": "Question: {{ question }}\nAnswer:"},
        "metrics": ["exact_match"],
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not None}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """The file, written as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_task(
    folder: Path, rows: Iterable[Mapping[str, Any]] = ROWS, *, code: str | None = None, **changes: Any
) -> Path:
    """The task.yaml of a new task folder with these samples, and with `code` as its task.py."""
    write_rows(folder / "samples.jsonl", rows)
    if code is not None:
        (folder / "task.py").write_text(code, encoding="utf-8")
    file = folder / "task.yaml"
    file.write_text(yaml.safe_dump(task_fields(**changes), allow_unicode=True, sort_keys=False), "utf-8")
    return file


def entry(file: Path, origin: str = "workspace") -> TaskEntry:
    """The listing's entry of a task file."""
    return TaskEntry(file.parent.name, file, origin, "", "en", "generate", ())


def make_task(
    folder: Path, rows: Iterable[Mapping[str, Any]] = ROWS, *, code: str | None = None, **changes: Any
) -> Task:
    """The loaded task of a new folder."""
    return load_task(entry(write_task(folder, rows, code=code, **changes)))


def make_sample(id: str = "s1", **fields: Any) -> Sample:
    """A sample with one target."""
    return Sample(id, {"question": "6 x 7?", "answer": "42"}, ("42",), **fields)


def make_request(text: str = "6 x 7?", **fields: Any) -> Request:
    """A generate request with one user message."""
    return Request(**{"kind": "generate", "model": "mock/fn", "messages": (Message("user", text),), **fields})


def make_result(sample_id: str = "s1", text: str = "42", **fields: Any) -> SampleResult:
    """A scored result."""
    values: dict[str, Any] = {
        "sample_id": sample_id,
        "repeat": 0,
        "request_digest": "d" * 64,
        "messages": (Message("user", "6 x 7?"),),
        "target": ("42",),
        "choices": (),
        "response": Response(text=text),
        "answer": text,
        "rule": "identity",
        "span": (0, len(text)),
        "scores": {"exact_match": 1.0},
        "stats": {},
    }
    return SampleResult(**{**values, **fields})


def make_cell(slug: str = "m__t__v", **fields: Any) -> CellResult:
    """The result of a cell with one metric."""
    value = MetricValue(0.5, 0.1, (0.3, 0.7), "gaffke", 10, "exact_match|v:1", True, "fraction")
    values: dict[str, Any] = {
        "model": "mock/fn",
        "task": "sums",
        "variant": "direct",
        "slug": slug,
        "mode": "generate",
        "num_fewshot": 0,
        "repeats": 1,
        "params": {"temperature": 0},
        "prompt_digest": "p" * 64,
        "data_digest": "d" * 64,
        "counts": Counts(samples=10, scored=9, unscored=1, errors=1),
        "metrics": {"exact_match": value},
        "usage": Usage(input=12, output=None),
        "cost_usd": None,
        "cost_cached_usd": 0.0,
        "latency": Latency(0.1, 0.1, 0.2),
    }
    return CellResult(**{**values, **fields})


def make_run(id: str = "20260101-000000", **fields: Any) -> Run:
    """A complete run of one model on one task."""
    task = TaskInfo(
        name="sums",
        description="加法",
        language="en",
        kind="generate",
        tags=("math",),
        version="1",
        license="CC0-1.0",
        source="",
        digest="t" * 64,
        data_revision="sha256:0",
        n_samples=10,
        n_total=None,
        chance=0.0,
        headline="exact_match",
        labels=(),
        prompts={"direct": "{{ question }}"},
    )
    model = ModelInfo("mock/fn", "mock/fn", "mock/fn", "mock", ("generate",), price={"input": 1e-6})
    values: dict[str, Any] = {
        "id": id,
        "name": "",
        "created": "2026-01-01T00:00:00Z",
        "version": "0.1.0",
        "git": {"commit": "c0ffee", "dirty": False},
        "command": "evalkit run",
        "status": "complete",
        "seed": 0,
        "limit": None,
        "duration_s": 1.5,
        "tasks": {"sums": task},
        "models": {"mock/fn": model},
        "cells": (make_cell(),),
    }
    return Run(**{**values, **fields})


def settings(model: str = "mock/fn", **fields: Any) -> ModelSettings:
    """The settings of a model."""
    return ModelSettings(model=model, **fields)
