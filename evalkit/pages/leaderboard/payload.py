"""The board as the page's script takes it: numbers by column, one entry for each model, short keys.

A list whose entries are all equal is written once. What the page computes from these numbers (overall scores,
places, differences, for whatever tasks, models and weights the reader chooses) is what standings.py computes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.comparing.findings import Field as Weighed
from evalkit.core.records import MetricValue, ModelFacts, TaskGroup
from evalkit.pages.leaderboard.arena import arena_data
from evalkit.pages.leaderboard.board import ALL, DEFAULT_VIEW, Board, Column, Entry, Field, Group
from evalkit.pages.leaderboard.numbers import full_cost
from evalkit.pages.tasks import permalink
from evalkit.stats.ranks import tally

MAX_STEPWISE = 60
"""Models of a field up to which the page has every pair."""
COUNTED = ("samples", "scored", "unscored", "no_answer", "refused", "truncated", "errors", "cached")
_numbers_of = attrgetter(
    *(f"counts.{name}" for name in COUNTED), "latency.mean", "latency.p95", "usage.output"
)
FACTS = tuple(field.name for field in fields(ModelFacts))


def page_data(board: Board, links: Mapping[str, str | None], shards: list[dict[str, Any]]) -> dict[str, Any]:
    """What the script needs. `links` leads from each run to its report."""
    index = {model: place for place, model in enumerate(board.models)}
    runs = {run.id: place for place, run in enumerate(board.runs)}
    columns = {column.id: place for place, column in enumerate(board.columns)}
    return {
        "page": "leaderboard",
        "models": list(board.models),
        "routes": [_route(board, model) for model in board.models],
        "reference": [place for model, place in index.items() if model in board.reference],
        "facts": {
            name: pack([getattr(board.facts[model], name) for model in board.models]) for name in FACTS
        },
        "providers": pack([_provider(board, model) for model in board.models]),
        "columns": [_column(board, column) for column in board.columns],
        "views": list(board.views),
        "places": [
            _place(board, column, variant, index, runs)
            for column in board.columns
            for variant in column.variants
        ],
        "standings": {view: _ranks(board, view) for view in board.views},
        "overall_pairs": {view: _overall_pairs(board, view, index) for view in board.views},
        "groups": [
            {
                "name": group.name,
                "columns": [columns[id] for id in group.columns],
                "weighting": group.weighting,
                **_levels(group, board),
                "metric": group.metric,
                "scale": group.scale,
                "higher": group.higher_is_better,
                "values": [
                    [index[model], variant, *_bounded(value), value.n]
                    for (model, variant), value in group.values.items()
                    if model in index
                ],
            }
            for group in board.groups
        ],
        "history": [
            [
                index[model],
                columns[id],
                variant,
                [[runs[p.run], *_bounded(p.metric), p.metric.n] for p in past],
            ]
            for (model, id, variant), past in board.history.items()
        ],
        "slices": [
            [
                columns[part.column],
                part.key,
                part.value,
                part.n,
                [[index[model], *_bounded(value), value.n] for model, value in part.scores.items()],
            ]
            for part in board.slices
        ],
        "deltas": [
            [
                index[model],
                columns[id],
                variant,
                *map(_number, (pair.difference, *(pair.interval or (None, None)))),
                pair.p,
            ]
            for (model, id, variant), pair in board.deltas.items()
        ],
        "runs": [{"id": run.id, "created": run.created[:10], "link": links[run.id]} for run in board.runs],
        "shards": shards,
        **({"arena": arena_data(board.arena, index)} if board.arena else {}),
    }


def _levels(group: Group, board: Board) -> dict[str, Any]:
    """What only a group of groups has: its outline, the places of those inside, each column's share of it."""
    if not group.tree.is_nested:
        return {}
    names = {member.name for member in _inner(group.tree)}
    shares = group.tree.shares(dict.fromkeys(group.tree.tasks, 1.0))
    task_of = {column.id: column.task for column in board.columns}
    return {
        "members": len(group.tree.members),
        "outline": group.tree.outline(),
        "inner": [place for place, other in enumerate(board.groups) if other.name in names],
        "shares": [_number(shares[task_of[id]]) for id in group.columns],
    }


