"""The numbers of a board as arrays, one entry for each model, so that many models cost no more than few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from evalkit.core.records import CellResult, Counts
from evalkit.pages.leaderboard.board import Column, Entry, Key

Floats = npt.NDArray[np.float64]

COUNTS = tuple(field.name for field in fields(Counts))
_COUNTS = attrgetter(*COUNTS)


@dataclass(frozen=True)
class Numbers:
    """All models in one column with one variant; NaN is unknown."""

    held: npt.NDArray[np.bool_]
    """Which models have a cell here."""
    scored: npt.NDArray[np.bool_]
    """Which have a score that compares with its neighbours'."""
    normalised: Floats
    """The score with chance at 0 and the best possible at 1."""
    error: Floats
    """The standard error of that, with what one more sample at the far end would bring."""
    n: Floats
    """Samples behind the score."""
    least: float
    """The worst score that is possible, normalised."""
    counts: npt.NDArray[np.int64]
    """Counts by models."""
    cost: Floats
    """US dollars when the answers were bought."""
    latency: Floats
    """Mean seconds of a call."""
    p95: Floats
    """Seconds within which 95 in 100 calls ended."""
    output: Floats
    """Output tokens."""


def count(
    entries: Mapping[Key, Entry], columns: Sequence[Column], index: Mapping[str, int]
) -> dict[tuple[str, str], Numbers]:
    """The numbers of every column and variant; `index` gives each model its place."""
    rows: dict[tuple[str, str], list[tuple[int, Entry]]] = {}
    for (model, column, variant), entry in entries.items():
        rows.setdefault((column, variant), []).append((index[model], entry))
    by_id = {column.id: column for column in columns}
    return {place: _count(found, by_id[place[0]], len(index)) for place, found in rows.items()}


def _count(rows: Sequence[tuple[int, Entry]], column: Column, n_models: int) -> Numbers:
    places = np.array([place for place, _ in rows], dtype=np.intp)
    metrics = [entry.metric for _, entry in rows]

    def spread(values: Sequence[float | None]) -> Floats:
        whole = np.full(n_models, np.nan)
        whole[places] = np.array(values, dtype=np.float64)
        return whole

    held = np.zeros(n_models, dtype=bool)
    held[places] = True
    value = spread([None if metric is None else metric.value for metric in metrics])
    n = spread([0 if metric is None else metric.n for metric in metrics])
    comparable = np.zeros(n_models, dtype=bool)
    comparable[places] = [entry.comparable for _, entry in rows]
    width = column.best_possible - column.floor
    counts = np.zeros((len(COUNTS), n_models), dtype=np.int64)
    counts[:, places] = np.array([_COUNTS(entry.cell.counts) for _, entry in rows]).T
    cells = [entry.cell for _, entry in rows]
    top = 0.0 if column.scale == "unbounded" else column.best_possible
    extra = top / (np.nan_to_num(n) + 1.0)
    return Numbers(
        held=held,
        scored=comparable & ~np.isnan(value),
        normalised=(value - column.floor) / width,
        error=np.hypot(spread([None if m is None else m.stderr for m in metrics]), extra) / width,
        n=n,
        least=-column.floor / width,
        counts=counts,
        cost=spread([full_cost(cell) for cell in cells]),
        latency=spread([cell.latency.mean for cell in cells]),
        p95=spread([cell.latency.p95 for cell in cells]),
        output=spread([cell.usage.output for cell in cells]),
    )


def full_cost(cell: CellResult) -> float | None:
    """What the cell's answers cost when they were bought, in this run or before."""
    if cell.cost_usd is None or (cell.counts.cached and cell.cost_cached_usd is None):
        return None
    return cell.cost_usd + (0.0 if cell.cost_cached_usd is None else cell.cost_cached_usd)
