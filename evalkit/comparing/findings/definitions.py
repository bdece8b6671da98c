"""The metric that made a stored number, found again: its signature decides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.comparing.findings.cells import StoredCell
from evalkit.core.errors import EvalkitError, MetricError
from evalkit.core.records import MetricValue
from evalkit.metrics import Metric, build_metrics, sample_values
from evalkit.metrics.base import RANGES
from evalkit.metrics.weighting import MARK, StoredWeighted
from evalkit.store.folders import StoredRun
from evalkit.tasks.discovery import list_tasks, search_path
from evalkit.tasks.task import Task, load_task


class PlainMean(Metric):
    """The mean of stored scores, for a metric whose definition is not at hand."""

    def __init__(self, name: str, value: MetricValue, scores: Sequence[float]) -> None:
        self.name = name
        self.signature = value.signature
        self.higher_is_better = value.higher_is_better
        self.scale = value.scale
        bounds = RANGES[value.scale]
        inside = bounds is not None and all(bounds[0] <= score <= bounds[1] for score in scores)
        self.bounds = bounds if inside else None


def find_metric(cell: StoredCell, name: str, tasks: Sequence[Task] = ()) -> Metric:
    """The metric of this name as it scored the cell. Raises MetricError when it cannot be found again.

    It is one that evalkit brings, or one of the cell's task among `tasks`, where the signature is the stored
    one; else the mean of the stored scores, where that gives the stored value.
    """
    value = cell.cell.metrics.get(name)
    if value is None:
        raise MetricError(f"{cell.name} has no metric {name!r}; it has {', '.join(cell.cell.metrics)}")
    for metric in _candidates(cell, name, tasks):
        if _bare(_signature(metric, cell)) == _bare(_own_signature(value.signature)):
            return metric
    known = [score for score in cell.scores[name] if score is not None]
    if MARK in value.signature and value.value is not None:
        plain = PlainMean(name, value, known)
        return StoredWeighted(name, value.signature, value.higher_is_better, plain.bounds)
    plain = PlainMean(name, value, known)
    means = list(sample_values(plain, cell.scores[name], cell.stats[name], cell.ids).values())
    if means and value.value is not None:
        mean = sum(means) / len(means)
        if abs(mean - value.value) <= 1e-9 * max(1.0, abs(value.value)):
            return plain
    if value.value is None:
        raise MetricError(f"{cell.name} has no value of {name}: nothing was scored")
    raise MetricError(
        f"{cell.name}: {name} is a metric of the whole corpus ({value.signature}), and its definition is not "
        f"at hand; compare where the task {cell.cell.task!r} is"
    )


def tasks_of(runs: Sequence[StoredRun], root: Path, include_path: Sequence[str | Path] = ()) -> list[Task]:
    """The tasks of the runs that are in the search path; only those with metrics of the whole corpus.

    Scores of samples need no definition: reading them never runs a task's own Python.
    """
    folders = search_path(root, include_path) if include_path else None
    names = set()
    for run in runs:
        for cell in run.run.cells:
            methods = {value.interval_method for value in cell.metrics.values()}
            if not methods <= {"gaffke", "t"}:
                names.add(cell.task)
    if not names:
        return []
    # A broken file is another task's: those that are looked for were loaded for a run.
    entries = list_tasks(folders or search_path(root), problems=[])
    found = []
    for name in sorted(names & set(entries)):
        try:
            found.append(load_task(entries[name]))
        except EvalkitError:
            continue  # a broken task has no metrics; those of evalkit are found without it
    return found


def plain_signature(signature: str) -> str:
    """The signature without how the model was asked, which is a property of the cell."""
    return signature.partition("|mode:")[0]


def _own_signature(signature: str) -> str:
    """The signature as the metric gave it, without what the run added of mode and likelihoods."""
    return plain_signature(signature).partition("|likelihoods:")[0]


def _bare(signature: str) -> str:
    """The signature without which texts were compared: that is in the statistics already."""
    return re.sub(r"\|(refs|script):[^|]*", "", signature)


def _candidates(cell: StoredCell, name: str, tasks: Sequence[Task]) -> list[Metric]:
    info = cell.info
    rules: list[tuple[Sequence[Any], Mapping[str, Any], Path | None]] = [
        (task.spec.metrics, task.hooks.metrics, task.folder) for task in tasks if task.name == cell.cell.task
    ]
    if not name.startswith("evaluate/"):  # a name in a run folder must not load anything from outside
        rules.insert(0, ([name], {}, None))
    found: list[Metric] = []
    for metrics, extra, folder in rules:
        try:
            built = build_metrics(
                metrics,
                language=info.language,
                labels=info.labels,
                kind=info.kind,
                extra=extra,
                folder=folder,
            )
        except EvalkitError:
            continue  # a metric of the task's own, or of a library that is not here
        found += [metric for metric in built if metric.name == name]
    return found


def _signature(metric: Metric, cell: StoredCell) -> str:
    """The signature as it would be stored with the cell."""
    if metric.aggregation != "corpus":
        return metric.signature
    import numpy as np

    rows = [row for row in cell.stats[metric.name] if row]
    if not rows or len({len(row) for row in rows}) > 1:
        return metric.signature
    return metric.describe(np.array(rows, dtype=np.float64))
