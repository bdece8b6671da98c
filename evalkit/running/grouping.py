"""Groups of tasks: which tasks they have, and the mean over them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.core.errors import TaskError
from evalkit.core.records import CellResult, Counts, GroupResult, MetricValue, Run, TaskGroup, TaskInfo
from evalkit.stats import Summary, macro_interval, pool_summaries
from evalkit.tasks.discovery import build_group, list_groups, list_tasks, read_entries
from evalkit.tasks.task import Task

MOST_SHOWN = 8
"""A group of more tasks stands for them in a table."""


def find_groups(tasks: Sequence[Task], folders: Sequence[tuple[Path, str]] = ()) -> tuple[TaskGroup, ...]:
    """The groups that are here whole: those of matrices, then of group.yaml files, then those inside them.

    A group.yaml that cannot be read is no group that is here; a listing says what is wrong with it.
    """
    found: dict[str, TaskGroup] = {}
    here = {task.name for task in tasks}
    for mean in (mean for task in tasks for mean in task.means):
        found.setdefault(mean.name, mean)
    for task in tasks:
        if task.group is not None and task.group not in found and task.file.is_file():
            members = [e.name for e in read_entries(task.file, "") if e.group == task.group]
            found[task.group] = TaskGroup(task.group, tuple(members), task.spec.group.weighting)
    problems: list[str] = []
    files = list_groups(folders, problems)
    entries = list_tasks(folders, problems=problems) if files else {}
    for name, file in files.items():
        with contextlib.suppress(TaskError):
            found.setdefault(name, build_group(file, entries, files)[0])
    return tuple(group for group in found.values() if len(group.tasks) > 1 and set(group.tasks) <= here)


def average_groups(
    groups: Iterable[TaskGroup], infos: Mapping[str, TaskInfo], cells: Sequence[CellResult]
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
    group: TaskGroup, infos: Mapping[str, TaskInfo], cells: Sequence[CellResult]
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
        tasks = tuple(cell.task for cell in column)
        mean = _mean(values, tasks, group)
        members = group.members if group.is_nested else ()
        yield GroupResult(group.name, model, variant, tasks, group.weighting, metric, mode, mean, members)


def _mean(values: Sequence[MetricValue], tasks: Sequence[str], group: TaskGroup) -> MetricValue:
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
        signature=f"{head}|group:{group.levels()}|tasks:{len(values)}",
    )
    known = [value.value for value in values if value.value is not None]
    if len(known) != len(values):
        return mean
    by_task = group.shares({task: float(value.n) for task, value in zip(tasks, values, strict=True)})
    shares = [by_task[task] for task in tasks]
    center = sum(w * v for w, v in zip(shares, known, strict=True))
    errors = [value.stderr for value in values if value.stderr is not None]
    if len(errors) != len(values) or min(value.n for value in values) < 2:
        return replace(mean, value=center)
    stderr = sum((w * e) ** 2 for w, e in zip(shares, errors, strict=True)) ** 0.5
    mean = replace(mean, value=center, stderr=stderr)
    if first.scale == "unbounded":
        found = macro_interval(known, errors, [value.n for value in values], shares)
        ends = None if found.lo is None or found.hi is None else (found.lo, found.hi)
        return replace(mean, interval=ends, interval_method="t")
    top = 1.0 if first.scale == "fraction" else 100.0
    parts = [
        Summary(v, e, float(value.n), w, 0.0, top)
        for v, e, value, w in zip(known, errors, values, shares, strict=True)
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
    sizes = {result.group: len(result.tasks) for result in run.groups}
    # A group inside another stands nearer to its tasks: it is put there after the larger one.
    for group in sorted(sizes, key=sizes.__getitem__, reverse=True):
        results = [result for result in run.groups if result.group == group]
        members = results[0].tasks
        nested = f"{len(results[0].members)} members, " if results[0].members else ""
        label = f"{group} ({nested}{len(members)} tasks)"
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
