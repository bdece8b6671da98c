"""What the runs hold beside the newest result of each cell: groups of tasks, earlier results, slices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.leaderboard.board import Column, Group, Key, Past, Slice
from evalkit.pages.ranks import score_bounds
from evalkit.pages.scores import Scores
from evalkit.records import CellResult, GroupResult, MetricValue, Run
from evalkit.stats import mean_interval
from evalkit.store import StoredRun

MAX_SLICED_MODELS = 60
"""Models, beyond which a board has no slices."""
MAX_VALUES = 12
"""Values of a metadata column that make slices; with more it is a property of the sample, not a group."""
LEAST = 2
"""Samples of a slice."""


@dataclass(frozen=True, slots=True)
class Found:
    """A cell and the run it was found in."""

    cell: CellResult
    source: StoredRun
    metric: MetricValue | None
    """The headline metric; None when it was not measured."""
    identity: tuple[str, str | None, str, int | None]
    """What two cells of a variant must share to compare: headline, signature, prompt, worked examples."""


def find_cells(runs: Iterable[StoredRun]) -> Iterator[Found]:
    """All cells of the runs, with what every later step asks of each: once, while it is at hand."""
    for stored in runs:
        headlines = {name: info.headline for name, info in stored.run.tasks.items()}
        for cell in stored.run.cells:
            headline = headlines[cell.task]
            metric = cell.metrics.get(headline)
            signature = None if metric is None else metric.signature
            yield Found(cell, stored, metric, (headline, signature, cell.prompt_digest, cell.num_fewshot))


def find_groups(runs: Iterable[Run], columns: Sequence[Column]) -> tuple[Group, ...]:
    """The groups of the runs, each value from the newest run that has it."""
    primary = {column.task: column.id for column in columns if column.primary}
    newest: dict[str, dict[tuple[str, str], GroupResult]] = defaultdict(dict)
    for run in runs:
        for result in run.groups:
            newest[result.group][result.model, result.variant] = result
    groups = []
    for name, results in newest.items():
        last = list(results.values())[-1]
        # Means over other tasks, or of another metric, are not in one column.
        same = {
            place: result.value
            for place, result in results.items()
            if (set(result.tasks), result.metric, result.mode, result.weighting)
            == (set(last.tasks), last.metric, last.mode, last.weighting)
            and result.value.scale == last.value.scale
        }
        members = tuple(primary[task] for task in last.tasks if task in primary)
        if len(members) > 1:
            groups.append(
                Group(
                    name,
                    members,
                    last.weighting,
                    last.metric,
                    last.value.scale,
                    last.value.higher_is_better,
                    same,
                )
            )
    return tuple(groups)


def find_history(
    placed: Mapping[Key, Sequence[Found]], chosen: Mapping[Key, Found]
) -> dict[Key, tuple[Past, ...]]:
    """Earlier results of the same model, prompt and signature, oldest first."""
    history: dict[Key, tuple[Past, ...]] = {}
    for key, items in placed.items():
        if len(items) < 2:
            continue
        usual = chosen[key].identity
        past = tuple(
            Past(item.source.run.id, metric)
            for item in items
            if item.source.run.status == "complete"
            and item.identity == usual
            and (metric := item.metric) is not None
            and metric.value is not None
        )
        if len(past) > 1:
            history[key] = past
    return history


def find_slices(
    scores: Mapping[Key, Scores], columns: Sequence[Column], contenders: Sequence[str]
) -> tuple[Slice, ...]:
    """The scores of all models on the samples that share a value in their metadata, with default variants."""
    if len(contenders) > MAX_SLICED_MODELS:
        return ()
    slices = []
    for column in columns:
        rows = {
            model: found
            for (model, id, variant), found in scores.items()
            if id == column.id and variant == column.variants[0] and found.is_mean
        }
        parts: dict[tuple[str, str], list[str]] = defaultdict(list)
        # All models have seen the same samples.
        described = next((found.metadata for found in rows.values() if found.metadata), {})
        for sample, items in described.items():
            for item in items:
                parts[item].append(sample)
        by_key: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        for (key, value), ids in parts.items():
            by_key[key].append((value, ids))
        for key, groups in by_key.items():
            if 2 <= len(groups) <= MAX_VALUES and max(len(ids) for _, ids in groups) >= LEAST:
                for value, ids in sorted(groups, key=lambda group: (-len(group[1]), group[0])):
                    slices.append(Slice(column.id, key, value, len(ids), _score_slice(rows, ids, column)))
    return tuple(slices)


def _score_slice(rows: Mapping[str, Scores], ids: Sequence[str], column: Column) -> dict[str, MetricValue]:
    bounds = score_bounds(column.scale, column.higher_is_better)
    sign = 1.0 if column.higher_is_better else -1.0
    scores = {}
    for model, row in rows.items():
        known = [id for id in ids if id in row.samples]
        if not known:
            continue
        values = np.array([sign * row.samples[id] for id in known])
        clusters = [row.clusters.get(id, f"s{id}") for id in known] if row.clusters else None
        low, high = (0.0, 1.0) if bounds is None else sorted((sign * bounds[0], sign * bounds[1]))
        interval, stderr = None, None
        if bounds is not None and len(known) >= LEAST:
            found = mean_interval(values, clusters=clusters, lo=low, hi=high)
            stderr = found.stderr
            if found.lo is not None and found.hi is not None:
                interval = (found.lo, found.hi)
        scores[model] = MetricValue(
            float(values.mean()),
            stderr,
            interval,
            "gaffke",
            len(known),
            "",
            column.higher_is_better,
            column.scale,
        )
    return scores
