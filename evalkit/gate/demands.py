"""That what a gate is told means something: every name is in what it judges, every number in its range."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from evalkit.comparing.findings.cells import StoredCell
from evalkit.comparing.findings.definitions import find_metric
from evalkit.core.errors import MetricError, UsageError, did_you_mean
from evalkit.core.records import CellResult, TaskInfo
from evalkit.gate.rules import Limits, Rules, limit_key
from evalkit.metrics.base import RANGES
from evalkit.tasks.task import Task

Pairs = Collection[tuple[str, str]]
"""(task, metric)."""
Bounds = Mapping[tuple[str, str], tuple[float, float] | None]
"""(task, metric) -> the least and the greatest value; None where there is none."""


def check_demands(
    rules: Rules, judged: Sequence[CellResult], infos: Mapping[str, TaskInfo], floored: Bounds
) -> None:
    """Nothing; raises UsageError for a demand that decides nothing, or that no value could meet.

    `judged` are the baseline's cells that are compared, `infos` its tasks, `floored` the metrics that may
    have a least value.
    """
    pairs = {(cell.task, name) for cell in judged for name in cell.metrics}
    tasks = {cell.model: {other.task for other in judged if other.model == cell.model} for cell in judged}
    if rules.macro and all(len(names) < 2 for names in tasks.values()):
        raise UsageError("--macro judges the mean over tasks, and there is one task only; leave it out")
    for name in rules.metrics:
        if name != "all" and name not in {metric for _, metric in pairs}:
            raise UsageError(f"--metric {name!r}: {_no_metric(name, pairs)}")
    chosen = [
        (cell.task, name)
        for cell in judged
        for name in rules.metrics_of(cell.task, infos[cell.task].headline, list(cell.metrics))
    ]
    _check_used("--tolerance", rules.tolerances, chosen, pairs)
    _check_used("--floor", rules.floors, floored, floored)
    for (task, metric), bounds in floored.items():
        floor = rules.floor(task, metric)
        if floor is not None and bounds is not None and not bounds[0] <= floor <= bounds[1]:
            raise UsageError(
                f"--floor {task}:{metric}={floor:g}: {metric} lies between {bounds[0]:g} and {bounds[1]:g}"
            )


def bounds_of(cells: Iterable[StoredCell], rules: Rules, tasks: Sequence[Task] = ()) -> Bounds:
    """The metrics of the cells; with the range of their values where the rules have a floor for them."""
    found: dict[tuple[str, str], tuple[float, float] | None] = {}
    for cell in cells:
        for name, value in cell.cell.metrics.items():
            key = cell.cell.task, name
            if rules.floor(*key) is None:
                found[key] = None
                continue
            try:
                found[key] = find_metric(cell, name, tasks).bounds
            except MetricError:
                found[key] = RANGES[value.scale]
    return found


def _check_used(option: str, limits: Limits, chosen: Iterable[tuple[str, str]], known: Pairs) -> None:
    """Nothing; raises UsageError where a limit is nobody's."""
    used = {limit_key(limits, task, metric) for task, metric in chosen}
    tasks = {task for task, _ in known}
    for task, metric in limits:
        if (task, metric) in used:
            continue
        head = f"{option} {task}:{metric}={limits[task, metric]:g}"
        if task not in ("*", *tasks):
            raise UsageError(f"{head}: no task {task!r} is judged.{_near(task, tasks)}")
        if metric != "*" and not any(metric == name for of, name in known if task in ("*", of)):
            raise UsageError(f"{head}: {_no_metric(metric, known, task)}")
        raise UsageError(f"{head} decides nothing: all that it names has a more particular one; leave it out")


def _no_metric(name: str, known: Pairs, task: str = "*") -> str:
    names = {metric for of, metric in known if task in ("*", of)}
    where = "nothing that is judged" if task == "*" else f"task {task!r}"
    return f"{where} has a metric {name!r}.{_near(name, names)}"


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return did_you_mean(name, names) or f" There are: {', '.join(names) or 'none'}."
