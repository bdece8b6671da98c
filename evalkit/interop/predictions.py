"""Answers with their scores in a plain file, CSV or JSON lines, as runs.

    id, input, output, target, score               a useful header; only a score is needed
    model, task, variant, repeat, cluster          tell cells, repeats and dependent samples apart
    score.NAME, or in JSON "scores": {"NAME": 1}   several metrics

What `evalkit export --rows samples` writes is such a file. Answers without scores: `evalkit score`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import Message, Response, ResponseError, SampleResult, digest
from evalkit.interop.files import number, parse, read_lines, text
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task
from evalkit.tasks.data import AS_IT_IS, Form
from evalkit.tasks.data.delimited import read_csv
from evalkit.tasks.data.objects import read_jsonl

TOOL = "predictions"
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "sample_id", "doc_id", "idx", "index"),
    "input": ("prompt", "input", "question", "instruction"),
    "output": ("output", "text", "prediction", "response", "completion", "generation"),
    "answer": ("answer", "extracted"),
    "target": ("target", "reference", "expected", "gold", "label"),
    "model": ("model", "generator"),
    "task": ("task", "dataset", "benchmark"),
    "variant": ("variant", "prompt_name"),
    "repeat": ("repeat", "epoch", "trial"),
    "cluster": ("cluster", "group"),
    "reason": ("unscored_reason", "error"),
}
"""What a column means -> the names that it may have, in the order of preference."""
_SCORES = (
    "score",
    "correct",
    "is_correct",
    "pass",
    "passed",
    "accuracy",
    "acc",
    "exact_match",
    "em",
    "f1",
    "win",
)
"""Columns that are scores without saying so by a prefix."""
_WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def read_predictions(path: Path, form: Form = AS_IT_IS) -> Iterator[Imported]:
    """What the file, or each .csv and .jsonl of a folder, tells. Raises DataError."""
    if path.is_file():
        yield _read(path, form)
        return
    files = sorted(file for file in path.iterdir() if file.suffix in (".csv", ".jsonl"))
    if not files:
        raise DataError(f"{path}: no .csv or .jsonl in it")
    for file in files:
        yield _read(file, form)


def _read(path: Path, form: Form) -> Imported:
    groups: dict[tuple[str, str, str], list[SampleResult]] = {}
    seen: dict[tuple[str, str, str, str], int] = {}
    for place, (where, row) in enumerate(_rows(path, form)):
        key = (
            _named(row, "model") or path.stem,
            _named(row, "task") or "predictions",
            _named(row, "variant") or "file",
        )
        groups.setdefault(key, []).append(_result(where, row, place, key, seen))
    if not groups:
        raise DataError(f"{path} holds no rows")
    cells = []
    for (model, task, variant), results in groups.items():
        names = list(dict.fromkeys(name for result in results for name in result.scores))
        if not names:
            raise DataError(
                f"{path}: no scores for {model} on {task}. Scores are columns `score`, `score.NAME` or one "
                f"of {', '.join(_SCORES[1:])}; answers that are still to be scored: evalkit score"
            )
        repeats = max(result.repeat for result in results) + 1
        metrics = {name: Reported(f"predictions:{name}") for name in names}
        cells.append(ImportedCell(model, task, variant, "generate", metrics, results, repeats=repeats))
    tasks = {
        cell.task: make_task(
            cell.task,
            "a file",
            n_samples=len({result.sample_id for result in cell.results}),
            data_revision=digest([path.name, len(cell.results)])[:12],
            texts=[r.messages[0].text for r in cell.results[:50] if r.messages],
        )
        for cell in cells
    }
    models = {cell.model: make_model(cell.model) for cell in cells}
    created = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Imported(TOOL, None, created, tasks, models, tuple(cells))


def _rows(path: Path, form: Form) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.suffix != ".csv":
        yield from read_lines(path) if not form else read_jsonl(path, form)
        return
    form.check("csv", path)
    for where, row in read_csv(path, form):
        yield where, {name: _unquoted(value) for name, value in row.items() if value != ""}


def _unquoted(value: str) -> str:
    """The value without the apostrophe that keeps spreadsheets from running it."""
    return value[1:] if value[:1] == "'" and value[1:2] in ("=", "+", "-", "@", "\t", "\r") else value


def _value(row: Mapping[str, Any], meaning: str) -> Any:
    return next((row[name] for name in _COLUMNS[meaning] if row.get(name) is not None), None)


def _named(row: Mapping[str, Any], meaning: str) -> str | None:
    value = _value(row, meaning)
    return None if value in (None, "") else text(value)


def _result(
    where: str,
    row: Mapping[str, Any],
    place: int,
    cell: tuple[str, str, str],
    seen: dict[tuple[str, str, str, str], int],
) -> SampleResult:
    prompt = _named(row, "input")
    sample_id = _named(row, "id") or (digest(prompt)[:12] if prompt else str(place))
    key = (*cell, sample_id)
    repeat = seen.get(key, 0)
    seen[key] = repeat + 1
    scores = dict(_scores(where, row))
    output = _named(row, "output")
    answer = _named(row, "answer") or output
    reason = _named(row, "reason")
    if reason is None and not any(score is not None for score in scores.values()):
        reason = "not_scored"
    failed = row.get("status") == "error"
    return SampleResult(
        sample_id=sample_id,
        repeat=repeat,
        request_digest=digest([cell[0], prompt, repeat]),
        messages=(Message("user", prompt),) if prompt else (),
        target=_targets(_value(row, "target")),
        choices=(),
        response=Response("error", error=ResponseError(reason or "error", ""))
        if failed
        else Response(text=output),
        answer=answer if reason is None else None,
        rule=None,
        span=None,
        scores=scores,
        stats={},
        unscored_reason=reason,
        cluster=_named(row, "cluster"),
    )


def _targets(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return (value,)
    if isinstance(value, list):
        return tuple(map(text, value))
    return () if value in (None, "") else (text(value),)


def _scores(where: str, row: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    given = row.get("scores")
    if isinstance(given, str):
        given = parse(given.encode(), f"{where}: scores")
    if isinstance(given, Mapping):
        for name, value in given.items():
            yield str(name), _score(where, str(name), value)
    for name, value in row.items():
        if name.startswith("score.") or name in _SCORES:
            yield name.removeprefix("score."), _score(where, name, value)


def _score(where: str, name: str, value: Any) -> float | None:
    """The score; None where there is none. Raises DataError for what is neither."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        word = value.strip().lower()
        try:
            value = _WORDS[word] if word in _WORDS else float(word)
        except ValueError:
            raise DataError(
                f"{where}: {name} is {value!r}; a score is a number, true or false, or empty"
            ) from None
    found = number(value)
    if found is None and not (isinstance(value, float) and math.isnan(value)):
        raise DataError(f"{where}: {name} is {value!r}; a score is a finite number, true or false, or empty")
    return found
