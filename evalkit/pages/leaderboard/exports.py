"""The board as JSON and CSV, for machines and spreadsheets."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import repeat
from operator import attrgetter
from typing import Any

import orjson

from evalkit.core.records import Counts, MetricValue
from evalkit.pages.formats import dump, visible
from evalkit.pages.leaderboard.arena import Arena
from evalkit.pages.leaderboard.board import ALL, DEFAULT_VIEW, Board, Column, Entry

FORMAT_VERSION = 1
MAX_INDENTED = 5_000
"""Cells up to which the JSON is indented for readers; half of a large file would be spaces."""
_COUNTS = attrgetter(*(f"cell.counts.{field.name}" for field in fields(Counts)))
_COLUMNS = (
    "model",
    "task",
    "variant",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "rank_low",
    "rank_high",
    "comparable",
    "samples",
    "scored",
    "unscored",
    "no_answer",
    "refused",
    "truncated",
    "errors",
    "cached",
    "cost_usd",
    "latency_mean_s",
    "signature",
    "run",
)


def board_json(board: Board) -> bytes:
    """The whole board: standings, columns, every cell with all its metrics."""
    standings = {f"{view or 'default'}|{facet}": rows for (view, facet), rows in board.standings.items()}
    content = {
        "format": FORMAT_VERSION,
        "runs": [
            {"id": run.id, "created": run.created, "status": run.status, "version": run.version}
            for run in board.runs
        ],
        "columns": [
            {
                "id": column.id,
                "task": column.task,
                "language": column.info.language,
                "tags": list(column.info.tags),
                "metric": column.headline,
                "higher_is_better": column.higher_is_better,
                "scale": column.scale,
                "chance": column.chance,
                "normalised_from": column.floor if column.averaged else None,
                "n": column.n,
                "variants": list(column.variants),
                "averaged": column.averaged,
            }
            for column in board.columns
        ],
        "standings": standings,
        "groups": [
            {
                "name": group.name,
                "columns": list(group.columns),
                "weighting": group.tree.levels(),
                "members": [*group.tree.members],
                "metric": group.metric,
                "values": [
                    {"model": model, "variant": variant, **_mean(value)}
                    for (model, variant), value in group.values.items()
                ],
            }
            for group in board.groups
        ],
        **({"arena": board.arena.as_dict()} if board.arena else {}),
        "cells": _cells(board),
    }
    readable = len(board.entries) <= MAX_INDENTED
    return dump(content, (orjson.OPT_INDENT_2 if readable else 0) | orjson.OPT_APPEND_NEWLINE)


def _mean(value: MetricValue) -> dict[str, Any]:
    low, high = value.interval or (None, None)
    return {"value": value.value, "low": low, "high": high, "n": value.n, "signature": value.signature}


def board_csv(board: Board) -> str:
    """One line for each metric of each cell, the overall scores first."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, _COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for standing in board.standings[DEFAULT_VIEW, ALL]:
        row: dict[str, Any] = {
            "model": standing.model,
            "task": "overall",
            "metric": "chance_normalised_mean",
            "value": standing.overall if standing.complete else None,
            "low": standing.interval[0] if standing.interval and standing.complete else None,
            "high": standing.interval[1] if standing.interval and standing.complete else None,
            "n": standing.n_covered,
            "rank_low": standing.rank[0] if standing.rank else None,
            "rank_high": standing.rank[1] if standing.rank else None,
            **_counts(standing.counts),
            "cost_usd": standing.cost_usd,
            "latency_mean_s": standing.latency_s,
        }
        writer.writerow({key: neutralise(value) for key, value in row.items()})
    if board.arena is not None:
        writer.writerows(_arena_lines(board.arena))
    quote = functools.cache(_quote)
    for column in board.columns:
        for variant in column.variants:
            rows = [
                (model, entry, name, metric)
                for model in board.models
                if (entry := board.entries.get((model, column.id, variant))) is not None
                for name, metric in entry.cell.metrics.items()
            ]
            if rows:
                sink.writelines(_lines(column, variant, rows, quote))
    return sink.getvalue()


def _arena_lines(arena: Arena) -> Iterator[dict[str, Any]]:
    for row in arena.models:
        low, high = row.interval or (None, None)
        best, worst = row.rank or (None, None)
        yield {
            "model": neutralise(row.model),
            "task": "arena",
            "metric": "bradley_terry_elo",
            "value": row.rating,
            "low": low,
            "high": high,
            "n": row.n,
            "rank_low": best,
            "rank_high": worst,
        }


def _quote(text: str) -> str:
    """A text as a field of a line."""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="").writerow([neutralise(text), ""])
    return sink.getvalue()[:-1]


def _lines(
    column: Column,
    variant: str,
    rows: Sequence[tuple[str, Entry, str, MetricValue]],
    quote: Callable[[str], str],
) -> Iterator[str]:
    """A line for each metric of a cell, in the order of `_COLUMNS`. Made column by column: there are many."""
    models, entries, names, metrics = zip(*rows, strict=True)
    bounds = [metric.interval or (None, None) for metric in metrics]
    ranks = [
        (entry.rank if name == column.headline else None) or (None, None)
        for entry, name in zip(entries, names, strict=True)
    ]
    columns: list[Iterable[str]] = [
        map(quote, models),
        repeat(quote(column.id)),
        repeat(quote(variant)),
        map(quote, names),
        _texts([metric.value for metric in metrics]),
        *(_texts(ends) for ends in zip(*bounds, strict=True)),
        _texts([metric.n for metric in metrics]),
        *(_texts(ends) for ends in zip(*ranks, strict=True)),
        ["true" if entry.comparable else "false" for entry in entries],
        *(_texts(counted) for counted in zip(*map(_COUNTS, entries), strict=True)),
        _texts([entry.cell.cost_usd for entry in entries]),
        _texts([entry.cell.latency.mean for entry in entries]),
        [quote(metric.signature) for metric in metrics],
        [f"{quote(entry.source.run.id)}\r\n" for entry in entries],
    ]
    return map(",".join, zip(*columns, strict=False))  # some columns repeat one text without end


def _texts(numbers: Sequence[float | None]) -> list[str]:
    """Each number as JSON writes it; nothing for what is unknown."""
    return orjson.dumps(numbers)[1:-1].decode().replace("null", "").split(",")


def _cells(board: Board) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = []
    for column in board.columns:
        for variant in column.variants:
            for model in board.models:
                entry = board.entries.get((model, column.id, variant))
                if entry is None:
                    continue
                cells.append(
                    {
                        "model": model,
                        "column": column.id,
                        "task": column.task,
                        "variant": variant,
                        "headline": column.headline,
                        "comparable": entry.comparable,
                        "rank": list(entry.rank) if entry.rank else None,
                        "metrics": entry.cell.metrics,
                        "counts": entry.cell.counts,
                        "cost_usd": entry.cell.cost_usd,
                        "latency_mean_s": entry.cell.latency.mean,
                        "run": entry.source.run.id,
                    }
                )
    return cells


def _counts(counts: Counts) -> dict[str, int]:
    return {field.name: getattr(counts, field.name) for field in fields(Counts)}


def neutralise(value: Any) -> Any:
    """A value that a spreadsheet takes for text: a leading = + - @, tab or line end gets an apostrophe."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text
