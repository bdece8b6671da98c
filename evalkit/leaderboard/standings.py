"""Where the models stand: places by column, overall scores by view and facet, differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from evalkit.leaderboard.board import (
    ALL,
    DEFAULT_VIEW,
    Board,
    Column,
    Facet,
    Field,
    Key,
    Pair,
    Standing,
)
from evalkit.leaderboard.finds import Found
from evalkit.leaderboard.numbers import COUNTS, Floats, Numbers
from evalkit.pages.ranks import (
    MAX_STEPWISE,
    Estimates,
    Rank,
    combine,
    compare,
    count_wins,
    estimate,
    rank_all,
    rank_column,
    score_bounds,
)
from evalkit.pages.scores import Scores, read_scores
from evalkit.records import Counts

MAX_PAIRED_MODELS = 40
"""Models, best first, whose differences a board holds."""


Fields = Mapping[tuple[str, str], Field]
"""(column id, variant) -> field."""


def read_all_scores(cells: Mapping[Key, Found]) -> dict[Key, Scores]:
    """The scores of all cells that have a value."""
    found: dict[Key, Scores] = {}
    held: dict[str, frozenset[str]] = {}
    for key, item in cells.items():
        cell, run, metric = item.cell, item.source.run, item.metric
        if metric is None or metric.value is None:
            continue
        if run.id not in held:
            held[run.id] = item.source.slugs()
        results = item.source.samples(cell.slug) if cell.slug in held[run.id] else ()
        scores = read_scores(results, cell.counts.samples, item.identity[0], metric)
        if scores is not None:
            found[key] = scores
    return found


def rank_fields(scores: Mapping[Key, Scores], contenders: Sequence[str], columns: Sequence[Column]) -> Fields:
    """The field of each column and variant."""
    wanted = set(contenders)
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for model, column, variant in scores:
        if model in wanted:
            places[column, variant].append(model)
    bounds = {column.id: score_bounds(column.scale, column.higher_is_better) for column in columns}
    found: dict[tuple[str, str], Field] = {}
    for (column, variant), models in places.items():
        models.sort()
        rows = [scores[model, column, variant] for model in models]
        estimates = estimate(rows, bounds[column])
        wins = count_wins(rows) if estimates.paired and len(models) <= MAX_STEPWISE else None
        found[column, variant] = Field(models, estimates, rank_column(rows, bounds[column], estimates), wins)
    return found


def compare_variants(scores: Mapping[Key, Scores], columns: Sequence[Column]) -> dict[Key, Pair]:
    """How far each other variant's score is from the default one's, by model and column."""
    found: dict[Key, Pair] = {}
    by_id = {column.id: column for column in columns}
    for key, other in scores.items():
        model, id, variant = key
        column = by_id[id]
        if variant == column.variants[0]:
            continue
        base = scores.get((model, id, column.variants[0]))
        if base is not None:
            bounds = score_bounds(column.scale, column.higher_is_better)
            pairs = _pairs(["", model], estimate([other, base], bounds))
            if pairs:
                found[key] = pairs["", model]
    return found


def _pairs(names: Sequence[str], estimates: Estimates) -> dict[tuple[str, str], Pair]:
    differences = compare(estimates)
    if differences is None:
        return {}
    pairs: dict[tuple[str, str], Pair] = {}
    for j, first in enumerate(names):
        for k, second in enumerate(names):
            if j != k:
                value, half = float(differences.difference[j, k]), float(differences.half[j, k])
                pairs[first, second] = Pair(value, (value - half, value + half), float(differences.p[j, k]))
    return pairs


def common_columns(
    board: Board,
    numbers: Mapping[tuple[str, str], Numbers],
    contenders: Sequence[int],
    view: str,
    facet: Facet,
) -> tuple[str, ...]:
    """The ids of the columns that overall scores are the mean of; `contenders` are places of models.

    All that can be averaged, where at least half of the models have them all: a model that lacks one then
    goes unranked, and nobody else's score changes. Where hardly any model has them all, those that the most
    models share: the largest block of models by columns.
    """
    columns = [column for column in board.scope(view, facet) if column.averaged]
    if not columns:
        return ()
    held = np.array([_numbers(board, numbers, column, view).scored[list(contenders)] for column in columns]).T
    sums = held.sum(axis=1)
    if not sums.any():
        return ()
    held, sums = held[sums > 0], sums[sums > 0]
    n_complete = int((sums == len(columns)).sum())
    chosen = np.ones(len(columns), dtype=bool)
    if n_complete < 2 or 2 * n_complete < len(held):
        # `contenders` are in the order of their names, so that ties are settled by name.
        shared = np.logical_and.accumulate(held[np.argsort(-sums, kind="stable")], axis=0)
        blocks = np.arange(1, len(held) + 1) * shared.sum(axis=1)
        blocks[0] = 0
        if blocks.max() > n_complete * len(columns):
            chosen = shared[int(blocks.argmax())]
    return tuple(column.id for column, here in zip(columns, chosen, strict=True) if here)


def _numbers(board: Board, numbers: Mapping[tuple[str, str], Numbers], column: Column, view: str) -> Numbers:
    return numbers[column.id, board.variant(column, view) or ""]


def stand(
    board: Board,
    numbers: Mapping[tuple[str, str], Numbers],
    names: Sequence[str],
    view: str,
    facet: Facet,
    fields: Fields,
) -> tuple[Standing, ...]:
    """The models over the facet's columns: ranked ones first, best first; reference rows last."""
    scope = board.scope(view, facet)
    averaged = [column for column in scope if column.id in board.common[view, facet.id]]
    parts = [_numbers(board, numbers, column, view) for column in scope]
    found = _Table(parts, [parts[scope.index(column)] for column in averaged], len(names))
    n_columns = len(averaged)
    ranked = [
        place
        for place, name in enumerate(names)
        if name not in board.reference and 0 < n_columns == found.n_covered[place]
    ]
    ranks: dict[int, Rank] = {}
    if ranked:
        combined = _combine(board, [names[place] for place in ranked], averaged, view, fields)
        ranks = dict(zip(ranked, rank_all(combined), strict=True))
    standings = list(found.standings(names, n_columns, ranks))

    def order(standing: Standing) -> tuple[bool, bool, int, float, str]:
        reference = standing.model in board.reference
        overall = float("-inf") if standing.overall is None else standing.overall
        return reference, not standing.complete, -standing.n_covered, -overall, standing.model

    return tuple(sorted(standings, key=order))


