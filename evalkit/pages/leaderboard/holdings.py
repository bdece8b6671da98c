"""What the runs hold beside the newest result of each cell: groups of tasks, earlier results, slices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparing.findings import Contender
from evalkit.core.records import CellResult, GroupResult, MetricValue, Run
from evalkit.metrics import sample_values
from evalkit.pages.leaderboard.board import Column, Group, Key, Past, Slice
from evalkit.stats import mean_interval
from evalkit.store.folders import StoredRun

MAX_SLICED_MODELS = 60
"""Models, beyond which a board has no slices."""
MAX_VALUES = 12
"""Values of a metadata column that make slices; with more it is a property of the sample, not a group."""
MAX_TEXT = 60
"""Characters of a metadata value that can name a slice."""
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
            if (result.tree.shape(), result.metric, result.mode)
            == (last.tree.shape(), last.metric, last.mode)
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
                    last.tree,
                )
            )
    # A group inside another comes after it: a page shows it there.
    return tuple(sorted(groups, key=lambda group: -len(group.columns)))


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
    cells: Mapping[Key, Contender], columns: Sequence[Column], contenders: Sequence[str]
) -> tuple[Slice, ...]:
    """The scores of all models on the samples that share a value in their metadata, with default variants."""
    if len(contenders) > MAX_SLICED_MODELS:
        return ()
    slices = []
    for column in columns:
        rows = {
            model: found
            for (model, id, variant), found in cells.items()
            if id == column.id
            and variant == column.variants[0]
            and found.metric is not None
            and found.metric.aggregation != "corpus"
        }
        parts: dict[tuple[str, str], list[str]] = defaultdict(list)
        # All models have seen the same samples.
        for sample, metadata in _described(rows).items():
            for name, value in metadata.items():
                if isinstance(value, str | int) and len(str(value)) <= MAX_TEXT:
                    parts[str(name), str(value)].append(sample)
        by_key: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        for (key, value), ids in parts.items():
            by_key[key].append((value, ids))
        for key, groups in by_key.items():
            if 2 <= len(groups) <= MAX_VALUES and max(len(ids) for _, ids in groups) >= LEAST:
                for value, ids in sorted(groups, key=lambda group: (-len(group[1]), group[0])):
                    slices.append(Slice(column.id, key, value, len(ids), _score_slice(rows, ids)))
    return tuple(slices)


def _described(rows: Mapping[str, Contender]) -> Mapping[str, Mapping[str, object]]:
    """The metadata of each sample, from the first model that has any."""
    for row in rows.values():
        if row.stored is not None and any(fact.metadata for fact in row.stored.facts.values()):
            return {id: fact.metadata for id, fact in row.stored.facts.items()}
    return {}


def _score_slice(rows: Mapping[str, Contender], ids: Sequence[str]) -> dict[str, MetricValue]:
    scores = {}
    for model, row in rows.items():
        cell, metric = row.stored, row.metric
        if cell is None or metric is None:
            continue
        found = sample_values(metric, cell.scores[metric.name], cell.stats[metric.name], cell.ids)
        known = [id for id in ids if id in found]
        if not known:
            continue
        values = np.array([found[id] for id in known])
        clusters = [cell.facts[id].cluster for id in known] if cell.clustered else None
        interval, stderr = None, None
        if metric.bounds is not None and len(known) >= LEAST:
            mean = mean_interval(values, 0.95, clusters, *metric.bounds)
            stderr = mean.stderr
            if mean.lo is not None and mean.hi is not None:
                interval = (mean.lo, mean.hi)
        value = row.value
        scores[model] = MetricValue(
            float(values.mean()),
            stderr,
            interval,
            "gaffke",
            len(known),
            "",
            value.higher_is_better,
            value.scale,
        )
    return scores
