"""Two cells and a metric -> their difference, with what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalkit.comparing.comparison.records import CellName, Change, Difference, Slice
from evalkit.comparing.findings.cells import StoredCell
from evalkit.comparing.findings.decisions import Margin, decide_pairs, is_bounded, is_logarithmic
from evalkit.comparing.findings.pairing import Array, Overlap, Pairs, make_pairs, whole_values
from evalkit.core.errors import StatsError
from evalkit.metrics import Metric
from evalkit.stats import Decision, benjamini_hochberg, plan
from evalkit.stats.units import units

ALPHA = 0.025
"""One side of the two-sided 95 % test."""
POINTS = 0.03
"""The difference for which the number of samples needed is told, as a share of the scale."""
_MAX_CHANGES = 200
"""Samples that are named in each direction."""


def cell_name(cell: StoredCell) -> CellName:
    """The name of a cell and its run."""
    return CellName(cell.run.id, cell.cell.model, cell.cell.task, cell.cell.variant)


def find_difference(
    base: StoredCell,
    other: StoredCell,
    metric: Metric,
    shared: Overlap,
    columns: Sequence[str] = (),
) -> Difference:
    """The difference of one metric, p not yet adjusted. Raises StatsError where there is no pair to test."""
    pairs = make_pairs(base, other, metric, shared.shared)
    if pairs.n_missing >= len(pairs.ids):
        raise StatsError("no sample is scored on both sides")
    decision = decide_pairs(pairs, Margin(), ALPHA)
    values = whole_values(pairs)
    worse, better, wins, ties, losses = find_changes(base, other, pairs)
    differs = wins > 0 or losses > 0 or pairs.base_rows is not None
    return Difference(
        base=cell_name(base),
        other=cell_name(other),
        metric=metric.name,
        signature=base.cell.metrics[metric.name].signature,
        higher_is_better=metric.higher_is_better,
        scale=metric.scale,
        base_value=values[0],
        other_value=values[1],
        difference=decision.difference,
        interval=_interval(decision),
        is_ratio=is_logarithmic(metric, Margin()),
        p=_two_sided(decision),
        p_adjusted=None,
        sides=None if decision.lo is None else (decision.p_fail, decision.p_pass),
        method=decision.method,
        reach=decision.reach,
        why=decision.why,
        n=len(pairs.ids),
        n_units=decision.n_units,
        n_missing=decision.n_missing,
        n_base_only=len(shared.only_base) + len(shared.changed),
        n_other_only=len(shared.only_other),
        wins=wins,
        ties=ties,
        losses=losses,
        # Where no sample differs the spread is not 0 but unknown, and so is what could have been seen.
        mde=decision.mde if differs else None,
        n_for_3_points=_n_needed(pairs) if differs else None,
        newly_failed=worse,
        newly_fixed=better,
        slices=tuple(part for column in columns for part in _slices(base, pairs, column)),
    )


def find_changes(
    base: StoredCell, other: StoredCell, pairs: Pairs
) -> tuple[tuple[Change, ...], tuple[Change, ...], int, int, int]:
    """The samples that got worse and better, most first; and the numbers of wins, ties and losses."""
    sign = 1.0 if pairs.metric.higher_is_better else -1.0
    gain = sign * (pairs.other - pairs.base)
    known = ~np.isnan(gain)
    down = [int(i) for i in np.flatnonzero(known & (gain < -1e-12))]
    up = [int(i) for i in np.flatnonzero(known & (gain > 1e-12))]
    down.sort(key=lambda i: (gain[i], i))
    up.sort(key=lambda i: (-gain[i], i))

    def change(i: int) -> Change:
        sample_id = pairs.ids[i]
        before, after = base.facts[sample_id], other.facts[sample_id]
        return Change(
            sample_id,
            float(pairs.base[i]),
            float(pairs.other[i]),
            before.target,
            before.answer,
            after.answer,
        )

    return (
        tuple(change(i) for i in down[:_MAX_CHANGES]),
        tuple(change(i) for i in up[:_MAX_CHANGES]),
        len(up),
        int(known.sum()) - len(up) - len(down),
        len(down),
    )


def spread(pairs: Pairs) -> tuple[float, int] | None:
    """The sd of the paired differences of the units of a bounded mean, and their number; None below two."""
    if not is_bounded(pairs.metric):
        return None
    d = pairs.other - pairs.base
    known = ~np.isnan(d)
    if known.sum() < 2:
        return None
    labels = None
    if pairs.clusters is not None:
        labels = [label for label, keep in zip(pairs.clusters, known, strict=True) if keep]
    found = units(np.asarray(d[known], dtype=np.float64), labels)
    if len(found) < 2:
        return None
    sd = float(found.contributions().std(ddof=1)) / float(found.weights.mean())
    return sd, len(found)


def _n_needed(pairs: Pairs) -> int | None:
    """Samples that show 3 points with power 0.8, if the pairs go on to differ as these do."""
    found = spread(pairs)
    if found is None or pairs.metric.bounds is None:
        return None
    lo, hi = pairs.metric.bounds
    needed = plan(found[0], 0.0, POINTS * (hi - lo), ALPHA, bound=hi - lo).n_fail
    # The plan counts units; a reader counts samples.
    return None if needed is None else round(needed * len(pairs.ids) / found[1])


def _two_sided(decision: Decision) -> float | None:
    if decision.lo is None:
        return None
    return min(1.0, 2.0 * min(decision.p_fail, decision.p_pass))


def _interval(decision: Decision) -> tuple[float, float] | None:
    return None if decision.lo is None or decision.hi is None else (decision.lo, decision.hi)


def _slices(base: StoredCell, pairs: Pairs, column: str) -> list[Slice]:
    """The difference within each value of a column, largest slice first."""
    groups: dict[str, list[int]] = {}
    for i, sample_id in enumerate(pairs.ids):
        fact = base.facts.get(sample_id)
        if fact is not None and column in fact.metadata:
            groups.setdefault(str(fact.metadata[column]), []).append(i)
    found: list[Slice] = []
    for value, positions in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        part = pairs.subset(positions)
        n = len(positions) - part.n_missing
        try:
            decision = decide_pairs(part, Margin(), ALPHA)
        except StatsError:
            found.append(Slice(column, value, n, None, None, None, None))
            continue
        p = _two_sided(decision)
        found.append(Slice(column, value, n, decision.difference, _interval(decision), p, None))
    tested = [part.p for part in found if part.p is not None]
    adjusted: Array = benjamini_hochberg(tested) if tested else np.zeros(0)
    values = iter(adjusted)
    return [
        Slice(
            s.column,
            s.value,
            s.n,
            s.difference,
            s.interval,
            s.p,
            None if s.p is None else float(next(values)),
        )
        for s in found
    ]