class _Table:
    """The sums and means of all models over columns."""

    def __init__(self, scope: Sequence[Numbers], averaged: Sequence[Numbers], n_models: int) -> None:
        empty = np.zeros((1, n_models))
        scored = np.array([part.scored for part in averaged]) if averaged else empty.astype(bool)
        self.n_covered = scored.sum(axis=0)
        self.overall, self.low, self.high = _macro(averaged, scored, n_models)
        self.counts = sum((part.counts for part in scope), np.zeros((len(COUNTS), n_models), dtype=np.int64))
        held = [part.held for part in scope]
        self.cost = _sum([part.cost for part in scope], held, n_models)
        self.output = _sum([part.output for part in scope], held, n_models)
        samples = COUNTS.index("samples")
        self.latency = _mean([(part.latency, part.counts[samples]) for part in scope], n_models)
        self.p95 = _mean([(part.p95, part.counts[samples]) for part in scope], n_models)
        self.samples = self.counts[samples]

    def standings(
        self, names: Sequence[str], n_columns: int, ranks: Mapping[int, Rank]
    ) -> Iterator[Standing]:
        """One standing for each model."""
        with np.errstate(divide="ignore", invalid="ignore"):
            per_sample = self.output / self.samples
        columns = zip(
            names,
            *(_known(values) for values in (self.overall, self.low, self.high)),
            self.n_covered.tolist(),
            self.counts.T.tolist(),
            *(_known(values) for values in (self.cost, self.latency, self.p95, per_sample)),
            strict=True,
        )
        for place, (name, overall, low, high, n, counts, cost, latency, p95, output) in enumerate(columns):
            yield Standing(
                model=name,
                overall=overall,
                interval=None if low is None or high is None else (low, min(1.0, high)),
                n_covered=n,
                n_columns=n_columns,
                rank=ranks.get(place),
                counts=Counts(*counts),
                cost_usd=cost,
                latency_s=latency,
                latency_p95_s=p95,
                output_tokens=output,
            )