def _inner(tree: TaskGroup) -> Iterator[TaskGroup]:
    for member in tree.members:
        if isinstance(member, TaskGroup):
            yield member
            yield from _inner(member)


def pack(values: Sequence[Any]) -> Any:
    """The list, or its value where all are equal."""
    first = values[0] if values else None
    if isinstance(first, list | dict):
        return values
    same = values.count(first) == len(values) and len(set(map(type, values))) < 2
    return first if same else list(values)


def _column(board: Board, column: Column) -> dict[str, Any]:
    info = column.info
    return {
        "id": column.id,
        "task": column.task,
        "metric": column.headline,
        "scale": column.scale,
        "higher": column.higher_is_better,
        "chance": column.chance,
        "n": column.n,
        "language": info.language,
        "tags": list(info.tags),
        "groups": [group.name for group in board.groups if column.id in group.columns],
        "averaged": column.averaged,
        "variants": list(column.variants),
    }


def _place(
    board: Board, column: Column, variant: str, index: Mapping[str, int], runs: Mapping[str, int]
) -> dict[str, Any]:
    """A column with a variant: what every model that has it came to."""
    rows = [
        (index[model], entry)
        for model in board.models
        if (entry := board.entries.get((model, column.id, variant))) is not None
    ]
    keys = [(board.models[place], column.id, variant) for place, _ in rows]
    cells = [entry.cell for _, entry in rows]
    names = dict.fromkeys(name for cell in cells for name in cell.metrics)
    everybody = len(rows) == len(board.models)
    *counts, latency, p95, output = zip(*map(_numbers_of, cells), strict=True)
    ranks = [_rank(entry) for _, entry in rows]
    place: dict[str, Any] = {
        "x": variant,
        "m": None if everybody else [model for model, _ in rows],
        "headline": _metric([entry.metric for _, entry in rows]),
        "apart": [place for place, (_, entry) in enumerate(rows) if not entry.comparable],
        "rank": None if all(rank is None for rank in ranks) else ranks,
        "counts": [pack(list(counted)) for counted in counts],
        "cost": pack(_numbers([full_cost(cell) for cell in cells])),
        "latency": pack(_numbers(latency)),
        "p95": pack(_numbers(p95)),
        "output": pack(list(output)),
        "run": pack([runs[entry.source.run.id] for _, entry in rows]),
        "others": {
            name: _metric([cell.metrics.get(name) for cell in cells])
            for name in names
            if name != column.headline
        },
        "link": permalink(column.task, variant),
        "binary": pack([int(key in board.binary) for key in keys]),
    }
    field = board.fields.get((column.id, variant))
    if field is not None:
        place["field"] = _field(field, index)
    return place


def _metric(values: Sequence[MetricValue | None]) -> dict[str, Any]:
    nothing = (None,) * len(_METRIC)
    each = zip(*[nothing if value is None else _metric_of(value) for value in values], strict=True)
    value, stderr, intervals, n, method, signature = each
    bounds = [pair or (None, None) for pair in intervals]
    return {
        "v": pack(_numbers(value)),
        "lo": pack(_numbers([low for low, _ in bounds])),
        "hi": pack(_numbers([high for _, high in bounds])),
        "e": pack(_numbers(stderr)),
        "n": pack(list(n)),
        "by": pack(list(method)),
        "sig": pack(list(signature)),
        "scale": next((value.scale for value in values if value is not None), "unbounded"),
    }


_METRIC = ("value", "stderr", "interval", "n", "interval_method", "signature")
_metric_of = attrgetter(*_METRIC)


def _field(field: Field, index: Mapping[str, int]) -> dict[str, Any]:
    """Every pair of the ranked models; with very many only whether they are paired."""
    weighed = field.found
    found: dict[str, Any] = {"paired": weighed.method != "errors", "n": len(field.models)}
    if len(field.models) <= MAX_STEPWISE:
        found.update(
            m=[index[model] for model in field.models],
            d=_encode(_upper(weighed.difference), "<f8"),
            p=_encode(weighed.p.ravel(), "<f8"),
            wins=None if field.wins is None else _encode(field.wins.ravel(), "<u4"),
            tally=_tally(weighed),
            **_ends(len(field.models), field.pairs),
        )
    return found


