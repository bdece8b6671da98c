"""Where the models stand: places by column, overall scores by view and facet, differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from evalkit.comparing import findings
from evalkit.comparing.findings import (
    Contender,
    Overall,
    Part,
    Row,
    Shares,
    contend,
    make_field,
    make_overall,
    shares_of,
)
from evalkit.comparing.findings.cells import read_cell
from evalkit.core.records import Counts
from evalkit.pages.leaderboard.board import (
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
from evalkit.pages.leaderboard.holdings import Found
from evalkit.pages.leaderboard.numbers import COUNTS, Floats, Numbers

MAX_READ = 100_000
"""Results of a cell that are read to compare models sample by sample; larger cells are compared by stderr."""
MAX_PAIRED_MODELS = 40
"""Models, best first, whose differences a board holds."""
MAX_DELTAS = 400
"""Prompts against the default one that have intervals on the board."""
MAX_EXACT = 60
"""Models of a board whose overall scores have intervals by their samples; with more, by their errors."""

Rank = tuple[int, int]
Fields = Mapping[tuple[str, str], Field]
"""(column id, variant) -> field."""


def read_contenders(cells: Mapping[Key, Found]) -> dict[Key, Contender]:
    """All cells that have a value, with their samples where they are at hand."""
    found: dict[Key, Contender] = {}
    held: dict[str, frozenset[str]] = {}
    for key, item in cells.items():
        cell, run, metric = item.cell, item.source.run, item.metric
        if metric is None or metric.value is None:
            continue
        if run.id not in held:
            held[run.id] = item.source.slugs()
        headline = item.identity[0]
        stored = None
        if cell.slug in held[run.id] and 0 < cell.counts.samples <= MAX_READ:
            stored = read_cell(item.source, cell, (headline,), texts=False)
        found[key] = contend(key[0], metric, stored, headline)
    return found


def make_fields(cells: Mapping[Key, Contender], contenders: Sequence[str]) -> Fields:
    """The field of each column and variant; all pairs of all fields are corrected together."""
    wanted = set(contenders)
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for model, column, variant in cells:
        if model in wanted:
            places[column, variant].append(model)
    weighed = {
        place: make_field([cells[model, *place] for model in sorted(models)])
        for place, models in places.items()
    }
    found = findings.find(weighed)
    return {
        place: Field(
            field,
            found.places[place],
            found.adjusted[place],
            Overall.of_field(field).intervals,
            None if field.table is None or len(field.models) > MAX_EXACT else _wins(field),
        )
        for place, field in weighed.items()
    }


def _wins(field: findings.Field) -> np.ndarray:
    """On how many samples each model scores higher than each other."""
    values = np.asarray(field.table.values if field.table is not None else np.zeros((0, 0)))
    return np.array([(row > values + 1e-12).sum(axis=1) for row in values], dtype=np.int64)


def compare_variants(cells: Mapping[Key, Contender], columns: Sequence[Column]) -> dict[Key, Pair]:
    """How far each other variant's score is from the default one's, by model and column.

    All of them are corrected together, as `evalkit compare --by prompt` does.
    """
    by_id = {column.id: column for column in columns}
    weighed = {}
    for key, other in cells.items():
        model, id, variant = key
        default = by_id[id].variants[0]
        base = cells.get((model, id, default))
        if variant != default and base is not None:
            both = [replace(other, name=variant), replace(base, name=default)]
            weighed[key] = make_field(both)
    found = findings.find(weighed)
    pairs: dict[Key, Pair] = {}
    for key, field in weighed.items():
        interval = None
        if len(weighed) <= MAX_DELTAS:
            interval = Overall.of_field(field).interval(*field.models)
        pairs[key] = Pair(float(field.difference[0, 1]), interval, _known(found.adjusted[key][0, 1]))
    return pairs


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


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
    shares: Mapping[Key, Shares],
) -> tuple[tuple[Standing, ...], Overall | None]:
    """The models over the facet's columns, ranked ones first, best first, reference rows last; and every pair
    of the ranked ones, None where there is none."""
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
    overall = None
    if ranked:
        overall = overall_of(board, [names[place] for place in ranked], averaged, view, facet.kind == ALL)
        ranks = dict(zip(ranked, findings.find({"": overall.field}).places[""], strict=True))
    if len(names) <= MAX_EXACT:
        _sharpen(found, board, names, averaged, view, shares)
    standings = list(found.standings(names, n_columns, ranks))

    def order(standing: Standing) -> tuple[bool, bool, int, float, str]:
        reference = standing.model in board.reference
        overall = float("-inf") if standing.overall is None else standing.overall
        return reference, not standing.complete, -standing.n_covered, -overall, standing.model

    return tuple(sorted(standings, key=order)), overall


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
            *(_finite(values) for values in (self.overall, self.low, self.high)),
            self.n_covered.tolist(),
            self.counts.T.tolist(),
            *(_finite(values) for values in (self.cost, self.latency, self.p95, per_sample)),
            strict=True,
        )
        for place, (name, overall, low, high, n, counts, cost, latency, p95, output) in enumerate(columns):
            yield Standing(
                model=name,
                overall=overall,
                interval=None if low is None or high is None else (low, high),
                n_covered=n,
                n_columns=n_columns,
                rank=ranks.get(place),
                counts=Counts(*counts),
                cost_usd=cost,
                latency_s=latency,
                latency_p95_s=p95,
                output_tokens=output,
            )


def _finite(values: Floats) -> list[float | None]:
    return [value if value == value and abs(value) != float("inf") else None for value in values.tolist()]


def _macro(averaged: Sequence[Numbers], scored: np.ndarray, n_models: int) -> tuple[Floats, Floats, Floats]:
    """The mean of the normalised scores and its interval by the errors alone, which is approximate, by model.

    Inside of what is possible: chance may be 0 of 1, and nothing is below the worst score.
    """
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
        least = (
            np.where(scored, np.array([part.least for part in averaged])[:, None], 0.0).sum(axis=0) / covered
        )
    known = (n.min(axis=0) >= 2) & ~np.isnan(half)
    low, high = np.maximum(mean - half, least), np.minimum(mean + half, 1.0)
    return mean, np.where(known, low, np.nan), np.where(known, high, np.nan)


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


def _sharpen(
    found: _Table,
    board: Board,
    names: Sequence[str],
    averaged: Sequence[Column],
    view: str,
    shares: Mapping[Key, Shares],
) -> None:
    """Put the intervals by samples in the place of those by errors, where all samples of a mean are known."""
    for place, name in enumerate(names):
        keys = [(name, column.id, board.variant(column, view) or "") for column in averaged]
        held = [(column, key) for column, key in zip(averaged, keys, strict=True) if _scored(board, key)]
        if not held:
            continue
        if len(held) == 1:
            # One task gives its own interval, digit for digit.
            ((column, key),) = held
            metric = board.entries[key].metric
            ends = metric.interval if metric is not None else None
            found.low[place], found.high[place] = (
                (np.nan, np.nan) if ends is None else tuple(map(column.normalise, ends))
            )
            continue
        if any(key not in shares for _, key in held):
            continue
        rows = [
            Row(shares[key], column.best_possible - column.floor, column.floor / column.best_possible)
            for column, key in held
        ]
        interval = findings.overall_interval(rows)
        found.low[place], found.high[place] = (np.nan, np.nan) if interval is None else interval


def _scored(board: Board, key: Key) -> bool:
    entry = board.entries.get(key)
    return entry is not None and entry.comparable and entry.value is not None


def all_shares(cells: Mapping[Key, Contender]) -> dict[Key, Shares]:
    """The scores of every cell whose samples are known."""
    found = ((key, shares_of(contender)) for key, contender in cells.items())
    return {key: shares for key, shares in found if shares is not None}


def overall_of(
    board: Board, models: Sequence[str], averaged: Sequence[Column], view: str, exact: bool
) -> Overall:
    """Every pair of models in the mean over columns that all of them have."""
    parts = [
        Part(
            board.fields[column.id, board.variant(column, view) or ""].found,
            column.best_possible - column.floor,
        )
        for column in averaged
    ]
    return make_overall(models, parts, exact)


def compare_models(board: Board) -> dict[tuple[str, str], Pair]:
    """The best ranked models against each other over all tasks; empty for a single one."""
    overall = board.overalls.get(DEFAULT_VIEW)
    if overall is None or overall.field.is_large or len(overall.field.models) < 2:
        return {}
    adjusted = findings.find({"": overall.field}).adjusted[""]
    ranked = [s.model for s in board.standings[DEFAULT_VIEW, ALL] if s.rank is not None]
    models = ranked[:MAX_PAIRED_MODELS]
    intervals = overall.intervals
    pairs: dict[tuple[str, str], Pair] = {}
    at = dict(zip(models, overall.field.of(models), strict=True))
    for first, j in at.items():
        for second, k in at.items():
            if j != k:
                ends = intervals.get((min(j, k), max(j, k)))
                if ends is not None and j > k:
                    ends = (-ends[1], -ends[0])
                difference = float(overall.field.difference[j, k])
                pairs[first, second] = Pair(difference, ends, _known(adjusted[j, k]))
    return pairs