def _known(values: Floats) -> list[float | None]:
    return [value if value == value and abs(value) != float("inf") else None for value in values.tolist()]


def _macro(averaged: Sequence[Numbers], scored: np.ndarray, n_models: int) -> tuple[Floats, Floats, Floats]:
    """The mean of the normalised scores and its interval, as `stats.macro_interval` has it, by model."""
    from scipy.special import stdtrit

    nan = np.full(n_models, np.nan)
    if not averaged:
        return nan, nan, nan
    value = np.where(scored, np.array([part.normalised for part in averaged]), 0.0)
    error = np.where(scored, np.array([part.error for part in averaged]), 0.0)
    n = np.where(scored, np.array([part.n for part in averaged]), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        covered = scored.sum(axis=0)
        mean = np.where(covered > 0, value.sum(axis=0) / covered, np.nan)
        squares = (error / covered) ** 2
        variance = squares.sum(axis=0)
        df = variance**2 / (squares**2 / (n - 1.0)).sum(axis=0)
        df = np.where(variance > 0, df, (np.where(np.isinf(n), 0, n - 1)).sum(axis=0))
        half = stdtrit(df, 0.975) * np.sqrt(variance)
    known = (n.min(axis=0) >= 2) & ~np.isnan(half)
    return mean, np.where(known, mean - half, np.nan), np.where(known, mean + half, np.nan)


def _sum(values: Sequence[Floats], held: Sequence[np.ndarray], n_models: int) -> Floats:
    """The sum over the cells that a model has; NaN when a part is unknown or there is none."""
    if not values:
        return np.full(n_models, np.nan)
    there = np.array(held)
    total = np.where(there, np.array(values), 0.0).sum(axis=0)
    return np.where(there.any(axis=0), total, np.nan)


def _mean(values: Sequence[tuple[Floats, np.ndarray]], n_models: int) -> Floats:
    """The mean of what is known, weighted by samples."""
    total, weight = np.zeros(n_models), np.zeros(n_models)
    for seconds, samples in values:
        known = ~np.isnan(seconds)
        total += np.where(known, seconds, 0.0) * samples
        weight += known * samples
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / weight)


def _combine(
    board: Board, models: Sequence[str], averaged: Sequence[Column], view: str, fields: Fields
) -> Estimates:
    """The overall scores of models that have all the columns."""
    parts: list[Estimates] = []
    for column in averaged:
        field = fields[column.id, board.variant(column, view) or ""]
        if field.models == list(models):
            parts.append(field.estimates)
            continue
        places = {model: place for place, model in enumerate(field.models)}
        parts.append(field.estimates.of([places[model] for model in models]))
    return combine(parts, [column.best_possible - column.floor for column in averaged])


def compare_models(board: Board, fields: Fields) -> dict[tuple[str, str], Pair]:
    """The best ranked models against each other over all tasks; empty for a single one."""
    averaged = [column for column in board.columns if column.id in board.common[DEFAULT_VIEW, ALL]]
    models = [s.model for s in board.standings[DEFAULT_VIEW, ALL] if s.rank is not None]
    models = models[:MAX_PAIRED_MODELS]
    if len(models) < 2:
        return {}
    return _pairs(models, _combine(board, models, averaged, DEFAULT_VIEW, fields))