def _tally(field: Weighed) -> dict[str, Any] | None:
    """Wins, losses with missing scores at their worst, samples of each pair; None but for 0/1 scores."""
    if field.table is None or not field.table.binary:
        return None
    counted = tally(field.table.values, field.table.absent)
    whole = not np.isnan(field.table.values).any()
    return {
        "wins": _encode(counted.wins.ravel(), "<u4"),
        "losses": None if whole else _encode(counted.losses.ravel(), "<u4"),
        "n": int(counted.n.max()) if whole else _encode(counted.n.ravel(), "<u4"),
    }


def _ends(n: int, pairs: Mapping[tuple[int, int], tuple[float, float]]) -> dict[str, Any]:
    """The intervals of pairs, the first of each before the second; none where the board has none."""
    if not pairs:
        return {"lo": None, "hi": None}
    low, high = np.full((n, n), np.nan), np.full((n, n), np.nan)
    for (j, k), (lo, hi) in pairs.items():
        low[j, k], high[j, k] = lo, hi
    return {"lo": _encode(_upper(low), "<f8"), "hi": _encode(_upper(high), "<f8")}


def _upper(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rows above the diagonal one after another."""
    return np.asarray(matrix[np.triu_indices(len(matrix), 1)])


def _encode(values: npt.NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _ranks(board: Board, view: str) -> dict[str, Any]:
    standings = {standing.model: standing for standing in board.standings[view, ALL]}
    common = set(board.common[view, ALL])
    rows = [standings[model] for model in board.models]
    ranks = [row.rank for row in rows]
    bounds = [row.interval or (None, None) for row in rows]
    return {
        "common": [place for place, column in enumerate(board.columns) if column.id in common],
        "ranks": None if all(rank is None for rank in ranks) else ranks,
        "overall": pack(_exact([row.overall for row in rows])),
        "lo": pack(_exact([low for low, _ in bounds])),
        "hi": pack(_exact([high for _, high in bounds])),
    }


def _exact(values: Sequence[float | None]) -> list[float | None]:
    return list(values)


def _overall_pairs(board: Board, view: str, index: Mapping[str, int]) -> dict[str, Any] | None:
    """The differences of overall scores in a view; None where there are none, or too many."""
    overall = board.overalls.get(view)
    if overall is None or not 2 <= len(overall.field.models) <= MAX_STEPWISE:
        return None
    field = overall.field
    ends = overall.intervals if view == DEFAULT_VIEW else {}
    return {
        "m": [index[model] for model in field.models],
        "d": _encode(_upper(field.difference), "<f8"),
        "p": _encode(field.p.ravel(), "<f8"),
        **_ends(len(field.models), ends),
    }


def _rank(entry: Entry) -> Any:
    rank = entry.rank
    return None if rank is None else rank[0] if rank[0] == rank[1] else rank


def _bounded(value: MetricValue) -> tuple[float | None, float | None, float | None]:
    low, high = value.interval or (None, None)
    return _number(value.value), _number(low), _number(high)


def _numbers(values: Sequence[float | None]) -> list[float | None]:
    """Each value as `_number` has it; those of plain size all at once."""
    exact = np.array(values, dtype=np.float64)
    size = np.abs(exact)
    plain = (size >= 0.01) & (size < 1e6)
    rounded = np.where(plain, np.round(exact, 10), exact).tolist()
    if plain.all():
        return rounded  # type: ignore[no-any-return]
    for place in np.flatnonzero(~plain).tolist():
        rounded[place] = _number(values[place])
    return rounded  # type: ignore[no-any-return]


def _number(value: float | None) -> float | None:
    """Ten digits behind the point, or six significant ones of what is small."""
    if value is None:
        return None
    return round(value, 10) if abs(value) >= 0.01 else float(f"{value:.6g}")


def _route(board: Board, model: str) -> str | None:
    info = board.infos.get(model)
    return None if info is None or info.route == model else info.route


def _provider(board: Board, model: str) -> str | None:
    info = board.infos.get(model)
    return None if info is None else info.provider
