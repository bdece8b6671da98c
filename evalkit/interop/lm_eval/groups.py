"""Groups: several tasks under one name, and the mean of their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.core.records import TaskGroup

Measured = Mapping[str, tuple[Any, float | None]]
"""`metric,filter` -> (value, standard error or None)."""

GROUP_KEYS = ("group", "group_alias", "task", "aggregate_metric_list", "metadata")


@dataclass(frozen=True)
class AggregateMetric:
    """One item of aggregate_metric_list."""

    metric: str
    filters: tuple[str, ...] | None = None
    """The pipelines to aggregate; None for all that the tasks have."""
    weight_by_size: bool = True
    """Whether a task counts by its documents; False for the plain mean."""


@dataclass(frozen=True)
class Group:
    """A group with its children, tasks before anything was measured."""

    name: str
    alias: str | None
    children: tuple[Group | str, ...]
    """Subgroups, and the names of tasks, in the file's order."""
    aggregates: tuple[AggregateMetric, ...]
    metadata: Mapping[str, Any]

    def leaves(self) -> tuple[str, ...]:
        """The names of all tasks below, each once."""
        names: dict[str, None] = {}
        for child in self.children:
            names.update(dict.fromkeys(child.leaves() if isinstance(child, Group) else (child,)))
        return tuple(names)

    def means(self, headlines: Mapping[str, str]) -> tuple[TaskGroup, ...]:
        """This group and those inside it, where their rules average the metric that all tasks share.

        headlines: task -> `metric,filter`. As that tool has it, a group of groups is the mean over all tasks
        below, whatever the groups between say.
        """
        found = [
            mean for child in self.children if isinstance(child, Group) for mean in child.means(headlines)
        ]
        keys = {headlines.get(name) for name in self.leaves()}
        metric, _, pipeline = (keys.pop() or "").partition(",") if len(keys) == 1 else ("", "", "")
        for rule in self.aggregates:
            if rule.metric == metric and (rule.filters is None or pipeline in rule.filters):
                weighting: Literal["size", "equal"] = "size" if rule.weight_by_size else "equal"
                return (TaskGroup(self.name, self.leaves(), weighting), *found)
        return tuple(found)

    def aggregate(
        self, measured: Mapping[str, Measured], sizes: Mapping[str, int]
    ) -> dict[str, tuple[float, float | None]]:
        """`metric,filter` -> (mean over the tasks that have it, its standard error or None).

        With weight_by_size the mean is weighted by documents and the error pooled; without, both are plain.
        """
        result: dict[str, tuple[float, float | None]] = {}
        present = [name for name in self.leaves() if name in measured]
        for rule in self.aggregates:
            filters = rule.filters if rule.filters is not None else _filters(rule.metric, present, measured)
            for pipeline in filters:
                key = f"{rule.metric},{pipeline}"
                having = [name for name in present if key in measured[name]]
                if not having:
                    continue
                values = [measured[name][key][0] for name in having]
                weights = [sizes[name] if rule.weight_by_size else 1 for name in having]
                value = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
                errors = [measured[name][key][1] for name in having]
                result[key] = (value, _stderr(errors, [sizes[n] for n in having], rule.weight_by_size))
        return result


def _filters(metric: str, present: Iterable[str], measured: Mapping[str, Measured]) -> list[str]:
    prefix = f"{metric},"
    return sorted(
        {key[len(prefix) :] for name in present for key in measured[name] if key.startswith(prefix)}
    )


def _stderr(errors: Sequence[float | None], sizes: Sequence[int], weighted: bool) -> float | None:
    known = [error for error in errors if error is not None]
    if len(known) != len(errors):
        return None
    if not weighted:
        return math.sqrt(sum(error**2 for error in known)) / len(known)
    freedom = sum(sizes) - len(sizes)
    if freedom <= 0:
        return None
    pooled = sum((n - 1) * error**2 * n for error, n in zip(known, sizes, strict=True)) / freedom
    return math.sqrt(pooled / sum(sizes))


def read_aggregates(rule: Any, where: str) -> tuple[AggregateMetric, ...]:
    """The items of aggregate_metric_list. Raises TaskError."""
    items = [rule] if isinstance(rule, dict) else rule if rule is not None else []
    if not isinstance(items, list):
        raise TaskError(f"{where}: a list of mappings is wanted, not {type(items).__name__}")
    return tuple(_aggregate(item, where) for item in items)


def _aggregate(item: Any, where: str) -> AggregateMetric:
    if not isinstance(item, dict) or not isinstance(item.get("metric"), str):
        raise TaskError(f"{where}: each item is a mapping with `metric`, not {item!r:.60}")
    known = ("metric", "filter_list", "aggregation", "weight_by_size")
    for key in item:
        if key not in known:
            raise TaskError(f"{where}: key {key!r} is not known.{did_you_mean(str(key), known)}")
    if item.get("aggregation", "mean") != "mean":
        raise TaskError(f"{where}: aggregation {item['aggregation']!r:.60}: only `mean` is served for groups")
    filters = item.get("filter_list")
    if isinstance(filters, str):
        filters = [filters]
    if filters is not None and not isinstance(filters, list):
        raise TaskError(f"{where}: filter_list: a list of names is wanted, not {type(filters).__name__}")
    names = None if filters is None else tuple(str(name) for name in filters)
    return AggregateMetric(item["metric"], names, bool(item.get("weight_by_size", True)))
