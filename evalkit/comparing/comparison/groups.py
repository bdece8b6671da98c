"""Pairs of cells -> the differences of the means over groups of tasks that both sides have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from evalkit.comparing.comparison.differences import ALPHA, find_changes
from evalkit.comparing.comparison.records import CellName, Difference, Refusal
from evalkit.comparing.findings.cells import StoredCell
from evalkit.comparing.findings.definitions import find_metric, plain_signature
from evalkit.comparing.findings.means import mean_difference
from evalkit.comparing.findings.pairing import Pairs, make_pairs, overlap
from evalkit.core.errors import MetricError, StatsError
from evalkit.core.records import GroupResult
from evalkit.tasks.task import Task

Key = tuple[str, str, str]
"""Run, model, variant."""


def compare_groups(
    pairs: Sequence[tuple[StoredCell, StoredCell]], metric: str | None, tasks: Sequence[Task]
) -> Iterator[Difference | Refusal]:
    """The difference of each group that both sides have a mean of, or why it has none.

    Its tasks have the weights of the group's levels, those by size counted on the shared samples. A group
    with other members or weights on the other side is refused. `metric` is as in `compare`.
    """
    sides: dict[tuple[Key, Key], dict[str, tuple[StoredCell, StoredCell]]] = {}
    for base, other in pairs:
        sides.setdefault((_key(base), _key(other)), {})[base.cell.task] = (base, other)
    for found in sides.values():
        first, second = next(iter(found.values()))
        for group in _groups_of(first):
            if metric not in (None, "all", group.metric) or not set(group.tasks) <= set(found):
                continue
            names = (_name(first, group), _name(second, group))
            same = [each for each in _groups_of(second) if _kind(each) == _kind(group)]
            reason = None
            if not same:
                reason = "the other side has no mean of this group"
            elif same[0].tree.shape() != group.tree.shape():
                reason = f"its members or weights differ: {group.tree.levels()} and {same[0].tree.levels()}"
            if reason is not None:
                yield Refusal(*names, group.metric, reason)
                continue
            try:
                yield _difference(names, group, [found[task] for task in group.tasks], tasks)
            except (MetricError, StatsError) as error:
                yield Refusal(*names, group.metric, str(error))


def _key(cell: StoredCell) -> Key:
    return cell.run.id, cell.cell.model, cell.cell.variant


def _groups_of(cell: StoredCell) -> list[GroupResult]:
    place = (cell.cell.model, cell.cell.variant)
    return [group for group in cell.run.groups if (group.model, group.variant) == place]


def _kind(group: GroupResult) -> tuple[str, str, str]:
    return group.group, group.metric, group.mode


def _name(cell: StoredCell, group: GroupResult) -> CellName:
    label = f"{group.group} ({len(group.tasks)} tasks)"
    return CellName(cell.run.id, cell.cell.model, label, cell.cell.variant)


def _difference(
    names: tuple[CellName, CellName],
    group: GroupResult,
    cells: Sequence[tuple[StoredCell, StoredCell]],
    tasks: Sequence[Task],
) -> Difference:
    parts, shared = [], []
    for base, other in cells:
        parts.append(_pairs(base, other, group.metric, tasks))
        shared.append(overlap(base, other))
    sizes = {base.cell.task: len(pairs.ids) for (base, _), pairs in zip(cells, parts, strict=True)}
    shares = group.tree.shares(sizes)
    found = mean_difference(parts, [shares[task] for task in sizes])
    changes = [find_changes(base, other, pairs) for (base, other), pairs in zip(cells, parts, strict=True)]
    evidence = found.evidence
    worse, better = evidence.p_below(), evidence.p_above()
    sign = 1.0 if group.value.higher_is_better else -1.0
    return Difference(
        base=names[0],
        other=names[1],
        metric=group.metric,
        signature=group.value.signature,
        higher_is_better=group.value.higher_is_better,
        scale=group.value.scale,
        base_value=found.base,
        other_value=found.other,
        difference=sign * (found.other - found.base),
        interval=evidence.interval(ALPHA),
        is_ratio=False,
        p=min(1.0, 2.0 * min(worse, better)),
        p_adjusted=None,
        sides=(worse, better),
        method=found.method,
        reach=None,
        why=None,
        n=sum(sizes.values()),
        n_units=evidence.n_units,
        n_missing=sum(pairs.n_missing for pairs in parts),
        n_base_only=sum(len(each.only_base) + len(each.changed) for each in shared),
        n_other_only=sum(len(each.only_other) for each in shared),
        wins=sum(each[2] for each in changes),
        ties=sum(each[3] for each in changes),
        losses=sum(each[4] for each in changes),
        mde=None,
        n_for_3_points=None,
        newly_failed=(),
        newly_fixed=(),
    )


def _pairs(base: StoredCell, other: StoredCell, name: str, tasks: Sequence[Task]) -> Pairs:
    """The pairs of one task; raises MetricError where the task's scores do not compare."""
    what = base.cell.task
    for cell in (base, other):
        if name not in cell.cell.metrics:
            raise MetricError(f"{what} has no {name} on one side")
    signatures = {plain_signature(cell.cell.metrics[name].signature) for cell in (base, other)}
    if len(signatures) > 1:
        raise MetricError(f"{what}: {name} was not measured alike: {' and '.join(sorted(signatures))}")
    if base.stopped_early or other.stopped_early:
        raise MetricError(f"{what} was stopped early by a gate: its score is biased")
    shared = overlap(base, other).shared
    if not shared:
        raise MetricError(f"{what}: the two sides share no sample")
    pairs = make_pairs(base, other, find_metric(base, name, tasks), shared)
    if pairs.base_rows is None and bool(np.isnan(pairs.base + pairs.other).all()):
        raise StatsError(f"{what}: no sample is scored on both sides")
    return pairs
