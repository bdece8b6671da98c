"""Groups of tasks: which tasks they have, and the mean over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalkit.discovery import list_groups, list_tasks, read_entries, select_tasks
from evalkit.errors import TaskError
from evalkit.records import CellResult, Counts, GroupResult, MetricValue, Run, TaskInfo
from evalkit.stats import Summary, macro_interval, pool_summaries
from evalkit.task import Task

MOST_SHOWN = 8
"""A group of more tasks stands for them in a table."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks that are averaged together."""

    name: str
    tasks: tuple[str, ...]
    weighting: Literal["size", "equal"] = "size"


def find_groups(tasks: Sequence[Task], folders: Sequence[tuple[Path, str]] = ()) -> tuple[Group, ...]:
    """The groups that are here whole: those of matrices, then of group.yaml files. Raises TaskError."""
    found: dict[str, Group] = {}
    names = [task.name for task in tasks]
    for task in tasks:
        if task.group is not None and task.group not in found and task.file.is_file():
            members = [e.name for e in read_entries(task.file, "") if e.group == task.group]
            found[task.group] = Group(task.group, tuple(members), task.spec.group.weighting)
    problems: list[str] = []  # a listing says them; what cannot be read is no group that is here whole
    files = list_groups(folders, problems)
    entries = list_tasks(folders, problems=problems) if files else {}
    for name, file in files.items():
        try:
            members = [entry.name for entry in select_tasks([name], entries, files)]
        except TaskError:  # a listing says this too
            continue
        found.setdefault(name, Group(name, tuple(members), "equal" if file.weighting == "equal" else "size"))
    return tuple(
        replace(group, tasks=tuple(name for name in names if name in group.tasks))
        for group in found.values()
        if len(group.tasks) > 1 and set(group.tasks) <= set(names)
    )


def average_groups(
    groups: Iterable[Group], infos: Mapping[str, TaskInfo], cells: Sequence[CellResult]
) -> tuple[GroupResult, ...]:
    """The mean of every group for each model and variant that has all its tasks with the same headline.

    Tasks of different headlines, scales or modes have no mean: what they measure is not the same.
    """
    return tuple(
        result
        for group in groups
        for result in _average(group, infos, [cell for cell in cells if cell.task in group.tasks])
    )


def _average(
    group: Group, infos: Mapping[str, TaskInfo], cells: Sequence[CellResult]
) -> Iterator[GroupResult]:
    columns: dict[tuple[str, str], list[CellResult]] = {}
    for cell in cells:
        columns.setdefault((cell.model, cell.variant), []).append(cell)
    for (model, variant), column in columns.items():
        headlines = {infos[cell.task].headline for cell in column}
        modes = {cell.mode for cell in column}
        if {cell.task for cell in column} != set(group.tasks) or len(headlines) != 1 or len(modes) != 1:
            continue
        (metric,), (mode,) = headlines, modes
        values = [cell.metrics[metric] for cell in column if metric in cell.metrics]
        kinds = {(value.scale, value.higher_is_better) for value in values}
        if len(values) != len(column) or len(kinds) != 1:
            continue
        mean = _mean(values, group.weighting)
        tasks = tuple(cell.task for cell in column)
        yield GroupResult(group.name, model, variant, tasks, group.weighting, metric, mode, mean)


def _mean(values: Sequence[MetricValue], weighting: str) -> MetricValue:
    """The weighted mean with its interval (stats/evidence.py); None where one of the values is unknown."""
    first = values[0]
    signatures = {value.signature for value in values}
    head = first.signature if len(signatures) == 1 else first.signature.partition("|")[0] + "|settings:mixed"
    mean = replace(
        first,
        value=None,
        stderr=None,
        interval=None,
        interval_method=None,
        n=sum(value.n for value in values),
        signature=f"{head}|group:{weighting}|tasks:{len(values)}",
    )
    known = [value.value for value in values if value.value is not None]
    if len(known) != len(values):
        return mean
    weights = [float(value.n) if weighting == "size" else 1.0 for value in values]
    center = sum(w * v for w, v in zip(weights, known, strict=True)) / sum(weights)
    errors = [value.stderr for value in values if value.stderr is not None]
    if len(errors) != len(values) or min(value.n for value in values) < 2:
        return replace(mean, value=center)
    shares = [w / sum(weights) for w in weights]
    stderr = sum((w * e) ** 2 for w, e in zip(shares, errors, strict=True)) ** 0.5
    mean = replace(mean, value=center, stderr=stderr)
    if first.scale == "unbounded":
        found = macro_interval(known, errors, [value.n for value in values], weights)
        ends = None if found.lo is None or found.hi is None else (found.lo, found.hi)
        return replace(mean, interval=ends, interval_method="t")
    top = 1.0 if first.scale == "fraction" else 100.0
    parts = [
        Summary(v, e, float(value.n), w, 0.0, top)
        for v, e, value, w in zip(known, errors, values, weights, strict=True)
    ]
    low, high = pool_summaries(parts).interval(0.025)
    method = "gaffke" if all(part.is_two_valued for part in parts) else "gaffke-moments"
    return replace(mean, interval=(max(low, 0.0), min(high, top)), interval_method=method)


def with_group_rows(run: Run, *, all_tasks: bool = False) -> Run:
    """The run as a table shows it: each group as a row after its tasks.

    The tasks of a group of more than `MOST_SHOWN` are left out, unless `all_tasks`.
    """
    tasks = dict(run.tasks)
    cells = list(run.cells)
    for group in dict.fromkeys(result.group for result in run.groups):
        results = [result for result in run.groups if result.group == group]
        members = results[0].tasks
        label = f"{group} ({len(members)} tasks)"
        first = tasks.get(members[0])
        if first is None or label in tasks:
            continue
        parts = {(c.model, c.variant, c.task): c for c in run.cells if c.task in members}
        rows = [
            _row(label, result, [parts[result.model, result.variant, task] for task in members])
            for result in results
        ]
        info = replace(first, name=label, headline=results[0].metric)
        place = max(number for number, name in enumerate(tasks) if name in members) + 1
        items = list(tasks.items())
        tasks = dict([*items[:place], (label, info), *items[place:]])
        last = max((number for number, cell in enumerate(cells) if cell.task in members), default=-1) + 1
        cells[last:last] = rows
        shown = {(result.model, result.variant) for result in results}
        if len(members) > MOST_SHOWN and not all_tasks:
            cells = [c for c in cells if c.task not in members or (c.model, c.variant) not in shown]
    order = list(tasks)
    cells.sort(key=lambda cell: order.index(cell.task))
    return replace(run, tasks=tasks, cells=tuple(cells))


def _row(label: str, result: GroupResult, parts: Sequence[CellResult]) -> CellResult:
    counts = Counts(
        samples=sum(part.counts.samples for part in parts),
        scored=sum(part.counts.scored for part in parts),
        unscored=sum(part.counts.unscored for part in parts),
    )
    return replace(parts[0], task=label, counts=counts, metrics={result.metric: result.value})
