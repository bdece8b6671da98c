"""Two cells made into pairs of samples, with missing scores kept as missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.comparing.findings.cells import StoredCell
from evalkit.metrics import Metric, sample_values

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Overlap:
    """Which samples two cells share."""

    shared: tuple[str, ...]
    """Ids of the samples that both were to answer, with the same target and choices."""
    only_base: tuple[str, ...]
    """Ids that only the base has; they are left out, and named."""
    only_other: tuple[str, ...]
    """Ids that only the other has."""
    changed: tuple[str, ...]
    """Ids that both have with another target or other choices; they are no pairs."""

    @property
    def share(self) -> float:
        """The shared samples as a share of all samples of either side, 0..1."""
        n = len(self.shared) + len(self.only_base) + len(self.only_other) + len(self.changed)
        return len(self.shared) / n if n else 0.0


@dataclass(frozen=True)
class Pairs:
    """Scores of two cells on the same samples, row i of both sides belonging to sample i."""

    ids: tuple[str, ...]
    metric: Metric
    base: Array
    """Score of each sample in the base; NaN is missing. For corpus metrics NaN throughout."""
    other: Array
    """Score of each sample in the other cell; NaN is missing."""
    base_rows: Array | None
    """Rows of statistics of the base, NaN where missing; None for a bounded mean."""
    other_rows: Array | None
    """Rows of statistics of the other cell."""
    clusters: list[str | None] | None
    """The cluster of each sample; None when all stand alone."""
    possible: tuple[Array, Array] | None = None
    """Rows of samples that are possible on either side; None where no sample is the most extreme."""

    @property
    def n_missing(self) -> int:
        """Pairs in which a score is missing on either side."""
        if self.base_rows is not None and self.other_rows is not None:
            return int((np.isnan(self.base_rows).any(1) | np.isnan(self.other_rows).any(1)).sum())
        return int((np.isnan(self.base) | np.isnan(self.other)).sum())

    def subset(self, keep: list[int]) -> Pairs:
        """The pairs at these positions."""
        return Pairs(
            tuple(self.ids[i] for i in keep),
            self.metric,
            self.base[keep],
            self.other[keep],
            None if self.base_rows is None else self.base_rows[keep],
            None if self.other_rows is None else self.other_rows[keep],
            None if self.clusters is None else [self.clusters[i] for i in keep],
            self.possible,
        )


def overlap(base: StoredCell, other: StoredCell) -> Overlap:
    """Which samples the two cells share.

    Cells over the same data were to answer the same samples: what one of them lacks is missing, not deleted.
    """
    same = base.cell.data_digest == other.cell.data_digest
    shared: list[str] = []
    only_base: list[str] = []
    changed: list[str] = []
    for sample_id, fact in base.facts.items():
        match = other.facts.get(sample_id)
        if match is None:
            (shared if same else only_base).append(sample_id)
        elif match.content == fact.content:
            shared.append(sample_id)
        else:
            changed.append(sample_id)
    extra = [sample_id for sample_id in other.facts if sample_id not in base.facts]
    return Overlap(
        tuple(shared + extra if same else shared),
        tuple(only_base),
        () if same else tuple(extra),
        tuple(changed),
    )


def make_pairs(base: StoredCell, other: StoredCell, metric: Metric, ids: tuple[str, ...]) -> Pairs:
    """The scores of both cells on these samples."""
    clusters: list[str | None] | None = None
    if base.clustered or other.clustered:
        facts = {**other.facts, **base.facts}
        clusters = [facts[sample_id].cluster if sample_id in facts else None for sample_id in ids]
    sides = [_values(cell, metric, ids) for cell in (base, other)]
    rows = [_rows(cell, metric, ids, values) for cell, values in zip((base, other), sides, strict=True)]
    return Pairs(
        ids, metric, sides[0], sides[1], rows[0], rows[1], clusters, _possible((base, other), metric, rows)
    )


def whole_values(pairs: Pairs) -> tuple[float | None, float | None]:
    """The metric of both sides on the pairs that are scored on both."""
    if pairs.base_rows is None or pairs.other_rows is None:
        known = ~np.isnan(pairs.other - pairs.base)
        if not known.any():
            return None, None
        return float(pairs.base[known].mean()), float(pairs.other[known].mean())
    whole = ~(np.isnan(pairs.base_rows).any(1) | np.isnan(pairs.other_rows).any(1))
    if not whole.any():
        return None, None
    sums = (pairs.base_rows[whole].sum(0), pairs.other_rows[whole].sum(0))
    values = [float(aggregate_of(pairs.metric, total)) for total in sums]
    return values[0], values[1]


def _values(cell: StoredCell, metric: Metric, ids: tuple[str, ...]) -> Array:
    """The value of each sample; NaN where a repeat is missing, so that it is never averaged away."""
    values = dict(sample_values(metric, cell.scores[metric.name], cell.stats[metric.name], cell.ids))
    return np.array(
        [
            values[sample_id] if sample_id in values and not cell.facts[sample_id].missing else np.nan
            for sample_id in ids
        ],
        dtype=np.float64,
    )


def _rows(cell: StoredCell, metric: Metric, ids: tuple[str, ...], values: Array) -> Array | None:
    """The rows whose sums the metric takes; for an unbounded mean (value, 1); None for a bounded mean."""
    if metric.aggregation != "corpus":
        if metric.bounds is not None:
            return None
        return np.stack([values, np.where(np.isnan(values), np.nan, 1.0)], axis=1)
    table = cell.stats[metric.name]
    kept = [i for i, row in enumerate(table) if row]
    if not kept:
        return np.full((len(ids), 1), np.nan)
    rows = metric.rows(np.array([table[i] for i in kept], dtype=np.float64))
    position = {sample_id: i for i, sample_id in enumerate(ids)}
    sums = np.zeros((len(ids), rows.shape[1]))
    seen = np.zeros(len(ids), dtype=bool)
    for row, i in zip(rows, kept, strict=True):
        place = position.get(cell.ids[i])
        if place is not None:
            sums[place] += row
            seen[place] = True
    missing = [sample_id not in cell.facts or cell.facts[sample_id].missing for sample_id in ids]
    sums[~seen | np.array(missing)] = np.nan
    return sums


def _possible(
    cells: tuple[StoredCell, StoredCell], metric: Metric, rows: list[Array | None]
) -> tuple[Array, Array] | None:
    """The rows of samples that are possible, as often as each cell asks a sample."""
    if rows[0] is None or rows[1] is None or metric.aggregation != "corpus":
        return None
    known = [part[~np.isnan(part).any(axis=1)] for part in rows if part is not None]
    if not all(len(part) for part in known):
        return None
    # Both sides are asked the same; what a sample may ask is told by either.
    found = metric.possible(
        np.concatenate([part / cell.cell.repeats for part, cell in zip(known, cells, strict=True)])
    )
    return None if found is None else (found * cells[0].cell.repeats, found * cells[1].cell.repeats)


def aggregate_of(metric: Metric, sums: Array) -> Array:
    """The metric's value for each sum of rows; the mean where the rows are (value, 1)."""
    if metric.aggregation == "corpus":
        return np.asarray(metric.aggregate(sums), dtype=np.float64)
    return np.asarray(sums[..., 0] / sums[..., 1])
